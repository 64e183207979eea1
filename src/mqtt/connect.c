/* SPDX-License-Identifier: Apache-2.0 */
/* CONNECT ([5] 3.1). */
#include "mqtt/packets.h"
#include "mqtt/topic.h"

enum connect_flag {
	FLAG_RESERVED = 0x01,
	FLAG_CLEAN_START = 0x02,
	FLAG_WILL = 0x04,
	FLAG_WILL_QOS = 0x18,
	FLAG_WILL_RETAIN = 0x20,
	FLAG_PASSWORD = 0x40,
	FLAG_USER_NAME = 0x80,
};
#define WILL_QOS_SHIFT 3

/* The next version of the protocol, if it comes, can read a version 5 CONNACK. */
#define LEVEL_NEXT 6

static const struct span protocol_names[] = {
	[MQTT_3_1] = {(const uint8_t *)"MQIsdp", 6},
	[MQTT_3_1_1] = {(const uint8_t *)"MQTT", 4},
	[MQTT_5] = {(const uint8_t *)"MQTT", 4},
};

static bool is_ours(uint8_t level)
{
	return level >= MQTT_3_1 && level <= MQTT_5;
}

/* In which version to answer: other levels than ours come from bridges that set bit 7 and fall
 * back on return code 1, and get that code [3.1.1 MQTT-3.1.2-2]. */
static uint8_t version_of_answer(uint8_t level)
{
	if (is_ours(level))
		return level;
	return level == LEVEL_NEXT ? MQTT_5 : MQTT_3_1_1;
}

/* [MQTT-3.1.2-1, 3.1.2-2] */
static const struct flaw *read_protocol(struct reader *r, uint8_t *version_out)
{
	struct span name = read_binary(r);
	uint8_t level = read_u8(r);
	if (r->flaw)
		return r->flaw;
	*version_out = version_of_answer(level);
	if (!is_ours(level) || !span_is_equal(protocol_names[level], name))
		reader_fail(r, &flaw_protocol);
	return r->flaw;
}

/* 3.1 neither reserves bit 0 nor looks at the will's bits when there is no will. */
static const struct flaw *flags_flaw(uint8_t flags, uint8_t version)
{
	bool has_will = flags & FLAG_WILL;
	if (has_will && (flags & FLAG_WILL_QOS) == FLAG_WILL_QOS)
		return &flaw_will_qos; /* [MQTT-3.1.2-12] */
	if (version < MQTT_5 && flags & FLAG_PASSWORD && !(flags & FLAG_USER_NAME))
		return &flaw_password; /* [3.1.1 MQTT-3.1.2-22] */
	if (version == MQTT_3_1)
		return NULL;
	if (flags & FLAG_RESERVED)
		return &flaw_connect_flags; /* [MQTT-3.1.2-3] */
	if (!has_will && flags & (FLAG_WILL_QOS | FLAG_WILL_RETAIN))
		return &flaw_will_flags; /* [MQTT-3.1.2-11, 3.1.2-13] */
	return NULL;
}

static void read_flags(struct reader *r, struct connect *out)
{
	uint8_t flags = read_u8(r);
	const struct flaw *flaw = flags_flaw(flags, out->version);
	if (flaw) {
		reader_fail(r, flaw);
		return;
	}
	out->clean_start = flags & FLAG_CLEAN_START;
	out->has_will = flags & FLAG_WILL;
	out->will_qos = out->has_will ? (flags & FLAG_WILL_QOS) >> WILL_QOS_SHIFT : 0;
	out->will_retain = out->has_will && flags & FLAG_WILL_RETAIN;
	out->has_user_name = flags & FLAG_USER_NAME;
	out->has_password = flags & FLAG_PASSWORD;
}

static void read_will(struct reader *r, struct connect *out)
{
	out->will_topic = out->will_payload = SPAN_NONE;
	properties_clear(&out->will_properties);
	if (!out->has_will || r->flaw)
		return;
	if (out->version == MQTT_5 &&
	    properties_decode(r, PROPERTIES_OF_WILL, &out->will_properties))
		return;
	out->will_topic = read_utf8(r); /* [MQTT-3.1.3-11] */
	out->will_payload = read_binary(r);
}

