/* SPDX-License-Identifier: Apache-2.0 */
/* All that the standard says about single properties stands in one table; the code below reads,
 * measures and writes any of them by it. */
#include "mqtt/properties.h"

#include "mqtt/topic.h"

enum property_type {
	TYPE_NONE, /* not a property */
	TYPE_BYTE,
	TYPE_TWO_BYTE,
	TYPE_FOUR_BYTE,
	TYPE_VARIABLE,
	TYPE_UTF8,
	TYPE_BINARY,
	TYPE_PAIR,
};

/* where it may stand: a bit per packet type */
#define WILL (1u << PROPERTIES_OF_WILL)
#define CONNECT (1u << PACKET_CONNECT)
#define CONNACK (1u << PACKET_CONNACK)
#define PUBLISH (1u << PACKET_PUBLISH)
#define SUBSCRIBE (1u << PACKET_SUBSCRIBE)
#define UNSUBSCRIBE (1u << PACKET_UNSUBSCRIBE)
#define DISCONNECT (1u << PACKET_DISCONNECT)
#define AUTH (1u << PACKET_AUTH)
#define MESSAGE (PUBLISH | WILL)
#define ANSWER                                                                                     \
	(CONNACK | 1u << PACKET_PUBACK | 1u << PACKET_PUBREC | 1u << PACKET_PUBREL |               \
	 1u << PACKET_PUBCOMP | 1u << PACKET_SUBACK | 1u << PACKET_UNSUBACK | DISCONNECT | AUTH)
#define ANYWHERE (CONNECT | MESSAGE | SUBSCRIBE | UNSUBSCRIBE | ANSWER)

#define FIELD(name) offsetof(struct properties, name)
#define NO_FIELD 0

/* [5] 2.2.2.2 and the properties' own sections. Only a Subscription Identifier in a PUBLISH and
 * User Properties may repeat. */
