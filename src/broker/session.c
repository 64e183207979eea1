/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/session.h"

#include "base/mem.h"
#include "broker/full.h"
#include "broker/group.h"
#include "broker/hold.h"
#include "broker/identifiers.h"
#include "broker/interest.h"
#include "broker/retain.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/waiting.h"

#define RETRY_MS 1000 /* what could not be appended is tried again so much later */

/* A session's number: its slot, its shard, and a generation that makes it unique for good. */
#define NUMBER_SLOT_BITS 26
#define NUMBER_SHARD_BITS 6
#define NUMBER_SLOT_MASK ((1u << NUMBER_SLOT_BITS) - 1)

struct session *session_find(struct shard *s, struct span client_id)
{
	return map_find(&s->sessions, client_id);
}

struct session *session_by_number(struct shard *s, uint64_t number)
{
	uint32_t slot = (uint32_t)number & NUMBER_SLOT_MASK;
	if (slot >= s->numbers_count || ((number >> NUMBER_SLOT_BITS) & 63) != s->index)
		return NULL;
	struct session *session = s->numbers[slot];
	bool is_free = (uintptr_t)session & 1;
	return !is_free && session && session->number == number ? session : NULL;
}

/* Free slots hold the next free slot's index, shifted, with the lowest bit set. */
static int number_take(struct shard *s, struct session *session)
{
	if (s->numbers_free == 0) {
		uint32_t count = s->numbers_count ? s->numbers_count * 2 : 64;
		if (count > NUMBER_SLOT_MASK)
			return ERROR_LIMIT;
		struct session **numbers = mem_realloc(s->numbers, count * sizeof(*numbers));
		if (!numbers)
			return ERROR_NO_MEMORY;
		s->numbers = numbers;
		for (uint32_t i = count; i-- > s->numbers_count;) {
			numbers[i] = (struct session *)(((uintptr_t)s->numbers_free << 1) | 1);
			s->numbers_free = i + 1;
		}
		s->numbers_count = count;
	}
	uint32_t slot = s->numbers_free - 1;
	s->numbers_free = (uint32_t)((uintptr_t)s->numbers[slot] >> 1);
	s->numbers[slot] = session;
	session->number = (uint64_t)++s->generation << (NUMBER_SLOT_BITS + NUMBER_SHARD_BITS) |
			  (uint64_t)s->index << NUMBER_SLOT_BITS | slot;
	return 0;
}

static void number_give_back(struct shard *s, const struct session *session)
{
	uint32_t slot = (uint32_t)session->number & NUMBER_SLOT_MASK;
	s->numbers[slot] = (struct session *)(((uintptr_t)s->numbers_free << 1) | 1);
	s->numbers_free = slot + 1;
}

struct session *session_new(struct shard *s, struct span client_id)
{
	struct session *session = mem_zalloc(sizeof(*session) + client_id.len);
	if (!session)
		return NULL;
	session->client_id_len = (uint16_t)client_id.len;
	memcpy(session->client_id, client_id.ptr, client_id.len);
	send_init(&session->send, s->settings->in_flight_max);
	receive_init(&session->receive);
	session->queue = queue_empty();
	if (number_take(s, session)) {
		mem_free(session);
		return NULL;
	}
	if (map_add(&s->sessions, session)) {
		number_give_back(s, session);
		mem_free(session);
		return NULL;
	}
	atomic_fetch_add(&s->broker->session_count, 1);
	return session;
}

int session_keep(struct session *session)
{
	if (session->kept)
		return 0;
	session->kept = mem_zalloc(sizeof(*session->kept));
	if (!session->kept)
		return ERROR_NO_MEMORY;
	session->kept->session = session;
	session->kept->queue_next = 1;
	return 0;
}

struct queue *session_queue(struct shard *s, struct session *session)
{
	if (LIKELY(session->queue != queue_empty()))
		return session->queue;
	struct queue *q = mem_alloc(sizeof(*q));
	if (!q)
		return NULL;
	queue_init(q);
	q->pager = s->pager.file ? &s->pager : NULL;
	session->queue = q;
	return q;
}

static void drop_sending(void *context, struct sending *entry)
{
	struct shard *s = context;
	s->memory_bytes -= message_bytes(entry->message);
	message_unref(entry->message);
}

