/* SPDX-License-Identifier: Apache-2.0 */
/* What a client receives: may it, how often, in which order, at which QoS; and what is retained. */
#include "world.h"

/* All plain subscriptions that may or must have brought a message. */
struct reasons {
	uint64_t possible; /* bits of filters */
	uint64_t sure;
	uint8_t qos_min;     /* what the sure ones demand */
	uint8_t qos_max;     /* what the possible ones allow */
	bool is_retain_kept; /* one of them may be retain as published */
};

static uint8_t lower(uint8_t a, uint8_t b)
{
	return a < b ? a : b;
}

static struct reasons find_reasons(const struct client *c, const struct published *m,
				   uint64_t start, uint64_t end)
{
	struct reasons r = {0};
	for (unsigned i = 0; i < c->interval_count; i++) {
		const struct interval *v = &c->intervals[i];
		uint8_t qos = lower(v->qos, m->qos);
		if (v->filter >= PLAIN_FILTERS || !filter_matches[v->filter][m->topic] ||
		    (v->no_local && m->publisher == c->index) || v->from_sent > end ||
		    v->until_sure < start)
			continue;
		r.possible |= 1ull << v->filter;
		r.is_retain_kept |= v->retain_as_published;
		r.qos_max = qos > r.qos_max ? qos : r.qos_max;
		if (v->from_sure > start || v->until_sent < end)
			continue;
		r.sure |= 1ull << v->filter;
		r.qos_min = qos > r.qos_min ? qos : r.qos_min;
	}
	return r;
}

static void judge_count(struct world *w, const struct client *c, const struct published *m,
			unsigned count, unsigned count_max)
{
	if (count > count_max)
		world_fail(w, "%s: message %u (q%u, sent %u times) came %u times, not %u at most",
			   c->id, m->id, m->qos, m->attempts, count, count_max);
}

/*
 * Copies that are no redelivery: as many as the publisher has sent, and one at QoS 0 and 2, or one
 * for each session of a publisher that began it anew. But a message that one subscriber's queue refused is a new one when it is sent again [MQTT-4.3.3-9].
 * A will comes once for each connection that carried it and said no goodbye.
 */
static unsigned copies_max(const struct world *w, const struct published *m)
{
	if (m->is_will)
		return m->attempts - m->forgone;
	return m->qos == 1 || w->has_small_queues ? m->attempts : 1 + m->renewals;
}

/* One that was sent again may come late where it was not delivered the first time. */
static void judge_order(struct world *w, struct client *c, const struct published *m, uint8_t qos,
			bool is_sure)
{
	uint64_t *last = &c->order[m->publisher][m->topic][m->qos][qos];
	if (m->is_will)
		return;
	if (m->seq < *last && m->attempts > 1 &&
	    (!is_sure || qos == 0 || w->has_small_queues || m->has_expiry ||
	     power_was_in_trouble(w, m->start)))
		return;
	if (m->seq < *last)
		world_fail(w, "%s: message %u (%s q%u) came behind a later one", c->id, m->id,
			   topics[m->topic], m->qos);
	*last = m->seq;
}

static void receive_replay(struct world *w, struct client *c, const struct reception *r,
			   struct published *m)
{
	struct reasons why = find_reasons(c, m, m->start, w->tick);
	struct got *got = &w->got[c->index][m->id];
	got->is_retain_kept |= why.is_retain_kept;
	unsigned published = got->is_retain_kept ? copies_max(w, m) : 0;
	if (r->qos == 2 || (r->qos == 1 && !r->dup))
		judge_count(w, c, m, ++got->exact_replays,
			    model_lookup_max(w, c, m, true) + published);
	if (!r->dup)
		judge_count(w, c, m, ++got->replays, model_lookup_max(w, c, m, false) + published);
}

static void receive_plain(struct world *w, struct client *c, const struct reception *r,
			  struct published *m)
{
	uint64_t end = m->end == NEVER ? w->tick : m->end;
	struct reasons why = find_reasons(c, m, m->start, end);
	struct got *got = &w->got[c->index][m->id];
	got->copies++;
	if (r->retain) {
		receive_replay(w, c, r, m);
		return;
	}
	if (!why.possible)
		world_fail(w, "%s: message %u on %s, to which it has not subscribed", c->id, m->id,
			   topics[m->topic]);
	if (r->qos > why.qos_max || (why.sure && r->qos < why.qos_min))
		world_fail(w, "%s: message %u at QoS %u, not %u to %u", c->id, m->id, r->qos,
			   why.qos_min, why.qos_max);
	if (c->version == MQTT_5 && (r->identifiers & ~why.possible || why.sure & ~r->identifiers))
		world_fail(w, "%s: message %u has identifiers %llx, sure are %llx, possible %llx",
			   c->id, m->id, (unsigned long long)r->identifiers,
			   (unsigned long long)why.sure, (unsigned long long)why.possible);
	bool is_repeated = w->has_retry && c->version != MQTT_5;
	if (r->dup && c->online_start < m->start && !is_repeated)
		world_fail(w, "%s: message %u has DUP although it is new", c->id, m->id);
	if (r->qos == 2)
		judge_count(w, c, m, ++got->exact, m->qos == 2 ? copies_max(w, m) : 1);
	if (!r->dup)
		judge_count(w, c, m, ++got->sure, copies_max(w, m));
	if (got->copies == 1)
		judge_order(w, c, m, r->qos, why.sure && why.qos_min == why.qos_max);
}

static unsigned sum_of_group(const struct world *w, uint32_t message, unsigned g, bool exact)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < w->client_count; i++) {
		const struct got *got = &w->got[i][message];
		sum += exact ? got->group_exact[g] : got->group_sure[g];
	}
	return sum;
}

