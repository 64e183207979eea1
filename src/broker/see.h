/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a shard: written into its ring always, shown to a view when there is one. */
#ifndef NIGHTJAR_BROKER_SEE_H
#define NIGHTJAR_BROKER_SEE_H

#include "broker/shard.h"

/* `c` may be NULL. */
struct event *shard_event(struct shard *s, uint8_t kind, const struct connection *c);
void shard_event_show(struct shard *s, const struct event *e, const struct connection *c,
		      struct span topic, const char *text);
static inline bool shard_is_watched(const struct shard *s)
{
	return s->broker->hooks.event != NULL && !s->is_recovering;
}
static inline void shard_settle(struct shard *s)
{
	const struct broker_hooks *hooks = &s->broker->hooks;
	if (hooks->settle)
		hooks->settle(hooks->context, s->index);
}
void see_packet(struct connection *c, bool is_incoming, uint8_t type, uint16_t packet_id,
		uint8_t reason_code);
void see_publish(struct connection *c, bool is_incoming, struct span topic, uint8_t qos,
		 uint8_t flags, uint16_t packet_id, uint32_t payload_len);
/* A row of a delivery table was run: the state after it, and the event. */
void see_step(struct connection *c, bool is_sender, uint8_t state, uint8_t step,
	      uint16_t packet_id);
/* One that stands, for who asks; and how many were left out. */
void see_subscription(struct shard *s, const struct session *session, struct span filter,
		      uint8_t qos);
void see_more_subscriptions(struct shard *s, uint32_t count);
void see_queued(struct shard *s, const struct session *session, struct span topic, uint8_t qos);
void see_dropped(struct shard *s, const struct session *session, struct span topic,
		 const char *why);

#endif
