/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hierarchical timing wheel: adding, removing and firing cost a constant, so a million
 * keep-alives are as cheap as one. Five levels of 64 slots, 8 ms a tick: a span of 99 days;
 * later deadlines wait in the last slot and are put back. Time is an argument.
 */
#ifndef NIGHTJAR_BASE_TIMER_H
#define NIGHTJAR_BASE_TIMER_H

#include "base/list.h"

#define TIMER_LEVELS 5
#define TIMER_SLOTS 64
#define TIMER_TICK_MS 8

struct timer {
	struct link link;
	uint64_t deadline_ms;
};

struct timer_wheel {
	struct link slots[TIMER_LEVELS][TIMER_SLOTS];
	uint64_t occupied[TIMER_LEVELS]; /* a bit per slot that may hold a timer */
	struct link due;                 /* fired, not yet handed out */
	uint64_t tick;                   /* the last tick that was worked off */
	uint32_t count;
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ms);

/* Sets (or moves) the timer. Fires at the first timer_next call with now >= deadline, at most one
 * tick late. */
void timer_set(struct timer_wheel *w, struct timer *t, uint64_t deadline_ms);
void timer_cancel(struct timer_wheel *w, struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
	return link_is_listed(&t->link);
}

/* The next timer that is due (no longer set when returned), or NULL. */
struct timer *timer_next(struct timer_wheel *w, uint64_t now_ms);
/* Milliseconds until timer_next is worth calling; UINT64_MAX when no timer is set. May be early
 * (by a level's slot), never late by more than a tick. */
uint64_t timer_wait_ms(const struct timer_wheel *w, uint64_t now_ms);

#endif
