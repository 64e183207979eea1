/* SPDX-License-Identifier: Apache-2.0 */
/* The standard's examples, and what random programs don't reach: size, depth, many. */
#include "random.h"

#include "base/mem.h"
#include "route/routes.h"
#include "route/share.h"

#include <stdlib.h>

static const struct subscription plain = {.qos = 1};

static void subscribe_with(struct routes *r, struct subscriber *s, struct span filter,
			   struct subscription options)
{
	bool existed;
	assert_int_equal(routes_subscribe(r, s, filter, &options, &existed), 0);
}

static void subscribe(struct routes *r, struct subscriber *s, const char *filter)
{
	subscribe_with(r, s, span_of_text(filter), plain);
}

static uint32_t matches(struct routes *r, const char *topic)
{
	const struct match *m = routes_match(r, span_of_text(topic));
	assert_non_null(m);
	return m->entry_count;
}

struct filter_case {
	const char *filter;
	const char *matching[5];
	const char *others[6];
};

/* [5] 4.7.1.2, 4.7.1.3, 4.7.2, 4.7.3 */
static void test_routes_standard_filters(void **state)
{
	(void)state;
	static const struct filter_case cases[] = {
		{"sport/tennis/player1/#",
		 {"sport/tennis/player1", "sport/tennis/player1/ranking",
		  "sport/tennis/player1/score/wimbledon"},
		 {"sport/tennis/player2", "sport/tennis", "sport/tennis/player11"}},
		{"sport/#", {"sport", "sport/", "sport/a/b"}, {"sports", "Sport", "/sport"}},
		{"#", {"a", "/", "a/b", "/a"}, {"$SYS", "$SYS/a", "$"}},
		{"sport/tennis/+",
		 {"sport/tennis/player1", "sport/tennis/player2", "sport/tennis/"},
		 {"sport/tennis/player1/ranking", "sport/tennis"}},
		{"sport/+", {"sport/", "sport/a"}, {"sport", "sport/a/", "sport/a/b"}},
		{"+", {"finance", "a"}, {"/finance", "a/b", "$SYS"}},
		{"/+", {"/finance", "/"}, {"finance", "/a/b"}},
		{"+/+", {"/finance", "/", "a/b"}, {"finance", "a/b/c", "$SYS/a"}},
		{"+/monitor/Clients", {"a/monitor/Clients"}, {"$SYS/monitor/Clients"}},
		{"$SYS/#", {"$SYS", "$SYS/a", "$SYS/a/b"}, {"a", "SYS"}},
		{"$SYS/monitor/+", {"$SYS/monitor/Clients"}, {"$SYS/monitor", "a/monitor/b"}},
		{"a//b", {"a//b"}, {"a/b", "a/x/b", "a///b"}},
		{"a/+/b", {"a//b", "a/x/b"}, {"a/b", "a/x/y/b"}},
		{"/", {"/"}, {"a", "//", "/a"}},
		{"+/#", {"a", "a/b", "/", "/a"}, {"$a", "$a/b"}},
		{"+/+/#", {"a/b", "/", "a/b/c"}, {"a", "$a/b"}},
		{"a/+/#", {"a/", "a/b", "a/b/c"}, {"a", "b/c"}},
		{"ACCOUNTS", {"ACCOUNTS"}, {"Accounts", "ACCOUNTS/"}},
		{"Accounts payable", {"Accounts payable"}, {"Accounts", "Accountspayable"}},
		/* Composed and decomposed letters are different ones [MQTT-4.7.3-4]. */
		{"\xc3\xa4", {"\xc3\xa4"}, {"a\xcc\x88"}},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct routes *r = routes_new(i, 16);
		struct subscriber s = {0};
		subscribe(r, &s, cases[i].filter);
		for (int j = 0; j < 5 && cases[i].matching[j]; j++)
			if (matches(r, cases[i].matching[j]) != 1)
				fail_msg("%s misses %s", cases[i].filter, cases[i].matching[j]);
		for (int j = 0; j < 6 && cases[i].others[j]; j++)
			if (matches(r, cases[i].others[j]) != 0)
				fail_msg("%s takes %s", cases[i].filter, cases[i].others[j]);
		routes_remove_subscriber(r, &s);
		routes_free(r);
	}
}

