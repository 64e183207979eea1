/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of options: each row is well made, its edges are those that are held to, and misspelt
 * names find the nearest.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "broker/broker.h"
#include "configured.h"

#define TLS "listener 1884\ncertfile /c\nkeyfile /k\ncafile /ca\n"

/* The refused ones come last. */
static size_t supported_count(void)
{
	return option_count() - options_refused.count;
}

/* The machine's number in so many bytes. */
static uint64_t number_at(const void *member, size_t size)
{
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	switch (size) {
	case 1: memcpy(&u8, member, size); return u8;
	case 2: memcpy(&u16, member, size); return u16;
	case 4: memcpy(&u32, member, size); return u32;
	default: memcpy(&u64, member, sizeof(u64)); return u64;
	}
}

static void test_table_rows_are_well_made(void **state)
{
	(void)state;
	assert_true(option_count() <= OPTION_COUNT_MAX);
	assert_null(option_at(option_count()));
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *o = option_at(i);
		assert_int_equal(option_index(o), i);
		assert_true(o->name && o->text && strlen(o->name) > 0);
		assert_true(i >= supported_count() || o->value);
		assert_true(o->status == OPTION_UNUSED ||
			    (o->status == OPTION_ONLY) == (o->only != NULL));
		assert_true((o->type == OPTION_CHOICE) == (o->choices != NULL));
		assert_int_equal(o->status == OPTION_LATER, i >= supported_count());
		assert_true(o->section || !o->opens_section);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(o->name, option_at(j)->name);
	}
	for (unsigned group = 0; group < OPTION_GROUP_COUNT; group++)
		assert_non_null(option_group_name(group));
	assert_string_equal(option_group_name(OPTION_GROUP_COUNT), "Other");
}

/* Is one line accepted on its own? */
static bool is_accepted(const char *name, const char *value)
{
	char text[256];
	bool is_of_tls = option_named(span_of_text(name))->group == OPTION_GROUP_TLS;
	snprintf(text, sizeof(text), "%s%s %s\n", is_of_tls ? TLS : "", name, value);
	struct configured c;
	configure(&c, text, "");
	bool is_good = c.rc == 0;
	if (!is_good) {
		assert_int_equal(c.report.error_count, 1);
		assert_non_null(strstr(c.errors, name));
	}
	configured_release(&c);
	return is_good;
}

static bool is_number_accepted(const struct option *o, int64_t value)
{
	char text[32];
	snprintf(text, sizeof(text), "%" PRId64, value);
	return is_accepted(o->name, text);
}

static void test_options_number_edges(void **state)
{
	(void)state;
	static const char *const garbage[] = {"",
					      "x",
					      "1 2",
					      "1.5",
					      "0x10",
					      "-",
					      "+1",
					      "--1",
					      "1e3",
					      "1k",
					      "99999999999999999999999",
					      "-99999999999999999999999",
					      "1 # one"};
	for (size_t i = 0; i < supported_count(); i++) {
		const struct option *o = option_at(i);
		if (o->type != OPTION_NUMBER || o->status != OPTION_SUPPORTED)
			continue;
		assert_true(is_number_accepted(o, o->min));
		assert_true(is_number_accepted(o, o->max));
		assert_false(is_number_accepted(o, o->min - 1));
		if (o->max < INT64_MAX)
			assert_false(is_number_accepted(o, o->max + 1));
		for (size_t j = 0; j < ARRAY_COUNT(garbage); j++) {
			bool is_largest = o->max == INT64_MAX && garbage[j][0] == '9';
			assert_int_equal(is_accepted(o->name, garbage[j]), is_largest);
		}
	}
}

/* The member is wide enough for the range in its own unit, and starts within it. */
static void test_options_number_ranges_fit_the_member(void **state)
{
	(void)state;
	struct config c;
	config_init(&c);
	for (size_t i = 0; i < supported_count(); i++) {
		const struct option *o = option_at(i);
		if (o->type != OPTION_NUMBER || o->target == OPTION_TO_NOTHING)
			continue;
		int64_t scale = o->scale ? o->scale : 1;
		assert_true(o->size == 8 || o->max * scale < INT64_C(1) << (8 * o->size));
		assert_true(o->max <= INT64_MAX / scale);
		if (o->target != OPTION_TO_SETTINGS)
			continue;
		int64_t value = (int64_t)number_at((char *)&c.settings + o->offset, o->size);
		assert_int_equal(value % scale, 0);
		assert_in_range(value / scale, o->negative_is_zero ? 0 : o->min, o->max);
	}
	config_release(&c);
}

/* The words of the manual for defaults that config_finish gives. */
static void test_options_default_texts_are_true(void **state)
{
	(void)state;
	struct configured c;
	char text[16];
	configure(&c, NULL, "");
	snprintf(text, sizeof(text), "%u", c.config.settings.qos_max);
	assert_string_equal(option_named(SPAN_LITERAL("max_qos"))->default_text, text);
	snprintf(text, sizeof(text), "%u", c.config.settings.topic_alias_max_in);
	assert_string_equal(option_named(SPAN_LITERAL("max_topic_alias"))->default_text, text);
	assert_int_equal(c.config.settings.session_expiry_max, UINT32_MAX);
	assert_null(c.config.settings.response_information);
	assert_int_equal(c.config.log_facility, -1);
	configured_release(&c);
}

static void test_options_bool_spellings(void **state)
{
	(void)state;
	for (size_t i = 0; i < supported_count(); i++) {
		const struct option *o = option_at(i);
		if (o->type != OPTION_BOOL)
			continue;
		bool is_free = o->status != OPTION_ONLY;
		assert_int_equal(is_accepted(o->name, "true"), is_free);
		assert_int_equal(is_accepted(o->name, "1"), is_free);
		assert_true(is_accepted(o->name, "false"));
		assert_true(is_accepted(o->name, "0"));
		assert_false(is_accepted(o->name, "TRUE"));
		assert_false(is_accepted(o->name, "yes"));
		assert_false(is_accepted(o->name, ""));
		assert_false(is_accepted(o->name, "true # why"));
	}
}

