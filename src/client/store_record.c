/* SPDX-License-Identifier: Apache-2.0 */
#include "client/store_record.h"

#include "mqtt/wire.h"

#define BIT_QOS 0x03
#define BIT_RETAIN 0x04
#define BIT_DUP 0x08
#define BIT_AT_ONCE 0x10

/* Which fields stand behind the kind, in this order. */
enum field {
	HAS_BITS = 1 << 0,
	HAS_NUMBER = 1 << 1,
	HAS_MARK = 1 << 2,
	HAS_TAKEN = 1 << 3,
	HAS_PACKET_ID = 1 << 4,
	HAS_REASON = 1 << 5,
	HAS_MESSAGE = 1 << 6,
	HAS_CLIENT_ID = 1 << 7,
	IS_KNOWN = 1 << 8,
};
static const uint16_t fields_of[] = {
	[STORE_IDENTITY] = IS_KNOWN | HAS_NUMBER | HAS_CLIENT_ID,
	[STORE_OUT] = IS_KNOWN | HAS_BITS | HAS_NUMBER | HAS_MARK | HAS_TAKEN | HAS_MESSAGE,
	[STORE_RECEIVED] = IS_KNOWN | HAS_NUMBER,
	[STORE_DONE] = IS_KNOWN | HAS_NUMBER,
	[STORE_IN] = IS_KNOWN | HAS_BITS | HAS_NUMBER | HAS_PACKET_ID | HAS_MESSAGE,
	[STORE_ACKED] = IS_KNOWN | HAS_NUMBER | HAS_REASON,
	[STORE_RELEASED] = IS_KNOWN | HAS_NUMBER,
	[STORE_FORGOTTEN] = IS_KNOWN | HAS_NUMBER,
	[STORE_SESSION] = IS_KNOWN,
	[STORE_CHECKPOINT] = IS_KNOWN,
	[STORE_SENDING] = IS_KNOWN | HAS_NUMBER,
};

size_t store_record_size(const struct store_record *r)
{
	unsigned has = fields_of[r->kind];
	size_t len = 1;
	len += has & HAS_BITS ? 1 : 0;
	len += has & HAS_NUMBER ? 8 : 0;
	len += has & HAS_MARK ? 8 : 0;
	len += has & HAS_TAKEN ? 8 : 0;
	len += has & HAS_PACKET_ID ? 2 : 0;
	len += has & HAS_REASON ? 1 : 0;
	len += has & HAS_CLIENT_ID ? r->client_id.len : 0;
	if (has & HAS_MESSAGE)
		len += 2 + r->topic.len + 4 + r->properties.len + r->payload.len;
	return len;
}

static void write_u64(struct writer *w, uint64_t value)
{
	write_u32(w, (uint32_t)(value >> 32));
	write_u32(w, (uint32_t)value);
}

static uint64_t read_u64(struct reader *r)
{
	uint64_t high = read_u32(r);
	return high << 32 | read_u32(r);
}

static uint8_t bits_of(const struct store_record *r)
{
	return (uint8_t)(r->qos | (r->retain ? BIT_RETAIN : 0) | (r->dup ? BIT_DUP : 0) |
			 (r->at_once ? BIT_AT_ONCE : 0));
}

size_t store_record_encode(const struct store_record *r, struct room room)
{
	unsigned has = fields_of[r->kind];
	struct writer w = writer_of(room);
	write_u8(&w, r->kind);
	if (has & HAS_BITS)
		write_u8(&w, bits_of(r));
	if (has & HAS_NUMBER)
		write_u64(&w, r->number);
	if (has & HAS_MARK)
		write_u64(&w, r->mark);
	if (has & HAS_TAKEN)
		write_u64(&w, r->taken_ms);
	if (has & HAS_PACKET_ID)
		write_u16(&w, r->packet_id);
	if (has & HAS_REASON)
		write_u8(&w, r->reason_code);
	if (has & HAS_CLIENT_ID)
		write_bytes(&w, r->client_id);
	if (has & HAS_MESSAGE) {
		write_binary(&w, r->topic);
		write_u32(&w, (uint32_t)r->properties.len);
		write_bytes(&w, r->properties);
		write_bytes(&w, r->payload);
	}
	return writer_finish(&w, room);
}

static void read_bits(struct reader *r, struct store_record *out)
{
	uint8_t bits = read_u8(r);
	out->qos = bits & BIT_QOS;
	out->retain = bits & BIT_RETAIN;
	out->dup = bits & BIT_DUP;
	out->at_once = bits & BIT_AT_ONCE;
}

static struct span read_rest(struct reader *r)
{
	return read_bytes(r, reader_left(r));
}

int store_record_decode(struct span bytes, struct store_record *out)
{
	struct reader r = reader_of(bytes);
	*out = (struct store_record){.kind = read_u8(&r)};
	unsigned has = out->kind < ARRAY_COUNT(fields_of) ? fields_of[out->kind] : 0;
	if (!(has & IS_KNOWN))
		return ERROR_INVALID;
	if (has & HAS_BITS)
		read_bits(&r, out);
	out->number = has & HAS_NUMBER ? read_u64(&r) : 0;
	out->mark = has & HAS_MARK ? read_u64(&r) : 0;
	out->taken_ms = has & HAS_TAKEN ? read_u64(&r) : 0;
	out->packet_id = has & HAS_PACKET_ID ? read_u16(&r) : 0;
	out->reason_code = has & HAS_REASON ? read_u8(&r) : 0;
	if (has & HAS_CLIENT_ID)
		out->client_id = read_rest(&r);
	if (has & HAS_MESSAGE) {
		out->topic = read_binary(&r);
		out->properties = read_bytes(&r, read_u32(&r));
		out->payload = read_rest(&r);
	}
	return reader_finish(&r) || out->qos > QOS_MAX ? ERROR_INVALID : 0;
}
