/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard's data representations ([5] 1.5): a reader that borrows its input, a writer into a
 * caller's buffer, variable byte integers, UTF-8 rules, fixed headers.
 *
 * Reader and writer carry a sticky failure, so that a decoder reads like the packet's figure in
 * the standard and asks once at the end.
 */
#ifndef NIGHTJAR_MQTT_WIRE_H
#define NIGHTJAR_MQTT_WIRE_H

#include "mqtt/flaw.h"

struct reader {
	const uint8_t *ptr;
	const uint8_t *end;
	const struct flaw
		*flaw; /* the first mistake met, or NULL; reads after it give 0 and empty */
};

static inline struct reader reader_of(struct span bytes)
{
	return (struct reader){bytes.ptr, bytes.ptr + bytes.len, NULL};
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->ptr);
}

/* Notes the first mistake; reads after it give 0 and empty. */
static inline void reader_fail(struct reader *r, const struct flaw *flaw)
{
	if (!r->flaw)
		r->flaw = flaw;
	r->ptr = r->end;
}

/* Borrows the next bytes; empty when they are not all there. */
static inline struct span read_bytes(struct reader *r, size_t len)
{
	if (UNLIKELY(reader_left(r) < len)) {
		reader_fail(r, &flaw_truncated);
		return SPAN_NONE;
	}
	const uint8_t *ptr = r->ptr;
	r->ptr += len;
	return span_of(ptr, len);
}

static inline uint8_t read_u8(struct reader *r)
{
	struct span s = read_bytes(r, 1);
	return s.ptr ? s.ptr[0] : 0;
}

static inline uint16_t read_u16(struct reader *r)
{
	struct span s = read_bytes(r, 2);
	return s.ptr ? load_u16(s.ptr) : 0;
}

static inline uint32_t read_u32(struct reader *r)
{
	struct span s = read_bytes(r, 4);
	return s.ptr ? load_u32(s.ptr) : 0;
}

/* [MQTT-1.5.5-1]: padded forms and more than four bytes are malformed. */
uint32_t read_variable_integer(struct reader *r);
/* Two-byte length and bytes. */
static inline struct span read_binary(struct reader *r)
{
	return read_bytes(r, read_u16(r));
}
/* As read_binary, and well-formed UTF-8 without U+0000 and surrogates [MQTT-1.5.4-1, -2]. What is
 * longer than 65,535 bytes cannot be said [MQTT-4.7.3-3]. */
struct span read_utf8(struct reader *r);
/* A Packet Identifier; 0 is a flaw [MQTT-2.2.1-3, 2.2.1-4]. */
uint16_t read_packet_id(struct reader *r);
/* Ends a decoder: the first mistake, or that bytes are left over, or NULL. */
static inline const struct flaw *reader_finish(struct reader *r)
{
	if (UNLIKELY(r->ptr != r->end))
		reader_fail(r, &flaw_trailing);
	return r->flaw;
}

struct writer {
	uint8_t *ptr;
	uint8_t *end;
	bool is_overflown; /* something did not fit; what was written is not to be used */
};

static inline struct writer writer_of(struct room room)
{
	return (struct writer){room.ptr, room.ptr + room.len, false};
}

void write_u8(struct writer *w, uint8_t value);
void write_u16(struct writer *w, uint16_t value);
void write_u32(struct writer *w, uint32_t value);
void write_variable_integer(struct writer *w, uint32_t value);
void write_bytes(struct writer *w, struct span bytes);
/* Two-byte length and bytes; at most 65,535 (more sets is_overflown). */
void write_binary(struct writer *w, struct span bytes);

/* Begins a packet. Fails at once when header and `remaining_length` bytes do not fit the room, or
 * the length is over REMAINING_LENGTH_MAX. */
void write_fixed_header(struct writer *w, uint8_t type, uint8_t flags, size_t remaining_length);
/* Bytes written since writer_of(room); 0 when something did not fit. */
static inline size_t writer_finish(const struct writer *w, struct room room)
{
	return w->is_overflown ? 0 : (size_t)(w->ptr - room.ptr);
}

/* Bytes that a variable byte integer takes: 1 to 4. */
static inline unsigned variable_integer_size(uint32_t value)
{
	return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

/* Well-formed UTF-8, no surrogates, no U+0000. Linear; eight ASCII bytes a step. */
bool utf8_is_valid(struct span text);

/* The first bytes of a packet ([5] 2.1.1). */
struct fixed_header {
	uint8_t type;              /* enum packet_type; never 0 */
	uint8_t flags;             /* low nibble */
	uint8_t header_len;        /* 2 to 5 */
	uint32_t remaining_length; /* bytes that follow the header */
};

enum header_result {
	HEADER_OK,
	HEADER_INCOMPLETE, /* more bytes are needed */
	HEADER_MALFORMED,  /* type 0, a flag that is reserved [MQTT-2.1.3-1], a bad length, a ping
			      with a body */
};

/* The flags of the types that have fixed ones: 0010 for PUBREL, SUBSCRIBE and UNSUBSCRIBE, else
 * 0000 ([5] 2.1.3). */
static inline uint8_t fixed_header_flags(unsigned type)
{
	const unsigned has_flag =
		1u << PACKET_PUBREL | 1u << PACKET_SUBSCRIBE | 1u << PACKET_UNSUBSCRIBE;
	return (uint8_t)((has_flag >> type & 1) << 1);
}

/* The whole judgement; fixed_header_decode answers the common cases itself. */
enum header_result fixed_header_decode_any(struct span bytes, struct fixed_header *header_out,
					   const struct flaw **flaw_out) MUST_USE;
/* For MQTT 3.1, where a re-sent PUBREL, SUBSCRIBE or UNSUBSCRIBE has its DUP bit set. */
enum header_result fixed_header_decode_3_1(struct span bytes, struct fixed_header *header_out,
					   const struct flaw **flaw_out) MUST_USE;

/* Judges type, reserved flags (all types but PUBLISH) and length encoding. `flaw_out` is set only
 * with HEADER_MALFORMED, `header_out` only with HEADER_OK. Fast enough to be called per packet on
 * the hot path. */
static inline enum header_result fixed_header_decode(struct span bytes,
						     struct fixed_header *header_out,
						     const struct flaw **flaw_out)
{
	const unsigned is_common = 1u << PACKET_PUBLISH | 1u << PACKET_PUBACK |
				   1u << PACKET_PUBREC | 1u << PACKET_PUBREL | 1u << PACKET_PUBCOMP;
	if (UNLIKELY(bytes.len < 3))
		return fixed_header_decode_any(bytes, header_out, flaw_out);
	uint8_t first = bytes.ptr[0], low = bytes.ptr[1], high = bytes.ptr[2];
	unsigned type = first >> 4, flags = first & 15;
	if (UNLIKELY(!(is_common >> type & 1) ||
		     (type != PACKET_PUBLISH && flags != fixed_header_flags(type))))
		return fixed_header_decode_any(bytes, header_out, flaw_out);
	if (LIKELY(low < 128))
		*header_out = (struct fixed_header){(uint8_t)type, (uint8_t)flags, 2, low};
	else if (LIKELY(high > 0 && high < 128))
		*header_out = (struct fixed_header){(uint8_t)type, (uint8_t)flags, 3,
						    (low & 127u) | (uint32_t)high << 7};
	else
		return fixed_header_decode_any(bytes, header_out, flaw_out);
	return HEADER_OK;
}

#endif
