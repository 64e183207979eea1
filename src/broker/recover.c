/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay: each record goes through apply on the shards that it concerns, as it did the first time.
 * Records name sessions by log_id; which session that is today, recovery knows.
 *
 * Damage: when records are missing, every session may have missed messages, and then its queue
 * positions count on from another number than they did. What acknowledgements behind the damage
 * refer to is unknown: they are ignored, and messages come twice rather than not at all.
 */
#include "broker/recovery.h"

#include "base/mem.h"
#include "broker/bus.h"
#include "broker/interest.h"
#include "broker/record.h"
#include "broker/snapshot.h"
#include "broker/start.h"

int recover_begin(struct broker *b, const struct recovery_source *source)
{
	b->recovery = mem_zalloc(sizeof(*b->recovery));
	if (!b->recovery)
		return ERROR_NO_MEMORY;
	b->recovery->source = *source;
	for (unsigned i = 0; i < b->shard_count; i++)
		b->shards[i].is_recovering = true;
	return 0;
}

int recover_image(struct broker *b, uint64_t position, struct span image)
{
	b->recovery->position = position;
	return snapshot_load(b, position, image);
}

struct known_session *recovery_find(const struct recovery *r, uint64_t log_id)
{
	struct hash_slot *slot = hash_index_first(&r->sessions, hash_mix(0, log_id));
	while (slot && ((struct known_session *)hash_slot_pointer(slot))->log_id != log_id)
		slot = hash_index_next(&r->sessions, slot);
	return slot ? hash_slot_pointer(slot) : NULL;
}

int recovery_know(struct recovery *r, const struct session *session)
{
	if (recovery_find(r, session->log_id))
		return 0; /* it goes on */
	struct known_session *known = mem_alloc(sizeof(*known));
	if (!known)
		return ERROR_NO_MEMORY;
	*known = (struct known_session){session->log_id, session->number, UINT64_MAX};
	int error =
		hash_index_add(&r->sessions, hash_mix(0, session->log_id), hash_value_of(known));
	if (error)
		mem_free(known);
	return error;
}

void recovery_free(struct recovery *r)
{
	struct hash_slot *slot;
	uint64_t cursor = 0;
	if (!r)
		return;
	while ((slot = hash_index_each(&r->sessions, &cursor)))
		mem_free(hash_slot_pointer(slot));
	hash_index_release(&r->sessions);
	buffer_release(&r->report.lines);
	mem_free(r);
}

static void apply_everywhere(struct broker *b, struct command *c)
{
	for (unsigned i = 0; i < b->shard_count; i++)
		apply(&b->shards[i], c);
}

static int replay_connect(struct broker *b, struct command *c)
{
	struct span client_id = command_text(c);
	struct shard *s = &b->shards[shard_of(b, client_id)];
	apply(s, c);
	struct session *session = session_find(s, client_id);
	return session && session->log_id ? recovery_know(b->recovery, session) : 0;
}

static void replay_publish(struct broker *b, struct command *c)
{
	struct known_session *publisher =
		c->session_id ? recovery_find(b->recovery, c->session_id) : NULL;
	c->message->publisher = publisher ? publisher->number : 0;
	if (b->shard_count > 1)
		message_share(c->message);
	apply_everywhere(b, c);
}

/* Of a command about queue positions only what is certain; false: nothing. */
static bool is_certain(struct command *c, const struct known_session *known)
{
	if (c->kind == COMMAND_FINISH && c->to >= known->doubtful_from)
		c->to = known->doubtful_from - 1;
	if (c->kind == COMMAND_RETURN && c->from >= known->doubtful_from)
		c->from = 0; /* it comes twice */
	bool has_position = c->kind == COMMAND_FINISH || c->kind == COMMAND_RECEIVED;
	return !has_position || c->from < known->doubtful_from;
}

static void replay_of_session(struct broker *b, struct command *c)
{
	struct known_session *known =
		c->session_id ? recovery_find(b->recovery, c->session_id) : NULL;
	if (known && !is_certain(c, known))
		return;
	/* unknown: it has ended, or its CONNECT is lost */
	c->origin.session = known ? known->number : 0;
	apply_everywhere(b, c);
}

static int replay(struct broker *b, struct command *c)
{
	switch (c->kind) {
	case COMMAND_NOTHING:
	case COMMAND_CHECKPOINT: return 0;
	case COMMAND_LIMITS:
	case COMMAND_RESTART: apply_everywhere(b, c); return 0;
	case COMMAND_CONNECT: return replay_connect(b, c);
	case COMMAND_PUBLISH: replay_publish(b, c); return 0;
	default: replay_of_session(b, c); return 0;
	}
}

void recovery_settle(struct broker *b)
{
	bool is_quiet = b->shard_count == 1;
	while (!is_quiet) {
		is_quiet = true;
		for (unsigned i = 0; i < b->shard_count; i++)
			bus_flush(&b->shards[i], false);
		for (unsigned i = 0; i < b->shard_count; i++) {
			is_quiet &= mailbox_is_empty(&b->shards[i].mailbox);
			bus_receive(&b->shards[i]);
		}
	}
}

int recover_record(struct broker *b, uint64_t position, struct span body)
{
	struct command *c;
	struct recovery *r = b->recovery;
	int error = record_decode(body, position, &c);
	if (error == ERROR_DAMAGED) {
		recovery_lost(r, 1, "record %llx is not understood", (unsigned long long)position);
		return 0;
	}
	if (error)
		return error;
	r->position = position;
	r->report.records++;
	error = replay(b, c);
	command_free(c);
	recovery_settle(b);
	return error;
}

static void count(struct shard *s, struct recovery_report *report)
{
	uint32_t cursor = 0;
	struct session *session;
	report->sessions += s->sessions.count;
	report->subscriptions += routes_subscription_count(s->routes);
	while ((session = map_next(&s->sessions, &cursor)))
		report->queued_messages += session->queue->count;
	if (s->index == 0)
		report->retained_messages = retained_count(s->retained);
}

static void set_timers(struct shard *s)
{
	uint32_t cursor = 0;
	struct session *session;
	while ((session = map_next(&s->sessions, &cursor)))
		session_set_timer(s, session);
}

int recover_end(struct broker *b, struct moment now, struct recovery_report *report)
{
	struct recovery *r = b->recovery;
	struct command restart = {.time_ms = now.wall_ms, .last = r->position};
	int error = 0;
	for (unsigned i = 0; i < b->shard_count; i++) {
		struct shard *s = &b->shards[i];
		start_apply(s, &restart);
		count(s, &r->report);
		s->now = now;
		s->position = r->position;
		error = error ? error : interest_tell_all(s);
	}
	for (unsigned i = 0; i < b->shard_count; i++) {
		b->shards[i].is_recovering = false;
		set_timers(&b->shards[i]);
	}
	b->recovered_to = r->position;
	b->recovered_ms = now.wall_ms;
	*report = r->report;
	r->report = (struct recovery_report){0};
	recovery_free(r);
	b->recovery = NULL;
	return error;
}
