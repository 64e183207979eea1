/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session is still to get, as one sequence: what it was sent and has not finished, then what
 * waits. Reconnecting, restarting and draining are the same thing: what is unfinished goes back to
 * the front of the queue and is sent from there, with the same packet ids.
 */
#ifndef NIGHTJAR_BROKER_WAITING_H
#define NIGHTJAR_BROKER_WAITING_H

#include "broker/session.h"
#include "queue/walk.h"

/* Does a log keep what waits for it? Then its messages of QoS 1 and 2 have queue positions. */
bool waiting_is_kept(const struct shard *s, const struct session *session);
/* The connection is gone: what was sent and not finished goes back to the queue, in order, and all
 * that stands in the log is let go from memory. Nothing happens to a session that no log keeps, nor
 * without memory: then the window sends it again. */
void waiting_return(struct shard *s, struct session *session);
/* Out of the queue: these queue positions are done. Says nothing to the log. */
void waiting_finish(struct shard *s, struct session *session, uint64_t from, uint64_t to);
/* PUBREC came for this queue position: only PUBREL is left to be sent. */
void waiting_mark_released(struct shard *s, struct session *session, uint64_t position);
/* One more at the end of the queue, as it is; takes over the reference. 0 or ERROR_NO_MEMORY. */
int waiting_push(struct shard *s, struct session *session, const struct queued *q) MUST_USE;
/* The same at the front: one that was just taken out. Without memory it is lost to this process,
 * though not to the log. */
void waiting_put_back(struct shard *s, struct session *session, const struct queued *q);
/* The oldest of the queue, with its reference; false when there is none, or no memory. */
bool waiting_pop(struct shard *s, struct session *session, struct queued *out);

/* All of it in order, for writing it down. Nothing may change meanwhile. */
struct waiting_walk {
	const struct send *send;
	uint64_t position;
	struct queue_walk queue;
};
void waiting_walk_start(struct waiting_walk *w, const struct session *session);
/* Messages of entries that are in memory are borrowed. */
bool waiting_walk_next(struct waiting_walk *w, struct queued *out);

#endif
