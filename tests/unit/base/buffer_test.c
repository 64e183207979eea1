/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include "base/buffer.h"
#include "base/mem.h"

/* Byte number n of an endless stream. */
static uint8_t stream_byte(uint64_t n)
{
	return (uint8_t)(n * 31 + n / 256);
}

static void append_stream(struct buffer *b, uint64_t from, size_t len)
{
	assert_int_equal(buffer_reserve(b, len), 0);
	struct room room = buffer_room(b);
	assert_true(room.len >= len);
	for (size_t i = 0; i < len; i++)
		room.ptr[i] = stream_byte(from + i);
	buffer_commit(b, len);
}

static void test_what_goes_in_comes_out(void **state)
{
	(void)state;
	struct random r = {1};
	struct buffer b = {0};
	uint64_t written = 0, read = 0;
	for (int step = 0; step < 20000; step++) {
		size_t len = random_below(&r, random_below(&r, 50) == 0 ? 5000 : 100);
		append_stream(&b, written, len);
		written += len;
		size_t taken = random_below(&r, buffer_len(&b) + 1);
		struct span content = buffer_content(&b);
		assert_int_equal(content.len, written - read);
		for (size_t i = 0; i < taken; i++)
			assert_int_equal(content.ptr[i], stream_byte(read + i));
		buffer_consume(&b, taken);
		read += taken;
	}
	buffer_release(&b);
	assert_int_equal(buffer_len(&b), 0);
	assert_int_equal(b.capacity, 0);
}

static void test_append_copies(void **state)
{
	(void)state;
	struct buffer b = {0};
	assert_int_equal(buffer_append(&b, SPAN_NONE), 0);
	assert_int_equal(buffer_len(&b), 0);
	assert_int_equal(buffer_append(&b, span_of_text("ab")), 0);
	assert_int_equal(buffer_append(&b, span_of_text("cd")), 0);
	assert_true(span_is_equal(buffer_content(&b), span_of_text("abcd")));
	buffer_release(&b);
}

static void test_an_emptied_buffer_starts_again_at_its_beginning(void **state)
{
	(void)state;
	struct buffer b = {0};
	append_stream(&b, 0, 200);
	buffer_consume(&b, 199);
	assert_int_equal(b.start, 199);
	buffer_consume(&b, 1);
	assert_int_equal(b.start, 0);
	assert_int_equal(b.end, 0);
	buffer_release(&b);
}

/* A little in, a little out, nearly full: no copy of everything at each step. */
static void test_a_nearly_full_buffer_is_not_moved_at_each_step(void **state)
{
	(void)state;
	struct buffer b = {0};
	append_stream(&b, 0, 1020);
	int moves = 0;
	for (int i = 0; i < 1000; i++) {
		const uint8_t *place = buffer_content(&b).ptr;
		buffer_consume(&b, 4);
		append_stream(&b, 0, 4);
		moves += buffer_content(&b).ptr != place + 4;
	}
	assert_true(moves <= 5);
	assert_true(b.capacity <= 4 * 1020);
	buffer_release(&b);
}

static void test_a_buffer_does_not_grow_without_need(void **state)
{
	(void)state;
	struct buffer b = {0};
	for (int i = 0; i < 10000; i++) {
		append_stream(&b, 0, 100);
		buffer_consume(&b, i % 2 ? 150 : 50);
	}
	assert_int_equal(b.capacity, 256);
	buffer_release(&b);
}

static void test_the_limit(void **state)
{
	(void)state;
	struct buffer b = {0};
	append_stream(&b, 0, 10);
	assert_int_equal(buffer_reserve(&b, BUFFER_BYTES_MAX), ERROR_LIMIT);
	assert_int_equal(buffer_reserve(&b, BUFFER_BYTES_MAX - 9), ERROR_LIMIT);
	assert_int_equal(buffer_reserve(&b, SIZE_MAX), ERROR_LIMIT);
	assert_int_equal(buffer_len(&b), 10);
	buffer_release(&b);
}

static void test_a_failed_allocation_leaves_the_content(void **state)
{
	(void)state;
	struct buffer b = {0};
	mem_fail_after(1);
	assert_int_equal(buffer_append(&b, span_of_text("x")), ERROR_NO_MEMORY);
	assert_int_equal(buffer_append(&b, span_of_text("kept")), 0);
	mem_fail_after(1);
	assert_int_equal(buffer_reserve(&b, 5000), ERROR_NO_MEMORY);
	mem_fail_after(0);
	assert_true(span_is_equal(buffer_content(&b), span_of_text("kept")));
	buffer_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_goes_in_comes_out),
		cmocka_unit_test(test_append_copies),
		cmocka_unit_test(test_an_emptied_buffer_starts_again_at_its_beginning),
		cmocka_unit_test(test_a_nearly_full_buffer_is_not_moved_at_each_step),
		cmocka_unit_test(test_a_buffer_does_not_grow_without_need),
		cmocka_unit_test(test_the_limit),
		cmocka_unit_test(test_a_failed_allocation_leaves_the_content),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
