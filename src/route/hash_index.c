/* SPDX-License-Identifier: Apache-2.0 */
#include "route/hash_index.h"

#include "base/mem.h"

/* A part of this many slots is 16 KiB: it moves in a few microseconds when it is split. */
#define PART_CAPACITY_MAX 1024
#define PART_CAPACITY_MIN 8
/* A part grows by a quarter of its largest size: little is left empty, moves stay rare. */
#define PART_STEP 256
/* The directory may have an entry for so few values. Good hashes need one for some hundreds; equal
 * hashes, which no split tells apart, let a part grow beyond its maximum instead. */
#define VALUES_PER_ENTRY_MIN 16

struct hash_part {
	uint32_t capacity;
	uint32_t count;
	uint8_t depth; /* all hashes here share this many top bits */
	struct hash_slot slots[];
};

static size_t part_number(uint64_t hash, uint8_t depth)
{
	return depth == 0 ? 0 : (size_t)(hash >> (64 - depth));
}

/* Where a hash wants to be. Scaling the low half to the capacity needs no power of two. */
static uint32_t home_of(const struct hash_part *p, uint64_t hash)
{
	return (uint32_t)(((uint64_t)(uint32_t)hash * p->capacity) >> 32);
}

static uint32_t slot_behind(const struct hash_part *p, uint32_t at)
{
	return at + 1 == p->capacity ? 0 : at + 1;
}

static struct hash_part *part_new(uint32_t capacity, uint8_t depth)
{
	struct hash_part *p = mem_zalloc(sizeof(*p) + capacity * sizeof(p->slots[0]));
	if (!p)
		return NULL;
	p->capacity = capacity;
	p->depth = depth;
	return p;
}

static struct hash_part *part_of(const struct hash_index *x, uint64_t hash)
{
	return x->parts[part_number(hash, x->depth)];
}

void hash_index_release(struct hash_index *x)
{
	size_t part_count = x->parts ? (size_t)1 << x->depth : 0;
	for (size_t i = 0; i < part_count;) {
		struct hash_part *p = x->parts[i];
		i += (size_t)1 << (x->depth - p->depth); /* its entries stand together */
		mem_free(p);
	}
	mem_free(x->parts);
	*x = (struct hash_index){0};
}

static struct hash_slot *probe(struct hash_part *p, uint32_t at, uint64_t hash)
{
	while (p->slots[at].value) {
		if (p->slots[at].hash == hash)
			return &p->slots[at];
		at = slot_behind(p, at);
	}
	return NULL;
}

struct hash_slot *hash_index_first(const struct hash_index *x, uint64_t hash)
{
	if (x->count == 0)
		return NULL;
	struct hash_part *p = part_of(x, hash);
	return probe(p, home_of(p, hash), hash);
}

struct hash_slot *hash_index_next(const struct hash_index *x, struct hash_slot *slot)
{
	struct hash_part *p = part_of(x, slot->hash);
	return probe(p, slot_behind(p, (uint32_t)(slot - p->slots)), slot->hash);
}

struct hash_slot *hash_index_find(const struct hash_index *x, uint64_t hash, uint64_t value)
{
	struct hash_slot *slot = hash_index_first(x, hash);
	while (slot && slot->value != value)
		slot = hash_index_next(x, slot);
	return slot;
}

static void part_put(struct hash_part *p, struct hash_slot slot)
{
	uint32_t at = home_of(p, slot.hash);
	while (p->slots[at].value)
		at = slot_behind(p, at);
	p->slots[at] = slot;
	p->count++;
}

/* Lets all directory entries of a part point to another one. */
static void set_part(struct hash_index *x, uint64_t hash, struct hash_part *p)
{
	size_t span = (size_t)1 << (x->depth - p->depth);
	size_t first = part_number(hash, p->depth) << (x->depth - p->depth);
	for (size_t i = 0; i < span; i++)
		x->parts[first + i] = p;
}

static int resize_part(struct hash_index *x, struct hash_part *p, uint64_t hash, uint32_t capacity)
{
	struct hash_part *resized = part_new(capacity, p->depth);
	if (!resized)
		return ERROR_NO_MEMORY;
	for (uint32_t i = 0; i < p->capacity; i++)
		if (p->slots[i].value)
			part_put(resized, p->slots[i]);
	set_part(x, hash, resized);
	mem_free(p);
	return 0;
}

static int double_directory(struct hash_index *x)
{
	size_t count = (size_t)1 << x->depth;
	struct hash_part **parts = mem_realloc(x->parts, 2 * count * sizeof(struct hash_part *));
	if (!parts)
		return ERROR_NO_MEMORY;
	for (size_t i = count; i-- > 0;)
		parts[2 * i] = parts[2 * i + 1] = parts[i];
	x->parts = parts;
	x->depth++;
	return 0;
}