static const struct rule {
	const char *name;
	uint8_t type;
	uint16_t where;
	uint16_t repeats_in;
	uint16_t field; /* where struct properties keeps it */
	uint32_t min, max;
	const struct flaw *range_flaw;
} rules[] = {
	[0x01] = {"Payload Format Indicator", TYPE_BYTE, MESSAGE, 0,
		  FIELD(payload_format_indicator), 0, 1, &flaw_property_range},
	[0x02] = {"Message Expiry Interval", TYPE_FOUR_BYTE, MESSAGE, 0,
		  FIELD(message_expiry_interval), 0, UINT32_MAX, NULL},
	[0x03] = {"Content Type", TYPE_UTF8, MESSAGE, 0, FIELD(content_type), 0, 0, NULL},
	[0x08] = {"Response Topic", TYPE_UTF8, MESSAGE, 0, FIELD(response_topic), 0, 0, NULL},
	[0x09] = {"Correlation Data", TYPE_BINARY, MESSAGE, 0, FIELD(correlation_data), 0, 0, NULL},
	[0x0B] = {"Subscription Identifier", TYPE_VARIABLE, PUBLISH | SUBSCRIBE, PUBLISH,
		  FIELD(subscription_identifier), 1, REMAINING_LENGTH_MAX, &flaw_property_range},
	[0x11] = {"Session Expiry Interval", TYPE_FOUR_BYTE, CONNECT | CONNACK | DISCONNECT, 0,
		  FIELD(session_expiry_interval), 0, UINT32_MAX, NULL},
	[0x12] = {"Assigned Client Identifier", TYPE_UTF8, CONNACK, 0,
		  FIELD(assigned_client_identifier), 0, 0, NULL},
	[0x13] = {"Server Keep Alive", TYPE_TWO_BYTE, CONNACK, 0, FIELD(server_keep_alive), 0,
		  UINT16_MAX, NULL},
	[0x15] = {"Authentication Method", TYPE_UTF8, CONNECT | CONNACK | AUTH, 0,
		  FIELD(authentication_method), 0, 0, NULL},
	[0x16] = {"Authentication Data", TYPE_BINARY, CONNECT | CONNACK | AUTH, 0,
		  FIELD(authentication_data), 0, 0, NULL},
	[0x17] = {"Request Problem Information", TYPE_BYTE, CONNECT, 0,
		  FIELD(request_problem_information), 0, 1, &flaw_property_range},
	[0x18] = {"Will Delay Interval", TYPE_FOUR_BYTE, WILL, 0, FIELD(will_delay_interval), 0,
		  UINT32_MAX, NULL},
	[0x19] = {"Request Response Information", TYPE_BYTE, CONNECT, 0,
		  FIELD(request_response_information), 0, 1, &flaw_property_range},
	[0x1A] = {"Response Information", TYPE_UTF8, CONNACK, 0, FIELD(response_information), 0, 0,
		  NULL},
	[0x1C] = {"Server Reference", TYPE_UTF8, CONNACK | DISCONNECT, 0, FIELD(server_reference),
		  0, 0, NULL},
	[0x1F] = {"Reason String", TYPE_UTF8, ANSWER, 0, FIELD(reason_string), 0, 0, NULL},
	[0x21] = {"Receive Maximum", TYPE_TWO_BYTE, CONNECT | CONNACK, 0, FIELD(receive_maximum), 1,
		  UINT16_MAX, &flaw_property_range},
	[0x22] = {"Topic Alias Maximum", TYPE_TWO_BYTE, CONNECT | CONNACK, 0,
		  FIELD(topic_alias_maximum), 0, UINT16_MAX, NULL},
	[0x23] = {"Topic Alias", TYPE_TWO_BYTE, PUBLISH, 0, FIELD(topic_alias), 1, UINT16_MAX,
		  &flaw_topic_alias},
	[0x24] = {"Maximum QoS", TYPE_BYTE, CONNACK, 0, FIELD(maximum_qos), 0, 1,
		  &flaw_property_range},
	[0x25] = {"Retain Available", TYPE_BYTE, CONNACK, 0, FIELD(retain_available), 0, 1,
		  &flaw_property_range},
	[0x26] = {"User Property", TYPE_PAIR, ANYWHERE, ANYWHERE, NO_FIELD, 0, 0, NULL},
	[0x27] = {"Maximum Packet Size", TYPE_FOUR_BYTE, CONNECT | CONNACK, 0,
		  FIELD(maximum_packet_size), 1, UINT32_MAX, &flaw_property_range},
	[0x28] = {"Wildcard Subscription Available", TYPE_BYTE, CONNACK, 0,
		  FIELD(wildcard_subscription_available), 0, 1, &flaw_property_range},
	[0x29] = {"Subscription Identifier Available", TYPE_BYTE, CONNACK, 0,
		  FIELD(subscription_identifier_available), 0, 1, &flaw_property_range},
	[0x2A] = {"Shared Subscription Available", TYPE_BYTE, CONNACK, 0,
		  FIELD(shared_subscription_available), 0, 1, &flaw_property_range},
};

static const struct rule *rule_of(unsigned id)
{
	return id < ARRAY_COUNT(rules) && rules[id].type != TYPE_NONE ? &rules[id] : NULL;
}

const char *property_name(unsigned id)
{
	const struct rule *rule = rule_of(id);
	return rule ? rule->name : "unknown property";
}

static void read_value(struct reader *r, const struct rule *rule, struct property *out)
{
	switch (rule->type) {
	case TYPE_BYTE: out->number = read_u8(r); break;
	case TYPE_TWO_BYTE: out->number = read_u16(r); break;
	case TYPE_FOUR_BYTE: out->number = read_u32(r); break;
	case TYPE_VARIABLE: out->number = read_variable_integer(r); break;
	case TYPE_UTF8: out->text = read_utf8(r); break; /* [MQTT-3.3.2-13, -19] */
	case TYPE_BINARY: out->text = read_binary(r); break;
	case TYPE_PAIR: /* [MQTT-1.5.7-1] */
		out->text = read_utf8(r);
		out->value = read_utf8(r);
		break;
	}
}