/* [MQTT-3.3.4-2], [MQTT-3.3.4-4], [MQTT-3.3.4-5] */
static void test_routes_merges_overlapping(void **state)
{
	(void)state;
	struct routes *r = routes_new(1, 16);
	struct subscriber a = {0}, b = {0};
	subscribe_with(r, &a, SPAN_LITERAL("x/y"), (struct subscription){.identifier = 7});
	subscribe_with(r, &b, SPAN_LITERAL("x/y"),
		       (struct subscription){.identifier = 7, .qos = 1});
	subscribe_with(r, &a, SPAN_LITERAL("x/#"), (struct subscription){.qos = 2});
	subscribe_with(r, &a, SPAN_LITERAL("#"),
		       (struct subscription){.identifier = 7, .retain_as_published = true});
	const struct match *m = routes_match(r, SPAN_LITERAL("x/y"));
	assert_int_equal(m->entry_count, 2);
	const struct match_entry *first = &m->entries[m->entries[0].subscriber != &a];
	assert_ptr_equal(first->subscriber, &a);
	assert_int_equal(first->qos, 2);
	assert_true(first->retain_as_published);
	assert_int_equal(first->identifier_count, 2); /* the same one twice ([5] 3.3.4) */
	for (int i = 0; i < 2; i++)
		assert_int_equal(m->identifiers[first->identifiers + (uint32_t)i], 7);
	routes_remove_subscriber(r, &a);
	routes_remove_subscriber(r, &b);
	routes_free(r);
}

/* [MQTT-3.8.4-3] */
static void test_routes_subscribe_again_replaces(void **state)
{
	(void)state;
	struct routes *r = routes_new(1, 16);
	struct subscriber s = {0};
	bool existed = true;
	struct subscription options = {.identifier = 3, .qos = 2, .no_local = true};
	assert_int_equal(routes_subscribe(r, &s, SPAN_LITERAL("a"), &options, &existed), 0);
	assert_false(existed);
	assert_true(routes_match(r, SPAN_LITERAL("a"))->entries[0].has_no_local);
	options = (struct subscription){.qos = 1};
	assert_int_equal(routes_subscribe(r, &s, SPAN_LITERAL("a"), &options, &existed), 0);
	assert_true(existed);
	assert_int_equal(routes_subscription_count(r), 1);
	const struct match *m = routes_match(r, SPAN_LITERAL("a"));
	assert_int_equal(m->entries[0].qos, 1);
	assert_int_equal(m->entries[0].identifier_count, 0);
	assert_false(m->entries[0].has_no_local);
	/* [MQTT-3.10.4-1]: byte by byte, a wildcard is no match for what it covers. */
	assert_false(routes_unsubscribe(r, &s, SPAN_LITERAL("+")));
	assert_false(routes_unsubscribe(r, &s, SPAN_LITERAL("a/")));
	assert_true(routes_unsubscribe(r, &s, SPAN_LITERAL("a")));
	assert_false(routes_unsubscribe(r, &s, SPAN_LITERAL("a")));
	routes_free(r);
}

/* [MQTT-3.8.3-3] */
/* What other shards are told of a filter follows the sessions that have it. */
static void test_routes_survival_changes(void **state)
{
	(void)state;
	struct routes *r = routes_new(1, 0);
	struct subscriber s = {0}, other = {0};
	subscribe(r, &s, "a/#");
	subscribe(r, &other, "a/#");
	assert_false(routes_interest(r, SPAN_LITERAL("a/#")).surviving);
	routes_set_survives(r, &s, true);
	assert_true(routes_interest(r, SPAN_LITERAL("a/#")).surviving);
	routes_set_survives(r, &other, true);
	routes_set_survives(r, &s, false);
	assert_true(routes_interest(r, SPAN_LITERAL("a/#")).surviving);
	routes_set_survives(r, &other, false);
	assert_false(routes_interest(r, SPAN_LITERAL("a/#")).surviving);
	routes_remove_subscriber(r, &s);
	routes_remove_subscriber(r, &other);
	routes_free(r);
}

static void test_routes_no_local(void **state)
{
	(void)state;
	struct routes *r = routes_new(1, 16);
	struct subscriber publisher = {0}, other = {0};
	struct subscription no_local = {.qos = 2, .no_local = true};
	subscribe_with(r, &publisher, SPAN_LITERAL("a"), no_local);
	subscribe_with(r, &other, SPAN_LITERAL("a"), no_local);
	const struct match *m = routes_match_for_publisher(r, SPAN_LITERAL("a"), &publisher);
	assert_int_equal(m->entry_count, 1);
	assert_ptr_equal(m->entries[0].subscriber, &other);
	subscribe(r, &publisher, "+"); /* this one is not no-local, so it still counts, alone */
	m = routes_match_for_publisher(r, SPAN_LITERAL("a"), &publisher);
	assert_int_equal(m->entry_count, 2);
	uint32_t own = m->entries[1].subscriber == &publisher;
	assert_int_equal(m->entries[own].qos, 1);
	assert_int_equal(matches(r, "a"), 2);
	routes_remove_subscriber(r, &publisher);
	routes_remove_subscriber(r, &other);
	routes_free(r);
}

