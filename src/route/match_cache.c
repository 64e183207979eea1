/* SPDX-License-Identifier: Apache-2.0 */
#include "route/match_cache.h"

#include "base/mem.h"
#include "route/match_builder.h"

#define SLOTS_PER_SET 4
#define CACHE_LINE_LEN 64
/* Arena pages: large enough for hundreds of small matches, small enough for a small device. */
#define CHUNK_LEN 65536
/* Bytes that may be kept for each topic allowed, and at least: 4096 topics get 8 MiB, room for 34
 * matches with a fan-out of 10,000. */
#define BYTES_PER_TOPIC 2048
#define BYTES_MIN (1U << 20)

struct cache_slot {
	uint32_t generation; /* 0 = never used */
	uint32_t tag;
	struct cached_match *cached;
};

struct cached_match {
	struct match match;
	uint32_t topic_len;
	char topic[];
};

struct cache_chunk {
	struct cache_chunk *next;
	size_t len;
	size_t used;
	_Alignas(max_align_t) uint8_t bytes[];
};

void match_cache_init(struct match_cache *c, uint32_t topics_max)
{
	*c = (struct match_cache){.topics_max = topics_max, .generation = 1};
	c->bytes_max = (size_t)topics_max * BYTES_PER_TOPIC;
	if (c->bytes_max < BYTES_MIN)
		c->bytes_max = BYTES_MIN;
}

void match_cache_release(struct match_cache *c)
{
	while (c->first_chunk) {
		struct cache_chunk *next = c->first_chunk->next;
		mem_free(c->first_chunk);
		c->first_chunk = next;
	}
	mem_free(c->slots_memory);
	match_cache_init(c, c->topics_max);
}

static struct cache_slot *set_of(const struct match_cache *c, uint64_t hash)
{
	return c->slots + (size_t)((uint32_t)hash & c->set_mask) * SLOTS_PER_SET;
}

/* The set is chosen by the hash's low half, so the tag is the high one. */
static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

const struct match *match_cache_find(const struct match_cache *c, uint64_t hash, struct span topic)
{
	if (UNLIKELY(!c->slots))
		return NULL;
	const struct cache_slot *slot = set_of(c, hash);
	for (unsigned i = 0; i < SLOTS_PER_SET; i++, slot++) {
		if (slot->tag != tag_of(hash) || slot->generation != c->generation)
			continue;
		const struct cached_match *cached = slot->cached;
		if (cached->topic_len == topic.len &&
		    memcmp(cached->topic, topic.ptr, topic.len) == 0)
			return &cached->match;
	}
	return NULL;
}

static int allocate_slots(struct match_cache *c)
{
	uint32_t sets = 1;
	while (sets < c->topics_max / SLOTS_PER_SET && sets < UINT32_C(1) << 28)
		sets *= 2;
	size_t len = (size_t)sets * SLOTS_PER_SET * sizeof(*c->slots);
	c->slots_memory = mem_zalloc(len + CACHE_LINE_LEN);
	if (!c->slots_memory)
		return ERROR_NO_MEMORY;
	uintptr_t at = (uintptr_t)c->slots_memory;
	at = (at + CACHE_LINE_LEN - 1) & ~(uintptr_t)(CACHE_LINE_LEN - 1);
	c->slots = (struct cache_slot *)at;
	c->set_mask = sets - 1;
	return 0;
}

/* Opens a new chunk behind the last one; NULL when the cache may not grow or there is no memory. */
static struct cache_chunk *add_chunk(struct match_cache *c, struct cache_chunk *last, size_t len)
{
	size_t chunk_len = len > CHUNK_LEN ? len : CHUNK_LEN;
	if (c->bytes + chunk_len > c->bytes_max)
		return NULL;
	struct cache_chunk *chunk = mem_alloc(sizeof(*chunk) + chunk_len);
	if (!chunk)
		return NULL;
	chunk->next = NULL;
	chunk->len = chunk_len;
	chunk->used = 0;
	*(last ? &last->next : &c->first_chunk) = chunk;
	c->bytes += chunk_len;
	return chunk;
}

static void *take(struct match_cache *c, size_t len)
{
	struct cache_chunk *last = NULL;
	struct cache_chunk *chunk = c->chunk ? c->chunk : c->first_chunk;
	while (chunk && chunk->len - chunk->used < len) {
		last = chunk;
		chunk = chunk->next;
		if (chunk)
			chunk->used = 0;
	}
	if (!chunk)
		chunk = add_chunk(c, last, len);
	if (!chunk)
		return NULL;
	c->chunk = chunk;
	void *place = chunk->bytes + chunk->used;
	chunk->used += len;
	return place;
}

static size_t rounded(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

/* Copies an array to `*at` and moves that on. */
static const void *copied(uint8_t **at, const void *array, size_t len)
{
	void *copy = *at;
	if (len > 0)
		memcpy(copy, array, len);
	*at += rounded(len);
	return copy;
}

static size_t cached_len(struct span topic, const struct match *m)
{
	return rounded(sizeof(struct cached_match) + topic.len) +
	       rounded(m->entry_count * sizeof(*m->entries)) +
	       rounded(m->share_count * sizeof(*m->shares)) +
	       rounded(match_identifier_count(m) * sizeof(*m->identifiers));
}

static struct cached_match *copy_match(void *place, struct span topic, const struct match *m)
{
	struct cached_match *cached = place;
	cached->match = *m;
	cached->topic_len = (uint32_t)topic.len;
	memcpy(cached->topic, topic.ptr, topic.len);
	uint8_t *at = (uint8_t *)place + rounded(sizeof(*cached) + topic.len);
	cached->match.entries = copied(&at, m->entries, m->entry_count * sizeof(*m->entries));
	cached->match.shares = copied(&at, m->shares, m->share_count * sizeof(*m->shares));
	cached->match.identifiers =
		copied(&at, m->identifiers, match_identifier_count(m) * sizeof(*m->identifiers));
	return cached;
}

static struct cache_slot *slot_to_fill(struct match_cache *c, uint64_t hash)
{
	struct cache_slot *set = set_of(c, hash);
	for (unsigned i = 0; i < SLOTS_PER_SET; i++)
		if (set[i].generation != c->generation)
			return &set[i];
	return &set[c->victim++ % SLOTS_PER_SET];
}

const struct match *match_cache_keep(struct match_cache *c, uint64_t hash, struct span topic,
				     const struct match *m)
{
	if (c->topics_max == 0)
		return NULL;
	size_t len = cached_len(topic, m);
	if (len > c->bytes_max || (!c->slots && allocate_slots(c) != 0))
		return NULL;
	void *place = take(c, len);
	if (!place) {
		/* Full: begin anew. Chunks of unusual sizes must not stay in the way. */
		match_cache_release(c);
		if (allocate_slots(c) != 0)
			return NULL;
		place = take(c, len);
	}
	if (!place)
		return NULL;
	struct cached_match *cached = copy_match(place, topic, m);
	*slot_to_fill(c, hash) = (struct cache_slot){c->generation, tag_of(hash), cached};
	return &cached->match;
}

void match_cache_clear(struct match_cache *c)
{
	if (!c->slots)
		return;
	if (c->first_chunk)
		c->first_chunk->used = 0;
	c->chunk = c->first_chunk;
	if (++c->generation == 0)
		match_cache_release(c);
}
