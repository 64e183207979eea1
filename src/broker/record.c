/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record's body: its kind, then what that kind needs. Log positions take eight bytes, packet ids
 * two, other numbers what their size needs (pack.h). A message is as long as the body goes on:
 *
 *     PUBLISH  | kind | bits | session? | connect? | packet id? | expires? | source? | topic |
 *              | properties | payload ...
 *
 * Decoding takes only what encoding writes, byte for byte: what a checksum vouches for but this
 * program did not write is no record of ours.
 */
#include "broker/record.h"

#include "base/mem.h"
#include "broker/pack.h"
#include "broker/source.h"
#include "mqtt/packets.h"
#include "mqtt/topic.h"

#define IDENTIFIER_MAX 268435455u /* [5] 3.8.2.1.2 */

/* The bits of a message. */
#define BITS_QOS 0x03
#define BITS_RETAIN 0x04
#define BITS_EXPIRES 0x08
/* And of its PUBLISH. */
#define BITS_WILL 0x10
#define BITS_SESSION 0x20
#define BITS_PACKET_ID 0x40
/* Of a message again. */
#define BITS_SOURCE 0x80

/* Of a CONNECT. */
#define CONNECT_CLEAN 0x01
#define CONNECT_WILL 0x02

static const char *const kind_names[COMMAND_KIND_COUNT] = {
	[COMMAND_NOTHING] = "NOTHING",
	[COMMAND_LIMITS] = "LIMITS",
	[COMMAND_CONNECT] = "CONNECT",
	[COMMAND_AWAY] = "AWAY",
	[COMMAND_END] = "END",
	[COMMAND_SUBSCRIBE] = "SUBSCRIBE",
	[COMMAND_UNSUBSCRIBE] = "UNSUBSCRIBE",
	[COMMAND_PUBLISH] = "PUBLISH",
	[COMMAND_RELEASE] = "RELEASE",
	[COMMAND_FINISH] = "FINISH",
	[COMMAND_RECEIVED] = "RECEIVED",
	[COMMAND_GIVE] = "GIVE",
	[COMMAND_RESTART] = "RESTART",
	[COMMAND_RETURN] = "RETURN",
	[COMMAND_CHECKPOINT] = "CHECKPOINT",
	[COMMAND_REPLAYED] = "REPLAYED",
};

/* Flags that a kind may have, for those whose second byte they are. */
static const uint8_t flags_allowed[COMMAND_KIND_COUNT] = {
	[COMMAND_AWAY] = COMMAND_AWAY_KEEP_WILL,
	[COMMAND_SUBSCRIBE] = COMMAND_SUBSCRIBE_REFUSED,
	[COMMAND_FINISH] = COMMAND_FINISH_REFUSED,
};

const char *command_kind_name(unsigned kind)
{
	return kind < COMMAND_KIND_COUNT ? kind_names[kind] : "unknown";
}

enum command_kind record_kind(struct span body)
{
	return body.len > 0 && body.ptr[0] < COMMAND_KIND_COUNT ? (enum command_kind)body.ptr[0]
								: COMMAND_KIND_COUNT;
}

/* Encoding */

static uint8_t message_bits(const struct message *m)
{
	return (uint8_t)(m->qos | (m->retain ? BITS_RETAIN : 0) |
			 (m->has_expiry ? BITS_EXPIRES : 0) | (m->has_source ? BITS_SOURCE : 0));
}

static void pack_message(struct packer *p, const struct message *m)
{
	if (m->has_expiry)
		pack_number(p, m->expires_ms);
	if (m->has_source)
		pack_bytes(p, message_source(m));
	pack_bytes(p, message_topic(m));
	pack_bytes(p, message_properties(m));
	pack_raw(p, message_payload(m));
}

static void pack_publish(struct packer *p, const struct command *c)
{
	bool is_will = c->flags & COMMAND_PUBLISH_WILL;
	pack_u8(p, (uint8_t)(message_bits(c->message) | (is_will ? BITS_WILL : 0) |
			     (c->session_id ? BITS_SESSION : 0) |
			     (c->packet_id ? BITS_PACKET_ID : 0)));
	if (c->session_id)
		pack_u64(p, c->session_id);
	if (is_will)
		pack_u64(p, c->connect_id);
	if (c->packet_id)
		pack_u16(p, c->packet_id);
	pack_message(p, c->message);
}

