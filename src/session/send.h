/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one end has sent at QoS 1 and 2 and must finish: the window of one session, over all its
 * connections. Runs send_table of delivery.h.
 *
 * A message gets the next position when it is first sent; its packet id follows from it:
 * 1 + position mod 65,535. So ids are given in order, none is used twice at a time, and an ack
 * finds its entry without a search. Entries stand in a ring; acks may come in any order and leave
 * holes until the oldest is done.
 *
 *      oldest             resend              next
 *        | sent on this connection | to be sent again | ...
 *
 * After a reconnect (send_restart) everything unfinished is sent again, in order, before anything
 * new. The receiver's Receive Maximum counts what was sent on this connection [MQTT-4.9.0-2].
 */
#ifndef NIGHTJAR_SESSION_SEND_H
#define NIGHTJAR_SESSION_SEND_H

#include "session/delivery.h"

/* Packet ids that there are. The explorer makes do with a few. */
#ifndef SEND_SPAN_MAX
#define SEND_SPAN_MAX 65535u
#endif

/* One message. `message` and the notes belong to the caller and are only kept here. */
struct sending {
	void *message; /* NULL once forgotten */
	uint32_t note;
	uint16_t short_note;
	uint8_t flags;
	uint8_t state; /* enum send_state; SEND_NONE is a hole */
};

struct send {
	struct sending *ring; /* NULL while nothing was ever sent, or all is given back */
	uint32_t capacity;    /* power of two */
	uint16_t receive_maximum;
	uint16_t quota_used; /* sent on this connection and not finished */
	uint64_t oldest;
	uint64_t resend;
	uint64_t next;
};

void send_init(struct send *s, uint16_t receive_maximum);
/* Frees the ring. `drop` is called for each message still held. */
void send_release(struct send *s, void (*drop)(void *context, struct sending *), void *context);

/* May a new message be sent now? (quota, span, nothing left to resend) */
static inline bool send_is_open(const struct send *s)
{
	return s->quota_used < s->receive_maximum && s->resend == s->next &&
	       s->next - s->oldest < SEND_SPAN_MAX;
}
static inline bool send_is_idle(const struct send *s)
{
	return s->oldest == s->next;
}
static inline uint16_t send_packet_id(uint64_t position)
{
	return (uint16_t)(1 + position % SEND_SPAN_MAX);
}

/* Takes a message for its first sending, with an id that is not in use [MQTT-4.3.2-1, 4.3.3-1];
 * send_is_open() must hold. The entry's state is set here. 0 or ERROR_NO_MEMORY. */
int send_begin(struct send *s, uint8_t qos, const struct sending *entry,
	       uint16_t *packet_id_out) MUST_USE;

/*
 * The same with positions that the caller gives, so that packet ids follow from something that
 * outlives this window. They ascend while the window is not idle; what is left out becomes holes.
 */
/* Is there room for this position behind the oldest unfinished one? */
static inline bool send_has_room_at(const struct send *s, uint64_t position)
{
	return s->resend == s->next &&
	       (s->oldest == s->next || position - s->oldest < SEND_SPAN_MAX);
}
static inline bool send_is_open_at(const struct send *s, uint64_t position)
{
	return s->quota_used < s->receive_maximum && send_has_room_at(s, position);
}
/* As send_begin; send_is_open_at() must hold. */
int send_begin_at(struct send *s, uint64_t position, uint8_t qos,
		  const struct sending *entry) MUST_USE;
/* One whose PUBREC has been seen: PUBREL is sent (again), PUBCOMP will finish it. Needs no quota
 * [MQTT-4.9.0-3]; send_has_room_at() must hold. 0 or ERROR_NO_MEMORY. */
int send_begin_released(struct send *s, uint64_t position, const struct sending *entry) MUST_USE;

/* Takes the next packet id for what is not a message: SUBSCRIBE and UNSUBSCRIBE of a client draw
 * from the same ids [MQTT-2.2.1-3]. The id leaves a hole, and comes round again after all others.
 * Needs no quota. 0, ERROR_NO_MEMORY, or ERROR_LIMIT when the span is full. */
int send_skip(struct send *s, uint16_t *packet_id_out) MUST_USE;

/*
 * An answer came. Runs the table; returns the steps (0 = protocol error, nothing changed).
 * With STEP_FORGET_MESSAGE the entry's message is handed over in `entry_out` (a copy of the entry,
 * its state the one before) and is the caller's to drop. For an unknown id `entry_out` is zeroed.
 */
unsigned send_answer(struct send *s, enum send_event event, uint16_t packet_id,
		     struct sending *entry_out);

/* The position of the unfinished message with this id; false: there is none, it may be a hole. */
bool send_find(const struct send *s, uint16_t packet_id, uint64_t *position_out);

/* A connection with this session (again) begins: all unfinished is to be sent again. */
void send_restart(struct send *s, uint16_t receive_maximum);
/* The next thing to be sent again, in the order of the first time [MQTT-4.6.0-1] (a PUBLISH within
 * the quota): its steps (STEP_SEND_PUBLISH_DUP or STEP_SEND_PUBREL), entry and id; 0 when there is
 * nothing now. The entry is borrowed. */
unsigned send_again(struct send *s, struct sending **entry_out, uint16_t *packet_id_out);

/* Walks the unfinished entries, oldest first: start with *position = 0. NULL at the end. */
struct sending *send_next(const struct send *s, uint64_t *position);
/* Removes an entry found by send_next(): its id is free, the message the caller's. */
void send_cancel(struct send *s, uint64_t position);

/* The entry at this position, NULL when it is finished or none; oldest <= position < next. */
struct sending *send_at(const struct send *s, uint64_t position);
/* Forgets all entries: the caller has taken their messages. */
void send_clear(struct send *s);

/* Gives the ring's memory back when nothing is in flight. */
void send_trim(struct send *s);

#endif
