/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable run of bytes: written at the end, read at the start. Gives its memory back when told.
 *
 *     ptr        ptr+start      ptr+end        ptr+capacity
 *      |  consumed  |  content     |   room        |
 */
#ifndef NIGHTJAR_BASE_BUFFER_H
#define NIGHTJAR_BASE_BUFFER_H

#include "base/base.h"

struct buffer {
	uint8_t *ptr;
	uint32_t start;
	uint32_t end;
	uint32_t capacity; /* bytes; at most BUFFER_BYTES_MAX */
};

#define BUFFER_BYTES_MAX ((uint32_t)1 << 30)

static inline size_t buffer_len(const struct buffer *b)
{
	return b->end - b->start;
}

static inline struct span buffer_content(const struct buffer *b)
{
	/* no sum with a null pointer */
	return span_of(b->ptr ? b->ptr + b->start : NULL, b->end - b->start);
}

static inline struct room buffer_room(const struct buffer *b)
{
	return (struct room){b->ptr ? b->ptr + b->end : NULL, b->capacity - b->end};
}

/* Makes room for `len` more bytes, by moving the content or by growth (doubling).
 * 0, ERROR_NO_MEMORY or ERROR_LIMIT; the content is untouched on error. */
int buffer_reserve(struct buffer *b, size_t len) MUST_USE;
/* Appends; errors as buffer_reserve. */
int buffer_append(struct buffer *b, struct span bytes) MUST_USE;
/* Bytes were written into buffer_room(). */
static inline void buffer_commit(struct buffer *b, size_t len)
{
	ASSERT(len <= b->capacity - b->end);
	b->end += (uint32_t)len;
}
/* Drops bytes at the start. */
static inline void buffer_consume(struct buffer *b, size_t len)
{
	ASSERT(len <= b->end - b->start);
	b->start += (uint32_t)len;
	if (b->start == b->end)
		b->start = b->end = 0;
}
/* Frees the memory; the buffer is empty and usable. */
void buffer_release(struct buffer *b);

#endif
