/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets: what comes at once, what comes over time, and debts. */
#include "base/bucket.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define START_MS 1000000u

static unsigned take_all(struct bucket *b, const struct rate *r, uint64_t now_ms)
{
	unsigned count = 0;
	while (bucket_has(b, r, 1, now_ms)) {
		bucket_take(b, r, 1, now_ms);
		count++;
	}
	return count;
}

static void test_bucket_burst_then_rate(void **state)
{
	const struct rate r = {.per_second = 10, .burst = 5};
	struct bucket b = {0};
	(void)state;
	assert_int_equal(take_all(&b, &r, START_MS), 5);
	assert_int_equal(bucket_wait_ms(&b, &r, START_MS), 0);
	assert_int_equal(take_all(&b, &r, START_MS + 99), 0);
	assert_int_equal(take_all(&b, &r, START_MS + 100), 1);
	assert_int_equal(take_all(&b, &r, START_MS + 399), 2);
	/* a pause brings the burst, and no more */
	assert_int_equal(take_all(&b, &r, START_MS + 100000), 5);
}

static void test_bucket_debt_takes_its_time(void **state)
{
	const struct rate r = {.per_second = 1000, .burst = 100};
	struct bucket b = {0};
	(void)state;
	bucket_take(&b, &r, 5000, START_MS);
	assert_int_equal(bucket_wait_ms(&b, &r, START_MS), 4900);
	assert_int_equal(bucket_wait_ms(&b, &r, START_MS + 4899), 1);
	assert_int_equal(bucket_wait_ms(&b, &r, START_MS + 4900), 0);
	assert_false(bucket_has(&b, &r, 1, START_MS + 4900));
	assert_true(bucket_has(&b, &r, 1, START_MS + 4901));
}

/* What is larger than the bucket waits for a full one, not for ever. */
static void test_bucket_more_than_it_holds(void **state)
{
	const struct rate r = {.per_second = 100, .burst = 10};
	struct bucket b = {0};
	(void)state;
	assert_true(bucket_has(&b, &r, 1000, START_MS));
	bucket_take(&b, &r, 1, START_MS);
	assert_false(bucket_has(&b, &r, 1000, START_MS + 9));
	assert_true(bucket_has(&b, &r, 1000, START_MS + 10));
}

/* Over a minute of a second rate each, whatever the rate is. */
static void test_bucket_keeps_its_rate(void **state)
{
	static const uint32_t rates[] = {1, 3, 7, 1000, 12345};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rates); i++) {
		const struct rate r = {.per_second = rates[i], .burst = rates[i]};
		struct bucket b = {0};
		uint64_t taken = 0;
		for (uint64_t ms = 0; ms <= 60000; ms += 7)
			taken += take_all(&b, &r, START_MS + ms);
		assert_in_range(taken, rates[i] * 60u, rates[i] * 61u);
	}
}

static void test_bucket_largest(void **state)
{
	const struct rate r = {.per_second = RATE_MAX, .burst = RATE_MAX};
	const struct rate slow = {.per_second = 1, .burst = RATE_MAX};
	struct bucket b = {0}, c = {0};
	(void)state;
	bucket_take(&b, &r, RATE_MAX, START_MS);
	assert_int_equal(bucket_wait_ms(&b, &r, START_MS), 0);
	bucket_take(&b, &r, RATE_MAX, START_MS);
	assert_int_equal(bucket_wait_ms(&b, &r, START_MS), 1000);
	bucket_take(&c, &slow, RATE_MAX, START_MS);
	bucket_take(&c, &slow, 10, START_MS);
	assert_int_equal(bucket_wait_ms(&c, &slow, START_MS), 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket_burst_then_rate),
		cmocka_unit_test(test_bucket_debt_takes_its_time),
		cmocka_unit_test(test_bucket_more_than_it_holds),
		cmocka_unit_test(test_bucket_keeps_its_rate),
		cmocka_unit_test(test_bucket_largest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
