/* SPDX-License-Identifier: Apache-2.0 */
/* What a client does with each packet from the broker, and what it holds against it. */
#include "world.h"

static void answer_later(struct client *c, uint8_t type, uint16_t packet_id)
{
	uint8_t bytes[ACK_BYTES_MIN];
	if (c->engine)
		return; /* it does so by itself */
	ack_encode_short(bytes, type, packet_id);
	int error = buffer_append(&c->answers, span_of(bytes, sizeof(bytes)));
	ASSERT(error == 0);
	c->answer_count += type == PACKET_PUBACK || type == PACKET_PUBCOMP;
}

static struct incoming_id *find_incoming(struct client *c, uint16_t packet_id)
{
	for (unsigned i = 0; i < c->in_count; i++)
		if (c->in_ids[i].packet_id == packet_id)
			return &c->in_ids[i];
	return NULL;
}

static struct outgoing_message *find_outgoing(struct client *c, uint16_t packet_id)
{
	for (unsigned i = 0; i < c->out_count; i++)
		if (c->out_messages[i].packet_id == packet_id)
			return &c->out_messages[i];
	return NULL;
}

/* The order of the others stays: they are sent again in it. */
static void remove_outgoing(struct client *c, struct outgoing_message *o)
{
	unsigned i = (unsigned)(o - c->out_messages);
	memmove(o, o + 1, (--c->out_count - i) * sizeof(*o));
}

static unsigned topic_index(struct world *w, struct client *c, const struct publish *p)
{
	unsigned alias = properties_has(&p->properties, PROPERTY_TOPIC_ALIAS)
				 ? p->properties.topic_alias
				 : 0;
	if (alias > ALIASES_MAX)
		world_fail(w, "%s: topic alias %u", c->id, alias);
	for (unsigned t = 0; p->topic.len > 0 && t < TOPICS; t++)
		if (span_is_equal(p->topic, span_of_text(topics[t]))) {
			c->aliases_in[alias] = (uint8_t)(t + 1);
			return t;
		}
	if (p->topic.len > 0 || !alias || !c->aliases_in[alias])
		world_fail(w, "%s: a topic or alias that is unknown", c->id);
	return c->aliases_in[alias] - 1u;
}

static uint64_t identifiers_of(struct world *w, struct client *c, const struct publish *p)
{
	uint64_t bits = 0;
	struct span rest = p->properties.raw;
	struct property property;
	while (property_next(&rest, &property)) {
		if (property.id != PROPERTY_SUBSCRIPTION_IDENTIFIER)
			continue;
		uint64_t bit = 1ull << (property.number - 1);
		if (property.number > FILTERS || bits & bit)
			world_fail(w, "%s: subscription identifier %u", c->id, property.number);
		bits |= bit;
	}
	return bits;
}

/* True when it is handed on: QoS 2 once [MQTT-4.3.3-10]. */
static bool take_exactly_once(struct world *w, struct client *c, const struct publish *p,
			      uint32_t message)
{
	struct incoming_id *known = find_incoming(c, p->packet_id);
	answer_later(c, PACKET_PUBREC, p->packet_id);
	if (known && known->message != message)
		world_fail(w, "%s: packet id %u of message %u is used for %u", c->id, p->packet_id,
			   known->message, message);
	if (known && !p->dup)
		world_fail(w, "%s: message %u again without DUP", c->id, message);
	if (known) {
		known->connection = c->connection;
		return false;
	}
	ASSERT(c->in_count < INCOMING_MAX);
	c->in_ids[c->in_count++] = (struct incoming_id){p->packet_id, message, c->connection};
	return true;
}

static void note_window(struct world *w, struct client *c)
{
	c->open_count++;
	if (c->open_count > c->receive_maximum)
		world_fail(w, "%s: %u messages open, Receive Maximum is %u", c->id, c->open_count,
			   c->receive_maximum);
}

static void owe(struct client *c, uint32_t message)
{
	int error = buffer_append(&c->owed, span_of(&message, sizeof(message)));
	ASSERT(error == 0);
}

