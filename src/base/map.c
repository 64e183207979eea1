/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/hash.h"
#include "base/mem.h"

#define MAP_CAPACITY_MIN 16

void map_init(struct map *m, uint64_t seed, struct span (*key_of)(const void *element))
{
	*m = (struct map){.seed = seed, .key_of = key_of};
}

void map_release(struct map *m)
{
	mem_free(m->slots);
	m->slots = NULL;
	m->capacity = m->count = 0;
}

/* The slot that holds the key, or the free one where it would go. Capacity is never 0 here, and
 * load stays under 3/4, so a free slot exists. */
static uint32_t slot_of(const struct map *m, struct span key, uint64_t hash)
{
	uint32_t mask = m->capacity - 1;
	uint32_t i = (uint32_t)hash & mask;
	while (m->slots[i].element) {
		if (m->slots[i].hash == hash && span_is_equal(m->key_of(m->slots[i].element), key))
			return i;
		i = (i + 1) & mask;
	}
	return i;
}

void *map_find(const struct map *m, struct span key)
{
	if (m->count == 0)
		return NULL;
	return m->slots[slot_of(m, key, hash_bytes(key, m->seed))].element;
}

static int resize(struct map *m, uint32_t capacity)
{
	struct map_slot *slots = mem_zalloc(capacity * sizeof(*slots));
	if (!slots)
		return ERROR_NO_MEMORY;
	for (uint32_t i = 0; i < m->capacity; i++) {
		if (!m->slots[i].element)
			continue;
		uint32_t at = (uint32_t)m->slots[i].hash & (capacity - 1);
		while (slots[at].element)
			at = (at + 1) & (capacity - 1);
		slots[at] = m->slots[i];
	}
	mem_free(m->slots);
	m->slots = slots;
	m->capacity = capacity;
	return 0;
}

int map_add(struct map *m, void *element)
{
	if ((uint64_t)(m->count + 1) * 4 > (uint64_t)m->capacity * 3) {
		int error = resize(m, m->capacity ? m->capacity * 2 : MAP_CAPACITY_MIN);
		if (error)
			return error;
	}
	struct span key = m->key_of(element);
	uint64_t hash = hash_bytes(key, m->seed);
	uint32_t at = slot_of(m, key, hash);
	ASSERT(!m->slots[at].element);
	m->slots[at] = (struct map_slot){hash, element};
	m->count++;
	return 0;
}

/* Closes the gap at `hole` by moving back what probed past it. */
static void close_gap(struct map *m, uint32_t hole)
{
	uint32_t mask = m->capacity - 1;
	uint32_t i = hole;
	for (;;) {
		i = (i + 1) & mask;
		if (!m->slots[i].element)
			break;
		uint32_t home = (uint32_t)m->slots[i].hash & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct map_slot){0};
}

void *map_remove(struct map *m, struct span key)
{
	if (m->count == 0)
		return NULL;
	uint32_t at = slot_of(m, key, hash_bytes(key, m->seed));
	void *element = m->slots[at].element;
	if (!element)
		return NULL;
	close_gap(m, at);
	m->count--;
	if (m->count == 0)
		map_release(m);
	else if (m->capacity > MAP_CAPACITY_MIN && m->count < m->capacity / 8)
		(void)!resize(m, m->capacity / 2); /* only saves memory: failing is harmless */
	return element;
}

void *map_next(const struct map *m, uint32_t *cursor)
{
	while (*cursor < m->capacity) {
		void *element = m->slots[(*cursor)++].element;
		if (element)
			return element;
	}
	return NULL;
}
