/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a 64-bit hash to a 64-bit value (a pointer or counts); several values may share a hash.
 * Grows and shrinks in small parts (extendible hashing), so that no single call moves more than
 * one part's slots, however many millions are held: a thread that serves connections must not
 * stop to move a whole table.
 *
 *     parts, by the hash's top bits      one part: linear probing by its low bits
 *     [ 00 | 01 | 10 | 11 ]  ------->    { hash, value } { free } { hash, value } ...
 *        `----'--- two entries share a part that has not been split so far
 */
#ifndef NIGHTJAR_ROUTE_HASH_INDEX_H
#define NIGHTJAR_ROUTE_HASH_INDEX_H

#include "base/base.h"

struct hash_slot {
	uint64_t hash;
	uint64_t value; /* 0 = free slot */
};

/* Zero-initialised is a valid empty one. */
struct hash_index {
	struct hash_part **parts;
	uint64_t count;
	uint8_t depth; /* 1 << depth entries in parts */
};

void hash_index_release(struct hash_index *x);

/* The first slot with that hash, and the next one behind it; NULL when there is none. A slot may
 * be given another value (not 0); it is valid until the next add or remove. */
struct hash_slot *hash_index_first(const struct hash_index *x, uint64_t hash);
struct hash_slot *hash_index_next(const struct hash_index *x, struct hash_slot *slot);
/* The slot with that hash and value, or NULL. */
struct hash_slot *hash_index_find(const struct hash_index *x, uint64_t hash, uint64_t value);

/* Any slot in use, or NULL when empty: for emptying the index. */
struct hash_slot *hash_index_any(const struct hash_index *x);

/* `value` is not 0. 0 or ERROR_NO_MEMORY (nothing changed). */
int hash_index_add(struct hash_index *x, uint64_t hash, uint64_t value) MUST_USE;
void hash_index_remove(struct hash_index *x, struct hash_slot *slot);

/* Walks all slots, in no order that anything may depend on: `*cursor` begins at 0 and is moved on;
 * NULL at the end. The index must not change meanwhile. */
struct hash_slot *hash_index_each(const struct hash_index *x, uint64_t *cursor);

/* Spreads all bits of a hash that grows step by step, or of a pointer. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t more)
{
	hash = (hash + more) * 0x9e3779b97f4a7c15; /* odd, golden ratio */
	hash ^= hash >> 29;
	hash *= 0xbf58476d1ce4e5b9; /* the multiplier of splitmix64's finisher */
	return hash ^ hash >> 32;
}

static inline uint64_t hash_value_of(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static inline void *hash_slot_pointer(const struct hash_slot *slot)
{
	return (void *)(uintptr_t)slot->value;
}

#endif
