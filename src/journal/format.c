/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/format.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

#define SEGMENT_MAGIC 0x31474553524a544eull /* "NTJRSEG1" */
#define FRAME_MAGIC 0x4d52464eu             /* "NFRM" */
#define SEGMENT_CHECK_AT (SEGMENT_HEAD_BYTES - 8)
#define SEGMENT_IS_BEGUN 1u

/* The file FORMAT */

size_t store_facts_encode(char text[FORMAT_TEXT_MAX], const struct store_facts *facts)
{
	int len =
		snprintf(text, FORMAT_TEXT_MAX,
			 "nightjar journal\nformat %u\nstore %016llx\nsegment_bytes %u\n",
			 facts->version, (unsigned long long)facts->store_id, facts->segment_bytes);
	uint64_t check = hash_bytes(span_of(text, (size_t)len), 0);
	len += snprintf(text + len, FORMAT_TEXT_MAX - (size_t)len, "check %016llx\n",
			(unsigned long long)check);
	return (size_t)len;
}

/* The same text again, or it is not ours. */
static bool says_exactly(struct span text, const struct store_facts *facts)
{
	char again[FORMAT_TEXT_MAX];
	size_t len = store_facts_encode(again, facts);
	return span_is_equal(text, span_of(again, len));
}

int store_facts_decode(struct span text, struct store_facts *out)
{
	char copy[FORMAT_TEXT_MAX];
	struct store_facts facts = {0};
	unsigned long long store_id = 0;
	if (text.len >= sizeof(copy))
		return ERROR_DAMAGED;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	/* The first two lines are for good: they tell any version which one it is. */
	if (sscanf(copy, "nightjar journal\nformat %u\n", &facts.version) != 1)
		return ERROR_DAMAGED;
	if (facts.version > FORMAT_VERSION) {
		*out = facts;
		return ERROR_LIMIT;
	}
	if (sscanf(copy, "nightjar journal\nformat %u\nstore %llx\nsegment_bytes %u\n",
		   &facts.version, &store_id, &facts.segment_bytes) != 3)
		return ERROR_DAMAGED;
	facts.store_id = store_id;
	if (!says_exactly(text, &facts))
		return ERROR_DAMAGED;
	*out = facts;
	return 0;
}

/* Block 0 */

void segment_head_encode(uint8_t block[SEGMENT_HEAD_BYTES], const struct segment_head *head)
{
	memset(block, 0, SEGMENT_HEAD_BYTES);
	store_le64(block, SEGMENT_MAGIC);
	store_le32(block + 8, FORMAT_VERSION);
	store_le32(block + 12, head->is_begun ? SEGMENT_IS_BEGUN : 0);
	store_le64(block + 16, head->store_id);
	store_le32(block + 24, head->number);
	store_le32(block + 28, head->incarnation);
	store_le64(block + 32, head->previous_end);
	store_le64(block + 40, head->file_bytes);
	store_le64(block + SEGMENT_CHECK_AT, hash_bytes(span_of(block, SEGMENT_CHECK_AT), 0));
}

bool segment_head_decode(const uint8_t block[SEGMENT_HEAD_BYTES], struct segment_head *out)
{
	if (load_le64(block) != SEGMENT_MAGIC || load_le32(block + 8) != FORMAT_VERSION)
		return false;
	if (load_le64(block + SEGMENT_CHECK_AT) != hash_bytes(span_of(block, SEGMENT_CHECK_AT), 0))
		return false;
	*out = (struct segment_head){
		.store_id = load_le64(block + 16),
		.number = load_le32(block + 24),
		.incarnation = load_le32(block + 28),
		.previous_end = load_le64(block + 32),
		.file_bytes = load_le64(block + 40),
		.is_begun = load_le32(block + 12) & SEGMENT_IS_BEGUN,
	};
	return true;
}

/* Frames */

/* Of the header behind magic and check; the store is in it without being written. */
static uint32_t frame_check(const uint8_t head[FRAME_HEAD_BYTES], uint64_t store_id)
{
	return (uint32_t)hash_bytes(span_of(head + 8, FRAME_HEAD_BYTES - 8), store_id);
}

