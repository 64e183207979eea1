/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/tell.h"

#include "broker/see.h"
#include "broker/session.h"
#include "broker/shard.h"

/* Of each shard, in one turn: more would hold its clients up, and nobody reads them. */
#define SUBSCRIPTIONS_TOLD 1000

static void tell_one(struct shard *s, const struct session *session, struct span filter,
		     uint8_t qos, uint32_t *told)
{
	if ((*told)++ < SUBSCRIPTIONS_TOLD)
		see_subscription(s, session, filter, qos);
}

static void tell_session(struct shard *s, const struct session *session, uint32_t *told)
{
	const struct memberships *shared = session->memberships;
	const struct subscription *own = session->subscriber.first;
	for (; own; own = own->next_of_subscriber)
		tell_one(s, session, subscription_filter(own), own->qos, told);
	for (uint32_t i = 0; shared && i < shared->count; i++) {
		const struct membership *m = &shared->slots[i];
		if (m->owner != MEMBERSHIP_FREE)
			tell_one(s, session, span_of(m->filter, m->filter_len), m->qos, told);
	}
}

void tell_turn(struct shard *s)
{
	unsigned wanted = atomic_load_explicit(&s->broker->tell_count, memory_order_relaxed);
	const struct session *session;
	uint32_t cursor = 0, told = 0;
	if (s->tell_seen == wanted)
		return;
	s->tell_seen = wanted;
	while ((session = map_next(&s->sessions, &cursor)))
		tell_session(s, session, &told);
	if (told > SUBSCRIPTIONS_TOLD)
		see_more_subscriptions(s, told - SUBSCRIPTIONS_TOLD);
}
