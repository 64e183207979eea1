/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

/* The first ones tell what is wrong; a thousand more would hide them. */
#define VIOLATIONS_SHOWN 20

/* What one client got of one stream. */
struct arrival {
	uint32_t client;
	uint32_t stream;
	uint32_t newest; /* number of the newest message + 1, 0 = none */
	uint32_t words;
	uint64_t *seen; /* a bit a message */
};

static struct span key_of_arrival(const void *element)
{
	return span_of(element, 2 * sizeof(uint32_t));
}

void ledger_init(struct ledger *l, uint32_t stream_count)
{
	*l = (struct ledger){.stream_count = stream_count};
	l->streams = mem_zalloc(stream_count * sizeof(*l->streams));
	ASSERT(l->streams);
	map_init(&l->arrivals, 1, key_of_arrival);
}

void ledger_release(struct ledger *l)
{
	struct arrival *a;
	for (uint32_t cursor = 0; (a = map_next(&l->arrivals, &cursor));) {
		mem_free(a->seen);
		mem_free(a);
	}
	map_release(&l->arrivals);
	for (uint32_t i = 0; i < l->stream_count; i++)
		mem_free(l->streams[i].messages);
	mem_free(l->streams);
	for (unsigned i = 0; i < FILTERS_ALL; i++)
		mem_free(l->intervals[i].items);
}

void ledger_violation(struct ledger *l, const char *format, ...)
{
	if (l->violations++ >= VIOLATIONS_SHOWN)
		return;
	va_list arguments;
	va_start(arguments, format);
	fputs("VIOLATION: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

void ledger_define(struct ledger *l, uint32_t stream, uint32_t publisher, unsigned topic,
		   unsigned qos)
{
	l->streams[stream] = (struct stream_log){
		.publisher = publisher, .topic = (uint16_t)topic, .qos = (uint8_t)qos};
}

static void *grown(void *items, uint32_t *capacity, size_t size)
{
	*capacity = *capacity ? *capacity * 2 : 8;
	items = mem_realloc(items, *capacity * size);
	ASSERT(items);
	return items;
}

uint32_t ledger_sent(struct ledger *l, uint32_t stream)
{
	struct stream_log *s = &l->streams[stream];
	if (s->count == s->capacity)
		s->messages = grown(s->messages, &s->capacity, sizeof(*s->messages));
	s->messages[s->count] = (struct sent_message){.sent_at = ++l->clock};
	l->published++;
	return s->count++;
}

void ledger_resent(struct ledger *l, uint32_t stream, uint32_t number)
{
	l->streams[stream].messages[number].was_resent = true;
}

void ledger_accepted(struct ledger *l, uint32_t stream, uint32_t number)
{
	l->streams[stream].messages[number].accepted_at = ++l->clock;
	l->accepted++;
}

void ledger_refused(struct ledger *l)
{
	l->refused++;
}

void ledger_subscribed(struct ledger *l, uint32_t client, unsigned filter, unsigned qos)
{
	struct interval_list *list = &l->intervals[filter];
	if (list->count == list->capacity)
		list->items = grown(list->items, &list->capacity, sizeof(*list->items));
	list->items[list->count++] = (struct interval){
		.client = client, .since = ++l->clock, .until = UINT32_MAX, .qos = (uint8_t)qos};
}

void ledger_unsubscribing(struct ledger *l, uint32_t client, unsigned filter)
{
	struct interval_list *list = &l->intervals[filter];
	++l->clock;
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->items[i].client == client && list->items[i].until == UINT32_MAX)
			list->items[i].until = l->clock;
	}
}

/* What waited for the session goes with it: nothing of it is owed any more. */
void ledger_session_ends(struct ledger *l, uint32_t client)
{
	for (unsigned filter = 0; filter < FILTERS_ALL; filter++) {
		struct interval_list *list = &l->intervals[filter];
		uint32_t kept = 0;
		for (uint32_t i = 0; i < list->count; i++) {
			if (list->items[i].client != client)
				list->items[kept++] = list->items[i];
		}
		list->count = kept;
	}
}

static struct arrival *find_arrival(const struct ledger *l, uint32_t client, uint32_t stream)
{
	uint32_t key[2] = {client, stream};
	return map_find(&l->arrivals, span_of(key, sizeof(key)));
}

static struct arrival *make_arrival(struct ledger *l, uint32_t client, uint32_t stream)
{
	struct arrival *a = find_arrival(l, client, stream);
	if (a)
		return a;
	a = mem_zalloc(sizeof(*a));
	ASSERT(a);
	a->client = client;
	a->stream = stream;
	ASSERT(map_add(&l->arrivals, a) == 0);
	return a;
}

