/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/chunk.h"

#include "base/mem.h"

#define CAPACITY_MIN 8
#define OPTIONS_MIN 2
#define OPTIONS_MAX (CHUNK_GONE - 1)
#define ENTRY_BYTES (sizeof(uint32_t) + 1)

static uint8_t *indices(const struct queue_chunk *chunk)
{
	return (uint8_t *)(chunk->offsets + chunk->capacity);
}

/* One that stands in the log, or needs no message: then it has no place there. */
static bool fits_compact(const struct queued *e)
{
	return !e->message && ((uint32_t)e->stored != 0 || e->stored == 0);
}

struct queue_chunk *chunk_new(const struct queued *like)
{
	struct queue_chunk *chunk = mem_zalloc(sizeof(*chunk));
	if (!chunk)
		return NULL;
	chunk->is_plain = !fits_compact(like);
	chunk->segment = (uint32_t)(like->stored >> 32);
	chunk->first = like->position;
	return chunk;
}

void chunk_free(struct queue_chunk *chunk, struct queue_pager *pager)
{
	if (pager) {
		if (chunk->page)
			pager_free_page(pager, chunk->page - 1);
		pager->bytes -= chunk_memory(chunk);
	}
	mem_free(chunk->offsets);
	mem_free(chunk->options);
	mem_free(chunk);
}

size_t chunk_memory(const struct queue_chunk *chunk)
{
	if (chunk->page || chunk->capacity == 0)
		return 0; /* what is left of it then can't be paged out: no business of a pager */
	if (chunk->is_plain)
		return sizeof(*chunk) + chunk->capacity * sizeof(struct queued);
	return sizeof(*chunk) + chunk->capacity * ENTRY_BYTES +
	       chunk->option_capacity * sizeof(struct chunk_option);
}

static int grow_plain(struct queue_chunk *chunk, uint16_t capacity)
{
	struct queued *elements = mem_realloc(chunk->elements, capacity * sizeof(*elements));
	if (!elements)
		return ERROR_NO_MEMORY;
	chunk->elements = elements;
	chunk->capacity = capacity;
	return 0;
}

static int grow_compact(struct queue_chunk *chunk, uint16_t capacity)
{
	uint32_t *offsets = mem_alloc(capacity * ENTRY_BYTES);
	if (!offsets)
		return ERROR_NO_MEMORY;
	if (chunk->count > 0) {
		memcpy(offsets, chunk->offsets, chunk->count * sizeof(*offsets));
		memcpy(offsets + capacity, indices(chunk), chunk->count);
	}
	mem_free(chunk->offsets);
	chunk->offsets = offsets;
	chunk->capacity = capacity;
	return 0;
}

static int grow(struct queue_chunk *chunk)
{
	uint16_t capacity = chunk->capacity ? chunk->capacity * 2 : CAPACITY_MIN;
	if (capacity > CHUNK_ENTRIES_MAX)
		return ERROR_LIMIT;
	return chunk->is_plain ? grow_plain(chunk, capacity) : grow_compact(chunk, capacity);
}

static int add_option(struct queue_chunk *chunk, const struct chunk_option *wanted)
{
	if (chunk->option_count == OPTIONS_MAX)
		return ERROR_LIMIT;
	if (chunk->option_count == chunk->option_capacity) {
		unsigned capacity =
			chunk->option_capacity ? chunk->option_capacity * 2u : OPTIONS_MIN;
		if (capacity > OPTIONS_MAX)
			capacity = OPTIONS_MAX;
		struct chunk_option *options =
			mem_realloc(chunk->options, capacity * sizeof(*options));
		if (!options)
			return ERROR_NO_MEMORY;
		chunk->options = options;
		chunk->option_capacity = (uint8_t)capacity;
	}
	chunk->options[chunk->option_count] = *wanted;
	return chunk->option_count++;
}

/* The newest is the likeliest. */
static int option_of(struct queue_chunk *chunk, const struct queued *e)
{
	struct chunk_option wanted = {e->identifier, e->membership, e->qos, e->flags};
	for (int i = chunk->option_count; i-- > 0;)
		if (memcmp(&chunk->options[i], &wanted, sizeof(wanted)) == 0)
			return i;
	return add_option(chunk, &wanted);
}

static bool continues(const struct queue_chunk *chunk, const struct queued *e)
{
	if (chunk->is_plain || chunk->page)
		return chunk->is_plain && !fits_compact(e);
	uint64_t expected = chunk->first ? chunk->first + chunk->count : 0;
	return fits_compact(e) && e->position == expected &&
	       (e->stored == 0 || e->stored >> 32 == chunk->segment);
}

static int push(struct queue_chunk *chunk, const struct queued *e)
{
	int option = 0;
	if (!continues(chunk, e))
		return ERROR_LIMIT;
	if (chunk->count == chunk->capacity) {
		int error = grow(chunk);
		if (error)
			return error;
	}
	if (chunk->is_plain) {
		chunk->elements[chunk->count] = *e;
	} else {
		option = option_of(chunk, e);
		if (option < 0)
			return option;
		chunk->offsets[chunk->count] = (uint32_t)e->stored;
		indices(chunk)[chunk->count] = (uint8_t)option;
	}
	chunk->count++;
	chunk->live++;
	chunk->bytes += e->bytes;
	return 0;
}

