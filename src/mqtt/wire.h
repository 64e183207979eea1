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

#include "mqtt/types.h"

struct reader {
	const uint8_t *ptr;
	const uint8_t *end;
	const struct flaw *flaw; /* the first mistake met, or NULL; reads after it give 0 and empty */
};

static inline struct reader reader_of(struct span bytes)
{
	return (struct reader){bytes.ptr, bytes.ptr + bytes.len, NULL};
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->ptr);
}

uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
/* [MQTT-1.5.5-1]: padded forms and more than four bytes are malformed. */
uint32_t read_variable_integer(struct reader *r);
/* Two-byte length and bytes. */
struct span read_binary(struct reader *r);
/* As read_binary, and well-formed UTF-8 without U+0000 and surrogates [MQTT-1.5.4-1, -2]. */
struct span read_utf8(struct reader *r);

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
	HEADER_MALFORMED,  /* type 0, a flag that is reserved [MQTT-2.1.3-1], a bad length */
};

/* Judges type, reserved flags (all types but PUBLISH) and length encoding. `flaw_out` is set only
 * with HEADER_MALFORMED. Fast enough to be called per packet on the hot path. */
enum header_result fixed_header_decode(struct span bytes, struct fixed_header *header_out,
				       const struct flaw **flaw_out) MUST_USE;

#endif
