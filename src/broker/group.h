/* SPDX-License-Identifier: Apache-2.0 */
/* Shared subscriptions ([5] 4.8.2): groups on their owner shard, memberships on their sessions'. */
#ifndef NIGHTJAR_BROKER_GROUP_H
#define NIGHTJAR_BROKER_GROUP_H

#include "broker/publish.h"
#include "mqtt/packets.h"
#include "route/share.h"

/* Joining returns how many delegated verdicts the SUBACK must wait for, or
 * a negative error. */
int group_join(struct shard *s, struct session *session, struct span filter,
	       const struct subscription_options *options, uint32_t identifier,
	       const struct origin *origin);
bool group_leave(struct shard *s, struct session *session, struct span filter);
/* How many the session is a member of. */
uint32_t group_count(const struct session *session);
bool group_has(struct session *session, struct span filter);
void group_forget(struct session *session);
void group_leave_all(struct shard *s, struct session *session);
/* The session's connection came or went: what it had not acknowledged goes to other members. */
void group_presence(struct shard *s, struct session *session, bool is_connected);
void group_letter(struct shard *s, const struct letter *letter);
void group_letter_discard(const struct letter *letter);
/* When the broker ends: all groups go, whoever was in them. */
void group_forget_all(struct shard *s);
struct outcome group_publish(struct shard *s, struct share *share, struct publication *p,
			     const struct origin *origin);

#endif
