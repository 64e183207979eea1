/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts: what they say, what is wrong with them and where, and what devices make of templates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/simulate_script.h"
#include "mqtt/types.h"

static struct simulate_script script;
static struct buffer errors;

static int parse(const char *text)
{
	errors.start = errors.end = 0;
	int error = simulate_script_parse(&script, "s", span_of_text(text), &errors);
	(void)!buffer_append(&errors, span_of("", 1));
	return error;
}

static void refused(const char *text, const char *complaint)
{
	assert_int_equal(parse(text), ERROR_INVALID);
	assert_string_equal((const char *)errors.ptr, complaint);
	simulate_script_release(&script);
}

static int release(void **state)
{
	(void)state;
	simulate_script_release(&script);
	buffer_release(&errors);
	return 0;
}

static void test_whole_script(void **state)
{
	(void)state;
	const char *text = "# a remark\n"
			   "server broker.example 1884\n"
			   "duration 1.5m\n"
			   "seed 42\n"
			   "\n"
			   "device sensor 100   # a hundred\n"
			   "\tversion 3.1.1\n"
			   "\tkeep_alive 30s\n"
			   "\tsession 1h\n"
			   "\tstart over 2s\n"
			   "\tchurn on 5m off 30s jitter 50% cut 20%\n"
			   "\twill s/{id}/on qos 1 retain delay 5s payload no\n"
			   "\tpublish s/{id}/t every 250ms jitter 20% qos 2 retain expiry 60s "
			   "payload {count} #1\n"
			   "\tsubscribe s/{id}/# qos 1\n"
			   "device logger\r\n"
			   "\tsubscribe \"#\"\n";
	assert_int_equal(parse(text), 0);
	assert_string_equal(script.host, "broker.example");
	assert_int_equal(script.port, 1884);
	assert_int_equal(script.duration_ms, 90000);
	assert_true(script.has_seed);
	assert_int_equal(script.seed, 42);
	assert_int_equal(script.kind_count, 2);
	assert_int_equal(script.device_count, 101);
	const struct simulate_kind *k = &script.kinds[0];
	assert_int_equal(k->version, MQTT_3_1_1);
	assert_int_equal(k->keep_alive, 30);
	assert_int_equal(k->session, 3600);
	assert_int_equal(k->start_ms, 2000);
	assert_int_equal(k->on_ms, 300000);
	assert_int_equal(k->off_ms, 30000);
	assert_int_equal(k->churn_jitter, 50);
	assert_int_equal(k->cut, 20);
	assert_true(k->has_will && k->will.retain);
	assert_int_equal(k->will.delay, 5);
	assert_int_equal(k->flow_count, 1);
	assert_int_equal(k->flows[0].every_ms, 250);
	assert_int_equal(k->flows[0].jitter, 20);
	assert_int_equal(k->flows[0].qos, 2);
	assert_int_equal(k->flows[0].expiry, 60);
	assert_int_equal(k->subscriptions[0].qos, 1);
	assert_int_equal(script.kinds[1].count, 1);
	assert_int_equal(script.kinds[1].version, MQTT_5);
}

static void test_complaints_name_the_place(void **state)
{
	(void)state;
	refused("device a\n  publsh x every 5s\n",
		"s:2:3: unknown statement 'publsh', did you mean 'publish'?\n");
	refused("device a\n  publish x evry 5s\n",
		"s:2:13: unknown word 'evry', did you mean 'every'?\n");
	refused("device a\n  publish x every 5\n",
		"s:2:19: '5' is no time: write 250ms, 5s, 1.5m, 2h or 7d\n");
	refused("device a\n  publish x qos 1\n", "s:2:18: 'every' and a time are missing\n");
	refused("device a\n  publish x every 5s qos 3\n", "s:2:26: '3' is no number from 0 to 2\n");
	refused("device a\n  publish x/+ every 5s\n",
		"s:2:11: a topic is not empty, has no '+' and no '#'\n");
	refused("device a\n  subscribe a/#/b\n",
		"s:2:13: no topic filter: '+' stands for a whole level, '#' for the last ones\n");
	refused("publish x every 5s\n",
		"s:1:1: 'publish' is about a device: write 'device NAME COUNT' above it\n");
	refused("device a\ndevice a\n", "s:2:8: there is a device of this name already\n");
	refused("device a 0\n", "s:1:10: '0' is no number from 1 to 1000000\n");
	refused("device a\n churn on 5s\n", "s:2:1: churn wants both: on 5m off 30s\n");
	refused("device a\n keep_alive 1500ms\n", "s:2:13: MQTT counts this in whole seconds\n");
	refused("device a\n client_id \"x\n", "s:2:12: the quote is not closed\n");
	refused("device a b\nduration 5s 6s\n", "s:1:10: 'b' is no number from 1 to 1000000\n"
						"s:2:13: 'duration' ends before this word\n");
	refused("", "s:0:1: the script has no device\n");
	refused("device a\n\xff\n", "s:2:1: the line is no UTF-8 text, as MQTT wants it\n");
}

static void test_complaints_about_places(void **state)
{
	(void)state;
	refused("device a\n publish x every 5s payload {wlak 1 2 3}\n",
		"s:2:30: unknown place 'wlak', did you mean 'walk'?\n");
	refused("device a\n publish x every 5s payload a{walk 1 2}\n",
		"s:2:39: the largest step is missing\n");
	refused("device a\n publish x every 5s payload {random 2 1}\n",
		"s:2:37: the lowest value is above the highest\n");
	refused("device a\n publish x every 5s payload {count\n",
		"s:2:29: the brace is not closed ('{{' is a plain one)\n");
	refused("device a\n publish x every 5s payload {count 1}\n",
		"s:2:36: {count} ends before this word\n");
	refused("device a\n client_id x{count}\n", "s:2:14: {count} has no place here\n");
	refused("device a\n publish x every 5s payload {line /nonexistent}\n",
		"s:2:35: cannot read '/nonexistent': No such file or directory\n");
}

