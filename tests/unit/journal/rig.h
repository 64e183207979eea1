/* SPDX-License-Identifier: Apache-2.0 */
/* A journal on a simulated disk, without threads, with a clock that a test turns. */
#ifndef NIGHTJAR_TESTS_JOURNAL_RIG_H
#define NIGHTJAR_TESTS_JOURNAL_RIG_H

#include "disk/disk_simulated.h"
#include "journal/inside.h"

#define RIG_SEGMENT_BYTES ((uint32_t)64 << 10)
#define RIG_COMMITTED_MAX 1000

/* What came back of one batch. */
struct committed {
	unsigned number; /* of the batch, counted as appended */
	int error;
	uint64_t first; /* position of its first record, 0 without */
	uint64_t last;
};

struct rig {
	struct simdisk *medium;
	struct journal *journal;
	struct log *log;
	struct journal_options options;
	uint64_t now;
	struct committed committed[RIG_COMMITTED_MAX];
	unsigned count; /* of `committed` */
	unsigned appended;
	unsigned health_changes;
	unsigned warnings;
	unsigned wanted; /* checkpoints asked for */
	/* Of the last start: what was given back, and what is said to be lost. */
	unsigned recovered_images, recovered_records, damages;
};

/* A new store with small segments. Options may be changed between init and open. */
void rig_init(struct rig *r);
void rig_open(struct rig *r);
/* The same, where it may fail; `journal` may be there all the same, to be closed. */
int rig_try(struct rig *r, struct disk *disk, char reason[JOURNAL_REASON_MAX]) MUST_USE;
void rig_close(struct rig *r);
/* Closes what is open and frees the medium. */
void rig_release(struct rig *r);

enum rig_kind { RIG_EAGER, RIG_LAZY, RIG_SYNC };
/* A batch of so many records, each with `len` bytes that tell batch and index. */
void rig_append(struct rig *r, unsigned records, uint32_t len, enum rig_kind kind);
/* Steps until nothing is to do. */
void rig_work(struct rig *r);
/* Appends one record, works, and gives its position. */
uint64_t rig_write(struct rig *r, uint32_t len);
/* Reads the record back and compares: byte `i` of record `index` in batch `number`. */
int rig_read(struct rig *r, uint64_t position, unsigned number, unsigned index, uint32_t len);
/* A record, and a checkpoint behind it that refers to these; works. */
void rig_checkpoint(struct rig *r, const uint64_t *positions, unsigned count);
struct log_status rig_status(struct rig *r);

#endif
