/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/opening.h"

static void wake_all(struct openings *o, struct opening *all, unsigned count, uint64_t now_ms)
{
	for (unsigned i = 0; i < count; i++) {
		all[i].is_costly = true;
		opening_wake(o, &all[i], now_ms);
	}
}

static void test_openings_few_steps_in_a_turn(void **state)
{
	(void)state;
	struct opening all[10] = {0};
	struct openings o;
	openings_init(&o);
	assert_false(openings_are_busy(&o));
	wake_all(&o, all, 10, 0);
	for (unsigned turn = 0; turn < 5; turn++) {
		unsigned steps[2] = {0};
		assert_true(openings_are_busy(&o));
		for (unsigned i = 0; i < OPENING_STEPS_MAX; i++) {
			struct opening *at = openings_next(&o, steps, 0);
			assert_ptr_equal(at, &all[turn * OPENING_STEPS_MAX + i]);
			opening_leave(&o, at);
		}
		assert_null(openings_next(&o, steps, 0));
	}
	assert_false(openings_are_busy(&o));
	assert_int_equal(o.begun_count, 0);
}

static void test_openings_cheap_ones_have_a_budget_of_their_own(void **state)
{
	(void)state;
	struct opening all[OPENING_CHEAP_STEPS_MAX + 1] = {0};
	struct openings o;
	unsigned steps[2] = {0}, count = 0;
	struct opening *at;
	openings_init(&o);
	for (size_t i = 0; i < ARRAY_COUNT(all); i++)
		opening_wake(&o, &all[i], 0);
	for (; (at = openings_next(&o, steps, 0)); count++)
		opening_leave(&o, at);
	assert_int_equal(count, OPENING_CHEAP_STEPS_MAX);
}

/* All that may begin have, and fall silent. */
static void begin_all(struct openings *o, struct opening *all, uint64_t now_ms)
{
	for (unsigned i = 0; i < OPENINGS_MAX; i++) {
		unsigned steps[2] = {0};
		struct opening *at = openings_next(o, steps, now_ms);
		assert_ptr_equal(at, &all[i]);
		opening_stall(o, at, now_ms);
	}
}

static void test_openings_silent_ones_give_way_when_others_wait(void **state)
{
	(void)state;
	static struct opening all[OPENINGS_MAX + 2];
	unsigned steps[2] = {0};
	struct openings o;
	openings_init(&o);
	wake_all(&o, all, OPENINGS_MAX, 100);
	begin_all(&o, all, 100);
	assert_false(openings_are_busy(&o));
	assert_null(openings_give_way(&o, 100 + 10 * OPENING_PATIENCE_MS)); /* nobody waits */
	assert_int_equal(openings_deadline_ms(&o), UINT64_MAX);

	wake_all(&o, all + OPENINGS_MAX, 2, 200);
	assert_null(openings_next(&o, steps, 200));
	assert_false(openings_are_busy(&o)); /* the loop may sleep until the deadline */
	assert_int_equal(openings_deadline_ms(&o), 100 + OPENING_PATIENCE_MS);
	assert_null(openings_give_way(&o, 99 + OPENING_PATIENCE_MS));
	assert_ptr_equal(openings_give_way(&o, 100 + OPENING_PATIENCE_MS), &all[0]);
	opening_leave(&o, &all[0]);
	assert_ptr_equal(openings_next(&o, steps, 100 + OPENING_PATIENCE_MS), &all[OPENINGS_MAX]);
}

/* What peers take to answer decides, within bounds. */
static void test_openings_patience_where_all_are_slow(void **state)
{
	(void)state;
	static const struct {
		uint64_t answer_ms, patience_ms;
	} cases[] = {{100, OPENING_PATIENCE_MS},
		     {3000, OPENING_PATIENCE_TIMES * 3000},
		     {60000, OPENING_PATIENCE_MAX_MS}};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		static struct opening all[OPENINGS_MAX + 1];
		struct openings o;
		uint64_t now_ms = cases[i].answer_ms;
		memset(all, 0, sizeof(all));
		openings_init(&o);
		wake_all(&o, all, OPENINGS_MAX, 0);
		begin_all(&o, all, 0);
		wake_all(&o, all, OPENINGS_MAX, now_ms);
		begin_all(&o, all, now_ms);
		wake_all(&o, all + OPENINGS_MAX, 1, now_ms);
		uint64_t late_ms = openings_deadline_ms(&o);
		/* the average comes near, from below */
		assert_in_range(late_ms - now_ms, cases[i].patience_ms * 99 / 100,
				cases[i].patience_ms);
		assert_null(openings_give_way(&o, late_ms - 1));
		assert_ptr_equal(openings_give_way(&o, late_ms), &all[0]);
	}
}

static void test_openings_who_has_begun_goes_first(void **state)
{
	(void)state;
	struct opening all[3] = {0};
	unsigned steps[2] = {0};
	struct openings o;
	openings_init(&o);
	wake_all(&o, all, 1, 0);
	struct opening *at = openings_next(&o, steps, 0);
	opening_stall(&o, at, 0);
	wake_all(&o, all + 1, 2, 1);
	opening_wake(&o, at, 2); /* its peer has answered */
	opening_wake(&o, at, 2); /* told twice: no harm */
	assert_ptr_equal(openings_next(&o, steps, 2), at);
	opening_leave(&o, at);
	opening_leave(&o, &all[1]); /* closed while it waited */
	steps[1] = 0;
	assert_ptr_equal(openings_next(&o, steps, 2), &all[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openings_few_steps_in_a_turn),
		cmocka_unit_test(test_openings_cheap_ones_have_a_budget_of_their_own),
		cmocka_unit_test(test_openings_silent_ones_give_way_when_others_wait),
		cmocka_unit_test(test_openings_patience_where_all_are_slow),
		cmocka_unit_test(test_openings_who_has_begun_goes_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
