/* SPDX-License-Identifier: Apache-2.0 */
#include "any_packet.h"

#include <stdlib.h>

#define PROPERTY_ID_MAX 0x2A

const struct flaw *any_packet_decode(uint8_t type, uint8_t flags, struct span body, uint8_t version,
				     struct any_packet *out)
{
	out->type = type;
	out->version = version;
	const struct flaw *flaw = NULL;
	switch (type) {
	case PACKET_CONNECT:
		flaw = connect_decode(body, &out->connect);
		out->version = out->connect.version;
		return flaw;
	case PACKET_CONNACK: return connack_decode(body, version, &out->connack);
	case PACKET_PUBLISH: return publish_decode(flags, body, version, &out->publish);
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: return ack_decode(type, body, version, &out->ack);
	case PACKET_SUBSCRIBE: return subscribe_decode(body, version, &out->subscribe);
	case PACKET_UNSUBSCRIBE: return unsubscribe_decode(body, version, &out->unsubscribe);
	case PACKET_SUBACK:
	case PACKET_UNSUBACK: return suback_decode(type, body, version, &out->suback);
	case PACKET_DISCONNECT: return disconnect_decode(body, version, &out->disconnect);
	case PACKET_AUTH: return auth_decode(body, &out->auth);
	default: return NULL;
	}
}

static struct properties *properties_of(struct any_packet *p)
{
	switch (p->type) {
	case PACKET_CONNECT: return &p->connect.properties;
	case PACKET_CONNACK: return &p->connack.properties;
	case PACKET_PUBLISH: return &p->publish.properties;
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: return &p->ack.properties;
	case PACKET_SUBSCRIBE: return &p->subscribe.properties;
	case PACKET_UNSUBSCRIBE: return &p->unsubscribe.properties;
	case PACKET_SUBACK:
	case PACKET_UNSUBACK: return &p->suback.properties;
	case PACKET_DISCONNECT: return &p->disconnect.properties;
	case PACKET_AUTH: return &p->auth.properties;
	default: return NULL;
	}
}

const struct properties *any_packet_properties(const struct any_packet *p)
{
	return properties_of((struct any_packet *)(uintptr_t)p);
}

/* Copies to `copy` what has no field: User Properties, and Subscription Identifiers behind the
 * first one. */
static struct span without_field(const struct properties *p, uint8_t *copy)
{
	struct span rest = p->raw;
	struct property property;
	uint8_t *end = copy;
	bool has_identifier = false;
	while (property_next(&rest, &property)) {
		bool is_identifier = property.id == PROPERTY_SUBSCRIPTION_IDENTIFIER;
		if (property.id == PROPERTY_USER_PROPERTY || (is_identifier && has_identifier)) {
			memcpy(end, property.raw.ptr, property.raw.len);
			end += property.raw.len;
		}
		has_identifier |= is_identifier;
	}
	return span_of(copy, (size_t)(end - copy));
}

static size_t encode(const struct any_packet *p, struct room room)
{
	switch (p->type) {
	case PACKET_CONNECT: return connect_encode(&p->connect, room);
	case PACKET_CONNACK: return connack_encode(&p->connack, p->version, room);
	case PACKET_PUBLISH: return publish_encode(&p->publish, p->version, room);
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: return ack_encode(&p->ack, p->version, room);
	case PACKET_SUBSCRIBE: return subscribe_encode(&p->subscribe, p->version, room);
	case PACKET_UNSUBSCRIBE: return unsubscribe_encode(&p->unsubscribe, p->version, room);
	case PACKET_SUBACK:
	case PACKET_UNSUBACK: return suback_encode(&p->suback, p->version, room);
	case PACKET_DISCONNECT: return disconnect_encode(&p->disconnect, p->version, room);
	case PACKET_AUTH: return auth_encode(&p->auth, room);
	default: return 0;
	}
}

