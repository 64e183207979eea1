/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was promised. A message that the broker has acknowledged is promised to each subscriber
 * whose subscription was certain all the while, and to each group with a member that certainly
 * survives. A promise ends when it is kept, when the session or subscription ends, or the group.
 * At a checkpoint those that are left must have been kept.
 */
#include "world.h"

#include <stdlib.h>

static bool is_sure(const struct interval *v, uint64_t start, uint64_t end)
{
	return v->from_sure <= start && v->until_sent >= end;
}

static bool is_possible(const struct interval *v, uint64_t start, uint64_t end)
{
	return v->from_sent <= end && v->until_sure >= start;
}

static uint64_t end_of(const struct world *w, const struct published *m)
{
	return m->end == NEVER ? w->tick : m->end;
}

static bool concerns(const struct client *c, const struct interval *v, const struct published *m)
{
	return filter_matches[v->filter][m->topic] && !(v->no_local && m->publisher == c->index);
}

static bool is_surely_subscribed(const struct world *w, const struct client *c,
				 const struct published *m, unsigned qos_min)
{
	for (unsigned i = 0; c->has_session && !c->must_clean && i < c->interval_count; i++) {
		const struct interval *v = &c->intervals[i];
		if (v->filter < PLAIN_FILTERS && v->qos >= qos_min && concerns(c, v, m) &&
		    is_sure(v, m->start, end_of(w, m)))
			return true;
	}
	return false;
}

static bool is_surviving(const struct client *c)
{
	return client_session_is_sure(c) && c->expiry_min > 0;
}

static bool is_sure_member(const struct client *c, unsigned filter, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; is_surviving(c) && i < c->interval_count; i++)
		if (c->intervals[i].filter == filter && is_sure(&c->intervals[i], start, end))
			return true;
	return false;
}

static bool has_sure_member(const struct world *w, unsigned filter, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < w->client_count; i++)
		if (is_sure_member(&w->clients[i], filter, start, end))
			return true;
	return false;
}

static void promise(struct world *w, uint32_t message, unsigned to)
{
	if (w->promise_count == w->promise_capacity) {
		w->promise_capacity = w->promise_capacity ? w->promise_capacity * 2 : 1024;
		w->promises = realloc(w->promises, w->promise_capacity * sizeof(*w->promises));
		ASSERT(w->promises);
	}
	w->promises[w->promise_count++] = (struct promise){message, (uint8_t)to};
	w->promised++;
}

static bool is_anyone_possible(const struct world *w, const struct published *m)
{
	for (unsigned i = 0; i < w->client_count; i++) {
		const struct client *c = &w->clients[i];
		for (unsigned n = 0; n < c->interval_count; n++)
			if (concerns(c, &c->intervals[n], m) &&
			    is_possible(&c->intervals[n], m->start, m->end))
				return true;
	}
	return false;
}

/* No session began or ended lately that the broker may have known otherwise. */
static bool is_settled_since(const struct world *w, const struct published *m)
{
	const struct listener_limits *l = &w->settings.limits.listeners[0];
	if (l->messages_per_s || l->bytes_per_s)
		return false; /* who is held back may be gone, and the broker not know */
	for (unsigned i = 0; i < w->client_count; i++) {
		const struct client *c = &w->clients[i];
		bool is_away = c->phase == PHASE_OFFLINE && c->lost_known_ms != NEVER;
		if (c->must_clean || (!is_away && (c->phase != PHASE_ONLINE || c->is_faulty)))
			return false;
	}
	return m->sessions_over == w->sessions_over;
}

/* Does 0x10 tell the truth? */
static void judge_reason(struct world *w, const struct published *m, bool is_wanted)
{
	if (w->clients[m->publisher].version != MQTT_5 || m->attempts != 1)
		return;
	if (m->reason_code == REASON_NO_MATCHING_SUBSCRIBERS && is_wanted)
		world_fail(w, "message %u has a subscriber, its publisher was told none", m->id);
	if (m->reason_code == REASON_SUCCESS && is_settled_since(w, m) && !is_anyone_possible(w, m))
		world_fail(w, "message %u has no subscriber, its publisher was not told", m->id);
}

