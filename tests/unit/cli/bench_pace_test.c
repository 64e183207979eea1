/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/bench_pace.h"

static void test_first_is_due_at_the_start(void **state)
{
	(void)state;
	struct bench_pace p = {.start_ns = 1000, .rate = 1, .burst = 1};
	assert_int_equal(bench_pace_due(&p, 999), 0);
	assert_int_equal(bench_pace_due(&p, 1000), 1);
	assert_int_equal(bench_pace_due(&p, 1000 + BENCH_NS_PER_S - 1), 1);
	assert_int_equal(bench_pace_due(&p, 1000 + BENCH_NS_PER_S), 2);
}

/* At the instant of message k, message k is due, and a nanosecond before it is not; also at rates
 * that do not divide a second, and after days. */
static void test_instants_and_counts_agree(void **state)
{
	(void)state;
	const uint64_t rates[] = {1, 3, 7, 999, 20000, 999983, 999999937, 1000000000};
	const uint64_t numbers[] = {0, 1, 2, 3, 100, 12345, 4294967294};
	for (size_t r = 0; r < ARRAY_COUNT(rates); r++) {
		struct bench_pace p = {.start_ns = 5, .rate = rates[r], .burst = 1};
		for (size_t n = 0; n < ARRAY_COUNT(numbers); n++) {
			uint64_t time = bench_pace_time(&p, numbers[n]);
			assert_int_equal(bench_pace_due(&p, time), numbers[n] + 1);
			assert_int_equal(bench_pace_due(&p, time - 1), numbers[n]);
		}
	}
}

static void test_burst_is_due_together(void **state)
{
	(void)state;
	struct bench_pace p = {.start_ns = 0, .rate = 20000, .burst = 20};
	assert_int_equal(bench_pace_due(&p, 0), 20);
	assert_int_equal(bench_pace_due(&p, 999999), 20);
	assert_int_equal(bench_pace_due(&p, 1000000), 40);
	assert_int_equal(bench_pace_time(&p, 19), 0);
	assert_int_equal(bench_pace_time(&p, 20), 1000000);
	assert_int_equal(bench_pace_time(&p, 39), 1000000);
}

static void test_shares_add_up(void **state)
{
	(void)state;
	for (uint32_t count = 1; count < 20; count++) {
		for (uint64_t total = 0; total < 100; total++) {
			uint64_t sum = 0;
			for (uint32_t i = 0; i < count; i++) {
				uint64_t share = bench_pace_share(total, count, i);
				assert_true(share == total / count || share == total / count + 1);
				sum += share;
			}
			assert_int_equal(sum, total);
		}
	}
	/* message 10 of 4 receivers goes to receiver 2 */
	assert_int_equal(bench_pace_share(11, 4, 2), bench_pace_share(10, 4, 2) + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_is_due_at_the_start),
		cmocka_unit_test(test_instants_and_counts_agree),
		cmocka_unit_test(test_burst_is_due_together),
		cmocka_unit_test(test_shares_add_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
