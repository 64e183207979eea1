/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is still wanted of sealed segments, copied without gaps, every record with the position that
 * it always had: whoever refers to it notices nothing.
 *
 *     seg-<first>.cmp:  | header 4096 | record | record | ... | index: position, offset | ... |
 *
 * The index is sorted and begins at a multiple of DISK_BLOCK; in memory is only the first position
 * of each of its blocks.
 */
#ifndef NIGHTJAR_JOURNAL_COMPACT_H
#define NIGHTJAR_JOURNAL_COMPACT_H

#include "journal/inside.h"
#include "journal/recovery.h"

#define COMPACTED_HEAD_BYTES DISK_BLOCK
#define INDEX_ENTRY_BYTES 16
#define INDEX_BLOCK_ENTRIES (DISK_BLOCK / INDEX_ENTRY_BYTES)

struct compacted_head {
	uint64_t store_id;
	uint32_t first, last; /* segments */
	uint64_t count;       /* of records */
	uint64_t records_end; /* offset behind the last one */
	uint64_t index_at;
	uint64_t index_hash;
};
void compacted_head_encode(uint8_t to[COMPACTED_HEAD_BYTES], const struct compacted_head *head);
bool compacted_head_decode(const uint8_t from[COMPACTED_HEAD_BYTES], uint64_t store_id,
			   uint32_t first, struct compacted_head *out);

struct index_entry {
	uint64_t position, offset;
};

/* One such file, shared by the segments that it stands for. */
struct compacted {
	struct compacted_head head;
	struct disk_file *file;
	uint64_t bytes;
	uint64_t *tops; /* first position of each block of the index */
	uint32_t blocks;
	/* Its index was damaged: made anew from the records themselves, in memory; else NULL. */
	struct index_entry *found;
	uint32_t users;      /* segments of the table */
	uint64_t live_bytes; /* of them together, when they were weighed last */
	bool is_replaced;    /* a newer file has its name */
};
/* Opens and verifies; positions of the index are given to `each` if it is not NULL, and then a
 * damaged index is made anew. ERROR_DAMAGED: header or index are not whole. */
int compacted_open(struct disk *disk, uint64_t store_id, const char *name, uint32_t first,
		   struct compacted **out, int (*each)(void *context, uint64_t position),
		   void *context) MUST_USE;
void compacted_free(struct compacted *c);
/* Where the record of that position stands. ERROR_NOT_FOUND: nowhere. */
int compacted_find(const struct compacted *c, uint64_t position, uint64_t *offset_out) MUST_USE;

/* At the start: all .cmp files, into the table of segments. */
int compact_load(struct journal *j, struct damage_log *damage) MUST_USE;
/* A record of a compacted segment, verified; `memory` grows. */
int compact_read(struct journal *j, const struct segment *segment, uint64_t position,
		 uint8_t **memory, size_t *capacity, struct span *body_out) MUST_USE;

/* One segment less uses it; with the last one its file goes. NULL is allowed. */
void compact_unuse(struct journal *j, struct compacted *c);

/* weigh.c, for the housekeeper. */

/* Looks into one segment that recovery did not read: all of them at once would keep the committer
 * waiting for segments. False: all are known. */
bool weigh_step(struct journal *j);
/* Sets `live_bytes` of segments and copies. Bytes of what lies below the previous checkpoint, and
 * how many of them are wanted; all behind it is wanted as it is. */
void weigh(struct journal *j, uint64_t *old_out, uint64_t *live_out);
/* Below the previous checkpoint: nothing is written to it any more. */
bool weigh_is_old(const struct journal *j, const struct segment *s);
/* In the same copy as the segment before it in the table: they go together. */
bool weigh_is_inside_copy(const struct journal *j, uint32_t index);

/* Reclaim: what both checkpoints leave without a reference. Housekeeper; false: nothing. */
bool reclaim_step(struct journal *j);
/* Room at once, at the cost of a segment that is to be made anew. False: there is none. */
bool segments_drop_spare(struct journal *j);

#endif
