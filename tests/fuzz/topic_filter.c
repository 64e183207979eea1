/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter and a topic, parted by a line feed, against the rules of [5] 4.7 and 4.8.2 read word by
 * word: texts cut into levels, and nothing clever.
 */
#include "fuzz.h"
#include "mqtt/topic.h"

#define LEVELS_MAX 4096

struct levels {
	struct span at[LEVELS_MAX];
	size_t count;
};

static void cut(struct span text, struct levels *out)
{
	out->count = 0;
	size_t start = 0;
	for (size_t i = 0; i <= text.len; i++)
		if (i == text.len || text.ptr[i] == '/') {
			out->at[out->count++] = span_of(text.ptr + start, i - start);
			start = i + 1;
		}
}

static bool is_text(struct span level, const char *text)
{
	return span_is_equal(level, span_of_text(text));
}

static bool holds(struct span text, char c)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == (uint8_t)c)
			return true;
	return false;
}

static bool has_wildcards(struct span text)
{
	return holds(text, '+') || holds(text, '#');
}

/* Levels from `first` on. */
static bool levels_are_valid(const struct levels *l, size_t first)
{
	for (size_t i = first; i < l->count; i++) {
		bool is_last = i + 1 == l->count;
		bool is_wildcard = is_text(l->at[i], "+") || (is_last && is_text(l->at[i], "#"));
		if (!is_wildcard && has_wildcards(l->at[i]))
			return false;
	}
	return l->count > first && !(l->count == first + 1 && l->at[first].len == 0);
}

static bool filter_is_valid(const struct levels *l)
{
	if (l->count < 2 || !is_text(l->at[0], "$share"))
		return levels_are_valid(l, 0);
	return l->at[1].len > 0 && !has_wildcards(l->at[1]) && levels_are_valid(l, 2);
}

static bool levels_match(const struct levels *filter, size_t first, const struct levels *topic)
{
	size_t f = first, t = 0;
	bool starts_with_wildcard = is_text(filter->at[f], "+") || is_text(filter->at[f], "#");
	if (starts_with_wildcard && topic->at[0].len > 0 && topic->at[0].ptr[0] == '$')
		return false;
	for (; f < filter->count; f++, t++) {
		if (is_text(filter->at[f], "#"))
			return true;
		if (t == topic->count)
			return false;
		if (!is_text(filter->at[f], "+") && !span_is_equal(filter->at[f], topic->at[t]))
			return false;
	}
	return t == topic->count;
}

static void check(struct span filter, struct span topic)
{
	static struct levels filter_levels, topic_levels;
	cut(filter, &filter_levels);
	cut(topic, &topic_levels);
	bool is_filter = filter_is_valid(&filter_levels);
	bool is_topic = topic.len > 0 && !has_wildcards(topic);
	CHECK(topic_filter_is_valid(filter) == is_filter);
	CHECK(topic_name_is_valid(topic) == is_topic);
	CHECK(topic_has_wildcard(topic) == has_wildcards(topic));
	CHECK(topic_level_count(topic) == topic_levels.count);
	if (!is_filter || !is_topic)
		return;
	struct span name, inner = filter;
	bool is_shared = topic_filter_split_share(filter, &name, &inner);
	CHECK(is_shared == (filter_levels.count > 1 && is_text(filter_levels.at[0], "$share")));
	if (is_shared)
		CHECK(span_is_equal(name, filter_levels.at[1]));
	CHECK(topic_matches(inner, topic) ==
	      levels_match(&filter_levels, is_shared ? 2 : 0, &topic_levels));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *newline = len ? memchr(data, '\n', len) : NULL;
	if (len > LEVELS_MAX - 1 || !newline)
		return 0;
	size_t filter_len = (size_t)(newline - data), topic_len = len - filter_len - 1;
	uint8_t *filter = fuzz_copy(data, filter_len);
	uint8_t *topic = fuzz_copy(newline + 1, topic_len);
	check(span_of(filter, filter_len), span_of(topic, topic_len));
	free(filter);
	free(topic);
	return 0;
}
