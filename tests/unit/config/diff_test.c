/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration that is read anew changes, as lines of the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/diff.h"
#include "config/value_text.h"
#include "configured.h"

static void assert_lines(const struct buffer *lines, const char *expected)
{
	char *text = mem_copy_text(buffer_content(lines));
	assert_string_equal(text, expected);
	mem_free(text);
}

static void check(const char *before, const char *after, const char *changes, const char *restarts)
{
	struct configured a, b;
	struct config_diff d;
	mem_count_start();
	configure(&a, before, "");
	configure(&b, after, "");
	assert_string_equal(a.errors, "");
	assert_string_equal(b.errors, "");
	config_compare(&a.config, &b.config, &d);
	assert_lines(&d.changes, changes);
	assert_lines(&d.restarts, restarts);
	config_diff_release(&d);
	configured_release(&a);
	configured_release(&b);
	assert_int_equal(mem_count_live(), 0);
}

#define L "listener 1883\nallow_anonymous true\n"

static void test_diff_of_values(void **state)
{
	(void)state;
	check(L, L "# nothing else\n", "", "");
	check(L, L "max_qos 1\n", "max_qos of listener 1883: 2 -> 1\n", "");
	check(L "max_qos 1\n", L "maximum_qos 0\n", "max_qos of listener 1883: 1 -> 0\n", "");
	check(L "max_keepalive 100\n", L, "max_keepalive: 100 -> 0\n", "");
	check(L, L "connect_timeout 7\n", "connect_timeout: 30 -> 7\n", "");
	check(L "persistent_client_expiration 2w\n", L "persistent_client_expiration 36h\n",
	      "persistent_client_expiration: 2w -> 36h\n", "");
	check(L "persistent_client_expiration 100y\n", L,
	      "persistent_client_expiration: 100y -> not set\n", "");
	check(L, L "queue_full_policy drop-oldest\n", "queue_full_policy: refuse -> drop-oldest\n",
	      "");
	check(L, L "retain_available false\n", "retain_available: true -> false\n", "");
	check(L "acl_file /a b\n", L "acl_file /c\n", "acl_file: /a b -> /c\n", "");
	check(L, L "max_queued_messages 5\n",
	      "max_queued_messages: 10000 -> 5\nabsent_queue_messages: 100000 -> 5\n", "");
	check(L, L "log_facility 3\n", "log_facility: daemon -> 3\n", "");
}

static void test_diff_of_the_log(void **state)
{
	(void)state;
	check(L, L "log_dest stdout\nlog_dest file /l\n", "log_dest: stderr -> stdout, file /l\n",
	      "");
	check(L "log_dest file /k\n", L "log_dest file /l\n", "log_dest: file /k -> file /l\n", "");
	check(L, L "log_dest none\n", "log_dest: stderr -> none\n", "");
	check(L, L "log_type error\n", "log_type: error, warning, notice, information -> error\n",
	      "");
	check(L, L "connection_messages false\n", "connection_messages: true -> false\n", "");
}

static void test_diff_of_listeners(void **state)
{
	(void)state;
	check(L, L "listener 1884 ::1\nlistener 0 /run/n\n",
	      "listener 1884 ::1: is opened\nlistener 0 /run/n: is opened\n", "");
	check(L "listener 1884\n", L, "listener 1884: is closed\n", "");
	check(L, "listener 1883 127.0.0.1\nallow_anonymous true\n",
	      "listener 1883: is closed\nlistener 1883 127.0.0.1: is opened\n", "");
	check(L "listener 1884\nprotocol websockets\n",
	      "listener 1884\nprotocol mqtt\nwebsockets_headers_size 600\n" L,
	      "protocol of listener 1884: websockets -> mqtt\n"
	      "websockets_headers_size of listener 1884: 8192 -> 600\n",
	      "");
	check(L "listener 0 /s\nsocket_mode 600\n", L "listener 0 /s\nsocket_mode 0660\n",
	      "socket_mode of listener 0 /s: 0600 -> 0660\n", "");
	check(L "durability off\n", L, "durability of listener 1883: off -> as the broker's\n", "");
	check(L "certfile a\nkeyfile b\n",
	      L "certfile a\nkeyfile c\ntls_certificate d e\ntls_certificate f g\n",
	      "keyfile of listener 1883: b -> c\n"
	      "tls_certificate of listener 1883: not set -> d e;f g\n",
	      "");
}

