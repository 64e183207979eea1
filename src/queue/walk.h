/* SPDX-License-Identifier: Apache-2.0 */
/* All that waits in a queue, one after the other, without changing it: for writing it down. */
#ifndef NIGHTJAR_QUEUE_WALK_H
#define NIGHTJAR_QUEUE_WALK_H

#include "queue/chunk.h"

struct queue_walk {
	const struct queue *queue;
	const struct queue_chunk *next;  /* after the one at hand */
	const struct queue_chunk *chunk; /* at hand, NULL while in the ring */
	uint32_t index;
	struct queue_chunk view;
	uint64_t page[PAGE_BYTES / 8]; /* where a chunk that is in a file is looked at */
};

/* The queue must not change until the walk is over. */
void queue_walk_start(struct queue_walk *w, const struct queue *q);
/* The next, oldest first; false at the end. Messages of resident entries are borrowed. Pushing the
 * same entries without their messages makes an equal queue. */
bool queue_walk_next(struct queue_walk *w, struct queued *element_out);

#endif
