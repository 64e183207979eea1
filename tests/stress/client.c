/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include "client_send.h"
#include "mqtt/packets.h"
#include "payload.h"

#include <stdio.h>
#include <sys/epoll.h>

uint32_t client_stream(const struct client *c, unsigned topic_slot, unsigned qos)
{
	return (c->index * CLIENT_TOPICS + topic_slot) * 3 + qos;
}

bool client_survives(uint32_t index)
{
	return index % 10 < 7;
}

void client_init(struct client *c, struct world *w, uint32_t index)
{
	*c = (struct client){
		.world = w,
		.index = index,
		.version = index % 2 ? MQTT_5 : MQTT_3_1_1,
		.survives = client_survives(index),
		.takes_aliases = index % 4 == 1,
	};
}

/* Connections */

static void forget_session(struct client *c)
{
	ledger_session_ends(&c->world->ledger, c->index);
	c->outgoing_count = 0;
	c->has_session = false;
	memset(c->received, 0, sizeof(c->received));
	memset(c->subscriptions, 0, sizeof(c->subscriptions));
}

void client_connect(struct client *c, bool clean)
{
	ASSERT(c->state == CLIENT_OFF);
	/* In 3.1.1 a session that begins clean does not survive. */
	if (clean && c->survives && c->version == MQTT_5) {
		c->is_clean_pending = true;
		c->world->clean_starts++;
	}
	if (c->is_clean_pending || !c->survives)
		forget_session(c);
	c->channel = channel_open(c);
	c->state = CLIENT_CONNECTING;
	c->is_paused = false;
	memset(c->aliases, 0, sizeof(c->aliases));
	c->world->connects++;
	client_send_connect(c, c->is_clean_pending);
}

void client_take_over(struct client *c, bool clean)
{
	ASSERT(c->state == CLIENT_ON);
	channel_leave_behind(c->channel);
	c->world->left_behind++;
	c->world->take_overs++;
	c->channel = NULL;
	c->state = CLIENT_OFF;
	client_connect(c, clean);
}

static void close_channel(struct client *c, bool resets)
{
	channel_close(c->channel, resets);
	c->channel = NULL;
	c->state = CLIENT_OFF;
}

void client_cut(struct client *c)
{
	c->world->cuts++;
	c->has_rival |= c->state == CLIENT_CONNECTING;
	if (c->state == CLIENT_ON && c->outgoing_count > 0 &&
	    random_percent(&c->world->random, 50)) {
		/* Half of a packet, then nothing. */
		static uint8_t bytes[PACKET_BYTES];
		const struct outgoing *o = &c->outgoing[c->outgoing_count - 1];
		size_t len = client_encode_publish(c, o, true, (struct room){bytes, sizeof(bytes)});
		channel_send(c->channel, span_of(bytes, len / 2));
	}
	close_channel(c, random_percent(&c->world->random, 30));
}

void client_say_goodbye(struct client *c)
{
	uint8_t bytes[8];
	struct disconnect p = {0};
	properties_clear(&p.properties);
	c->world->goodbyes++;
	c->is_will_armed = false;
	client_send_packet(c, bytes,
			   disconnect_encode(&p, c->version, (struct room){bytes, sizeof(bytes)}));
	close_channel(c, false);
}

void client_end_session(struct client *c)
{
	c->survives = false;
	client_take_over(c, false);
}

void client_pause(struct client *c, bool pauses)
{
	c->is_paused = pauses;
	channel_want_read(c->channel, !pauses);
}

/* What a user asks for */

bool client_publish(struct client *c, unsigned topic_slot, unsigned qos)
{
	struct outgoing o = {.stream = client_stream(c, topic_slot, qos)};
	if (qos > 0 && c->outgoing_count == CLIENT_WINDOW)
		return false;
	/* Nothing that was not sent can be counted at QoS 0. */
	o.number = ledger_sent(&c->world->ledger, o.stream);
	if (qos > 0) {
		o.packet_id = client_new_packet_id(c);
		o.step = qos == 1 ? WAIT_FOR_PUBACK : WAIT_FOR_PUBREC;
		c->outgoing[c->outgoing_count++] = o;
	}
	client_send_publish(c, &o, false);
	return true;
}

