/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ordered log of commands, seen from the broker: batches of records go in, and come back in log
 * order once they are as durable as this log makes them. What a record says, the log does not know.
 *
 *     append(batch) -> ... -> committed(batch), in the same order for all
 *     read(positions)         records that were committed, as long as a checkpoint refers to them
 *     checkpoint(position, image)   state as it stands behind that position: what lies before it
 *                                   and is not referred to by the image may go
 *
 * The seam is narrow on purpose: behind it stand memory and a local disk today, a replicated
 * stream later.
 */
#ifndef NIGHTJAR_JOURNAL_LOG_H
#define NIGHTJAR_JOURNAL_LOG_H

#include "base/base.h"

#include <stdatomic.h>

/* Room that a batch leaves in front of each record for the log; a multiple of LOG_ALIGN. */
#define LOG_RECORD_ROOM 16
/* Records start at multiples of it within their batch. */
#define LOG_ALIGN 8
/* One record, with its room; a batch is at least allowed one of them. */
#define LOG_RECORD_BYTES_MAX ((uint32_t)320 << 20)
/* Records that read() gives back come from one request of at most so many positions. */
#define LOG_READ_MAX 256

/* Stands at the start of a command. */
struct log_entry {
	struct log_entry *next;
	uint64_t position; /* given by the log; later entries have higher ones; never 0 */
	uint64_t targets;  /* bit per shard that applies it */
	uint32_t offset;   /* of its record in the batch: LOG_RECORD_ROOM, then the body */
	uint32_t len;      /* of the body; 0 = nothing to keep (a log in memory) */
};

struct log_batch {
	struct log_batch *next; /* the log's, while it has the batch */
	struct log_entry *first;
	struct log_entry *last;
	uint64_t targets; /* of all entries together */
	unsigned origin;  /* the shard that appended it */
	/* Records, each at a multiple of LOG_ALIGN; the gaps are zero. Owned by the batch's owner;
	 * the log writes into the room of each record. NULL when the log keeps nothing. */
	uint8_t *bytes;
	uint32_t bytes_len;
	bool is_lazy;    /* nobody waits: rides with the next one, at the latest after lazy_ms */
	bool wants_sync; /* with durability `interval`: come back only when on stable storage */
	/* Set when it comes back: 0, or why it is not in the log and must not be applied:
	 * ERROR_SYSTEM (the log has failed, see health); of one record that is longer than
	 * batch_bytes_max also ERROR_FULL, ERROR_LIMIT and ERROR_SYSTEM for want of room for it. */
	int error;
};

/* A record of the log, read back. */
struct log_record {
	struct span body; /* borrowed from the request */
	int error;        /* 0; ERROR_DAMAGED: what stands there is not what was written */
};

struct log_read {
	struct log_read *next; /* the log's, while it has the request */
	/* Called on a thread of the log when the records are there; takes the request back. */
	void (*done)(struct log_read *request);
	uint8_t *bytes; /* the log's, where bodies lie; log_read_release gives it back */
	uint32_t count; /* at most LOG_READ_MAX */
	uint64_t positions[LOG_READ_MAX]; /* best ascending */
	struct log_record records[LOG_READ_MAX];
};
void log_read_release(struct log_read *request);

/* State behind a position, in parts that were allocated with mem_alloc. */
struct log_image {
	unsigned count;
	struct room parts[]; /* owned */
};
void log_image_free(struct log_image *image);

enum log_health {
	LOG_GOOD,
	LOG_FULL,   /* no room for messages; what frees room is still taken, from a reserve */
	LOG_FAILED, /* nothing can be written; batches come back with an error */
};

struct log_status {
	uint8_t health;    /* enum log_health */
	bool is_degraded;  /* damage was found: see the report */
	uint64_t position; /* of the newest record that is durable */
	uint64_t commits;  /* writes, each made durable */
	uint64_t batches;
	uint64_t records;
	uint64_t record_bytes;  /* bodies */
	uint64_t written_bytes; /* handed to the device, everything counted */
	uint64_t log_bytes;     /* of all files together */
	uint64_t live_bytes;    /* as the last checkpoint knew them */
	uint64_t checkpoints;
	uint64_t copied_bytes; /* by compaction */
	uint64_t damaged_records;
	uint64_t write_errors;
};

struct log;

struct log_ops {
	/* Takes the batch over. Any shard's thread. The callback given at creation is called with
	 * each batch, in the same order for all, from whichever thread the log chooses. */
	void (*append)(struct log *log, struct log_batch *batch);
	/* Takes the request over until its `done` is called. Any thread. NULL when this log keeps
	 * nothing: then whoever needs a record later keeps it. */
	void (*read)(struct log *log, struct log_read *request);
	/* Takes the image over. It may be relied on at once: all that its makers had appended
	 * before they made it is durable. Any thread; NULL as above. */
	void (*checkpoint)(struct log *log, uint64_t position, struct log_image *image);
	void (*status)(struct log *log, struct log_status *out); /* any thread */
	void (*free)(struct log *log);
};

struct log {
	const struct log_ops *ops;
	atomic_uint health; /* enum log_health */
	/* Records outlive the process: state that survives must be written down, not only changed. */
	bool is_kept;
	/* A longer batch may be refused for want of room by itself, while others are taken: one of
	 * several records must not be longer. 0 = any is as good as another. */
	uint32_t batch_bytes_max;
};

/* Called in log order, one batch at a time. Takes the batch over. */
typedef void log_committed(void *context, struct log_batch *batch);

/* A log that is durable at once, because it promises nothing beyond this process.
 * NULL when there is no memory. */
struct log *log_memory_new(log_committed *committed, void *context) MUST_USE;

#endif
