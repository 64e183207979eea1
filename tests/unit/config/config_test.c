/* SPDX-License-Identifier: Apache-2.0 */
/* Whole configurations: what a file means, and what the command line adds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "broker/broker.h"
#include "configured.h"

#define TLS_AT(port) "listener " port "\ncertfile /c\nkeyfile /k\n"

static void test_config_of_nothing_is_local_only(void **state)
{
	(void)state;
	struct configured c;
	configure(&c, NULL, "");
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.config.listener_count, 1);
	assert_int_equal(c.config.listeners[0].port, 1883);
	assert_true(c.config.listeners[0].is_loopback);
	assert_null(c.config.listeners[0].address);
	assert_true(c.config.settings.allow_anonymous);
	assert_int_equal(c.config.log_destinations, LOG_TO_STDERR);
	assert_int_equal(c.config.log_types, LOG_TYPES_DEFAULT);
	assert_string_equal(c.notices, "");
	configured_release(&c);
}

static void test_config_without_listener_is_local_only(void **state)
{
	(void)state;
	struct configured c;
	configure(&c, "max_queued_messages 5\nmax_connections 3\nsocket_domain ipv4\n", "");
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.config.listener_count, 1);
	assert_true(c.config.listeners[0].is_loopback);
	assert_int_equal(c.config.listeners[0].family, SOCKET_FAMILY_IPV4);
	assert_int_equal(c.config.settings.connections_max, 3);
	assert_true(c.config.settings.allow_anonymous);
	assert_non_null(strstr(c.notices, "only this machine can connect"));
	configured_release(&c);
}

static void test_config_ports_of_the_command_line(void **state)
{
	(void)state;
	struct configured c;
	configure(&c, "max_qos 1\n", "0 1885");
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.config.listener_count, 2);
	assert_int_equal(c.config.listeners[0].port, 0);
	assert_int_equal(c.config.listeners[1].port, 1885);
	assert_true(c.config.listeners[1].is_loopback);
	assert_int_equal(c.config.settings.qos_max, 1);
	configured_release(&c);

	configure(&c, "bind_address 127.0.0.1\n", "1885");
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.config.listener_count, 1);
	assert_int_equal(c.config.listeners[0].port, 1885);
	assert_false(c.config.listeners[0].is_loopback);
	configured_release(&c);
}

/* As mosquitto 2.0: whoever opens the broker says who may come in. */
static void test_config_with_listener_refuses_anonymous_clients(void **state)
{
	(void)state;
	static const char *const texts[] = {"listener 1884", "listener 1884 127.0.0.1", "port 1884",
					    "bind_address 127.0.0.1"};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct configured c;
		configure(&c, texts[i], "");
		assert_int_equal(c.rc, 0);
		assert_false(c.config.settings.allow_anonymous);
		assert_false(c.config.listeners[0].is_loopback);
		assert_non_null(strstr(c.notices, "refused as not authorized"));
		configured_release(&c);
	}
}

