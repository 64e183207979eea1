/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/bench_window.h"

static void test_ids_are_in_flight_once(void **state)
{
	(void)state;
	struct bench_window w;
	assert_int_equal(bench_window_init(&w, 3), 0);
	for (uint16_t id = 1; id <= 3; id++)
		assert_int_equal(bench_window_take(&w, 1), id);
	assert_int_equal(w.free_count, 0);
	assert_int_equal(bench_window_acknowledge(&w, PACKET_PUBACK, 2, false), BENCH_STEP_DONE);
	assert_int_equal(w.free_count, 1);
	assert_int_equal(bench_window_take(&w, 1), 2);
	bench_window_release(&w);
}

static void test_qos_2_takes_two_answers(void **state)
{
	(void)state;
	struct bench_window w;
	assert_int_equal(bench_window_init(&w, 1), 0);
	assert_int_equal(bench_window_take(&w, 2), 1);
	assert_int_equal(bench_window_acknowledge(&w, PACKET_PUBREC, 1, false), BENCH_STEP_RELEASE);
	assert_int_equal(w.free_count, 0);
	assert_int_equal(bench_window_acknowledge(&w, PACKET_PUBCOMP, 1, false), BENCH_STEP_DONE);
	assert_int_equal(w.free_count, 1);
	bench_window_release(&w);
}

/* [5] 4.3.3: a PUBREC of 0x80 or more is the end of the message. */
static void test_refusal_ends_qos_2(void **state)
{
	(void)state;
	struct bench_window w;
	assert_int_equal(bench_window_init(&w, 1), 0);
	bench_window_take(&w, 2);
	assert_int_equal(bench_window_acknowledge(&w, PACKET_PUBREC, 1, true), BENCH_STEP_DONE);
	assert_int_equal(w.free_count, 1);
	bench_window_release(&w);
}

static void test_wrong_answers(void **state)
{
	(void)state;
	struct bench_window w;
	assert_int_equal(bench_window_init(&w, 2), 0);
	bench_window_take(&w, 1);
	assert_int_equal(bench_window_acknowledge(&w, PACKET_PUBACK, 0, false),
			 BENCH_STEP_UNEXPECTED);
	assert_int_equal(bench_window_acknowledge(&w, PACKET_PUBACK, 2, false),
			 BENCH_STEP_UNEXPECTED);
	assert_int_equal(bench_window_acknowledge(&w, PACKET_PUBACK, 3, false),
			 BENCH_STEP_UNEXPECTED);
	assert_int_equal(bench_window_acknowledge(&w, PACKET_PUBREC, 1, false),
			 BENCH_STEP_UNEXPECTED);
	assert_int_equal(bench_window_acknowledge(&w, PACKET_PUBACK, 1, false), BENCH_STEP_DONE);
	assert_int_equal(bench_window_acknowledge(&w, PACKET_PUBACK, 1, false),
			 BENCH_STEP_UNEXPECTED);
	bench_window_release(&w);
}

static void test_largest_window(void **state)
{
	(void)state;
	struct bench_window w;
	assert_int_equal(bench_window_init(&w, UINT16_MAX), 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < UINT16_MAX; i++)
			assert_int_not_equal(bench_window_take(&w, 1), 0);
		assert_int_equal(w.free_count, 0);
		for (unsigned id = 1; id <= UINT16_MAX; id++)
			assert_int_equal(
				bench_window_acknowledge(&w, PACKET_PUBACK, (uint16_t)id, false),
				BENCH_STEP_DONE);
	}
	bench_window_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_are_in_flight_once),
		cmocka_unit_test(test_qos_2_takes_two_answers),
		cmocka_unit_test(test_refusal_ends_qos_2),
		cmocka_unit_test(test_wrong_answers),
		cmocka_unit_test(test_largest_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
