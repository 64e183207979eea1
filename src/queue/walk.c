/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/walk.h"

void queue_walk_start(struct queue_walk *w, const struct queue *q)
{
	w->queue = q;
	w->next = chunk_first(q);
	w->chunk = NULL;
	w->index = 0;
}

static bool next_chunk(struct queue_walk *w)
{
	if (!w->next)
		return false;
	w->chunk = chunk_view(w->next, w->queue->pager, &w->view, w->page);
	w->next = chunk_next(w->queue, w->next);
	w->index = 0;
	return true;
}

bool queue_walk_next(struct queue_walk *w, struct queued *element_out)
{
	if (!w->chunk && w->index < w->queue->ring_count) {
		*element_out = *queue_at(w->queue, w->index++);
		element_out->flags &= (uint8_t)~QUEUED_FETCHING;
		return true;
	}
	do {
		while (w->chunk && w->index < w->chunk->count)
			if (chunk_at(w->chunk, w->index++, element_out))
				return true;
	} while (next_chunk(w));
	return false;
}
