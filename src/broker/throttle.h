/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast one client may send (listener_limits): two buckets, one for messages and other requests,
 * one for the bytes of all its packets, so that a flood of pings is bounded, too. A connection whose
 * listener sets no rate has none of this.
 *
 * Who is held back is not read until its debt is paid; the system's buffers fill, and its own end
 * stops. Nothing that was received is lost.
 */
#ifndef NIGHTJAR_BROKER_THROTTLE_H
#define NIGHTJAR_BROKER_THROTTLE_H

#include "broker/connection.h"
#include "broker/shard.h"

static inline struct throttle *throttle_of(const struct connection *c)
{
	return c->extras ? c->extras->throttle : NULL;
}
/* Has its listener rates, or had it? Those that held when it came: later ones may be of other
 * listeners. */
static inline bool throttle_is_due(const struct connection *c)
{
	const struct listener_limits *l = &c->terms->limits.listeners[c->listener];
	return throttle_of(c) || ((l->messages_per_s || l->bytes_per_s) && !c->is_exempt);
}
/* Before packets of an open connection are looked at: the rates may be others than before. */
void throttle_begin(struct connection *c);
/* A whole packet has come, of a connection that has a throttle. False: the connection ends by it. */
bool throttle_take(struct connection *c, uint8_t packet_type, size_t len);
/* A PUBLISH whose topic is known, right after that: was it refused instead of taken? */
struct publish;
bool throttle_refuses(struct connection *c, const struct publish *p);
/* Those whose time has come are read again. */
void throttle_turn(struct shard *s);
void throttle_free(struct connection *c);

#endif
