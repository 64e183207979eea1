/* SPDX-License-Identifier: Apache-2.0 */
/* Events: written into the shard's ring always, shown to a view when there is one. */
#include "broker/see.h"

#include "broker/shard.h"

struct event *shard_event(struct shard *s, uint8_t kind, const struct connection *c)
{
	struct event *e = event_ring_next(&s->events);
	*e = (struct event){.time_ms = s->now.wall_ms, .kind = kind};
	if (c) {
		e->version = c->version;
		e->session = c->session ? c->session->number : 0;
	}
	return e;
}

void shard_event_show(struct shard *s, const struct event *e, const struct connection *c,
		      struct span topic, const char *text)
{
	const struct broker_hooks *hooks = &s->broker->hooks;
	if (LIKELY(!shard_is_watched(s)))
		return;
	struct event_detail detail = {.topic = topic, .text = text};
	if (c && c->session)
		detail.client_id = session_client_id(c->session);
	else if (c)
		detail.client_id = s->connecting_id;
	if (c)
		detail.address = span_of_text(c->address);
	hooks->event(hooks->context, s->index, e, &detail);
}

void see_packet(struct connection *c, bool is_incoming, uint8_t type, uint16_t packet_id,
		uint8_t reason_code)
{
	struct event *e =
		shard_event(c->shard, is_incoming ? EVENT_PACKET_IN : EVENT_PACKET_OUT, c);
	e->packet_type = type;
	e->packet_id = packet_id;
	e->reason_code = reason_code;
	shard_event_show(c->shard, e, c, SPAN_NONE, NULL);
}

void see_step(struct connection *c, bool is_sender, uint8_t state, uint8_t step, uint16_t packet_id)
{
	struct event *e = shard_event(c->shard, EVENT_DELIVERY_STEP, c);
	e->flags = is_sender ? EVENT_FLAG_FROM_HERE : 0;
	e->state = state;
	e->step = step;
	e->packet_id = packet_id;
	shard_event_show(c->shard, e, c, SPAN_NONE, NULL);
}

static void note_topic(struct event *e, struct span topic)
{
	size_t len = topic.len < sizeof(e->topic) ? topic.len : sizeof(e->topic);
	if (len > 0)
		memcpy(e->topic, topic.ptr + topic.len - len, len);
	e->topic_len = (uint8_t)len;
}

void see_publish(struct connection *c, bool is_incoming, struct span topic, uint8_t qos,
		 uint8_t flags, uint16_t packet_id, uint32_t payload_len)
{
	struct event *e =
		shard_event(c->shard, is_incoming ? EVENT_PACKET_IN : EVENT_PACKET_OUT, c);
	e->packet_type = PACKET_PUBLISH;
	e->qos = qos;
	e->flags = flags;
	e->packet_id = packet_id;
	e->bytes = payload_len;
	note_topic(e, topic);
	shard_event_show(c->shard, e, c, topic, NULL);
}

void see_subscription(struct shard *s, const struct session *session, struct span filter,
		      uint8_t qos)
{
	struct event *e = shard_event(s, EVENT_SUBSCRIPTION, session->connection);
	e->session = session->number;
	e->qos = qos;
	if (!shard_is_watched(s))
		return;
	struct event_detail detail = {.client_id = session_client_id(session), .topic = filter};
	s->broker->hooks.event(s->broker->hooks.context, s->index, e, &detail);
}

void see_more_subscriptions(struct shard *s, uint32_t count)
{
	struct event *e = shard_event(s, EVENT_SUBSCRIPTION, NULL);
	e->number = count;
	shard_event_show(s, e, NULL, SPAN_NONE, NULL);
}

void see_queued(struct shard *s, const struct session *session, struct span topic, uint8_t qos)
{
	struct event *e = shard_event(s, EVENT_QUEUED, session->connection);
	e->session = session->number;
	e->number = session->queue->count;
	e->qos = qos;
	note_topic(e, topic);
	if (!shard_is_watched(s))
		return;
	struct event_detail detail = {.client_id = session_client_id(session), .topic = topic};
	s->broker->hooks.event(s->broker->hooks.context, s->index, e, &detail);
}

void see_dropped(struct shard *s, const struct session *session, struct span topic, const char *why)
{
	struct event *e = shard_event(s, EVENT_DROPPED, session->connection);
	e->session = session->number;
	note_topic(e, topic);
	if (!shard_is_watched(s))
		return;
	struct event_detail detail = {
		.client_id = session_client_id(session), .topic = topic, .text = why};
	if (session->connection)
		detail.address = span_of_text(session->connection->address);
	s->broker->hooks.event(s->broker->hooks.context, s->index, e, &detail);
}
