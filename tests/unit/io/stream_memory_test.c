/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "io/stream_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct pair {
	struct stream a, b;
};

static struct pair pair_of_capacity(uint32_t capacity)
{
	struct pair pair;
	mem_count_start();
	assert_int_equal(memory_pair_open(capacity, &pair.a, &pair.b), 0);
	return pair;
}

/* Closes what is open and finds all memory given back. */
static void pair_done(struct pair *pair)
{
	if (stream_is_open(&pair->a))
		pair->a.ops->close(&pair->a);
	if (stream_is_open(&pair->b))
		pair->b.ops->close(&pair->b);
	assert_int_equal(mem_count_live(), 0);
}

static long write_text(struct stream *s, const char *text)
{
	struct span part = span_of_text(text);
	return s->ops->write(s, &part, 1);
}

static void assert_reads(struct stream *s, const char *expected)
{
	uint8_t bytes[64];
	long n = s->ops->read(s, (struct room){bytes, sizeof(bytes)});
	assert_int_equal(n, (long)strlen(expected));
	assert_memory_equal(bytes, expected, strlen(expected));
}

static long read_some(struct stream *s)
{
	uint8_t bytes[64];
	return s->ops->read(s, (struct room){bytes, sizeof(bytes)});
}

static void test_stream_memory_carries_bytes_both_ways(void **state)
{
	(void)state;
	struct pair pair = pair_of_capacity(16);
	assert_int_equal(read_some(&pair.a), ERROR_AGAIN);
	assert_int_equal(write_text(&pair.a, "ping"), 4);
	assert_int_equal(write_text(&pair.b, "pong"), 4);
	assert_int_equal(memory_unread(&pair.b), 4);
	assert_reads(&pair.b, "ping");
	assert_reads(&pair.a, "pong");
	assert_int_equal(read_some(&pair.b), ERROR_AGAIN);
	pair_done(&pair);
}

static void test_stream_memory_idle_holds_one_allocation(void **state)
{
	(void)state;
	struct pair pair = pair_of_capacity(1 << 20);
	assert_int_equal(mem_count_live(), 1);
	assert_int_equal(write_text(&pair.a, "x"), 1);
	assert_int_equal(mem_count_live(), 2);
	assert_reads(&pair.b, "x");
	assert_int_equal(mem_count_live(), 1);
	pair_done(&pair);
}

static void test_stream_memory_is_bounded(void **state)
{
	(void)state;
	struct pair pair = pair_of_capacity(5);
	struct span parts[3] = {SPAN_LITERAL("abc"), SPAN_LITERAL(""), SPAN_LITERAL("defg")};
	assert_true(memory_is_writable(&pair.a));
	assert_int_equal(pair.a.ops->write(&pair.a, parts, 3), 5);
	assert_false(memory_is_writable(&pair.a));
	assert_int_equal(write_text(&pair.a, "x"), ERROR_AGAIN);
	assert_reads(&pair.b, "abcde");
	assert_true(memory_is_writable(&pair.a));
	pair_done(&pair);
}

static void test_stream_memory_moves_in_steps(void **state)
{
	(void)state;
	struct pair pair = pair_of_capacity(16);
	assert_int_equal(write_text(&pair.a, "abc"), 3);
	memory_set_step(&pair.a, 1);
	assert_int_equal(write_text(&pair.a, "de"), 1);
	assert_reads(&pair.b, "a");
	assert_reads(&pair.b, "b");
	memory_set_step(&pair.b, 0);
	assert_reads(&pair.b, "cd");
	pair_done(&pair);
}

static void test_stream_memory_close_is_the_end(void **state)
{
	(void)state;
	struct pair pair = pair_of_capacity(16);
	assert_int_equal(write_text(&pair.a, "last"), 4);
	pair.a.ops->close(&pair.a);
	assert_true(memory_is_readable(&pair.b));
	assert_reads(&pair.b, "last");
	assert_true(memory_is_readable(&pair.b));
	assert_int_equal(read_some(&pair.b), 0);
	assert_int_equal(write_text(&pair.b, "x"), ERROR_CLOSED);
	pair_done(&pair);
}

static void test_stream_memory_cut_at_any_byte(void **state)
{
	(void)state;
	for (uint32_t at = 0; at <= 6; at++) {
		struct pair pair = pair_of_capacity(16);
		char arrived[7] = "abcdef";
		arrived[at] = '\0';
		memory_cut_after(&pair.a, at);
		/* The writer notices nothing, unless it was cut before. */
		long written = write_text(&pair.a, "abcdef");
		assert_int_equal(written, at == 0 ? ERROR_CLOSED : 6);
		if (at > 0)
			assert_reads(&pair.b, arrived);
		assert_int_equal(read_some(&pair.b), ERROR_CLOSED);
		assert_int_equal(read_some(&pair.a), ERROR_CLOSED);
		assert_int_equal(write_text(&pair.a, "x"), ERROR_CLOSED);
		assert_int_equal(write_text(&pair.b, "x"), ERROR_CLOSED);
		pair_done(&pair);
	}
}

static void test_stream_memory_cut_counts_over_writes(void **state)
{
	(void)state;
	struct pair pair = pair_of_capacity(16);
	memory_cut_after(&pair.a, 4);
	assert_int_equal(write_text(&pair.a, "abc"), 3);
	assert_int_equal(read_some(&pair.a), ERROR_AGAIN);
	assert_int_equal(write_text(&pair.a, "def"), 3);
	assert_int_equal(read_some(&pair.a), ERROR_CLOSED);
	assert_reads(&pair.b, "abcd");
	assert_int_equal(read_some(&pair.b), ERROR_CLOSED);
	pair_done(&pair);
}

