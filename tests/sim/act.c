/* SPDX-License-Identifier: Apache-2.0 */
/* One step of a simulated world. */
#include "program.h"

static void some_turns(struct world *w)
{
	unsigned count = 1 + random_below(&w->random, 6);
	for (unsigned i = 0; i < count; i++)
		if (!kit_step(&w->kit)) {
			if (!w->kit.frozen)
				note_quiet(w);
			return;
		}
}

/* Some threads do not run for a while, whatever comes in for them. */
static void freeze(struct world *w)
{
	w->kit.frozen = random_next(&w->random) & random_next(&w->random);
	w->thaw_step = w->steps + 5 + random_below(&w->random, 60);
}

static void some_time(struct world *w)
{
	struct random *r = &w->random;
	uint64_t ms = 1 + random_below(r, 10);
	if (random_chance(r, 2))
		ms = 1000 + random_below(r, 30000);
	if (random_chance(r, 1))
		ms = 60000 + random_below(r, 60000);
	world_note(w, "%llu ms pass", (unsigned long long)ms);
	kit_advance(&w->kit, ms);
	note_quiet(w);
	model_time(w);
}

static void some_fault(struct world *w, struct client *c)
{
	uint32_t choice = random_below(&w->random, 4);
	uint32_t bytes = random_below(&w->random, random_chance(&w->random, 50) ? 40 : 2000);
	client_fault(w, c);
	world_note(w, "%s: fault %u, %u", c->id, choice, bytes);
	switch (choice) {
	case 0: memory_cut(&c->stream); break;
	case 1: memory_cut_after(&c->stream, bytes); break;
	case 2: memory_cut_after(&c->broker_end, bytes); break;
	default: client_lost(w, c, false);
	}
}

static void publish_some(struct world *w, struct client *c)
{
	unsigned count = 1 + random_below(&w->random, random_chance(&w->random, 80) ? 3 : 20);
	for (unsigned i = 0; i < count; i++)
		client_publish(w, c);
}

static bool is_idle(const struct client *c)
{
	return c->phase == PHASE_OFFLINE && !c->waits_for_quiet;
}

static bool is_up(const struct client *c)
{
	return c->phase == PHASE_ONLINE;
}

static void act_alone(struct world *w, struct client *c, enum action action)
{
	bool may_publish = is_up(c) || (c->engine && c->phase == PHASE_OFFLINE);
	bool may_connect = is_up(c) || is_idle(c);
	switch (action) {
	case ACTION_CONNECT:
		if (may_connect)
			client_connect(w, c);
		break;
	case ACTION_PUBLISH:
		if (may_publish)
			publish_some(w, c);
		break;
	case ACTION_FAULT:
		if (c->phase != PHASE_OFFLINE && (is_up(c) || !c->is_faulty))
			some_fault(w, c);
		break;
	case ACTION_VANISH:
		if (is_up(c))
			client_vanish(w, c);
		break;
	default: break;
	}
}

static void act_online(struct world *w, struct client *c, enum action action)
{
	if (!is_up(c))
		return;
	switch (action) {
	case ACTION_SUBSCRIBE: client_subscribe(w, c); break;
	case ACTION_UNSUBSCRIBE: client_unsubscribe(w, c); break;
	case ACTION_PING: client_ping(c); break;
	case ACTION_STOP: c->is_stopped = !c->is_stopped; break;
	case ACTION_LAZY: c->is_lazy = !c->is_lazy; break;
	case ACTION_ANSWER: client_answer(w, c); break;
	case ACTION_DISCONNECT: client_disconnect(w, c); break;
	case ACTION_FORGE: engine_forge(w, c); break;
	default: break;
	}
}

/* What happens to the broker and its surroundings. */
static void act_around(struct world *w, enum action action)
{
	switch (action) {
	case ACTION_TURNS: some_turns(w); break;
	case ACTION_FREEZE: freeze(w); break;
	case ACTION_TIME: some_time(w); break;
	case ACTION_CLOSE_OLD: close_zombies(w); break;
	case ACTION_HOSTILE: hostile_act(w); break;
	case ACTION_REST:
	case ACTION_REST_LAST: rest(w, action == ACTION_REST_LAST); break;
	case ACTION_SNAPSHOT:
		if (w->log_kind != LOG_IN_MEMORY)
			broker_want_checkpoint(w->kit.broker);
		break;
	case ACTION_CRASH:
		if (w->store)
			crash(w);
		break;
	default: break;
	}
}

void act(struct world *w, const struct step *s)
{
	struct client *c = &w->clients[s->actor];
	if (++w->steps >= w->thaw_step)
		w->kit.frozen = 0;
	if (s->action == ACTION_PUMP) {
		client_pump(w, c);
	} else if (!c->is_left_out && s->actor < w->client_count) {
		act_alone(w, c, (enum action)s->action);
		act_online(w, c, (enum action)s->action);
	}
	act_around(w, (enum action)s->action);
	if (w->disk && s->action != ACTION_REST && s->action != ACTION_REST_LAST)
		power_step(w);
}