/* In 3.1 the end of the packet takes precedence over the two flags: a field that was announced
 * may be missing. [MQTT-3.1.2-16, -17, -18, -19, 3.1.3-12] */
static void read_credentials(struct reader *r, struct connect *out)
{
	if (out->version == MQTT_3_1 && reader_left(r) == 0)
		out->has_user_name = false;
	out->user_name = out->has_user_name ? read_utf8(r) : SPAN_NONE;
	if (out->version == MQTT_3_1 && reader_left(r) == 0)
		out->has_password = false;
	out->password = out->has_password ? read_binary(r) : SPAN_NONE;
}

/* What can be read well and still may not be served. */
static const struct flaw *content_flaw(const struct connect *p)
{
	bool needs_client_id =
		p->version == MQTT_3_1 || (p->version == MQTT_3_1_1 && !p->clean_start);
	if (needs_client_id && p->client_id.len == 0)
		return &flaw_client_id; /* [3.1.1 MQTT-3.1.3-7, -8] */
	if (p->has_will && !topic_name_is_valid(p->will_topic))
		return &flaw_will_topic; /* [MQTT-4.7.0-1, 4.7.3-1] */
	return NULL;
}

const struct flaw *connect_decode(struct span body, struct connect *out)
{
	struct reader r = reader_of(body);
	out->version = 0;
	if (read_protocol(&r, &out->version))
		return r.flaw;
	read_flags(&r, out);
	if (r.flaw)
		return r.flaw;
	out->keep_alive = read_u16(&r);
	properties_clear(&out->properties);
	if (out->version == MQTT_5 && properties_decode(&r, PACKET_CONNECT, &out->properties))
		return r.flaw;
	out->client_id = read_utf8(&r); /* [MQTT-3.1.3-1, -3, -4]: first of the payload */
	read_will(&r, out);
	read_credentials(&r, out);
	const struct flaw *flaw = reader_finish(&r);
	return flaw ? flaw : content_flaw(out);
}

/* Before version 5 a password needs a user name. */
static bool writes_password(const struct connect *p)
{
	return p->has_password && (p->has_user_name || p->version == MQTT_5);
}

static uint8_t flags_of(const struct connect *p)
{
	uint8_t flags = 0;
	if (p->clean_start)
		flags |= FLAG_CLEAN_START;
	if (p->has_will)
		flags |= (uint8_t)(FLAG_WILL | p->will_qos << WILL_QOS_SHIFT);
	if (p->has_will && p->will_retain)
		flags |= FLAG_WILL_RETAIN;
	if (p->has_user_name)
		flags |= FLAG_USER_NAME;
	if (writes_password(p))
		flags |= FLAG_PASSWORD;
	return flags;
}

/* Everything behind the fixed header. */
static size_t body_size(const struct connect *p)
{
	size_t size = 2 + protocol_names[p->version].len + 1 + 1 + 2 + 2 + p->client_id.len;
	if (p->version == MQTT_5)
		size += properties_size_with_length(&p->properties);
	if (p->has_will && p->version == MQTT_5)
		size += properties_size_with_length(&p->will_properties);
	if (p->has_will)
		size += 2 + p->will_topic.len + 2 + p->will_payload.len;
	if (p->has_user_name)
		size += 2 + p->user_name.len;
	if (writes_password(p))
		size += 2 + p->password.len;
	return size;
}

static void write_will(struct writer *w, const struct connect *p)
{
	if (p->version == MQTT_5)
		properties_encode(w, &p->will_properties);
	write_binary(w, p->will_topic);
	write_binary(w, p->will_payload);
}

size_t connect_encode(const struct connect *p, struct room room)
{
	ASSERT(is_ours(p->version));
	struct writer w = writer_of(room);
	write_fixed_header(&w, PACKET_CONNECT, 0, body_size(p));
	write_binary(&w, protocol_names[p->version]);
	write_u8(&w, p->version);
	write_u8(&w, flags_of(p));
	write_u16(&w, p->keep_alive);
	if (p->version == MQTT_5)
		properties_encode(&w, &p->properties);
	write_binary(&w, p->client_id);
	if (p->has_will)
		write_will(&w, p); /* [MQTT-3.1.2-9] */
	if (p->has_user_name)
		write_binary(&w, p->user_name);
	if (writes_password(p))
		write_binary(&w, p->password);
	return writer_finish(&w, room);
}
