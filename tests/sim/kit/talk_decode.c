/* SPDX-License-Identifier: Apache-2.0 */
/* From packets to words: see talk.h. */
#include "kit/talk.h"

#include <stdarg.h>
#include <stdio.h>

#define PAYLOAD_SHOWN_MAX 64

struct text {
	char *ptr;
	size_t len;
};

PRINTF_LIKE(2, 3)
static void put(struct text *t, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(t->ptr + t->len, TALK_TEXT_MAX - t->len, format, arguments);
	va_end(arguments);
	ASSERT(n >= 0 && t->len + (size_t)n < TALK_TEXT_MAX);
	t->len += (size_t)n;
}

static void put_span(struct text *t, const char *name, struct span s)
{
	put(t, " %s=%.*s", name, (int)s.len, (const char *)s.ptr);
}

static void decode_connack(struct text *t, struct span body, uint8_t version)
{
	struct connack p;
	const struct flaw *flaw = connack_decode(body, version, &p);
	ASSERT(!flaw);
	put(t, "CONNACK %02x%s", p.code, p.session_present ? " present" : "");
	if (properties_has(&p.properties, PROPERTY_ASSIGNED_CLIENT_IDENTIFIER))
		put(t, " id");
	if (properties_has(&p.properties, PROPERTY_SESSION_EXPIRY_INTERVAL))
		put(t, " expiry=%u", p.properties.session_expiry_interval);
	if (properties_has(&p.properties, PROPERTY_SERVER_KEEP_ALIVE))
		put(t, " keep=%u", p.properties.server_keep_alive);
	if (properties_has(&p.properties, PROPERTY_RESPONSE_INFORMATION))
		put_span(t, "info", p.properties.response_information);
}

/* In order of value: which one comes first is nobody's concern. */
static void put_identifiers(struct text *t, struct span raw)
{
	struct span rest = raw;
	struct property property;
	uint32_t last = 0;
	for (;;) {
		uint32_t next = UINT32_MAX;
		for (rest = raw; property_next(&rest, &property);)
			if (property.id == PROPERTY_SUBSCRIPTION_IDENTIFIER &&
			    property.number > last && property.number < next)
				next = property.number;
		if (next == UINT32_MAX)
			return;
		put(t, last ? ",%u" : " sid=%u", next);
		last = next;
	}
}

static void put_properties(struct text *t, const struct properties *p)
{
	struct span rest = p->raw;
	struct property property;
	if (properties_has(p, PROPERTY_MESSAGE_EXPIRY_INTERVAL))
		put(t, " expiry=%u", p->message_expiry_interval);
	if (properties_has(p, PROPERTY_TOPIC_ALIAS))
		put(t, " alias=%u", p->topic_alias);
	if (properties_has(p, PROPERTY_CONTENT_TYPE))
		put_span(t, "type", p->content_type);
	put_identifiers(t, p->raw);
	while (property_next(&rest, &property))
		if (property.id == PROPERTY_USER_PROPERTY)
			put(t, " user=%.*s:%.*s", (int)property.text.len,
			    (const char *)property.text.ptr, (int)property.value.len,
			    (const char *)property.value.ptr);
}

static void decode_publish(struct text *t, uint8_t flags, struct span body, uint8_t version)
{
	struct publish p;
	const struct flaw *flaw = publish_decode(flags, body, version, &p);
	ASSERT(!flaw);
	put(t, "PUBLISH q%u", p.qos);
	if (p.qos > 0)
		put(t, " m%u", p.packet_id);
	put(t, "%s%s", p.dup ? " dup" : "", p.retain ? " retain" : "");
	if (p.topic.len > 0)
		put_span(t, "t", p.topic);
	if (p.payload.len > PAYLOAD_SHOWN_MAX)
		put(t, " p=#%zu", p.payload.len);
	else
		put_span(t, "p", p.payload);
	if (version == MQTT_5)
		put_properties(t, &p.properties);
}

static void decode_suback(struct text *t, uint8_t type, struct span body, uint8_t version)
{
	struct suback p;
	const struct flaw *flaw = suback_decode(type, body, version, &p);
	ASSERT(!flaw);
	put(t, "%s m%u", packet_type_name(type), p.packet_id);
	for (size_t i = 0; i < p.codes.len; i++)
		put(t, " %02x", p.codes.ptr[i]);
}

static void decode_ack(struct text *t, uint8_t type, struct span body, uint8_t version)
{
	struct ack p;
	const struct flaw *flaw = ack_decode(type, body, version, &p);
	ASSERT(!flaw);
	put(t, "%s m%u", packet_type_name(type), p.packet_id);
	if (p.reason_code)
		put(t, " rc=%02x", p.reason_code);
}

void talk_decode(struct span packet, uint8_t version, char text[TALK_TEXT_MAX])
{
	struct text t = {text, 0};
	struct fixed_header h;
	const struct flaw *flaw;
	struct disconnect p;
	enum header_result result = fixed_header_decode(packet, &h, &flaw);
	ASSERT(result == HEADER_OK && packet.len == (size_t)h.header_len + h.remaining_length);
	struct span body = span_of(packet.ptr + h.header_len, h.remaining_length);
	switch (h.type) {
	case PACKET_CONNACK: decode_connack(&t, body, version); break;
	case PACKET_PUBLISH: decode_publish(&t, h.flags, body, version); break;
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: decode_ack(&t, h.type, body, version); break;
	case PACKET_SUBACK:
	case PACKET_UNSUBACK: decode_suback(&t, h.type, body, version); break;
	case PACKET_PINGRESP: put(&t, "PINGRESP"); break;
	default:
		ASSERT(h.type == PACKET_DISCONNECT && version == MQTT_5);
		flaw = disconnect_decode(body, version, &p);
		ASSERT(!flaw);
		put(&t, "DISCONNECT %02x", p.reason_code);
	}
}
