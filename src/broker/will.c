/* SPDX-License-Identifier: Apache-2.0 */
/* Wills: kept with the session, published when its connection or the session is lost
 * ([5] 3.1.2.5, 3.1.3.2). */
#include "base/mem.h"
#include "broker/handle.h"
#include "broker/publish.h"
#include "broker/retain.h"
#include "broker/rights.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/source.h"

/* As CONNECT gave it [MQTT-3.1.2-9, -14, -15], its User Properties in order [MQTT-3.1.3-10]. */
struct will *will_new(struct shard *s, const struct connect *p, struct span source)
{
	const struct properties *in = &p->will_properties;
	struct message_parts parts = {.topic = p->will_topic,
				      .payload = p->will_payload,
				      .source = source,
				      .qos = p->will_qos,
				      .retain = p->will_retain};
	struct will *will = mem_zalloc(sizeof(*will));
	if (!will || !forward_properties(s, in, &parts.properties)) {
		mem_free(will);
		return NULL;
	}
	if (properties_has(in, PROPERTY_WILL_DELAY_INTERVAL))
		will->delay = in->will_delay_interval;
	if (properties_has(in, PROPERTY_MESSAGE_EXPIRY_INTERVAL)) {
		/* an interval still: it counts from the publication */
		parts.has_expiry = true;
		parts.expires_ms = in->message_expiry_interval * 1000ull;
	}
	will->message = message_new(&parts);
	if (!will->message) {
		mem_free(will);
		return NULL;
	}
	return will;
}

static void see_published(struct shard *s, const struct session *session, struct span topic)
{
	struct event *e = shard_event(s, EVENT_WILL_PUBLISHED, NULL);
	e->session = session->number;
	if (!shard_is_watched(s))
		return;
	struct event_detail detail = {.client_id = session_client_id(session), .topic = topic};
	s->broker->hooks.event(s->broker->hooks.context, s->index, e, &detail);
}

/* Of a client that has not come since the restart only its will says who it was. */
static bool may_publish(const struct shard *s, const struct session *session, struct span topic)
{
	if (rights_know(session))
		return may_write(s, session, topic);
	return source_may_write(s, message_source(session->will->message), topic);
}

void will_judge(struct shard *s, struct session *session)
{
	struct span topic = session->will ? message_topic(session->will->message) : SPAN_NONE;
	if (!session->will || session->will->is_under_way || may_publish(s, session, topic))
		return;
	see_denied(s, session, PACKET_CONNECT, topic);
	session_drop_will(session);
}

void session_publish_will(struct shard *s, struct session *session)
{
	struct publication p;
	struct will *will = session->will;
	if (!will || will->is_under_way || s->is_recovering)
		return;
	will_judge(s, session);
	if (!session->will)
		return;
	publication_of_message(&p, will->message);
	if (p.parts.has_expiry)
		p.parts.expires_ms += s->now.wall_ms;
	p.parts.publisher = session->number;
	if (!p.parts.retain || !s->settings->check_retain_source)
		p.parts.source = SPAN_NONE;
	if (p.parts.retain && retain_is_over_limit(s, p.parts.topic, p.parts.payload.len)) {
		see_dropped(s, session, p.parts.topic, "retained store full");
		p.parts.retain = false;
	}
	publication_release(&p); /* made anew from the parts where it must be kept */
	see_published(s, session, p.parts.topic);
	/* without memory the will is lost, as it would be with the process */
	int error = session->log_id ? publish_will(s, &p, session)
				    : publish_enter(s, &p, session, NULL);
	publication_release(&p);
	if (session->log_id && error != ERROR_NO_MEMORY)
		will->is_under_way = true; /* it goes when its PUBLISH is applied */
	else
		session_drop_will(session);
}
