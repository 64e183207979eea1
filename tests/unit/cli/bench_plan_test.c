/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/bench_plan.h"

#define PUBLISHERS "publishers p\ntopic t\n"
#define SUBSCRIBERS "subscribers s\ntopic #\n"

static struct bench_plan plan;

/* NULL, or the problem. */
static const char *parse(const char *text)
{
	static char problem[256];
	int error = bench_plan_parse(&plan, span_of_text(text), problem, sizeof(problem));
	return error ? problem : NULL;
}

static void test_every_word(void **state)
{
	(void)state;
	assert_null(parse("# a plant\n"
			  "duration 2.5\nwarmup 0\r\nversion 5\n"
			  "publishers sensors\n"
			  "\tcount 3 # of them\n\ttopic plant/%n/t\n\trate 100\n\tburst 5\n"
			  "\tsize 16\n\tqos 1\n\twindow 7\n"
			  "subscribers archive\n"
			  "\tcount 2\n\ttopic $share/a/plant/#\n\tqos 2\n\tsession persistent"));
	assert_int_equal(plan.duration_ms, 2500);
	assert_int_equal(plan.warmup_ms, 0);
	assert_int_equal(plan.version, 5);
	assert_int_equal(plan.group_count, 2);
	const struct bench_plan_group *p = &plan.groups[0], *s = &plan.groups[1];
	assert_string_equal(p->name, "sensors");
	assert_true(p->is_publisher);
	assert_int_equal(p->count, 3);
	assert_int_equal(p->rate, 100);
	assert_int_equal(p->burst, 5);
	assert_int_equal(p->payload_bytes, 16);
	assert_int_equal(p->qos, 1);
	assert_int_equal(p->window, 7);
	assert_false(s->is_publisher);
	assert_string_equal(s->topic, "$share/a/plant/#");
	assert_int_equal(s->qos, 2);
	assert_true(s->is_persistent);
	assert_int_equal(bench_plan_members(&plan, true), 3);
	assert_int_equal(bench_plan_members(&plan, false), 2);
}

static void test_what_is_not_given(void **state)
{
	(void)state;
	assert_null(parse(PUBLISHERS SUBSCRIBERS));
	assert_int_equal(plan.duration_ms, BENCH_PLAN_UNSET);
	assert_int_equal(plan.version, BENCH_PLAN_UNSET);
	assert_int_equal(plan.groups[0].count, 1);
	assert_int_equal(plan.groups[0].rate, 0);
	assert_int_equal(plan.groups[0].payload_bytes, 64);
	assert_int_equal(plan.groups[0].qos, 0);
	assert_false(plan.groups[1].is_persistent);
}

static void test_numbers_in_topics(void **state)
{
	(void)state;
	char text[BENCH_TOPIC_MAX + 1];
	struct bench_plan_group g = {.topic = "a/%n/b%n%x"};
	assert_true(bench_plan_topic(&g, 1234567, text));
	assert_string_equal(text, "a/1234567/b1234567%x");
	memset(g.topic, 'x', BENCH_TOPIC_MAX);
	assert_true(bench_plan_topic(&g, 0, text));
	memcpy(g.topic, "%n", 2);
	assert_true(bench_plan_topic(&g, 99, text));
	assert_false(bench_plan_topic(&g, 100, text));
}

static void test_refusals_name_the_line(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *problem;
	} cases[] = {
		{"", "0: there are no publishers: a group of them begins with 'publishers NAME'"},
		{PUBLISHERS,
		 "2: there are no subscribers: a group of them begins with 'subscribers NAME'"},
		{"duration 1\nduration 2\n", "2: duration is given twice"},
		{"\n\nrate 5", "3: there is no 'rate' before the groups: take one of duration, "
			       "warmup, version"},
		{PUBLISHERS "session clean\n",
		 "3: there is no 'session' for publishers: take one of count, topic, qos, rate, "
		 "burst, size, window"},
		{SUBSCRIBERS "size 5\n",
		 "3: there is no 'size' for subscribers: take one of count, topic, qos, session"},
		{"publishers p\ncount 0\n", "2: count takes a number from 1 to 1000000, not '0'"},
		{"publishers p\nqos 3\n", "2: qos takes a number from 0 to 2, not '3'"},
		{"publishers p\nqos 1 2\n", "2: 'qos' takes one value"},
		{"publishers p\nqos\n", "2: 'qos' has no value"},
		{"duration -1", "1: duration takes seconds from 0.001 to 86400, not '-1'"},
		{"duration 1e3", "1: duration takes seconds from 0.001 to 86400, not '1e3'"},
		{"version 3.1", "1: version takes 3 (MQTT 3.1), 4 (3.1.1) or 5 (5.0), not '3.1'"},
		{"publishers p\ntopic a/+\n",
		 "2: 'a/+' is no topic to publish to: + and # are for subscribers"},
		{"subscribers s\ntopic a+\n", "2: 'a+' is no topic filter: + and # stand for "
					      "whole levels, and # for the last"},
		{"publishers p\ntopic \xff\n", "2: the topic is not UTF-8"},
		{"publishers \x1b[2J\nqos 1\n" SUBSCRIBERS, "1: publishers '?[2J' have no topic"},
		{PUBLISHERS "subscribers p\n", "3: there is a group 'p' already, in line 1"},
		{PUBLISHERS "burst 5\n" SUBSCRIBERS, "1: publishers 'p' have a burst and no rate"},
		{"subscribers s\ntopic #\nsession kept\n",
		 "3: session takes clean or persistent, not 'kept'"},
		{PUBLISHERS "count 5000\n" SUBSCRIBERS "count 5000\n",
		 "6: 5000 publishers times 5000 subscribers are more than 16000000 streams to "
		 "follow"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *problem = parse(cases[i].text);
		assert_non_null(problem);
		assert_string_equal(problem, cases[i].problem);
	}
}

static void test_bytes_that_are_no_text(void **state)
{
	(void)state;
	char problem[256];
	static const uint8_t nul[] = {'q', 0, 's'};
	uint8_t longest[300];
	memset(longest, 'a', sizeof(longest));
	assert_int_not_equal(bench_plan_parse(&plan, span_of(nul, 3), problem, sizeof(problem)), 0);
	assert_string_equal(problem, "1: a byte 0 is no text");
	assert_int_not_equal(bench_plan_parse(&plan, span_of(longest, sizeof(longest)), problem,
					      sizeof(problem)),
			     0);
	assert_string_equal(problem, "1: the line is longer than 255 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_word),
		cmocka_unit_test(test_what_is_not_given),
		cmocka_unit_test(test_numbers_in_topics),
		cmocka_unit_test(test_refusals_name_the_line),
		cmocka_unit_test(test_bytes_that_are_no_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
