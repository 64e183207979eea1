/* SPDX-License-Identifier: Apache-2.0 */
/* A message on its way in: who wants it, and does it go at once or through the log. */
#ifndef NIGHTJAR_BROKER_PUBLISH_H
#define NIGHTJAR_BROKER_PUBLISH_H

#include "broker/shard.h"

struct publication {
	struct message_parts parts;
	struct message *message; /* made when someone must keep it; NULL before */
	bool is_fanned_out;      /* many get it: encode once (packet_cache) */
	bool is_logged;          /* comes from the log: surviving sessions get it at QoS 1 and 2 */
	const uint32_t *opened;  /* ticket of the answer, when it was opened before; or NULL */
	uint8_t answer;          /* enum answer: when its publisher hears that it is stored */
};
/* The message to keep, made from the parts when needed; borrowed. NULL without memory. */
struct message *publication_message(struct publication *p);
void publication_of_message(struct publication *p, struct message *m);
void publication_release(struct publication *p);
/* What this shard has to say of a message it was given. */
struct outcome {
	uint8_t reason_code; /* 0x00, 0x10, 0x97 */
	int16_t delegates;
	struct session *slow; /* a subscriber that is to hold the answer back, or NULL */
};
/* To all sessions of this shard (and groups it owns) that want it. No session ends meanwhile. */
struct outcome publish_here(struct shard *s, struct publication *p,
			    const struct subscriber *publisher, const struct origin *origin);
/*
 * A message enters the broker: here, to other shards, and into the log as its subscribers need.
 * `ack` is the answer that the publisher waits for, NULL when there is none. Returns its reason
 * code when it may leave at once; ERROR_AGAIN when it was opened and leaves through acks_verdict;
 * another error when nothing was done.
 */
int publish_enter(struct shard *s, struct publication *p, struct session *publisher,
		  struct ack_waiting *ack);
/* The will of a session that survives, into the log. 0 or ERROR_NO_MEMORY. */
int publish_will(struct shard *s, struct publication *p, struct session *session) MUST_USE;
/* A letter or command brought it here. */
void publish_arrive(struct shard *s, struct message *m, const struct origin *origin);
/* 0x97 and other failures win, then success, then "nobody". */
uint8_t reason_merge(uint8_t a, uint8_t b);

#endif
