/* SPDX-License-Identifier: Apache-2.0 */
#include "client/outgoing.h"

#include "base/mem.h"
#include "client/engine.h"
#include "mqtt/topic.h"

#define FLAG_RETAIN 0x01
#define FLAG_DUP 0x08

static struct span body_of(const struct outgoing *o)
{
	return span_of(o->bytes + o->header_len, o->len - o->header_len);
}

/* What we would refuse to read we do not send either. */
static bool is_sound(const struct outgoing *o, uint8_t version)
{
	struct publish p;
	return publish_decode(o->bytes[0] & 15, body_of(o), version, &p) == NULL &&
	       topic_name_is_valid(p.topic) &&
	       !properties_has(&p.properties, PROPERTY_SUBSCRIPTION_IDENTIFIER); /* 3.3.4-6 */
}

int outgoing_new(const struct publish *message, uint8_t version, uint32_t token,
		 struct outgoing **outgoing_out)
{
	struct publish p = *message;
	p.dup = false;
	p.packet_id = p.qos > 0; /* any but 0, to hold the place */
	size_t len = p.qos > QOS_MAX ? 0 : publish_size(&p, version);
	if (len == 0)
		return ERROR_INVALID;
	struct outgoing *o = mem_alloc(sizeof(*o) + len);
	if (!o)
		return ERROR_NO_MEMORY;
	*o = (struct outgoing){.token = token,
			       .len = (uint32_t)len,
			       .expires_ms = UINT64_MAX,
			       .position = POSITION_NONE};
	struct fixed_header header;
	const struct flaw *flaw;
	if (publish_encode(&p, version, (struct room){o->bytes, len}) != len ||
	    fixed_header_decode(span_of(o->bytes, len), &header, &flaw) != HEADER_OK) {
		mem_free(o);
		return ERROR_INVALID;
	}
	o->header_len = header.header_len;
	o->id_offset = p.qos > 0 ? (uint32_t)(header.header_len + 2 + p.topic.len) : 0;
	if (!is_sound(o, version)) {
		mem_free(o);
		return ERROR_INVALID;
	}
	*outgoing_out = o;
	return 0;
}

void outgoing_message(const struct outgoing *o, uint8_t version, struct publish *message_out)
{
	const struct flaw *flaw =
		publish_decode(o->bytes[0] & 15, body_of(o), version, message_out);
	ASSERT(!flaw); /* is_sound() has seen it */
}

/* [5] 3.3.2.3.3 */
void outgoing_start_expiry(struct outgoing *o, uint8_t version, uint64_t now_ms)
{
	struct publish p;
	struct property property;
	if (version != MQTT_5)
		return;
	outgoing_message(o, version, &p);
	struct span rest = p.properties.raw;
	while (property_next(&rest, &property)) {
		if (property.id != PROPERTY_MESSAGE_EXPIRY_INTERVAL)
			continue;
		o->expiry_offset = (uint32_t)(property.raw.ptr + 1 - o->bytes);
		o->expires_ms = now_ms + (uint64_t)property.number * 1000;
		return;
	}
}

void outgoing_age(struct outgoing *o, uint64_t now_ms)
{
	if (o->expiry_offset == 0)
		return;
	uint64_t left_ms = outgoing_is_expired(o, now_ms) ? 0 : o->expires_ms - now_ms;
	store_u32(o->bytes + o->expiry_offset, (uint32_t)((left_ms + 999) / 1000));
}

/* All properties but the alias, as they stand. */
static int strip_alias(struct publish *p, struct buffer *kept)
{
	struct property property;
	struct span rest = p->properties.raw;
	while (property_next(&rest, &property)) {
		if (property.id == PROPERTY_TOPIC_ALIAS)
			continue;
		int error = buffer_append(kept, property.raw);
		if (error)
			return error;
	}
	p->properties.user = buffer_content(kept);
	p->properties.present = 0;
	return 0;
}

static bool changes_alias(const struct outgoing *o, uint8_t version, const struct sending_way *way)
{
	if (way->alias > 0)
		return true;
	if (!way->drops_alias || version != MQTT_5)
		return false;
	struct publish p;
	outgoing_message(o, version, &p);
	return properties_has(&p.properties, PROPERTY_TOPIC_ALIAS);
}

size_t outgoing_size(const struct outgoing *o, uint8_t version, const struct sending_way *way)
{
	if (!changes_alias(o, version, way))
		return o->len;
	struct buffer packet = {0};
	size_t len = outgoing_write(o, version, way, &packet) ? o->len : buffer_len(&packet);
	buffer_release(&packet);
	return len;
}

static int write_changed(const struct outgoing *o, uint8_t version, const struct sending_way *way,
			 struct buffer *output)
{
	struct publish p;
	struct buffer kept = {0};
	outgoing_message(o, version, &p);
	int error = strip_alias(&p, &kept);
	if (error)
		goto done;
	p.packet_id = way->packet_id ? way->packet_id : p.packet_id;
	p.dup = way->dup;
	p.retain = p.retain && !way->drops_retain;
	if (way->alias > 0) {
		p.properties.present = UINT64_C(1) << PROPERTY_TOPIC_ALIAS;
		p.properties.topic_alias = way->alias;
		p.topic = way->omits_topic ? SPAN_NONE : p.topic;
	}
	size_t len = publish_size(&p, version);
	error = buffer_reserve(output, len);
	if (!error)
		buffer_commit(output, publish_encode(&p, version, buffer_room(output)));
done:
	buffer_release(&kept);
	return error;
}

int outgoing_write(const struct outgoing *o, uint8_t version, const struct sending_way *way,
		   struct buffer *output)
{
	if (changes_alias(o, version, way))
		return write_changed(o, version, way, output);
	int error = buffer_reserve(output, o->len);
	if (error)
		return error;
	uint8_t *copy = buffer_room(output).ptr;
	memcpy(copy, o->bytes, o->len);
	if (way->dup)
		copy[0] |= FLAG_DUP;
	if (way->drops_retain)
		copy[0] &= (uint8_t)~FLAG_RETAIN;
	if (o->id_offset > 0)
		store_u16(copy + o->id_offset, way->packet_id);
	buffer_commit(output, o->len);
	return 0;
}
