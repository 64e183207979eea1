/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every shard begins with LIMITS, and with RESTART where there was something to recover: the
 * connections which the log has last seen open are gone, and expiry and will delay count from that
 * time. recover_end has applied it already; it is in the log for those who read it later. All
 * shards say the same, so that whatever a shard appends stands behind it, whoever comes first.
 */
#include "broker/start.h"

#include "base/mem.h"
#include "broker/group.h"
#include "broker/shard.h"

static uint64_t all_shards(const struct shard *s)
{
	return ~0ULL >> (64 - s->broker->shard_count);
}

static struct command *new_command(uint8_t kind)
{
	struct command *c = command_new(kind, SPAN_NONE);
	ASSERT(c); /* what follows in the log would mean something else without it */
	return c;
}

void limits_append(struct shard *s)
{
	struct command *c = new_command(COMMAND_LIMITS);
	c->limits = limits_of(s->settings);
	command_append(s, c, all_shards(s));
}

static void append_restart(struct shard *s)
{
	struct command *c = new_command(COMMAND_RESTART);
	c->last = s->broker->recovered_to;
	c->time_ms = s->broker->recovered_ms;
	command_append(s, c, all_shards(s));
}

/* Before a client of theirs is heard. */
static void end_expired(struct shard *s)
{
	uint32_t cursor = 0;
	struct session *session;
	while ((session = map_next(&s->sessions, &cursor))) {
		if (!session->is_away || session->kept->expires_ms > s->now.wall_ms)
			continue;
		timer_cancel(&s->session_timers, &session->kept->timer);
		session_timeout(s, session);
	}
}

void start_turn(struct shard *s)
{
	if (s->has_started)
		return;
	s->has_started = true;
	if (!s->broker->log->is_kept)
		return;
	/* What is logged from here on stands behind LIMITS; what is not must not wait for it. */
	s->limits = limits_of(s->settings);
	limits_append(s);
	if (s->broker->recovered_to)
		append_restart(s);
	group_start(s);
	end_expired(s);
}

void start_apply(struct shard *s, const struct command *restart)
{
	uint32_t cursor = 0, count = 0;
	struct session *session, **gone;
	struct command away = {.flags = COMMAND_AWAY_KEEP_WILL, .time_ms = restart->time_ms};
	if (!s->is_recovering || s->sessions.count == 0)
		return;                                      /* done */
	gone = mem_alloc(s->sessions.count * sizeof(*gone)); /* some end: first all are found */
	ASSERT(gone);
	while ((session = map_next(&s->sessions, &cursor)))
		if (!session->is_away && session->connect_id <= restart->last)
			gone[count++] = session;
	for (uint32_t i = 0; i < count; i++) {
		away.expiry_interval = gone[i]->expiry_interval;
		away.sent_to = gone[i]->kept->queue_next; /* as far as anybody knows */
		session_leave(s, gone[i], &away);
	}
	mem_free(gone);
}
