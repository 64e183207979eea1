/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/queue.h"

#include "base/mem.h"
#include "queue/chunk.h"

#define QUEUE_CAPACITY_MIN 16

const struct queue queue_none = {0};

static struct queued *slot(const struct queue *q, uint32_t i)
{
	return &q->ring[(q->head + i) & (q->capacity - 1)];
}

static size_t resident_size(const struct queued *e)
{
	return e->message ? message_bytes(e->message) : 0;
}

static bool is_absent(const struct queued *e)
{
	return !e->message && !(e->flags & QUEUED_RELEASED);
}

static void count_in(struct queue *q, const struct queued *e)
{
	q->absent += is_absent(e);
	q->count++;
	q->bytes += e->bytes;
	q->resident_bytes += resident_size(e);
}

static void count_out(struct queue *q, const struct queued *e)
{
	q->absent -= is_absent(e);
	q->count--;
	q->bytes -= e->bytes;
	q->resident_bytes -= resident_size(e);
}

/* The ring. */

static int resize(struct queue *q, uint32_t capacity)
{
	struct queued *ring = mem_alloc(capacity * sizeof(*ring));
	if (!ring)
		return ERROR_NO_MEMORY;
	for (uint32_t i = 0; i < q->ring_count; i++)
		ring[i] = *slot(q, i);
	mem_free(q->ring);
	q->ring = ring;
	q->capacity = capacity;
	q->head = 0;
	return 0;
}

static int reserve(struct queue *q, uint32_t count)
{
	uint32_t capacity = q->capacity ? q->capacity : QUEUE_CAPACITY_MIN;
	while (capacity < q->ring_count + count)
		capacity *= 2;
	return capacity == q->capacity ? 0 : resize(q, capacity);
}

static void ring_free(struct queue *q)
{
	mem_free(q->ring);
	q->ring = NULL;
	q->capacity = 0;
	q->head = 0;
}

static void ring_shrink(struct queue *q)
{
	if (q->capacity <= QUEUE_CAPACITY_MIN)
		return;
	if (q->ring_count == 0)
		ring_free(q);
	else if (q->ring_count < q->capacity / 8)
		(void)!resize(q, q->capacity / 2); /* only saves memory: failing is harmless */
}

/* The chunks. */

static void unlink_first(struct queue *q)
{
	struct queue_chunk *chunk = q->last->next;
	if (chunk == q->last)
		q->last = NULL;
	else
		q->last->next = chunk->next;
	chunk_free(chunk, q->pager);
}

static void append_chunk(struct queue *q, struct queue_chunk *chunk)
{
	chunk->next = q->last ? q->last->next : chunk;
	if (q->last)
		q->last->next = chunk;
	q->last = chunk;
}

/* A new last chunk. The one that it closes may go to the file, unless its turn is near. */
static int push_chunk(struct queue *q, const struct queued *e)
{
	struct queue_chunk *chunk = chunk_new(e);
	int error = chunk ? chunk_push(chunk, e, q->pager) : ERROR_NO_MEMORY;
	if (error) {
		if (chunk)
			chunk_free(chunk, q->pager);
		return ERROR_NO_MEMORY;
	}
	if (q->last && q->last != chunk_first(q))
		chunk_page_out(q->last, q->pager);
	append_chunk(q, chunk);
	return 0;
}

static int push_behind(struct queue *q, const struct queued *e)
{
	int error = q->last ? chunk_push(q->last, e, q->pager) : ERROR_LIMIT;
	return error == ERROR_LIMIT ? push_chunk(q, e) : error;
}

/* Takes the first chunk into the ring. */
static int expand(struct queue *q)
{
	struct queue_chunk *chunk = chunk_first(q);
	struct queued e;
	int error = chunk_page_in(chunk, q->pager);
	if (!error && chunk->live > 0)
		error = reserve(q, chunk->live);
	if (error)
		return error;
	for (uint32_t i = 0; chunk->live > 0; i++) {
		if (!chunk_at(chunk, i, &e))
			continue;
		chunk_drop(chunk, i);
		*slot(q, q->ring_count++) = e;
	}
	unlink_first(q);
	return 0;
}

/* At least so many in the ring, if there are. */
static int advance(struct queue *q, uint32_t count)
{
	int error = 0;
	while (!error && q->ring_count < count && q->last)
		error = expand(q);
	return error;
}

/* In and out. */

static void drop(void *context, const struct queued *e)
{
	(void)context;
	if (e->message)
		message_unref(e->message);
}