static void store_value(struct properties *p, const struct rule *rule, const struct property *value)
{
	char *field = (char *)p + rule->field;
	switch (rule->type) {
	case TYPE_BYTE: *(uint8_t *)field = (uint8_t)value->number; break;
	case TYPE_TWO_BYTE: *(uint16_t *)field = (uint16_t)value->number; break;
	case TYPE_FOUR_BYTE:
	case TYPE_VARIABLE: *(uint32_t *)field = value->number; break;
	case TYPE_UTF8:
	case TYPE_BINARY: *(struct span *)field = value->text; break;
	}
}

static uint32_t load_number(const struct properties *p, const struct rule *rule)
{
	const char *field = (const char *)p + rule->field;
	switch (rule->type) {
	case TYPE_BYTE: return *(const uint8_t *)field;
	case TYPE_TWO_BYTE: return *(const uint16_t *)field;
	default: return *(const uint32_t *)field;
	}
}

static struct span load_text(const struct properties *p, const struct rule *rule)
{
	return *(const struct span *)((const char *)p + rule->field);
}

/* May a property with this identifier stand here, once more? */
static const struct flaw *place_flaw(unsigned id, unsigned where, uint64_t present)
{
	const struct rule *rule = rule_of(id);
	if (!rule)
		return &flaw_property_unknown;
	if (!(rule->where >> where & 1))
		return &flaw_property_misplaced;
	if (present >> id & 1 && !(rule->repeats_in >> where & 1))
		return &flaw_property_repeated;
	return NULL;
}

static const struct flaw *value_flaw(const struct rule *rule, const struct property *value)
{
	if (rule->range_flaw && (value->number < rule->min || value->number > rule->max))
		return rule->range_flaw;
	if (value->id == PROPERTY_RESPONSE_TOPIC && topic_has_wildcard(value->text))
		return &flaw_response_topic; /* [MQTT-3.3.2-14] */
	return NULL;
}

static void decode_one(struct reader *r, unsigned where, struct properties *out)
{
	/* All identifiers are under 128: one byte of the variable integer that the standard says. */
	struct property value = {.id = read_u8(r)};
	const struct flaw *flaw = place_flaw(value.id, where, out->present);
	if (flaw) {
		reader_fail(r, flaw);
		return;
	}
	const struct rule *rule = &rules[value.id];
	read_value(r, rule, &value);
	if (r->flaw)
		return;
	flaw = value_flaw(rule, &value);
	if (flaw)
		reader_fail(r, flaw);
	else if (!properties_has(out, value.id))
		store_value(out, rule, &value);
	out->present |= UINT64_C(1) << value.id;
}

/* [5] 3.1.2.11.10 and its like: data are nothing without the method that they belong to. */
static const struct flaw *combination_flaw(const struct properties *p)
{
	if (properties_has(p, PROPERTY_AUTHENTICATION_DATA) &&
	    !properties_has(p, PROPERTY_AUTHENTICATION_METHOD))
		return &flaw_authentication_data;
	return NULL;
}

const struct flaw *properties_decode(struct reader *r, unsigned where, struct properties *out)
{
	properties_clear(out);
	out->raw = read_bytes(r, read_variable_integer(r));
	if (out->raw.len == 0)
		return r->flaw;
	struct reader inner = reader_of(out->raw);
	while (reader_left(&inner) > 0)
		decode_one(&inner, where, out);
	const struct flaw *flaw = inner.flaw ? inner.flaw : combination_flaw(out);
	if (flaw)
		reader_fail(r, flaw);
	return r->flaw;
}

static size_t one_size(const struct properties *p, const struct rule *rule)
{
	switch (rule->type) {
	case TYPE_BYTE: return 1 + 1;
	case TYPE_TWO_BYTE: return 1 + 2;
	case TYPE_FOUR_BYTE: return 1 + 4;
	case TYPE_VARIABLE: return 1 + variable_integer_size(load_number(p, rule));
	default: return 1 + 2 + load_text(p, rule).len;
	}
}

