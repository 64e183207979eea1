/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include "base/hash.h"
#include "base/mem.h"
#include "route/match_cache.h"

#include <stdlib.h>

static struct span topic_number(char text[RANDOM_TEXT_LEN], uint32_t number)
{
	int len = snprintf(text, RANDOM_TEXT_LEN, "topic/%u", number);
	return span_of(text, (size_t)len);
}

static const struct match *find(const struct match_cache *c, struct span topic)
{
	return match_cache_find(c, hash_bytes(topic, 1), topic);
}

/* Keeps a match that carries the number, with that many entries. */
static const struct match *keep(struct match_cache *c, uint32_t number, uint32_t entry_count)
{
	char text[RANDOM_TEXT_LEN];
	struct match_entry *entries = calloc(entry_count + 1, sizeof(*entries));
	assert_non_null(entries);
	uint32_t identifier = number;
	struct match m = {.entry_count = entry_count,
			  .entries = entries,
			  .identifiers = &identifier,
			  .remote_shards = number};
	if (entry_count > 0)
		entries[entry_count - 1].identifier_count = 1;
	struct span topic = topic_number(text, number);
	const struct match *kept = match_cache_keep(c, hash_bytes(topic, 1), topic, &m);
	free(entries);
	return kept;
}

static bool is_kept(const struct match_cache *c, uint32_t number)
{
	char text[RANDOM_TEXT_LEN];
	const struct match *m = find(c, topic_number(text, number));
	if (!m)
		return false;
	assert_int_equal(m->remote_shards, number);
	if (m->entry_count > 0)
		assert_int_equal(m->identifiers[m->entries[m->entry_count - 1].identifiers],
				 number);
	return true;
}

static void test_cache_keeps_and_forgets(void **state)
{
	(void)state;
	mem_count_start();
	struct match_cache c;
	match_cache_init(&c, 64);
	assert_false(is_kept(&c, 1));
	assert_non_null(keep(&c, 1, 3));
	assert_non_null(keep(&c, 2, 0));
	assert_true(is_kept(&c, 1));
	assert_true(is_kept(&c, 2));
	assert_false(is_kept(&c, 3));
	match_cache_clear(&c);
	assert_false(is_kept(&c, 1));
	assert_false(is_kept(&c, 2));
	assert_non_null(keep(&c, 2, 1));
	assert_true(is_kept(&c, 2));
	match_cache_release(&c);
	assert_false(is_kept(&c, 2));
	assert_int_equal(mem_count_live(), 0);
}

/* The topic decides, not its hash. */
static void test_cache_compares_topics(void **state)
{
	(void)state;
	struct match_cache c;
	struct match m = {.remote_shards = 1};
	match_cache_init(&c, 64);
	assert_non_null(match_cache_keep(&c, 5, SPAN_LITERAL("a"), &m));
	assert_null(match_cache_find(&c, 5, SPAN_LITERAL("b")));
	assert_null(match_cache_find(&c, 5, SPAN_LITERAL("aa")));
	assert_non_null(match_cache_find(&c, 5, SPAN_LITERAL("a")));
	match_cache_release(&c);
}

static void test_cache_is_bounded(void **state)
{
	(void)state;
	struct match_cache c;
	match_cache_init(&c, 256);
	for (uint32_t i = 1; i <= 100000; i++) {
		assert_non_null(keep(&c, i, i % 50));
		assert_true(is_kept(&c, i));
		assert_true(c.bytes <= c.bytes_max);
		if (i % 1000 == 0)
			match_cache_clear(&c);
	}
	uint32_t kept = 0;
	for (uint32_t i = 1; i <= 256; i++)
		assert_non_null(keep(&c, i, 0));
	for (uint32_t i = 1; i <= 100000; i++)
		kept += is_kept(&c, i);
	assert_in_range(kept, 200, 256);
	match_cache_release(&c);
}

/* What was allocated for one generation serves the next. */
static void test_cache_reuses_its_memory(void **state)
{
	(void)state;
	struct match_cache c;
	match_cache_init(&c, 4096);
	size_t bytes = 0;
	for (int round = 0; round < 30; round++) {
		for (uint32_t i = 1; i <= 1000; i++)
			assert_non_null(keep(&c, i, 20)); /* 8 chunks */
		assert_true(round == 0 || c.bytes == bytes);
		bytes = c.bytes;
		match_cache_clear(&c);
	}
	match_cache_release(&c);
}

static void test_cache_large_matches(void **state)
{
	(void)state;
	struct match_cache c;
	match_cache_init(&c, 4096);
	for (uint32_t i = 1; i <= 200; i++) {
		assert_non_null(keep(&c, i, i % 3 ? 10000 : 10)); /* 240 KB */
		assert_true(is_kept(&c, i));
		assert_true(c.bytes <= c.bytes_max);
	}
	assert_true(is_kept(&c, 200) && is_kept(&c, 199) && is_kept(&c, 198));
	uint32_t too_many = (uint32_t)(c.bytes_max / sizeof(struct match_entry)) + 1;
	assert_null(keep(&c, 201, too_many));
	assert_true(is_kept(&c, 200)); /* which costs the others nothing */
	match_cache_release(&c);
	match_cache_init(&c, 0);
	assert_null(keep(&c, 1, 1));
	match_cache_release(&c);
}

static void test_cache_without_memory(void **state)
{
	(void)state;
	mem_count_start();
	struct match_cache c;
	match_cache_init(&c, 64);
	uint32_t refused = 0;
	for (uint32_t i = 1; i <= 3000; i++) {
		mem_fail_after(1 + (i - 1) % 3);
		bool has_place = keep(&c, i, 100) != NULL;
		mem_fail_after(0);
		assert_int_equal(is_kept(&c, i), has_place);
		refused += !has_place;
	}
	assert_in_range(refused, 1, 100);
	match_cache_release(&c);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache_keeps_and_forgets),
		cmocka_unit_test(test_cache_compares_topics),
		cmocka_unit_test(test_cache_is_bounded),
		cmocka_unit_test(test_cache_reuses_its_memory),
		cmocka_unit_test(test_cache_large_matches),
		cmocka_unit_test(test_cache_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
