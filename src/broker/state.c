/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What survives, as lines of text in alphabetical order: two brokers with the same lines are in
 * the same state, whatever their shards, seeds and connections. Left out is what the log does not
 * decide: members of groups that do not survive, whose turn it is in a group, retained messages that
 * have expired, how far a connected client has been sent messages.
 */
#include "broker/snapshot.h"

#include "base/hash.h"
#include "base/mem.h"
#include "broker/group.h"
#include "broker/identifiers.h"
#include "broker/retain.h"
#include "broker/shard.h"
#include "broker/waiting.h"
#include "route/share.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define IDENTIFIERS_SHOWN_MAX 64

struct lines {
	char **items;
	size_t count, capacity;
};

/* Printable, and no two texts the same. */
struct shown {
	char text[1024];
};

static const char *show(struct shown *out, struct span text)
{
	char *next = out->text, *end = out->text + sizeof(out->text) - 32;
	for (size_t i = 0; i < text.len && next < end; i++) {
		bool is_plain = text.ptr[i] > ' ' && text.ptr[i] < 0x7f && text.ptr[i] != '%';
		next += sprintf(next, is_plain ? "%c" : "%%%02x", text.ptr[i]);
	}
	if (next >= end)
		sprintf(next, "...%016llx", (unsigned long long)hash_bytes(text, 0));
	else
		*next = 0;
	return out->text;
}

static void say(struct lines *l, const char *format, ...) PRINTF_LIKE(2, 3);
static void say(struct lines *l, const char *format, ...)
{
	char line[4096];
	va_list arguments;
	va_start(arguments, format);
	int len = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	ASSERT(len > 0 && (size_t)len < sizeof(line));
	if (l->count == l->capacity) {
		l->capacity = l->capacity ? l->capacity * 2 : 64;
		l->items = mem_realloc(l->items, l->capacity * sizeof(*l->items));
		ASSERT(l->items);
	}
	l->items[l->count] = mem_copy_text(span_of(line, (size_t)len));
	ASSERT(l->items[l->count]);
	l->count++;
}

static void say_will(struct lines *l, const char *id, const struct session *session)
{
	struct shown topic;
	const struct will *w = session->will;
	if (!w)
		return;
	const struct message *m = w->message;
	say(l, "session %s will delay %u due %llu qos %u retain %u expires %llu topic %s rest %llx",
	    id, w->delay, session->is_away ? (unsigned long long)w->due_ms : 0, m->qos, m->retain,
	    m->has_expiry ? (unsigned long long)m->expires_ms : 0, show(&topic, message_topic(m)),
	    (unsigned long long)(hash_bytes(message_properties(m), 1) ^
				 hash_bytes(message_payload(m), 2) ^
				 hash_bytes(message_source(m), 3)));
}

static void say_filters(struct lines *l, const char *id, const struct session *session)
{
	struct shown filter;
	for (const struct subscription *s = session->subscriber.first; s; s = s->next_of_subscriber)
		say(l, "session %s filter %s qos %u nolocal %u rap %u identifier %u", id,
		    show(&filter, subscription_filter(s)), s->qos, s->no_local,
		    s->retain_as_published, s->identifier);
	for (uint32_t i = 0; session->memberships && i < session->memberships->count; i++) {
		const struct membership *m = &session->memberships->slots[i];
		if (m->owner != MEMBERSHIP_FREE)
			say(l, "session %s filter %s qos %u rap %u identifier %u", id,
			    show(&filter, span_of(m->filter, m->filter_len)), m->qos,
			    m->retain_as_published, m->identifier);
	}
}

static const char *group_of(const struct session *session, const struct queued *q,
			    struct shown *out)
{
	if (q->membership == 0)
		return "";
	const struct membership *m = &session->memberships->slots[q->membership - 1];
	return show(out, span_of(m->filter, m->filter_len));
}

static int compare_numbers(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;
	return *left < *right ? -1 : *left > *right;
}

/* In which order subscriptions were made, and so matched, is not part of the state. */
static const char *identifiers_of(const struct shard *s, const struct session *session,
				  const struct queued *q, struct shown *out)
{
	uint32_t sorted[IDENTIFIERS_SHOWN_MAX] = {q->identifier}, count = 1;
	if (q->flags & QUEUED_IDENTIFIERS) {
		const struct identifier_set *set = identifiers_at(s, session, q->identifier);
		ASSERT(set);
		count = set->count < IDENTIFIERS_SHOWN_MAX ? set->count : IDENTIFIERS_SHOWN_MAX;
		memcpy(sorted, set->identifiers, count * sizeof(*sorted));
		qsort(sorted, count, sizeof(*sorted), compare_numbers);
	}
	char *next = out->text;
	*next = 0;
	for (uint32_t i = 0; i < count; i++)
		next += sprintf(next, "%u,", sorted[i]);
	return out->text;
}

