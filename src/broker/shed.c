/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/shed.h"

#include "broker/see.h"

/* Of the ceiling, per cent: where each level begins, and how far below that it ends. */
static const uint8_t memory_begins[] = {
	[SHED_CONNECTIONS] = 80,
	[SHED_QOS_0] = 90,
	[SHED_QOS_1_2] = 100,
	[SHED_LARGE] = 110,
};
#define MEMORY_BACK 5

/* The time over which a shard's delay is averaged: shorter than clients' patience, longer than a
 * burst. */
#define DELAY_SPAN_MS 2000
/* One turn, however long (a machine that slept), is at most so much of the average, and so late. */
#define DELAY_SHARE_MS (DELAY_SPAN_MS / 4)
#define DELAY_MAX_MS 4000
/* After that much rest nothing is left of it. */
#define DELAY_FORGOTTEN_MS (5 * DELAY_SPAN_MS)
/* How long connections wait at the door, and clients that are held, before it is looked again. */
#define LOOK_MS 100

/* Over the ceiling, who needs so long for the rest of a large packet gives its memory back. */
#define STALLED_MS 5000
#define SWEEP_MS 1000

static void see_load(struct shard *s, bool is_memory, uint64_t value, const char *text)
{
	struct event *e = shard_event(s, EVENT_LOAD, NULL);
	struct event_detail detail = {.text = text};
	e->state = is_memory;
	e->number = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
	if (shard_is_watched(s))
		s->broker->hooks.event(s->broker->hooks.context, s->index, e, &detail);
}

/* --- memory --- */

static unsigned memory_level_of(unsigned level, uint64_t percent)
{
	while (level < SHED_LARGE && percent >= memory_begins[level + 1])
		level++;
	while (level > 0 && percent < (uint64_t)(memory_begins[level] - MEMORY_BACK))
		level--;
	return level;
}

static void see_memory(struct shard *s, unsigned level, uint64_t percent)
{
	static const char *const texts[] = {
		"everything is served again",
		"new connections are refused",
		"new connections are refused, QoS 0 is dropped",
		"new connections are refused, QoS 0 is dropped, QoS 1 and 2 are refused or wait",
		"as before, and who sends large packets is disconnected",
	};
	see_load(s, true, percent, texts[level]);
}

/* One shard finds it for all. */
static void look_at_memory(struct shard *s)
{
	const struct broker_hooks *hooks = &s->broker->hooks;
	struct guard *g = &s->broker->guard;
	uint64_t max = s->settings->limits.memory_ceiling;
	unsigned level = atomic_load_explicit(&g->memory_level, memory_order_relaxed);
	if ((max == 0 && level == 0) || !hooks->memory)
		return;
	uint64_t percent = max ? hooks->memory(hooks->context) * 100 / max : 0;
	unsigned next = memory_level_of(level, percent);
	if (next == level || !atomic_compare_exchange_strong(&g->memory_level, &level, next))
		return;
	see_memory(s, next, percent);
	for (unsigned i = 0; next >= SHED_QOS_1_2 && i < s->broker->shard_count; i++)
		hooks->wake(hooks->context, i); /* who sleeps may have something to give back */
}

static bool is_stalled(const struct connection *c)
{
	return c->state == CONNECTION_OPEN && !c->is_paused && !c->is_held && !c->is_throttled &&
	       connection_kept_bytes(c) > c->shard->scratch_len &&
	       c->shard->now.steady_ms >= c->last_packet_ms + STALLED_MS;
}

static void sweep(struct shard *s)
{
	static const struct farewell stalled = {
		.reason_code = REASON_QUOTA_EXCEEDED,
		.tell = true,
		.text = "memory is short, and the rest of its packet does not come"};
	if (s->now.steady_ms < s->shed.swept_ms + SWEEP_MS)
		return;
	s->shed.swept_ms = s->now.steady_ms;
	struct link *l = s->connections.next;
	while (l != &s->connections) {
		struct connection *c = CONTAINER_OF(l, struct connection, link);
		l = l->next;
		if (!is_stalled(c))
			continue;
		guard_count(&s->broker->guard, GUARD_SWEPT);
		connection_end(c, &stalled);
	}
}

/* --- delay --- */

