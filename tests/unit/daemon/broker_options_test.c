/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WORDS_MAX 32

/* Parses the words up to NULL. */
static int parse(const char *const *words, struct broker_options *out, char *reason)
{
	char *argv[WORDS_MAX] = {(char *)(uintptr_t) "nightjar broker"};
	int argc = 1;
	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	return broker_options_parse(argc, argv, out, reason);
}

#define WORDS(...) ((const char *[]){__VA_ARGS__, NULL})
#define NO_WORDS ((const char *[]){NULL})

static struct broker_options parsed(const char *const *words)
{
	struct broker_options o;
	char reason[BROKER_REASON_MAX];
	assert_int_equal(parse(words, &o, reason), 0);
	return o;
}

static void assert_refused(const char *const *words, const char *expected)
{
	struct broker_options o;
	char reason[BROKER_REASON_MAX];
	assert_int_equal(parse(words, &o, reason), ERROR_INVALID);
	assert_string_equal(reason, expected);
}

static void test_broker_options_none(void **state)
{
	(void)state;
	struct broker_options o = parsed(NO_WORDS);
	assert_null(o.config_file);
	assert_null(o.bind_address);
	assert_null(o.shards);
	assert_int_equal(o.port_count, 0);
	assert_false(o.is_verbose || o.is_background || o.wants_help || o.wants_version);
}

static void test_broker_options_all_forms(void **state)
{
	(void)state;
	struct broker_options o =
		parsed(WORDS("-vd", "-p", "1883", "-p1884", "--port", "1885", "--port=1886", "-c",
			     "a.conf", "--bind", "::1", "--shards=8", "-h", "--version", "-q",
			     "--tls-keylog", "k.log", "--test-config"));
	assert_true(o.is_verbose && o.is_background && o.wants_help && o.wants_version);
	assert_true(o.is_quiet && o.is_test && !o.is_mosquitto);
	assert_string_equal(o.key_log, "k.log");
	assert_int_equal(o.port_count, 4);
	assert_string_equal(o.ports[0], "1883");
	assert_string_equal(o.ports[1], "1884");
	assert_string_equal(o.ports[2], "1885");
	assert_string_equal(o.ports[3], "1886");
	assert_string_equal(o.config_file, "a.conf");
	assert_string_equal(o.bind_address, "::1");
	assert_string_equal(o.shards, "8");
}

static void test_broker_options_value_in_the_same_word(void **state)
{
	(void)state;
	struct broker_options o = parsed(WORDS("-vcfile"));
	assert_true(o.is_verbose);
	assert_string_equal(o.config_file, "file");
}

static void test_broker_options_mistakes(void **state)
{
	(void)state;
	assert_refused(WORDS("--prot", "1883"), "unknown option '--prot', did you mean --port?");
	assert_refused(WORDS("--frobnicate"), "unknown option '--frobnicate' (see --help)");
	assert_refused(WORDS("-c", "a", "-c", "b"),
		       "a second configuration, b: one file is read, and those that it includes");
	assert_refused(WORDS("-vx"), "unknown option '-x' (see --help)");
	assert_refused(WORDS("-p"), "option --port needs a value");
	assert_refused(WORDS("--config-file"), "option --config-file needs a value");
	assert_refused(WORDS("--verbose=1"), "option --verbose takes no value");
	assert_refused(WORDS("1883"), "unexpected argument '1883' (see --help)");
	assert_refused(WORDS("--"), "unexpected argument '--' (see --help)");
	assert_refused(WORDS("-"), "unexpected argument '-' (see --help)");
}

static void test_broker_options_too_many_ports(void **state)
{
	(void)state;
	const char *words[BROKER_PORTS_MAX + 2] = {NULL};
	for (int i = 0; i <= BROKER_PORTS_MAX; i++)
		words[i] = "-p1883";
	assert_refused(words, "too many ports, from 1883 on");
}

