/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/output.h"

#include "base/mem.h"

static void chunk_put(struct chunk_pool *p, struct chunk *c)
{
	if (c->message)
		message_unref(c->message);
	if (c->capacity != CHUNK_BYTES || p->count >= CHUNKS_POOLED_MAX) {
		mem_free(c);
		return;
	}
	c->next = p->free;
	p->free = c;
	p->count++;
}

static struct chunk *chunk_get(struct chunk_pool *p, size_t len)
{
	struct chunk *c = p->free;
	if (c && len <= CHUNK_BYTES) {
		p->free = c->next;
		p->count--;
	} else {
		size_t capacity = len <= CHUNK_BYTES ? CHUNK_BYTES : len;
		c = mem_alloc(sizeof(*c) + capacity);
		if (!c)
			return NULL;
		c->capacity = (uint32_t)capacity;
	}
	c->next = NULL;
	c->message = NULL;
	c->ptr = c->bytes;
	c->len = 0;
	return c;
}

void chunk_pool_release(struct chunk_pool *p)
{
	while (p->free) {
		struct chunk *c = p->free;
		p->free = c->next;
		mem_free(c);
	}
	p->count = 0;
}

static void append(struct output *o, struct chunk *c)
{
	if (o->last)
		o->last->next = c;
	else
		o->first = c;
	o->last = c;
}

uint8_t *output_reserve_slow(struct output *o, struct chunk_pool *p, size_t len)
{
	struct chunk *c = chunk_get(p, len);
	if (!c)
		return NULL;
	append(o, c);
	return c->bytes;
}

int output_share(struct output *o, struct chunk_pool *p, struct message *message)
{
	struct chunk *c = mem_alloc(sizeof(*c));
	if (!c)
		return ERROR_NO_MEMORY;
	struct span payload = message_payload(message);
	*c = (struct chunk){
		.message = message_ref(message), .ptr = payload.ptr, .len = (uint32_t)payload.len};
	append(o, c);
	o->bytes += payload.len;
	p->bytes_unsent += payload.len;
	return 0;
}

unsigned output_parts(const struct output *o, struct span *parts, unsigned parts_max)
{
	unsigned count = 0;
	for (struct chunk *c = o->first; c && count < parts_max; c = c->next)
		if (c->len > 0)
			parts[count++] = span_of(c->ptr, c->len);
	return count;
}

void output_consume(struct output *o, struct chunk_pool *p, size_t len)
{
	o->bytes -= len;
	p->bytes_unsent -= len;
	while (o->first) {
		struct chunk *c = o->first;
		if (len < c->len) {
			c->ptr += len;
			c->len -= (uint32_t)len;
			return;
		}
		len -= c->len;
		o->first = c->next;
		if (!o->first)
			o->last = NULL;
		chunk_put(p, c);
	}
}

void output_release(struct output *o, struct chunk_pool *p)
{
	p->bytes_unsent -= o->bytes;
	while (o->first) {
		struct chunk *c = o->first;
		o->first = c->next;
		chunk_put(p, c);
	}
	*o = (struct output){0};
}