static void test_options_refused_ones_say_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < options_refused.count; i++) {
		const struct option *o = &options_refused.rows[i];
		char text[256], expected[512];
		snprintf(text, sizeof(text), "%s 1", o->name);
		snprintf(expected, sizeof(expected), "f.conf:1: %s: %s\n", o->name, o->text);
		struct configured c;
		configure(&c, text, "");
		assert_int_equal(c.rc, ERROR_INVALID);
		assert_string_equal(c.errors, expected);
		configured_release(&c);
	}
}

/* What is right as it is changes nothing, and says so: but for a value that holds here. */
static void test_options_unused_ones_say_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < options_unused.count; i++) {
		const struct option *o = &options_unused.rows[i];
		char text[128], expected[512];
		snprintf(text, sizeof(text), "%s 1", o->name);
		snprintf(expected, sizeof(expected), "f.conf:1: %s: has no effect: %s\n", o->name,
			 o->text);
		struct configured c, plain;
		configure(&plain, "", "");
		configure(&c, text, "");
		assert_int_equal(c.rc, 0);
		assert_non_null(strstr(c.notices, expected));
		assert_memory_equal(&c.config.settings, &plain.config.settings,
				    sizeof(c.config.settings));
		configured_release(&c);
		if (o->only) {
			snprintf(text, sizeof(text), "%s %s", o->name, o->only);
			configure(&c, text, "");
			assert_string_equal(c.notices, plain.notices);
			configured_release(&c);
		}
		configured_release(&plain);
	}
}

/* Every member of struct settings has an option: what no option covers is padding between members,
 * which is narrower than the widest of them. */
static void test_options_cover_all_settings(void **state)
{
	(void)state;
	bool is_covered[sizeof(struct settings)] = {false};
	size_t uncovered = 0;
	for (size_t i = 0; i < supported_count(); i++) {
		const struct option *o = option_at(i);
		if (o->target == OPTION_TO_SETTINGS)
			memset(is_covered + o->offset, true, o->size);
	}
	/* Set by config_finish from options of the configuration and of listeners. */
	memset(is_covered + offsetof(struct settings, response_information), true, sizeof(char *));
	is_covered[offsetof(struct settings, qos_max)] = true;
	memset(is_covered + offsetof(struct settings, limits.listeners), true,
	       sizeof(((struct settings *)0)->limits.listeners));
	memset(is_covered + offsetof(struct settings, limits.exempt), true,
	       sizeof(((struct settings *)0)->limits.exempt));
	memset(is_covered + offsetof(struct settings, limits.ipv6_prefix), true, 2);
	memset(is_covered + offsetof(struct settings, limits.memory_ceiling), true,
	       sizeof(uint64_t));
	memset(is_covered + offsetof(struct settings, topic_alias_max_in), true, sizeof(uint16_t));
	for (size_t i = 0; i < sizeof(struct settings); i++) {
		uncovered = is_covered[i] ? 0 : uncovered + 1;
		if (uncovered == sizeof(uint64_t))
			print_error("no option sets the settings around byte %zu\n", i);
		assert_true(uncovered < sizeof(uint64_t));
		bool is_aligned_u32 = uncovered >= 4 && (i + 1) % 8 != 0 && (i + 1) % 4 == 0;
		assert_false(is_aligned_u32);
	}
}

struct nearest_case {
	const char *name;
	const char *nearest;
};

static void test_option_nearest_names(void **state)
{
	(void)state;
	static const struct nearest_case nearest_cases[] = {
		{"max_inflight_message", "max_inflight_messages"},
		{"allow_anonymus", "allow_anonymous"},
		{"listner", "listener"},
		{"prot", "port"},
		{"MAX_QOS", NULL},
		{"max-qos", "max_qos"},
		{"log_dset", "log_dest"},
		{"pasword_file", "password_file"},
		{"completely_different", NULL},
		{"x", NULL},
		{"", NULL},
		{"a_name_that_is_far_longer_than_any_option_could_ever_be", NULL},
	};
	for (size_t i = 0; i < ARRAY_COUNT(nearest_cases); i++) {
		const struct option *o = option_nearest(span_of_text(nearest_cases[i].name));
		if (nearest_cases[i].nearest) {
			assert_non_null(o);
			assert_string_equal(o->name, nearest_cases[i].nearest);
		} else {
			assert_null(o);
		}
	}
}

static void test_option_named_prefixes(void **state)
{
	(void)state;
	assert_string_equal(option_named(SPAN_LITERAL("auth_opt_host"))->name, "auth_opt_*");
	assert_null(option_named(SPAN_LITERAL("auth_opt_")));
	assert_null(option_named(SPAN_LITERAL("max_qo")));
	assert_null(option_named(SPAN_LITERAL("max_qos2")));
	assert_null(option_named(SPAN_NONE));
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_rows_are_well_made),
		cmocka_unit_test(test_options_number_edges),
		cmocka_unit_test(test_options_number_ranges_fit_the_member),
		cmocka_unit_test(test_options_default_texts_are_true),
		cmocka_unit_test(test_options_bool_spellings),
		cmocka_unit_test(test_options_refused_ones_say_why),
		cmocka_unit_test(test_options_unused_ones_say_so),
		cmocka_unit_test(test_options_cover_all_settings),
		cmocka_unit_test(test_option_nearest_names),
		cmocka_unit_test(test_option_named_prefixes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
