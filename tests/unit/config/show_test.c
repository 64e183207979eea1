/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration that is shown, read again, is the same; and each line says where it is from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/diff.h"
#include "config/show.h"
#include "configured.h"

static char *shown(const struct config *c, bool is_effective)
{
	struct buffer out = {0};
	assert_int_equal(config_show(c, is_effective, &out), 0);
	char *text = mem_copy_text(buffer_content(&out));
	assert_non_null(text);
	buffer_release(&out);
	return text;
}

/* Without comments: those say where a line is from. */
static char *values_of(const char *text)
{
	struct buffer out = {0};
	while (*text) {
		size_t len = strcspn(text, "\n");
		if (len > 0 && text[0] != '#')
			assert_int_equal(buffer_append(&out, span_of(text, len + 1)), 0);
		text += len + (text[len] == '\n');
	}
	char *values = mem_copy_text(buffer_content(&out));
	assert_non_null(values);
	buffer_release(&out);
	return values;
}

/* Shown, read and shown again: the same values. */
static void check_round(const struct config *c, bool is_effective, bool has_same_places)
{
	struct configured again;
	char *first = shown(c, is_effective);
	configure(&again, first, "");
	if (again.rc)
		print_error("%s\n%s", again.errors, first);
	assert_int_equal(again.rc, 0);
	char *second = shown(&again.config, is_effective);
	char *values = values_of(first), *values_again = values_of(second);
	assert_string_equal(values_again, values);
	struct config_diff d;
	config_compare(c, &again.config, &d);
	if (has_same_places) {
		assert_int_equal(buffer_append(&d.changes, SPAN_LITERAL("\0")), 0);
		assert_string_equal((char *)buffer_content(&d.changes).ptr, "");
		assert_int_equal(d.restart_count, 0);
	}
	config_diff_release(&d);
	mem_free(first);
	mem_free(second);
	mem_free(values);
	mem_free(values_again);
	configured_release(&again);
}

struct round_case {
	const char *text;
	const char *ports;
	bool has_loopback; /* it comes back as a listener of localhost */
};

static const struct round_case round_cases[] = {
	{NULL, "", true},
	{"max_qos 1\npersistence_location /var/lib/m m\n", "", true},
	{NULL, "1884 1885", true},
	{"listener 1884\nlistener 1885 ::1\nsocket_domain ipv6\nlistener 0 /run/a b\n"
	 "socket_mode 0660\nsocket_owner root\n",
	 "", false},
	{"port 1884\nbind_address 10.0.0.1\nmax_connections 5\nallow_anonymous true\n", "", false},
	{"per_listener_settings true\nlistener 1\npassword_file /p\nacl_file /a\n"
	 "listener 2\nallow_anonymous true\nclientid_prefixes x\nuse_username_as_clientid 1\n",
	 "", false},
	{"password_file /p\nallow_anonymous false\nlistener 1\n", "", false},
	{"listener 8883\ncertfile /c\nkeyfile /k\ncafile /ca\nrequire_certificate true\n"
	 "use_identity_as_username true\ntls_certificate /a /b\ntls_certificate /c /d /e\n"
	 "tls_version tlsv1.3\nciphers_tls1.3 TLS_AES_128_GCM_SHA256\n"
	 "listener 9001\nprotocol websockets\nwebsockets_origin https://a.example\n",
	 "", false},
	{"psk_file /p\nlistener 1\npsk_hint h\nlistener 2\nproxy_protocol true\n"
	 "use_identity_as_username true\n",
	 "", false},
	{"websockets_headers_size 600\nlistener 1\naccept_protocol_versions 4,5\n"
	 "listener_allow_anonymous true\nlistener 2\nenable_proxy_protocol 2\n"
	 "proxy_protocol_v2_require_tls true\nrequire_certificate true\n"
	 "websockets_headers_size 700\n",
	 "", false},
	{"durability interval 20\nlistener 1\ndurability off\nlistener 2\ndurability always\n", "",
	 false},
	{"durability off\nlistener 1\n", "", false},
	{"persistence false\npersistence_location /x\nlistener 1\n", "", false},
	{"log_dest stderr\nlog_dest file /tmp/a, b\nlog_type error\nlog_type subscribe\n"
	 "log_timestamp_format %Y, %m\nlog_facility 3\nconnection_messages false\nlistener 1\n",
	 "", false},
	{"log_dest none\nlog_type none\nlistener 1\n", "", false},
	{"log_type all\nlistener 1\n", "", false},
	{"max_queued_messages 5\nmax_queued_bytes 6\nabsent_queue_messages 7\nlistener 1\n", "",
	 false},
	{"persistent_client_expiration 90s\nmax_inflight_messages 0\nretry_interval 20\n"
	 "storage_daily_write_budget 9\nstorage_segment_size 65536\nlistener 1\n",
	 "", false},
	{"persistent_client_expiration 14d\nglobal_max_connections -1\nglobal_max_clients 3\n"
	 "user root\npid_file /run/p\nresponse_information r/\nshards 3\nlistener 1\n",
	 "", false},
};

static void test_show_read_again_is_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(round_cases); i++) {
		struct configured c;
		configure(&c, round_cases[i].text, round_cases[i].ports);
		if (c.rc)
			print_error("%s", c.errors);
		assert_int_equal(c.rc, 0);
		check_round(&c.config, true, !round_cases[i].has_loopback);
		configured_release(&c);
	}
}

