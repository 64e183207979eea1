/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include "mqtt/topic.h"
#include "route/topic_order.h"

#include <stdlib.h>

static int compare_text(const char *a, const char *b)
{
	struct topic_place place = {span_of_text(b), SPAN_NONE};
	return topic_order_compare(span_of_text(a), place);
}

static void test_order_keeps_children_behind_their_parent(void **state)
{
	(void)state;
	static const char *const sorted[] = {"/",   "/a",    "a",  "a/", "a/!",
					     "a/b", "a/b/c", "a!", "b"};
	for (size_t i = 0; i < ARRAY_COUNT(sorted); i++)
		for (size_t j = 0; j < ARRAY_COUNT(sorted); j++) {
			int order = compare_text(sorted[i], sorted[j]);
			assert_int_equal(order < 0, i < j);
			assert_int_equal(order > 0, i > j);
		}
}

/* Wherever a place is cut in two, it is the same place. */
static void test_order_of_a_place_in_two_pieces(void **state)
{
	(void)state;
	struct random r = {5};
	for (int i = 0; i < 20000; i++) {
		char a[RANDOM_TEXT_LEN], b[RANDOM_TEXT_LEN];
		random_topic(&r, a);
		random_topic(&r, b);
		size_t cut = random_below(&r, (uint32_t)strlen(b) + 1);
		struct topic_place place = {span_of(b, cut), span_of_text(b + cut)};
		int order = topic_order_compare(span_of_text(a), place);
		int whole = compare_text(a, b);
		assert_int_equal(order < 0, whole < 0);
		assert_int_equal(order > 0, whole > 0);
	}
}

static int compare_items(const void *a, const void *b)
{
	return compare_text(a, b);
}

#define TOPICS 200

/* No match is jumped over, and every step goes on. */
static void check_step(char topics[][RANDOM_TEXT_LEN], size_t at, struct span filter)
{
	struct topic_place place;
	struct span topic = span_of_text(topics[at]);
	enum topic_step step = topic_order_step(filter, topic, &place);
	assert_int_equal(step == TOPIC_MATCHES, topic_matches(filter, topic));
	if (step == TOPIC_MATCHES)
		return;
	if (step == TOPIC_JUMP)
		assert_true(topic_order_compare(topic, place) < 0);
	for (size_t i = at + 1; i < TOPICS; i++) {
		struct span other = span_of_text(topics[i]);
		if (step == TOPIC_JUMP && topic_order_compare(other, place) >= 0)
			break;
		assert_false(topic_matches(filter, other));
	}
}

static void test_step_jumps_over_no_match(void **state)
{
	(void)state;
	struct random r = {6};
	for (int round = 0; round < 60; round++) {
		char topics[TOPICS][RANDOM_TEXT_LEN], filter[RANDOM_TEXT_LEN];
		for (size_t i = 0; i < TOPICS; i++)
			random_topic(&r, topics[i]);
		qsort(topics, TOPICS, RANDOM_TEXT_LEN, compare_items);
		for (int i = 0; i < 20; i++) {
			random_filter(&r, filter);
			for (size_t at = 0; at < TOPICS; at++)
				check_step(topics, at, span_of_text(filter));
		}
	}
}

struct step_case {
	const char *filter, *topic;
	enum topic_step step;
	const char *place;
};

static void test_step_cases(void **state)
{
	(void)state;
	static const struct step_case cases[] = {
		{"a/#", "a", TOPIC_MATCHES, NULL},     {"a/b", "a", TOPIC_JUMP, "a/b"},
		{"a/+/c", "a", TOPIC_JUMP, "a/"},      {"a/+/c", "a/x/a/b", TOPIC_JUMP, "a/x/c"},
		{"b", "a/x", TOPIC_JUMP, "b"},         {"b/c/+/d", "a/x", TOPIC_JUMP, "b/c"},
		{"a/b/c/#", "a", TOPIC_JUMP, "a/b/c"}, {"a", "a/x", TOPIC_END, NULL},
		{"a/b", "b", TOPIC_END, NULL},         {"#", "$SYS/a", TOPIC_JUMP, "%"},
		{"+/a", "$SYS/a", TOPIC_JUMP, "%"},    {"$SYS/#", "$SYS/a", TOPIC_MATCHES, NULL},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct topic_place place;
		enum topic_step step = topic_order_step(span_of_text(cases[i].filter),
							span_of_text(cases[i].topic), &place);
		assert_int_equal(step, cases[i].step);
		if (step == TOPIC_JUMP)
			assert_int_equal(topic_order_compare(span_of_text(cases[i].place), place),
					 0);
	}
}

#define TOPIC_LEN_MAX 65535

/* The longest topics and filters there can be: one pass, no recursion. */
static void test_step_deepest_topics(void **state)
{
	(void)state;
	static uint8_t slashes[TOPIC_LEN_MAX], plusses[TOPIC_LEN_MAX];
	for (size_t i = 0; i < TOPIC_LEN_MAX; i++) {
		slashes[i] = '/';
		plusses[i] = i % 2 ? '/' : '+';
	}
	struct span topic = span_of(slashes, TOPIC_LEN_MAX);
	struct span filter = span_of(plusses, TOPIC_LEN_MAX);
	struct topic_place place;
	/* 65,536 levels against 32,768: on behind the subtree of the first 32,768. */
	assert_int_equal(topic_order_step(filter, topic, &place), TOPIC_JUMP);
	assert_int_equal(place.head.len, TOPIC_LEN_MAX / 2);
	assert_true(topic_order_compare(topic, place) < 0);
	topic.len = TOPIC_LEN_MAX / 2;
	assert_int_equal(topic_order_step(filter, topic, &place), TOPIC_MATCHES);
	topic.len--; /* one level too few */
	assert_int_equal(topic_order_step(filter, topic, &place), TOPIC_JUMP);
	assert_int_equal(place.head.len + place.tail.len, TOPIC_LEN_MAX / 2);
	assert_true(topic_order_compare(topic, place) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_keeps_children_behind_their_parent),
		cmocka_unit_test(test_order_of_a_place_in_two_pieces),
		cmocka_unit_test(test_step_jumps_over_no_match),
		cmocka_unit_test(test_step_cases),
		cmocka_unit_test(test_step_deepest_topics),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
