/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums of a store's files made right: what is behind them is reached by fuzzing only so. */
#include "fuzz.h"
#include "store.h"

#include "base/hash.h"
#include "journal/compact.h"

#include <stdlib.h>

/* A file's bytes while they are changed. */
struct sealed {
	uint8_t *bytes;
	size_t len;
	uint64_t store_id;
	uint32_t number;
};

static void seal_head(struct sealed *f)
{
	if (f->len >= DISK_BLOCK)
		store_le64(f->bytes + DISK_BLOCK - 8,
			   hash_bytes(span_of(f->bytes, DISK_BLOCK - 8), 0));
}

/* The record that seems to begin there. Bytes of it; 0: it does not fit. */
static size_t seal_record(struct sealed *f, size_t at, size_t end)
{
	if (at + RECORD_HEAD_BYTES > end)
		return 0;
	uint32_t len = load_le32(f->bytes + at + 4);
	if (len > end - at - RECORD_HEAD_BYTES)
		return 0;
	record_head_encode(f->bytes + at, f->store_id, load_le64(f->bytes + at + 8),
			   span_of(f->bytes + at + RECORD_HEAD_BYTES, len));
	return (size_t)record_bytes(len);
}

static void seal_records(struct sealed *f, size_t at, size_t end)
{
	size_t len;
	end = end < f->len ? end : f->len;
	while (at < end && (len = seal_record(f, at, end)) > 0)
		at += len;
}

static void seal_segment(struct sealed *f)
{
	seal_head(f);
	for (size_t at = DISK_BLOCK; at + DISK_BLOCK <= f->len; at += DISK_BLOCK) {
		uint8_t *head = f->bytes + at;
		if (memcmp(head, "NFRM", 4) != 0)
			continue;
		store_le32(head + 4, (uint32_t)hash_bytes(span_of(head + 8, FRAME_HEAD_BYTES - 8),
							  f->store_id));
		seal_records(f, at + FRAME_HEAD_BYTES,
			     at + FRAME_HEAD_BYTES + load_le32(head + 36));
	}
}

static void seal_checkpoint(struct sealed *f)
{
	if (f->len < DISK_BLOCK)
		return;
	uint64_t len = load_le64(f->bytes + 32);
	if (len < f->len && checkpoint_bytes(len) <= f->len) {
		uint8_t *table = f->bytes + DISK_BLOCK + len;
		for (uint64_t i = 0; i < checkpoint_blocks(len); i++) {
			uint64_t left = len - i * CHECKPOINT_BLOCK_BYTES;
			left = left < CHECKPOINT_BLOCK_BYTES ? left : CHECKPOINT_BLOCK_BYTES;
			const uint8_t *block = f->bytes + DISK_BLOCK + i * CHECKPOINT_BLOCK_BYTES;
			store_le64(table + 8 * i, hash_bytes(span_of(block, (size_t)left), i));
		}
		struct span all = span_of(table, (size_t)(8 * checkpoint_blocks(len)));
		store_le64(f->bytes + 40, hash_bytes(all, 0));
	}
	seal_head(f);
}

static void seal_copy(struct sealed *f)
{
	if (f->len < DISK_BLOCK)
		return;
	seal_records(f, DISK_BLOCK, (size_t)load_le64(f->bytes + 40));
	uint64_t left = load_le64(f->bytes + 32), at = load_le64(f->bytes + 48), hash = 0;
	while (left > 0 && at < f->len) {
		uint64_t entries = left < INDEX_BLOCK_ENTRIES ? left : INDEX_BLOCK_ENTRIES;
		if (entries * INDEX_ENTRY_BYTES > f->len - at)
			break;
		hash = hash_bytes(span_of(f->bytes + at, (size_t)(entries * INDEX_ENTRY_BYTES)),
				  hash);
		at += DISK_BLOCK;
		left -= entries;
	}
	store_le64(f->bytes + 56, hash);
	seal_head(f);
}

/* The line "check" is written anew for the lines before it. */
static void seal_facts(struct sealed *f)
{
	char line[32];
	uint8_t *check = memmem(f->bytes, f->len, "check ", 6);
	if (!check)
		return;
	uint64_t hash = hash_bytes(span_of(f->bytes, (size_t)(check - f->bytes)), 0);
	size_t len =
		(size_t)snprintf(line, sizeof(line), "check %016llx\n", (unsigned long long)hash);
	if (len <= f->len - (size_t)(check - f->bytes))
		memcpy(check, line, len);
}

void store_seal(struct simdisk *m, const char *name)
{
	struct sealed f = {0};
	struct store_facts facts = {0};
	uint64_t len;
	const uint8_t *format = simdisk_bytes(m, FORMAT_FILE, &len);
	if (format && len > 0)
		(void)!store_facts_decode(span_of(format, (size_t)len), &facts);
	const uint8_t *bytes = simdisk_bytes(m, name, &len);
	if (!bytes || len == 0)
		return;
	f.len = (size_t)len;
	f.bytes = fuzz_copy(bytes, f.len);
	f.store_id = facts.store_id;
	switch (file_name_parse(name, &f.number)) {
	case FILE_SEGMENT: seal_segment(&f); break;
	case FILE_COMPACTED: seal_copy(&f); break;
	case FILE_CHECKPOINT: seal_checkpoint(&f); break;
	case FILE_SPARE: break;
	default: seal_facts(&f); break;
	}
	(void)simdisk_overwrite(m, name, 0, span_of(f.bytes, f.len));
	free(f.bytes);
}