void queue_release(struct queue *q)
{
	for (uint32_t i = 0; i < q->ring_count; i++)
		drop(NULL, slot(q, i));
	mem_free(q->ring);
	while (q->last) {
		struct queue_chunk *chunk = chunk_first(q);
		struct queued e;
		for (uint32_t i = 0; chunk->is_plain && i < chunk->count; i++)
			if (chunk_at(chunk, i, &e))
				drop(NULL, &e);
		unlink_first(q);
	}
	*q = (struct queue){.pager = q->pager};
}

bool queue_has_room(const struct queue *q, size_t message_bytes, uint32_t count_max,
		    uint64_t bytes_max)
{
	return (count_max == 0 || q->count < count_max) &&
	       (bytes_max == 0 || q->bytes + message_bytes <= bytes_max);
}

/* As it stands in the queue. */
static struct queued normal(const struct queued *element)
{
	struct queued e = *element;
	if (e.message) {
		size_t bytes = message_bytes(e.message);
		e.bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
		e.stored = e.stored ? e.stored : e.message->position;
	}
	e.flags &= (uint8_t)~QUEUED_FETCHING;
	return e;
}

int queue_push(struct queue *q, const struct queued *element)
{
	struct queued e = normal(element);
	int error;
	if (LIKELY(e.message && !q->last)) {
		error = q->ring_count < q->capacity ? 0 : reserve(q, 1);
		if (!error)
			*slot(q, q->ring_count++) = e;
	} else {
		error = push_behind(q, &e);
	}
	if (!error)
		count_in(q, &e);
	return error;
}

int queue_reserve_front(struct queue *q, uint32_t count)
{
	return reserve(q, count);
}

int queue_push_front(struct queue *q, const struct queued *element)
{
	int error = reserve(q, 1);
	if (error)
		return error;
	struct queued e = normal(element);
	q->head = (q->head - 1) & (q->capacity - 1);
	q->ring_count++;
	q->covered = 0; /* it is looked at once more, which is cheap */
	*slot(q, 0) = e;
	count_in(q, &e);
	return 0;
}

static uint64_t key_of(const struct queued *e, bool by_position)
{
	return by_position ? e->position : e->stored;
}

int queue_insert(struct queue *q, const struct queued *element)
{
	struct queued e = normal(element);
	bool by_position = e.position != 0;
	uint64_t key = key_of(&e, by_position);
	int error = 0;
	while (!error && q->last &&
	       (q->ring_count == 0 || key_of(slot(q, q->ring_count - 1), by_position) < key))
		error = expand(q);
	if (!error)
		error = reserve(q, 1);
	if (error)
		return error;
	uint32_t i = q->ring_count++;
	q->covered = 0;
	for (; i > 0 && key_of(slot(q, i - 1), by_position) > key; i--)
		*slot(q, i) = *slot(q, i - 1);
	*slot(q, i) = e;
	count_in(q, &e);
	return 0;
}

const struct queued *queue_peek(struct queue *q)
{
	if (q->ring_count == 0 && (!q->last || advance(q, 1)))
		return NULL;
	return q->ring_count ? slot(q, 0) : NULL;
}

bool queue_pop(struct queue *q, struct queued *element_out)
{
	if (!queue_peek(q))
		return false;
	*element_out = *slot(q, 0);
	q->head = (q->head + 1) & (q->capacity - 1);
	q->ring_count--;
	q->covered -= q->covered > 0;
	count_out(q, element_out);
	element_out->flags &= (uint8_t)~QUEUED_FETCHING;
	ring_shrink(q);
	return true;
}

struct queued *queue_at(const struct queue *q, uint32_t i)
{
	ASSERT(i < q->ring_count);
	return slot(q, i);
}

/* Out of the middle. */

static void extract_from_ring(struct queue *q, bool (*wanted)(void *, const struct queued *),
			      queue_take *take, void *wanted_context, void *context)
{
	uint32_t kept = 0;
	uint32_t count = q->ring_count;
	for (uint32_t i = 0; i < count; i++) {
		struct queued e = *slot(q, i);
		if (!wanted(wanted_context, &e)) {
			*slot(q, kept++) = e;
			continue;
		}
		count_out(q, &e);
		e.flags &= (uint8_t)~QUEUED_FETCHING;
		take(context, &e);
	}
	q->ring_count = kept;
	q->covered = 0;
}

