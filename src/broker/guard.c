/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/guard.h"

#include <inttypes.h>
#include <stdio.h>

void guard_init(struct guard *g, const struct limit_settings *set, uint64_t seed)
{
	g->ipv6_prefix = set->ipv6_prefix;
	ledger_init(&g->ledger, seed, LEDGER_ENTRIES_MAX);
}

void guard_release(struct guard *g)
{
	ledger_release(&g->ledger);
}

/* What a second brings, when nothing else was said. */
static struct rate rate_of(uint32_t per_second, uint32_t burst)
{
	return (struct rate){per_second, burst ? burst : per_second};
}

static uint64_t wait_ms_of(struct shared_bucket *shared, struct rate r, uint64_t now_ms)
{
	if (r.per_second == 0)
		return 0;
	struct bucket b = {atomic_load_explicit(&shared->full_ns, memory_order_relaxed)};
	if (bucket_has(&b, &r, 1, now_ms))
		return 0;
	bucket_take(&b, &r, 1, now_ms);
	uint64_t wait_ms = bucket_wait_ms(&b, &r, now_ms);
	return wait_ms > 0 ? wait_ms : 1;
}

/* Two threads may see the same last token: they are in debt by one then. */
static void take(struct shared_bucket *shared, struct rate r, uint64_t now_ms)
{
	uint64_t before = atomic_load_explicit(&shared->full_ns, memory_order_relaxed);
	struct bucket b;
	if (r.per_second == 0)
		return;
	do {
		b.full_ns = before;
		bucket_take(&b, &r, 1, now_ms);
	} while (!atomic_compare_exchange_weak_explicit(
		&shared->full_ns, &before, b.full_ns, memory_order_relaxed, memory_order_relaxed));
}

uint64_t guard_connect_wait_ms(struct guard *g, const struct limit_settings *set, unsigned listener,
			       uint64_t now_ms)
{
	const struct listener_limits *l = &set->listeners[listener];
	struct rate all = rate_of(set->connects_per_s, set->connects_burst);
	struct rate own = rate_of(l->connects_per_s, l->connects_burst);
	uint64_t wait_ms = wait_ms_of(&g->connects, all, now_ms);
	uint64_t own_ms = wait_ms_of(&g->connects_of[listener], own, now_ms);
	return own_ms > wait_ms ? own_ms : wait_ms;
}

void guard_connected(struct guard *g, const struct limit_settings *set, unsigned listener,
		     uint64_t now_ms)
{
	const struct listener_limits *l = &set->listeners[listener];
	take(&g->connects, rate_of(set->connects_per_s, set->connects_burst), now_ms);
	take(&g->connects_of[listener], rate_of(l->connects_per_s, l->connects_burst), now_ms);
}

const char *guard_count_name(enum guard_count which)
{
	static const char *const names[] = {
		[GUARD_HELD_BACK] = "clients held back",
		[GUARD_REFUSED] = "messages refused",
		[GUARD_DROPPED] = "messages dropped",
		[GUARD_DISCONNECTED] = "clients disconnected",
		[GUARD_CONNECTS_HELD] = "listeners held back",
		[GUARD_CROWDED] = "connections refused for their address's number",
		[GUARD_BANNED] = "connections refused as banned",
		[GUARD_BANS] = "bans begun",
		[GUARD_BUSY] = "connections refused as busy",
		[GUARD_SHED] = "messages at QoS 0 shed",
		[GUARD_SHED_REFUSED] = "messages at QoS 1 and 2 refused or held for memory",
		[GUARD_SWEPT] = "connections ended for memory",
	};
	_Static_assert(ARRAY_COUNT(names) == GUARD_COUNT_COUNT, "a name for each");
	return names[which];
}

void guard_text(const struct guard *g, char *text, size_t room)
{
	size_t len = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < GUARD_COUNT_COUNT && len < room; i++) {
		uint64_t count = guard_counted(g, (enum guard_count)i);
		if (count > 0)
			len += (size_t)snprintf(text + len, room - len, "%s%s %" PRIu64,
						len > 0 ? ", " : "",
						guard_count_name((enum guard_count)i), count);
	}
}
