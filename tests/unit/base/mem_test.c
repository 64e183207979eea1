/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include "base/mem.h"

static void test_the_counted_allocation_fails_once(void **state)
{
	(void)state;
	mem_fail_after(3);
	void *first = mem_alloc(1), *second = mem_zalloc(1);
	assert_false(mem_has_failed());
	void *third = mem_alloc(1);
	assert_true(mem_has_failed());
	void *fourth = mem_alloc(1);
	assert_non_null(first);
	assert_non_null(second);
	assert_null(third);
	assert_non_null(fourth);
	mem_fail_after(0);
	assert_false(mem_has_failed());
	mem_free(first);
	mem_free(second);
	mem_free(fourth);
}

static void test_every_kind_of_allocation_can_fail(void **state)
{
	(void)state;
	void *kept = mem_alloc(4);
	assert_non_null(kept);
	memcpy(kept, "old", 4);
	mem_fail_after(1);
	assert_null(mem_alloc(1));
	mem_fail_after(1);
	assert_null(mem_zalloc(1));
	mem_fail_after(1);
	assert_null(mem_copy_text(span_of_text("text")));
	mem_fail_after(1);
	assert_null(mem_realloc(kept, 100));
	mem_fail_after(0);
	assert_string_equal(kept, "old");
	mem_free(kept);
}

static void test_a_countdown_of_zero_never_fails(void **state)
{
	(void)state;
	mem_fail_after(0);
	for (int i = 0; i < 100; i++) {
		void *ptr = mem_alloc(8);
		assert_non_null(ptr);
		mem_free(ptr);
	}
	assert_false(mem_has_failed());
}

static void test_what_is_held_is_counted(void **state)
{
	(void)state;
	mem_count_start();
	void *a = mem_alloc(1), *b = mem_zalloc(1), *c = mem_realloc(NULL, 1);
	char *d = mem_copy_text(span_of_text("d"));
	assert_int_equal(mem_count_live(), 4);
	c = mem_realloc(c, 1000);
	assert_int_equal(mem_count_live(), 4);
	mem_free(NULL);
	assert_int_equal(mem_count_live(), 4);
	mem_free(a);
	mem_free(b);
	mem_free(c);
	mem_free(d);
	assert_int_equal(mem_count_live(), 0);
}

static void test_zalloc_gives_zeros(void **state)
{
	(void)state;
	static const uint8_t zeros[64];
	void *ptr = mem_zalloc(sizeof(zeros));
	assert_non_null(ptr);
	assert_memory_equal(ptr, zeros, sizeof(zeros));
	mem_free(ptr);
}

static void test_copied_text_ends_with_nul(void **state)
{
	(void)state;
	char *copy = mem_copy_text(span_of("abcdef", 3));
	assert_string_equal(copy, "abc");
	mem_free(copy);
	copy = mem_copy_text(SPAN_NONE);
	assert_string_equal(copy, "");
	mem_free(copy);
}

/* A thread may keep some ten thousand bytes to itself. */
static void test_mem_weight(void **state)
{
	(void)state;
	mem_weigh_start();
	uint64_t before = mem_weight();
	void *large = mem_alloc(10000000);
	assert_non_null(large);
	assert_in_range(mem_weight() - before, 9900000, 10200000);
	large = mem_realloc(large, 20000000);
	assert_non_null(large);
	assert_in_range(mem_weight() - before, 19900000, 20200000);
	mem_free(large);
	assert_in_range(mem_weight(), 0, before + 200000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_counted_allocation_fails_once),
		cmocka_unit_test(test_every_kind_of_allocation_can_fail),
		cmocka_unit_test(test_a_countdown_of_zero_never_fails),
		cmocka_unit_test(test_what_is_held_is_counted),
		cmocka_unit_test(test_zalloc_gives_zeros),
		cmocka_unit_test(test_copied_text_ends_with_nul),
		cmocka_unit_test(test_mem_weight),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
