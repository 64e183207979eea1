/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is retained comes to whoever subscribes [MQTT-3.3.1-6, 3.3.1-9]. Judged where it is certain:
 * the message was retained before the SUBSCRIBE and still is when all is quiet, and nothing happened
 * to the connection since.
 */
#include "world.h"

/* How often it has come so far, which the SUBSCRIBE will add to. */
void model_replays_asked(const struct world *w, const struct client *c, struct interval *v)
{
	v->connection = c->connection;
	for (unsigned t = 0; t < TOPICS; t++)
		v->replays[t] = w->retained[t] ? w->got[c->index][w->retained[t]].replays : 0;
}

static bool is_owed(const struct world *w, const struct client *c, const struct interval *v)
{
	return v->filter < PLAIN_FILTERS && v->retain_handling == RETAIN_SEND_ALWAYS &&
	       v->from_sent > w->retained_tick && v->from_sure != NEVER && v->until_sent == NEVER &&
	       v->connection == c->connection;
}

static void judge(struct world *w, const struct client *c, const struct interval *v,
		  uint32_t message)
{
	const struct published *m = &w->messages[message];
	/* one that was sent again meanwhile may have come by the subscription instead */
	if (m->attempts > 1)
		return;
	if (!filter_matches[v->filter][m->topic] || (v->no_local && m->publisher == c->index))
		return;
	if (w->got[c->index][message].replays == v->replays[m->topic])
		world_fail(w, "%s: retained message %u did not come to %s", c->id, message,
			   filters[v->filter]);
	w->replays_judged++;
}

void model_replays_due(struct world *w, const uint32_t found[TOPICS])
{
	for (unsigned i = 0; i < w->client_count && !w->has_small_queues; i++) {
		const struct client *c = &w->clients[i];
		if (c->phase != PHASE_ONLINE || c->is_faulty)
			continue;
		for (unsigned n = 0; n < c->interval_count; n++)
			for (unsigned t = 0; t < TOPICS && is_owed(w, c, &c->intervals[n]); t++)
				if (found[t] && found[t] == w->retained[t])
					judge(w, c, &c->intervals[n], found[t]);
	}
}
