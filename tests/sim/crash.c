/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worlds on a log that is kept: the broker dies at any moment and comes back, with another number
 * of shards, in the state that its log gives. What was committed is there; of what clients were
 * not told, any part may be. And whoever reads the log comes to the broker's own state.
 */
#include "world.h"

#include "base/mem.h"
#include "kit/replay.h"

static const unsigned shard_counts[] = {1, 2, 3, 8};

void crash_start(struct world *w)
{
	struct moment now = {KIT_START_STEADY_MS, KIT_START_WALL_MS};
	w->store = kept_store_new();
	kit_start_on(&w->kit, &w->settings, w->kit.shard_count, random_next(&w->random), w->store,
		     now);
}

/* The broker may not have got as far as the log with what it had closed a connection for. */
static void doubt_goodbyes(struct world *w)
{
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		if (c->phase != PHASE_OFFLINE || c->lost_known_ms != NEVER)
			continue;
		c->must_clean |= !c->has_session;
		c->expiry_max = UINT32_MAX;
	}
	for (uint32_t id = 1; id <= w->message_count; id++)
		if (w->messages[id].is_will && !w->messages[id].is_judged) {
			w->messages[id].is_forbidden = false;
			w->messages[id].forgone = 0;
		}
}

/* Wills of sessions that do not survive are lost with the process. */
static void doubt_wills(struct world *w)
{
	for (unsigned i = 0; i < w->client_count; i++)
		w->clients[i].will = 0;
	for (uint32_t id = 1; id <= w->message_count; id++)
		if (w->messages[id].is_will && !w->messages[id].is_judged)
			w->messages[id].dues = 0;
}

/* What members that do not survive had of a group, others get: nobody knows how far they were. */
static void doubt_groups(struct world *w)
{
	for (unsigned i = 0; i < w->client_count; i++) {
		bool survives = w->clients[i].expiry_min > 0;
		w->clients[i].is_orphaned |= !survives;
		for (uint32_t id = 1; id <= w->message_count; id++) {
			struct got *got = &w->got[i][id];
			/* that one had it before is known of sessions, not of groups */
			memset(got->group_sure, 0, sizeof(got->group_sure));
			if (!survives)
				memset(got->group_exact, 0, sizeof(got->group_exact));
		}
	}
}

void crash_doubts(struct world *w)
{
	/* what it had written still arrives */
	for (unsigned i = 0; i < w->client_count; i++)
		if (w->clients[i].phase != PHASE_OFFLINE)
			client_fault(w, &w->clients[i]);
	doubt_goodbyes(w);
	doubt_wills(w);
	doubt_groups(w);
	model_lookup_crash(w);
}

void crash(struct world *w)
{
	struct moment now = w->kit.now;
	uint64_t turns = w->kit.turns, ms = random_below(&w->random, 3000);
	unsigned shards = shard_counts[random_below(&w->random, ARRAY_COUNT(shard_counts))];
	world_note(w, "the broker dies, and comes back with %u shards", shards);
	kit_crash(&w->kit);
	crash_doubts(w);
	replay_check_some(w->store, &w->settings, now, NULL, &w->random);
	now.steady_ms += ms;
	now.wall_ms += ms;
	kit_start_on(&w->kit, &w->settings, shards, random_next(&w->random), w->store, now);
	w->kit.turns = turns;
	w->sessions_over++;
	w->crashes++;
	model_time(w);
}

void crash_check(struct world *w)
{
	char *live = kit_state(&w->kit);
	replay_check_some(w->store, &w->settings, w->kit.now, live, &w->random);
	mem_free(live);
}
