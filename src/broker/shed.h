/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the broker gives up when there is too much of it all, in order, each at a measured threshold
 * and with a lower one for the way back (docs/LIMITS.md):
 *
 *                            memory_ceiling    how late a shard is
 *     new connections             80 %         shed_connections_after
 *     QoS 0                       90 %         shed_qos0_after
 *     QoS 1 and 2                100 %         never
 *     who sends large packets    110 %         never
 *
 * Nothing that was acknowledged is given up: what is refused at QoS 1 or 2 was not taken.
 *
 * A shard is late by how long its turns take: whatever comes meanwhile waits for the next one. That
 * is averaged over time, so that it is what somebody who comes by chance would meet.
 */
#ifndef NIGHTJAR_BROKER_SHED_H
#define NIGHTJAR_BROKER_SHED_H

#include "broker/connection.h"
#include "broker/shard.h"

/* At the beginning of a turn, on the shard's own thread. */
void shed_turn(struct shard *s);
/* Is a client with that id not let in? For want of memory only one that has no session: what waits
 * for the others takes memory until they come and get it. */
bool shed_connections(struct shard *s, struct span client_id);
/* Is this PUBLISH at QoS 0 given up? */
static inline bool shed_qos_0(const struct shard *s)
{
	return UNLIKELY(s->shed.is_dropping);
}
/* Are QoS 1 and 2 given up? */
static inline bool shed_all(const struct shard *s)
{
	return UNLIKELY(atomic_load_explicit(&s->broker->guard.memory_level,
					     memory_order_relaxed) >= SHED_QOS_1_2);
}
/* Is who sends a large packet given up, for which memory is to be taken before it can be refused? */
static inline bool shed_large(const struct shard *s)
{
	return UNLIKELY(atomic_load_explicit(&s->broker->guard.memory_level,
					     memory_order_relaxed) >= SHED_LARGE);
}
/* When its next turn is due, whatever else is; UINT64_MAX: never. */
uint64_t shed_wait_ms(const struct shard *s);
/* What accepts shall wait before they look again; 0: they need not. */
uint64_t shed_accept_wait_ms(const struct shard *s);

#endif
