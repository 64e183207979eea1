/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared subscriptions ([5] 4.8.2). A group belongs to the shard that `$share/name/filter` hashes
 * to: there its messages arrive, there the next member is chosen, there waits what nobody
 * connected can take. Members live anywhere; their shards and the owner speak by letters.
 *
 *     group_owner.c    the owner: who is a member, whose turn it is
 *     group_kept.c     the same where a log keeps the group: what waits, what is out
 *     group_member.c   the member's shard: memberships, giving back
 *     group_letter.c   between them
 *     give.c           GIVE and RETURN: the same through the log
 *
 * A member that leaves gives back what it has not acknowledged, in order, for the others; but not
 * QoS 2 messages whose exchange has begun [MQTT-4.8.2-4, -5].
 *
 * Where a log is kept, a group that has a member whose session survives is kept as well: such
 * members join and leave by SUBSCRIBE and UNSUBSCRIBE applied on both shards, and get messages by
 * GIVE. Presence stays a matter of letters.
 */
#ifndef NIGHTJAR_BROKER_GROUP_H
#define NIGHTJAR_BROKER_GROUP_H

#include "broker/publish.h"
#include "mqtt/packets.h"
#include "queue/walk.h"
#include "route/share.h"

struct sending;

/* Joining returns how many delegated verdicts the SUBACK must wait for, or a negative error. A
 * session that the log keeps becomes a member here only: its owner applies the command too. */
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

/* Of groups that a log keeps: */

/* Shards that own groups among these encoded filters. */
uint64_t group_owners(const struct shard *s, struct span filters, bool have_options);
/* The owner's part of SUBSCRIBE and UNSUBSCRIBE of a session that the log keeps, on every shard
 * that applies them, after the session's part. On the session's shard it returns how many owners
 * elsewhere the SUBACK must wait for. */
int group_applied_subscribe(struct shard *s, struct session *session, const struct command *c);
void group_applied_unsubscribe(struct shard *s, const struct command *c);
/* Asks the owners elsewhere to prepare their interest for a SUBSCRIBE; returns how many answers
 * (interest_prepared) will come. It never got into the log: they need not any more. */
uint16_t group_prepare(struct shard *s, const struct command *c);
void group_unprepare(struct shard *s, const struct command *c);
/* The connection of a session that the log keeps is gone, and all that it had waits in its queue:
 * what is a group's goes back. */
void group_return(struct shard *s, struct session *session);
/* An image was loaded: groups without a member, of which something waited, are gone. */
void group_loaded(struct shard *s);
/* After recovery nobody is connected: the same for all sessions. */
void group_start(struct shard *s);
/* A message that came from a group was acknowledged, or dropped: it is the group's no more. */
void group_finished(struct shard *s, struct session *session, uint16_t membership,
		    const struct message *m);
/* The session's queue has become longer or shorter: is it to get more from its groups? */
void group_appetite(struct shard *s, struct session *session);

/* All that a group still is to get, in log order, as the log knows it. Nothing may change
 * meanwhile. */
struct group_walk {
	struct queue_walk waiting, out;
	struct queued next_waiting, next_out;
	bool has_waiting, has_out;
};
void group_walk_start(struct group_walk *w, const struct share *share);
bool group_walk_next(struct group_walk *w, struct queued *out);

#endif
