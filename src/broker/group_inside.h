/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of shared groups share. */
#ifndef NIGHTJAR_BROKER_GROUP_INSIDE_H
#define NIGHTJAR_BROKER_GROUP_INSIDE_H

#include "broker/group.h"

struct group_news {
	struct share_member member;
	struct message *message; /* LETTER_GROUP_DELIVER, LETTER_GROUP_RETURN */
	uint64_t position;       /* DONE: of the message, in the log; PREPARE: whose command */
	uint8_t flags;           /* QUEUED_... of the message */
	uint16_t filter_len;
	char filter[]; /* the whole `$share/name/filter` */
};

/* Letters. The origin is whom to answer, or NULL. */
struct group_news *group_send(struct shard *s, unsigned to, uint8_t kind, struct span filter,
			      const struct share_member *member, const struct origin *origin);
/* Takes over a reference; the message counts for the receiver's congestion. */
void group_enclose(struct shard *s, unsigned to, struct group_news *news, struct message *m,
		   uint8_t flags);

/* The owner's side. */

/* The group of a whole filter, NULL when there is none. */
struct share *group_find(struct shard *s, struct span filter);
/* `$share/name/filter`, to be written into so much room. */
#define GROUP_FILTER_MAX (7 + UINT16_MAX)
struct span group_filter(const struct share *share, char room[static GROUP_FILTER_MAX]);
int group_owner_join(struct shard *s, struct span filter, const struct share_member *member);
/* With a log_id only if the log knows the member by it. */
void group_owner_leave(struct shard *s, struct span filter, uint64_t session, uint64_t log_id);
void group_owner_presence(struct shard *s, struct span filter, const struct share_member *news);
/* A member gives a message back. */
void group_owner_return(struct shard *s, struct span filter, struct message *m, uint8_t flags);
/* Gives what waits to whoever is there now. */
void group_drain(struct shard *s, struct share *share);
/* To one member, here or elsewhere. */
struct outcome group_hand_over(struct shard *s, struct share *share,
			       const struct share_member *member, struct publication *p,
			       uint8_t flags, const struct origin *origin);
void group_waiting_free(struct share *share);

/* Where a log keeps the group (group_kept.c). */

bool group_is_kept(const struct shard *s, const struct share *share);
struct outcome group_kept_publish(struct shard *s, struct share *share, struct publication *p);
void group_kept_dispatch(struct shard *s, struct share *share);
/* A GIVE was applied, or failed: the entry at that position has gone, or has not. */
void group_kept_take(struct shard *s, struct span filter, uint64_t given);
void group_kept_gave(struct shard *s, struct span filter);
void group_kept_failed(struct shard *s, struct span filter, uint64_t given);
/* The group is over for the log, while GIVEs are on their way that a member will apply all the same
 * if it has joined again by then: what they give is kept until they come. */
void group_kept_forsake(struct shard *s, const struct share *share);
/* Back among those that wait, in log order; without the message. */
void group_kept_put_back(struct shard *s, struct span filter, const struct queued *q);
/* A member that the log does not know gives it back; false: it was not out. Or has acknowledged it. */
bool group_kept_unfinished(struct shard *s, struct share *share, uint64_t position, uint8_t dup);
void group_kept_done(struct shard *s, struct span filter, uint64_t position);
/* The log has read what was asked for. */
void group_kept_read(struct shard *s, struct log_read *read);
void group_kept_read_discard(struct log_read *read);

/* The member's side. */

struct membership *group_slot(struct session *session, struct span filter);
struct share_member group_member_of(const struct shard *s, const struct session *session,
				    const struct membership *m);
/* A message for a member here; one that has left meanwhile returns it. */
void group_member_deliver(struct shard *s, const struct letter *letter, struct group_news *news);
/* By the rules of [MQTT-4.8.2-3]. */
enum delivered group_deliver(struct shard *s, struct session *session,
			     const struct share_member *member, struct publication *p,
			     uint8_t flags);
void group_note(struct outcome *o, struct session *session, int delivered);

#endif