void session_set_survives(struct shard *s, struct session *session, bool survives)
{
	struct subscriber *subscriber = &session->subscriber;
	if (subscriber->survives == survives)
		return;
	if (s->broker->shard_count == 1 || !subscriber->first) {
		routes_set_survives(s->routes, subscriber, survives);
		return;
	}
	/* interest changes filter by filter: compare each before and after */
	uint32_t count = subscriber->count, i = 0;
	struct interest *before = mem_alloc(count * sizeof(*before));
	for (struct subscription *l = subscriber->first; before && l; l = l->next_of_subscriber)
		before[i++] = routes_interest(s->routes, subscription_filter(l));
	routes_set_survives(s->routes, subscriber, survives);
	i = 0;
	for (struct subscription *l = subscriber->first; l; l = l->next_of_subscriber, i++) {
		struct interest unknown = {.any = false};
		interest_changed(s, subscription_filter(l), before ? before[i] : unknown);
	}
	mem_free(before);
}

void session_unsubscribe_all(struct shard *s, struct session *session)
{
	struct subscriber *subscriber = &session->subscriber;
	if (s->broker->shard_count > 1) {
		while (subscriber->first) {
			struct span shown = subscription_filter(subscriber->first);
			char *text = mem_copy_text(shown);
			struct span filter = span_of(text, shown.len);
			if (!text)
				break; /* others keep an interest that nobody has: harmless */
			struct interest before = routes_interest(s->routes, filter);
			routes_unsubscribe(s->routes, subscriber, filter);
			interest_changed(s, filter, before);
			mem_free(text);
		}
	}
}

void session_drop_will(struct session *session)
{
	if (!session->will)
		return;
	message_unref(session->will->message);
	mem_free(session->will);
	session->will = NULL;
}

static void release(struct shard *s, struct session *session)
{
	if (session->kept)
		identity_unref(s, session->kept->identity);
	routes_remove_subscriber(s->routes, &session->subscriber);
	if (session->kept)
		timer_cancel(&s->session_timers, &session->kept->timer);
	mem_free(session->kept);
	s->memory_bytes -= session->queue->resident_bytes;
	s->status.queued_messages -= session->queue->count;
	if (session->queue != queue_empty()) {
		queue_release(session->queue);
		mem_free(session->queue);
	}
	send_release(&session->send, drop_sending, s);
	receive_release(&session->receive);
	acks_release(session);
	replay_drop(session);
	identifiers_release(s, session);
}

void session_end(struct shard *s, struct session *session, const char *why)
{
	ASSERT(!session->connection);
	struct event *e = shard_event(s, EVENT_SESSION_ENDED, NULL);
	e->session = session->number;
	e->flags = why ? 0 : EVENT_FLAG_CLEAN;
	if (shard_is_watched(s)) {
		struct event_detail detail = {.client_id = session_client_id(session), .text = why};
		s->broker->hooks.event(s->broker->hooks.context, s->index, e, &detail);
	}
	session_publish_will(s, session);
	session_drop_will(session); /* when it is on its way to the log */
	hold_release(s, session);
	group_leave_all(s, session);
	session_unsubscribe_all(s, session);
	release(s, session);
	map_remove(&s->sessions, session_client_id(session));
	atomic_fetch_sub(&s->broker->session_count, 1);
	number_give_back(s, session);
	mem_free(session);
}

void session_forget(struct shard *s, struct session *session)
{
	session_drop_will(session);
	hold_drop(session);
	group_forget(session);
	release(s, session);
	mem_free(session);
}

void session_set_timer(struct shard *s, struct session *session)
{
	uint64_t due = session->kept->expires_ms;
	if (session->will && !session->will->is_under_way && session->will->due_ms < due)
		due = session->will->due_ms;
	if (due == UINT64_MAX) {
		timer_cancel(&s->session_timers, &session->kept->timer);
		return;
	}
	uint64_t wait = due > s->now.wall_ms ? due - s->now.wall_ms : 0;
	timer_set(&s->session_timers, &session->kept->timer, s->now.steady_ms + wait);
}