/* They have names by their certificates, shared keys or the kernel. */
static void test_config_with_names_from_elsewhere_is_no_reason_for_a_notice(void **state)
{
	(void)state;
	static const struct {
		const char *text, *notice;
	} cases[] = {
		{"listener 1\ncertfile /c\nkeyfile /k\ncafile /a\nrequire_certificate true\n"
		 "use_identity_as_username true\n",
		 NULL},
		{"listener 0 /s\nuse_peer_credentials_as_username true\n", NULL},
		{"listener 0 /s\nuse_peer_credentials_as_username true\nlistener 2\n",
		 "Every client of port 2 will be refused"},
		{"listener 1\nlistener 2\n", "Every client will be refused"},
		{"listener 1\npsk_hint h\npsk_file /p\n",
		 "psk_file gives names only with use_identity_as_username true"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct configured c;
		configure(&c, cases[i].text, "");
		assert_string_equal(c.errors, "");
		if (cases[i].notice)
			assert_non_null(strstr(c.notices, cases[i].notice));
		else
			assert_string_equal(c.notices, "");
		configured_release(&c);
	}
}

static void test_config_with_listener_and_leave_for_anonymous_clients(void **state)
{
	(void)state;
	struct configured c;
	configure(&c, "allow_anonymous true\nlistener 1884", "");
	assert_int_equal(c.rc, 0);
	assert_true(c.config.settings.allow_anonymous);
	assert_string_equal(c.notices, "");
	configured_release(&c);
}

static void test_config_listeners_with_options_of_their_own(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "allow_anonymous true\nport 1880\nbind_address 10.0.0.1\nmax_qos 1\n"
		  "listener 1881\nmax_qos 1\nsocket_domain ipv4\n"
		  "listener 1882 ::1\nsocket_domain ipv6\nmax_qos 1\n",
		  "");
	assert_string_equal(c.errors, "");
	assert_int_equal(c.config.listener_count, 3);
	assert_int_equal(c.config.listeners[0].port, 1881);
	assert_int_equal(c.config.listeners[0].family, SOCKET_FAMILY_IPV4);
	assert_int_equal(c.config.listeners[0].place.line, 5);
	assert_int_equal(c.config.listeners[1].family, SOCKET_FAMILY_IPV6);
	assert_string_equal(c.config.listeners[1].address, "::1");
	assert_int_equal(c.config.listeners[2].port, 1880);
	assert_string_equal(c.config.listeners[2].address, "10.0.0.1");
	assert_int_equal(c.config.settings.qos_max, 1);
	configured_release(&c);
}

static void test_config_same_port_on_different_places(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "listener 1883\nsocket_domain ipv4\nlistener 1883\nsocket_domain ipv6\n"
		  "listener 1883 10.0.0.1\nlistener 0\nlistener 0\n",
		  "");
	assert_string_equal(c.errors, "");
	assert_int_equal(c.config.listener_count, 5);
	configured_release(&c);
}

static void test_config_too_many_listeners(void **state)
{
	(void)state;
	struct configured c = {0};
	config_init(&c.config);
	struct buffer text = {0};
	for (unsigned i = 0; i < CONFIG_LISTENERS_MAX + 1; i++)
		assert_int_equal(buffer_append(&text, SPAN_LITERAL("listener 0 localhost\n")), 0);
	assert_int_equal(buffer_append(&text, SPAN_LITERAL("port 1\n")), 0);
	assert_int_equal(config_load_text(&c.config, "f.conf", buffer_content(&text), &c.report),
			 ERROR_INVALID);
	configured_finish(&c);
	assert_string_equal(c.errors, "f.conf:65: listener: more than 64 listeners\n"
				      "listener: more than 64 listeners\n");
	buffer_release(&text);
	configured_release(&c);
}

static void test_config_queues_of_absent_clients_follow(void **state)
{
	(void)state;
	struct configured c;
	configure(&c, "max_queued_messages 5\nmax_queued_bytes 6\n", "");
	assert_int_equal(c.config.settings.absent_queue_messages_max, 5);
	assert_int_equal(c.config.settings.absent_queue_bytes_max, 6);
	configured_release(&c);
	configure(&c,
		  "absent_queue_messages 7\nmax_queued_messages 5\nmax_queued_bytes 6\n"
		  "absent_queue_bytes 8\n",
		  "");
	assert_int_equal(c.config.settings.absent_queue_messages_max, 7);
	assert_int_equal(c.config.settings.absent_queue_bytes_max, 8);
	configured_release(&c);
}

static void test_config_stores_by_default(void **state)
{
	(void)state;
	struct configured c;
	configure(&c, NULL, "");
	assert_true(c.config.store.is_wanted);
	assert_int_equal(c.config.store.durability, DURABILITY_ALWAYS);
	assert_int_equal(c.config.store.budget_bytes_per_day, -1);
	assert_null(c.config.store.path);
	configured_release(&c);
}