static void test_many_complaints_are_counted(void **state)
{
	(void)state;
	char text[200] = "";
	for (int i = 0; i < 12; i++)
		strcat(text, "x\n");
	assert_int_equal(parse(text), ERROR_INVALID);
	const char *last = strstr((const char *)errors.ptr, "s:10:1:");
	assert_non_null(last);
	assert_string_equal(strchr(last, '\n'), "\nand 2 more\n");
}

/* --- templates --- */

static uint64_t random_state;
static double cells[8];
static struct template_device device = {.id = 7,
					.name = "lamp",
					.cells = cells,
					.random = &random_state,
					.run_ms = 900,
					.wall_ms = 1000000000123};

/* What the payload of the only flow is, next time. */
static const char *payload(void)
{
	static struct buffer out;
	out.start = out.end = 0;
	assert_int_equal(template_render(&script.kinds[0].flows[0].payload, &device, &out), 0);
	assert_int_equal(buffer_append(&out, span_of("", 1)), 0);
	static char text[256];
	assert_true(buffer_len(&out) <= sizeof(text));
	memcpy(text, out.ptr, buffer_len(&out));
	buffer_release(&out);
	return text;
}

static void use(const char *template)
{
	char text[300];
	simulate_script_release(&script);
	memset(cells, 0, sizeof(cells));
	random_state = 1;
	snprintf(text, sizeof(text), "device lamp\n publish x every 1s payload %s\n", template);
	assert_int_equal(parse(text), 0);
	assert_true(script.kinds[0].cell_count <= ARRAY_COUNT(cells));
}

static void test_places_that_are_sure(void **state)
{
	(void)state;
	use("{\"n\": {count}, \"of\": \"{name}-{id 3}\"}");
	assert_string_equal(payload(), "{\"n\": 1, \"of\": \"lamp-007\"}");
	assert_string_equal(payload(), "{\"n\": 2, \"of\": \"lamp-007\"}");
	use("{{id} {ms} {time} {fill 3}");
	assert_string_equal(payload(), "{id} 1000000000123 2001-09-09T01:46:40.123Z xxx");
	use("{count} {count}");
	payload();
	assert_string_equal(payload(), "2 2");
	/* a quarter of the period: the highest value */
	use("{sine -1.0 1.0 3600ms}");
	assert_string_equal(payload(), "1.0");
}

static void test_places_by_chance(void **state)
{
	(void)state;
	bool seen[3] = {false};
	use("{random 1 3}");
	for (int i = 0; i < 100; i++) {
		int value = atoi(payload());
		assert_in_range(value, 1, 3);
		seen[value - 1] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2]);
	use("{walk 10.0 20.0 0.5}");
	double before = 15;
	for (int i = 0; i < 1000; i++) {
		double value = atof(payload());
		assert_true(value >= 10 && value <= 20);
		/* half a digit of rounding on either side */
		assert_true(value - before < 0.61 && before - value < 0.61);
		before = value;
	}
	use("{pick on \"far off\"}");
	for (int i = 0; i < 20; i++) {
		const char *text = payload();
		assert_true(strcmp(text, "on") == 0 || strcmp(text, "far off") == 0);
	}
}

static void test_lines_of_a_file(void **state)
{
	(void)state;
	char path[] = "/tmp/simulate_test-XXXXXX", template[64];
	int fd = mkstemp(path);
	assert_int_equal(write(fd, "one\n\ntwo", 8), 8);
	close(fd);
	snprintf(template, sizeof(template), "{line %s}", path);
	use(template);
	unlink(path);
	const char *const expected[] = {"one", "", "two", "one"};
	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		assert_string_equal(payload(), expected[i]);
}

static void test_same_seed_same_numbers(void **state)
{
	(void)state;
	uint64_t a = 5, b = 5, c = 6;
	assert_int_equal(simulate_random(&a), simulate_random(&b));
	assert_int_not_equal(simulate_random(&a), simulate_random(&c));
	double fraction = simulate_random_fraction(&a);
	assert_true(fraction >= 0 && fraction < 1);
}

static void test_each_allocation_fails(void **state)
{
	(void)state;
	const char *text = "server h\ndevice a\n client_id {id}\n will x payload y\n"
			   " publish {id}/t every 1s payload {pick a b}{count}\n subscribe a/#\n";
	simulate_script_release(&script);
	buffer_release(&errors);
	mem_count_start();
	for (unsigned long i = 1;; i++) {
		struct buffer out = {0};
		mem_fail_after(i);
		int error = simulate_script_parse(&script, "s", span_of_text(text), &out);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		simulate_script_release(&script);
		buffer_release(&out);
		assert_int_equal(mem_count_live(), 0);
		if (!has_failed) {
			assert_int_equal(error, 0);
			break;
		}
		assert_int_not_equal(error, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_whole_script, release),
		cmocka_unit_test_teardown(test_complaints_name_the_place, release),
		cmocka_unit_test_teardown(test_complaints_about_places, release),
		cmocka_unit_test_teardown(test_many_complaints_are_counted, release),
		cmocka_unit_test_teardown(test_places_that_are_sure, release),
		cmocka_unit_test_teardown(test_places_by_chance, release),
		cmocka_unit_test_teardown(test_lines_of_a_file, release),
		cmocka_unit_test_teardown(test_same_seed_same_numbers, release),
		cmocka_unit_test_teardown(test_each_allocation_fails, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
