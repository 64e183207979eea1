/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkpoint's file: state as it stood behind a position, with a hash for each block of it.
 *
 *     | header 4096 | image, image_len bytes | a hash of 8 bytes for each 64 KiB of the image |
 *
 * It is written under a name that ends in ".tmp", synced, and only then given its own.
 */
#ifndef NIGHTJAR_JOURNAL_CHECKPOINT_FILE_H
#define NIGHTJAR_JOURNAL_CHECKPOINT_FILE_H

#include "journal/format.h"

#define CHECKPOINT_HEAD_BYTES DISK_BLOCK
#define CHECKPOINT_BLOCK_BYTES ((uint32_t)64 << 10)

struct checkpoint_head {
	uint64_t store_id;
	uint64_t position;
	uint64_t image_len;
	uint64_t table_hash;
	uint32_t number;
	uint32_t parts;
	/* So that neither begins anew where all segments of a time are gone. */
	uint32_t incarnation;
	uint32_t next_segment;
};
void checkpoint_head_encode(uint8_t to[CHECKPOINT_HEAD_BYTES], const struct checkpoint_head *head);
/* False: not one that was written whole, or of another store or number. */
bool checkpoint_head_decode(const uint8_t from[CHECKPOINT_HEAD_BYTES], uint64_t store_id,
			    uint32_t number, struct checkpoint_head *out);
static inline uint64_t checkpoint_blocks(uint64_t image_len)
{
	return (image_len + CHECKPOINT_BLOCK_BYTES - 1) / CHECKPOINT_BLOCK_BYTES;
}
static inline uint64_t checkpoint_bytes(uint64_t image_len)
{
	return CHECKPOINT_HEAD_BYTES + image_len + 8 * checkpoint_blocks(image_len);
}

/* Reads and verifies all of it, with `sync` as it stands on stable storage. `image_out` (may be NULL) is allocated with mem_alloc, also where
 * the image is empty. `head_out` is set whenever the header is whole. 0; ERROR_DAMAGED;
 * ERROR_NO_MEMORY; or the disk's. */
int checkpoint_load(struct disk *disk, uint64_t store_id, uint32_t number, bool sync,
		    struct checkpoint_head *head_out, struct room *image_out) MUST_USE;

#endif
