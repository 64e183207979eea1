/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was published, who had subscribed, what arrived; and whether that is right:
 *
 *   loss        a message of QoS 1 or 2 whose publisher began to send it after the SUBACK of a
 *               surviving session's subscription, and had PUBACK or PUBREC before UNSUBSCRIBE was
 *               sent, arrives
 *   duplicates  a message published and delivered at QoS 2 arrives once; at QoS 0 too
 *   order       of one publisher, topic and QoS, messages arrive in the order sent
 *   wills       a will arrives that is due, and none that was taken back
 *
 * A stream is one publisher's messages on one topic at one QoS, numbered from 0. Time is a count
 * of what happened: all clients live in one thread, so before and after are certain.
 */
#ifndef NIGHTJAR_STRESS_LEDGER_H
#define NIGHTJAR_STRESS_LEDGER_H

#include "base/map.h"
#include "topics.h"

struct sent_message {
	uint32_t sent_at;
	uint32_t accepted_at; /* 0: not yet, or never */
	bool was_resent;
	bool is_forbidden; /* a will that must not be published any more */
};

struct stream_log {
	uint32_t publisher;
	uint16_t topic;
	uint8_t qos;
	struct sent_message *messages;
	uint32_t count;
	uint32_t capacity;
};

/* The time in which a subscription of a surviving session was in force. */
struct interval {
	uint32_t client;
	uint32_t since;
	uint32_t until; /* UINT32_MAX while it lasts */
	uint8_t qos;
};

struct interval_list {
	struct interval *items;
	uint32_t count;
	uint32_t capacity;
};

struct ledger {
	struct stream_log *streams;
	uint32_t stream_count;
	struct interval_list intervals[FILTERS_ALL];
	struct map arrivals; /* of (client, stream) */
	uint32_t clock;
	uint64_t published, accepted, refused, delivered, repeated;
	uint64_t violations;
};

void ledger_init(struct ledger *l, uint32_t stream_count);
void ledger_release(struct ledger *l);
void ledger_define(struct ledger *l, uint32_t stream, uint32_t publisher, unsigned topic,
		   unsigned qos);

/* The next message of the stream is about to be sent: its number. */
uint32_t ledger_sent(struct ledger *l, uint32_t stream);
void ledger_resent(struct ledger *l, uint32_t stream, uint32_t number);
/* PUBACK or PUBREC came, with a good code or a bad one. */
void ledger_accepted(struct ledger *l, uint32_t stream, uint32_t number);
void ledger_refused(struct ledger *l);

/* SUBACK came; UNSUBSCRIBE is about to be sent; the session is about to be thrown away. */
void ledger_subscribed(struct ledger *l, uint32_t client, unsigned filter, unsigned qos);
void ledger_unsubscribing(struct ledger *l, uint32_t client, unsigned filter);
void ledger_session_ends(struct ledger *l, uint32_t client);

/* A will that is to be published from now on; one that must not be from now on. */
void ledger_will_is_due(struct ledger *l, uint32_t stream, uint32_t number);
void ledger_forbid(struct ledger *l, uint32_t stream, uint32_t number);
/* Whether that client has got the message. */
bool ledger_has_arrived(const struct ledger *l, uint32_t client, uint32_t stream, uint32_t number);

/* A message was handed to the client's user, received at that QoS. */
void ledger_delivered(struct ledger *l, uint32_t client, uint32_t stream, uint32_t number,
		      unsigned qos);

/* Messages that should have arrived and have not (yet); the first few are named when `is_final`. */
uint64_t ledger_missing(struct ledger *l, bool is_final);
/* Says what went wrong, and counts it. */
void ledger_violation(struct ledger *l, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
