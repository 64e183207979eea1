/* SPDX-License-Identifier: Apache-2.0 */
#include "route/topic_order.h"

/* Where two runs of the same length differ first, or their length. */
static size_t common_len(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;
	while (i + 8 <= len) {
		uint64_t x, y;
		memcpy(&x, a + i, 8);
		memcpy(&y, b + i, 8);
		if (x != y)
			break;
		i += 8;
	}
	while (i < len && a[i] == b[i])
		i++;
	return i;
}

/* A byte's rank: `/` is the lowest. */
static int rank(uint8_t byte)
{
	return byte == '/' ? 0 : byte + 1;
}

/* Compares the beginnings of both; 0 when one is the beginning of the other. */
static int compare_common(struct span a, struct span b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	size_t at = common_len(a.ptr, b.ptr, len);
	return at == len ? 0 : rank(a.ptr[at]) - rank(b.ptr[at]);
}

int topic_order_compare(struct span topic, struct topic_place place)
{
	int order = compare_common(topic, place.head);
	if (order != 0)
		return order;
	if (topic.len < place.head.len)
		return -1;
	struct span rest = span_of(topic.ptr + place.head.len, topic.len - place.head.len);
	order = compare_common(rest, place.tail);
	if (order != 0)
		return order;
	return rest.len < place.tail.len ? -1 : rest.len > place.tail.len;
}

static struct span level_at(struct span text, size_t at)
{
	const uint8_t *begin = text.ptr + at;
	const uint8_t *slash = memchr(begin, '/', text.len - at);
	return span_of(begin, slash ? (size_t)(slash - begin) : text.len - at);
}

/* Levels hold no slash, so plain order is the same as ours. */
static int compare_levels(struct span a, struct span b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.ptr, b.ptr, len);
	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

static bool is_level(struct span level, char wildcard)
{
	return level.len == 1 && level.ptr[0] == (uint8_t)wildcard;
}

/* Behind the subtree of the first `len` bytes: the lowest text that goes on with no slash. */
static struct topic_place place_behind(struct span topic, size_t len)
{
	return (struct topic_place){span_of(topic.ptr, len), span_of("", 1)};
}

struct span topic_order_literal(struct span filter, size_t at)
{
	size_t end = at;
	for (size_t f = at; f <= filter.len;) {
		struct span level = level_at(filter, f);
		if (is_level(level, '+') || is_level(level, '#'))
			break;
		end = f + level.len;
		f = end + 1;
	}
	return span_of(filter.ptr + at, end - at);
}

/* The topic ended before the filter: to the first below it that may match. `at` is where the
 * filter goes on; the slash before it belongs to the place. */
static struct topic_place place_below(struct span topic, struct span filter, size_t at)
{
	struct span literal = topic_order_literal(filter, at);
	return (struct topic_place){topic, span_of(literal.ptr - 1, literal.len + 1)};
}

static bool is_hidden(struct span filter, struct span topic)
{
	return topic.ptr[0] == '$' && (filter.ptr[0] == '+' || filter.ptr[0] == '#');
}

enum topic_step topic_order_step(struct span filter, struct span topic,
				 struct topic_place *place_out)
{
	if (is_hidden(filter, topic)) {
		*place_out = (struct topic_place){SPAN_NONE, SPAN_LITERAL("%")}; /* '$' + 1 */
		return TOPIC_JUMP;
	}
	bool has_plus = false; /* the last one stood for a level that ends at plus_end */
	size_t plus_end = 0;
	size_t t = 0;
	for (size_t f = 0; f <= filter.len;) {
		struct span wanted = level_at(filter, f);
		if (is_level(wanted, '#'))
			return TOPIC_MATCHES;
		if (t > topic.len) {
			*place_out = place_below(topic, filter, f);
			return TOPIC_JUMP;
		}
		struct span level = level_at(topic, t);
		if (is_level(wanted, '+')) {
			has_plus = true;
			plus_end = t + level.len;
		} else {
			int order = compare_levels(level, wanted);
			if (order < 0) {
				*place_out = (struct topic_place){span_of(topic.ptr, t),
								  topic_order_literal(filter, f)};
				return TOPIC_JUMP;
			}
			if (order > 0)
				goto behind;
		}
		f += wanted.len + 1;
		t += level.len + 1;
	}
	if (t > topic.len)
		return TOPIC_MATCHES;
behind:
	if (!has_plus)
		return TOPIC_END;
	*place_out = place_behind(topic, plus_end);
	return TOPIC_JUMP;
}
