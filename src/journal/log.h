/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ordered log of commands, seen from the broker: batches go in, and come back in log order
 * once they are as durable as this log makes them. What a command is, the log does not know.
 *
 * The seam is narrow on purpose: behind it stands memory today, a local disk and a replicated
 * stream later.
 */
#ifndef NIGHTJAR_JOURNAL_LOG_H
#define NIGHTJAR_JOURNAL_LOG_H

#include "base/base.h"

/* Stands at the start of a command. */
struct log_entry {
	struct log_entry *next;
	uint64_t position; /* given by the log; later entries have higher ones */
	uint64_t targets;  /* bit per shard that applies it */
};

struct log_batch {
	struct log_entry *first;
	struct log_entry *last;
	uint64_t targets; /* of all entries together */
	unsigned origin;  /* the shard that appended it */
};

struct log;

struct log_ops {
	/* Takes the batch over. Any shard's thread. The callback given at creation is called with
	 * each batch, in the same order for all, from whichever thread the log chooses. */
	void (*append)(struct log *log, struct log_batch *batch);
	void (*free)(struct log *log);
};

struct log {
	const struct log_ops *ops;
};

/* Called in log order, one batch at a time. Takes the batch over. */
typedef void log_committed(void *context, struct log_batch *batch);

/* A log that is durable at once, because it promises nothing beyond this process.
 * NULL when there is no memory. */
struct log *log_memory_new(log_committed *committed, void *context) MUST_USE;

#endif
