/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include "base/mem.h"
#include "route/hash_index.h"

#define VALUES 5000

/* value -> its hash is a function of the value alone, so that the model is an array of bools. */
static uint64_t spread_hash(uint32_t value)
{
	return hash_mix(1, value);
}

/* Many values share a hash, many hashes their upper half. */
static uint64_t poor_hash(uint32_t value)
{
	return value % 3 ? value / 50 : UINT64_MAX - value / 50;
}

static uint64_t single_hash(uint32_t value)
{
	(void)value;
	return 77;
}

static void check(const struct hash_index *x, const bool *is_held, uint64_t (*hash)(uint32_t))
{
	uint64_t count = 0, seen = 0, cursor = 0;
	for (uint32_t v = 1; v < VALUES; v++) {
		struct hash_slot *slot = hash_index_find(x, hash(v), v);
		assert_int_equal(slot != NULL, is_held[v]);
		if (slot)
			assert_int_equal(slot->hash, hash(v));
		count += is_held[v];
	}
	assert_int_equal(x->count, count);
	while (hash_index_each(x, &cursor))
		seen++;
	assert_int_equal(seen, count);
}

static void run_program(uint64_t (*hash)(uint32_t), uint32_t step_count)
{
	static bool is_held[VALUES];
	struct random r = {3};
	struct hash_index x = {0};
	memset(is_held, 0, sizeof(is_held));
	mem_count_start();
	for (uint32_t i = 0; i < step_count; i++) {
		uint32_t v = 1 + random_below(&r, VALUES - 1);
		bool wants_many = i / (step_count / 4) % 2 == 0;
		struct hash_slot *slot = hash_index_find(&x, hash(v), v);
		if (slot && (!wants_many || i % 8 == 0)) {
			hash_index_remove(&x, slot);
			is_held[v] = false;
		} else if (!slot && (wants_many || i % 8 == 0)) {
			assert_int_equal(hash_index_add(&x, hash(v), v), 0);
			is_held[v] = true;
		}
		if (i % (step_count / 16) == 0)
			check(&x, is_held, hash);
	}
	for (uint32_t v = 1; v < VALUES; v++)
		if (is_held[v])
			hash_index_remove(&x, hash_index_find(&x, hash(v), v));
	assert_int_equal(x.count, 0);
	assert_int_equal(mem_count_live(), 0);
}

static void test_index_spread_hashes(void **state)
{
	(void)state;
	run_program(spread_hash, 60000);
}

static void test_index_poor_hashes(void **state)
{
	(void)state;
	run_program(poor_hash, 30000);
}

static void test_index_equal_hashes(void **state)
{
	(void)state;
	run_program(single_hash, 8000);
}

/* However many values there are, a part stays small, and so does the directory. */
static void test_index_grows_in_parts(void **state)
{
	(void)state;
	struct hash_index x = {0};
	for (uint32_t v = 1; v <= 200000; v++)
		assert_int_equal(hash_index_add(&x, spread_hash(v), v), 0);
	assert_in_range(x.depth, 7, 11);
	for (uint32_t v = 1; v <= 200000; v++)
		assert_non_null(hash_index_find(&x, spread_hash(v), v));
	hash_index_release(&x);
	assert_int_equal(x.count, 0);
}

static void test_index_each_allocation_fails(void **state)
{
	(void)state;
	struct hash_index x = {0};
	static bool is_held[VALUES];
	memset(is_held, 0, sizeof(is_held));
	unsigned failures = 0;
	mem_count_start();
	for (uint32_t v = 1; v < VALUES; v++) {
		for (unsigned long countdown = 1; !is_held[v]; countdown++) {
			uint64_t before = x.count;
			mem_fail_after(countdown);
			is_held[v] = hash_index_add(&x, spread_hash(v), v) == 0;
			assert_int_equal(mem_has_failed(), !is_held[v]);
			assert_int_equal(x.count, before + is_held[v]);
			failures += !is_held[v];
		}
		mem_fail_after(0);
	}
	check(&x, is_held, spread_hash);
	assert_true(failures > 20);
	hash_index_release(&x);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index_spread_hashes),
		cmocka_unit_test(test_index_poor_hashes),
		cmocka_unit_test(test_index_equal_hashes),
		cmocka_unit_test(test_index_grows_in_parts),
		cmocka_unit_test(test_index_each_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