/* Each option once, whatever there is of them. */
static void test_show_effective_has_every_option(void **state)
{
	(void)state;
	struct configured c;
	configure(&c, "listener 1\n", "");
	char *text = shown(&c.config, true);
	for (size_t i = 0; i < option_count(); i++) {
		static const char *const apart[] = {"port", "bind_address", "include_dir"};
		const struct option *o = option_at(i);
		bool is_apart = o->status != OPTION_SUPPORTED;
		for (size_t j = 0; j < ARRAY_COUNT(apart); j++)
			is_apart |= strcmp(o->name, apart[j]) == 0;
		for (size_t j = 0; j < i && o->target != OPTION_TO_NOTHING; j++)
			is_apart |= option_at(j)->target == o->target &&
				    option_at(j)->offset == o->offset;
		char with_value[64], without[64];
		snprintf(with_value, sizeof(with_value), "\n%s ", o->name);
		snprintf(without, sizeof(without), "\n# %s: ", o->name);
		bool is_there = strstr(text, with_value) || strstr(text, without);
		if (is_there == is_apart)
			print_error("%s\n", o->name);
		assert_int_equal(is_there, !is_apart);
	}
	mem_free(text);
	configured_release(&c);
}

static void test_show_what_was_said_and_where(void **state)
{
	(void)state;
	struct configured c = {0};
	static const char text[] = "max_queued_messages 5\n"
				   "\n"
				   "log_type error\n"
				   "log_type notice\n"
				   "listener 1884\n"
				   "maximum_qos 1\n";
	config_init(&c.config);
	assert_int_equal(config_load_text(&c.config, "f.conf", span_of_text(text), &c.report), 0);
	assert_int_equal(config_set(&c.config, "shards", "3", &c.report), 0);
	configured_finish(&c);
	char *said = shown(&c.config, false);
	assert_string_equal(said, "# Read from:\n"
				  "#   f.conf\n"
				  "\n"
				  "## Queues and memory\n"
				  "# f.conf:1\n"
				  "max_queued_messages 5\n"
				  "absent_queue_messages 5\n"
				  "\n"
				  "## Log\n"
				  "# f.conf:3\n"
				  "log_type error\n"
				  "log_type notice\n"
				  "\n"
				  "## Process\n"
				  "# command line\n"
				  "shards 3\n"
				  "\n"
				  "# f.conf:5\n"
				  "listener 1884\n"
				  "# f.conf:6\n"
				  "max_qos 1\n");
	mem_free(said);
	configured_release(&c);
}

static void test_show_verbose_is_of_the_command_line(void **state)
{
	(void)state;
	struct configured c = {0};
	config_init(&c.config);
	assert_int_equal(config_load_text(&c.config, "f.conf",
					  SPAN_LITERAL("log_type none\nlistener 1\n"), &c.report),
			 0);
	config_set_verbose(&c.config);
	configured_finish(&c);
	char *text = shown(&c.config, true);
	assert_non_null(strstr(text, "# command line\nlog_type error\nlog_type warning\n"));
	check_round(&c.config, true, true);
	mem_free(text);
	configured_release(&c);
}

/* A right-to-left mark in a path would turn the line around on a terminal. */
static void test_show_keeps_harmful_letters_back(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "acl_file /a\xE2\x80\xAE"
		  "b\nlistener 1\n",
		  "");
	assert_int_equal(c.rc, 0);
	char *text = shown(&c.config, true);
	assert_non_null(strstr(text, "\n# acl_file: holds letters that are not shown here\n"));
	assert_null(strstr(text, "\xE2"));
	mem_free(text);
	configured_release(&c);
}

static void test_show_json(void **state)
{
	(void)state;
	struct configured c;
	struct buffer out = {0};
	configure(&c, "acl_file /a\"\\b\nlistener 1 ::1\nmax_qos 1\nlistener 2\n", "");
	assert_int_equal(config_show_json(&c.config, false, &out), 0);
	assert_int_equal(buffer_append(&out, SPAN_LITERAL("\0")), 0);
	assert_string_equal(
		(char *)buffer_content(&out).ptr,
		"{\"files\": [\"f.conf\"], \"options\": [\n"
		"  {\"name\": \"acl_file\", \"value\": \"/a\\\"\\\\b\", \"origin\": \"file\", "
		"\"file\": \"f.conf\", \"line\": 1}\n"
		"], \"listeners\": [\n"
		"  {\"listener\": \"1 ::1\", \"origin\": \"file\", \"file\": \"f.conf\", "
		"\"line\": 2, \"options\": [\n"
		"    {\"name\": \"max_qos\", \"value\": \"1\", \"origin\": \"file\", \"file\": "
		"\"f.conf\", \"line\": 3}\n"
		"  ]},\n"
		"  {\"listener\": \"2\", \"origin\": \"file\", \"file\": \"f.conf\", \"line\": 4, "
		"\"options\": [\n"
		"  ]}\n"
		"]}\n");
	buffer_release(&out);
	configured_release(&c);
}

static void test_show_without_memory(void **state)
{
	(void)state;
	struct configured c;
	configure(&c, round_cases[7].text, "");
	mem_count_start();
	for (unsigned long n = 1;; n++) {
		struct buffer out = {0};
		mem_fail_after(n);
		int rc = n % 2 ? config_show(&c.config, true, &out)
			       : config_show_json(&c.config, true, &out);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		assert_true(rc == 0 || (has_failed && rc == ERROR_NO_MEMORY));
		buffer_release(&out);
		assert_int_equal(mem_count_live(), 0);
		if (!has_failed)
			break;
	}
	configured_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_show_read_again_is_the_same),
		cmocka_unit_test(test_show_effective_has_every_option),
		cmocka_unit_test(test_show_what_was_said_and_where),
		cmocka_unit_test(test_show_verbose_is_of_the_command_line),
		cmocka_unit_test(test_show_keeps_harmful_letters_back),
		cmocka_unit_test(test_show_json),
		cmocka_unit_test(test_show_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
