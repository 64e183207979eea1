/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for one subscriber, in the order in which it came. An entry is resident (it holds its
 * message) or stored (the message is in the log and is read back when its turn comes):
 *
 *      ring                       chunks
 *     | entry | entry | ... | -> | 256 stored | 256 stored | ... | a few that can't be stored |
 *       oldest                     about 5.5 bytes each
 *
 * The ring grows by doubling and is given back when empty. Chunks stand behind it as soon as one
 * entry is stored; they are taken into the ring one by one when it has run empty. With a pager
 * (queue/pager.h) full chunks wait in a file.
 *
 * Entries may have queue positions: ascending numbers, from which packet ids follow. Those that
 * have them stand in their order.
 */
#ifndef NIGHTJAR_QUEUE_QUEUE_H
#define NIGHTJAR_QUEUE_QUEUE_H

#include "queue/message.h"

struct queued {
	struct message *message; /* NULL: stored only, or not needed any more (released) */
	uint64_t stored;         /* position of the message in the log, 0 = it is in none */
	uint64_t position;       /* queue position, 0 = none */
	uint32_t identifier;     /* Subscription Identifier, 0 = none; see QUEUED_IDENTIFIERS */
	uint32_t bytes;          /* of the message, for limits; set here while it is resident */
	uint16_t membership;     /* of a shared group: index + 1 among the session's; 0 = none */
	uint8_t qos;             /* to send with: the lower of publish and subscription */
	uint8_t flags;           /* QUEUED_... */
};

#define QUEUED_RETAIN 0x01      /* RETAIN is set when it is sent */
#define QUEUED_DUP 0x02         /* was sent before, to another member of a group perhaps */
#define QUEUED_RELEASED 0x04    /* PUBREC came: only PUBREL is left, without the message */
#define QUEUED_IDENTIFIERS 0x08 /* `identifier` is an index into the session's table of sets */
#define QUEUED_FETCHING 0x10    /* being read from the log; the queue's own */
#define QUEUED_WAS_QOS_2 0x40   /* of a group's message: so it was published, whatever `qos` */

struct queue_chunk;
struct queue_pager;

struct queue {
	struct queued *ring;
	uint32_t capacity; /* power of two, or 0 */
	uint32_t head;     /* slot of the oldest */
	uint32_t ring_count;
	uint32_t count;            /* all that wait */
	uint32_t absent;           /* of them: without the message that they need */
	uint32_t covered;          /* so many at the front need not be asked for (queue_fetch) */
	uint64_t bytes;            /* of all their messages, shared ones counted in full */
	uint64_t resident_bytes;   /* of those that are in memory */
	struct queue_chunk *last;  /* its `next` is the first one */
	struct queue_pager *pager; /* borrowed; NULL = chunks stay in memory */
};

static inline void queue_init(struct queue *q)
{
	*q = (struct queue){0};
}
/* One that is empty, for all who have none of their own yet; nothing may be put into it. */
extern const struct queue queue_none;
static inline struct queue *queue_empty(void)
{
	return (struct queue *)(uintptr_t)&queue_none; /* looking and taking out change nothing */
}
/* Drops everything; the pager stays set. */
void queue_release(struct queue *q);

/* Would one more message of that size keep within the limits (0 = none)? */
bool queue_has_room(const struct queue *q, size_t message_bytes, uint32_t count_max,
		    uint64_t bytes_max);
/* Appends, resident with a message and stored without one (`stored` and `bytes` are then the
 * caller's to say). Takes over the caller's reference on success. 0 or ERROR_NO_MEMORY. */
int queue_push(struct queue *q, const struct queued *element) MUST_USE;
/* As queue_push, but before all others. */
int queue_push_front(struct queue *q, const struct queued *element) MUST_USE;
/* Room in front for so many: then queue_push_front can't fail for them. */
int queue_reserve_front(struct queue *q, uint32_t count) MUST_USE;
/* As queue_push, but to its place by queue position, or by `stored` where it has none. */
int queue_insert(struct queue *q, const struct queued *element) MUST_USE;
/* The oldest; borrowed until the queue changes. NULL when empty, or without the memory to get it:
 * then `count` tells. */
const struct queued *queue_peek(struct queue *q);
/* Takes the oldest out; the reference goes to the caller. False as in queue_peek. */
bool queue_pop(struct queue *q, struct queued *element_out);
/* The i-th oldest of the ring, i < ring_count. */
struct queued *queue_at(const struct queue *q, uint32_t i);

/* Those that are taken out are handed over with their reference, if they are resident. */
typedef void queue_take(void *context, const struct queued *);
/* Takes out all elements for which `wanted` holds, oldest first; the rest keeps its order. */
void queue_extract(struct queue *q, bool (*wanted)(void *context, const struct queued *),
		   queue_take *take, void *context);
/* Takes out all with queue positions `from` to `to`, wherever they stand. */
void queue_finish(struct queue *q, uint64_t from, uint64_t to, queue_take *take, void *context);
/* Takes out the oldest whose message is at `stored` in the log; false when there is none. */
bool queue_take_stored(struct queue *q, uint64_t stored, struct queued *element_out);
/* PUBREC came for it: lets its message go. False: there is no such entry. */
bool queue_mark_released(struct queue *q, uint64_t position);

/* All resident entries whose message is in the log become stored: their messages are let go. */
void queue_store_all(struct queue *q);
/* Positions of up to `max` messages to be read next, among the first `ahead` entries; they count
 * as being read until they are filled, given up or queue_store_all. Returns how many. */
uint32_t queue_fetch(struct queue *q, uint32_t ahead, uint64_t *positions_out, uint32_t max);
/* Could queue_fetch give `max` at once, or is the oldest one not asked for yet? */
bool queue_wants_fetch(const struct queue *q, uint32_t ahead, uint32_t max);
/* It could not be read now: it is to be asked for again. */
void queue_unfetch(struct queue *q, uint64_t stored);
/* A message that was read: takes over the reference when the queue still has use for it. `hint`
 * speeds up the search for the next one; it starts as 0. */
bool queue_fill(struct queue *q, uint64_t stored, struct message *m, uint32_t *hint);

/* Heap held by the queue itself, without the messages. */
size_t queue_memory(const struct queue *q);

#endif
