/* SPDX-License-Identifier: Apache-2.0 */
/* PUBLISH from a client ([5] 3.3). */
#include "base/mem.h"
#include "broker/handle.h"
#include "broker/mount.h"
#include "broker/packet.h"
#include "broker/publish.h"
#include "broker/retain.h"
#include "broker/rights.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/shed.h"
#include "broker/source.h"
#include "broker/throttle.h"
#include "mqtt/topic.h"

static const struct flaw flaw_alias = {REASON_TOPIC_ALIAS_INVALID,
				       "topic alias out of the range that was announced"};
static const struct flaw flaw_alias_unknown = {REASON_PROTOCOL_ERROR,
					       "topic alias that was never set"};
static const struct flaw flaw_identifier = {REASON_PROTOCOL_ERROR,
					    "Subscription Identifier in a client's PUBLISH"};
static const struct flaw flaw_qos = {REASON_QOS_NOT_SUPPORTED, "QoS above the broker's maximum"};
static const struct flaw flaw_retain = {REASON_RETAIN_NOT_SUPPORTED,
					"retained messages are not available"};
static const struct flaw flaw_levels = {REASON_TOPIC_NAME_INVALID,
					"topic has more levels than the broker takes"};
static const struct flaw flaw_quota = {REASON_RECEIVE_MAXIMUM_EXCEEDED,
				       "more messages in flight than Receive Maximum allows"};
static const struct flaw flaw_id_in_use = {REASON_PROTOCOL_ERROR,
					   "packet id of an open QoS 2 message used at QoS 1"};
static const struct flaw flaw_memory = {REASON_QUOTA_EXCEEDED, "out of memory"};

/* Properties that end here and are not forwarded as they came. */
#define ENDING_PROPERTIES                                                                          \
	(1ull << PROPERTY_TOPIC_ALIAS | 1ull << PROPERTY_MESSAGE_EXPIRY_INTERVAL |                 \
	 1ull << PROPERTY_SUBSCRIPTION_IDENTIFIER | 1ull << PROPERTY_WILL_DELAY_INTERVAL)

/* The others go on byte for byte, in their order [MQTT-3.3.2-4, -15, -16, -17, -18, -20]. */
bool forward_properties(struct shard *s, const struct properties *in, struct span *forward_out)
{
	struct span rest = in->raw;
	struct property property;
	if (!(in->present & ENDING_PROPERTIES)) {
		*forward_out = in->raw;
		return true;
	}
	if (s->forwarded_capacity < in->raw.len) {
		uint8_t *bytes = mem_realloc(s->forwarded, in->raw.len);
		if (!bytes)
			return false;
		s->forwarded = bytes;
		s->forwarded_capacity = in->raw.len;
	}
	struct writer w = writer_of((struct room){s->forwarded, s->forwarded_capacity});
	while (property_next(&rest, &property))
		if (!(ENDING_PROPERTIES >> property.id & 1))
			write_bytes(&w, property.raw);
	*forward_out = span_of(s->forwarded, (size_t)(w.ptr - s->forwarded));
	return true;
}

/* Sets or looks up the alias; the topic is complete after it. */
static const struct flaw *resolve_alias(struct connection *c, struct publish *p)
{
	uint16_t alias_max = c->terms->topic_alias_max_in;
	uint16_t alias = p->properties.topic_alias;
	if (alias == 0 || alias > alias_max)
		return &flaw_alias; /* [MQTT-3.3.2-9] */
	if (!connection_has_extras(c))
		return &flaw_memory;
	struct connection_extras *all = c->extras;
	if (!all->in)
		all->in = aliases_in_new(alias_max);
	if (!all->in)
		return &flaw_memory;
	if (p->topic.len > 0)
		return aliases_in_set(all->in, alias, p->topic) ? &flaw_memory : NULL;
	p->topic = aliases_in_get(all->in, alias);
	return p->topic.len == 0 ? &flaw_alias_unknown : NULL; /* [5] 3.3.4 */
}