bool client_subscribe(struct client *c, unsigned filter, unsigned qos)
{
	struct client_subscription *place = NULL;
	for (unsigned i = 0; i < CLIENT_SUBSCRIPTIONS; i++) {
		struct client_subscription *s = &c->subscriptions[i];
		if (s->step == NOT_SUBSCRIBED)
			place = s;
		else if (s->filter == filter)
			return false;
	}
	if (!place)
		return false;
	place->filter = (uint16_t)filter;
	place->qos = (uint8_t)qos;
	place->step = SUBSCRIBING;
	client_send_subscribe(c, place);
	return true;
}

bool client_unsubscribe(struct client *c, unsigned which)
{
	struct client_subscription *s = &c->subscriptions[which];
	if (s->step != SUBSCRIBED)
		return false;
	s->step = UNSUBSCRIBING;
	ledger_unsubscribing(&c->world->ledger, c->index, s->filter);
	client_send_unsubscribe(c, s);
	return true;
}

bool client_is_settled(const struct client *c)
{
	if (c->state != CLIENT_ON || c->outgoing_count > 0 || buffer_len(&c->channel->out) > 0)
		return false;
	for (unsigned i = 0; i < CLIENT_SUBSCRIPTIONS; i++) {
		if (c->subscriptions[i].step == SUBSCRIBING ||
		    c->subscriptions[i].step == UNSUBSCRIBING)
			return false;
	}
	return true;
}

/* Packets in */

/* The session goes on: what was under way is sent again, in its order [MQTT-4.4.0-1]. */
static void resume_session(struct client *c)
{
	for (unsigned i = 0; i < c->outgoing_count; i++) {
		const struct outgoing *o = &c->outgoing[i];
		if (o->step == WAIT_FOR_PUBCOMP) {
			client_send_ack(c, PACKET_PUBREL, o->packet_id);
		} else {
			ledger_resent(&c->world->ledger, o->stream, o->number);
			client_send_publish(c, o, true);
		}
	}
	for (unsigned i = 0; i < CLIENT_SUBSCRIPTIONS; i++) {
		if (c->subscriptions[i].step == SUBSCRIBING)
			client_send_subscribe(c, &c->subscriptions[i]);
		else if (c->subscriptions[i].step == UNSUBSCRIBING)
			client_send_unsubscribe(c, &c->subscriptions[i]);
	}
}

static void take_connack(struct client *c, struct span body)
{
	struct ledger *l = &c->world->ledger;
	struct connack p;
	ASSERT(!connack_decode(body, c->version, &p));
	if (p.code != 0) {
		if (!c->world->is_broker_ending)
			ledger_violation(l, "client %u: CONNACK with code %u", c->index, p.code);
		return;
	}
	bool is_fresh = c->is_clean_pending || !c->survives;
	if (p.session_present && is_fresh)
		ledger_violation(l, "client %u: a session after a clean start", c->index);
	if (!p.session_present && !is_fresh && c->has_session)
		ledger_violation(l, "client %u: its session is lost", c->index);
	c->state = CLIENT_ON;
	c->is_clean_pending = false;
	c->has_session = c->survives;
	c->is_will_armed = c->has_will;
	for (unsigned i = 0; is_fresh && i < FILTERS_ALL; i++)
		c->gone_at[i] = ++l->clock;
	resume_session(c);
}

/* True when the topic, or the alias that stands for it, is the stream's. */
static bool is_topic_right(struct client *c, const struct publish *p, unsigned topic)
{
	char expected[TOPIC_BYTES_MAX];
	topic_write(topic, expected);
	uint16_t alias = 0;
	if (c->version == MQTT_5 && properties_has(&p->properties, PROPERTY_TOPIC_ALIAS))
		alias = p->properties.topic_alias;
	if (alias > (c->takes_aliases ? CLIENT_ALIASES : 0))
		return false;
	if (p->topic.len == 0)
		return alias != 0 && c->aliases[alias] == topic + 1;
	if (alias != 0)
		c->aliases[alias] = (uint16_t)(topic + 1);
	return span_is_equal(p->topic, span_of_text(expected));
}

/* What was sent after the end of the subscription must not come. */
static void check_subscription(struct client *c, uint32_t stream, uint32_t number)
{
	struct ledger *l = &c->world->ledger;
	const struct stream_log *s = &l->streams[stream];
	uint32_t gone_at = c->gone_at[topic_filter(s->topic)];
	if (gone_at != 0 && number < s->count && s->messages[number].sent_at > gone_at)
		ledger_violation(l, "client %u: message %u of stream %u without a subscription",
				 c->index, number, stream);
}

