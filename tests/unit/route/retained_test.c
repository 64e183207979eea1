/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include "base/mem.h"
#include "mqtt/topic.h"
#include "route/retained.h"

#include <stdlib.h>

struct message {
	uint32_t number;
	uint32_t seen; /* in the walk being checked */
	bool is_held;
	char topic[RANDOM_TEXT_LEN];
};

static struct span topic_of(const struct message *m)
{
	return span_of_text(m->topic);
}

static unsigned dropped;

static void drop(struct message *m)
{
	assert_true(m->is_held);
	m->is_held = false;
	dropped++;
}

#define TOPICS 3000

/* Each topic has two messages that take turns. */
struct world {
	struct random random;
	struct retained *store;
	char topics[TOPICS][RANDOM_TEXT_LEN];
	struct message messages[TOPICS][2];
	struct message *held[TOPICS];
	bool was_always_held[TOPICS]; /* since the walk began */
	uint64_t count;
};

static bool is_new_topic(const struct world *w, int count, const char *topic)
{
	for (int i = 0; i < count; i++)
		if (strcmp(w->topics[i], topic) == 0)
			return false;
	return true;
}

static void init_world(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->random.state = seed;
	for (int i = 0; i < TOPICS;) {
		char topic[RANDOM_TEXT_LEN];
		random_topic(&w->random, topic);
		size_t len = strlen(topic);
		if (!is_new_topic(w, i, topic)) /* few short ones: the rest gets a number */
			snprintf(topic + len, sizeof(topic) - len, "/%u",
				 random_below(&w->random, 1000));
		if (!is_new_topic(w, i, topic))
			continue;
		strcpy(w->topics[i++], topic);
	}
	mem_count_start();
	w->store = retained_new(seed, topic_of);
	assert_non_null(w->store);
}

/* The store gave it back: its text must not be looked at any more. */
static void let_go(struct message *m)
{
	m->is_held = false;
	strcpy(m->topic, "gone");
}

static void set(struct world *w, int i)
{
	struct message *m = &w->messages[i][w->held[i] == &w->messages[i][0]];
	struct message *old = m;
	strcpy(m->topic, w->topics[i]);
	int error = retained_set(w->store, m, &old);
	if (error) {
		assert_true(mem_has_failed());
		assert_null(w->held[i]);
		return;
	}
	assert_ptr_equal(old, w->held[i]);
	if (old)
		let_go(old);
	else
		w->count++;
	m->is_held = true;
	w->held[i] = m;
}

static void clear(struct world *w, int i)
{
	struct message *m = retained_clear(w->store, span_of_text(w->topics[i]));
	assert_ptr_equal(m, w->held[i]);
	if (!m)
		return;
	let_go(m);
	w->held[i] = NULL;
	w->was_always_held[i] = false;
	w->count--;
}

static void change(struct world *w, uint32_t sets_of_ten)
{
	int i = (int)random_below(&w->random, TOPICS);
	if (random_below(&w->random, 10) < sets_of_ten)
		set(w, i);
	else
		clear(w, i);
	assert_int_equal(retained_count(w->store), w->count);
	int j = (int)random_below(&w->random, TOPICS);
	assert_ptr_equal(retained_find(w->store, span_of_text(w->topics[j])), w->held[j]);
}

static void begin_walk(struct world *w)
{
	for (int i = 0; i < TOPICS; i++) {
		w->was_always_held[i] = w->held[i] != NULL;
		w->messages[i][0].seen = w->messages[i][1].seen = 0;
	}
}

/* What was there all the time was seen, nothing twice, nothing that does not match. */
static void check_walk(const struct world *w, struct span filter)
{
	for (int i = 0; i < TOPICS; i++) {
		struct span topic = span_of_text(w->topics[i]);
		uint32_t seen = w->messages[i][0].seen + w->messages[i][1].seen;
		bool matches = topic_matches(filter, topic);
		assert_true(seen <= matches);
		if (matches && w->was_always_held[i])
			assert_int_equal(seen, 1);
	}
}

/* Up to so many changes after each pause, so many visits between two. */
static void walk(struct world *w, uint32_t changes_max, unsigned visits_max)
{
	char text[RANDOM_TEXT_LEN];
	random_filter(&w->random, text);
	struct span filter = span_of_text(text);
	struct retained_cursor c;
	retained_cursor_init(&c, filter);
	begin_walk(w);
	while (!c.is_done) {
		unsigned visits_left = visits_max;
		struct message *m;
		while ((m = retained_next(w->store, &c, &visits_left))) {
			assert_true(m->is_held);
			m->seen++;
			if (changes_max && random_below(&w->random, 20) == 0)
				change(w, 5);
		}
		assert_true(c.is_done || visits_left == 0);
		for (uint32_t i = changes_max ? random_below(&w->random, changes_max) : 0; i > 0;
		     i--)
			change(w, 5);
	}
	assert_null(retained_next(w->store, &c, &(unsigned){10}));
	retained_cursor_release(&c);
	check_walk(w, filter);
}

static void clear_all(struct world *w)
{
	for (int i = 0; i < TOPICS; i++)
		clear(w, i);
	assert_int_equal(retained_count(w->store), 0);
	assert_int_equal(mem_count_live(), 1);
	retained_free(w->store, drop);
	assert_int_equal(mem_count_live(), 0);
}

