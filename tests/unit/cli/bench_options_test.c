/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/bench_options.h"

#define WORDS_MAX 16

/* Parses a line of words; NULL, or the problem. */
static const char *parse(const char *line, struct bench_options *o)
{
	static char words[256], problem[256];
	char *argv[WORDS_MAX + 1] = {(char *)"bench"}, *rest = NULL;
	int argc = 1;
	strncpy(words, line, sizeof(words) - 1);
	for (char *w = strtok_r(words, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	assert_true(argc <= WORDS_MAX);
	switch (bench_options_parse(o, argc, argv, problem, sizeof(problem))) {
	case BENCH_PARSE_RUN: return NULL;
	case BENCH_PARSE_HELP: return "help";
	case BENCH_PARSE_ERROR: break;
	}
	return problem;
}

static void test_defaults(void **state)
{
	(void)state;
	struct bench_options o;
	assert_null(parse("p2p", &o));
	assert_string_equal(o.host, "localhost");
	assert_int_equal(o.port, 1883);
	assert_int_equal(o.version, 4);
	assert_int_equal(o.qos, 0);
	assert_int_equal(o.payload_bytes, 64);
	assert_int_equal(o.publishers, 1);
	assert_int_equal(o.subscribers, 1);
	assert_int_equal(o.rate, 0);
	assert_int_equal(o.count, 0);
	assert_int_equal(o.shared, 0);
	assert_int_equal(o.duration_ms, 3000);
	assert_int_equal(o.warmup_ms, 500);
}

static void test_each_way_to_write_an_option(void **state)
{
	(void)state;
	struct bench_options o;
	assert_null(parse("--scenario fan-out -q 1 --port=9 --size 16 -V 5.0 -d 0.25 -j", &o));
	assert_string_equal(o.scenario->name, "fan-out");
	assert_int_equal(o.qos, 1);
	assert_int_equal(o.port, 9);
	assert_int_equal(o.payload_bytes, 16);
	assert_int_equal(o.version, 5);
	assert_int_equal(o.duration_ms, 250);
	assert_true(o.is_json);
	assert_int_equal(o.subscribers, 500);
}

static void test_absent_subscribers_have_sessions_that_survive(void **state)
{
	(void)state;
	struct bench_options o;
	assert_null(parse("absent", &o));
	assert_true(o.is_persistent);
	assert_int_equal(o.qos, 1);
	assert_int_equal(o.warmup_ms, 0);
	assert_null(parse("absent -q 2 --subs 3 -n 10", &o));
	assert_int_equal(o.qos, 2);
	assert_null(parse("absent --keep", &o));
	assert_true(o.is_kept);
	assert_non_null(parse("p2p --keep", &o));
	assert_non_null(parse("absent -q 0", &o));
	assert_non_null(parse("absent -r 5", &o));
	assert_non_null(parse("absent --shared 2", &o));
	assert_non_null(parse("absent --warmup 1", &o));
	assert_null(parse("p2p --persistent", &o));
	assert_true(o.is_persistent);
	assert_non_null(parse("churn --persistent", &o));
}

static void test_pairs_follow_each_other(void **state)
{
	(void)state;
	struct bench_options o;
	assert_null(parse("p2p --pubs 50", &o));
	assert_int_equal(o.subscribers, 50);
	assert_null(parse("sparse --subs 20", &o));
	assert_int_equal(o.publishers, 20);
	assert_int_equal(o.rate, 20000);
	assert_non_null(strstr(parse("p2p --pubs 3 --subs 4", &o), "as many"));
}

static void test_shared_group(void **state)
{
	(void)state;
	struct bench_options o;
	assert_null(parse("fan-in --shared 4", &o));
	assert_int_equal(o.shape, BENCH_SHARED);
	assert_int_equal(o.subscribers, 4);
	assert_int_equal(o.publishers, 100);
	assert_non_null(strstr(parse("p2p --shared 4", &o), "--shared"));
	assert_non_null(strstr(parse("fan-in --shared 4 --subs 5", &o), "--shared"));
}

static void test_counted_run_has_no_warmup(void **state)
{
	(void)state;
	struct bench_options o;
	assert_null(parse("p2p -n 1000", &o));
	assert_int_equal(o.warmup_ms, 0);
	assert_int_equal(o.duration_ms, 60000);
	assert_non_null(strstr(parse("p2p -n 10 --warmup 1", &o), "--warmup"));
}

static void test_problems(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		const char *said;
	} cases[] = {
		{"", "say what to do"},
		{"p3p", "no scenario 'p3p'"},
		{"p2p churn", "one scenario"},
		{"p2p --qos 3", "from 0 to 2, not '3'"},
		{"p2p --qos -1", "from 0 to 2, not '-1'"},
		{"p2p --qos 1x", "not '1x'"},
		{"p2p --size 15", "from 16 to"},
		{"p2p --port 65536", "from 1 to 65535"},
		{"p2p --count 99999999999999999999", "--count"},
		{"p2p --version 6", "--version"},
		{"p2p --duration 0", "--duration"},
		{"p2p --duration nan", "--duration"},
		{"p2p --qos", "needs a value"},
		{"p2p --json=yes", "takes no value"},
		{"p2p --qosx 1", "no option '--qosx'"},
		{"p2p -x", "no option '-x'"},
		{"p2p --burst 2", "--rate"},
		{"p2p -P secret", "--user"},
		{"idle --count 5", "--clients"},
		{"p2p --resume", "--cafile"},
		{"p2p --cafile x --cert y", "--key"},
		{"p2p --reconnect", "idle"},
		{"churn --at-once 5", "idle"},
		{"--verify-durability --kill 2 --ws", "plain TCP"},
		{"fan-out --pubs 10000 --subs 10000", "16,000,000"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct bench_options o;
		const char *problem = parse(cases[i].line, &o);
		assert_non_null(problem);
		assert_non_null(strstr(problem, cases[i].said));
		assert_null(strchr(problem, '\n'));
	}
}

static void test_help_wins(void **state)
{
	(void)state;
	struct bench_options o;
	assert_string_equal(parse("p2p --qos 9 --help", &o), "help");
}

static void test_open_loop(void **state)
{
	(void)state;
	struct bench_options o;
	assert_null(parse("p2p -q 1", &o));
	assert_int_equal(o.outstanding, 4000);
	/* a rate is kept whatever comes back */
	assert_null(parse("p2p -q 1 -r 500", &o));
	assert_true(o.outstanding >= 1000000000);
	assert_int_equal(o.window, 0);
	assert_null(parse("p2p -q 1 -r 500 --outstanding 5 -w 7", &o));
	assert_int_equal(o.outstanding, 5);
	assert_int_equal(o.window, 7);
}

static void test_ramp(void **state)
{
	(void)state;
	struct bench_options o;
	assert_null(parse("--ramp 10:50:20:2", &o));
	assert_string_equal(o.scenario->name, "p2p");
	assert_int_equal(o.ramp.from, 10);
	assert_int_equal(o.ramp.to, 50);
	assert_int_equal(o.ramp.step, 20);
	assert_int_equal(o.ramp.step_ms, 2000);
	assert_int_equal(bench_options_rate_max(&o), 50);
	assert_null(parse("fan-out --ramp 10:10:1:1", &o));
	static const char *const bad[] = {
		"--ramp 10",           "--ramp 10:5:1:1",       "--ramp 10:20:0:1",
		"--ramp 1:2:1:",       "--ramp 1:2:1:1x",       "--ramp -1:2:1:1",
		"--ramp 1:201:1:1",    "--ramp 1:2:1:1 -r 5",   "--ramp 1:2:1:1 -n 5",
		"idle --ramp 1:2:1:1", "absent --ramp 1:2:1:1", "--ramp 1:2:1:1 --compare-qos",
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_non_null(parse(bad[i], &o));
}

static void test_other_ways(void **state)
{
	(void)state;
	struct bench_options o;
	assert_null(parse("--compare-qos", &o));
	assert_string_equal(o.scenario->name, "p2p");
	assert_true(o.compares_qos);
	assert_null(parse("--verify-durability --kill 5", &o));
	assert_int_equal(o.qos, 2);
	assert_null(parse("--verify-durability --kill 5 -q 1 --away --restart x", &o));
	assert_int_equal(o.qos, 1);
	static const char *const bad[] = {
		"--compare-qos -q 1",
		"churn --compare-qos",
		"--verify-durability",
		"--verify-durability --kill 5 -q 0",
		"--verify-durability --kill 1",
		"p2p --verify-durability --kill 5",
		"--verify-durability --kill 5 --html x",
		"p2p --kill 5",
		"p2p --restart x",
		"p2p --away",
		"--file /nonexistent/plan",
		"p2p --file /nonexistent/plan",
		"--file /nonexistent/plan -q 1",
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_non_null(parse(bad[i], &o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_each_way_to_write_an_option),
		cmocka_unit_test(test_absent_subscribers_have_sessions_that_survive),
		cmocka_unit_test(test_pairs_follow_each_other),
		cmocka_unit_test(test_shared_group),
		cmocka_unit_test(test_counted_run_has_no_warmup),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_help_wins),
		cmocka_unit_test(test_open_loop),
		cmocka_unit_test(test_ramp),
		cmocka_unit_test(test_other_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