static struct command *command_about(struct shard *s, struct session *session, uint8_t kind)
{
	struct command *c = command_new(kind, SPAN_NONE);
	if (!c)
		return NULL;
	c->origin.session = session->number;
	c->session_id = session->log_id;
	c->connect_id = session->connect_id;
	c->time_ms = s->now.wall_ms;
	return c;
}

/* Later, then. */
static void try_again(struct shard *s, struct session *session)
{
	timer_set(&s->session_timers, &session->kept->timer, s->now.steady_ms + RETRY_MS);
}

/* For one that was away before, from when on its expiry counts. */
static uint64_t away_since(const struct shard *s, const struct session *session)
{
	uint64_t expires_ms = session->kept->expires_ms;
	return session->is_away && expires_ms != UINT64_MAX
		       ? expires_ms - session->expiry_interval * 1000ull
		       : s->now.wall_ms;
}

static void append_away(struct shard *s, struct session *session, uint32_t expiry_interval)
{
	struct command *c = command_about(s, session, COMMAND_AWAY);
	if (!c) {
		try_again(s, session);
		return;
	}
	c->time_ms = away_since(s, session);
	c->flags = session->will ? COMMAND_AWAY_KEEP_WILL : 0;
	c->expiry_interval = expiry_interval;
	c->sent_to = session->kept->sent_to;
	command_append(s, c, shard_bit(s));
}

void session_detach(struct shard *s, struct session *session, const struct farewell *why)
{
	acks_drop(session);
	full_drop(s, session);
	hold_release(s, session);
	replay_pause(session);
	if (why->is_clean)
		session_drop_will(session); /* [MQTT-3.1.2-10] */
	if (!session->log_id) {
		session_end(s, session, NULL); /* as it was meant to */
		return;
	}
	uint32_t expiry = why->sets_expiry ? why->expiry_interval : session->expiry_interval;
	group_presence(s, session, false);
	waiting_return(s, session);
	group_return(s, session);
	send_trim(&session->send);
	if (session->will && (session->will->delay == 0 || expiry == 0))
		session_publish_will(s, session);
	append_away(s, session, expiry);
}

void session_leave(struct shard *s, struct session *session, const struct command *away)
{
	struct kept *kept = session->kept;
	session->is_away = true;
	if (kept->sent_to < away->sent_to)
		kept->sent_to = away->sent_to;
	if (!(away->flags & COMMAND_AWAY_KEEP_WILL))
		session_drop_will(session);
	session->expiry_interval = away->expiry_interval;
	if (session->expiry_interval == 0) {
		session_end(s, session, NULL);
		return;
	}
	kept->expires_ms = session->expiry_interval == UINT32_MAX
				   ? UINT64_MAX
				   : away->time_ms + session->expiry_interval * 1000ull;
	if (session->will)
		session->will->due_ms = away->time_ms + session->will->delay * 1000ull;
	if (!s->is_recovering)
		session_set_timer(s, session);
}

void session_timeout(struct shard *s, struct session *session)
{
	if (session->connection)
		return;
	if (!session->is_away) {
		append_away(s, session, session->expiry_interval);
		return;
	}
	bool had_will = session->will;
	bool is_over = session->kept->expires_ms <= s->now.wall_ms;
	if (session->will && (is_over || session->will->due_ms <= s->now.wall_ms))
		session_publish_will(s, session);
	if (!is_over) {
		session_set_timer(s, session);
		if (had_will && !session->will) /* denied: not to be published by the log either */
			append_away(s, session, session->expiry_interval);
		return;
	}
	struct command *c = command_about(s, session, COMMAND_END);
	if (c)
		command_append(s, c, shard_bit(s));
	else
		try_again(s, session);
}

void session_not_logged(struct shard *s, struct session *session, const struct command *command)
{
	if (session->connection || !session->kept)
		return;
	if (command->kind == COMMAND_AWAY) /* as DISCONNECT may have set it */
		session->expiry_interval = command->expiry_interval;
	if (!timer_is_set(&session->kept->timer))
		try_again(s, session);
}

void session_hurry_away(struct shard *s, struct session *session)
{
	if (session->is_away || !session->kept || !timer_is_set(&session->kept->timer))
		return;
	timer_cancel(&s->session_timers, &session->kept->timer);
	session_timeout(s, session);
}