/* Half a threshold ends what began at it. */
static unsigned delay_level_of(const struct shard *s)
{
	const struct limit_settings *set = &s->settings->limits;
	const uint32_t begins[] = {0, set->shed_connections_ms, set->shed_qos0_ms};
	uint32_t delay_ms = s->shed.delay_us / 1000;
	unsigned level = 0;
	for (unsigned i = SHED_CONNECTIONS; i <= SHED_QOS_0; i++) {
		uint32_t least = s->shed.delay_level >= i ? begins[i] / 2 : begins[i];
		if (begins[i] > 0 && delay_ms >= least)
			level = i;
	}
	return level;
}

static void look_at_delay(struct shard *s)
{
	static const char *const texts[] = {
		"everything is served again",
		"new connections wait",
		"new connections wait, QoS 0 is dropped",
	};
	struct guard *g = &s->broker->guard;
	unsigned level = delay_level_of(s);
	if (LIKELY(level == s->shed.delay_level))
		return;
	if (level > 0 && s->shed.delay_level == 0)
		atomic_fetch_add(&g->late_count, 1);
	else if (level == 0)
		atomic_fetch_sub(&g->late_count, 1);
	s->shed.delay_level = (uint8_t)level;
	see_load(s, false, s->shed.delay_us / 1000, texts[level]);
}

/* For that long, somebody who came would have waited so long. */
static void average(struct shard *s, uint64_t span_ms, uint64_t delay_ms)
{
	int64_t share = (int64_t)(span_ms < DELAY_SHARE_MS ? span_ms : DELAY_SHARE_MS);
	int64_t delay_us = (int64_t)(delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS) * 1000;
	int64_t before_us = s->shed.delay_us;
	s->shed.delay_us = (uint32_t)(before_us + (delay_us - before_us) * share / DELAY_SPAN_MS);
}

static void note_peak(struct guard *g, uint64_t delay_ms)
{
	uint64_t peak_ms = atomic_load_explicit(&g->delay_peak_ms, memory_order_relaxed);
	while (delay_ms > peak_ms &&
	       !atomic_compare_exchange_weak(&g->delay_peak_ms, &peak_ms, delay_ms))
		;
}

void shard_note_turn(struct shard *s, uint64_t began_ms, uint64_t ended_ms)
{
	uint64_t idle_ms = began_ms > s->shed.ended_ms ? began_ms - s->shed.ended_ms : 0;
	if (s->shed.ended_ms == 0 || idle_ms >= DELAY_FORGOTTEN_MS)
		s->shed.delay_us = 0;
	else
		for (; idle_ms > DELAY_SHARE_MS; idle_ms -= DELAY_SHARE_MS)
			average(s, DELAY_SHARE_MS, 0);
	average(s, idle_ms, 0);
	if (ended_ms > began_ms)
		average(s, ended_ms - began_ms, ended_ms - began_ms);
	s->shed.ended_ms = ended_ms;
	note_peak(&s->broker->guard, s->shed.delay_us / 1000);
}

/* --- both --- */

bool shed_connections(struct shard *s, struct span client_id)
{
	const struct guard *g = &s->broker->guard;
	if (atomic_load_explicit(&g->late_count, memory_order_relaxed) > 0)
		return true;
	return atomic_load_explicit(&g->memory_level, memory_order_relaxed) >= SHED_CONNECTIONS &&
	       !session_find(s, client_id);
}

uint64_t shed_wait_ms(const struct shard *s)
{
	if (s->shed.delay_level > 0 || (s->held.first && shed_all(s)))
		return LOOK_MS;
	return shed_all(s) ? SWEEP_MS : UINT64_MAX;
}

uint64_t shed_accept_wait_ms(const struct shard *s)
{
	return atomic_load_explicit(&s->broker->guard.late_count, memory_order_relaxed) > 0
		       ? LOOK_MS
		       : 0;
}

void shed_turn(struct shard *s)
{
	look_at_memory(s);
	look_at_delay(s);
	s->shed.is_dropping = s->shed.delay_level >= SHED_QOS_0 ||
			      atomic_load_explicit(&s->broker->guard.memory_level,
						   memory_order_relaxed) >= SHED_QOS_0;
	if (shed_all(s))
		sweep(s);
}
