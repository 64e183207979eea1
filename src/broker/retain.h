/* SPDX-License-Identifier: Apache-2.0 */
/* Retained messages, and looking them up for a subscriber, spread over turns. */
#ifndef NIGHTJAR_BROKER_RETAIN_H
#define NIGHTJAR_BROKER_RETAIN_H

#include "broker/shard.h"

void retain_apply(struct shard *s, struct message *m);
/* The store has no room for such a message on that topic. */
bool retain_is_over_limit(const struct shard *s, struct span topic, size_t payload_len);
void replay_start(struct shard *s, struct session *session, struct span filter, uint8_t qos,
		  uint32_t identifier);
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