#define MANY 20000

/* Many on one filter, in an order that depends on nothing but what was done; the match is kept. */
static void test_routes_many_subscribers_of_one_filter(void **state)
{
	(void)state;
	struct subscriber *s = calloc(MANY, sizeof(*s));
	assert_non_null(s);
	mem_count_start();
	struct routes *r = routes_new(1, 64);
	for (size_t i = 0; i < MANY; i++)
		subscribe(r, &s[i], "news/+");
	const struct match *m = routes_match(r, SPAN_LITERAL("news/x"));
	assert_int_equal(m->entry_count, MANY);
	for (size_t i = 0; i < MANY; i++)
		assert_ptr_equal(m->entries[i].subscriber, &s[i]);
	assert_ptr_equal(routes_match(r, SPAN_LITERAL("news/x")), m);
	for (size_t i = 0; i < MANY; i += 2)
		assert_true(routes_unsubscribe(r, &s[i], SPAN_LITERAL("news/+")));
	assert_int_equal(matches(r, "news/x"), MANY / 2);
	for (size_t i = 1; i < MANY; i += 2)
		assert_true(routes_unsubscribe(r, &s[i], SPAN_LITERAL("news/+")));
	assert_int_equal(mem_count_live(), 1);
	routes_free(r);
	free(s);
}

static struct span numbered(char text[RANDOM_TEXT_LEN], const char *format, int number)
	__attribute__((format(printf, 2, 0)));

static struct span numbered(char text[RANDOM_TEXT_LEN], const char *format, int number)
{
	int len = snprintf(text, RANDOM_TEXT_LEN, format, number);
	return span_of(text, (size_t)len);
}

static void test_routes_many_subscriptions_of_one_session(void **state)
{
	(void)state;
	char text[RANDOM_TEXT_LEN];
	struct subscriber s = {0};
	mem_count_start();
	struct routes *r = routes_new(1, 64);
	for (int i = 0; i < MANY; i++)
		subscribe_with(r, &s, numbered(text, "dev/%d/cmd", i), plain);
	assert_int_equal(s.count, MANY);
	for (int i = 0; i < MANY; i += 100)
		assert_int_equal(routes_match(r, numbered(text, "dev/%d/cmd", i))->entry_count, 1);
	assert_int_equal(matches(r, "dev/x/cmd"), 0);
	for (int i = 0; i < MANY; i++)
		assert_true(routes_unsubscribe(
			r, &s, numbered(text, "dev/%d/cmd", (int)(i * 7919L % MANY))));
	assert_int_equal(s.count, 0);
	assert_int_equal(mem_count_live(), 1);
	routes_free(r);
}

/* Whatever fails, the first subscription leaves nothing behind. */
static void test_routes_subscribe_without_memory(void **state)
{
	(void)state;
	mem_count_start();
	struct routes *r = routes_new(1, 64);
	struct subscriber s = {0};
	int error = ERROR_NO_MEMORY;
	unsigned long countdown = 0;
	while (error) {
		bool existed;
		mem_fail_after(++countdown);
		error = routes_subscribe(r, &s, SPAN_LITERAL("a/+/#"), &plain, &existed);
		mem_fail_after(0);
		assert_int_equal(error != 0, s.first == NULL);
		if (error)
			assert_int_equal(mem_count_live(), 1);
	}
	assert_true(countdown > 5);
	routes_remove_subscriber(r, &s);
	routes_free(r);
	assert_int_equal(mem_count_live(), 0);
}

#define TOPIC_LEN_MAX 65535

