/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timer.h"

#define SLOT_BITS 6

static uint64_t tick_of(uint64_t ms)
{
	return ms / TIMER_TICK_MS + (ms % TIMER_TICK_MS != 0);
}

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ms)
{
	memset(w, 0, sizeof(*w));
	for (int level = 0; level < TIMER_LEVELS; level++)
		for (int slot = 0; slot < TIMER_SLOTS; slot++)
			list_init(&w->slots[level][slot]);
	list_init(&w->due);
	w->tick = now_ms / TIMER_TICK_MS;
}

/* The level is that of the highest slot digit in which the deadline differs from now. The highest
 * level goes round: a deadline may be a few of its slots away although a digit above it differs. */
static int level_of(const struct timer_wheel *w, uint64_t tick)
{
	int level = (63 - __builtin_clzll(tick ^ w->tick)) / SLOT_BITS;
	return level < TIMER_LEVELS ? level : TIMER_LEVELS - 1;
}

/* The slot of the deadline; beyond the span, the one that comes round last. */
static int slot_of(const struct timer_wheel *w, uint64_t tick, int level)
{
	uint64_t digit = tick >> (level * SLOT_BITS), now = w->tick >> (level * SLOT_BITS);
	if (digit - now >= TIMER_SLOTS)
		digit = now + TIMER_SLOTS - 1;
	return (int)digit & (TIMER_SLOTS - 1);
}

static void place(struct timer_wheel *w, struct timer *t)
{
	uint64_t tick = tick_of(t->deadline_ms);
	if (tick <= w->tick) {
		list_append(&w->due, &t->link);
		return;
	}
	int level = level_of(w, tick);
	int slot = slot_of(w, tick, level);
	list_append(&w->slots[level][slot], &t->link);
	w->occupied[level] |= 1ULL << slot;
}

void timer_set(struct timer_wheel *w, struct timer *t, uint64_t deadline_ms)
{
	if (!timer_is_set(t))
		w->count++;
	link_remove(&t->link);
	t->deadline_ms = deadline_ms;
	place(w, t);
}

void timer_cancel(struct timer_wheel *w, struct timer *t)
{
	if (!timer_is_set(t))
		return;
	link_remove(&t->link);
	w->count--;
}

/* Empties a slot into the lower levels or the due list. */
static void cascade(struct timer_wheel *w, int level, int slot)
{
	if (!(w->occupied[level] & 1ULL << slot))
		return;
	w->occupied[level] &= ~(1ULL << slot);
	struct link *head = &w->slots[level][slot];
	struct link moved = *head;
	if (list_is_empty(head))
		return;
	moved.next->prev = &moved;
	moved.prev->next = &moved;
	list_init(head);
	while (!list_is_empty(&moved)) {
		struct link *link = moved.next;
		link_remove(link);
		place(w, CONTAINER_OF(link, struct timer, link));
	}
}

/* The next tick behind w->tick at which a slot must be looked at; UINT64_MAX when none. */
static uint64_t next_tick(const struct timer_wheel *w)
{
	uint64_t best = UINT64_MAX;
	for (int level = 0; level < TIMER_LEVELS; level++) {
		if (!w->occupied[level])
			continue;
		int shift = level * SLOT_BITS;
		uint64_t digit = w->tick >> shift;
		int here = (int)digit & (TIMER_SLOTS - 1);
		/* distance 1..64 to the next occupied slot of this level */
		int turn = (here + 1) & (TIMER_SLOTS - 1);
		uint64_t bits = w->occupied[level];
		uint64_t rotated = turn ? bits >> turn | bits << (TIMER_SLOTS - turn) : bits;
		uint64_t at = (digit + 1 + (uint64_t)__builtin_ctzll(rotated)) << shift;
		if (at < best)
			best = at;
	}
	return best;
}

static void advance(struct timer_wheel *w, uint64_t tick)
{
	while (w->tick < tick && list_is_empty(&w->due)) {
		uint64_t at = next_tick(w);
		w->tick = at < tick ? at : tick;
		if (at > tick)
			return;
		for (int level = TIMER_LEVELS - 1; level >= 0; level--) {
			uint64_t low = (1ULL << (level * SLOT_BITS)) - 1;
			if ((w->tick & low) == 0)
				cascade(w, level,
					(int)(w->tick >> (level * SLOT_BITS)) & (TIMER_SLOTS - 1));
		}
	}
}

struct timer *timer_next(struct timer_wheel *w, uint64_t now_ms)
{
	if (list_is_empty(&w->due))
		advance(w, now_ms / TIMER_TICK_MS);
	if (list_is_empty(&w->due))
		return NULL;
	struct timer *t = CONTAINER_OF(w->due.next, struct timer, link);
	timer_cancel(w, t);
	return t;
}

uint64_t timer_wait_ms(const struct timer_wheel *w, uint64_t now_ms)
{
	if (!list_is_empty(&w->due))
		return 0;
	uint64_t at = w->count ? next_tick(w) : UINT64_MAX;
	if (at == UINT64_MAX)
		return UINT64_MAX;
	uint64_t ms = at * TIMER_TICK_MS;
	return ms > now_ms ? ms - now_ms : 0;
}
