/* SPDX-License-Identifier: Apache-2.0 */
/* Makes up what happens: which step is likely in the state that the world is in. */
#include "program.h"

#define SNAPSHOT_EVERY 150 /* steps, about */
#define CRASH_EVERY 300
#define HOSTILE_EVERY 25

static enum action choose_online(struct random *r, const struct client *c)
{
	static const struct {
		uint8_t below;
		uint8_t action;
	} table[] = {
		{50, ACTION_PUBLISH}, {64, ACTION_SUBSCRIBE},  {69, ACTION_UNSUBSCRIBE},
		{72, ACTION_PING},    {76, ACTION_STOP},       {80, ACTION_LAZY},
		{92, ACTION_ANSWER},  {94, ACTION_DISCONNECT}, {97, ACTION_FAULT},
		{98, ACTION_VANISH},  {100, ACTION_CONNECT}, /* takes itself over */
	};
	uint32_t dice = random_below(r, 100);
	unsigned i = 0;
	if (c->has_engine && random_chance(r, 2))
		return ACTION_FORGE;
	while (dice >= table[i].below)
		i++;
	return (enum action)table[i].action;
}

static enum action choose_deed(struct random *r, const struct client *c)
{
	bool dares = random_chance(r, 5);
	switch (c->phase) {
	case PHASE_OFFLINE:
		if (c->has_engine && random_chance(r, 10))
			return ACTION_PUBLISH;
		return !c->waits_for_quiet && random_chance(r, 30) ? ACTION_CONNECT : ACTION_IDLE;
	case PHASE_ONLINE: return choose_online(r, c);
	default: return dares && !c->is_faulty ? ACTION_FAULT : ACTION_IDLE;
	}
}

static struct step choose_step(struct world *w)
{
	struct random *r = &w->plan;
	uint32_t dice = random_below(r, 100);
	struct step s = {.action = ACTION_CLOSE_OLD, .seed = (uint32_t)random_next(r)};
	if (w->log_kind != LOG_IN_MEMORY && random_below(r, SNAPSHOT_EVERY) == 0) {
		s.action = ACTION_SNAPSHOT;
	} else if (w->log_kind == LOG_IS_KEPT && random_below(r, CRASH_EVERY) == 0) {
		s.action = ACTION_CRASH;
	} else if (w->has_hostile && random_below(r, HOSTILE_EVERY) == 0) {
		s.action = ACTION_HOSTILE;
	} else if (dice < 45) {
		s.action = ACTION_TURNS;
	} else if (dice < 75) {
		s.action = ACTION_PUMP;
		s.actor = (uint8_t)random_below(r, w->client_count);
	} else if (dice < 95) {
		s.actor = (uint8_t)random_below(r, w->client_count);
		s.action = (uint8_t)choose_deed(r, &w->clients[s.actor]);
	} else if (dice < 97) {
		s.action = ACTION_FREEZE;
	} else if (dice < 99) {
		s.action = ACTION_TIME;
	}
	return s;
}

/* Its dice depend on nothing that was before. */
static void run_step(struct world *w, const struct step *s)
{
	w->random.state = s->seed;
	w->kit.random.state = random_next(&w->random);
	w->kit.wakes_at_once = w->wakes_at_once;
	act(w, s);
}

static void note(struct program *record, const struct step *s)
{
	if (!record)
		return;
	ASSERT(record->step_count < PROGRAM_STEPS_MAX);
	record->steps[record->step_count++] = *s;
}

void program_make_up(struct world *w, unsigned phases, unsigned steps, struct program *record)
{
	w->plan.state = ~w->seed;
	for (unsigned p = 0; p < phases; p++) {
		for (unsigned i = 0; i < steps; i++) {
			struct step s = choose_step(w);
			note(record, &s);
			run_step(w, &s);
		}
		struct step last = {.action = p + 1 == phases ? ACTION_REST_LAST : ACTION_REST,
				    .seed = (uint32_t)random_next(&w->plan)};
		note(record, &last);
		run_step(w, &last);
	}
}

void program_replay(struct world *w, const struct program *p)
{
	for (uint32_t i = 0; i < p->step_count; i++)
		run_step(w, &p->steps[i]);
}