/* What a file of mosquitto's says about its saving is right, and means something else here. */
static void test_config_saving_of_mosquitto_is_noticed(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "allow_anonymous true\nlistener 1884\npersistence_file mosquitto.db\n"
		  "autosave_interval 1800\nautosave_on_changes true\n",
		  "");
	assert_string_equal(c.errors, "");
	assert_non_null(strstr(c.notices, "f.conf:3: persistence_file: has no effect: the store is "
					  "a directory"));
	assert_non_null(strstr(c.notices, "f.conf:4: autosave_interval: has no effect: "));
	assert_non_null(strstr(c.notices, "f.conf:5: autosave_on_changes: has no effect: "));
	configured_release(&c);
}

/* One sentence each, at its first line; what stands alone is told, too. */
static void test_config_bridges_and_plugins_are_refused_once(void **state)
{
	(void)state;
	struct configured c;
	configure(
		&c,
		"topic # out\nplugin /a.so\nplugin_opt_x 1\nconnection north\naddress north:1883\n"
		"topic # both\nusername x\nmax_qos 7\nconnection south\naddress south\n"
		"plugin_opt_y 2\nauth_plugin /b.so\n",
		"");
	static const char *const beginnings[] = {
		"f.conf:1: topic: an option of a bridge",
		"f.conf:2: plugin: this version loads no",
		"f.conf:4: connection: this version has no bridges",
		"f.conf:8: max_qos: '7'",
		"f.conf:9: connection: ",
		"f.conf:12: auth_plugin: ",
	};
	const char *line = c.errors;
	for (size_t i = 0; i < ARRAY_COUNT(beginnings); i++) {
		assert_memory_equal(line, beginnings[i], strlen(beginnings[i]));
		line = strchr(line, '\n') + 1;
	}
	assert_string_equal(line, "");
	configured_release(&c);
}

/* As mosquitto: it listens where the file says. */
static void test_config_ports_are_ignored_when_told_so(void **state)
{
	(void)state;
	struct configured c = {0};
	config_init(&c.config);
	assert_int_equal(config_load_text(&c.config, "f.conf",
					  SPAN_LITERAL("allow_anonymous true\nlistener 1884\n"),
					  &c.report),
			 0);
	config_ignore_stray_ports(&c.config);
	assert_int_equal(config_add_port(&c.config, "1885", &c.report), 0);
	configured_finish(&c);
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.config.listener_count, 1);
	assert_int_equal(c.config.listeners[0].port, 1884);
	assert_string_equal(c.notices,
			    "-p is ignored: the configuration names its ports itself.\n");
	configured_release(&c);
}

static void test_config_key_log_is_for_listeners_with_tls(void **state)
{
	(void)state;
	struct configured c = {0};
	config_init(&c.config);
	assert_int_equal(config_load_text(&c.config, "f.conf",
					  SPAN_LITERAL("listener 1\n" TLS_AT(
						  "2") "tls_keylog /a\n" TLS_AT("3")),
					  &c.report),
			 0);
	assert_int_equal(config_set_key_log(&c.config, "/b"), 0);
	configured_finish(&c);
	assert_string_equal(c.errors, "");
	assert_null(c.config.listeners[0].tls.key_log_file);
	assert_string_equal(c.config.listeners[1].tls.key_log_file, "/b");
	assert_string_equal(c.config.listeners[2].tls.key_log_file, "/b");
	configured_release(&c);
}

static void test_config_types_of_lines_that_are_never_written(void **state)
{
	(void)state;
	struct configured c;
	configure(&c, "allow_anonymous true\nlistener 1\nlog_type error\nlog_type websockets\n",
		  "");
	assert_string_equal(c.errors, "");
	assert_string_equal(c.notices, "f.conf:4: log_type: 'websockets' has no effect: no line is "
				       "of this type\n");
	assert_int_equal(c.config.log_types, LOG_TYPE_ERROR);
	configured_release(&c);
}