static bool may_be_refused(const struct world *w, const struct published *m)
{
	return w->has_small_queues &&
	       (w->drops_messages || w->clients[m->publisher].version != MQTT_5 ||
		m->attempts != 1);
}

/* Only a publisher of version 5 that waits for an answer is told. */
static bool is_maybe_unretained(const struct world *w, const struct published *m)
{
	bool is_told = m->qos > 0 && w->clients[m->publisher].version == MQTT_5;
	return w->has_small_retained && m->retain && !is_told;
}

void model_answered(struct world *w, struct published *m)
{
	bool is_wanted = false;
	m->end = ++w->tick;
	m->answered_ms = w->kit.now.steady_ms;
	m->is_certain = m->reason_code < 0x80 && !is_maybe_unretained(w, m);
	if (m->reason_code >= 0x80 && !w->has_small_queues && !power_was_in_trouble(w, m->start))
		world_fail(w, "message %u was refused with %02x", m->id, m->reason_code);
	if (!m->is_certain || may_be_refused(w, m))
		return;
	bool is_told = !m->has_expiry && !m->is_clear;
	for (unsigned i = 0; i < w->client_count; i++) {
		const struct client *c = &w->clients[i];
		if (!is_surely_subscribed(w, c, m, 1))
			continue;
		is_wanted |= is_surviving(c);
		if (is_told)
			promise(w, m->id, i);
	}
	for (unsigned g = 0; g < GROUPS; g++) {
		unsigned filter = PLAIN_FILTERS + g;
		if (!filter_matches[filter][m->topic] ||
		    !has_sure_member(w, filter, m->start, m->end))
			continue;
		is_wanted = true;
		if (is_told && !w->has_small_queues && m->start > w->group_loss[g] &&
		    (m->qos == 1 || is_settled_since(w, m)))
			promise(w, m->id, CLIENTS_MAX + g);
	}
	judge_reason(w, m, is_wanted);
}

/* Drops the promises to `to` whose message the filter matches (any with FILTERS). */
static void drop_promises(struct world *w, unsigned to, unsigned filter, unsigned qos_min)
{
	size_t kept = 0;
	for (size_t i = 0; i < w->promise_count; i++) {
		struct promise *p = &w->promises[i];
		const struct published *m = &w->messages[p->message];
		bool is_meant = p->to == to && m->qos >= qos_min &&
				(filter == FILTERS || filter_matches[filter][m->topic]);
		if (!is_meant)
			w->promises[kept++] = *p;
	}
	w->promise_count = kept;
}

void model_groups(struct world *w)
{
	for (unsigned g = 0; g < GROUPS; g++)
		if (!has_sure_member(w, PLAIN_FILTERS + g, w->tick, w->tick))
			drop_promises(w, CLIENTS_MAX + g, FILTERS, 0);
}

void model_filter_left(struct world *w, struct client *c, unsigned filter)
{
	if (filter < PLAIN_FILTERS)
		drop_promises(w, c->index, filter, 0);
	else
		w->has_left[filter - PLAIN_FILTERS] = true;
	model_groups(w);
}

/* QoS 2 messages that it had begun go with it [MQTT-4.8.2-5], and what it had of a group that it
 * has left [MQTT-3.10.4-3]. */
void model_session_gone(struct world *w)
{
	w->sessions_over++;
	for (unsigned g = 0; g < GROUPS; g++) {
		drop_promises(w, CLIENTS_MAX + g, FILTERS, w->has_left[g] ? 0 : 2);
		if (w->has_left[g])
			w->group_loss[g] = w->tick;
	}
}

void model_session_over(struct world *w, struct client *c)
{
	drop_promises(w, c->index, FILTERS, 0);
	c->has_session = false;
	model_session_gone(w);
	model_groups(w);
}

void model_time(struct world *w)
{
	uint64_t now = w->kit.now.steady_ms;
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		if (c->phase >= PHASE_ONLINE && c->keep_alive > 0 &&
		    c->lost_ms > c->last_write_ms &&
		    now - c->last_write_ms >= c->keep_alive * 1500ull)
			c->lost_ms = c->last_write_ms;
		bool is_over = c->lost_ms != NEVER && c->expiry_min != UINT32_MAX &&
			       now - c->lost_ms >= c->expiry_min * 1000ull;
		if (c->has_session && is_over)
			c->is_maybe_expired = true;
	}
	model_groups(w);
}

