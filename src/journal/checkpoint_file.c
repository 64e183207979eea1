/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/checkpoint_file.h"

#include "base/hash.h"
#include "base/mem.h"
#include "journal/window.h"

#define CHECKPOINT_MAGIC 0x31504b43524a544eull /* "NTJRCKP1" */
#define HEAD_CHECK_AT (CHECKPOINT_HEAD_BYTES - 8)

void checkpoint_head_encode(uint8_t to[CHECKPOINT_HEAD_BYTES], const struct checkpoint_head *head)
{
	memset(to, 0, CHECKPOINT_HEAD_BYTES);
	store_le64(to, CHECKPOINT_MAGIC);
	store_le32(to + 8, FORMAT_VERSION);
	store_le32(to + 12, head->number);
	store_le64(to + 16, head->store_id);
	store_le64(to + 24, head->position);
	store_le64(to + 32, head->image_len);
	store_le64(to + 40, head->table_hash);
	store_le32(to + 48, head->parts);
	store_le32(to + 52, head->incarnation);
	store_le32(to + 56, head->next_segment);
	store_le64(to + HEAD_CHECK_AT, hash_bytes(span_of(to, HEAD_CHECK_AT), 0));
}

bool checkpoint_head_decode(const uint8_t from[CHECKPOINT_HEAD_BYTES], uint64_t store_id,
			    uint32_t number, struct checkpoint_head *out)
{
	if (load_le64(from) != CHECKPOINT_MAGIC || load_le32(from + 8) != FORMAT_VERSION)
		return false;
	if (load_le64(from + HEAD_CHECK_AT) != hash_bytes(span_of(from, HEAD_CHECK_AT), 0))
		return false;
	*out = (struct checkpoint_head){
		.number = load_le32(from + 12),
		.store_id = load_le64(from + 16),
		.position = load_le64(from + 24),
		.image_len = load_le64(from + 32),
		.table_hash = load_le64(from + 40),
		.parts = load_le32(from + 48),
		.incarnation = load_le32(from + 52),
		.next_segment = load_le32(from + 56),
	};
	return out->store_id == store_id && out->number == number;
}

/* The image's bytes into memory, or nowhere; each block against the table. */
static int load_blocks(struct window *w, const struct checkpoint_head *head, const uint8_t *table,
		       uint8_t *to)
{
	uint64_t at = 0;
	for (uint64_t block = 0; at < head->image_len; block++) {
		uint64_t len = head->image_len - at;
		len = len > CHECKPOINT_BLOCK_BYTES ? CHECKPOINT_BLOCK_BYTES : len;
		const uint8_t *bytes = window_at(w, CHECKPOINT_HEAD_BYTES + at, (size_t)len);
		if (!bytes)
			return ERROR_DAMAGED;
		if (hash_bytes(span_of(bytes, (size_t)len), block) != load_le64(table + 8 * block))
			return ERROR_DAMAGED;
		if (to)
			memcpy(to + at, bytes, (size_t)len);
		at += len;
	}
	return 0;
}

static int load_table(struct window *w, const struct checkpoint_head *head, uint8_t **out)
{
	size_t len = (size_t)(8 * checkpoint_blocks(head->image_len));
	const uint8_t *bytes = window_at(w, CHECKPOINT_HEAD_BYTES + head->image_len, len);
	if (!bytes || hash_bytes(span_of(bytes, len), 0) != head->table_hash)
		return ERROR_DAMAGED;
	uint8_t *table = mem_alloc(len + 1);
	if (!table)
		return ERROR_NO_MEMORY;
	memcpy(table, bytes, len);
	*out = table;
	return 0;
}

static int load_image(struct window *w, const struct checkpoint_head *head, struct room *image_out)
{
	uint8_t *table = NULL;
	uint8_t *image = NULL;
	if (w->len < checkpoint_bytes(head->image_len))
		return ERROR_DAMAGED;
	int error = load_table(w, head, &table);
	if (error)
		return error;
	if (image_out)
		image = mem_alloc((size_t)head->image_len + 1);
	error = image_out && !image ? ERROR_NO_MEMORY : load_blocks(w, head, table, image);
	mem_free(table);
	if (error)
		mem_free(image);
	else if (image_out)
		*image_out = (struct room){image, (size_t)head->image_len};
	return error;
}

int checkpoint_load(struct disk *disk, uint64_t store_id, uint32_t number, bool sync,
		    struct checkpoint_head *head_out, struct room *image_out)
{
	char name[DISK_NAME_MAX];
	struct window w;
	file_name(name, FILE_CHECKPOINT, number);
	int error = window_open(&w, disk, name, sync);
	if (error)
		return error;
	const uint8_t *bytes = window_at(&w, 0, CHECKPOINT_HEAD_BYTES);
	if (!bytes || !checkpoint_head_decode(bytes, store_id, number, head_out))
		error = ERROR_DAMAGED;
	else
		error = load_image(&w, head_out, image_out);
	window_release(&w);
	return error;
}
