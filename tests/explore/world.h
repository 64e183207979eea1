/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sender, one receiver and the connection between them, as the explorer sees them: a state that
 * is a few dozen bytes long, and the actions that lead from one state to the next.
 *
 *      application -> sender -----> channel -----> receiver -> application
 *                     |    ^                       |      ^
 *                     v    |      <----- channel <-+      |
 *                   what it keeps                 what it keeps
 *
 * What moves a state is the real code: session/send.c and session/receive.c over the tables of
 * session/delivery.c. The model's own are the channel, what a crash leaves, and the checks; and of
 * broker and client the few lines between a packet and the tables (sender.c, receiver.c), which say
 * where in the source the original stands.
 *
 * Either end may be the broker or a client. A broker tells a log what it does, record by record, and
 * some packets wait until their record is durable. A client (one with a store) does all it wants,
 * writes down the whole of its session, and only then lets packets go.
 */
#ifndef NIGHTJAR_TESTS_EXPLORE_WORLD_H
#define NIGHTJAR_TESTS_EXPLORE_WORLD_H

#include "session/receive.h"
#include "session/send.h"

#define MESSAGES_MAX 6
#define IDS_MAX 4
#define LIST_MAX 12

_Static_assert(SEND_SPAN_MAX <= IDS_MAX, "the real code is to be built with few packet ids");

enum direction {
	PUBLISHING, /* a client to the broker */
	DELIVERING, /* the broker to a client */
};

struct config {
	const char *name;
	enum direction direction;
	uint8_t ids; /* packet ids that there are: what the real code was built with */
	uint8_t messages;
	uint8_t qos[MESSAGES_MAX];
	uint8_t receive_maximum;
	uint8_t losses; /* how often the broker may have lost the session */
	bool refuses;   /* v5: the receiver may answer with a reason code >= 0x80 */
	bool retries;   /* 3.1.1: the opt-in retry interval */
	bool shrinks;   /* v5: the receiver may come back with Receive Maximum 1 */
	bool is_short;  /* part of the short form */
};

/* What is on the wire; and what an end has yet to write down. */
enum kind {
	NO_PACKET,
	PUBLISH,
	PUBREL,
	PUBREL_NOT_FOUND,
	PUBACK,
	PUBACK_ERROR,
	PUBREC,
	PUBREC_ERROR,
	PUBCOMP,
	PUBCOMP_NOT_FOUND,
	GIVE,         /* a client's application gets the message */
	TELL,         /* a client's application hears that its message has arrived */
	TELL_REFUSED, /* or that it was refused */
	LOG_PUBLISH,  /* records of the broker's log */
	LOG_RELEASE,
	LOG_NOTHING,
	LOG_FINISH,
	LOG_RECEIVED,
	KIND_COUNT,
};

struct packet {
	uint8_t kind;
	union {
		bool dup;        /* PUBLISH */
		bool is_unknown; /* LOG_RELEASE: nobody knew the id */
	};
	bool is_awaited; /* a record whose answer the connection still waits for */
	uint8_t id;
	uint8_t message; /* 1...; on the wire nobody sees it: it is for the checks */
};

struct list {
	uint8_t count;
	struct packet items[LIST_MAX];
};

#define QUEUE_RELEASED 0x80
/* struct send in a few bytes, and what waits in front of it. */
struct sender {
	uint8_t queue_count;
	uint8_t queue[MESSAGES_MAX]; /* messages; QUEUE_RELEASED: PUBREC has come */
	uint8_t base;                /* broker: message m has queue position m - base */
	uint8_t sent_to;             /* broker: positions below it may have been sent */
	uint8_t oldest, resend, next, quota_used;
	struct {
		uint8_t state;   /* enum send_state */
		uint8_t message; /* which; kept for the checks when it is forgotten */
		bool is_held;    /* the message is not forgotten yet */
	} entries[IDS_MAX];
};

/* struct receive: for each packet id whose message holds it, 0 = nobody's. */
struct receiver {
	uint8_t owner[IDS_MAX];
};

