/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/session.h"

#include "base/mem.h"
#include "broker/group.h"
#include "broker/hold.h"
#include "broker/interest.h"
#include "broker/retain.h"
#include "broker/see.h"
#include "broker/shard.h"

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
	queue_init(&session->queue);
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
	routes_remove_subscriber(s->routes, &session->subscriber);
	timer_cancel(&s->session_timers, &session->timer);
	s->memory_bytes -= session->queue.resident_bytes;
	s->status.queued_messages -= session->queue.count;
	queue_release(&session->queue);
	send_release(&session->send, drop_sending, s);
	receive_release(&session->receive);
	acks_release(session);
	replay_drop(session);
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

/* Whichever comes first; both in wall clock, since expiry outlasts restarts. */
static void set_timer(struct shard *s, struct session *session)
{
	uint64_t due = session->expires_ms;
	if (session->will && session->will->due_ms < due)
		due = session->will->due_ms;
	if (due == UINT64_MAX) {
		timer_cancel(&s->session_timers, &session->timer);
		return;
	}
	uint64_t wait = due > s->now.wall_ms ? due - s->now.wall_ms : 0;
	timer_set(&s->session_timers, &session->timer, s->now.steady_ms + wait);
}

static void away(struct shard *s, struct session *session)
{
	uint64_t now = s->now.wall_ms;
	session->expires_ms = session->expiry_interval == UINT32_MAX
				      ? UINT64_MAX
				      : now + session->expiry_interval * 1000ull;
	if (session->will)
		session->will->due_ms = now + session->will->delay * 1000ull;
	set_timer(s, session);
}

void session_detach(struct shard *s, struct session *session, bool is_clean)
{
	acks_drop(session);
	hold_release(s, session);
	replay_pause(session);
	if (is_clean)
		session_drop_will(session); /* [MQTT-3.1.2-10] */
	if (session->expiry_interval == 0) {
		session_end(s, session, NULL); /* as it was meant to */
		return;
	}
	group_presence(s, session, false);
	send_trim(&session->send);
	if (session->will && session->will->delay == 0)
		session_publish_will(s, session);
	away(s, session);
}

void session_timeout(struct shard *s, struct session *session)
{
	if (session->connection)
		return;
	if (session->will && session->will->due_ms <= s->now.wall_ms)
		session_publish_will(s, session);
	if (session->expires_ms > s->now.wall_ms) {
		set_timer(s, session);
		return;
	}
	struct command *command = command_new(COMMAND_END, session_client_id(session));
	if (!command) { /* later then */
		timer_set(&s->session_timers, &session->timer, s->now.steady_ms + 1000);
		return;
	}
	command->origin.session = session->number;
	command_append(s, command, shard_bit(s));
}
