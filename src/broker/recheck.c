/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/recheck.h"

#include "broker/connection.h"
#include "broker/shard.h"

/* Verifying a chain takes some fifty microseconds. */
#define CONNECTIONS_PER_TURN 32

static const struct farewell lost_right = {.reason_code = REASON_NOT_AUTHORIZED,
					   .tell = true,
					   .text = "its certificate or key is no longer good"};

static void look_at_one(struct shard *s)
{
	struct link *link = s->connections.next;
	struct connection *c = CONTAINER_OF(link, struct connection, link);
	link_remove(link); /* to the end: all have their turn */
	list_append(&s->connections, link);
	if (c->state < CONNECTION_CLOSING && !stream_may_stay(&c->stream))
		connection_end(c, &lost_right);
}

void recheck_turn(struct shard *s)
{
	unsigned wanted = atomic_load_explicit(&s->broker->recheck_count, memory_order_relaxed);
	if (s->recheck_seen != wanted) {
		s->recheck_seen = wanted;
		s->recheck_left = s->connection_count;
	}
	for (unsigned i = 0; i < CONNECTIONS_PER_TURN && s->recheck_left > 0; i++) {
		if (list_is_empty(&s->connections))
			s->recheck_left = 1;
		else
			look_at_one(s);
		s->recheck_left--;
	}
	s->has_work |= s->recheck_left > 0;
}