static void test_config_options_of_no_store_are_noticed(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "persistence false\npersistence_location /a\non_damage report\n"
		  "allow_anonymous true\nlistener 1884\ndurability always\n",
		  "");
	assert_string_equal(c.errors, "");
	assert_string_equal(c.notices,
			    "persistence_location has no effect: nothing is stored.\n"
			    "on_damage has no effect: nothing is stored.\n"
			    "durability always of port 1884 has no effect: nothing is stored.\n");
	configured_release(&c);
}

static void test_config_durability_is_each_listeners_own(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "allow_anonymous true\ndurability interval 7\nlistener 1\ndurability off\n"
		  "listener 2\nlistener 3\ndurability always\ndurability always\n",
		  "");
	assert_string_equal(c.errors, "");
	assert_int_equal(c.config.listeners[0].answer, ANSWER_AT_ONCE);
	assert_int_equal(c.config.listeners[1].answer, ANSWER_USUAL);
	assert_int_equal(c.config.listeners[2].answer, ANSWER_WHEN_DURABLE);
	assert_int_equal(c.config.store.durability, DURABILITY_INTERVAL);
	assert_int_equal(c.config.store.interval_ms, 7);
	configured_release(&c);
}

static void test_config_repeated_line_is_no_contradiction(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "max_qos 1\nmax_qos 1\nuser a\nuser a\npersistence false\npersistence 0\n"
		  "log_dest file a\nlog_dest file a\nport 1\nport 1\n",
		  "");
	assert_string_equal(c.errors, "");
	configured_release(&c);
}

static void test_config_lower_of_both_connection_limits(void **state)
{
	(void)state;
	struct configured c;
	configure(&c, "listener 1\nmax_connections 5\nconnections_max 4\n", "");
	assert_int_equal(c.config.settings.connections_max, 4);
	configured_release(&c);
	configure(&c, "listener 1\nmax_connections 3\nconnections_max 4\n", "");
	assert_int_equal(c.config.settings.connections_max, 3);
	configured_release(&c);
	/* each of several counts its own */
	configure(&c,
		  "connections_max 9\nlistener 1\nmax_connections 5\nlistener 2\nlistener 3\n"
		  "max_connections -1\n",
		  "");
	assert_string_equal(c.errors, "");
	assert_int_equal(c.config.settings.connections_max, 9);
	assert_int_equal(c.config.settings.limits.listeners[0].connections_max, 5);
	assert_int_equal(c.config.settings.limits.listeners[1].connections_max, 0);
	assert_int_equal(c.config.settings.limits.listeners[2].connections_max, 0);
	configured_release(&c);
}

static void test_config_set_wins_over_the_file(void **state)
{
	(void)state;
	struct configured c = {0};
	config_init(&c.config);
	struct span text = SPAN_LITERAL("listener 1\nmax_qos 1\nlistener 2\nmax_qos 1\nshards 3\n");
	assert_int_equal(config_load_text(&c.config, "f.conf", text, &c.report), 0);
	assert_int_equal(config_set(&c.config, "shards", "8", &c.report), 0);
	assert_int_equal(config_set(&c.config, "max_qos", "0", &c.report), 0);
	assert_int_equal(config_set(&c.config, "allow_anonymous", "true", &c.report), 0);
	config_set_verbose(&c.config);
	configured_finish(&c);
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.config.shards, 8);
	assert_int_equal(c.config.settings.qos_max, 0);
	assert_true(c.config.settings.allow_anonymous);
	assert_int_equal(c.config.log_types, LOG_TYPES_ALL);
	configured_release(&c);
}

static void test_config_set_moves_the_default_listener(void **state)
{
	(void)state;
	struct configured c = {0};
	config_init(&c.config);
	struct span text = SPAN_LITERAL("bind_address ::1\nport 1\n");
	assert_int_equal(config_load_text(&c.config, "f.conf", text, &c.report), 0);
	assert_int_equal(config_set(&c.config, "bind_address", "127.0.0.1", &c.report), 0);
	assert_int_equal(config_set(&c.config, "port", "2", &c.report), 0);
	configured_finish(&c);
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.config.listener_count, 1);
	assert_string_equal(c.config.listeners[0].address, "127.0.0.1");
	assert_int_equal(c.config.listeners[0].port, 2);
	configured_release(&c);
}