static const struct flaw *judge(struct connection *c, struct publish *p)
{
	const struct settings *set = c->terms;
	if (UNLIKELY(p->properties.present)) {
		if (properties_has(&p->properties, PROPERTY_SUBSCRIPTION_IDENTIFIER))
			return &flaw_identifier; /* [MQTT-3.3.4-6] */
		if (properties_has(&p->properties, PROPERTY_TOPIC_ALIAS)) {
			const struct flaw *flaw = resolve_alias(c, p);
			if (flaw)
				return flaw;
		}
	}
	if (UNLIKELY(c->is_mounted)) {
		const struct flaw *flaw = mount_topic(c, &p->topic);
		if (flaw)
			return flaw;
	}
	if (p->qos > set->qos_max)
		return &flaw_qos; /* [5] 3.2.2.3.4 */
	if (p->retain && !set->retain_available)
		return &flaw_retain; /* [5] 3.2.2.3.5 */
	/* a topic has no more levels than bytes + 1: short ones need not be counted */
	if (p->topic.len >= set->topic_levels_max && set->topic_levels_max &&
	    topic_level_count(p->topic) > set->topic_levels_max)
		return &flaw_levels;
	return NULL;
}

/* QoS 1 and 2 that this client has open towards us. */
static bool is_over_quota(const struct connection *c)
{
	const struct session *session = c->session;
	const struct settings *set = c->terms;
	uint32_t open = session->receive.count + (session->acks ? session->acks->puback_count : 0);
	return open >= (uint32_t)set->receive_maximum + set->receive_maximum_slack;
}

/* A publisher may say for each message how sure it wants to be. */
static uint8_t answer_of(const struct properties *properties, uint8_t usual)
{
	struct span rest = properties->raw;
	struct property property;
	while (property_next(&rest, &property)) {
		if (property.id != PROPERTY_USER_PROPERTY ||
		    !span_is_equal(property.text, SPAN_LITERAL("nightjar-durability")))
			continue;
		if (span_is_equal(property.value, SPAN_LITERAL("off")))
			return ANSWER_AT_ONCE;
		if (span_is_equal(property.value, SPAN_LITERAL("always")))
			return ANSWER_WHEN_DURABLE;
	}
	return usual;
}

static bool make_publication(struct connection *c, const struct publish *p, struct publication *out)
{
	struct shard *s = c->shard;
	*out = (struct publication){.answer = c->answer,
				    .parts = {.topic = p->topic,
					      .payload = p->payload,
					      .publisher = c->session->number,
					      .qos = p->qos,
					      .retain = p->retain}};
	if (p->retain && p->payload.len > 0 && s->access->has_acl &&
	    s->settings->check_retain_source &&
	    !source_make(s, c->identity, session_client_id(c->session), &out->parts.source))
		return false;
	if (!p->properties.present)
		return true;
	if (properties_has(&p->properties, PROPERTY_MESSAGE_EXPIRY_INTERVAL)) {
		out->parts.has_expiry = true;
		out->parts.expires_ms =
			s->now.wall_ms + p->properties.message_expiry_interval * 1000ull;
	}
	if (UNLIKELY(properties_has(&p->properties, PROPERTY_USER_PROPERTY)) &&
	    s->broker->log->is_kept)
		out->answer = answer_of(&p->properties, out->answer);
	return forward_properties(s, &p->properties, &out->parts.properties);
}

static void enter(struct connection *c, const struct publish *p)
{
	struct shard *s = c->shard;
	struct session *session = c->session;
	struct publication publication;
	struct ack_waiting ack = {.packet_id = p->packet_id,
				  .type = p->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC};
	int result = ERROR_NO_MEMORY;
	if (make_publication(c, p, &publication))
		result = publish_enter(s, &publication, session, p->qos ? &ack : NULL);
	publication_release(&publication);
	if (result == ERROR_AGAIN || p->qos == 0)
		return;
	if (result < 0 && c->version != MQTT_5) {
		/* it has no way to be told: it shall send it again */
		receive_event(&session->receive, RECEIVE_EVENT_REFUSED, p->packet_id, &result);
		connection_fail(c, &flaw_memory);
		return;
	}
	ack_answer(c, ack.type, p->packet_id, result < 0 ? REASON_QUOTA_EXCEEDED : (uint8_t)result);
}

