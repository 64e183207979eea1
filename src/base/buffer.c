/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include "base/mem.h"

#define BUFFER_BYTES_MIN 256 /* smaller than that, growth costs more calls than it saves bytes */

int buffer_reserve(struct buffer *b, size_t len)
{
	size_t content = b->end - b->start;
	if (len <= (size_t)(b->capacity - b->end))
		return 0;
	if (len > BUFFER_BYTES_MAX || content + len > BUFFER_BYTES_MAX)
		return ERROR_LIMIT;
	/* Moving more than half would cost more than the room that it gains, again and again. */
	bool may_move = content <= b->capacity / 2 || b->capacity == BUFFER_BYTES_MAX;
	if (content + len <= b->capacity && may_move) {
		memmove(b->ptr, b->ptr + b->start, content);
		b->start = 0;
		b->end = (uint32_t)content;
		return 0;
	}
	size_t capacity = b->capacity ? (size_t)b->capacity * 2 : BUFFER_BYTES_MIN;
	while (capacity < content + len)
		capacity *= 2;
	uint8_t *ptr = mem_alloc(capacity);
	if (!ptr)
		return ERROR_NO_MEMORY;
	if (content > 0)
		memcpy(ptr, b->ptr + b->start, content);
	mem_free(b->ptr);
	*b = (struct buffer){.ptr = ptr, .end = (uint32_t)content, .capacity = (uint32_t)capacity};
	return 0;
}

int buffer_append(struct buffer *b, struct span bytes)
{
	int error = buffer_reserve(b, bytes.len);
	if (error)
		return error;
	if (bytes.len > 0)
		memcpy(b->ptr + b->end, bytes.ptr, bytes.len);
	b->end += (uint32_t)bytes.len;
	return 0;
}

void buffer_release(struct buffer *b)
{
	mem_free(b->ptr);
	*b = (struct buffer){0};
}