/* A topic of 65,535 bytes is 65,536 levels at most: no stack, no quadratic time. */
static void test_routes_deepest_topics(void **state)
{
	(void)state;
	static uint8_t slashes[TOPIC_LEN_MAX], plusses[TOPIC_LEN_MAX], multi[TOPIC_LEN_MAX];
	for (size_t i = 0; i < TOPIC_LEN_MAX; i++) {
		slashes[i] = '/';
		plusses[i] = multi[i] = i % 2 ? '/' : '+';
	}
	multi[TOPIC_LEN_MAX - 1] = '#';
	struct span topic = span_of(slashes, TOPIC_LEN_MAX);
	struct span half = span_of(slashes, TOPIC_LEN_MAX / 2);
	mem_count_start();
	struct routes *r = routes_new(1, 16);
	struct subscriber s = {0};
	subscribe_with(r, &s, topic, plain);
	subscribe_with(r, &s, span_of(plusses, TOPIC_LEN_MAX), plain);
	subscribe_with(r, &s, span_of(multi, TOPIC_LEN_MAX), plain);
	subscribe(r, &s, "#");
	for (uint32_t i = 0; i < 2; i++) {
		subscribe_with(r, &s, SPAN_LITERAL("/#"), (struct subscription){.identifier = 9});
		assert_int_equal(routes_match(r, topic)->entries[0].identifier_count, 1);
		assert_true(routes_unsubscribe(r, &s, SPAN_LITERAL("#")) == (i == 0));
	}
	assert_int_equal(routes_match(r, half)->entry_count, 1);
	assert_true(routes_unsubscribe(r, &s, SPAN_LITERAL("/#")));
	assert_int_equal(routes_match(r, topic)->entry_count, 1);
	assert_true(routes_unsubscribe(r, &s, span_of(multi, TOPIC_LEN_MAX)));
	assert_true(routes_unsubscribe(r, &s, topic));
	assert_int_equal(routes_match(r, topic)->entry_count, 0);
	assert_int_equal(routes_match(r, half)->entry_count, 1); /* 32,768 levels, as plusses */
	routes_remove_subscriber(r, &s);
	assert_int_equal(mem_count_live(), 1);
	routes_free(r);
}

/* Every way to choose between a level and `+` exists, 4,096 filters, and none of them matches: the
 * walk goes no way twice. */
static void test_routes_all_combinations_of_wildcards(void **state)
{
	(void)state;
	struct routes *r = routes_new(1, 16);
	struct subscriber s = {0};
	char text[RANDOM_TEXT_LEN];
	for (unsigned bits = 0; bits < 4096; bits++) {
		for (unsigned i = 0; i < 12; i++) {
			text[2 * i] = bits >> i & 1 ? '+' : 'a';
			text[2 * i + 1] = '/';
		}
		memcpy(text + 24, "x", 2);
		subscribe(r, &s, text);
	}
	assert_int_equal(matches(r, "a/a/a/a/a/a/a/a/a/a/a/a/y"), 0);
	assert_int_equal(matches(r, "a/a/a/a/a/a/a/a/a/a/a/a/x"), 1);
	assert_int_equal(matches(r, "a/a/a/a/a/a/a/a/a/a/a/a/x/a/a/a/a/a/a/a/a/a/a/a"), 0);
	routes_remove_subscriber(r, &s);
	routes_free(r);
}

static void test_routes_remote_interest_is_freed(void **state)
{
	(void)state;
	char text[RANDOM_TEXT_LEN];
	mem_count_start();
	struct routes *r = routes_new(1, 16);
	struct interest both = {true, true}, none = {false, false};
	for (int i = 0; i < 1000; i++)
		assert_int_equal(routes_set_remote(r, numbered(text, "a/%d/+", i), 5, both), 0);
	const struct match *m = routes_match(r, SPAN_LITERAL("a/7/x"));
	assert_int_equal(m->remote_shards, 1 << 5);
	assert_int_equal(m->remote_surviving, 1 << 5);
	assert_int_equal(m->entry_count, 0);
	assert_false(m->has_surviving);
	for (int i = 0; i < 500; i++)
		assert_int_equal(routes_set_remote(r, numbered(text, "a/%d/+", i), 5, none), 0);
	assert_int_equal(routes_match(r, SPAN_LITERAL("a/7/x"))->remote_shards, 0);
	assert_int_equal(routes_match(r, SPAN_LITERAL("a/700/x"))->remote_shards, 1 << 5);
	routes_free(r); /* the rest goes with the routes */
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes_standard_filters),
		cmocka_unit_test(test_routes_merges_overlapping),
		cmocka_unit_test(test_routes_subscribe_again_replaces),
		cmocka_unit_test(test_routes_survival_changes),
		cmocka_unit_test(test_routes_no_local),
		cmocka_unit_test(test_routes_many_subscribers_of_one_filter),
		cmocka_unit_test(test_routes_many_subscriptions_of_one_session),
		cmocka_unit_test(test_routes_subscribe_without_memory),
		cmocka_unit_test(test_routes_deepest_topics),
		cmocka_unit_test(test_routes_all_combinations_of_wildcards),
		cmocka_unit_test(test_routes_remote_interest_is_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
