/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/bench_histogram.h"

static int make(void **state)
{
	*state = mem_zalloc(sizeof(struct bench_histogram));
	return *state ? 0 : -1;
}

static int clean(void **state)
{
	mem_free(*state);
	return 0;
}

static void test_empty(void **state)
{
	assert_int_equal(bench_histogram_percentile(*state, 0.5), 0);
	assert_int_equal(bench_histogram_percentile(*state, 1), 0);
}

static void test_small_values_are_exact(void **state)
{
	for (uint64_t value = 1; value <= 100; value++)
		bench_histogram_record(*state, value, 1);
	for (unsigned percent = 1; percent <= 100; percent++)
		assert_int_equal(bench_histogram_percentile(*state, percent / 100.0), percent);
}

/* The bucket's end is never below the value, and at most 1/64 above it. */
static void test_relative_error(void **state)
{
	struct bench_histogram *h = *state;
	for (unsigned bit = 0; bit < 64; bit++) {
		for (int near = -1; near <= 1; near++) {
			uint64_t value = ((uint64_t)1 << bit) + (uint64_t)(int64_t)near;
			memset(h, 0, sizeof(*h));
			bench_histogram_record(h, value, 1);
			bench_histogram_record(h, UINT64_MAX, 1); /* so that max does not cut it */
			uint64_t read = bench_histogram_percentile(h, 0.5);
			assert_true(read >= value);
			assert_true(read - value <= value / 64);
		}
	}
}

static void test_every_value_has_a_bucket(void **state)
{
	struct bench_histogram *h = *state;
	bench_histogram_record(h, 0, 1);
	bench_histogram_record(h, UINT64_MAX, 1);
	assert_int_equal(h->buckets[0], 1);
	assert_int_equal(h->buckets[BENCH_HISTOGRAM_BUCKETS - 1], 1);
	assert_true(bench_histogram_percentile(h, 1) == UINT64_MAX);
}

static void test_rare_outlier_shows_only_at_the_end(void **state)
{
	bench_histogram_record(*state, 50, 9990);
	bench_histogram_record(*state, 1000000, 10);
	assert_int_equal(bench_histogram_percentile(*state, 0.5), 50);
	assert_int_equal(bench_histogram_percentile(*state, 0.999), 50);
	assert_int_equal(bench_histogram_percentile(*state, 0.9995), 1000000);
	assert_int_equal(bench_histogram_percentile(*state, 1), 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, make, clean),
		cmocka_unit_test_setup_teardown(test_small_values_are_exact, make, clean),
		cmocka_unit_test_setup_teardown(test_relative_error, make, clean),
		cmocka_unit_test_setup_teardown(test_every_value_has_a_bucket, make, clean),
		cmocka_unit_test_setup_teardown(test_rare_outlier_shows_only_at_the_end, make,
						clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