void client_saw_publish(struct world *w, struct client *c, const struct publish *p)
{
	struct reception r = {.message = payload_read(w, p->payload),
			      .topic = (uint8_t)topic_index(w, c, p),
			      .qos = p->qos,
			      .dup = p->dup,
			      .retain = p->retain,
			      .expiry = UINT32_MAX};
	if (properties_has(&p->properties, PROPERTY_MESSAGE_EXPIRY_INTERVAL))
		r.expiry = p->properties.message_expiry_interval;
	if (c->version == MQTT_5)
		r.identifiers = identifiers_of(w, c, p);
	world_note(w, "%s receives %u (%s q%u m%u%s%s) for %llx", c->id, r.message, topics[r.topic],
		   p->qos, p->packet_id, p->dup ? " dup" : "", p->retain ? " retain" : "",
		   (unsigned long long)r.identifiers);
	if (p->qos > 0)
		note_window(w, c);
	if (p->qos == 1)
		answer_later(c, PACKET_PUBACK, p->packet_id);
	if (p->qos == 2 && !take_exactly_once(w, c, p, r.message))
		return;
	if (c->engine)
		owe(c, r.message);
	model_received(w, c, &r);
}

static void handle_publish(struct world *w, struct client *c, uint8_t flags, struct span body)
{
	struct publish p;
	const struct flaw *flaw = publish_decode(flags, body, c->version, &p);
	if (flaw)
		world_fail(w, "%s: PUBLISH: %s", c->id, flaw->text);
	client_saw_publish(w, c, &p);
}

static void finish_message(struct world *w, struct client *c, struct outgoing_message *o,
			   uint8_t reason_code)
{
	struct published *m = &w->messages[o->message];
	if (!m->is_answered) {
		m->is_answered = true;
		m->reason_code = reason_code;
		model_answered(w, m);
	}
	(void)c;
}

/* An answer to what was not sent, or not like that. Somebody else may have asked for it. */
static void judge_stray(struct world *w, const struct client *c, const struct ack *p)
{
	if (!c->is_forged)
		world_fail(w, "%s: %s for nothing", c->id, packet_type_name(p->type));
}

static void handle_puback(struct world *w, struct client *c, const struct ack *p)
{
	struct outgoing_message *o = find_outgoing(c, p->packet_id);
	if (!o || w->messages[o->message].qos != 1) {
		judge_stray(w, c, p);
		return;
	}
	finish_message(w, c, o, p->reason_code);
	remove_outgoing(c, o);
}

static void handle_pubrec(struct world *w, struct client *c, const struct ack *p)
{
	struct outgoing_message *o = find_outgoing(c, p->packet_id);
	if (!o || w->messages[o->message].qos != 2) {
		judge_stray(w, c, p);
		return;
	}
	finish_message(w, c, o, p->reason_code);
	if (p->reason_code >= 0x80) {
		remove_outgoing(c, o);
		return;
	}
	o->is_released = true;
	if (!c->engine)
		client_send_ack(c, PACKET_PUBREL, p->packet_id);
}

static void handle_pubrel(struct client *c, const struct ack *p)
{
	struct incoming_id *known = find_incoming(c, p->packet_id);
	answer_later(c, PACKET_PUBCOMP, p->packet_id);
	if (!known || known->connection != c->connection)
		c->open_count++; /* from before this connection: its answer counts back */
	if (known)
		*known = c->in_ids[--c->in_count];
}

static void handle_pubcomp(struct world *w, struct client *c, const struct ack *p)
{
	struct outgoing_message *o = find_outgoing(c, p->packet_id);
	if (!o || !o->is_released) {
		judge_stray(w, c, p);
		return;
	}
	remove_outgoing(c, o);
}

void client_saw_ack(struct world *w, struct client *c, const struct ack *p)
{
	world_note(w, "%s gets %s m%u %02x", c->id, packet_type_name(p->type), p->packet_id,
		   p->reason_code);
	switch (p->type) {
	case PACKET_PUBACK: handle_puback(w, c, p); break;
	case PACKET_PUBREC: handle_pubrec(w, c, p); break;
	case PACKET_PUBREL: handle_pubrel(c, p); break;
	default: handle_pubcomp(w, c, p);
	}
}

static void handle_ack(struct world *w, struct client *c, uint8_t type, struct span body)
{
	struct ack p;
	const struct flaw *flaw = ack_decode(type, body, c->version, &p);
	if (flaw)
		world_fail(w, "%s: acknowledgement: %s", c->id, flaw->text);
	client_saw_ack(w, c, &p);
}

/* MQTT 3.1 does not say whether there was a session. */
static bool is_session_present(const struct client *c, const struct connack *p)
{
	if (c->version == MQTT_3_1)
		return c->has_session && !c->asked_clean;
	return p->session_present;
}