static bool is_kept(const struct world *w, const struct promise *p)
{
	if (p->to < CLIENTS_MAX)
		return w->got[p->to][p->message].copies > 0;
	for (unsigned i = 0; i < w->client_count; i++)
		if (w->got[i][p->message].group_copies[p->to - CLIENTS_MAX] > 0)
			return true;
	return false;
}

static bool is_everybody_online(const struct world *w)
{
	for (unsigned i = 0; i < w->client_count; i++)
		if (w->clients[i].has_session && w->clients[i].phase != PHASE_ONLINE)
			return false;
	return true;
}

static void judge_promises(struct world *w)
{
	size_t kept = 0;
	bool is_everybody = is_everybody_online(w);
	for (size_t i = 0; i < w->promise_count; i++) {
		struct promise *p = &w->promises[i];
		if (is_kept(w, p))
			continue;
		bool is_due = p->to < CLIENTS_MAX ? w->clients[p->to].phase == PHASE_ONLINE
						  : is_everybody;
		if (is_due && p->to < CLIENTS_MAX)
			world_fail(w, "message %u was lost for %s", p->message,
				   w->clients[p->to].id);
		if (is_due)
			world_fail(w, "message %u was lost for group %s", p->message,
				   filters[PLAIN_FILTERS + p->to - CLIENTS_MAX]);
		w->promises[kept++] = *p;
	}
	w->promise_count = kept;
}

/* What nobody acknowledges arrives where nothing happened to either connection. */
static void judge_unanswered(struct world *w, const struct published *m)
{
	for (unsigned i = 0; i < w->client_count; i++) {
		const struct client *c = &w->clients[i];
		bool is_steady = m->is_will ? c->has_session : c->online_start < m->start;
		if (c->phase != PHASE_ONLINE || c->is_faulty || !is_steady)
			continue;
		const struct got *got = &w->got[i][m->id];
		if (is_surely_subscribed(w, c, m, m->is_will ? 1 : 0) &&
		    got->copies - got->copies_before < (m->is_will ? m->dues : 1))
			world_fail(w, "message %u was lost for %s", m->id, c->id);
	}
}

static bool is_under_way(const struct world *w, const struct published *m)
{
	const struct client *c = &w->clients[m->publisher];
	if (m->is_will)
		return c->will == m->id || (c->phase != PHASE_ONLINE && !m->dues);
	for (unsigned i = 0; i < c->out_count; i++)
		if (c->out_messages[i].message == m->id)
			return true;
	return m->is_queued;
}

/* What connections that are gone owe, also while another one carries it. */
static void judge_will(struct world *w, struct published *m)
{
	bool is_told = m->qos > 0 && !m->is_forbidden && !w->has_small_queues;
	if (is_told && m->dues > 0)
		judge_unanswered(w, m);
	m->dues = 0;
	for (unsigned i = 0; i < w->client_count; i++)
		w->got[i][m->id].copies_before = w->got[i][m->id].copies;
}

static void judge_message(struct world *w, struct published *m)
{
	const struct client *c = &w->clients[m->publisher];
	bool is_over = m->end != NEVER || !is_under_way(w, m);
	if (m->is_will)
		judge_will(w, m);
	if (!is_over)
		return;
	m->is_judged = true;
	if (m->end != NEVER)
		return;
	m->end = w->tick;
	if (m->is_will)
		return;
	bool is_told = !m->has_expiry && !m->is_clear && !w->has_small_queues;
	if (m->qos == 0)
		m->is_certain = c->phase == PHASE_ONLINE && c->connection == m->connection &&
				!c->is_faulty && !is_maybe_unretained(w, m) &&
				!(m->retain && power_was_in_trouble(w, m->start));
	if (is_told && m->is_certain && m->qos == 0)
		judge_unanswered(w, m);
}

void model_checkpoint(struct world *w)
{
	w->tick++;
	for (uint32_t id = 1; id <= w->message_count; id++)
		if (!w->messages[id].is_judged)
			judge_message(w, &w->messages[id]);
	judge_promises(w);
	model_lookup_rest(w);
	memset(w->has_left, 0, sizeof(w->has_left));
	w->tick++;
}
