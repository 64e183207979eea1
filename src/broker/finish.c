/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/finish.h"

#include "broker/shard.h"

static bool is_told(const struct shard *s, const struct session *session)
{
	return s->broker->log->is_kept && session->log_id && !s->is_recovering;
}

void session_finish(struct shard *s, struct session *session, uint64_t from, uint64_t to,
		    bool refused)
{
	struct finishing *f = &s->finishing;
	if (!is_told(s, session))
		return;
	struct finish_range *mine =
		session->finish_slot ? &f->ranges[session->finish_slot - 1] : NULL;
	if (mine && mine->to + 1 == from && mine->is_refused == refused) {
		mine->to = to;
		return;
	}
	if (f->count == FINISH_RANGES_MAX)
		finish_append(s);
	f->ranges[f->count++] = (struct finish_range){session->number, from, to, refused};
	session->finish_slot = (uint8_t)f->count;
}

/* Without memory it is done only as long as this process lives. */
static void append(struct shard *s, struct session *session, const struct finish_range *range)
{
	struct command *c = command_new(COMMAND_FINISH, SPAN_NONE);
	if (!c)
		return;
	c->flags = range->is_refused ? COMMAND_FINISH_REFUSED : 0;
	c->origin.session = session->number;
	c->session_id = session->log_id;
	c->from = range->from;
	c->to = range->to;
	command_append(s, c, shard_bit(s));
}

void finish_append(struct shard *s)
{
	struct finishing *f = &s->finishing;
	uint32_t count = f->count;
	f->count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct session *session = session_by_number(s, f->ranges[i].session);
		if (!session)
			continue;
		session->finish_slot = 0;
		if (is_told(s, session))
			append(s, session, &f->ranges[i]);
	}
}

void finish_turn(struct shard *s)
{
	if (s->batch && !s->batch->is_lazy)
		return; /* for the next turn */
	if (s->finishing.count > 0)
		finish_append(s);
	if (!s->batch)
		return;
	bus_flush(s, false);
	batch_submit(s);
}
