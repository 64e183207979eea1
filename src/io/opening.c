/* SPDX-License-Identifier: Apache-2.0 */
#include "io/opening.h"

void openings_init(struct openings *o)
{
	*o = (struct openings){0};
	list_init(&o->waiting);
	list_init(&o->going);
	list_init(&o->stalled);
}

static struct opening *first(const struct link *list)
{
	return list_is_empty(list) ? NULL : CONTAINER_OF(list->next, struct opening, link);
}

static void move_to(struct link *list, struct opening *at, unsigned state, uint64_t now_ms)
{
	link_remove(&at->link);
	list_append(list, &at->link);
	at->state = (uint8_t)state;
	at->since_ms = now_ms;
}

/* Of the last sixteen or so that have answered; who is silent for ever has no say. */
static void note_answer(struct openings *o, uint64_t took_ms)
{
	o->usual_us -= o->usual_us / 16;
	o->usual_us += took_ms * 1000 / 16;
}

static uint64_t patience_ms(const struct openings *o)
{
	uint64_t ms = o->usual_us / 1000 * OPENING_PATIENCE_TIMES;
	if (ms < OPENING_PATIENCE_MS)
		return OPENING_PATIENCE_MS;
	return ms < OPENING_PATIENCE_MAX_MS ? ms : OPENING_PATIENCE_MAX_MS;
}

void opening_wake(struct openings *o, struct opening *at, uint64_t now_ms)
{
	if (at->state == OPENING_IDLE) {
		move_to(&o->waiting, at, OPENING_WAITING, now_ms);
	} else if (at->state == OPENING_STALLED) {
		note_answer(o, now_ms - at->since_ms);
		move_to(&o->going, at, OPENING_GOING, now_ms);
	}
}

static bool may_begin(const struct openings *o)
{
	return o->begun_count < OPENINGS_MAX;
}

/* Those that are under way first: each that is done makes room. */
struct opening *openings_next(struct openings *o, unsigned steps[2], uint64_t now_ms)
{
	struct opening *at = first(&o->going);
	if (!at && may_begin(o))
		at = first(&o->waiting);
	if (!at)
		return NULL;
	unsigned steps_max = at->is_costly ? OPENING_STEPS_MAX : OPENING_CHEAP_STEPS_MAX;
	if (steps[at->is_costly] >= steps_max)
		return NULL;
	steps[at->is_costly]++;
	if (!at->has_begun) {
		at->has_begun = true;
		o->begun_count++;
	}
	if (at->state == OPENING_WAITING)
		move_to(&o->going, at, OPENING_GOING, now_ms);
	return at;
}

void opening_stall(struct openings *o, struct opening *at, uint64_t now_ms)
{
	move_to(&o->stalled, at, OPENING_STALLED, now_ms);
}

void opening_leave(struct openings *o, struct opening *at)
{
	o->begun_count -= at->has_begun;
	link_remove(&at->link);
	at->has_begun = false;
	at->state = OPENING_IDLE;
}

static bool is_crowded(const struct openings *o)
{
	return !may_begin(o) && !list_is_empty(&o->waiting);
}

struct opening *openings_give_way(const struct openings *o, uint64_t now_ms)
{
	struct opening *at = first(&o->stalled);
	bool is_late = at && now_ms >= at->since_ms + patience_ms(o);
	return is_late && is_crowded(o) ? at : NULL;
}

bool openings_are_busy(const struct openings *o)
{
	return !list_is_empty(&o->going) || (!list_is_empty(&o->waiting) && may_begin(o));
}

uint64_t openings_deadline_ms(const struct openings *o)
{
	const struct opening *at = first(&o->stalled);
	return at && is_crowded(o) ? at->since_ms + patience_ms(o) : UINT64_MAX;
}