/* Runs the receiving table; true when the message is new and to be handed on. */
static bool receive(struct connection *c, const struct publish *p)
{
	static const enum receive_event events[] = {RECEIVE_EVENT_QOS_0, RECEIVE_EVENT_QOS_1,
						    RECEIVE_EVENT_QOS_2};
	int error;
	unsigned steps = receive_event(&c->session->receive, events[p->qos], p->packet_id, &error);
	if (error) {
		connection_fail(c, &flaw_memory);
		return false;
	}
	if (steps == STEP_NONE) {
		if (c->version == MQTT_5)
			ack_answer(c, PACKET_PUBACK, p->packet_id, REASON_PACKET_IDENTIFIER_IN_USE);
		else
			connection_fail(c, &flaw_id_in_use);
		return false;
	}
	if (p->qos == 2)
		see_step(c, false, RECEIVE_WAIT_PUBREL, RECEIVE_EVENT_QOS_2, p->packet_id);
	if (steps & STEP_DELIVER)
		return true;
	ack_answer_again(c, p->packet_id); /* [MQTT-4.3.3-10] */
	return false;
}

/* Sent once more: it was let in before, and goes on. */
static bool is_repeated(const struct connection *c, const struct publish *p)
{
	return p->qos == 2 && receive_has(&c->session->receive, p->packet_id);
}

/* Answered with the code; versions before 5 have no word for it and are told that it arrived, as by
 * mosquitto [3.1.1 MQTT-3.3.5-2]. */
static void turn_away(struct connection *c, const struct publish *p, uint8_t code)
{
	if (c->version != MQTT_5)
		code = REASON_SUCCESS;
	if (p->qos == 0 || (code == REASON_SUCCESS && !receive(c, p)))
		return;
	ack_answer(c, p->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, p->packet_id, code);
}

/* Is it kept out, and answered, for what it says or how large it is? */
static bool is_kept_out(struct connection *c, const struct publish *p)
{
	struct shard *s = c->shard;
	uint32_t payload_max = s->settings->payload_bytes_max;
	bool is_too_large = payload_max && p->payload.len > payload_max;
	if (LIKELY(!is_too_large && may_write(s, c->session, p->topic)))
		return false;
	if (is_repeated(c, p)) {
		(void)receive(c, p);
		return true;
	}
	if (is_too_large)
		see_dropped(s, c->session, p->topic, "payload above message_size_limit");
	else
		see_denied(s, c->session, PACKET_PUBLISH, p->topic);
	/* 0x95 is no code of PUBACK ([5] 3.4.2.1) */
	turn_away(c, p, is_too_large ? REASON_QUOTA_EXCEEDED : REASON_NOT_AUTHORIZED);
	return true;
}

void handle_publish(struct connection *c, uint8_t flags, struct span body)
{
	struct publish p;
	struct shard *s = c->shard;
	const struct flaw *flaw = publish_decode(flags, body, c->version, &p);
	if (!flaw)
		flaw = judge(c, &p);
	if (!flaw && p.qos > 0 && c->version == MQTT_5 && is_over_quota(c) &&
	    !receive_has(&c->session->receive, p.packet_id))
		flaw = &flaw_quota;
	if (UNLIKELY(flaw != NULL)) {
		connection_fail(c, flaw);
		return;
	}
	s->status.messages_in++;
	see_publish(c, true, p.topic, p.qos,
		    (p.dup ? EVENT_FLAG_DUP : 0) | (p.retain ? EVENT_FLAG_RETAIN : 0), p.packet_id,
		    (uint32_t)p.payload.len);
	if (UNLIKELY(throttle_of(c) && throttle_refuses(c, &p)))
		return;
	if (shed_qos_0(s) && p.qos == 0) {
		guard_count(&s->broker->guard, GUARD_SHED);
		s->status.dropped_qos0++;
		return;
	}
	if (is_kept_out(c, &p))
		return;
	if (UNLIKELY(p.retain && retain_is_over_limit(s, p.topic, p.payload.len))) {
		see_dropped(s, c->session, p.topic, "retained store full");
		p.retain = false;
		if (p.qos > 0 && !receive_has(&c->session->receive, p.packet_id)) {
			ack_answer(c, p.qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, p.packet_id,
				   REASON_QUOTA_EXCEEDED);
			return;
		}
	}
	if (p.qos == 0 || receive(c, &p))
		enter(c, &p);
	/* 3.x has no Receive Maximum: a client with too much open is not read for a while */
	if (UNLIKELY(p.qos > 0 && c->version != MQTT_5 && c->state == CONNECTION_OPEN &&
		     c->session->acks && is_over_quota(c) && acks_count(c->session->acks) > 0))
		connection_pause(c);
}
