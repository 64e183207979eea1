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
	if (!w->is_traced && !w->is_hashed)
		return;
	char text[400];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	uint64_t ms = w->kit.now.steady_ms - KIT_START_STEADY_MS;
	w->trace_hash ^= w->tick ^ ms << 20;
	for (const char *c = text; *c; c++)
		w->trace_hash = (w->trace_hash ^ (uint8_t)*c) * 0x100000001b3; /* FNV-1a */
	if (w->is_traced)
		printf("%8llu %llu.%03llu %s\n", (unsigned long long)w->tick,
		       (unsigned long long)ms / 1000, (unsigned long long)ms % 1000, text);
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
	char how[40] = "";
	if (w->log_kind == LOG_ON_DISK)
		snprintf(how, sizeof(how), "--disk ");
	else if (w->kept != KEPT_USUAL)
		snprintf(how, sizeof(how), "--kept %u ", w->kept);
	fprintf(stderr,
		"\ncommit %s, replay: simulation %s--from %llu --seeds 1 --trace\n"
		"shorter: simulation %s--reduce %llu\n",
		commit, how, (unsigned long long)w->seed, how, (unsigned long long)w->seed);
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
	model_lookup_published(w, m);
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

/* Byte i is id * 31 + i * 7: which for all ids lies somewhere in one row of numbers. */
#define RAMP_PERIOD 256
#define PAYLOAD_BYTES_MAX 80000

static const uint8_t *ramp_of(uint32_t id)
{
	static uint8_t ramp[RAMP_PERIOD + PAYLOAD_BYTES_MAX];
	const uint32_t inverse_of_7 = 183; /* modulo 256 */
	if (ramp[1] == 0)
		for (size_t i = 0; i < sizeof(ramp); i++)
			ramp[i] = (uint8_t)(i * 7);
	return ramp + (uint8_t)(id * 31 * inverse_of_7);
}

struct span payload_of(const struct published *m)
{
	static uint8_t bytes[PAYLOAD_BYTES_MAX];
	size_t len = payload_len(m->id);
	if (m->is_clear)
		return SPAN_NONE;
	memcpy(bytes, ramp_of(m->id), len);
	store_u32(bytes, m->id);
	return span_of(bytes, len);
}

uint32_t payload_read(struct world *w, struct span payload)
{
	if (payload.len == 0)
		return 0;
	uint32_t id = payload.len >= 4 ? load_u32(payload.ptr) : 0;
	if (id == 0 || id > w->message_count || w->messages[id].is_clear)
		world_fail(w, "a payload that nobody sent");
	if (payload.len != payload_len(id) ||
	    memcmp(payload.ptr + 4, ramp_of(id) + 4, payload.len - 4) != 0)
		world_fail(w, "the payload of message %u was changed", id);
	return id;
}
