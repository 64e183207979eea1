/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *const topics[TOPICS] = {"a", "b", "a/b", "a/c", "a/b/c", "/a", "$x/a", "b/"};
const char *const filters[FILTERS] = {
	"a",          "b",   "a/b",          "a/+",        "#",
	"+",          "a/#", "+/b",          "a/+/c",      "$x/#",
	"b/",         "/+",  "$share/g/a/#", "$share/g/#", "$share/h/+/b",
	"$share/i/a",
};
bool filter_matches[FILTERS][TOPICS];

/* The standard's own words ([5] 4.7), level by level. */
static bool matches(const char *filter, const char *topic)
{
	if (topic[0] == '$' && (filter[0] == '#' || filter[0] == '+'))
		return false;
	for (;;) {
		size_t f = strcspn(filter, "/"), t = strcspn(topic, "/");
		if (f == 1 && filter[0] == '#')
			return true;
		bool is_plus = f == 1 && filter[0] == '+';
		if (!is_plus && (f != t || strncmp(filter, topic, f) != 0))
			return false;
		if (!topic[t])
			return !filter[f] || strcmp(filter + f, "/#") == 0;
		if (!filter[f])
			return false;
		filter += f + 1;
		topic += t + 1;
	}
}

static const char *inner(const char *filter)
{
	if (strncmp(filter, "$share/", 7) != 0)
		return filter;
	return strchr(filter + 7, '/') + 1;
}

void world_init_filters(void)
{
	for (unsigned f = 0; f < FILTERS; f++)
		for (unsigned t = 0; t < TOPICS; t++)
			filter_matches[f][t] = matches(inner(filters[f]), topics[t]);
}

void world_note(struct world *w, const char *format, ...)
{
	w->tick++;
	if (!w->is_traced)
		return;
	va_list arguments;
	va_start(arguments, format);
	printf("%8llu %llu.%03llu ", (unsigned long long)w->tick,
	       (unsigned long long)(w->kit.now.steady_ms - KIT_START_STEADY_MS) / 1000,
	       (unsigned long long)(w->kit.now.steady_ms - KIT_START_STEADY_MS) % 1000);
	vprintf(format, arguments);
	putchar('\n');
	va_end(arguments);
}

void world_fail(struct world *w, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fflush(stdout);
	fprintf(stderr, "seed %llu (%u shards, %u clients%s), step %llu, tick %llu: ",
		(unsigned long long)w->seed, w->kit.shard_count, w->client_count,
		w->has_small_queues ? ", small queues" : "", (unsigned long long)w->steps,
		(unsigned long long)w->tick);
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\nreplay: %s--from %llu --seeds 1 --trace\n", w->disk ? "--disk " : "",
		(unsigned long long)w->seed);
	va_end(arguments);
	exit(1);
}

struct published *world_message(struct world *w, unsigned publisher, unsigned topic, uint8_t qos)
{
	if (w->message_count + 1 >= MESSAGES_MAX)
		return NULL;
	struct published *m = &w->messages[++w->message_count];
	*m = (struct published){.id = w->message_count,
				.start = ++w->tick,
				.end = NEVER,
				.publisher = (uint8_t)publisher,
				.topic = (uint8_t)topic,
				.qos = qos,
				.sessions_over = w->sessions_over};
	m->seq = ++w->next_seq[publisher][topic][qos];
	return m;
}

/* Small ones mostly, some that are shared and not copied, a few larger than any buffer. */
static size_t payload_len(uint32_t id)
{
	if (id % 97 == 0)
		return 70000 + id;
	if (id % 23 == 0)
		return 4090 + id % 50;
	return 4 + id % 60;
}

uint32_t expiry_of(const struct published *m)
{
	return 1 + m->id % 20;
}

struct span payload_of(const struct published *m)
{
	static uint8_t bytes[80000];
	size_t len = payload_len(m->id);
	if (m->is_clear)
		return SPAN_NONE;
	store_u32(bytes, m->id);
	for (size_t i = 4; i < len; i++)
		bytes[i] = (uint8_t)(m->id * 31 + i * 7);
	return span_of(bytes, len);
}

uint32_t payload_read(struct world *w, struct span payload)
{
	if (payload.len == 0)
		return 0;
	uint32_t id = payload.len >= 4 ? load_u32(payload.ptr) : 0;
	if (id == 0 || id > w->message_count)
		world_fail(w, "a payload that nobody sent");
	if (!span_is_equal(payload, payload_of(&w->messages[id])))
		world_fail(w, "the payload of message %u was changed", id);
	return id;
}