static void pack_connect(struct packer *p, const struct command *c)
{
	const struct will *will = c->connect->will;
	pack_u8(p, (c->connect->clean_start ? CONNECT_CLEAN : 0) | (will ? CONNECT_WILL : 0));
	pack_number(p, c->time_ms);
	pack_number(p, c->connect->expiry_interval);
	pack_bytes(p, command_text(c));
	if (!will)
		return;
	pack_number(p, will->delay);
	pack_u8(p, message_bits(will->message));
	pack_message(p, will->message);
}

static void pack_limits(struct packer *p, const struct limits *l)
{
	pack_number(p, l->subscriptions_per_client_max);
	pack_number(p, l->topic_levels_max);
	pack_u8(p, l->qos_max);
	pack_u8(p, l->upgrade_outgoing_qos);
}

static void pack_restart(struct packer *p, const struct command *c)
{
	pack_u64(p, c->last);
	pack_number(p, c->time_ms);
}

/* What an access rule took out changes nothing, and need not be remembered. */
static void pack_filters(struct packer *p, struct span filters)
{
	struct span filter, rest = filters;
	struct subscription_options options;
	while (subscribe_next(&rest, &filter, &options)) {
		if (!options.is_denied)
			pack_raw(p, span_of(filters.ptr, (size_t)(rest.ptr - filters.ptr)));
		filters = rest;
	}
}

static void pack_subscribe(struct packer *p, const struct command *c)
{
	pack_u16(p, c->packet_id);
	if (c->kind == COMMAND_SUBSCRIBE) {
		pack_number(p, c->subscription_identifier);
		pack_filters(p, command_text(c));
	} else {
		pack_raw(p, command_text(c));
	}
}

static void pack_give(struct packer *p, const struct command *c)
{
	pack_u64(p, c->given);
	pack_u8(p, c->qos);
	pack_u8(p, c->queued_flags);
	pack_number(p, c->subscription_identifier);
	pack_raw(p, command_text(c));
}

static void pack_return(struct packer *p, const struct command *c)
{
	pack_u64(p, c->given);
	pack_number(p, c->from);
	pack_u8(p, c->queued_flags);
	pack_raw(p, command_text(c));
}

static void pack_away(struct packer *p, const struct command *c)
{
	pack_u64(p, c->connect_id);
	pack_number(p, c->time_ms);
	if (c->kind == COMMAND_END)
		return;
	pack_number(p, c->expiry_interval);
	pack_number(p, c->sent_to);
}

/* What follows the session, which most kinds start with. */
static void pack_of_session(struct packer *p, const struct command *c)
{
	if (flags_allowed[c->kind])
		pack_u8(p, c->flags & flags_allowed[c->kind]);
	pack_u64(p, c->session_id);
	switch (c->kind) {
	case COMMAND_AWAY:
	case COMMAND_END: pack_away(p, c); break;
	case COMMAND_SUBSCRIBE:
	case COMMAND_UNSUBSCRIBE: pack_subscribe(p, c); break;
	case COMMAND_RELEASE: pack_u16(p, c->packet_id); break;
	case COMMAND_FINISH:
		pack_number(p, c->from);
		pack_number(p, c->to - c->from);
		break;
	case COMMAND_RECEIVED: pack_number(p, c->from); break;
	case COMMAND_REPLAYED: pack_u64(p, c->asked); break;
	case COMMAND_GIVE: pack_give(p, c); break;
	default: pack_return(p, c); break;
	}
}

static void pack_command(struct packer *p, const struct command *c)
{
	pack_u8(p, c->kind);
	switch (c->kind) {
	case COMMAND_NOTHING:
	case COMMAND_CHECKPOINT: break;
	case COMMAND_LIMITS: pack_limits(p, &c->limits); break;
	case COMMAND_RESTART: pack_restart(p, c); break;
	case COMMAND_CONNECT: pack_connect(p, c); break;
	case COMMAND_PUBLISH: pack_publish(p, c); break;
	default: pack_of_session(p, c); break;
	}
}

size_t record_size(const struct command *c)
{
	struct packer p = {0};
	pack_command(&p, c);
	return p.len;
}

size_t record_encode(const struct command *c, struct room room)
{
	struct packer p = {.ptr = room.ptr};
	pack_command(&p, c);
	ASSERT(p.len <= room.len);
	return p.len;
}

/* Decoding */

