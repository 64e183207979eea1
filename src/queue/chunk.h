/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run of queue entries without their messages, as small as it can be: within one segment of the
 * log, with queue positions in a row, and with few different options:
 *
 *     | offset u32 x capacity | option u8 x capacity |       options: qos, flags, identifier, ...
 *
 * Entries that do not fit that (resident ones above all) stand in plain chunks, in full.
 */
#ifndef NIGHTJAR_QUEUE_CHUNK_H
#define NIGHTJAR_QUEUE_CHUNK_H

#include "queue/pager.h"
#include "queue/queue.h"

/* Smaller where a few messages are to go all ways: the simulation is built so. A multiple of 8. */
#ifndef CHUNK_ENTRIES_MAX
#define CHUNK_ENTRIES_MAX 256
#endif
/* An option index that says: this entry is gone. */
#define CHUNK_GONE UINT8_MAX

struct chunk_option {
	uint32_t identifier;
	uint16_t membership;
	uint8_t qos;
	uint8_t flags;
};

struct queue_chunk {
	struct queue_chunk *next; /* a ring, see struct queue */
	union {
		uint32_t *offsets; /* compact; option indices behind them. NULL while paged out */
		struct queued *elements; /* plain */
	};
	struct chunk_option *options; /* compact */
	uint64_t first;               /* queue position of entry 0; 0 = they have none */
	uint64_t bytes;               /* of the messages of those that live */
	uint32_t segment;
	uint32_t page; /* + 1; 0 = it is in memory */
	uint16_t count;
	uint16_t capacity;
	uint16_t live; /* not gone */
	uint8_t option_count;
	uint8_t option_capacity;
	bool is_plain;
};

static inline struct queue_chunk *chunk_first(const struct queue *q)
{
	return q->last ? q->last->next : NULL;
}
static inline struct queue_chunk *chunk_next(const struct queue *q, const struct queue_chunk *chunk)
{
	return chunk == q->last ? NULL : chunk->next;
}

/* An empty one for an element like that; NULL without memory. */
struct queue_chunk *chunk_new(const struct queued *like) MUST_USE;
void chunk_free(struct queue_chunk *chunk, struct queue_pager *pager);
/* ERROR_LIMIT: it does not fit behind the others, start a new chunk. Takes over the reference. */
int chunk_push(struct queue_chunk *chunk, const struct queued *element,
	       struct queue_pager *pager) MUST_USE;
/* Entry i; false when it is gone. The chunk is in memory. */
bool chunk_at(const struct queue_chunk *chunk, uint32_t i, struct queued *element_out);
/* Entry i, which lives, is gone from now on; its reference is the caller's. */
void chunk_drop(struct queue_chunk *chunk, uint32_t i);
/* May it hold queue positions from `from` to `to`? */
bool chunk_overlaps(const struct queue_chunk *chunk, uint64_t from, uint64_t to);
/* Does this chunk hold, or could it hold, what stands there in the log? */
bool chunk_may_hold(const struct queue_chunk *chunk, uint64_t stored);
size_t chunk_memory(const struct queue_chunk *chunk);

/* Writes it to the file when the pager is over its budget and that saves something. */
void chunk_page_out(struct queue_chunk *chunk, struct queue_pager *pager);
/* Brings it back. 0 or ERROR_NO_MEMORY. */
int chunk_page_in(struct queue_chunk *chunk, struct queue_pager *pager) MUST_USE;
/* A view of it in memory without bringing it back: `bytes` holds it. */
const struct queue_chunk *chunk_view(const struct queue_chunk *chunk, struct queue_pager *pager,
				     struct queue_chunk *view, uint64_t bytes[PAGE_BYTES / 8]);

#endif
