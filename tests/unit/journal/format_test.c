/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/format.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define STORE 0x1122334455667788ull
#define BODY_BYTES 100

/* Calls `is_valid` with each bit of the bytes turned in turn; all must be noticed. */
static void assert_each_bit_matters(uint8_t *bytes, size_t len,
				    bool (*is_valid)(const uint8_t *bytes))
{
	assert_true(is_valid(bytes));
	for (size_t bit = 0; bit < len * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(is_valid(bytes));
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static bool record_holds(const uint8_t *bytes)
{
	return record_is_valid(span_of(bytes, RECORD_HEAD_BYTES + BODY_BYTES), STORE,
			       position_of(3, 4096 + 48));
}

static void test_record_is_its_place_store_and_bytes(void **state)
{
	uint8_t record[RECORD_HEAD_BYTES + BODY_BYTES];
	uint64_t position = position_of(3, 4096 + 48);
	uint32_t len = 0;
	(void)state;
	memset(record, 'x', sizeof(record));
	record_head_encode(record, STORE, position,
			   span_of(record + RECORD_HEAD_BYTES, BODY_BYTES));
	assert_each_bit_matters(record, sizeof(record), record_holds);
	assert_true(record_head_peek(record, position, &len));
	assert_int_equal(len, BODY_BYTES);
	struct span all = span_of(record, sizeof(record));
	assert_false(record_is_valid(all, STORE + 1, position));
	assert_false(record_is_valid(all, STORE, position_of(4, 4096 + 48)));
	assert_false(record_is_valid(all, STORE, position + 8));
	assert_false(record_is_valid(span_of(record, sizeof(record) - 1), STORE, position));
	assert_false(record_is_valid(span_of(record, 15), STORE, position));
}

static void test_record_moved_with_its_position_rewritten_is_not_valid(void **state)
{
	uint8_t record[RECORD_HEAD_BYTES + BODY_BYTES] = {0};
	(void)state;
	record_head_encode(record, STORE, position_of(3, 4096),
			   span_of(record + RECORD_HEAD_BYTES, BODY_BYTES));
	store_le64(record + 8, position_of(4, 4096));
	assert_false(record_is_valid(span_of(record, sizeof(record)), STORE, position_of(4, 4096)));
}

static bool frame_holds(const uint8_t *bytes)
{
	struct frame_head head;
	return frame_head_decode(bytes, STORE, position_of(1, 4096), &head);
}

static void test_frame_head_comes_back(void **state)
{
	uint8_t bytes[FRAME_HEAD_BYTES] = {0};
	struct frame_head head = {.position = position_of(1, 4096),
				  .durable = position_of(0xfffffffe, 8192),
				  .commit = 1ull << 40,
				  .incarnation = 7,
				  .payload_len = 320,
				  .records = 3,
				  .flags = FRAME_SEAL};
	struct frame_head back;
	(void)state;
	frame_head_encode(bytes, STORE, &head);
	assert_each_bit_matters(bytes, sizeof(bytes), frame_holds);
	assert_true(frame_head_decode(bytes, STORE, head.position, &back));
	assert_memory_equal(&back, &head, sizeof(head));
	assert_false(frame_head_decode(bytes, STORE ^ 1, head.position, &back));
	assert_false(frame_head_decode(bytes, STORE, head.position + DISK_BLOCK, &back));
	assert_int_equal(frame_bytes(0), 4096);
	assert_int_equal(frame_bytes(4096 - 48), 4096);
	assert_int_equal(frame_bytes(4096 - 47), 8192);
}

static bool segment_holds(const uint8_t *bytes)
{
	struct segment_head head;
	return segment_head_decode(bytes, &head);
}

static void test_segment_head_comes_back(void **state)
{
	static uint8_t block[SEGMENT_HEAD_BYTES];
	struct segment_head head = {.store_id = STORE,
				    .number = 9,
				    .incarnation = 2,
				    .previous_end = position_of(7, 65536),
				    .file_bytes = 1 << 20,
				    .is_begun = true};
	struct segment_head back = {0};
	(void)state;
	segment_head_encode(block, &head);
	assert_each_bit_matters(block, sizeof(block), segment_holds);
	assert_true(segment_head_decode(block, &back));
	assert_int_equal(back.store_id, head.store_id);
	assert_int_equal(back.number, 9);
	assert_int_equal(back.incarnation, 2);
	assert_int_equal(back.previous_end, head.previous_end);
	assert_int_equal(back.file_bytes, 1 << 20);
	assert_true(back.is_begun);
}

static void test_store_facts_newer_or_changed(void **state)
{
	char text[FORMAT_TEXT_MAX];
	struct store_facts facts = {FORMAT_VERSION, 1 << 20, STORE}, back = {0};
	(void)state;
	size_t len = store_facts_encode(text, &facts);
	assert_int_equal(store_facts_decode(span_of(text, len), &back), 0);
	assert_int_equal(back.store_id, STORE);
	assert_int_equal(back.segment_bytes, 1 << 20);
	for (size_t i = 0; i < len; i++) {
		text[i]++;
		assert_int_not_equal(store_facts_decode(span_of(text, len), &back), 0);
		text[i]--;
		assert_int_equal(store_facts_decode(span_of(text, i), &back), ERROR_DAMAGED);
	}
	struct span newer = SPAN_LITERAL("nightjar journal\nformat 2\nnobody knows");
	assert_int_equal(store_facts_decode(newer, &back), ERROR_LIMIT);
	assert_int_equal(back.version, 2);
}

static void test_file_names_parse_only_as_written(void **state)
{
	static const char *const others[] = {"",
					     "-",
					     "seg-",
					     "seg-1.log",
					     "spare-",
					     "spare-01",
					     "ckpt-4294967296",
					     "seg-0000000000000001.log2",
					     "LOCK",
					     "FORMAT",
					     "ckpt-1.tmp",
					     "seg-000000000000000A.log",
					     "spare--1"};
	uint32_t number = 0;
	(void)state;
	for (enum file_kind kind = FILE_SEGMENT; kind < FILE_OTHER; kind++) {
		char name[DISK_NAME_MAX];
		file_name(name, kind, 0xfffffff0u);
		assert_int_equal(file_name_parse(name, &number), kind);
		assert_int_equal(number, 0xfffffff0u);
	}
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		assert_int_equal(file_name_parse(others[i], &number), FILE_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_is_its_place_store_and_bytes),
		cmocka_unit_test(test_record_moved_with_its_position_rewritten_is_not_valid),
		cmocka_unit_test(test_frame_head_comes_back),
		cmocka_unit_test(test_segment_head_comes_back),
		cmocka_unit_test(test_store_facts_newer_or_changed),
		cmocka_unit_test(test_file_names_parse_only_as_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
