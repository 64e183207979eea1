/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a retained message may come because it is retained: once for each SUBSCRIBE that asks
 * for it. Of what was sent at QoS 0 the log does not know: who dies before it has it that a look-up
 * is done sends those again, for a state that comes twice is better than one that never comes.
 */
#include "world.h"

void model_lookup_asked(struct client *c, unsigned filter)
{
	for (unsigned t = 0; filter < PLAIN_FILTERS && t < TOPICS; t++) {
		c->lookups[t].asked += filter_matches[filter][t];
		c->lookups[t].open += filter_matches[filter][t];
	}
}

void model_lookup_answered(struct client *c, unsigned filter)
{
	for (unsigned t = 0; filter < PLAIN_FILTERS && t < TOPICS; t++)
		c->lookups[t].answered += filter_matches[filter][t];
}

/* What it was answered stood before that message in the log, and does not find it. */
void model_lookup_published(struct world *w, const struct published *m)
{
	for (unsigned i = 0; i < w->client_count; i++)
		w->got[i][m->id].answered_before = w->clients[i].lookups[m->topic].answered;
}

void model_lookup_crash(struct world *w)
{
	for (unsigned i = 0; i < w->client_count; i++)
		for (unsigned t = 0; t < TOPICS; t++)
			w->clients[i].lookups[t].again += w->clients[i].lookups[t].open;
}

/* Everybody who is there has everything. */
void model_lookup_rest(struct world *w)
{
	for (unsigned i = 0; i < w->client_count; i++)
		for (unsigned t = 0; t < TOPICS; t++)
			if (w->clients[i].phase == PHASE_ONLINE)
				w->clients[i].lookups[t].open = 0;
}

unsigned model_lookup_max(const struct world *w, const struct client *c, const struct published *m,
			  bool is_exact)
{
	const struct lookups *l = &c->lookups[m->topic];
	unsigned once = l->asked - w->got[c->index][m->id].answered_before;
	return is_exact ? once : once + l->again;
}