/* Loads the configuration; returns the mistakes as text. */
static int load(const char *const *words, struct config *c, char *errors, size_t room)
{
	struct broker_options o = parsed(words);
	struct config_report report = {0};
	int error = broker_options_load(&o, c, &report);
	size_t len = buffer_len(&report.errors) < room ? buffer_len(&report.errors) : room - 1;
	if (len > 0)
		memcpy(errors, buffer_content(&report.errors).ptr, len);
	errors[len] = '\0';
	config_report_release(&report);
	return error;
}

static void test_broker_options_make_a_configuration(void **state)
{
	(void)state;
	struct config c;
	char errors[512];
	assert_int_equal(load(WORDS("-p", "0", "-p", "1999", "-v", "--shards", "3"), &c, errors,
			      sizeof(errors)),
			 0);
	assert_int_equal(c.listener_count, 2);
	assert_int_equal(c.listeners[0].port, 0);
	assert_int_equal(c.listeners[1].port, 1999);
	assert_true(c.listeners[0].is_loopback && c.listeners[1].is_loopback);
	assert_int_equal(c.shards, 3);
	assert_int_equal(c.log_types, LOG_TYPES_ALL);
	config_release(&c);
}

/* By that name it keeps that program's conventions: scripts know them. */
static void test_broker_options_of_mosquitto(void **state)
{
	(void)state;
	static const char *const names[] = {"mosquitto", "/usr/local/sbin/mosquitto"};
	char reason[BROKER_REASON_MAX];
	struct broker_options o;
	for (size_t i = 0; i < 2; i++) {
		char *argv[] = {(char *)(uintptr_t)names[i], (char *)(uintptr_t) "--nonsense"};
		assert_int_equal(broker_options_parse(1, argv, &o, reason), 0);
		assert_true(o.is_mosquitto);
		assert_int_equal(broker_options_status(&o), 3);
		assert_int_equal(broker_options_parse(2, argv, &o, reason), ERROR_INVALID);
		assert_int_equal(broker_options_status(&o), 3);
	}
	o = parsed(NO_WORDS);
	assert_int_equal(broker_options_status(&o), 1);
}

static void test_broker_options_quiet_wins(void **state)
{
	(void)state;
	struct config c;
	char errors[512];
	assert_int_equal(load(WORDS("-q", "-v"), &c, errors, sizeof(errors)), 0);
	assert_int_equal(c.log_types, 0);
	config_release(&c);
}

static void test_broker_options_bind_goes_with_a_port(void **state)
{
	(void)state;
	struct config c;
	char errors[512];
	assert_int_equal(
		load(WORDS("--bind", "192.0.2.1", "-p", "1999"), &c, errors, sizeof(errors)), 0);
	assert_int_equal(c.listener_count, 1);
	assert_false(c.listeners[0].is_loopback);
	assert_string_equal(c.listeners[0].address, "192.0.2.1");
	assert_int_equal(c.listeners[0].port, 1999);
	config_release(&c);
}

static void test_broker_options_bad_values_are_told(void **state)
{
	(void)state;
	struct config c;
	char errors[512];
	assert_int_equal(load(WORDS("-p", "70000"), &c, errors, sizeof(errors)), ERROR_INVALID);
	assert_non_null(strstr(errors, "70000"));
	config_release(&c);
	assert_int_equal(load(WORDS("--shards", "65"), &c, errors, sizeof(errors)), ERROR_INVALID);
	assert_non_null(strstr(errors, "65"));
	config_release(&c);
	assert_int_equal(load(WORDS("-c", "/nonexistent.conf"), &c, errors, sizeof(errors)),
			 ERROR_INVALID);
	assert_non_null(strstr(errors, "/nonexistent.conf"));
	config_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broker_options_none),
		cmocka_unit_test(test_broker_options_all_forms),
		cmocka_unit_test(test_broker_options_value_in_the_same_word),
		cmocka_unit_test(test_broker_options_mistakes),
		cmocka_unit_test(test_broker_options_too_many_ports),
		cmocka_unit_test(test_broker_options_make_a_configuration),
		cmocka_unit_test(test_broker_options_of_mosquitto),
		cmocka_unit_test(test_broker_options_quiet_wins),
		cmocka_unit_test(test_broker_options_bind_goes_with_a_port),
		cmocka_unit_test(test_broker_options_bad_values_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
