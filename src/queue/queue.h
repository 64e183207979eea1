/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for one subscriber: messages of QoS 1 and 2 in the order in which they came, 16 bytes
 * each beside the shared message. A ring that grows by doubling and is given back when empty.
 */
#ifndef NIGHTJAR_QUEUE_QUEUE_H
#define NIGHTJAR_QUEUE_QUEUE_H

#include "queue/message.h"

struct queued {
	struct message *message;
	uint32_t identifier; /* Subscription Identifier, 0 = none */
	uint16_t membership; /* of a shared group: index + 1 among the session's; 0 = none */
	uint8_t qos;         /* to send with: the lower of publish and subscription */
	uint8_t flags;       /* QUEUED_... */
};

#define QUEUED_RETAIN 0x01 /* RETAIN is set when it is sent */
#define QUEUED_DUP 0x02    /* was sent before, to another member of a shared group perhaps */

struct queue {
	struct queued *ring;
	uint32_t capacity; /* power of two, or 0 */
	uint32_t head;     /* slot of the oldest */
	uint32_t count;
	uint64_t bytes; /* of the messages waiting, shared ones counted in full */
};

static inline void queue_init(struct queue *q)
{
	*q = (struct queue){0};
}
/* Drops everything. */
void queue_release(struct queue *q);

/* Would one more message of that size keep within the limits (0 = none)? */
bool queue_has_room(const struct queue *q, size_t message_bytes, uint32_t count_max,
		    uint64_t bytes_max);
/* Appends; takes over the caller's reference on success. 0 or ERROR_NO_MEMORY. */
int queue_push(struct queue *q, const struct queued *element) MUST_USE;
/* The oldest, or NULL; borrowed until the queue changes. */
const struct queued *queue_peek(const struct queue *q);
/* Takes the oldest out; the reference goes to the caller. False when empty. */
bool queue_pop(struct queue *q, struct queued *element_out);
/* The i-th oldest, i < count. */
struct queued *queue_at(const struct queue *q, uint32_t i);
/* Takes out all elements for which `wanted` holds, oldest first, handing each to `take` with its
 * reference; the rest keeps its order. */
void queue_extract(struct queue *q, bool (*wanted)(void *context, const struct queued *),
		   void (*take)(void *context, const struct queued *), void *context);

#endif
