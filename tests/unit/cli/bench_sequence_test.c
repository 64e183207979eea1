/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/bench_sequence.h"

static void note_all(struct bench_sequence *s, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		assert_int_equal(bench_sequence_note(s, i), BENCH_IN_ORDER);
}

static void test_in_order(void **state)
{
	(void)state;
	struct bench_sequence s = {0};
	note_all(&s, 0, 1000);
	assert_int_equal(bench_sequence_missing(&s, 1000), 0);
	assert_null(s.gaps);
}

static void test_nothing_came(void **state)
{
	(void)state;
	struct bench_sequence s = {0};
	assert_int_equal(bench_sequence_missing(&s, 7), 7);
}

static void test_duplicate(void **state)
{
	(void)state;
	struct bench_sequence s = {0};
	note_all(&s, 0, 3);
	assert_int_equal(bench_sequence_note(&s, 2), BENCH_DUPLICATE);
	assert_int_equal(bench_sequence_note(&s, 0), BENCH_DUPLICATE);
	assert_int_equal(bench_sequence_missing(&s, 3), 0);
}

static void test_lost_at_the_start_in_the_middle_and_at_the_end(void **state)
{
	(void)state;
	struct bench_sequence s = {0};
	assert_int_equal(bench_sequence_note(&s, 1), BENCH_AHEAD);
	assert_int_equal(bench_sequence_note(&s, 2), BENCH_IN_ORDER);
	assert_int_equal(bench_sequence_note(&s, 5), BENCH_AHEAD);
	assert_int_equal(bench_sequence_missing(&s, 6), 3);
	assert_int_equal(bench_sequence_missing(&s, 10), 7);
	bench_sequence_release(&s);
}

/* Each way to take a number out of a gap: its first, its last, its middle, its only one. */
static void test_late_numbers_fill_gaps(void **state)
{
	(void)state;
	struct bench_sequence s = {0};
	assert_int_equal(bench_sequence_note(&s, 10), BENCH_AHEAD);
	assert_int_equal(bench_sequence_note(&s, 0), BENCH_LATE);
	assert_int_equal(bench_sequence_note(&s, 9), BENCH_LATE);
	assert_int_equal(bench_sequence_note(&s, 5), BENCH_LATE);
	assert_int_equal(bench_sequence_note(&s, 5), BENCH_DUPLICATE);
	assert_int_equal(bench_sequence_missing(&s, 11), 7);
	const uint32_t rest[] = {4, 1, 3, 2, 6, 8, 7};
	for (size_t i = 0; i < ARRAY_COUNT(rest); i++)
		assert_int_equal(bench_sequence_note(&s, rest[i]), BENCH_LATE);
	for (uint32_t i = 0; i <= 10; i++)
		assert_int_equal(bench_sequence_note(&s, i), BENCH_DUPLICATE);
	assert_int_equal(s.gap_count, 0);
	assert_int_equal(bench_sequence_missing(&s, 11), 0);
	bench_sequence_release(&s);
}

/* Against a plain table of what was seen: numbers in random order, some twice. */
static void test_agrees_with_a_table(void **state)
{
	(void)state;
	enum { COUNT = 512 };
	uint64_t random = 88172645463325252u;
	for (unsigned round = 0; round < 200; round++) {
		struct bench_sequence s = {0};
		bool seen[COUNT] = {false};
		uint32_t next = 0, missing = COUNT;
		for (unsigned i = 0; i < COUNT; i++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			uint32_t number = (uint32_t)(random % COUNT);
			enum bench_arrival expected = seen[number]     ? BENCH_DUPLICATE
						      : number < next  ? BENCH_LATE
						      : number == next ? BENCH_IN_ORDER
								       : BENCH_AHEAD;
			assert_int_equal(bench_sequence_note(&s, number), expected);
			missing -= !seen[number];
			seen[number] = true;
			next = number >= next ? number + 1 : next;
			assert_int_equal(bench_sequence_missing(&s, COUNT), missing);
		}
		bench_sequence_release(&s);
	}
}

/* Every second number comes: more gaps than are kept. What is missing stays exact. */
static void test_forgotten_gaps_stay_missing(void **state)
{
	(void)state;
	struct bench_sequence s = {0};
	uint32_t count = 4 * BENCH_GAPS_MAX;
	for (uint32_t i = 1; i < 2 * count; i += 2)
		bench_sequence_note(&s, i);
	assert_true(s.gap_count <= BENCH_GAPS_MAX);
	assert_int_equal(bench_sequence_missing(&s, 2 * count), count);
	assert_int_equal(bench_sequence_note(&s, 2 * count - 2), BENCH_LATE);
	assert_int_equal(bench_sequence_missing(&s, 2 * count), count - 1);
	bench_sequence_release(&s);
}

/* A full table of gaps, and then one of them must be split: the oldest, or the newest. */
static void test_split_with_a_full_table(void **state)
{
	(void)state;
	for (unsigned place = 0; place < 2; place++) {
		struct bench_sequence s = {0};
		for (uint32_t i = 0; i < BENCH_GAPS_MAX; i++)
			bench_sequence_note(&s, 4 * i + 3); /* 4i, 4i+1, 4i+2 are missing */
		assert_int_equal(s.gap_count, BENCH_GAPS_MAX);
		uint32_t number = place ? 4 * (BENCH_GAPS_MAX - 1) + 1 : 1;
		assert_int_equal(bench_sequence_note(&s, number), BENCH_LATE);
		assert_int_equal(bench_sequence_missing(&s, 4 * BENCH_GAPS_MAX),
				 3 * BENCH_GAPS_MAX - 1);
		bench_sequence_release(&s);
	}
}

static void test_without_memory_missing_is_still_exact(void **state)
{
	(void)state;
	struct bench_sequence s = {0};
	mem_fail_after(1);
	assert_int_equal(bench_sequence_note(&s, 4), BENCH_AHEAD);
	mem_fail_after(0);
	assert_int_equal(bench_sequence_missing(&s, 5), 4);
	bench_sequence_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_nothing_came),
		cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_lost_at_the_start_in_the_middle_and_at_the_end),
		cmocka_unit_test(test_late_numbers_fill_gaps),
		cmocka_unit_test(test_agrees_with_a_table),
		cmocka_unit_test(test_forgotten_gaps_stay_missing),
		cmocka_unit_test(test_split_with_a_full_table),
		cmocka_unit_test(test_without_memory_missing_is_still_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
