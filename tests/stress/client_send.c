/* SPDX-License-Identifier: Apache-2.0 */
#include "client_send.h"

#include "mqtt/packets.h"
#include "payload.h"

#include <stdio.h>

#define NEVER_EXPIRES 0xFFFFFFFFu
#define SLOW_WINDOW 5 /* Receive Maximum of some clients: their messages queue in the broker */

void client_send_packet(struct client *c, const uint8_t *bytes, size_t len)
{
	ASSERT(len > 0);
	channel_send(c->channel, span_of(bytes, len));
}

void client_send_ack(struct client *c, unsigned type, uint16_t packet_id)
{
	uint8_t bytes[ACK_BYTES_MIN];
	ack_encode_short(bytes, (uint8_t)type, packet_id);
	client_send_packet(c, bytes, sizeof(bytes));
}

void client_send_connect(struct client *c, bool clean)
{
	char name[16], will_topic[TOPIC_BYTES_MAX];
	static uint8_t bytes[PACKET_BYTES], will_payload[PAYLOAD_BYTES_MAX];
	snprintf(name, sizeof(name), "stress-%u", c->index);
	struct connect p = {.version = c->version,
			    .clean_start = clean || !c->survives,
			    .client_id = span_of_text(name)};
	properties_clear(&p.properties);
	properties_clear(&p.will_properties);
	if (c->survives) {
		p.properties.present |= 1ull << PROPERTY_SESSION_EXPIRY_INTERVAL;
		p.properties.session_expiry_interval = NEVER_EXPIRES;
	}
	if (c->has_will) {
		const struct stream_log *s = &c->world->ledger.streams[c->will_stream];
		topic_write(s->topic, will_topic);
		c->will_number = ledger_sent(&c->world->ledger, c->will_stream);
		p.has_will = true;
		p.will_qos = s->qos;
		p.will_topic = span_of_text(will_topic);
		p.will_payload = payload_write(c->will_stream, c->will_number, will_payload);
		p.will_properties.present |= 1ull << PROPERTY_WILL_DELAY_INTERVAL;
		p.will_properties.will_delay_interval = c->will_delay_s;
	}
	if (c->index % 3 == 0) {
		p.properties.present |= 1ull << PROPERTY_RECEIVE_MAXIMUM;
		p.properties.receive_maximum = SLOW_WINDOW;
	}
	if (c->takes_aliases) {
		p.properties.present |= 1ull << PROPERTY_TOPIC_ALIAS_MAXIMUM;
		p.properties.topic_alias_maximum = CLIENT_ALIASES;
	}
	client_send_packet(c, bytes, connect_encode(&p, (struct room){bytes, sizeof(bytes)}));
}

/* Every few times a retained message is removed. */
static struct span message_payload(unsigned topic, const struct outgoing *o, uint8_t *bytes)
{
	if (topic_is_kept(topic) && payload_removes(o->number))
		return (struct span){0};
	return payload_write(o->stream, o->number, bytes);
}

size_t client_encode_publish(const struct client *c, const struct outgoing *o, bool dup,
			     struct room room)
{
	static uint8_t payload[PAYLOAD_BYTES_MAX];
	char topic[TOPIC_BYTES_MAX];
	const struct stream_log *s = &c->world->ledger.streams[o->stream];
	topic_write(s->topic, topic);
	struct publish p = {.dup = dup,
			    .qos = s->qos,
			    .packet_id = o->packet_id,
			    .topic = span_of_text(topic),
			    .retain = topic_is_kept(s->topic),
			    .payload = message_payload(s->topic, o, payload)};
	properties_clear(&p.properties);
	return publish_encode(&p, c->version, room);
}

void client_send_publish(struct client *c, const struct outgoing *o, bool dup)
{
	static uint8_t bytes[PACKET_BYTES];
	client_send_packet(c, bytes,
			   client_encode_publish(c, o, dup, (struct room){bytes, sizeof(bytes)}));
}

static bool is_packet_id_used(const struct client *c, uint16_t packet_id)
{
	for (unsigned i = 0; i < c->outgoing_count; i++) {
		if (c->outgoing[i].packet_id == packet_id)
			return true;
	}
	for (unsigned i = 0; i < CLIENT_SUBSCRIPTIONS; i++) {
		uint8_t step = c->subscriptions[i].step;
		if ((step == SUBSCRIBING || step == UNSUBSCRIBING) &&
		    c->subscriptions[i].packet_id == packet_id)
			return true;
	}
	return false;
}

uint16_t client_new_packet_id(struct client *c)
{
	do {
		if (c->newest_packet_id++ == c->world->packet_id_max)
			c->newest_packet_id = 1;
	} while (c->newest_packet_id == 0 || is_packet_id_used(c, c->newest_packet_id));
	return c->newest_packet_id;
}

void client_send_subscribe(struct client *c, struct client_subscription *s)
{
	uint8_t bytes[128], filter_bytes[64];
	char text[TOPIC_BYTES_MAX];
	filter_write(s->filter, text);
	struct writer w = writer_of((struct room){filter_bytes, sizeof(filter_bytes)});
	struct subscription_options options = {.qos = s->qos};
	subscribe_filter_encode(&w, span_of_text(text), &options);
	c->gone_at[s->filter] = 0;
	struct subscribe p = {
		.packet_id = s->packet_id = client_new_packet_id(c),
		.filters = span_of(filter_bytes, (size_t)(w.ptr - filter_bytes)),
	};
	properties_clear(&p.properties);
	struct room room = {bytes, sizeof(bytes)};
	client_send_packet(c, bytes, subscribe_encode(&p, c->version, room));
}

void client_send_unsubscribe(struct client *c, struct client_subscription *s)
{
	uint8_t bytes[128], filter_bytes[64];
	char text[TOPIC_BYTES_MAX];
	filter_write(s->filter, text);
	struct writer w = writer_of((struct room){filter_bytes, sizeof(filter_bytes)});
	write_binary(&w, span_of_text(text));
	struct unsubscribe p = {
		.packet_id = s->packet_id = client_new_packet_id(c),
		.filters = span_of(filter_bytes, (size_t)(w.ptr - filter_bytes)),
	};
	properties_clear(&p.properties);
	struct room room = {bytes, sizeof(bytes)};
	client_send_packet(c, bytes, unsubscribe_encode(&p, c->version, room));
}