static void test_diff_of_access(void **state)
{
	(void)state;
	check("per_listener_settings true\nlistener 1\nallow_anonymous true\nlistener 2\n"
	      "allow_anonymous true\n",
	      "per_listener_settings true\nlistener 2\npassword_file p\nlistener 1\n"
	      "allow_anonymous true\n",
	      "allow_anonymous of listener 2: true -> false\n"
	      "password_file of listener 2: not set -> p\n",
	      "");
	check("listener 1\nallow_anonymous true\n",
	      "per_listener_settings true\nlistener 1\npassword_file p\n",
	      "per_listener_settings: false -> true\n", "");
}

static void test_diff_of_what_takes_a_restart(void **state)
{
	(void)state;
#define LATER " takes a restart; until then the first holds\n"
	check(L "shards 4\n", L "shards 8\nmax_keepalive 9\n", "max_keepalive: 0 -> 9\n",
	      "shards: 4 -> 8" LATER);
	check(L, L "persistence false\n", "",
	      "persistence: true -> false" LATER "durability: always -> off" LATER);
	check(L, "durability interval 50\npid_file /p\n" L, "",
	      "durability: always -> interval 50" LATER "pid_file: not set -> /p" LATER);
	check(L, L "storage_limit 70000\nuser u\n", "",
	      "storage_limit: 0 -> 70000" LATER "user: not set -> u" LATER);
}

/* What cannot change stays, everything else is the new one's, and nothing is lost or freed twice. */
static void test_diff_keeps_what_cannot_change(void **state)
{
	(void)state;
	struct configured a, b, c;
	struct config_diff d;
	const char *fixed = L "shards 3\nuser u\npid_file /p\npersistence_location /s\n"
			      "storage_limit 70000\n";
	mem_count_start();
	configure(&a, fixed, "");
	configure(&c, fixed, "");
	configure(&b, L "shards 9\nuser v\npersistence false\nacl_file /a\nmax_qos 1\n", "");
	config_keep_fixed(&a.config, &b.config);
	config_compare(&b.config, &c.config, &d);
	assert_int_equal(d.restart_count, 0);
	assert_lines(&d.changes, "max_qos of listener 1883: 1 -> 2\nacl_file: /a -> not set\n");
	config_diff_release(&d);
	configured_release(&a);
	configured_release(&b);
	configured_release(&c);
	assert_int_equal(mem_count_live(), 0);
}

static void test_diff_shows_no_secret(void **state)
{
	(void)state;
	char text[VALUE_TEXT_MAX];
	struct option secret = *option_named(SPAN_LITERAL("pid_file"));
	struct config c = {.pid_file = (char *)(uintptr_t) "hunter2"};
	option_value_text(&secret, &c, text);
	assert_string_equal(text, "hunter2");
	secret.is_secret = true;
	option_value_text(&secret, &c, text);
	assert_string_equal(text, "(not shown)");
}

/* Every option that is obeyed says when a change of it holds, and no other does. */
static void test_diff_every_option_says_when(void **state)
{
	(void)state;
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *o = option_at(i);
		bool is_said = o->change != OPTION_CHANGE_UNSAID;
		if (is_said != (o->status == OPTION_SUPPORTED))
			print_error("%s: when does a change hold (.change)?\n", o->name);
		assert_int_equal(is_said, o->status == OPTION_SUPPORTED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diff_of_values),
		cmocka_unit_test(test_diff_of_the_log),
		cmocka_unit_test(test_diff_of_listeners),
		cmocka_unit_test(test_diff_of_access),
		cmocka_unit_test(test_diff_of_what_takes_a_restart),
		cmocka_unit_test(test_diff_keeps_what_cannot_change),
		cmocka_unit_test(test_diff_shows_no_secret),
		cmocka_unit_test(test_diff_every_option_says_when),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
