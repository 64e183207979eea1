/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/topic.h"

#include "mqtt/scan.h"

static const struct span share_prefix = {(const uint8_t *)"$share/", 7};

bool topic_has_wildcard(struct span topic)
{
	if (LIKELY(scan_is_ascii_topic(topic)))
		return false;
	for (size_t i = 0; i < topic.len; i++)
		if (topic.ptr[i] == '+' || topic.ptr[i] == '#')
			return true;
	return false;
}

bool topic_name_is_valid(struct span topic)
{
	return topic.len > 0 && !topic_has_wildcard(topic);
}

/* A wildcard fills its level; `#` is the last one [MQTT-4.7.1-1, -2]. */
static bool wildcards_are_valid(struct span filter)
{
	for (size_t i = 0; i < filter.len; i++) {
		uint8_t c = filter.ptr[i];
		if (c != '+' && c != '#')
			continue;
		if (i > 0 && filter.ptr[i - 1] != '/')
			return false;
		if (i + 1 < filter.len && (c == '#' || filter.ptr[i + 1] != '/'))
			return false;
	}
	return filter.len > 0;
}

static bool has_share_prefix(struct span filter)
{
	return filter.len >= share_prefix.len &&
	       memcmp(filter.ptr, share_prefix.ptr, share_prefix.len) == 0;
}

bool topic_filter_split_share(struct span filter, struct span *share_name_out,
			      struct span *filter_out)
{
	if (!has_share_prefix(filter))
		return false;
	const uint8_t *name = filter.ptr + share_prefix.len;
	size_t left = filter.len - share_prefix.len;
	const uint8_t *slash = left > 0 ? memchr(name, '/', left) : NULL;
	if (!slash)
		return false;
	*share_name_out = span_of(name, (size_t)(slash - name));
	*filter_out = span_of(slash + 1, left - share_name_out->len - 1);
	return true;
}

bool topic_filter_is_valid(struct span filter)
{
	struct span name, inner;
	if (!has_share_prefix(filter))
		return wildcards_are_valid(filter);
	return topic_filter_split_share(filter, &name, &inner) && topic_name_is_valid(name) &&
	       wildcards_are_valid(inner);
}

unsigned topic_level_count(struct span topic)
{
	unsigned count = 1;
	for (size_t i = 0; i < topic.len; i++)
		count += topic.ptr[i] == '/';
	return count;
}

static size_t level_len(struct span s, size_t at)
{
	const uint8_t *slash = at < s.len ? memchr(s.ptr + at, '/', s.len - at) : NULL;
	return slash ? (size_t)(slash - s.ptr) - at : s.len - at;
}

/* Level by level; a position of len + 1 means that no level is left. */
bool topic_matches(struct span filter, struct span topic)
{
	size_t f = 0, t = 0;
	if (topic.len == 0 || filter.len == 0)
		return false;
	if (topic.ptr[0] == '$' && (filter.ptr[0] == '+' || filter.ptr[0] == '#'))
		return false;
	for (;;) {
		if (f > filter.len)
			return t > topic.len;
		size_t f_len = level_len(filter, f);
		if (f_len == 1 && filter.ptr[f] == '#')
			return true; /* also the parent level [5] 4.7.1.2 */
		if (t > topic.len)
			return false;
		size_t t_len = level_len(topic, t);
		bool is_plus = f_len == 1 && filter.ptr[f] == '+';
		if (!is_plus &&
		    (f_len != t_len || memcmp(filter.ptr + f, topic.ptr + t, t_len) != 0))
			return false;
		f += f_len + 1;
		t += t_len + 1;
	}
}