static void test_stream_memory_out_of_memory_is_told(void **state)
{
	(void)state;
	struct stream a, b;
	mem_fail_after(1);
	assert_int_equal(memory_pair_open(16, &a, &b), ERROR_NO_MEMORY);
	struct pair pair = pair_of_capacity(16);
	mem_fail_after(1);
	assert_int_equal(write_text(&pair.a, "x"), ERROR_AGAIN);
	assert_int_equal(write_text(&pair.a, "x"), 1);
	pair_done(&pair);
}

static void test_memory_hub_is_level_triggered(void **state)
{
	(void)state;
	struct pair pair = pair_of_capacity(16);
	struct memory_hub hub;
	struct memory_event events[4];
	memory_hub_init(&hub);
	memory_attach(&pair.b, &hub);
	assert_int_equal(memory_hub_take(&hub, events, 4), 0);
	assert_int_equal(write_text(&pair.a, "x"), 1);
	for (int i = 0; i < 2; i++) {
		assert_true(memory_hub_is_ready(&hub));
		assert_int_equal(memory_hub_take(&hub, events, 4), 1);
		assert_ptr_equal(events[0].stream, &pair.b);
		assert_true(events[0].is_readable);
		assert_false(events[0].is_writable);
	}
	assert_reads(&pair.b, "x");
	assert_false(memory_hub_is_ready(&hub));
	assert_int_equal(memory_hub_take(&hub, events, 4), 0);
	pair_done(&pair);
}

static void test_memory_hub_reports_room_when_wanted(void **state)
{
	(void)state;
	struct pair pair = pair_of_capacity(1);
	struct memory_hub hub;
	struct memory_event events[4];
	memory_hub_init(&hub);
	memory_attach(&pair.b, &hub);
	assert_int_equal(write_text(&pair.b, "x"), 1);
	pair.b.ops->want(&pair.b, false, true);
	assert_int_equal(memory_hub_take(&hub, events, 4), 0);
	assert_int_equal(write_text(&pair.a, "unwanted"), 1);
	assert_int_equal(memory_hub_take(&hub, events, 4), 0);
	assert_reads(&pair.a, "x");
	assert_int_equal(memory_hub_take(&hub, events, 4), 1);
	assert_true(events[0].is_writable);
	assert_false(events[0].is_readable);
	pair_done(&pair);
}

static void test_memory_hub_is_fair_and_ordered(void **state)
{
	(void)state;
	struct stream a[3], b[3];
	struct memory_hub hub;
	struct memory_event events[4];
	memory_hub_init(&hub);
	mem_count_start();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(memory_pair_open(8, &a[i], &b[i]), 0);
		memory_attach(&b[i], &hub);
	}
	assert_int_equal(memory_hub_take(&hub, events, 4), 0);
	for (int i = 2; i >= 0; i--)
		assert_int_equal(write_text(&a[i], "x"), 1);
	assert_int_equal(memory_hub_take(&hub, events, 2), 2);
	assert_ptr_equal(events[0].stream, &b[2]);
	assert_ptr_equal(events[1].stream, &b[1]);
	assert_int_equal(memory_hub_take(&hub, events, 4), 3);
	assert_ptr_equal(events[0].stream, &b[0]);
	assert_ptr_equal(events[1].stream, &b[2]);
	assert_ptr_equal(events[2].stream, &b[1]);
	for (int i = 0; i < 3; i++) {
		a[i].ops->close(&a[i]);
		b[i].ops->close(&b[i]);
	}
	assert_int_equal(memory_hub_take(&hub, events, 4), 0);
	assert_int_equal(mem_count_live(), 0);
}

static void test_memory_hub_streams_come_and_go(void **state)
{
	(void)state;
	struct pair pair = pair_of_capacity(8);
	struct memory_hub hub, other;
	struct memory_event events[4];
	memory_hub_init(&hub);
	memory_hub_init(&other);
	memory_attach(&pair.b, &hub);
	assert_int_equal(write_text(&pair.a, "x"), 1);
	pair.b.ops->detach(&pair.b);
	assert_int_equal(memory_hub_take(&hub, events, 4), 0);
	struct stream moved = pair.b;
	memory_attach(&moved, &other);
	assert_int_equal(memory_hub_take(&other, events, 4), 1);
	assert_ptr_equal(events[0].stream, &moved);
	memory_cut(&pair.a);
	assert_int_equal(memory_hub_take(&other, events, 4), 1);
	pair.b = moved;
	pair_done(&pair);
	assert_int_equal(memory_hub_take(&other, events, 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream_memory_carries_bytes_both_ways),
		cmocka_unit_test(test_stream_memory_idle_holds_one_allocation),
		cmocka_unit_test(test_stream_memory_is_bounded),
		cmocka_unit_test(test_stream_memory_moves_in_steps),
		cmocka_unit_test(test_stream_memory_close_is_the_end),
		cmocka_unit_test(test_stream_memory_cut_at_any_byte),
		cmocka_unit_test(test_stream_memory_cut_counts_over_writes),
		cmocka_unit_test(test_stream_memory_out_of_memory_is_told),
		cmocka_unit_test(test_memory_hub_is_level_triggered),
		cmocka_unit_test(test_memory_hub_reports_room_when_wanted),
		cmocka_unit_test(test_memory_hub_is_fair_and_ordered),
		cmocka_unit_test(test_memory_hub_streams_come_and_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
