/* SPDX-License-Identifier: Apache-2.0 */
/* Retained messages, and looking them up for a subscriber, spread over turns. */
#ifndef NIGHTJAR_BROKER_RETAIN_H
#define NIGHTJAR_BROKER_RETAIN_H

#include "broker/shard.h"

void retain_apply(struct shard *s, struct message *m);
/* The store has no room for such a message on that topic. */
bool retain_is_over_limit(const struct shard *s, struct span topic, size_t payload_len);
/* Retained messages that a subscription is to get. */
struct replay_wish {
	uint64_t asked; /* log position of the SUBSCRIBE, 0 = not in the log */
	struct span filter;
	struct span told; /* those of topics up to this one were given; empty = none */
	uint32_t identifier;
	uint8_t qos;
};

/* Nothing happens without memory, or when nothing is retained. */
void replay_start(struct shard *s, struct session *session, const struct replay_wish *wish);
/* The same, as a snapshot says. */
int replay_load(struct shard *s, struct session *session, const struct replay_wish *wish) MUST_USE;
/* In the log those that were asked for until then are done. */
void replay_done(struct session *session, uint64_t asked);
/* In the log one of them was given. */
void replay_gave(struct session *session, const struct command *give);
/* Those that are not done and stand in the log, one after the other; the cursor starts as NULL. */
bool replay_next(const struct session *session, const void **cursor, struct replay_wish *out);
/* Too many wait for it: the session shall not subscribe to more for now. */
bool replay_is_full(const struct session *session);
/* There will be room for these encoded filters, whichever of them need it. */
bool replay_has_room(const struct session *session, struct span filters);
void replay_turn(struct shard *s);
/* One of its GIVEs was applied: it may go on. */
void replay_came_back(struct session *session);
/* A reader has room again after its output was flushed. */
bool replay_is_due(const struct shard *s);
void replay_pause(struct session *session);
void replay_resume(struct shard *s, struct session *session);
void replay_drop(struct session *session);

#endif
