/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkpoint: what survives, as it stands behind one position of the log, given to the log so
 * that what lies before may go.
 *
 *     shard 0 appends CHECKPOINT        for all shards
 *     each applies it                   writes its part at exactly that position, appends a marker
 *     the marker comes back             all that the part knows ahead of the log is durable
 *     all markers are back              the parts go to the log
 *
 * One at a time. A part that could not be made, or a marker that did not get into the log, lets it
 * come to nothing; the next one is asked for as this one was.
 */
#ifndef NIGHTJAR_BROKER_CHECKPOINT_H
#define NIGHTJAR_BROKER_CHECKPOINT_H

#include "broker/broker.h"

#include <stdatomic.h>

struct command;

struct checkpoint {
	atomic_bool is_under_way;
	atomic_bool has_failed;
	atomic_uint missing; /* markers that are not back */
	uint64_t position;
	struct room parts[SHARDS_MAX]; /* each its own shard's */
};

/* On shard 0, when one is wanted and none is under way: appends it. */
void checkpoint_turn(struct shard *s);
/* CHECKPOINT was applied. */
void checkpoint_write(struct shard *s, const struct command *command);
/* A marker was applied. */
void checkpoint_mark(struct shard *s);
/* CHECKPOINT or a marker did not get into the log. */
void checkpoint_failed(struct shard *s, const struct command *command);
/* When the broker ends. */
void checkpoint_discard(struct broker *b);

#endif
