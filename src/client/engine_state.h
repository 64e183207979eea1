/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of client/engine.h, shared by the files that make it up: engine.c (life of a
 * connection), receive.c (packets in),
 * acknowledge.c (when told), transmit.c (packets out), resume.c (sessions), keep.c (what a store
 * has). */
#ifndef NIGHTJAR_CLIENT_ENGINE_STATE_H
#define NIGHTJAR_CLIENT_ENGINE_STATE_H

#include "base/buffer.h"
#include "client/alias_choice.h"
#include "client/aliases.h"
#include "client/engine.h"
#include "client/held.h"
#include "client/hello.h"
#include "client/incoming.h"
#include "client/outgoing.h"
#include "session/receive.h"
#include "session/send.h"

enum engine_state {
	ENGINE_IDLE,
	ENGINE_CONNECTING, /* CONNECT is on its way */
	ENGINE_CONNECTED,
	ENGINE_CLOSING, /* nothing is put out any more, nothing is read */
};

/* Enhanced authentication on this connection ([5] 4.12). */
enum auth_turn {
	AUTH_NONE,   /* nobody's: no method, or it is done */
	AUTH_SERVER, /* it may ask, or say that it is done */
	AUTH_CLIENT, /* it has asked */
};

/* What the server said about itself; roomiest values when it said nothing ([5] 3.2.2.3). */
struct server_limits {
	uint32_t packet_bytes_max;
	uint16_t receive_maximum;
	uint16_t topic_alias_maximum;
	uint16_t keep_alive;
	uint8_t qos_max;
	bool keeps_retained;
	bool knows_wildcards;
	bool knows_subscription_ids;
	bool knows_shares;
};

/* A SUBSCRIBE or UNSUBSCRIBE that waits for its answer. */
struct request {
	struct link link;
	uint32_t token;
	uint32_t filter_count;
	uint16_t packet_id;
	uint8_t answer; /* PACKET_SUBACK or PACKET_UNSUBACK */
};

struct engine {
	struct engine_options options;
	struct engine_events events;
	void *context;

	struct hello hello;
	uint8_t version;
	enum engine_state state;
	struct engine_closed closed; /* why, once state is ENGINE_CLOSING */
	struct server_limits server;
	struct aliases aliases;     /* of the server */
	struct alias_choice choice; /* ours */

	uint64_t now_ms;
	bool expires;        /* engine_set_now is used */
	uint64_t started_ms; /* when CONNECT was given out */
	uint64_t sent_ms;
	uint64_t received_ms;
	uint64_t ping_ms; /* when the last PINGREQ was given out */
	bool waits_for_pong;
	uint64_t retry_at_ms;  /* retry_interval_ms: the next look */
	uint64_t retry_oldest; /* the oldest open position then, plus 1; 0: none */
	uint64_t expiry_ms;    /* nothing in the queue expires before */
	enum auth_turn auth_turn;
	bool waits_for_admission; /* CONNACK lies in `input` */
	bool is_admitted;

	bool has_more;       /* in `input`, perhaps a whole packet */
	struct buffer input; /* the beginning of a packet */
	struct buffer output;

	struct send send; /* messages are struct outgoing; `note` is the token */
	struct receive receive;
	uint32_t carried_count; /* ids in it when this connection began: not of its window */
	struct held held;
	struct incoming incoming; /* acknowledges_when_told: those that wait for it */
	struct link queue;        /* struct outgoing that were never sent in this session */
	uint32_t unfinished_count;
	size_t unfinished_bytes;
	bool is_pumping;
	uint64_t keep_floor, keep_next; /* positions that a store has given */
	bool holds_kept;
	uint32_t request_number;
	struct link requests;
	uint32_t request_count;
};

/* More output than this and nothing new is begun, and no more input is wanted: enough to fill a
 * socket's buffer, little enough to forget. */
#define OUTPUT_BYTES_HIGH ((size_t)256 << 10)

static inline bool engine_is_up(const struct engine *e)
{
	return e->state == ENGINE_CONNECTING || e->state == ENGINE_CONNECTED;
}
static inline bool has_room_for_output(const struct engine *e)
{
	return buffer_len(&e->output) < OUTPUT_BYTES_HIGH;
}

/* engine.c: ends the connection; in version 5 the server is told the reason. */
void engine_fail(struct engine *e, enum engine_end end, uint8_t reason_code, const char *text);
void engine_fail_flaw(struct engine *e, const struct flaw *flaw);
void engine_fail_memory(struct engine *e);
void engine_show(struct engine *e, bool is_outgoing, uint8_t type, const void *packet, size_t len);

/* transmit.c: the message may expire in the queue. */
void transmit_note_expiry(struct engine *e, const struct outgoing *o);
/* Nothing was acknowledged since the last look: all that is open goes out again. */
void transmit_retry(struct engine *e);
uint64_t transmit_retry_deadline(const struct engine *e);

/* receive.c: one whole packet; PUBACK, PUBREC or PUBCOMP; PUBREL of an id that is known. */
void engine_handle(struct engine *e, const struct fixed_header *header, struct span body);

void receive_answer(struct engine *e, const struct ack *p);
void receive_release_id(struct engine *e, uint16_t packet_id, bool answers);

/* acknowledge.c: a message of QoS 1 or 2 came; its PUBREL came. */
void acknowledge_take(struct engine *e, const struct publish *p);
void acknowledge_released(struct engine *e, uint16_t packet_id);

/* transmit.c */
void transmit_ack(struct engine *e, uint8_t type, uint8_t reason_code, uint16_t packet_id);
void transmit_ping(struct engine *e);
/* Sends again and sends anew whatever may go now. */
void transmit_pump(struct engine *e);
/* A message is done, in whatever way: frees it, tells the application. */
void transmit_finish(struct engine *e, struct outgoing *o,
		     const struct engine_published *published);
void transmit_forget_requests(struct engine *e);

/* keep.c: may this position, which a store has given, begin now? */
bool keep_is_open_at(const struct engine *e, uint64_t position);
/* A packet id for a request, away from those that messages will have. */
int keep_request_id(struct engine *e, bool (*is_used)(const struct engine *e, uint16_t id),
		    uint16_t *packet_id_out) MUST_USE;
/* The first in the queue, whose PUBREC has come before: false when it has to wait. */
bool keep_send_released(struct engine *e, struct outgoing *o);
/* The server has lost the session: nothing in the queue was sent in the new one. */
void keep_forget_session(struct engine *e);
/* An answer is to wait, for the store or until its message is sent again. */
bool keep_defers_answer(struct engine *e, const struct ack *p);

/* resume.c: CONNACK came. */
void resume_session(struct engine *e, bool session_present);
/* PUBREL came, or with 0: all of them. */
void resume_give_held(struct engine *e, uint16_t packet_id);

#endif
