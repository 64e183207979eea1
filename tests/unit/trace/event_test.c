/* SPDX-License-Identifier: Apache-2.0 */
/* The ring keeps the newest events, and every kind has a name. */
#include "trace/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

static void write_numbers(struct event_ring *r, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint32_t number = (uint32_t)r->written;
		*event_ring_next(r) = (struct event){.number = number};
	}
}

static void test_ring_empty_has_no_newest(void **state)
{
	(void)state;
	struct event_ring r;
	assert_int_equal(event_ring_init(&r, 4), 0);
	assert_null(event_ring_newest(&r, 0));
	event_ring_release(&r);
	assert_null(event_ring_newest(&r, 0));
}

static void test_ring_not_yet_full_gives_what_was_written(void **state)
{
	(void)state;
	struct event_ring r;
	assert_int_equal(event_ring_init(&r, 8), 0);
	write_numbers(&r, 3);
	assert_int_equal(event_ring_newest(&r, 0)->number, 2);
	assert_int_equal(event_ring_newest(&r, 2)->number, 0);
	assert_null(event_ring_newest(&r, 3));
	event_ring_release(&r);
}

static void test_ring_overwrites_the_oldest(void **state)
{
	(void)state;
	struct event_ring r;
	assert_int_equal(event_ring_init(&r, 4), 0);
	write_numbers(&r, 11);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(event_ring_newest(&r, i)->number, 10 - i);
	assert_null(event_ring_newest(&r, 4));
	assert_null(event_ring_newest(&r, UINT64_MAX));
	event_ring_release(&r);
}

static void test_ring_of_one_keeps_the_last(void **state)
{
	(void)state;
	struct event_ring r;
	assert_int_equal(event_ring_init(&r, 1), 0);
	write_numbers(&r, 5);
	assert_int_equal(event_ring_newest(&r, 0)->number, 4);
	assert_null(event_ring_newest(&r, 1));
	event_ring_release(&r);
}

static void test_ring_without_memory_is_an_error(void **state)
{
	(void)state;
	struct event_ring r;
	mem_count_start();
	mem_fail_after(1);
	assert_int_equal(event_ring_init(&r, 4), ERROR_NO_MEMORY);
	mem_fail_after(0);
	event_ring_release(&r);
	assert_int_equal(mem_count_live(), 0);
}

static void test_kind_names_are_all_there_and_differ(void **state)
{
	(void)state;
	for (unsigned a = 0; a < EVENT_KIND_COUNT; a++) {
		assert_non_null(event_kind_name(a));
		for (unsigned b = 0; b < a; b++)
			assert_string_not_equal(event_kind_name(a), event_kind_name(b));
	}
	assert_string_equal(event_kind_name(EVENT_KIND_COUNT), "unknown");
	assert_string_equal(event_kind_name(EVENT_PACKET_IN), "packet in");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_empty_has_no_newest),
		cmocka_unit_test(test_ring_not_yet_full_gives_what_was_written),
		cmocka_unit_test(test_ring_overwrites_the_oldest),
		cmocka_unit_test(test_ring_of_one_keeps_the_last),
		cmocka_unit_test(test_ring_without_memory_is_an_error),
		cmocka_unit_test(test_kind_names_are_all_there_and_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
