/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server in memory, joined to one engine by a wire that can be cut at any byte. It keeps one
 * session, counts what arrives, and sends what it is told to. Messages are numbers: the payload.
 */
#ifndef TESTS_CLIENT_SERVER_H
#define TESTS_CLIENT_SERVER_H

#include "client/engine.h"
#include "session/receive.h"
#include "session/send.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SERVER_MESSAGES 256
#define SERVER_BYTES 65536

struct server {
	uint8_t version;
	struct connack connack; /* what to answer; session_present is filled in */
	bool loses_session;     /* forgets the session when a connection ends */
	bool ignores_pings;
	bool forgets_order;  /* nobody looks at `order`: it may begin anew */
	uint8_t puback_code; /* of every PUBACK */
	uint8_t suback_code; /* of every filter, unless 0 */
	void (*published)(struct server *s, const struct publish *p); /* to it; or NULL */
	/* Enhanced authentication: sees CONNECT and each AUTH; server_auth and server_accept answer. */
	void (*authenticate)(struct server *s, uint8_t type, const struct properties *p);

	uint8_t in[SERVER_BYTES], out[SERVER_BYTES];
	size_t in_len, out_len;
	bool has_session;
	bool is_connected;
	struct connect connect; /* the last one; its spans are stale */
	char client_id[64];
	struct send send;
	struct receive receive;
	uint8_t qos[SERVER_MESSAGES]; /* of what we send */

	unsigned arrived[SERVER_MESSAGES];
	unsigned dup_count;
	bool last_was_retained;
	uint16_t last_alias;
	unsigned packet_count[16]; /* received, per type */
	uint8_t order[1024];       /* their types */
	uint8_t flags[1024];
	uint16_t ids[1024];
	unsigned order_count;
	struct disconnect disconnect; /* its spans are stale */
};

void server_init(struct server *s, uint8_t version);
void server_release(struct server *s);
/* Sends message `number` at this QoS, now or when its window opens; false: not now. */
bool server_publish(struct server *s, uint32_t number, uint8_t qos);
/* A message at QoS 0. */
void server_tell(struct server *s, const struct publish *message);
/* Raw bytes to the client. */
void server_write(struct server *s, const void *bytes, size_t len);
/* AUTH, and CONNACK with these properties or, with a code, without. */
void server_auth(struct server *s, uint8_t reason_code, const char *method, struct span data);
void server_accept(struct server *s, uint8_t code, const char *method, struct span data);
/* Handles what stands in `in`. */
void server_work(struct server *s);
/* The connection is gone: half packets with it. */
void server_lost(struct server *s);

/* The application on the engine's side: counts what comes. */
struct client {
	struct engine *engine;
	uint64_t now_ms;
	unsigned delivered[SERVER_MESSAGES];
	unsigned published[SERVER_MESSAGES]; /* by token */
	struct engine_published last_published;
	unsigned connected_count, closed_count, answered_count;
	bool session_present;
	struct engine_closed closed;
	struct engine_answered answered;
	uint8_t codes[16];
	size_t codes_len;
	uint16_t answered_id;
	char topic[64]; /* of the last message */
	unsigned delivery_count;
	uint64_t handles[SERVER_MESSAGES]; /* the last of each message */
	bool last_was_dup;
	uint32_t last_number[3]; /* highest delivered, per QoS */
	bool is_out_of_order;
	struct disconnect *disconnects_on_message;
	unsigned auth_count;
};

/* An engine with roomy options; `changes` (or NULL) may alter connect and options. */
void client_init(struct client *c, uint8_t version,
		 void (*changes)(struct connect *, struct engine_options *));
void client_release(struct client *c);
int client_publish(struct client *c, uint32_t number, uint8_t qos);

/*
 * Opens a connection, passes bytes both ways until nothing moves or one way has used up its
 * budget of bytes, then, in that case, cuts. SIZE_MAX: no cut. True: all quiet, still open.
 */
bool join(struct client *c, struct server *s, size_t there_budget, size_t back_budget);
/* Goes on with an open connection until nothing moves. */
void pass(struct client *c, struct server *s);
void cut_now(struct client *c, struct server *s);

#endif
