/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/wire.h"

#define VARIABLE_INTEGER_BYTES_MAX 4
#define FLAG_DUP 8

/* Bytes of the integer at the start, 0 when more are needed, -1 when it is malformed: a fourth byte
 * that goes on, or a last byte that adds nothing. */
static int variable_integer_decode(struct span bytes, uint32_t *value_out)
{
	uint32_t value = 0;
	for (int i = 0; i < VARIABLE_INTEGER_BYTES_MAX; i++) {
		if ((size_t)i == bytes.len)
			return 0;
		uint8_t byte = bytes.ptr[i];
		value |= (uint32_t)(byte & 127) << (7 * i);
		if (byte & 128)
			continue;
		if (byte == 0 && i > 0)
			return -1;
		*value_out = value;
		return i + 1;
	}
	return -1;
}

uint32_t read_variable_integer(struct reader *r)
{
	uint32_t value = 0;
	int len = variable_integer_decode(span_of(r->ptr, reader_left(r)), &value);
	if (len <= 0) {
		reader_fail(r, len == 0 ? &flaw_truncated : &flaw_variable_integer);
		return 0;
	}
	r->ptr += len;
	return value;
}

struct span read_utf8(struct reader *r)
{
	struct span text = read_binary(r);
	if (UNLIKELY(!utf8_is_valid(text))) {
		reader_fail(r, &flaw_utf8);
		return SPAN_NONE;
	}
	return text;
}

uint16_t read_packet_id(struct reader *r)
{
	uint16_t packet_id = read_u16(r);
	if (UNLIKELY(packet_id == 0))
		reader_fail(r, &flaw_packet_id);
	return packet_id;
}

/* The next `len` bytes of room, or NULL. */
static uint8_t *take(struct writer *w, size_t len)
{
	if (UNLIKELY(w->is_overflown || (size_t)(w->end - w->ptr) < len)) {
		w->is_overflown = true;
		return NULL;
	}
	uint8_t *ptr = w->ptr;
	w->ptr += len;
	return ptr;
}

void write_u8(struct writer *w, uint8_t value)
{
	uint8_t *ptr = take(w, 1);
	if (ptr)
		*ptr = value;
}

void write_u16(struct writer *w, uint16_t value)
{
	uint8_t *ptr = take(w, 2);
	if (ptr)
		store_u16(ptr, value);
}

void write_u32(struct writer *w, uint32_t value)
{
	uint8_t *ptr = take(w, 4);
	if (ptr)
		store_u32(ptr, value);
}

void write_variable_integer(struct writer *w, uint32_t value)
{
	if (value > REMAINING_LENGTH_MAX) {
		w->is_overflown = true;
		return;
	}
	uint8_t *ptr = take(w, variable_integer_size(value));
	if (!ptr)
		return;
	for (; value >= 128; value >>= 7)
		*ptr++ = (uint8_t)(value | 128);
	*ptr = (uint8_t)value;
}

void write_bytes(struct writer *w, struct span bytes)
{
	uint8_t *ptr = take(w, bytes.len);
	if (ptr && bytes.len > 0)
		memcpy(ptr, bytes.ptr, bytes.len);
}

void write_binary(struct writer *w, struct span bytes)
{
	if (bytes.len > UINT16_MAX) {
		w->is_overflown = true;
		return;
	}
	write_u16(w, (uint16_t)bytes.len);
	write_bytes(w, bytes);
}

void write_fixed_header(struct writer *w, uint8_t type, uint8_t flags, size_t remaining_length)
{
	if (remaining_length > REMAINING_LENGTH_MAX) {
		w->is_overflown = true;
		return;
	}
	write_u8(w, (uint8_t)(type << 4 | flags));
	write_variable_integer(w, (uint32_t)remaining_length);
	if ((size_t)(w->end - w->ptr) < remaining_length)
		w->is_overflown = true;
}

/* [MQTT-2.1.3-1, 3.6.1-1, 3.8.1-1, 3.10.1-1, 3.14.1-1, 3.15.1-1] */
static const struct flaw *first_byte_flaw(uint8_t first, uint8_t tolerated_flags)
{
	unsigned type = first >> 4, flags = first & 15;
	if (type == 0)
		return &flaw_packet_type;
	if (type == PACKET_PUBLISH)
		return NULL;
	if (fixed_header_flags(type) != 0)
		flags &= ~(unsigned)tolerated_flags;
	return flags == fixed_header_flags(type) ? NULL : &flaw_header_flags;
}

static enum header_result malformed(const struct flaw *flaw, const struct flaw **flaw_out)
{
	*flaw_out = flaw;
	return HEADER_MALFORMED;
}

/* `tolerated_flags` may be set where a type's fixed flags are not all 0. */
static enum header_result decode_header(struct span bytes, uint8_t tolerated_flags,
					struct fixed_header *header_out,
					const struct flaw **flaw_out)
{
	if (bytes.len == 0)
		return HEADER_INCOMPLETE;
	uint8_t first = bytes.ptr[0], type = first >> 4;
	const struct flaw *flaw = first_byte_flaw(first, tolerated_flags);
	if (flaw)
		return malformed(flaw, flaw_out);
	uint32_t remaining_length = 0;
	int len = variable_integer_decode(span_of(bytes.ptr + 1, bytes.len - 1), &remaining_length);
	if (len == 0)
		return HEADER_INCOMPLETE;
	if (len < 0)
		return malformed(&flaw_variable_integer, flaw_out);
	if ((type == PACKET_PINGREQ || type == PACKET_PINGRESP) && remaining_length > 0)
		return malformed(&flaw_ping_body, flaw_out);
	*header_out = (struct fixed_header){type, first & 15, (uint8_t)(1 + len), remaining_length};
	return HEADER_OK;
}

enum header_result fixed_header_decode_any(struct span bytes, struct fixed_header *header_out,
					   const struct flaw **flaw_out)
{
	return decode_header(bytes, 0, header_out, flaw_out);
}

enum header_result fixed_header_decode_3_1(struct span bytes, struct fixed_header *header_out,
					   const struct flaw **flaw_out)
{
	return decode_header(bytes, FLAG_DUP, header_out, flaw_out);
}
