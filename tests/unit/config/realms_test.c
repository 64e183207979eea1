/* SPDX-License-Identifier: Apache-2.0 */
/* Realms stay with their listeners, from one configuration of a process to the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/diff.h"
#include "configured.h"

/* The next configuration takes the place of the first, which is gone then. */
static int follow(struct configured *running, const char *text)
{
	struct configured fresh;
	configure(&fresh, text, "");
	assert_string_equal(fresh.errors, "");
	int error = config_follow_realms(&fresh.config, &running->config);
	configured_release(running);
	*running = fresh;
	return error;
}

/* "1=0 2=1, closed 3=2" by port. */
static void check(const struct configured *c, const char *expected)
{
	char text[256] = "";
	size_t len = 0;
	for (size_t i = 0; i < c->config.listener_count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u=%u", i ? " " : "",
					c->config.listeners[i].port, c->config.listeners[i].realm);
	for (size_t i = 0; i < c->config.closed_count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u=%u",
					i ? " " : ", closed ", c->config.closed[i].port,
					c->config.closed[i].realm);
	assert_string_equal(text, expected);
}

#define P "per_listener_settings true\n"

static void test_realms_stay_with_their_listeners(void **state)
{
	(void)state;
	mem_count_start();
	struct configured c;
	configure(&c, P "listener 1\nacl_file /1\nlistener 2\nacl_file /2\n", "");
	check(&c, "1=0 2=1");
	assert_int_equal(follow(&c, P "listener 2\nlistener 1\n"), 0);
	check(&c, "2=1 1=0");
	assert_int_equal(follow(&c, P "listener 3\nlistener 2\n"), 0);
	check(&c, "3=2 2=1, closed 1=0");
	assert_int_equal(follow(&c, P "listener 4\n"), 0);
	check(&c, "4=3, closed 3=2 2=1 1=0");
	assert_int_equal(follow(&c, P "listener 2\nlistener 5\nlistener 1 ::1\n"), 0);
	check(&c, "2=1 5=4 1=5, closed 4=3 3=2 1=0");
	assert_int_equal(config_realm_count(&c.config), 6);
	configured_release(&c);
	assert_int_equal(mem_count_live(), 0);
}

/* Several of a place that the system chooses. */
static void test_realms_of_equal_places(void **state)
{
	(void)state;
	mem_count_start();
	struct configured c;
	configure(&c, "listener 0\nlistener 0\nlistener 7\n", "");
	assert_int_equal(follow(&c, "listener 7\nlistener 0\nlistener 0\nlistener 0\n"), 0);
	check(&c, "7=2 0=0 0=1 0=3");
	configured_release(&c);
}

/* What its clients were judged by goes with a closed one: its own, or that for all. */
static void test_realms_of_closed_ones_keep_their_files(void **state)
{
	(void)state;
	mem_count_start();
	struct configured c;
	configure(&c, "acl_file /all\nlistener 1\nlistener 2 ::1\n", "");
	assert_int_equal(follow(&c, P "listener 1\nacl_file /1\n"), 0);
	assert_string_equal(c.config.closed[0].address, "::1");
	assert_string_equal(c.config.closed[0].access.acl_file, "/all");
	assert_int_equal(follow(&c, P "listener 3\nacl_file /3\n"), 0);
	assert_string_equal(c.config.closed[0].access.acl_file, "/1");
	assert_string_equal(c.config.closed[1].access.acl_file, "/all");
	configured_release(&c);
	assert_int_equal(mem_count_live(), 0);
}

static void test_realms_come_to_an_end(void **state)
{
	(void)state;
	mem_count_start();
	struct configured c;
	char text[32];
	configure(&c, "listener 1\n", "");
	for (unsigned port = 2; port <= 64; port++) {
		snprintf(text, sizeof(text), "listener %u\n", port);
		assert_int_equal(follow(&c, text), 0);
	}
	assert_int_equal(config_realm_count(&c.config), 64);
	assert_int_equal(c.config.listeners[0].realm, 63);
	struct configured next;
	configure(&next, "listener 65\n", "");
	assert_int_equal(config_follow_realms(&next.config, &c.config), ERROR_LIMIT);
	configured_release(&next);
	/* one that was there before has its own */
	assert_int_equal(follow(&c, "listener 30\n"), 0);
	assert_int_equal(c.config.listeners[0].realm, 29);
	configured_release(&c);
}

/* Limits are found by the same number. */
static void test_realms_have_the_limits_of_their_listeners(void **state)
{
	(void)state;
	mem_count_start();
	struct configured c;
	configure(&c, "listener 1\nlistener 2\nmessage_rate 7\n", "");
	assert_string_equal(c.errors, "");
	assert_int_equal(c.config.settings.limits.listeners[1].messages_per_s, 7);
	assert_int_equal(follow(&c, "listener 2\nmessage_rate 9\nlistener 3\n"), 0);
	assert_int_equal(c.config.settings.limits.listeners[0].messages_per_s, 0);
	assert_int_equal(c.config.settings.limits.listeners[1].messages_per_s, 9);
	assert_int_equal(c.config.settings.limits.listeners[2].messages_per_s, 0);
	configured_release(&c);
}

/* One that could not be opened is gone; one that was to be closed is back. */
static void test_realms_of_listeners_that_failed(void **state)
{
	(void)state;
	mem_count_start();
	struct configured running, fresh;
	configure(&running, "listener 1 ::1\nlistener 2\n", "");
	configure(&fresh, "listener 3\nlistener 2\nlistener 4\n", "");
	assert_int_equal(config_follow_realms(&fresh.config, &running.config), 0);
	check(&fresh, "3=2 2=1 4=3, closed 1=0");
	config_drop_listener(&fresh.config, 0);
	check(&fresh, "2=1 4=3, closed 1=0");
	assert_int_equal(config_keep_listener(&fresh.config, &running.config.listeners[0]), 0);
	check(&fresh, "2=1 4=3 1=0");
	assert_string_equal(fresh.config.listeners[2].address, "::1");
	configured_release(&running);
	/* clients are judged by so many realms: they never become fewer */
	config_drop_listener(&fresh.config, 1);
	assert_int_equal(follow(&fresh, "listener 2\n"), 0);
	assert_int_equal(config_realm_count(&fresh.config), 4);
	configured_release(&fresh);
	assert_int_equal(mem_count_live(), 0);
}

static void test_realms_without_memory(void **state)
{
	(void)state;
	mem_count_start();
	struct configured running, fresh;
	bool has_failed = true;
	for (unsigned n = 1; has_failed; n++) {
		configure(&running, P "listener 1 ::1\nacl_file /1\nlistener 2\nacl_file /2\n", "");
		configure(&fresh, P "listener 3\n", "");
		mem_fail_after(n);
		int error = config_follow_realms(&fresh.config, &running.config);
		has_failed = mem_has_failed();
		assert_int_equal(error, has_failed ? ERROR_NO_MEMORY : 0);
		mem_fail_after(0);
		configured_release(&running);
		configured_release(&fresh);
		assert_int_equal(mem_count_live(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_realms_stay_with_their_listeners),
		cmocka_unit_test(test_realms_of_equal_places),
		cmocka_unit_test(test_realms_of_closed_ones_keep_their_files),
		cmocka_unit_test(test_realms_come_to_an_end),
		cmocka_unit_test(test_realms_have_the_limits_of_their_listeners),
		cmocka_unit_test(test_realms_of_listeners_that_failed),
		cmocka_unit_test(test_realms_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
