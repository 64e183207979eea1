/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to a client that cannot leave yet, in the order in which they must leave: PUBACK, PUBREC
 * and PUBCOMP [MQTT-4.6.0-2, -3], SUBACK and UNSUBACK. An answer is ready when its own command was
 * applied and every shard it waits for has given its verdict. This is the gate of the design:
 * an answer about state that survives leaves through acks_verdict and nowhere else.
 *
 * An answer that waits for nothing, with none before it, never gets here.
 */
#ifndef NIGHTJAR_BROKER_ACKS_H
#define NIGHTJAR_BROKER_ACKS_H

#include "base/base.h"

struct connection;
struct session;

struct ack_waiting {
	uint64_t sequence; /* of the command that it waits for, 0 = of none */
	uint8_t *packet;   /* a whole packet, owned (SUBACK, UNSUBACK); NULL for the others */
	uint32_t packet_len;
	uint16_t packet_id;
	int16_t waits;     /* verdicts outstanding */
	int16_t delegates; /* verdicts outstanding of shards that were asked by others; may be
	                          negative when they come before the news of them */
	uint8_t type;
	uint8_t reason_code;
	bool is_released; /* of a refused QoS 2 message: the log was told that its id is free */
	bool is_counted;  /* against our Receive Maximum; set by acks_open */
};

struct acks {
	struct ack_waiting *ring;
	uint32_t capacity; /* power of two */
	uint32_t oldest;   /* ticket of the oldest; tickets count on, wrapping */
	uint32_t next;
	uint32_t held_count;   /* of those whose publishes wait for room in the log (full.c) */
	uint32_t puback_count; /* PUBACKs and refusals among them: open messages that are in no
	                          receive set */
};

/* Someone's opinion of a publish or subscribe. */
struct verdict {
	uint64_t session; /* whom to answer; 0 = nobody */
	uint32_t ticket;
	int16_t delegates; /* further verdicts to be waited for */
	bool is_delegate;  /* this is one of those */
	uint8_t reason_code;
};

static inline uint32_t acks_count(const struct acks *a)
{
	return a ? a->next - a->oldest : 0;
}

/* Opens an answer with that many verdicts to wait for; gives its ticket. The packet (or NULL) is
 * taken over on success. 0 or ERROR_NO_MEMORY. */
int acks_open(struct session *s, const struct ack_waiting *ack, uint32_t *ticket_out) MUST_USE;
/* The packet that the answer consists of (SUBACK, UNSUBACK) is known now; taken over. */
void acks_set_packet(struct session *s, uint32_t ticket, uint8_t *packet, uint32_t packet_len);
/* From now on the open answer waits for that command, and so many verdicts. */
void acks_expect(struct session *s, uint32_t ticket, int waits, uint64_t sequence);
/* A verdict came. Sends whatever has become ready. */
void acks_verdict(struct session *s, const struct verdict *v);
/* Its command did not get into the log: it leaves with that reason code, when its turn comes. */
void acks_fail(struct session *s, uint32_t ticket, uint8_t reason_code);
bool acks_is_open(const struct session *s, uint32_t ticket);
/* The connection is gone: nobody is left to answer. Tickets go on, so that late verdicts miss. */
void acks_drop(struct session *s);
void acks_release(struct session *s);

#endif
