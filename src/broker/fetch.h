/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that stand in the log only, read back for sessions that are connected, some way ahead of
 * what is sent. The log answers on a thread of its own; its answer comes to the shard by its
 * mailbox and is taken in a few at a time, so that a session that drains does not hold up others.
 */
#ifndef NIGHTJAR_BROKER_FETCH_H
#define NIGHTJAR_BROKER_FETCH_H

#include "base/base.h"

struct log_read;
struct session;
struct shard;

/* The resident part of a session's queue ends at whichever comes first. */
#define RESIDENT_MESSAGES_MAX 4096u
#define RESIDENT_BYTES_MAX (1u << 20)

struct fetching {
	uint32_t under_way;      /* requests that the log has */
	struct log_read *oldest; /* answers that came and were not taken in */
	struct log_read *newest;
	uint64_t *waiting; /* numbers of sessions that found too many under way; a ring */
	uint32_t waiting_first;
	uint32_t waiting_count;
	uint32_t waiting_capacity; /* power of two */
};

/* Asks for what the session will need next. */
void fetch_ahead(struct shard *s, struct session *session);
/* An answer came by mail. */
void fetch_arrived(struct shard *s, struct log_read *read);
/* One that nobody will open: the broker ends. */
void fetch_discard(struct log_read *read);
/* Takes in some of the answers; true: there are more. */
bool fetch_turn(struct shard *s);
void fetch_release(struct shard *s);

#endif
