/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/queue.h"

#include "base/mem.h"

#define QUEUE_CAPACITY_MIN 16

static struct queued *slot(const struct queue *q, uint32_t i)
{
	return &q->ring[(q->head + i) & (q->capacity - 1)];
}

void queue_release(struct queue *q)
{
	for (uint32_t i = 0; i < q->count; i++)
		message_unref(slot(q, i)->message);
	mem_free(q->ring);
	*q = (struct queue){0};
}

bool queue_has_room(const struct queue *q, size_t message_bytes, uint32_t count_max,
		    uint64_t bytes_max)
{
	return (count_max == 0 || q->count < count_max) &&
	       (bytes_max == 0 || q->bytes + message_bytes <= bytes_max);
}

static int resize(struct queue *q, uint32_t capacity)
{
	struct queued *ring = mem_alloc(capacity * sizeof(*ring));
	if (!ring)
		return ERROR_NO_MEMORY;
	for (uint32_t i = 0; i < q->count; i++)
		ring[i] = *slot(q, i);
	mem_free(q->ring);
	q->ring = ring;
	q->capacity = capacity;
	q->head = 0;
	return 0;
}

int queue_push(struct queue *q, const struct queued *element)
{
	if (q->count == q->capacity) {
		int error = resize(q, q->capacity ? q->capacity * 2 : QUEUE_CAPACITY_MIN);
		if (error)
			return error;
	}
	*slot(q, q->count++) = *element;
	q->bytes += message_bytes(element->message);
	return 0;
}

const struct queued *queue_peek(const struct queue *q)
{
	return q->count ? slot(q, 0) : NULL;
}

bool queue_pop(struct queue *q, struct queued *element_out)
{
	if (q->count == 0)
		return false;
	*element_out = *slot(q, 0);
	q->head = (q->head + 1) & (q->capacity - 1);
	q->count--;
	q->bytes -= message_bytes(element_out->message);
	if (q->count == 0 && q->capacity > QUEUE_CAPACITY_MIN) {
		mem_free(q->ring);
		*q = (struct queue){0};
	} else if (q->capacity > QUEUE_CAPACITY_MIN && q->count < q->capacity / 8) {
		(void)!resize(q, q->capacity / 2); /* only saves memory: failing is harmless */
	}
	return true;
}

struct queued *queue_at(const struct queue *q, uint32_t i)
{
	ASSERT(i < q->count);
	return slot(q, i);
}

void queue_extract(struct queue *q, bool (*wanted)(void *context, const struct queued *),
		   void (*take)(void *context, const struct queued *), void *context)
{
	uint32_t kept = 0;
	uint32_t count = q->count;
	for (uint32_t i = 0; i < count; i++) {
		struct queued element = *slot(q, i);
		if (!wanted(context, &element)) {
			*slot(q, kept++) = element;
			continue;
		}
		q->bytes -= message_bytes(element.message);
		take(context, &element);
	}
	q->count = kept;
}
