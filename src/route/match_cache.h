/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topic -> match, for topics that come again. Sets of four slots (one cache line), as in a
 * processor's cache; the matches lie in an arena that is only ever emptied as a whole. So a hit
 * costs a hash and a compare, a miss no malloc, and throwing everything away is two assignments.
 */
#ifndef NIGHTJAR_ROUTE_MATCH_CACHE_H
#define NIGHTJAR_ROUTE_MATCH_CACHE_H

#include "route/routes.h"

struct match_cache {
	struct cache_slot *slots; /* NULL until the first match is kept */
	void *slots_memory;
	uint32_t set_mask;
	uint32_t generation; /* a slot of another generation is free */
	uint32_t victim;     /* which slot of a full set goes next */
	struct cache_chunk *first_chunk;
	struct cache_chunk *chunk; /* being filled; those behind it are free */
	size_t bytes;              /* of all chunks */
	size_t bytes_max;
	uint32_t topics_max;
};

/* topics_max 0: keeps nothing. */
void match_cache_init(struct match_cache *c, uint32_t topics_max);
/* Gives all memory back; the cache can be used on. */
void match_cache_release(struct match_cache *c);

/* The match kept for the topic, or NULL. `hash` is the topic's. */
const struct match *match_cache_find(const struct match_cache *c, uint64_t hash, struct span topic);
/* Copies a match into the cache; the copy, or NULL when it is not worth or there is no memory. */
const struct match *match_cache_keep(struct match_cache *c, uint64_t hash, struct span topic,
				     const struct match *m);
/* Forgets all matches, at once. */
void match_cache_clear(struct match_cache *c);

#endif