static void one_encode(struct writer *w, const struct properties *p, unsigned id)
{
	const struct rule *rule = &rules[id];
	write_u8(w, (uint8_t)id);
	switch (rule->type) {
	case TYPE_BYTE: write_u8(w, (uint8_t)load_number(p, rule)); break;
	case TYPE_TWO_BYTE: write_u16(w, (uint16_t)load_number(p, rule)); break;
	case TYPE_FOUR_BYTE: write_u32(w, load_number(p, rule)); break;
	case TYPE_VARIABLE: write_variable_integer(w, load_number(p, rule)); break;
	default: write_binary(w, load_text(p, rule)); break;
	}
}

/* The properties that stand in fields: a bit each. */
static uint64_t fields_present(const struct properties *p)
{
	return p->present & ~(UINT64_C(1) << PROPERTY_USER_PROPERTY);
}

size_t properties_size(const struct properties *p)
{
	size_t size = p->user.len;
	for (uint64_t bits = fields_present(p); bits; bits &= bits - 1) {
		const struct rule *rule = rule_of((unsigned)__builtin_ctzll(bits));
		ASSERT(rule);
		size += one_size(p, rule);
	}
	return size;
}

size_t properties_size_with_length(const struct properties *p)
{
	if (LIKELY(properties_are_empty(p)))
		return 1;
	size_t size = properties_size(p);
	if (size > REMAINING_LENGTH_MAX)
		return size; /* too large for any packet: the fixed header refuses it */
	return variable_integer_size((uint32_t)size) + size;
}

void properties_encode(struct writer *w, const struct properties *p)
{
	if (LIKELY(properties_are_empty(p))) {
		write_u8(w, 0); /* [MQTT-2.2.2-1] */
		return;
	}
	size_t size = properties_size(p);
	if (size > REMAINING_LENGTH_MAX) {
		w->is_overflown = true;
		return;
	}
	write_variable_integer(w, (uint32_t)size);
	for (uint64_t bits = fields_present(p); bits; bits &= bits - 1)
		one_encode(w, p, (unsigned)__builtin_ctzll(bits));
	write_bytes(w, p->user);
}

bool property_next(struct span *rest, struct property *property_out)
{
	if (rest->len == 0)
		return false;
	struct reader r = reader_of(*rest);
	struct property found = {.id = read_u8(&r)};
	const struct rule *rule = rule_of(found.id);
	if (!rule)
		return false;
	read_value(&r, rule, &found);
	if (r.flaw)
		return false;
	found.raw = span_of(rest->ptr, (size_t)(r.ptr - rest->ptr));
	*rest = span_of(r.ptr, reader_left(&r));
	*property_out = found;
	return true;
}

static uint32_t number_max(const struct rule *rule)
{
	switch (rule->type) {
	case TYPE_BYTE: return UINT8_MAX;
	case TYPE_TWO_BYTE: return UINT16_MAX;
	case TYPE_VARIABLE: return REMAINING_LENGTH_MAX;
	default: return UINT32_MAX;
	}
}

bool property_encode(struct writer *w, const struct property *property)
{
	const struct rule *rule = rule_of(property->id);
	if (!rule || property->number > number_max(rule))
		return false;
	write_u8(w, property->id);
	switch (rule->type) {
	case TYPE_BYTE: write_u8(w, (uint8_t)property->number); break;
	case TYPE_TWO_BYTE: write_u16(w, (uint16_t)property->number); break;
	case TYPE_FOUR_BYTE: write_u32(w, property->number); break;
	case TYPE_VARIABLE: write_variable_integer(w, property->number); break;
	case TYPE_PAIR:
		write_binary(w, property->text);
		write_binary(w, property->value);
		break;
	default: write_binary(w, property->text); break;
	}
	return true;
}

void user_property_encode(struct writer *w, struct span name, struct span value)
{
	write_u8(w, PROPERTY_USER_PROPERTY);
	write_binary(w, name);
	write_binary(w, value);
}