/* One that can't be brought back for want of memory is left alone. */
static void extract_from_chunk(struct queue *q, struct queue_chunk *chunk,
			       bool (*wanted)(void *, const struct queued *), queue_take *take,
			       void *wanted_context, void *context)
{
	struct queued e;
	if (chunk_page_in(chunk, q->pager))
		return;
	for (uint32_t i = 0; i < chunk->count; i++) {
		if (!chunk_at(chunk, i, &e) || !wanted(wanted_context, &e))
			continue;
		chunk_drop(chunk, i);
		count_out(q, &e);
		take(context, &e);
	}
	if (chunk != chunk_first(q) && chunk != q->last)
		chunk_page_out(chunk, q->pager);
}

static void unlink_empty(struct queue *q)
{
	struct queue_chunk *end = q->last;
	struct queue_chunk *chunk = chunk_first(q);
	q->last = NULL;
	while (chunk) {
		struct queue_chunk *next = chunk == end ? NULL : chunk->next;
		if (chunk->live > 0)
			append_chunk(q, chunk);
		else
			chunk_free(chunk, q->pager);
		chunk = next;
	}
}

void queue_extract(struct queue *q, bool (*wanted)(void *context, const struct queued *),
		   queue_take *take, void *context)
{
	if (q->count == 0)
		return;
	extract_from_ring(q, wanted, take, context, context);
	for (struct queue_chunk *chunk = chunk_first(q); chunk; chunk = chunk_next(q, chunk))
		extract_from_chunk(q, chunk, wanted, take, context, context);
	unlink_empty(q);
}

struct range {
	uint64_t from;
	uint64_t to;
};

static bool is_in_range(void *context, const struct queued *e)
{
	const struct range *r = context;
	return e->position >= r->from && e->position <= r->to;
}

/* Is all of the ring outside? Entries without a position say nothing. */
static bool is_ring_outside(const struct queue *q, const struct range *r)
{
	if (q->ring_count == 0)
		return true;
	uint64_t oldest = slot(q, 0)->position, newest = slot(q, q->ring_count - 1)->position;
	return (oldest && oldest > r->to) || (newest && newest < r->from);
}

void queue_finish(struct queue *q, uint64_t from, uint64_t to, queue_take *take, void *context)
{
	struct range r = {from ? from : 1, to};
	bool has_emptied = false;
	if (!is_ring_outside(q, &r))
		extract_from_ring(q, is_in_range, take, &r, context);
	struct queue_chunk *chunk = chunk_first(q);
	/* what is refused is the newest: it is found without a walk */
	if (q->last && !q->last->is_plain && q->last->first && q->last->first <= r.from)
		chunk = q->last;
	for (; chunk; chunk = chunk_next(q, chunk)) {
		if (!chunk->is_plain && chunk->first > to)
			break;
		if (!chunk_overlaps(chunk, r.from, to))
			continue;
		extract_from_chunk(q, chunk, is_in_range, take, &r, context);
		has_emptied |= chunk->live == 0;
	}
	if (has_emptied)
		unlink_empty(q);
}

struct place {
	uint64_t stored;
	bool is_found;
	struct queued found;
};

static bool is_stored_there(void *context, const struct queued *e)
{
	struct place *place = context;
	return !place->is_found && e->stored == place->stored;
}

static void take_found(void *context, const struct queued *e)
{
	struct place *place = context;
	place->found = *e;
	place->is_found = true;
}

bool queue_take_stored(struct queue *q, uint64_t stored, struct queued *element_out)
{
	struct place place = {.stored = stored};
	if (q->count == 0)
		return false;
	if (q->ring_count > 0 && slot(q, 0)->stored == stored)
		return queue_pop(q, element_out);
	extract_from_ring(q, is_stored_there, take_found, &place, &place);
	struct queue_chunk *chunk = chunk_first(q);
	for (; chunk && !place.is_found; chunk = chunk_next(q, chunk)) {
		if (!chunk_may_hold(chunk, stored))
			continue;
		extract_from_chunk(q, chunk, is_stored_there, take_found, &place, &place);
		if (chunk->live == 0) {
			unlink_empty(q);
			break;
		}
	}
	if (place.is_found)
		*element_out = place.found;
	return place.is_found;
}