static void test_retained_random_programs(void **state)
{
	(void)state;
	static struct world w;
	init_world(&w, 1);
	for (int round = 0; round < 12; round++) {
		for (int i = 0; i < 3000; i++)
			change(&w, round % 3 == 2 ? 2 : 8);
		for (int i = 0; i < 30; i++)
			walk(&w, 0, 1 + random_below(&w.random, 100));
	}
	clear_all(&w);
}

static void test_retained_changes_during_walks(void **state)
{
	(void)state;
	static struct world w;
	init_world(&w, 2);
	for (int i = 0; i < 6000; i++)
		change(&w, 8);
	for (int i = 0; i < 200; i++)
		walk(&w, 30, 1 + random_below(&w.random, 50));
	clear_all(&w);
}

static void test_retained_each_allocation_fails(void **state)
{
	(void)state;
	static struct world w;
	init_world(&w, 3);
	for (int i = 0; i < 20000; i++) {
		mem_fail_after(1 + random_below(&w.random, 6)); /* the first set needs 5 */
		change(&w, i / 3000 % 2 ? 3 : 8);
	}
	mem_fail_after(0);
	assert_true(w.count > 1000);
	for (int i = 0; i < 10; i++)
		walk(&w, 0, 100);
	clear_all(&w);
}

/* Without memory for its position a walk takes more visits than it was given, but is whole. */
static void test_retained_walk_without_memory(void **state)
{
	(void)state;
	static struct world w;
	init_world(&w, 4);
	for (int i = 0; i < 3000; i++)
		change(&w, 8);
	struct retained_cursor c;
	retained_cursor_init(&c, SPAN_LITERAL("a/#"));
	begin_walk(&w);
	unsigned visits_left = 5, found = 0;
	do {
		mem_fail_after(1);
		struct message *m = retained_next(w.store, &c, &visits_left);
		if (m)
			m->seen++;
		found += m != NULL;
	} while (!c.is_done);
	mem_fail_after(0);
	assert_true(found > 100);
	check_walk(&w, c.filter);
	retained_cursor_release(&c);
	clear_all(&w);
}

/* And a change of the store ends it: it must not go on at a wrong place. */
static void test_retained_walk_without_memory_ends_on_change(void **state)
{
	(void)state;
	static struct world w;
	init_world(&w, 4);
	for (int i = 0; i < 1000; i++)
		set(&w, i);
	struct retained_cursor c;
	retained_cursor_init(&c, SPAN_LITERAL("#"));
	unsigned visits_left = 100;
	mem_fail_after(1);
	assert_non_null(retained_next(w.store, &c, &visits_left));
	mem_fail_after(0);
	clear(&w, 5);
	assert_null(retained_next(w.store, &c, &visits_left));
	assert_true(c.is_done);
	retained_cursor_release(&c);
	clear_all(&w);
}

static void test_retained_free_drops_all(void **state)
{
	(void)state;
	static struct world w;
	init_world(&w, 5);
	for (int i = 0; i < 2000; i++)
		set(&w, i);
	dropped = 0;
	retained_free(w.store, drop);
	assert_int_equal(dropped, 2000);
	for (int i = 0; i < 2000; i++)
		assert_false(w.held[i]->is_held);
	assert_int_equal(mem_count_live(), 0);
}

/* A filter for a few of many topics visits few of them. */
static void test_retained_walk_jumps(void **state)
{
	(void)state;
	enum { ROOMS = 100, SENSORS = 100 };
	static struct message messages[ROOMS * SENSORS];
	struct retained *store = retained_new(1, topic_of);
	for (unsigned i = 0; i < ROOMS * SENSORS; i++) {
		struct message *old;
		snprintf(messages[i].topic, RANDOM_TEXT_LEN, "home/%u/%u", i / SENSORS,
			 i % SENSORS);
		assert_int_equal(retained_set(store, &messages[i], &old), 0);
		messages[i].is_held = true;
	}
	static const struct {
		const char *filter;
		unsigned found, visits_max;
	} cases[] = {
		{"home/17/42", 1, 2},    {"home/17/#", 100, 101},
		{"home/+/42", 100, 303}, {"+/17/42", 1, 4},
		{"#", 10000, 10000},     {"home/17/x", 0, 1},
		{"garden/#", 0, 1},      {"home/+/x", 0, 203},
		{"home/17/42/+", 0, 2},  {"home/+/42/too/deep", 0, 303},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct retained_cursor c;
		unsigned visits_left = 1000000, found = 0;
		retained_cursor_init(&c, span_of_text(cases[i].filter));
		while (retained_next(store, &c, &visits_left))
			found++;
		assert_true(c.is_done);
		assert_int_equal(found, cases[i].found);
		if (1000000 - visits_left > cases[i].visits_max)
			fail_msg("%s: %u visits", cases[i].filter, 1000000 - visits_left);
		retained_cursor_release(&c);
	}
	retained_free(store, drop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retained_random_programs),
		cmocka_unit_test(test_retained_changes_during_walks),
		cmocka_unit_test(test_retained_each_allocation_fails),
		cmocka_unit_test(test_retained_walk_without_memory),
		cmocka_unit_test(test_retained_walk_without_memory_ends_on_change),
		cmocka_unit_test(test_retained_free_drops_all),
		cmocka_unit_test(test_retained_walk_jumps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