int chunk_push(struct queue_chunk *chunk, const struct queued *element, struct queue_pager *pager)
{
	size_t before = chunk_memory(chunk);
	int error = push(chunk, element);
	if (pager)
		pager->bytes += chunk_memory(chunk) - before;
	return error;
}

/* Sizes are kept per chunk: each entry counts as the average of those that are left. */
static uint32_t share_of_bytes(const struct queue_chunk *chunk)
{
	uint64_t share = chunk->bytes / chunk->live;
	return share > UINT32_MAX ? UINT32_MAX : (uint32_t)share;
}

bool chunk_at(const struct queue_chunk *chunk, uint32_t i, struct queued *out)
{
	if (chunk->is_plain) {
		*out = chunk->elements[i];
		return out->qos != CHUNK_GONE;
	}
	uint8_t index = indices(chunk)[i];
	if (index == CHUNK_GONE)
		return false;
	const struct chunk_option *o = &chunk->options[index];
	uint32_t offset = chunk->offsets[i];
	*out = (struct queued){.stored = offset ? (uint64_t)chunk->segment << 32 | offset : 0,
			       .position = chunk->first ? chunk->first + i : 0,
			       .identifier = o->identifier,
			       .bytes = share_of_bytes(chunk),
			       .membership = o->membership,
			       .qos = o->qos,
			       .flags = o->flags};
	return true;
}

void chunk_drop(struct queue_chunk *chunk, uint32_t i)
{
	if (chunk->is_plain) {
		chunk->bytes -= chunk->elements[i].bytes;
		chunk->elements[i].message = NULL;
		chunk->elements[i].qos = CHUNK_GONE;
	} else {
		chunk->bytes -= share_of_bytes(chunk);
		indices(chunk)[i] = CHUNK_GONE;
	}
	chunk->live--;
}

bool chunk_overlaps(const struct queue_chunk *chunk, uint64_t from, uint64_t to)
{
	if (chunk->is_plain)
		return true;
	return chunk->first && chunk->first <= to && from < chunk->first + chunk->count;
}

bool chunk_may_hold(const struct queue_chunk *chunk, uint64_t stored)
{
	return chunk->is_plain || chunk->segment == stored >> 32;
}

/* On a page: offsets, indices, options, without gaps. Only of full chunks. */
static size_t page_len(const struct queue_chunk *chunk)
{
	return CHUNK_ENTRIES_MAX * ENTRY_BYTES + chunk->option_count * sizeof(struct chunk_option);
}

void chunk_page_out(struct queue_chunk *chunk, struct queue_pager *pager)
{
	uint8_t bytes[PAGE_BYTES];
	size_t len = CHUNK_ENTRIES_MAX * ENTRY_BYTES;
	uint32_t page;
	if (!pager_is_over(pager) || chunk->is_plain || chunk->page ||
	    chunk->count < CHUNK_ENTRIES_MAX || page_len(chunk) > PAGE_BYTES)
		return;
	memcpy(bytes, chunk->offsets, len);
	memcpy(bytes + len, chunk->options, page_len(chunk) - len);
	if (pager_write(pager, span_of(bytes, page_len(chunk)), &page))
		return; /* it stays in memory then */
	pager->bytes -= chunk_memory(chunk);
	mem_free(chunk->offsets);
	mem_free(chunk->options);
	chunk->offsets = NULL;
	chunk->options = NULL;
	chunk->page = page + 1;
}

int chunk_page_in(struct queue_chunk *chunk, struct queue_pager *pager)
{
	size_t len = CHUNK_ENTRIES_MAX * ENTRY_BYTES;
	size_t options_len = chunk->option_count * sizeof(struct chunk_option);
	uint8_t bytes[PAGE_BYTES];
	if (!chunk->page)
		return 0;
	chunk->offsets = mem_alloc(len);
	chunk->options = mem_alloc(options_len);
	if (!chunk->offsets || !chunk->options) {
		mem_free(chunk->offsets);
		mem_free(chunk->options);
		chunk->offsets = NULL;
		chunk->options = NULL;
		return ERROR_NO_MEMORY;
	}
	pager_read(pager, chunk->page - 1, (struct room){bytes, len + options_len});
	memcpy(chunk->offsets, bytes, len);
	memcpy(chunk->options, bytes + len, options_len);
	pager_free_page(pager, chunk->page - 1);
	chunk->option_capacity = chunk->option_count;
	chunk->page = 0;
	pager->bytes += chunk_memory(chunk);
	return 0;
}

const struct queue_chunk *chunk_view(const struct queue_chunk *chunk, struct queue_pager *pager,
				     struct queue_chunk *view, uint64_t bytes[PAGE_BYTES / 8])
{
	if (!chunk->page)
		return chunk;
	*view = *chunk;
	pager_read(pager, chunk->page - 1, (struct room){(uint8_t *)bytes, page_len(chunk)});
	view->offsets = (uint32_t *)bytes;
	view->options = (struct chunk_option *)(bytes + CHUNK_ENTRIES_MAX * ENTRY_BYTES / 8);
	view->page = 0;
	return view;
}
