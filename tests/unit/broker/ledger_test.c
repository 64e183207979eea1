/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there how often, who is banned, and that it stays small. */
#include "broker/ledger.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW 1000000u

static struct ledger ledger;
static const struct ledger_rule rule = {.marks_max = 3, .window_ms = 1000, .ban_ms = 5000};

static struct ledger_key key(unsigned number)
{
	struct ledger_key k = {{0}};
	memcpy(k.bytes + 1, &number, sizeof(number));
	return k;
}

static int setup(void **state)
{
	(void)state;
	mem_count_start();
	memset(&ledger, 0, sizeof(ledger));
	ledger_init(&ledger, 42, 320);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ledger_release(&ledger);
	assert_int_equal(mem_count_live(), 0);
	return 0;
}

static void test_ledger_connections(void **state)
{
	struct ledger_key a = key(1), b = key(2);
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ledger_enter(&ledger, &a, 3, NOW), LEDGER_WELCOME);
	assert_int_equal(ledger_enter(&ledger, &a, 3, NOW), LEDGER_TOO_MANY);
	assert_int_equal(ledger_enter(&ledger, &b, 3, NOW), LEDGER_WELCOME);
	ledger_leave(&ledger, &a);
	assert_int_equal(ledger_enter(&ledger, &a, 3, NOW), LEDGER_WELCOME);
	assert_int_equal(ledger_enter(&ledger, &a, 3, NOW), LEDGER_TOO_MANY);
	assert_int_equal(ledger_enter(&ledger, &a, 0, NOW), LEDGER_WELCOME);
	/* nothing is kept of those who did nothing */
	for (unsigned i = 0; i < 4; i++)
		ledger_leave(&ledger, &a);
	ledger_leave(&ledger, &b);
	assert_int_equal(ledger_count(&ledger), 0);
	ledger_leave(&ledger, &b);
}

static void test_ledger_bans(void **state)
{
	struct ledger_key a = key(1);
	(void)state;
	assert_false(ledger_note(&ledger, &a, MARK_FAILED_LOGIN, &rule, NOW));
	assert_false(ledger_note(&ledger, &a, MARK_FAILED_LOGIN, &rule, NOW + 500));
	assert_false(ledger_note(&ledger, &a, MARK_ERROR, &rule, NOW + 600));
	assert_false(ledger_is_banned(&ledger, &a, NOW + 999));
	assert_true(ledger_note(&ledger, &a, MARK_FAILED_LOGIN, &rule, NOW + 999));
	assert_true(ledger_is_banned(&ledger, &a, NOW + 999));
	assert_int_equal(ledger_enter(&ledger, &a, 0, NOW + 5998), LEDGER_BANNED);
	/* what happens meanwhile neither counts nor makes it longer */
	for (unsigned i = 0; i < 5; i++)
		assert_false(ledger_note(&ledger, &a, MARK_FAILED_LOGIN, &rule, NOW + 5998));
	assert_int_equal(ledger_enter(&ledger, &a, 0, NOW + 5999), LEDGER_WELCOME);
	assert_false(ledger_note(&ledger, &a, MARK_FAILED_LOGIN, &rule, NOW + 5999));
}

static void test_ledger_window_passes(void **state)
{
	struct ledger_key a = key(1);
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		assert_false(ledger_note(&ledger, &a, MARK_CONNECT, &rule, NOW + i * 501));
}

static void test_ledger_no_rule(void **state)
{
	const struct ledger_rule none = {.window_ms = 1000, .ban_ms = 1000};
	struct ledger_key a = key(1);
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		assert_false(ledger_note(&ledger, &a, MARK_CONNECT, &none, NOW));
	assert_int_equal(ledger_count(&ledger), 0);
}

/* A large network with an address for each attempt: the bans stay longer than what did little, and
 * those who are connected stay counted. */
static void test_ledger_is_bounded(void **state)
{
	struct ledger_key banned = key(1), there = key(2), other;
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		(void)ledger_note(&ledger, &banned, MARK_ERROR, &rule, NOW);
	assert_int_equal(ledger_enter(&ledger, &there, 1, NOW), LEDGER_WELCOME);
	for (unsigned i = 0; i < 100000; i++) {
		other = key(i + 1000);
		assert_false(ledger_note(&ledger, &other, MARK_ERROR, &rule, NOW + 1));
	}
	assert_in_range(ledger_count(&ledger), 300, 320 + LEDGER_STRIPES + 1);
	assert_true(ledger_is_banned(&ledger, &banned, NOW + 1));
	assert_int_equal(ledger_enter(&ledger, &there, 1, NOW), LEDGER_TOO_MANY);
}

static void test_ledger_only_bans(void **state)
{
	struct ledger_key k;
	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		k = key(i);
		for (unsigned j = 0; j < 3; j++)
			(void)ledger_note(&ledger, &k, MARK_ERROR, &rule, NOW);
	}
	assert_in_range(ledger_count(&ledger), 300, 320 + LEDGER_STRIPES);
	assert_true(ledger_is_banned(&ledger, &k, NOW));
}

/* Without memory everybody comes in. */
static void test_ledger_no_memory(void **state)
{
	struct ledger_key a = key(1);
	(void)state;
	for (unsigned i = 1; i <= 2; i++) {
		mem_fail_after(i);
		assert_int_equal(ledger_enter(&ledger, &a, 1, NOW), LEDGER_WELCOME);
		assert_true(mem_has_failed());
		mem_fail_after(0);
		ledger_leave(&ledger, &a);
		mem_fail_after(i);
		assert_false(ledger_note(&ledger, &a, MARK_ERROR, &rule, NOW));
		mem_fail_after(0);
	}
}

static void *come_and_go(void *context)
{
	unsigned first = *(unsigned *)context;
	for (unsigned i = 0; i < 20000; i++) {
		struct ledger_key k = key(first + i % 8);
		if (ledger_enter(&ledger, &k, 0, NOW) == LEDGER_WELCOME)
			ledger_leave(&ledger, &k);
		(void)ledger_is_banned(&ledger, &k, NOW);
	}
	return NULL;
}

static void test_ledger_threads(void **state)
{
	pthread_t threads[3];
	unsigned first[3] = {0, 4, 8};
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &first[i]), 0);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(ledger_count(&ledger), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ledger_connections),   TEST(test_ledger_bans),
		TEST(test_ledger_window_passes), TEST(test_ledger_no_rule),
		TEST(test_ledger_is_bounded),    TEST(test_ledger_only_bans),
		TEST(test_ledger_no_memory),     TEST(test_ledger_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
