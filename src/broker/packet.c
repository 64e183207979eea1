/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/packet.h"

#include "broker/mount.h"
#include "broker/publish.h"
#include "broker/shard.h"

/* The parts of one PUBLISH, sized. */
struct layout {
	struct span topic;
	struct span properties; /* forwarded as they came */
	uint32_t payload_len;
	uint32_t remaining_length;
	uint32_t properties_len; /* all of them, v5 */
	uint32_t expiry;         /* seconds left */
	bool has_expiry;
	uint16_t alias;
};

#define EXPIRY_PROPERTY_BYTES 5

/*
 * The interval that was received, less the time waited here, in seconds [MQTT-3.3.2-6]. To the
 * nearest: the publisher's shard may be some milliseconds ahead of this one, and nobody may be told
 * more than was received. What is not over has a second left.
 */
static uint32_t seconds_left(const struct connection *c, const struct message_parts *parts)
{
	uint64_t now = c->shard->now.wall_ms;
	if (parts->expires_ms <= now)
		return 0;
	uint64_t seconds = (parts->expires_ms - now + 500) / 1000;
	return seconds > 0 ? (uint32_t)seconds : 1;
}

static bool lay_out(const struct connection *c, const struct outgoing *o, struct layout *l)
{
	const struct message_parts *parts = &o->publication->parts;
	uint64_t len = 2 + l->topic.len + (o->qos ? 2 : 0) + parts->payload.len;
	l->payload_len = (uint32_t)parts->payload.len;
	l->properties_len = 0;
	l->has_expiry = false;
	if (c->version == MQTT_5) {
		l->properties = parts->properties;
		l->has_expiry = parts->has_expiry;
		l->expiry = parts->has_expiry ? seconds_left(c, parts) : 0;
		uint32_t own = (uint32_t)parts->properties.len;
		own += l->has_expiry ? EXPIRY_PROPERTY_BYTES : 0;
		own += l->alias ? PACKET_ALIAS_BYTES : 0;
		own += o->identifier ? 1 + variable_integer_size(o->identifier) : 0;
		l->properties_len = own;
		len += variable_integer_size(own) + own;
	}
	l->remaining_length = (uint32_t)len;
	return len <= REMAINING_LENGTH_MAX;
}

static size_t whole_len(const struct layout *l)
{
	return 1 + variable_integer_size(l->remaining_length) + l->remaining_length;
}

