/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GIVE and RETURN: how a message that is not matched at its place in the log comes into the queue of
 * a session that the log keeps, and out of it again.
 *
 *     GIVE of a retained message   the session has subscribed and is to get it; it does, if the
 *                                  store still holds that very message when GIVE is applied
 *     GIVE of a group's message    out of what waits at the owner, into the member's queue, at one
 *                                  place in the log
 *     RETURN                       out of the member's queue, back to those that wait
 *
 * A member that is not there any more when GIVE is applied gives the message back at once. What is
 * on its way back stands among the shard's `returning`, which the log takes for waiting already; so
 * does, on the owner, what a GIVE is on its way with when the group ends.
 */
#ifndef NIGHTJAR_BROKER_GIVE_H
#define NIGHTJAR_BROKER_GIVE_H

#include "broker/command.h"
#include "queue/walk.h"

struct share_member;

/* Messages of one group that this shard has said RETURN of. */
struct returning_group {
	struct returning_group *next;
	struct queue messages;
	uint16_t filter_len;
	char filter[];
};

/* Appends GIVE of a retained message. 0 or ERROR_NO_MEMORY. */
int give_retained(struct shard *s, struct session *session, struct message *m, uint8_t qos,
		  uint32_t identifier) MUST_USE;
/* Appends GIVE of a group's message, resident or not, to a member that the log keeps. */
int give_to_member(struct shard *s, struct span filter, const struct share_member *member,
		   const struct queued *q) MUST_USE;
/* Appends GIVE to nobody: a member that the log does not know is done with it. */
int give_to_nobody(struct shard *s, struct span filter, uint64_t given) MUST_USE;
/* A group's message that was in the queue of this session goes back, or, without a queue position,
 * was to come there. */
void give_return(struct shard *s, const struct session *session, struct span filter,
		 const struct queued *q);
/* On the owner: a message of a group that is no more, whose GIVE is on its way. Until that has come
 * it stands among `returning`, so that nobody gives up the place where it is stored. */
void give_hold(struct shard *s, struct span filter, const struct queued *q);
/* Tells the owner of a group that the session is no member any more. */
void give_leave(struct shard *s, const struct session *session, struct span filter);

void give_apply(struct shard *s, const struct command *c);
void return_apply(struct shard *s, const struct command *c);
/* GIVE did not get into the log. */
void give_failed(struct shard *s, const struct command *c);
/* When the broker ends. */
void give_release(struct shard *s);

#endif