size_t any_packet_encode(const struct any_packet *p, struct room room)
{
	struct any_packet copy = *p;
	struct properties *properties = properties_of(&copy);
	struct properties *will = p->type == PACKET_CONNECT ? &copy.connect.will_properties : NULL;
	uint8_t *block =
		malloc((properties ? properties->raw.len : 0) + (will ? will->raw.len : 0) + 1);
	if (!block)
		abort();
	if (properties)
		properties->user = without_field(properties, block);
	if (will)
		will->user = without_field(will, block + properties->raw.len);
	size_t len = encode(&copy, room);
	free(block);
	return len;
}

/* The next property with this identifier. */
static bool next_of(struct span *rest, unsigned id, struct span *raw_out)
{
	struct property property;
	while (property_next(rest, &property))
		if (property.id == id) {
			*raw_out = property.raw;
			return true;
		}
	return false;
}

/* For each identifier the same values in the same order. */
static bool properties_are_equal(const struct properties *a, const struct properties *b)
{
	for (unsigned id = 0; id <= PROPERTY_ID_MAX; id++) {
		struct span rest_a = a->raw, rest_b = b->raw, raw_a, raw_b;
		while (next_of(&rest_a, id, &raw_a))
			if (!next_of(&rest_b, id, &raw_b) || !span_is_equal(raw_a, raw_b))
				return false;
		if (next_of(&rest_b, id, &raw_b))
			return false;
	}
	return a->present == b->present;
}

static bool connects_are_equal(const struct connect *a, const struct connect *b)
{
	return a->version == b->version && a->clean_start == b->clean_start &&
	       a->has_will == b->has_will && a->will_retain == b->will_retain &&
	       a->will_qos == b->will_qos && a->has_user_name == b->has_user_name &&
	       a->has_password == b->has_password && a->keep_alive == b->keep_alive &&
	       span_is_equal(a->client_id, b->client_id) &&
	       span_is_equal(a->will_topic, b->will_topic) &&
	       span_is_equal(a->will_payload, b->will_payload) &&
	       span_is_equal(a->user_name, b->user_name) &&
	       span_is_equal(a->password, b->password) &&
	       properties_are_equal(&a->will_properties, &b->will_properties);
}

static bool publishes_are_equal(const struct publish *a, const struct publish *b)
{
	return a->dup == b->dup && a->retain == b->retain && a->qos == b->qos &&
	       a->packet_id == b->packet_id && span_is_equal(a->topic, b->topic) &&
	       span_is_equal(a->payload, b->payload);
}

static bool contents_are_equal(const struct any_packet *a, const struct any_packet *b)
{
	switch (a->type) {
	case PACKET_CONNECT: return connects_are_equal(&a->connect, &b->connect);
	case PACKET_CONNACK:
		return a->connack.code == b->connack.code &&
		       a->connack.session_present == b->connack.session_present;
	case PACKET_PUBLISH: return publishes_are_equal(&a->publish, &b->publish);
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP:
		return a->ack.type == b->ack.type && a->ack.packet_id == b->ack.packet_id &&
		       a->ack.reason_code == b->ack.reason_code;
	case PACKET_SUBSCRIBE:
		return a->subscribe.packet_id == b->subscribe.packet_id &&
		       span_is_equal(a->subscribe.filters, b->subscribe.filters);
	case PACKET_UNSUBSCRIBE:
		return a->unsubscribe.packet_id == b->unsubscribe.packet_id &&
		       span_is_equal(a->unsubscribe.filters, b->unsubscribe.filters);
	case PACKET_SUBACK:
	case PACKET_UNSUBACK:
		return a->suback.type == b->suback.type &&
		       a->suback.packet_id == b->suback.packet_id &&
		       span_is_equal(a->suback.codes, b->suback.codes);
	case PACKET_DISCONNECT: return a->disconnect.reason_code == b->disconnect.reason_code;
	case PACKET_AUTH: return a->auth.reason_code == b->auth.reason_code;
	default: return true;
	}
}

bool any_packet_is_equal(const struct any_packet *a, const struct any_packet *b)
{
	const struct properties *of_a = any_packet_properties(a);
	const struct properties *of_b = any_packet_properties(b);
	if (a->type != b->type || a->version != b->version || !of_a != !of_b)
		return false;
	return contents_are_equal(a, b) && (!of_a || properties_are_equal(of_a, of_b));
}