static uint8_t *put_variable(uint8_t *p, uint32_t value)
{
	while (value > 127) {
		*p++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*p++ = (uint8_t)value;
	return p;
}

static uint8_t *put_span(uint8_t *p, struct span bytes)
{
	if (bytes.len > 0)
		memcpy(p, bytes.ptr, bytes.len);
	return p + bytes.len;
}

static uint8_t *put_properties(uint8_t *p, const struct outgoing *o, const struct layout *l)
{
	p = put_variable(p, l->properties_len);
	if (l->has_expiry) {
		*p++ = PROPERTY_MESSAGE_EXPIRY_INTERVAL;
		p = store_u32(p, l->expiry);
	}
	if (l->alias) {
		*p++ = PROPERTY_TOPIC_ALIAS;
		p = store_u16(p, l->alias);
	}
	if (o->identifier) {
		*p++ = PROPERTY_SUBSCRIPTION_IDENTIFIER;
		p = put_variable(p, o->identifier);
	}
	return put_span(p, l->properties);
}

/* Everything before the payload. */
static uint8_t *put_head(uint8_t *p, const struct connection *c, const struct outgoing *o,
			 const struct layout *l, uint8_t **packet_id_out)
{
	*p++ = (uint8_t)(PACKET_PUBLISH << 4 | (o->dup ? 8 : 0) | o->qos << 1 |
			 (o->retain ? 1 : 0));
	p = put_variable(p, l->remaining_length);
	p = store_u16(p, (uint16_t)l->topic.len);
	p = put_span(p, l->topic);
	*packet_id_out = p;
	if (o->qos)
		p = store_u16(p, o->packet_id);
	return c->version == MQTT_5 ? put_properties(p, o, l) : p;
}

/* As the client knows it. */
static struct span topic_for(const struct connection *c, const struct outgoing *o)
{
	struct span topic = o->publication->parts.topic;
	return UNLIKELY(c->is_mounted) ? mount_strip(c, topic) : topic;
}

size_t packet_size(const struct connection *c, const struct outgoing *o)
{
	struct layout l = {.topic = topic_for(c, o)};
	return lay_out(c, o, &l) ? whole_len(&l) : 0;
}

static int send_shared(struct connection *c, const struct outgoing *o, const struct layout *l)
{
	uint8_t *id;
	struct message *message = publication_message(o->publication);
	if (!message)
		return ERROR_NO_MEMORY;
	uint8_t *p = connection_packet(c, whole_len(l) - l->payload_len);
	if (!p)
		return ERROR_NO_MEMORY;
	uint8_t *end = put_head(p, c, o, l, &id);
	connection_packet_done(c, (size_t)(end - p));
	return output_share(&c->output, &c->shard->chunks, message);
}

static int send_copied(struct connection *c, const struct outgoing *o, const struct layout *l)
{
	uint8_t *id;
	uint8_t *p = connection_packet(c, whole_len(l));
	if (!p)
		return ERROR_NO_MEMORY;
	uint8_t *end = put_span(put_head(p, c, o, l, &id), o->publication->parts.payload);
	connection_packet_done(c, (size_t)(end - p));
	return 0;
}

/* Told for the first time, an alias comes on top of the topic: what fits without it goes without. */
static bool has_room_for_alias(const struct connection *c, const struct outgoing *o)
{
	const struct message_parts *parts = &o->publication->parts;
	uint32_t most =
		c->packet_bytes_max < PACKET_BYTES_MAX ? c->packet_bytes_max : PACKET_BYTES_MAX;
	return parts->topic.len + parts->properties.len + parts->payload.len + 64 <= most ||
	       packet_size(c, o) + PACKET_ALIAS_BYTES + 2 <= most; /* two lengths may grow */
}

static int send_fresh(struct connection *c, const struct outgoing *o)
{
	bool is_new = true;
	struct layout l = {.topic = topic_for(c, o)};
	if (c->extras && c->extras->out && has_room_for_alias(c, o))
		l.alias = aliases_out_find(c->extras->out, l.topic, &is_new);
	if (l.alias && !is_new)
		l.topic = SPAN_NONE;
	if (!lay_out(c, o, &l))
		return ERROR_LIMIT;
	return l.payload_len >= OUTPUT_SHARE_BYTES ? send_shared(c, o, &l) : send_copied(c, o, &l);
}

static void encode_variant(struct cached_packet *v, const struct connection *c,
			   const struct outgoing *o, const struct layout *l)
{
	uint8_t *id;
	uint8_t *end = put_head(v->bytes, c, o, l, &id);
	end = put_span(end, o->publication->parts.payload);
	v->packet_id_at = (uint32_t)(id - v->bytes);
	v->len = (uint32_t)(end - v->bytes);
}

/* The bytes are the same for all subscribers of a kind but for the packet id. */
static int send_variant(struct connection *c, const struct outgoing *o)
{
	struct packet_cache *cache = c->shard->packets;
	if (cache->publication != o->publication)
		packet_cache_reset(cache, o->publication);
	unsigned kind = (c->version == MQTT_5 ? 6u : 0u) + o->qos * 2u + (o->retain ? 1u : 0u);
	struct cached_packet *v = &cache->variants[kind];
	if (UNLIKELY(v->len == 0)) {
		struct layout l = {.topic = topic_for(c, o)};
		if (!lay_out(c, o, &l) || whole_len(&l) > PACKET_CACHED_BYTES_MAX)
			return send_fresh(c, o);
		encode_variant(v, c, o, &l);
	}
	uint8_t *p = connection_packet(c, v->len);
	if (!p)
		return ERROR_NO_MEMORY;
	memcpy(p, v->bytes, v->len);
	if (o->qos)
		store_u16(p + v->packet_id_at, o->packet_id);
	connection_packet_done(c, v->len);
	return 0;
}

/* What was begun cannot be taken back: half a packet, an alias, a packet id. */
int packet_send(struct connection *c, const struct outgoing *o)
{
	int error;
	if (o->publication->is_fanned_out && !(c->extras && c->extras->out) && !o->identifier &&
	    !o->dup && LIKELY(!c->is_mounted))
		error = send_variant(c, o);
	else
		error = send_fresh(c, o);
	if (UNLIKELY(error))
		connection_doom(c);
	return error;
}