static int split_part(struct hash_index *x, struct hash_part *p)
{
	if (p->depth == x->depth && double_directory(x) != 0)
		return ERROR_NO_MEMORY;
	uint64_t bit = (uint64_t)1 << (63 - p->depth);
	uint32_t ones = 0;
	for (uint32_t i = 0; i < p->capacity; i++)
		ones += p->slots[i].value && (p->slots[i].hash & bit);
	/* Each half gets room for what it holds and a step more. */
	struct hash_part *half[2];
	half[0] = part_new((p->count - ones) / 3 * 4 + PART_STEP / 2, p->depth + 1);
	half[1] = part_new(ones / 3 * 4 + PART_STEP / 2, p->depth + 1);
	if (!half[0] || !half[1]) {
		mem_free(half[0]);
		mem_free(half[1]);
		return ERROR_NO_MEMORY;
	}
	uint64_t any_hash = 0;
	for (uint32_t i = 0; i < p->capacity; i++) {
		if (!p->slots[i].value)
			continue;
		any_hash = p->slots[i].hash;
		part_put(half[(any_hash & bit) != 0], p->slots[i]);
	}
	set_part(x, any_hash & ~bit, half[0]);
	set_part(x, any_hash | bit, half[1]);
	mem_free(p);
	return 0;
}

static bool is_full(const struct hash_part *p)
{
	return (uint64_t)(p->count + 1) * 4 > (uint64_t)p->capacity * 3;
}

static bool can_split(const struct hash_index *x, const struct hash_part *p)
{
	return p->depth < x->depth || x->count >> (x->depth + 1) >= VALUES_PER_ENTRY_MIN;
}

static int make_room(struct hash_index *x, struct hash_part *p, uint64_t hash)
{
	if (p->capacity >= PART_CAPACITY_MAX && can_split(x, p))
		return split_part(x, p);
	if (p->capacity < PART_STEP || p->capacity >= PART_CAPACITY_MAX)
		return resize_part(x, p, hash, p->capacity * 2);
	return resize_part(x, p, hash, p->capacity + PART_STEP);
}

static int first_part(struct hash_index *x)
{
	struct hash_part **parts = mem_alloc(sizeof(struct hash_part *));
	struct hash_part *p = part_new(PART_CAPACITY_MIN, 0);
	if (!parts || !p) {
		mem_free(parts);
		mem_free(p);
		return ERROR_NO_MEMORY;
	}
	parts[0] = p;
	x->parts = parts;
	return 0;
}

int hash_index_add(struct hash_index *x, uint64_t hash, uint64_t value)
{
	ASSERT(value != 0);
	if (!x->parts && first_part(x) != 0)
		return ERROR_NO_MEMORY;
	struct hash_part *p = part_of(x, hash);
	while (is_full(p)) {
		int error = make_room(x, p, hash);
		if (error) {
			if (x->count == 0)
				hash_index_release(x);
			return error;
		}
		p = part_of(x, hash);
	}
	part_put(p, (struct hash_slot){hash, value});
	x->count++;
	return 0;
}

static uint32_t distance(const struct hash_part *p, uint32_t from, uint32_t to)
{
	return to >= from ? to - from : to + p->capacity - from;
}

/* Moves back what probed past the hole, so that no probe stops early. */
static void close_gap(struct hash_part *p, uint32_t hole)
{
	uint32_t at = hole;
	for (;;) {
		at = slot_behind(p, at);
		if (!p->slots[at].value)
			break;
		uint32_t home = home_of(p, p->slots[at].hash);
		if (distance(p, home, at) < distance(p, hole, at))
			continue;
		p->slots[hole] = p->slots[at];
		hole = at;
	}
	p->slots[hole] = (struct hash_slot){0};
}

void hash_index_remove(struct hash_index *x, struct hash_slot *slot)
{
	uint64_t hash = slot->hash;
	struct hash_part *p = part_of(x, hash);
	close_gap(p, (uint32_t)(slot - p->slots));
	p->count--;
	x->count--;
	if (x->count == 0)
		hash_index_release(x);
	else if (p->capacity > PART_CAPACITY_MIN && p->count < p->capacity / 4)
		/* Only saves memory: failing is harmless. */
		(void)!resize_part(x, p, hash, p->capacity / 2);
}

/* The cursor holds a directory entry in its upper half, a slot in its lower one. */
struct hash_slot *hash_index_each(const struct hash_index *x, uint64_t *cursor)
{
	size_t part = (size_t)(*cursor >> 32);
	uint32_t at = (uint32_t)*cursor;
	while (x->parts && part < (size_t)1 << x->depth) {
		struct hash_part *p = x->parts[part];
		for (; at < p->capacity; at++) {
			if (!p->slots[at].value)
				continue;
			*cursor = (uint64_t)part << 32 | (at + 1);
			return &p->slots[at];
		}
		part += (size_t)1 << (x->depth - p->depth);
		at = 0;
	}
	*cursor = (uint64_t)part << 32;
	return NULL;
}

struct hash_slot *hash_index_any(const struct hash_index *x)
{
	size_t part_count = x->parts && x->count > 0 ? (size_t)1 << x->depth : 0;
	for (size_t i = 0; i < part_count; i++) {
		struct hash_part *p = x->parts[i];
		for (uint32_t at = 0; at < p->capacity; at++)
			if (p->slots[at].value != 0)
				return &p->slots[at];
	}
	return NULL;
}