/* Of one message; all for the checks. */
struct fate {
	uint8_t delivered; /* how often */
	bool is_wired;     /* a PUBLISH of it has been on the wire in this session */
	bool is_refused;   /* the receiver has refused it at least once */
	bool is_finished;  /* its sender is done with it */
	bool is_given_up;  /* it went with a session */
	bool is_open;      /* counts against Receive Maximum */
};

struct world {
	struct sender sender, sender_kept;
	struct receiver receiver, receiver_kept;
	struct list there, back;                      /* channels */
	struct list sender_pending, receiver_pending; /* not yet written down */
	struct fate fates[MESSAGES_MAX];
	uint8_t arrived; /* messages that the sender's application has given it so far */
	uint8_t losses_left;
	uint8_t receive_maximum; /* on this connection */
	bool is_up;
	uint8_t last_publish; /* newest message in a PUBLISH on this connection */
	uint8_t last_pubrel;
};

enum action {
	ACTION_ARRIVE, /* the sender's application has one more message */
	ACTION_SEND,   /* the sender sends one packet that may go */
	ACTION_RECEIVE,
	ACTION_REFUSE, /* receive a PUBLISH, and refuse it */
	ACTION_ANSWER, /* the sender receives */
	ACTION_SENDER_WRITE,
	ACTION_RECEIVER_WRITE,
	ACTION_CONNECT,
	/* from here on: what may happen but never has to */
	ACTION_RETRY,
	ACTION_CUT,
	ACTION_SENDER_CRASH,
	ACTION_RECEIVER_CRASH,
	ACTION_CONNECT_LOST, /* and the broker has no session */
	ACTION_CONNECT_LESS, /* with the session, and a smaller Receive Maximum */
	ACTION_COUNT,
};
#define ACTION_FIRST_FAULT ACTION_RETRY

enum side { SIDE_SENDER, SIDE_RECEIVER, SIDE_MIDDLE };

/* A step being taken. */
struct run {
	const struct config *config;
	struct world *world;
	char broken[120]; /* the promise that does not hold; "" = none */
	/* Told what happens, to draw it; NULL when nobody looks. */
	void (*show)(enum side side, const char *text);
};

static inline bool is_broker_sender(const struct run *r)
{
	return r->config->direction == DELIVERING;
}
static inline uint8_t qos_of(const struct run *r, uint8_t message)
{
	return r->config->qos[message - 1];
}

/* world.c */
void world_start(struct world *w, const struct config *config);
/* The state in as few bytes as it takes, equal for equal states. */
#define PACKED_MAX 255
size_t world_pack(const struct world *w, uint8_t bytes[PACKED_MAX]);
void world_unpack(struct world *w, const uint8_t *bytes);
/* All that was to be done is done. */
bool world_is_done(const struct world *w, const struct config *config);

void list_put(struct list *l, struct packet p);
struct packet list_take(struct list *l);
void show(struct run *r, enum side side, const char *format, ...) PRINTF_LIKE(3, 4);
void break_promise(struct run *r, const char *format, ...) PRINTF_LIKE(2, 3);
const char *packet_text(const struct run *r, struct packet p, char text[64]);

/* actions.c: takes the action if it can be taken in this state, else returns false. */
bool act(struct run *r, enum action action);

/* check.c: each is told of what happens, and breaks the promise that it watches over. */
void check_wire(struct run *r, enum side from, struct packet p);
void check_first_use(struct run *r, uint8_t id, uint8_t message);
void check_received(struct run *r, struct packet p);
void check_delivered(struct run *r, uint8_t message);
void check_finished(struct run *r, uint8_t message, bool is_refused);
void check_done(struct run *r);

/* sender.c */
void sender_arrive(struct run *r, uint8_t message);
/* False when nothing may be sent now. */
bool sender_send(struct run *r);
void sender_connect(struct run *r, bool is_present);
void sender_cut(struct run *r);
void sender_answer(struct run *r, struct packet p);
void sender_retry(struct run *r);
bool sender_may_retry(struct run *r);
void sender_write(struct run *r);
void sender_crash(struct run *r);

/* receiver.c */
void receiver_connect(struct run *r, bool is_present);
void receiver_cut(struct run *r);
void receiver_packet(struct run *r, struct packet p, bool refuses);
void receiver_write(struct run *r);
void receiver_crash(struct run *r);

#endif
