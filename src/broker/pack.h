/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as bytes, as records and snapshots hold them: little-endian, small numbers short.
 *
 *     u8, u16, u64   fixed
 *     number         seven bits a byte, the lowest first, the highest bit says that more follow;
 *                    never longer than needed
 *     bytes          their length as a number, then they themselves
 *
 * A packer without room only counts: what is written and its size come from one function.
 */
#ifndef NIGHTJAR_BROKER_PACK_H
#define NIGHTJAR_BROKER_PACK_H

#include "base/base.h"

#define PACK_NUMBER_BYTES_MAX 10

struct packer {
	uint8_t *ptr; /* where the next byte goes; NULL = only count */
	size_t len;   /* so far */
};

static inline void pack_raw(struct packer *p, struct span bytes)
{
	if (p->ptr && bytes.len > 0) {
		memcpy(p->ptr, bytes.ptr, bytes.len);
		p->ptr += bytes.len;
	}
	p->len += bytes.len;
}

static inline void pack_u8(struct packer *p, uint8_t value)
{
	if (p->ptr)
		*p->ptr++ = value;
	p->len++;
}

static inline void pack_u16(struct packer *p, uint16_t value)
{
	uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
	pack_raw(p, span_of(bytes, sizeof(bytes)));
}

static inline void pack_u64(struct packer *p, uint64_t value)
{
	uint8_t bytes[8];
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	pack_raw(p, span_of(bytes, sizeof(bytes)));
}

static inline void pack_number(struct packer *p, uint64_t value)
{
	for (; value >= 128; value >>= 7)
		pack_u8(p, (uint8_t)(value | 128));
	pack_u8(p, (uint8_t)value);
}

static inline void pack_bytes(struct packer *p, struct span bytes)
{
	pack_number(p, bytes.len);
	pack_raw(p, bytes);
}

/* Reads what a packer wrote. The first thing that is not there, or not as a packer writes it,
 * makes it fail for good; what is read after it is 0 and empty. */
struct unpacker {
	const uint8_t *ptr;
	const uint8_t *end;
	bool is_failed;
};

static inline struct unpacker unpacker_of(struct span bytes)
{
	/* no sum with a null pointer */
	return (struct unpacker){bytes.ptr, bytes.ptr ? bytes.ptr + bytes.len : NULL, false};
}

static inline size_t unpack_left(const struct unpacker *u)
{
	return (size_t)(u->end - u->ptr);
}

static inline void unpack_fail(struct unpacker *u)
{
	u->is_failed = true;
	u->ptr = u->end;
}

static inline struct span unpack_raw(struct unpacker *u, uint64_t len)
{
	if (UNLIKELY(unpack_left(u) < len)) {
		unpack_fail(u);
		return SPAN_NONE;
	}
	struct span bytes = span_of(u->ptr, (size_t)len);
	u->ptr = len > 0 ? u->ptr + len : u->ptr;
	return bytes;
}

static inline struct span unpack_rest(struct unpacker *u)
{
	return unpack_raw(u, unpack_left(u));
}

static inline uint8_t unpack_u8(struct unpacker *u)
{
	struct span byte = unpack_raw(u, 1);
	return byte.len ? byte.ptr[0] : 0;
}

static inline uint16_t unpack_u16(struct unpacker *u)
{
	struct span bytes = unpack_raw(u, 2);
	return bytes.len ? (uint16_t)(bytes.ptr[0] | (unsigned)bytes.ptr[1] << 8) : 0;
}

static inline uint64_t unpack_u64(struct unpacker *u)
{
	uint64_t value = 0;
	struct span bytes = unpack_raw(u, 8);
	for (size_t i = bytes.len; i-- > 0;)
		value = value << 8 | bytes.ptr[i];
	return value;
}

/* One of at most `max`. */
static inline uint64_t unpack_number(struct unpacker *u, uint64_t max)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 7 * PACK_NUMBER_BYTES_MAX; shift += 7) {
		uint8_t byte = unpack_u8(u);
		uint64_t part = byte & 127;
		bool fits = part << shift >> shift == part;
		if (u->is_failed || !fits || (byte == 0 && shift > 0))
			break;
		value |= part << shift;
		if (byte & 128)
			continue;
		if (value <= max)
			return value;
		break;
	}
	unpack_fail(u);
	return 0;
}

static inline struct span unpack_bytes(struct unpacker *u, uint64_t len_max)
{
	return unpack_raw(u, unpack_number(u, len_max));
}

static inline bool unpack_is_done(const struct unpacker *u)
{
	return !u->is_failed && u->ptr == u->end;
}

#endif