static void say_pending(struct lines *l, const struct shard *s, const char *id,
			const struct session *session)
{
	struct shown group, identifiers;
	struct waiting_walk *w = mem_alloc(sizeof(*w));
	struct queued q;
	ASSERT(w);
	waiting_walk_start(w, session);
	while (waiting_walk_next(w, &q)) {
		if (q.position == 0)
			continue; /* QoS 0: it does not survive */
		bool is_released = q.flags & QUEUED_RELEASED;
		bool is_dup = q.flags & QUEUED_DUP || q.position < session_sent_to(session);
		if (is_released)
			say(l, "session %s message %llu released", id,
			    (unsigned long long)q.position);
		else
			say(l,
			    "session %s message %llu at %llx qos %u retain %u dup %u "
			    "identifiers %s group %s",
			    id, (unsigned long long)q.position, (unsigned long long)q.stored, q.qos,
			    q.flags & QUEUED_RETAIN, session->is_away && is_dup,
			    identifiers_of(s, session, &q, &identifiers),
			    group_of(session, &q, &group));
	}
	mem_free(w);
}

static void say_lookups(struct lines *l, const char *id, const struct session *session)
{
	struct shown filter, told;
	struct replay_wish wish;
	const void *cursor = NULL;
	while (replay_next(session, &cursor, &wish))
		if (wish.told.len > 0)
			say(l, "session %s asked at %llx for %s, was given all to %s", id,
			    (unsigned long long)wish.asked, show(&filter, wish.filter),
			    show(&told, wish.told));
}

static void say_session(struct lines *l, const struct shard *s, const struct session *session)
{
	struct shown shown;
	uint32_t cursor = 0;
	uint16_t packet_id;
	const char *id = show(&shown, session_client_id(session));
	say(l, "session %s is %llx connect %llx expiry %u away %u until %llu next %llu sent %llu",
	    id, (unsigned long long)session->log_id, (unsigned long long)session->connect_id,
	    session->expiry_interval, session->is_away,
	    session->is_away ? (unsigned long long)session->kept->expires_ms : 0,
	    (unsigned long long)session->kept->queue_next,
	    session->is_away ? (unsigned long long)session_sent_to(session) : 0);
	while ((packet_id = receive_next(&session->receive, &cursor)))
		say(l, "session %s receives %u", id, packet_id);
	say_will(l, id, session);
	say_filters(l, id, session);
	say_pending(l, s, id, session);
	say_lookups(l, id, session);
}

static bool is_surviving(const struct share *share)
{
	for (uint32_t i = 0; i < share->member_count; i++)
		if (share->members[i].survives)
			return true;
	return false;
}

static void say_group(struct lines *l, const struct share *share)
{
	struct shown name, filter;
	struct group_walk *w = mem_alloc(sizeof(*w));
	struct queued q;
	ASSERT(w);
	show(&name, share_name(share));
	show(&filter, share_filter(share));
	group_walk_start(w, share);
	while (group_walk_next(w, &q))
		if (q.stored)
			say(l, "group %s %s message %016llx qos %u dup %u", name.text, filter.text,
			    (unsigned long long)q.stored, q.qos, (q.flags & QUEUED_DUP) != 0);
	mem_free(w);
}

static void say_retained(struct lines *l, const struct shard *s)
{
	struct shown topic;
	struct retained_walk walk = {0};
	const struct message *m;
	while ((m = retained_each(s->retained, &walk)))
		if (!m->has_expiry || m->expires_ms > s->now.wall_ms)
			say(l, "retained %s at %llx", show(&topic, message_topic(m)),
			    (unsigned long long)m->position);
}

static void say_limits(struct lines *l, const struct limits *limits)
{
	say(l, "limits subscriptions %u levels %u qos %u upgrade %u",
	    limits->subscriptions_per_client_max, limits->topic_levels_max, limits->qos_max,
	    limits->upgrade_outgoing_qos);
}

static void say_shard(struct lines *l, struct shard *s)
{
	uint32_t cursor = 0;
	uint64_t share_cursor = 0;
	const struct session *session;
	const struct share *share;
	while ((session = map_next(&s->sessions, &cursor)))
		if (session->log_id)
			say_session(l, s, session);
	while ((share = routes_each_share(s->routes, &share_cursor)))
		if (is_surviving(share))
			say_group(l, share);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(struct lines *l)
{
	size_t len = 1;
	for (size_t i = 0; i < l->count; i++)
		len += strlen(l->items[i]) + 1;
	char *text = mem_alloc(len), *next = text;
	for (size_t i = 0; i < l->count; i++) {
		if (text)
			next += sprintf(next, "%s\n", l->items[i]);
		mem_free(l->items[i]);
	}
	if (text)
		*next = 0;
	mem_free(l->items);
	return text;
}

char *state_text(struct broker *b)
{
	struct lines l = {0};
	say_limits(&l, &b->shards[0].limits);
	say_retained(&l, &b->shards[0]);
	for (unsigned i = 0; i < b->shard_count; i++)
		say_shard(&l, &b->shards[i]);
	qsort(l.items, l.count, sizeof(*l.items), compare);
	return join(&l);
}

uint64_t state_digest(struct broker *b)
{
	char *text = state_text(b);
	ASSERT(text);
	uint64_t digest = hash_bytes(span_of_text(text), 0);
	mem_free(text);
	return digest;
}
