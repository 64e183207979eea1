/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes on their way out: a list of chunks. Small packets are copied into chunks from the shard's
 * pool; large payloads are referred to and not copied, whatever the fan-out.
 */
#ifndef NIGHTJAR_BROKER_OUTPUT_H
#define NIGHTJAR_BROKER_OUTPUT_H

#include "base/base.h"
#include "queue/message.h"

struct chunk {
	struct chunk *next;
	struct message *message; /* payload by reference; NULL = bytes of our own */
	const uint8_t *ptr;      /* what is to be written next */
	uint32_t len;            /* of it */
	uint32_t capacity;       /* of bytes[] */
	uint8_t bytes[];
};

#define CHUNK_BYTES (16384 - sizeof(struct chunk)) /* a few of them are a turn's worth */
#define CHUNKS_POOLED_MAX 256                      /* 4 MiB a shard: what a busy turn uses */
/* Payloads from this size on are referred to: below, the copy costs less than the part. */
#define OUTPUT_SHARE_BYTES 4096

struct chunk_pool {
	struct chunk *free;
	uint32_t count;
	uint64_t bytes_unsent; /* in all outputs that use this pool */
};
void chunk_pool_release(struct chunk_pool *p);

struct output {
	struct chunk *first;
	struct chunk *last;
	uint64_t bytes; /* not yet written */
};

/* Contiguous room of at least `len` bytes at the end; NULL without memory. */
uint8_t *output_reserve_slow(struct output *o, struct chunk_pool *p, size_t len);
static inline uint8_t *output_reserve(struct output *o, struct chunk_pool *p, size_t len)
{
	struct chunk *c = o->last;
	if (LIKELY(c && !c->message)) {
		uint8_t *end = (uint8_t *)(uintptr_t)c->ptr + c->len;
		if (LIKELY((size_t)(c->bytes + c->capacity - end) >= len))
			return end;
	}
	return output_reserve_slow(o, p, len);
}
/* `len` bytes were written into the reserved room. */
static inline void output_commit(struct output *o, struct chunk_pool *p, size_t len)
{
	p->bytes_unsent += len;
	o->last->len += (uint32_t)len;
	o->bytes += len;
}
/* Appends the message's payload by reference. 0 or ERROR_NO_MEMORY. */
int output_share(struct output *o, struct chunk_pool *p, struct message *message) MUST_USE;
/* Fills `parts` with what is to be written; returns their number. */
unsigned output_parts(const struct output *o, struct span *parts, unsigned parts_max);
/* That many bytes were written. */
void output_consume(struct output *o, struct chunk_pool *p, size_t len);
void output_release(struct output *o, struct chunk_pool *p);

#endif
