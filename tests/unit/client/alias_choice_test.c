/* SPDX-License-Identifier: Apache-2.0 */
/* Which topics get an alias: those that come again, and, when there are no more, those used most. */
#include "client/alias_choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

static uint16_t use(struct alias_choice *a, const char *topic, bool *is_known)
{
	return alias_choice_use(a, span_of_text(topic), is_known);
}

static void expect(struct alias_choice *a, const char *topic, uint16_t alias, bool wants_known)
{
	bool is_known;
	assert_int_equal(use(a, topic, &is_known), alias);
	assert_int_equal(is_known, wants_known);
}

static void test_second_use_gets_one(void **state)
{
	(void)state;
	struct alias_choice a = {0};
	alias_choice_begin(&a, 2);
	expect(&a, "a", 0, false);
	expect(&a, "a", 1, false);
	expect(&a, "a", 1, true);
	expect(&a, "b", 0, false);
	expect(&a, "b", 2, false);
	expect(&a, "b", 2, true);
	/* both are taken */
	expect(&a, "c", 0, false);
	expect(&a, "c", 0, false);
	/* another connection knows nothing of it */
	alias_choice_begin(&a, 2);
	expect(&a, "a", 0, false);
	expect(&a, "a", 1, false);
	alias_choice_release(&a);
}

static void test_none_without_a_maximum(void **state)
{
	(void)state;
	struct alias_choice a = {0};
	alias_choice_begin(&a, 0);
	for (int i = 0; i < 3; i++)
		expect(&a, "a", 0, false);
	alias_choice_release(&a);
}

/* "old" was used four times; "new" takes its alias when it was used eight times. */
static void test_most_used_take_over(void **state)
{
	(void)state;
	struct alias_choice a = {0};
	alias_choice_begin(&a, 1);
	expect(&a, "old", 0, false);
	expect(&a, "old", 1, false);
	expect(&a, "old", 1, true);
	expect(&a, "old", 1, true);
	for (int i = 0; i < 7; i++)
		expect(&a, "new", 0, false);
	expect(&a, "new", 1, false);
	expect(&a, "new", 1, true);
	expect(&a, "old", 0, false);
	alias_choice_release(&a);
}

static void test_forgotten_alias_is_given_anew(void **state)
{
	(void)state;
	struct alias_choice a = {0};
	bool is_known;
	alias_choice_begin(&a, 2);
	expect(&a, "a", 0, false);
	expect(&a, "a", 1, false);
	alias_choice_forget(&a, 1);
	assert_int_equal(use(&a, "a", &is_known), 2);
	assert_false(is_known);
	alias_choice_release(&a);
}

/* A server that knows what it was told, against millions of topics: what stands for a topic is
 * never another one, and memory is bounded. */
static void test_aliases_stand_for_what_was_said(void **state)
{
	(void)state;
	struct alias_choice a = {0};
	char told[ALIAS_CHOICE_MAX + 1][16] = {{0}};
	uint64_t random = 1;
	unsigned short_count = 0;
	alias_choice_begin(&a, UINT16_MAX);
	for (unsigned i = 0; i < 200000; i++) {
		char topic[16];
		bool is_known;
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		unsigned number = (unsigned)(random >> 40) % ((random >> 60) ? 20 : 5000);
		snprintf(topic, sizeof(topic), "t/%u", number);
		uint16_t alias = use(&a, topic, &is_known);
		assert_true(alias <= ALIAS_CHOICE_MAX);
		if (is_known)
			assert_string_equal(told[alias], topic);
		else if (alias > 0)
			strcpy(told[alias], topic);
		short_count += is_known;
	}
	assert_true(a.capacity <= 4 * ALIAS_CHOICE_MAX);
	assert_true(short_count > 150000); /* the twenty that make 15 of 16 */
	alias_choice_release(&a);
}

static void test_without_memory_there_is_none(void **state)
{
	(void)state;
	for (unsigned long countdown = 1; countdown <= 2; countdown++) {
		struct alias_choice a = {0};
		mem_count_start();
		alias_choice_begin(&a, 2);
		mem_fail_after(countdown);
		expect(&a, "a", 0, false);
		mem_fail_after(0);
		expect(&a, "a", 0, false);
		expect(&a, "a", 1, false);
		alias_choice_release(&a);
		assert_int_equal(mem_count_live(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_second_use_gets_one),
		cmocka_unit_test(test_none_without_a_maximum),
		cmocka_unit_test(test_most_used_take_over),
		cmocka_unit_test(test_forgotten_alias_is_given_anew),
		cmocka_unit_test(test_aliases_stand_for_what_was_said),
		cmocka_unit_test(test_without_memory_there_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