static void receive_shared(struct world *w, struct client *c, const struct reception *r,
			   struct published *m, unsigned g)
{
	struct got *got = &w->got[c->index][m->id];
	uint8_t qos_max = 0;
	bool is_member = false;
	for (unsigned i = 0; i < c->interval_count; i++) {
		if (c->intervals[i].filter != PLAIN_FILTERS + g)
			continue;
		is_member = true;
		if (c->intervals[i].qos > qos_max)
			qos_max = c->intervals[i].qos;
	}
	if (!is_member || !filter_matches[PLAIN_FILTERS + g][m->topic])
		world_fail(w, "%s: message %u of a group that it is not in", c->id, m->id);
	if (r->qos > qos_max || r->qos > m->qos)
		world_fail(w, "%s: message %u of a group at QoS %u", c->id, m->id, r->qos);
	got->group_copies[g]++;
	if (c->is_orphaned)
		return; /* others get it too */
	got->group_exact[g] += r->qos == 2;
	got->group_sure[g] += !r->dup;
	judge_count(w, c, m, sum_of_group(w, m->id, g, true), copies_max(w, m));
	judge_count(w, c, m, sum_of_group(w, m->id, g, false), copies_max(w, m));
}

/* The group of a copy, or -1. */
static int group_of(struct world *w, const struct client *c, const struct reception *r)
{
	uint64_t plain = (1ull << PLAIN_FILTERS) - 1;
	if (c->version != MQTT_5)
		return c->takes_shares ? (int)(c->index % GROUPS) : -1;
	if (r->identifiers == 0)
		world_fail(w, "%s: message %u without identifier", c->id, r->message);
	if (!(r->identifiers & ~plain))
		return -1;
	if (r->identifiers & (r->identifiers - 1))
		world_fail(w, "%s: message %u has identifiers of two subscriptions", c->id,
			   r->message);
	return __builtin_ctzll(r->identifiers) - PLAIN_FILTERS;
}

/* What is left of its time when it is sent, at most: it has waited since it was answered, and until
 * this connection was there [MQTT-3.3.2-6]. One that was begun may come late. */
static void judge_expiry(struct world *w, const struct client *c, const struct reception *r,
			 const struct published *m)
{
	if (c->version != MQTT_5)
		return;
	if (m->has_expiry != (r->expiry != UINT32_MAX))
		world_fail(w, "%s: message %u came with or without expiry", c->id, m->id);
	if (!m->has_expiry || m->answered_ms == 0)
		return;
	uint64_t end_ms = m->answered_ms + expiry_of(m) * 1000ull;
	uint64_t left_ms = end_ms > c->connect_ms ? end_ms - c->connect_ms : 0;
	if (r->expiry > expiry_of(m) || r->expiry * 1000ull > left_ms + 1000)
		world_fail(w, "%s: message %u is good for %u s more, not for %llu ms", c->id, m->id,
			   r->expiry, (unsigned long long)left_ms);
}

void model_received(struct world *w, struct client *c, const struct reception *r)
{
	w->received++;
	if (r->message == 0)
		return; /* an empty one: which one it was cannot be seen */
	struct published *m = &w->messages[r->message];
	if (m->topic != r->topic || (r->retain && !m->retain) || r->qos > m->qos)
		world_fail(w, "%s: message %u is not what was sent", c->id, m->id);
	judge_expiry(w, c, r, m);
	if (m->is_forbidden)
		world_fail(w, "%s: will %u, whose client said goodbye", c->id, m->id);
	int group = group_of(w, c, r);
	if (group < 0)
		receive_plain(w, c, r, m);
	else
		receive_shared(w, c, r, m, (unsigned)group);
}

/* Could `v` (ended by `end`) be what is retained, or does a later one stand in its place? */
static bool is_last(const struct world *w, unsigned topic, uint64_t end)
{
	for (uint32_t id = 1; id <= w->message_count; id++) {
		const struct published *m = &w->messages[id];
		if (m->retain && m->topic == topic && m->is_certain && m->start > end &&
		    m->start > w->retained_tick)
			return false;
	}
	return true;
}

static bool may_be_empty(const struct world *w, unsigned topic)
{
	if (w->retained[topic] == 0 && is_last(w, topic, w->retained_tick))
		return true;
	for (uint32_t id = 1; id <= w->message_count; id++) {
		const struct published *m = &w->messages[id];
		uint64_t end = m->end == NEVER ? w->tick : m->end;
		if (m->is_clear && m->topic == topic && end > w->retained_tick &&
		    is_last(w, topic, end))
			return true;
	}
	return false;
}

static bool may_be_retained(const struct world *w, unsigned topic, uint32_t found)
{
	const struct published *m = &w->messages[found];
	if (found == 0)
		return may_be_empty(w, topic);
	if (m->topic != topic || !m->retain || m->is_clear)
		return false;
	uint64_t end = m->end == NEVER ? w->tick : m->end;
	if (found == w->retained[topic] && end < w->retained_tick)
		end = w->retained_tick;
	return end >= w->retained_tick && is_last(w, topic, end);
}

void model_retained(struct world *w, const uint32_t found[TOPICS])
{
	for (unsigned t = 0; t < TOPICS; t++)
		if (!may_be_retained(w, t, found[t]))
			world_fail(w, "%s: message %u is retained (%u before)", topics[t], found[t],
				   w->retained[t]);
	model_replays_due(w, found);
	memcpy(w->retained, found, sizeof(w->retained));
	w->retained_tick = ++w->tick;
}
