/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash map from bytes to a pointer, for one thread. Open addressing, linear probing; slots hold
 * the hash and the pointer (16 bytes), the element itself holds its key: `key_of` finds it.
 */
#ifndef NIGHTJAR_BASE_MAP_H
#define NIGHTJAR_BASE_MAP_H

#include "base/base.h"

struct map_slot {
	uint64_t hash;
	void *element; /* NULL = free */
};

struct map {
	struct map_slot *slots;
	uint32_t capacity; /* power of two, or 0 */
	uint32_t count;
	uint64_t seed;
	struct span (*key_of)(const void *element);
};

void map_init(struct map *m, uint64_t seed, struct span (*key_of)(const void *element));
/* Frees the slots, not the elements. */
void map_release(struct map *m);

/* The element with that key, or NULL. */
void *map_find(const struct map *m, struct span key);
/* Adds an element whose key is not in the map. 0 or ERROR_NO_MEMORY. */
int map_add(struct map *m, void *element) MUST_USE;
/* Removes and returns the element with that key, or NULL. */
void *map_remove(struct map *m, struct span key);
/* The next element at or behind slot `*cursor` (start with 0), or NULL at the end. The map must
 * not change meanwhile. Order is that of slots: never let behaviour depend on it. */
void *map_next(const struct map *m, uint32_t *cursor);

#endif