bool queue_mark_released(struct queue *q, uint64_t position)
{
	uint32_t i = 0;
	if (position == 0)
		return false;
	for (;; i++) {
		if (i == q->ring_count && (!q->last || advance(q, q->ring_count + 1)))
			return false;
		if (i == q->ring_count)
			return false;
		if (slot(q, i)->position == position)
			break;
		if (slot(q, i)->position > position)
			return false;
	}
	struct queued *e = slot(q, i);
	q->absent -= is_absent(e);
	q->resident_bytes -= resident_size(e);
	drop(NULL, e);
	e->message = NULL;
	e->flags |= QUEUED_RELEASED;
	e->flags &= (uint8_t)~QUEUED_FETCHING;
	return true;
}

/* Stored and resident. */

static void let_go(struct queue *q, struct queued *e)
{
	e->flags &= (uint8_t)~QUEUED_FETCHING;
	if (!e->message || !e->stored)
		return;
	q->resident_bytes -= resident_size(e);
	drop(NULL, e);
	e->message = NULL;
	q->absent += is_absent(e);
}

/* The ring as chunks in front of the others; without memory it stays as it is. */
static void ring_to_chunks(struct queue *q)
{
	struct queue chunks = {.pager = q->pager};
	for (uint32_t i = 0; i < q->ring_count; i++) {
		if (push_behind(&chunks, slot(q, i)) == 0)
			continue;
		while (chunks.last)
			unlink_first(&chunks);
		return;
	}
	if (q->last) {
		struct queue_chunk *first = chunks.last->next;
		chunks.last->next = q->last->next;
		q->last->next = first;
	} else {
		q->last = chunks.last;
	}
	q->ring_count = 0;
	ring_free(q);
}

void queue_store_all(struct queue *q)
{
	if (q->count == 0)
		return;
	q->covered = 0;
	for (uint32_t i = 0; i < q->ring_count; i++)
		let_go(q, slot(q, i));
	for (struct queue_chunk *chunk = chunk_first(q); chunk; chunk = chunk_next(q, chunk))
		for (uint32_t i = 0; chunk->is_plain && i < chunk->count; i++)
			if (chunk->elements[i].qos != CHUNK_GONE)
				let_go(q, &chunk->elements[i]);
	if (q->ring_count > 0)
		ring_to_chunks(q);
}

bool queue_wants_fetch(const struct queue *q, uint32_t ahead, uint32_t max)
{
	if (q->absent == 0 || q->count == q->covered)
		return false;
	return q->covered == 0 || q->covered + max <= ahead;
}

uint32_t queue_fetch(struct queue *q, uint32_t ahead, uint64_t *positions_out, uint32_t max)
{
	uint32_t count = 0;
	(void)!advance(q, ahead); /* fewer without memory */
	uint32_t i = q->covered;
	for (; i < q->ring_count && i < ahead && count < max; i++) {
		struct queued *e = slot(q, i);
		if (e->message || !e->stored || e->flags & (QUEUED_FETCHING | QUEUED_RELEASED))
			continue;
		e->flags |= QUEUED_FETCHING;
		positions_out[count++] = e->stored;
	}
	q->covered = i;
	return count;
}

void queue_unfetch(struct queue *q, uint64_t stored)
{
	q->covered = 0;
	for (uint32_t i = 0; i < q->ring_count; i++)
		if (slot(q, i)->stored == stored)
			slot(q, i)->flags &= (uint8_t)~QUEUED_FETCHING;
}

static bool fill(struct queue *q, uint32_t i, uint64_t stored, struct message *m)
{
	struct queued *e = slot(q, i);
	if (e->stored != stored || e->message || e->flags & QUEUED_RELEASED)
		return false;
	e->message = m;
	e->flags &= (uint8_t)~QUEUED_FETCHING;
	q->resident_bytes += message_bytes(m);
	q->absent--;
	return true;
}

bool queue_fill(struct queue *q, uint64_t stored, struct message *m, uint32_t *hint)
{
	uint32_t start = *hint < q->ring_count ? *hint : 0;
	for (uint32_t n = 0; n < q->ring_count; n++) {
		uint32_t i = start + n < q->ring_count ? start + n : start + n - q->ring_count;
		if (fill(q, i, stored, m)) {
			*hint = i + 1;
			return true;
		}
	}
	return false;
}

size_t queue_memory(const struct queue *q)
{
	size_t bytes = q->capacity * sizeof(*q->ring);
	for (const struct queue_chunk *chunk = chunk_first(q); chunk; chunk = chunk_next(q, chunk))
		bytes += chunk->page || chunk->capacity == 0 ? sizeof(*chunk) : chunk_memory(chunk);
	return bytes;
}