/* The message that the rest of the body is. */
static int unpack_message(struct unpacker *u, uint8_t bits, uint64_t position, struct message **out)
{
	struct message_parts parts = {.qos = bits & BITS_QOS, .retain = bits & BITS_RETAIN};
	if (bits & BITS_EXPIRES) {
		parts.has_expiry = true;
		parts.expires_ms = unpack_number(u, UINT64_MAX);
	}
	if (bits & BITS_SOURCE) {
		parts.source = unpack_bytes(u, SOURCE_BYTES_MAX);
		if (!source_is_valid(parts.source))
			unpack_fail(u);
	}
	parts.topic = unpack_bytes(u, UINT16_MAX);
	parts.properties = unpack_bytes(u, LOG_RECORD_BYTES_MAX);
	parts.payload = unpack_rest(u);
	if (u->is_failed || parts.qos > 2 || !topic_name_is_valid(parts.topic))
		return ERROR_DAMAGED;
	struct message *m = message_new(&parts);
	if (!m)
		return ERROR_NO_MEMORY;
	m->position = position;
	*out = m;
	return 0;
}

/* Up to the message. */
static uint8_t unpack_publish_head(struct unpacker *u, struct command *c)
{
	uint8_t bits = unpack_u8(u);
	if (bits & BITS_WILL)
		c->flags = COMMAND_PUBLISH_WILL;
	if (bits & BITS_SESSION)
		c->session_id = unpack_u64(u);
	if (bits & BITS_WILL)
		c->connect_id = unpack_u64(u);
	if (bits & BITS_PACKET_ID)
		c->packet_id = unpack_u16(u);
	if (!c->session_id != !(bits & BITS_SESSION) || !c->packet_id != !(bits & BITS_PACKET_ID))
		unpack_fail(u);
	return bits;
}

static int unpack_publish(struct unpacker *u, uint64_t position, struct command *c)
{
	uint8_t bits = unpack_publish_head(u, c);
	return unpack_message(u, bits, position, &c->message);
}

static int unpack_will(struct unpacker *u, struct connect_options *o)
{
	uint32_t delay = (uint32_t)unpack_number(u, UINT32_MAX);
	uint8_t bits = unpack_u8(u);
	if (bits & ~(BITS_QOS | BITS_RETAIN | BITS_EXPIRES | BITS_SOURCE))
		return ERROR_DAMAGED;
	o->will = mem_zalloc(sizeof(*o->will));
	if (!o->will)
		return ERROR_NO_MEMORY;
	o->will->delay = delay;
	/* a message of its own only when it is published */
	int error = unpack_message(u, bits, 0, &o->will->message);
	if (error) {
		mem_free(o->will);
		o->will = NULL;
	}
	return error;
}

/* There is room for as much as the body has. */
static void set_text(struct command *c, struct span text)
{
	c->text_len = (uint32_t)text.len;
	if (text.len > 0)
		memcpy(c->text, text.ptr, text.len);
}

static int unpack_connect(struct unpacker *u, struct command *c)
{
	uint8_t bits = unpack_u8(u);
	if (bits & ~(CONNECT_CLEAN | CONNECT_WILL))
		return ERROR_DAMAGED;
	c->connect->clean_start = bits & CONNECT_CLEAN;
	c->flags = bits & CONNECT_CLEAN ? COMMAND_CONNECT_CLEAN : 0;
	c->time_ms = unpack_number(u, UINT64_MAX);
	c->connect->expiry_interval = (uint32_t)unpack_number(u, UINT32_MAX);
	set_text(c, unpack_bytes(u, UINT16_MAX));
	return bits & CONNECT_WILL ? unpack_will(u, c->connect) : 0;
}

static void unpack_limits(struct unpacker *u, struct limits *l)
{
	l->subscriptions_per_client_max = (uint32_t)unpack_number(u, UINT32_MAX);
	l->topic_levels_max = (uint16_t)unpack_number(u, UINT16_MAX);
	l->qos_max = unpack_u8(u);
	uint8_t upgrade = unpack_u8(u);
	l->upgrade_outgoing_qos = upgrade;
	if (l->qos_max > 2 || upgrade > 1)
		unpack_fail(u);
}

static void unpack_restart(struct unpacker *u, struct command *c)
{
	c->last = unpack_u64(u);
	c->time_ms = unpack_number(u, UINT64_MAX);
}

/* Whole filters, each with its options. */
static bool filters_are_whole(struct span filters, bool have_options)
{
	struct unpacker u = unpacker_of(filters);
	while (unpack_left(&u) > 0) {
		struct span len = unpack_raw(&u, 2);
		unpack_raw(&u, len.len ? load_u16(len.ptr) : 0);
		uint8_t options = have_options ? unpack_u8(&u) : 0;
		if ((options & 3) == 3 || (options >> 4 & 3) == 3 || options >> 6)
			unpack_fail(&u);
	}
	return !u.is_failed && filters.len > 0;
}