static bool has_seen(const struct arrival *a, uint32_t number)
{
	return a && number / 64 < a->words && (a->seen[number / 64] >> number % 64 & 1);
}

static void mark_seen(struct arrival *a, uint32_t number)
{
	uint32_t words = number / 64 + 1;
	if (words > a->words) {
		a->seen = mem_realloc(a->seen, words * sizeof(*a->seen));
		ASSERT(a->seen);
		memset(a->seen + a->words, 0, (words - a->words) * sizeof(*a->seen));
		a->words = words;
	}
	a->seen[number / 64] |= UINT64_C(1) << number % 64;
	if (number + 1 > a->newest)
		a->newest = number + 1;
}

void ledger_will_is_due(struct ledger *l, uint32_t stream, uint32_t number)
{
	struct sent_message *m = &l->streams[stream].messages[number];
	m->sent_at = ++l->clock;
	ledger_accepted(l, stream, number);
}

void ledger_forbid(struct ledger *l, uint32_t stream, uint32_t number)
{
	l->streams[stream].messages[number].is_forbidden = true;
}

bool ledger_has_arrived(const struct ledger *l, uint32_t client, uint32_t stream, uint32_t number)
{
	return has_seen(find_arrival(l, client, stream), number);
}

void ledger_delivered(struct ledger *l, uint32_t client, uint32_t stream, uint32_t number,
		      unsigned qos)
{
	const struct stream_log *s = &l->streams[stream];
	struct arrival *a = make_arrival(l, client, stream);
	if (number >= s->count) {
		ledger_violation(l, "client %u got message %u of stream %u, which was never sent",
				 client, number, stream);
		return;
	}
	l->delivered++;
	if (s->messages[number].is_forbidden)
		ledger_violation(l, "will %u of client %u was published although it came back",
				 number, s->publisher);
	if (has_seen(a, number)) {
		l->repeated++;
		if (s->qos == 0 || qos == 2)
			ledger_violation(l,
					 "duplicate: client %u got message %u of stream %u "
					 "(publisher %u, topic %u, QoS %u) again at QoS %u",
					 client, number, stream, s->publisher, s->topic, s->qos,
					 qos);
		return;
	}
	/* What a publisher sent again at QoS 1 is a new message to the broker (4.3.2): it may
	 * be the first copy that reaches a subscriber who came in between. */
	bool may_be_late = s->qos == 1 && s->messages[number].was_resent;
	if (number + 1 < a->newest && !may_be_late)
		ledger_violation(l,
				 "order: client %u got message %u of stream %u (publisher %u, "
				 "topic %u, QoS %u) after message %u",
				 client, number, stream, s->publisher, s->topic, s->qos,
				 a->newest - 1);
	mark_seen(a, number);
}

static uint64_t missing_of(struct ledger *l, uint32_t stream, const struct interval *i,
			   bool is_final)
{
	const struct stream_log *s = &l->streams[stream];
	const struct arrival *a = find_arrival(l, i->client, stream);
	uint64_t missing = 0;
	for (uint32_t number = 0; number < s->count; number++) {
		const struct sent_message *m = &s->messages[number];
		bool is_owed =
			m->accepted_at != 0 && m->sent_at > i->since && m->accepted_at < i->until;
		if (!is_owed || has_seen(a, number))
			continue;
		missing++;
		if (is_final)
			ledger_violation(l,
					 "loss: client %u never got message %u of stream %u "
					 "(publisher %u, topic %u, QoS %u, subscribed at %u; sent "
					 "%u, accepted %u, interval %u-%u)",
					 i->client, number, stream, s->publisher, s->topic, s->qos,
					 i->qos, m->sent_at, m->accepted_at, i->since, i->until);
	}
	return missing;
}

uint64_t ledger_missing(struct ledger *l, bool is_final)
{
	uint64_t missing = 0;
	for (uint32_t stream = 0; stream < l->stream_count; stream++) {
		const struct stream_log *s = &l->streams[stream];
		const struct interval_list *list = &l->intervals[topic_filter(s->topic)];
		if (s->qos == 0 || s->count == 0)
			continue;
		for (uint32_t i = 0; i < list->count; i++) {
			if (list->items[i].qos > 0)
				missing += missing_of(l, stream, &list->items[i], is_final);
		}
	}
	return missing;
}