void client_saw_connack(struct world *w, struct client *c, const struct connack *p)
{
	if (p->code != REASON_SUCCESS && power_was_in_trouble(w, c->opened)) {
		client_fault(w, c);
		if (!c->engine) /* which is asked later */
			client_lost(w, c, false);
		return;
	}
	if (p->code != REASON_SUCCESS)
		world_fail(w, "%s: CONNACK %02x", c->id, p->code);
	if (c->phase != PHASE_CONNECTING)
		world_fail(w, "%s: a second CONNACK", c->id);
	client_connected(w, c, is_session_present(c, p));
}

static void handle_connack(struct world *w, struct client *c, struct span body)
{
	struct connack p;
	const struct flaw *flaw = connack_decode(body, c->version, &p);
	if (flaw)
		world_fail(w, "%s: CONNACK %s", c->id, flaw->text);
	client_saw_connack(w, c, &p);
}

void client_saw_suback(struct world *w, struct client *c, const struct suback *p)
{
	size_t wanted = 0;
	world_note(w, "%s gets %s m%u", c->id, packet_type_name(p->type), p->packet_id);
	for (unsigned i = 0; i < c->interval_count; i++) {
		struct interval *v = &c->intervals[i];
		if (v->until_id == p->packet_id) {
			v->until_sure = w->tick;
			v->until_id = 0;
		}
		if (v->from_id == p->packet_id) {
			if (wanted >= p->codes.len || p->codes.ptr[wanted++] != v->qos)
				world_fail(w, "%s: SUBACK does not grant what was asked", c->id);
			v->from_sure = w->tick;
			v->from_id = 0;
			model_lookup_answered(c, v->filter);
		}
	}
	if (p->type == PACKET_SUBACK && wanted != p->codes.len)
		world_fail(w, "%s: SUBACK of %zu codes for nothing", c->id, p->codes.len);
}

static void handle_suback(struct world *w, struct client *c, uint8_t type, struct span body)
{
	struct suback p;
	const struct flaw *flaw = suback_decode(type, body, c->version, &p);
	if (flaw)
		world_fail(w, "%s: SUBACK: %s", c->id, flaw->text);
	client_saw_suback(w, c, &p);
}

void client_saw_disconnect(struct world *w, struct client *c, const struct disconnect *p)
{
	if (power_was_in_trouble(w, c->opened))
		return;
	if (p->reason_code != REASON_KEEP_ALIVE_TIMEOUT || c->keep_alive == 0)
		world_fail(w, "%s: DISCONNECT %02x", c->id, p->reason_code);
}

static void handle_disconnect(struct world *w, struct client *c, struct span body)
{
	struct disconnect p;
	const struct flaw *flaw = disconnect_decode(body, c->version, &p);
	if (flaw)
		world_fail(w, "%s: DISCONNECT: %s", c->id, flaw->text);
	client_saw_disconnect(w, c, &p);
}

void client_handle(struct world *w, struct client *c, struct span packet)
{
	struct fixed_header h;
	const struct flaw *flaw;
	enum header_result result = c->version == MQTT_3_1
					    ? fixed_header_decode_3_1(packet, &h, &flaw)
					    : fixed_header_decode(packet, &h, &flaw);
	ASSERT(result == HEADER_OK);
	struct span body = span_of(packet.ptr + h.header_len, h.remaining_length);
	if (c->phase == PHASE_LEAVING)
		return; /* it does not care any more */
	if (c->phase == PHASE_CONNECTING && h.type != PACKET_CONNACK)
		world_fail(w, "%s: %s before CONNACK", c->id, packet_type_name(h.type));
	switch (h.type) {
	case PACKET_CONNACK: handle_connack(w, c, body); break;
	case PACKET_PUBLISH: handle_publish(w, c, h.flags, body); break;
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: handle_ack(w, c, h.type, body); break;
	case PACKET_SUBACK:
	case PACKET_UNSUBACK: handle_suback(w, c, h.type, body); break;
	case PACKET_PINGRESP: break;
	case PACKET_DISCONNECT: handle_disconnect(w, c, body); break;
	default: world_fail(w, "%s: %s from the broker", c->id, packet_type_name(h.type));
	}
	if (!c->is_lazy)
		client_answer(w, c);
}