static void test_config_set_mistakes_name_no_file(void **state)
{
	(void)state;
	struct configured c = {0};
	config_init(&c.config);
	assert_int_equal(config_set(&c.config, "shards", "65", &c.report), ERROR_INVALID);
	assert_int_equal(config_add_port(&c.config, "http", &c.report), ERROR_INVALID);
	assert_int_equal(config_add_port(&c.config, "65536", &c.report), ERROR_INVALID);
	assert_int_equal(config_add_port(&c.config, "", &c.report), ERROR_INVALID);
	configured_finish(&c);
	assert_string_equal(c.errors, "shards: '65' is not between 0 and 64\n"
				      "-p: 'http' is no port from 0 to 65535\n"
				      "-p: '65536' is no port from 0 to 65535\n"
				      "-p: '' is no port from 0 to 65535\n");
	configured_release(&c);
}

/* Whatever allocation fails: an error, nothing left behind. */
static void test_config_without_memory(void **state)
{
	(void)state;
	struct span text = SPAN_LITERAL("listener 1884 localhost\nuser joe\nmax_qos 7\n"
					"log_dest file /x\nbind_address a\nport 5\n");
	unsigned long countdown = 1;
	bool has_failed = true;
	mem_count_start();
	for (; has_failed; countdown++) {
		struct config c;
		struct config_report report = {0};
		config_init(&c);
		mem_fail_after(countdown);
		int rc = config_load_text(&c, "f.conf", text, &report);
		int finish_rc = config_finish(&c, &report);
		has_failed = mem_has_failed();
		mem_fail_after(0);
		if (has_failed)
			assert_true(rc == ERROR_NO_MEMORY || finish_rc == ERROR_NO_MEMORY);
		config_report_release(&report);
		config_release(&c);
		assert_int_equal(mem_count_live(), 0);
	}
	assert_true(countdown > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_of_nothing_is_local_only),
		cmocka_unit_test(test_config_without_listener_is_local_only),
		cmocka_unit_test(test_config_ports_of_the_command_line),
		cmocka_unit_test(test_config_with_listener_refuses_anonymous_clients),
		cmocka_unit_test(test_config_with_listener_and_leave_for_anonymous_clients),
		cmocka_unit_test(test_config_with_names_from_elsewhere_is_no_reason_for_a_notice),
		cmocka_unit_test(test_config_listeners_with_options_of_their_own),
		cmocka_unit_test(test_config_same_port_on_different_places),
		cmocka_unit_test(test_config_too_many_listeners),
		cmocka_unit_test(test_config_queues_of_absent_clients_follow),
		cmocka_unit_test(test_config_stores_by_default),
		cmocka_unit_test(test_config_saving_of_mosquitto_is_noticed),
		cmocka_unit_test(test_config_bridges_and_plugins_are_refused_once),
		cmocka_unit_test(test_config_ports_are_ignored_when_told_so),
		cmocka_unit_test(test_config_key_log_is_for_listeners_with_tls),
		cmocka_unit_test(test_config_types_of_lines_that_are_never_written),
		cmocka_unit_test(test_config_options_of_no_store_are_noticed),
		cmocka_unit_test(test_config_durability_is_each_listeners_own),
		cmocka_unit_test(test_config_repeated_line_is_no_contradiction),
		cmocka_unit_test(test_config_lower_of_both_connection_limits),
		cmocka_unit_test(test_config_set_wins_over_the_file),
		cmocka_unit_test(test_config_set_moves_the_default_listener),
		cmocka_unit_test(test_config_set_mistakes_name_no_file),
		cmocka_unit_test(test_config_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
