/* SPDX-License-Identifier: Apache-2.0 */
/* What the committer remembers. Only its thread looks at it, but for the two atomics. */
#ifndef NIGHTJAR_JOURNAL_COMMITTER_H
#define NIGHTJAR_JOURNAL_COMMITTER_H

#include "journal/commit.h"

#define COMMIT_BUFFER_BYTES (SEGMENT_HEAD_BYTES + COMMIT_BYTES_MAX)

struct committer {
	_Atomic(struct log_batch *) newest; /* a stack; take() turns it round */
	atomic_uint sleep;                  /* enum commit_sleep */

	struct journal *j;
	/* Waiting, oldest first. */
	struct log_batch *first;
	struct log_batch *last;
	uint64_t waiting_bytes;
	unsigned eager; /* how many of them are not lazy */
	unsigned lazy;
	uint64_t eager_since_ms;
	uint64_t lazy_since_ms;

	struct segment *segment; /* OPEN, or NULL */
	uint64_t at;             /* offset of the next frame in it */
	uint64_t log_end;        /* position behind the last frame that is written */
	uint64_t newest_record;
	uint64_t commit; /* number of the last one */
	uint8_t *memory;
	uint8_t *buffer; /* in `memory`, aligned */

	unsigned failures;       /* segments given up for the commit that is to be written */
	uint64_t waits_since_ms; /* for a segment, while none can be made; 0: it does not */
	bool has_failed;
	bool is_hurried;

	bool is_unsealed;      /* the last commit is proved by nothing yet */
	uint64_t committed_ms; /* when */
	bool has_unsynced;     /* reported as written, not yet on stable storage */
	uint64_t unsynced_since_ms;

	int64_t budget_bytes; /* below 0: too much was written */
	uint64_t budget_ms;
};

/* writer.c: fills the buffer, and hands it to the file when it is full. */
struct writer {
	struct committer *c;
	uint64_t offset; /* in the file, of the buffer's start */
	size_t len;
	int error;
};
/* A frame at c->at, with block 0 where the segment has none; what follows is its payload. */
struct writer writer_begin(struct committer *c, uint64_t payload_len, uint32_t records,
			   uint32_t flags);
void writer_put(struct writer *w, struct span bytes);
/* With zeros. */
void writer_pad(struct writer *w, size_t to);
/* What is left goes to the file too; `error` says how it went. */
void writer_flush(struct writer *w);

#endif
