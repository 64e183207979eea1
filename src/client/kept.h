/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client with a store (store.h): what is published stands in it before it is sent, what comes
 * before it is given.
 *
 *	kept.c     open, load, what the store reports
 *	outbox.c   messages to publish
 *	inbox.c    messages that came
 *
 * All are called with the client's mutex, unless they say otherwise; c->kept is NULL without a
 * store.
 */
#ifndef NIGHTJAR_CLIENT_KEPT_H
#define NIGHTJAR_CLIENT_KEPT_H

#include "client/client_state.h"
#include "client/store.h"

struct kept {
	struct client_store store;
	bool keeps_qos_0;
	bool is_open;
	unsigned answer_count; /* acknowledgements on their way to the disk */
	uint64_t mark_taken;   /* the highest that nj_publish was given */
	unsigned wait_count;   /* records that hold back what is to be sent */
	uint64_t sendable;     /* as the store's state, but put, not durable yet */
	uint64_t connection;   /* counts them, so that an answer does not go to another one */
	void (*stored)(nj_client *client, void *context, const struct nj_stored *stored);
	void (*says)(void *context, const char *text);
};

/* Without the mutex; before client_configure(). Sets in `options` what the store decides: client
 * id, clean start, session expiry. An nj_error, told to options.store_says. */
int kept_open(nj_client *c, struct nj_options *options) MUST_USE;
/* The same on a disk of the caller's, which it takes over, without threads: for tests. */
int kept_open_disk(nj_client *c, struct nj_options *options, struct disk *disk,
		   uint64_t store_id) MUST_USE;
/* Without the mutex; after client_configure(): what a process before this one has left. */
int kept_load(nj_client *c) MUST_USE;
/* Without the mutex: all that was taken is written. */
void kept_close(nj_client *c);
/* store_says, by the driver; lets the mutex go. */
void kept_call_said(nj_client *c, struct event *event);
void kept_drop_said(struct event *event);

/* CONNACK came. 0 or ERROR_NO_MEMORY. */
int kept_connected(nj_client *c, bool session_present) MUST_USE;
void kept_lost(nj_client *c); /* the connection */
/* Until what a connection began with is in the store, nothing is built on it. */
bool kept_waits(const nj_client *c);
/* Milliseconds since 1970. */
uint64_t kept_wall_ms(void);

/* outbox.c. As engine_publish; NJ_ERROR_STORE. */
bool outbox_keeps(const nj_client *c, uint8_t qos);
int outbox_publish(nj_client *c, const struct publish *p, uint64_t mark,
		   struct nj_delivery *d) MUST_USE;
int outbox_restore(nj_client *c, const struct store_record *r, struct store_out *e) MUST_USE;
/* What the engine tells. */
void outbox_finished(nj_client *c, uint64_t position);
bool outbox_pubrec(void *context, uint64_t position);
/* What the store tells. */
void outbox_happened(nj_client *c, const struct store_record *r, struct store_out *e, int error);
/* `stored`; lets the mutex go. */
void outbox_call_stored(nj_client *c, struct event *event);
void outbox_drop_stored(struct event *event);
/* No room is to be had by dropping. */
bool outbox_is_stuck(const nj_client *c);

/* inbox.c. Takes the message over; it is given when it is durable. */
int inbox_arrived(nj_client *c, struct nj_message *m, const struct publish *p) MUST_USE;
int inbox_restore(nj_client *c, const struct store_record *r, struct store_in *e) MUST_USE;
bool inbox_owes(const nj_client *c, const struct nj_message *m);
int inbox_let_go(nj_client *c, const struct nj_message *m, uint8_t reason_code) MUST_USE;
int inbox_give_back(nj_client *c, const struct nj_message *m) MUST_USE;
/* Something was let go, and the server is not told yet. */
bool inbox_is_answering(const nj_client *c);
bool inbox_pubrel(void *context, uint16_t packet_id);
void inbox_happened(nj_client *c, const struct store_record *r, struct store_in *e, int error);

#endif