static void unpack_subscribe(struct unpacker *u, struct command *c)
{
	bool has_options = c->kind == COMMAND_SUBSCRIBE;
	c->packet_id = unpack_u16(u);
	if (has_options)
		c->subscription_identifier = (uint32_t)unpack_number(u, IDENTIFIER_MAX);
	set_text(c, unpack_rest(u));
	if (!filters_are_whole(command_text(c), has_options))
		unpack_fail(u);
}

static void unpack_give(struct unpacker *u, struct command *c)
{
	c->given = unpack_u64(u);
	c->qos = unpack_u8(u);
	c->queued_flags = unpack_u8(u);
	c->subscription_identifier = (uint32_t)unpack_number(u, IDENTIFIER_MAX);
	set_text(c, unpack_rest(u));
	if (c->qos > 2 || c->text_len > UINT16_MAX)
		unpack_fail(u);
}

static void unpack_return(struct unpacker *u, struct command *c)
{
	c->given = unpack_u64(u);
	c->from = unpack_number(u, UINT64_MAX);
	c->queued_flags = unpack_u8(u);
	set_text(c, unpack_rest(u));
	if (c->text_len > UINT16_MAX)
		unpack_fail(u);
}

static void unpack_away(struct unpacker *u, struct command *c)
{
	c->connect_id = unpack_u64(u);
	c->time_ms = unpack_number(u, UINT64_MAX);
	if (c->kind == COMMAND_END)
		return;
	c->expiry_interval = (uint32_t)unpack_number(u, UINT32_MAX);
	c->sent_to = unpack_number(u, UINT64_MAX);
}

static void unpack_of_session(struct unpacker *u, struct command *c)
{
	if (flags_allowed[c->kind])
		c->flags = unpack_u8(u);
	if (c->flags & ~flags_allowed[c->kind])
		unpack_fail(u);
	c->session_id = unpack_u64(u);
	switch (c->kind) {
	case COMMAND_AWAY:
	case COMMAND_END: unpack_away(u, c); break;
	case COMMAND_SUBSCRIBE:
	case COMMAND_UNSUBSCRIBE: unpack_subscribe(u, c); break;
	case COMMAND_RELEASE: c->packet_id = unpack_u16(u); break;
	case COMMAND_FINISH:
		c->from = unpack_number(u, UINT64_MAX);
		c->to = c->from + unpack_number(u, UINT64_MAX - c->from);
		break;
	case COMMAND_RECEIVED: c->from = unpack_number(u, UINT64_MAX); break;
	case COMMAND_REPLAYED: c->asked = unpack_u64(u); break;
	case COMMAND_GIVE: unpack_give(u, c); break;
	default: unpack_return(u, c); break;
	}
}

static int unpack_command(struct unpacker *u, uint64_t position, struct command *c)
{
	int error = 0;
	switch (c->kind) {
	case COMMAND_NOTHING:
	case COMMAND_CHECKPOINT: break;
	case COMMAND_LIMITS: unpack_limits(u, &c->limits); break;
	case COMMAND_RESTART: unpack_restart(u, c); break;
	case COMMAND_CONNECT: error = unpack_connect(u, c); break;
	case COMMAND_PUBLISH: error = unpack_publish(u, position, c); break;
	default: unpack_of_session(u, c); break;
	}
	if (error)
		return error;
	return unpack_is_done(u) ? 0 : ERROR_DAMAGED;
}

int record_decode(struct span body, uint64_t position, struct command **out)
{
	enum command_kind kind = record_kind(body);
	if (kind == COMMAND_KIND_COUNT)
		return ERROR_DAMAGED;
	/* no text is longer than the body; a message does not stand in it */
	struct span room = kind == COMMAND_PUBLISH ? SPAN_NONE : body;
	struct command *c = command_new((uint8_t)kind, room);
	if (!c)
		return ERROR_NO_MEMORY;
	c->text_len = 0;
	c->entry.position = position;
	struct unpacker u = unpacker_of(body);
	unpack_u8(&u);
	int error = unpack_command(&u, position, c);
	if (error) {
		command_free(c);
		return error;
	}
	*out = c;
	return 0;
}

int record_decode_message(struct span body, uint64_t position, struct message **out)
{
	struct command head = {0};
	struct unpacker u = unpacker_of(body);
	if (unpack_u8(&u) != COMMAND_PUBLISH || body.len == 0)
		return ERROR_DAMAGED;
	uint8_t bits = unpack_publish_head(&u, &head);
	return unpack_message(&u, bits, position, out);
}