void frame_head_encode(uint8_t to[FRAME_HEAD_BYTES], uint64_t store_id,
		       const struct frame_head *head)
{
	store_le32(to, FRAME_MAGIC);
	store_le64(to + 8, head->position);
	store_le64(to + 16, head->durable);
	store_le64(to + 24, head->commit);
	store_le32(to + 32, head->incarnation);
	store_le32(to + 36, head->payload_len);
	store_le32(to + 40, head->records);
	store_le32(to + 44, head->flags);
	store_le32(to + 4, frame_check(to, store_id));
}

bool frame_head_decode(const uint8_t from[FRAME_HEAD_BYTES], uint64_t store_id, uint64_t position,
		       struct frame_head *out)
{
	if (load_le32(from) != FRAME_MAGIC || load_le64(from + 8) != position)
		return false;
	if (load_le32(from + 4) != frame_check(from, store_id))
		return false;
	*out = (struct frame_head){
		.position = position,
		.durable = load_le64(from + 16),
		.commit = load_le64(from + 24),
		.incarnation = load_le32(from + 32),
		.payload_len = load_le32(from + 36),
		.records = load_le32(from + 40),
		.flags = load_le32(from + 44),
	};
	return true;
}

/* Records */

/* The body's hash is taken without a seed, so that it may be known before the position is. Each
 * step is a bijection of 64 bits: two inputs that differ in one thing only stay apart until the
 * last line drops half of the bits. */
static uint32_t record_check(uint64_t store_id, uint64_t position, struct span body)
{
	uint64_t x = hash_bytes(body, 0) ^ store_id;
	x = (x ^ x >> 32) * 0x9e3779b97f4a7c15ull + position;
	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull + body.len;
	x = (x ^ x >> 32) * 0x94d049bb133111ebull;
	return (uint32_t)(x ^ x >> 31);
}

void record_head_encode(uint8_t to[RECORD_HEAD_BYTES], uint64_t store_id, uint64_t position,
			struct span body)
{
	ASSERT(body.len <= LOG_RECORD_BYTES_MAX);
	store_le32(to, record_check(store_id, position, body));
	store_le32(to + 4, (uint32_t)body.len);
	store_le64(to + 8, position);
}

bool record_head_peek(const uint8_t from[RECORD_HEAD_BYTES], uint64_t position,
		      uint32_t *body_len_out)
{
	uint32_t len = load_le32(from + 4);
	if (load_le64(from + 8) != position || len > LOG_RECORD_BYTES_MAX)
		return false;
	*body_len_out = len;
	return true;
}

bool record_is_valid(struct span record, uint64_t store_id, uint64_t position)
{
	uint32_t len;
	if (record.len < RECORD_HEAD_BYTES || !record_head_peek(record.ptr, position, &len) ||
	    len > record.len - RECORD_HEAD_BYTES)
		return false;
	struct span body = span_of(record.ptr + RECORD_HEAD_BYTES, len);
	return load_le32(record.ptr) == record_check(store_id, position, body);
}

/* Names */

void file_name(char name[DISK_NAME_MAX], enum file_kind kind, uint32_t number)
{
	static const char *const forms[] = {
		[FILE_SEGMENT] = "seg-%016x.log",
		[FILE_COMPACTED] = "seg-%016x.cmp",
		[FILE_SPARE] = "spare-%u",
		[FILE_CHECKPOINT] = "ckpt-%u",
	};
	ASSERT(kind < FILE_OTHER);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(name, DISK_NAME_MAX, forms[kind], number);
#pragma GCC diagnostic pop
}

enum file_kind file_name_parse(const char *name, uint32_t *number_out)
{
	unsigned number = 0;
	const char *digits = strchr(name, '-');
	if (!digits)
		return FILE_OTHER;
	number = (unsigned)strtoul(digits + 1, NULL, name[1] == 'e' ? 16 : 10);
	for (enum file_kind kind = FILE_SEGMENT; kind < FILE_OTHER; kind++) {
		char again[DISK_NAME_MAX];
		file_name(again, kind, number);
		if (strcmp(name, again) == 0) {
			*number_out = number;
			return kind;
		}
	}
	return FILE_OTHER;
}