static void deliver(struct client *c, const struct publish *p)
{
	struct ledger *l = &c->world->ledger;
	uint32_t stream, number;
	if (!payload_read(p->payload, &stream, &number) || stream >= l->stream_count) {
		ledger_violation(l, "client %u: a message that nobody sent", c->index);
		return;
	}
	if (!is_topic_right(c, p, l->streams[stream].topic))
		ledger_violation(l, "client %u: message of stream %u on topic '%.*s'", c->index,
				 stream, (int)p->topic.len, (const char *)p->topic.ptr);
	if (p->qos > l->streams[stream].qos)
		ledger_violation(l, "client %u: QoS %u for a message of QoS %u", c->index, p->qos,
				 l->streams[stream].qos);
	check_subscription(c, stream, number);
	ledger_delivered(l, c->index, stream, number, p->qos);
}

/* An alias may be set by a QoS 2 message that is otherwise known already. */
static void note_alias_only(struct client *c, const struct publish *p)
{
	uint32_t stream, number;
	if (payload_read(p->payload, &stream, &number) && stream < c->world->ledger.stream_count)
		is_topic_right(c, p, c->world->ledger.streams[stream].topic);
}

static void take_publish(struct client *c, uint8_t flags, struct span body)
{
	struct publish p;
	const struct flaw *flaw = publish_decode(flags, body, c->version, &p);
	if (flaw) {
		ledger_violation(&c->world->ledger, "client %u: bad PUBLISH: %s", c->index,
				 flaw->text);
		return;
	}
	c->world->redelivered += p.dup;
	if (p.qos < 2) {
		deliver(c, &p);
		if (p.qos == 1)
			client_send_ack(c, PACKET_PUBACK, p.packet_id);
		return;
	}
	uint64_t *word = &c->received[p.packet_id / 64], bit = UINT64_C(1) << p.packet_id % 64;
	if (*word & bit)
		note_alias_only(c, &p);
	else
		deliver(c, &p);
	*word |= bit;
	client_send_ack(c, PACKET_PUBREC, p.packet_id);
}

static void take_pubrel(struct client *c, uint16_t packet_id)
{
	c->received[packet_id / 64] &= ~(UINT64_C(1) << packet_id % 64);
	client_send_ack(c, PACKET_PUBCOMP, packet_id);
}

static struct outgoing *find_outgoing(struct client *c, uint16_t packet_id, unsigned step)
{
	for (unsigned i = 0; i < c->outgoing_count; i++) {
		struct outgoing *o = &c->outgoing[i];
		if (o->packet_id == packet_id && o->step == step)
			return o;
	}
	return NULL;
}

static void remove_outgoing(struct client *c, struct outgoing *o)
{
	unsigned index = (unsigned)(o - c->outgoing);
	c->outgoing_count--;
	memmove(o, o + 1, (c->outgoing_count - index) * sizeof(*o));
}

/* PUBACK, PUBREC or PUBCOMP for a message of ours. */
static void take_ack(struct client *c, const struct ack *p)
{
	static const uint8_t step_for[] = {[PACKET_PUBACK] = WAIT_FOR_PUBACK,
					   [PACKET_PUBREC] = WAIT_FOR_PUBREC,
					   [PACKET_PUBCOMP] = WAIT_FOR_PUBCOMP};
	struct ledger *l = &c->world->ledger;
	struct outgoing *o = find_outgoing(c, p->packet_id, step_for[p->type]);
	bool is_refused = p->reason_code >= REASON_UNSPECIFIED_ERROR;
	/* A PUBREL that is sent again may be one that the broker knows no more ([5] 3.7.2.1). */
	bool is_known_done =
		p->type == PACKET_PUBCOMP && p->reason_code == REASON_PACKET_IDENTIFIER_NOT_FOUND;
	if (!o || (p->type == PACKET_PUBCOMP && is_refused && !is_known_done)) {
		ledger_violation(l, "client %u: unexpected %s, packet id %u, code 0x%02x", c->index,
				 packet_type_name(p->type), p->packet_id, p->reason_code);
		return;
	}
	if (is_refused && !is_known_done)
		ledger_refused(l);
	else if (p->type != PACKET_PUBCOMP)
		ledger_accepted(l, o->stream, o->number);
	if (p->type != PACKET_PUBREC || is_refused) {
		remove_outgoing(c, o);
		return;
	}
	o->step = WAIT_FOR_PUBCOMP;
	client_send_ack(c, PACKET_PUBREL, p->packet_id);
}

