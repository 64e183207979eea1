/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a surviving session's client is done with, told to the log when it costs nothing: queue
 * positions are collected during a turn, a range for each session, and go along with the turn's
 * batch, or in a lazy one. Lost in a crash they are sent again, as QoS 1 allows; of QoS 2 messages
 * the log knows the PUBREC by then.
 */
#ifndef NIGHTJAR_BROKER_FINISH_H
#define NIGHTJAR_BROKER_FINISH_H

#include "base/base.h"

struct session;
struct shard;

struct finish_range {
	uint64_t session; /* number */
	uint64_t from;    /* queue positions, inclusive */
	uint64_t to;
	bool is_refused; /* they never were in the queue */
};

/* Sessions whose clients acknowledge in one turn, before they become commands. */
#define FINISH_RANGES_MAX 64

struct finishing {
	uint32_t count;
	struct finish_range ranges[FINISH_RANGES_MAX];
};

/* Queue positions `from` to `to` of the session are done: acknowledged, expired, dropped; or, when
 * `refused`, they had no room. Nothing happens when no log keeps the session. */
void session_finish(struct shard *s, struct session *session, uint64_t from, uint64_t to,
		    bool refused);
/* Makes commands of what was collected. */
void finish_append(struct shard *s);
/* At the end of a turn: what no batch took along goes by itself, lazily. */
void finish_turn(struct shard *s);

#endif
