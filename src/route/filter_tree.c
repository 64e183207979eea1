/* SPDX-License-Identifier: Apache-2.0 */
#include "route/filter_tree.h"

#include "base/hash.h"
#include "base/mem.h"

/* A prefix's value: how many filters go on below it, and how many of these with a wildcard. */
#define ONE_BELOW ((uint64_t)1)
#define ONE_WILDCARD ((uint64_t)1 << 32)

void filter_tree_init(struct filter_tree *t, uint64_t seed)
{
	*t = (struct filter_tree){.seed = seed};
	t->plus_hash = hash_bytes(SPAN_LITERAL("+"), seed);
	t->multi_hash = hash_bytes(SPAN_LITERAL("#"), seed);
}

void filter_tree_release(struct filter_tree *t)
{
	uint64_t cursor = 0;
	for (struct hash_slot *slot; (slot = hash_index_each(&t->nodes, &cursor));) {
		struct filter_node *n = hash_slot_pointer(slot);
		ASSERT(n->subscription_count == 0 && !n->shares);
		mem_free(n);
	}
	hash_index_release(&t->nodes);
	hash_index_release(&t->prefixes);
}

/* The level that begins at `at`. */
static struct span level_at(struct span text, size_t at)
{
	const uint8_t *begin = text.ptr + at;
	const uint8_t *slash = memchr(begin, '/', text.len - at);
	return span_of(begin, slash ? (size_t)(slash - begin) : text.len - at);
}

static uint64_t whole_hash(const struct filter_tree *t, struct span filter)
{
	uint64_t hash = t->seed;
	for (size_t at = 0; at <= filter.len;) {
		struct span level = level_at(filter, at);
		hash = hash_mix(hash, hash_bytes(level, t->seed));
		at += level.len + 1;
	}
	return hash;
}

static struct hash_slot *slot_of(const struct filter_tree *t, uint64_t hash, struct span filter)
{
	struct hash_slot *slot = hash_index_first(&t->nodes, hash);
	while (slot && !span_is_equal(filter_node_text(hash_slot_pointer(slot)), filter))
		slot = hash_index_next(&t->nodes, slot);
	return slot;
}

struct filter_node *filter_tree_find(const struct filter_tree *t, struct span filter)
{
	struct hash_slot *slot = slot_of(t, whole_hash(t, filter), filter);
	return slot ? hash_slot_pointer(slot) : NULL;
}

static int count_prefix(struct filter_tree *t, uint64_t hash, uint64_t amount)
{
	struct hash_slot *slot = hash_index_first(&t->prefixes, hash);
	if (!slot)
		return hash_index_add(&t->prefixes, hash, amount);
	slot->value += amount;
	return 0;
}

static void uncount_prefix(struct filter_tree *t, uint64_t hash, uint64_t amount)
{
	struct hash_slot *slot = hash_index_first(&t->prefixes, hash);
	ASSERT(slot);
	slot->value -= amount;
	if (slot->value == 0)
		hash_index_remove(&t->prefixes, slot);
}

static uint64_t amount_for(struct span next_level)
{
	bool is_wildcard =
		next_level.len == 1 && (next_level.ptr[0] == '+' || next_level.ptr[0] == '#');
	return is_wildcard ? ONE_BELOW + ONE_WILDCARD : ONE_BELOW;
}

/* Takes away what count_prefixes did for the levels that begin before `end`. */
static void uncount_prefixes(struct filter_tree *t, struct span filter, size_t end)
{
	uint64_t hash = t->seed;
	for (size_t at = 0; at < end;) {
		struct span level = level_at(filter, at);
		uncount_prefix(t, hash, amount_for(level));
		hash = hash_mix(hash, hash_bytes(level, t->seed));
		at += level.len + 1;
	}
}

/* Counts the filter at each of its proper prefixes, the empty one included. */
static int count_prefixes(struct filter_tree *t, struct span filter)
{
	uint64_t hash = t->seed;
	for (size_t at = 0; at <= filter.len;) {
		struct span level = level_at(filter, at);
		if (count_prefix(t, hash, amount_for(level)) != 0) {
			uncount_prefixes(t, filter, at);
			return ERROR_NO_MEMORY;
		}
		hash = hash_mix(hash, hash_bytes(level, t->seed));
		at += level.len + 1;
	}
	return 0;
}

static struct filter_node *node_new(struct span filter)
{
	struct filter_node *n = mem_alloc(sizeof(*n) + filter.len);
	if (!n)
		return NULL;
	*n = (struct filter_node){.filter_len = (uint16_t)filter.len};
	memcpy(n->filter, filter.ptr, filter.len);
	return n;
}

struct filter_node *filter_tree_add(struct filter_tree *t, struct span filter)
{
	uint64_t hash = whole_hash(t, filter);
	struct hash_slot *slot = slot_of(t, hash, filter);
	if (slot)
		return hash_slot_pointer(slot);
	struct filter_node *n = node_new(filter);
	if (!n)
		return NULL;
	if (hash_index_add(&t->nodes, hash, hash_value_of(n)) != 0)
		goto fail;
	if (count_prefixes(t, filter) == 0)
		return n;
	hash_index_remove(&t->nodes, slot_of(t, hash, filter));
fail:
	mem_free(n);
	return NULL;
}

void filter_tree_drop(struct filter_tree *t, struct filter_node *n)
{
	struct span filter = filter_node_text(n);
	uncount_prefixes(t, filter, filter.len + 1);
	hash_index_remove(&t->nodes, slot_of(t, whole_hash(t, filter), filter));
	mem_free(n);
}