static void take_any_ack(struct client *c, unsigned type, struct span body)
{
	struct ack p;
	const struct flaw *flaw = ack_decode((uint8_t)type, body, c->version, &p);
	if (flaw)
		ledger_violation(&c->world->ledger, "client %u: bad %s: %s", c->index,
				 packet_type_name(type), flaw->text);
	else if (type == PACKET_PUBREL)
		take_pubrel(c, p.packet_id);
	else
		take_ack(c, &p);
}

static void take_suback(struct client *c, unsigned type, struct span body)
{
	struct ledger *l = &c->world->ledger;
	struct suback p;
	ASSERT(!suback_decode((uint8_t)type, body, c->version, &p));
	uint8_t step = type == PACKET_SUBACK ? SUBSCRIBING : UNSUBSCRIBING;
	for (unsigned i = 0; i < CLIENT_SUBSCRIPTIONS; i++) {
		struct client_subscription *s = &c->subscriptions[i];
		if (s->step != step || s->packet_id != p.packet_id)
			continue;
		s->step = type == PACKET_SUBACK ? SUBSCRIBED : NOT_SUBSCRIBED;
		if (type == PACKET_UNSUBACK)
			c->gone_at[s->filter] = ++l->clock;
		if (type == PACKET_SUBACK && (p.codes.len != 1 || p.codes.ptr[0] != s->qos))
			ledger_violation(l, "client %u: SUBACK says another QoS", c->index);
		else if (type == PACKET_SUBACK && c->survives)
			ledger_subscribed(l, c->index, s->filter, s->qos);
		return;
	}
	ledger_violation(l, "client %u: unexpected %s", c->index, packet_type_name(type));
}

static void take_packet(struct client *c, const struct fixed_header *h, struct span body)
{
	if (h->type == PACKET_DISCONNECT && (c->has_rival || c->world->is_broker_ending))
		return;
	if ((h->type == PACKET_CONNACK) != (c->state == CLIENT_CONNECTING)) {
		ledger_violation(&c->world->ledger, "client %u: %s at the wrong time", c->index,
				 packet_type_name(h->type));
		return;
	}
	switch (h->type) {
	case PACKET_CONNACK: take_connack(c, body); break;
	case PACKET_PUBLISH: take_publish(c, h->flags, body); break;
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: take_any_ack(c, h->type, body); break;
	case PACKET_SUBACK:
	case PACKET_UNSUBACK: take_suback(c, h->type, body); break;
	default:
		ledger_violation(&c->world->ledger, "client %u: %s, code 0x%02x", c->index,
				 packet_type_name(h->type), body.len > 0 ? body.ptr[0] : 0);
	}
}

static void take_all(struct client *c)
{
	struct fixed_header header;
	struct span body;
	while (!c->is_paused && channel_packet(c->channel, &header, &body)) {
		take_packet(c, &header, body);
		buffer_consume(&c->channel->in, header.header_len + header.remaining_length);
	}
}

/* The broker says why it closes a connection that lost its session, and closes it. */
static void read_left_behind(struct world *w, struct channel *k)
{
	struct fixed_header header;
	struct span body;
	bool is_open = channel_fill(k);
	while (channel_packet(k, &header, &body)) {
		if (header.type == PACKET_DISCONNECT && body.len > 0 &&
		    body.ptr[0] == REASON_SESSION_TAKEN_OVER)
			w->told_taken_over++;
		buffer_consume(&k->in, header.header_len + header.remaining_length);
	}
	if (!is_open) {
		w->left_behind--;
		channel_close(k, false);
	}
}

void channel_event(struct world *w, struct channel *k, unsigned events)
{
	if (k->fd < 0)
		return;
	struct client *c = k->owner;
	if (!c) {
		if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			read_left_behind(w, k);
		return;
	}
	if (events & EPOLLOUT)
		channel_flush(k);
	if (events & (EPOLLHUP | EPOLLERR))
		client_pause(c, false);
	else if (c->is_paused || !(events & EPOLLIN))
		return;
	bool is_open = channel_fill(k);
	take_all(c);
	if (is_open)
		return;
	if (!c->has_rival && !w->is_broker_ending)
		ledger_violation(&w->ledger, "client %u: closed by the broker", c->index);
	c->has_rival = false;
	close_channel(c, false);
}
