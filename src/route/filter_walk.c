/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of a topic through the tree of filters: a list of branches instead of recursion, as
 * topics may have thousands of levels. Each branch is a prefix of filters that is known to exist
 * and matches the topic so far; the topic's levels are hashed once, when the first branch comes
 * to them.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "mqtt/topic.h"
#include "route/filter_tree.h"

struct walk_level {
	uint64_t hash;
	uint32_t end; /* offset behind the level's last byte */
};

struct walk_branch {
	uint64_t hash;          /* of the prefix */
	uint32_t depth;         /* levels of the topic that it covers */
	bool has_wildcard;      /* in the prefix */
	bool has_wildcard_next; /* a filter goes on with `+` or `#` */
};

/* A walk that needed more than this gives it back before the next one. */
#define KEPT_ITEMS_MAX 4096

struct walk {
	const struct filter_tree *tree;
	struct filter_walk *state;
	struct span topic;
};

/* Room for one more item behind `count`. */
static void *grown(void *items, uint32_t count, uint32_t *capacity, size_t item_len)
{
	if (count < *capacity)
		return items;
	uint32_t larger = *capacity ? *capacity * 2 : 32;
	void *moved = mem_realloc(items, larger * item_len);
	if (moved)
		*capacity = larger;
	return moved;
}

/* Learns about the level at `depth`, which is the next one not known so far. */
static int hash_level(struct walk *k)
{
	struct filter_walk *w = k->state;
	struct walk_level *levels =
		grown(w->levels, w->level_count, &w->level_capacity, sizeof(*levels));
	if (!levels)
		return ERROR_NO_MEMORY;
	w->levels = levels;
	size_t at = w->level_count ? levels[w->level_count - 1].end + 1 : 0;
	const uint8_t *begin = k->topic.ptr + at;
	const uint8_t *slash = memchr(begin, '/', k->topic.len - at);
	size_t len = slash ? (size_t)(slash - begin) : k->topic.len - at;
	uint64_t hash = hash_bytes(span_of(begin, len), k->tree->seed);
	levels[w->level_count++] = (struct walk_level){hash, (uint32_t)(at + len)};
	return 0;
}

static bool is_whole_topic(const struct walk *k, uint32_t depth)
{
	return depth > 0 && k->state->levels[depth - 1].end == k->topic.len;
}

/* Takes the nodes with that hash into the result, if they truly match. */
static int take_nodes(struct walk *k, uint64_t hash, bool has_wildcard)
{
	struct filter_walk *w = k->state;
	struct hash_slot *slot = hash_index_first(&k->tree->nodes, hash);
	for (; slot; slot = hash_index_next(&k->tree->nodes, slot)) {
		struct filter_node *n = hash_slot_pointer(slot);
		struct span filter = filter_node_text(n);
		if (has_wildcard ? !topic_matches(filter, k->topic)
				 : !span_is_equal(filter, k->topic))
			continue;
		struct filter_node **nodes =
			grown(w->nodes, w->node_count, &w->node_capacity, sizeof(*nodes));
		if (!nodes)
			return ERROR_NO_MEMORY;
		w->nodes = nodes;
		nodes[w->node_count++] = n;
	}
	return 0;
}

static int add_branch(struct walk *k, struct walk_branch branch)
{
	struct filter_walk *w = k->state;
	struct walk_branch *branches =
		grown(w->branches, w->branch_count, &w->branch_capacity, sizeof(*branches));
	if (!branches)
		return ERROR_NO_MEMORY;
	w->branches = branches;
	branches[w->branch_count++] = branch;
	return 0;
}

/* Comes to a prefix: takes the nodes that end here with the topic, and goes on later if there are
 * filters below. */
static int arrive(struct walk *k, uint64_t hash, uint32_t depth, bool has_wildcard)
{
	if (is_whole_topic(k, depth) && take_nodes(k, hash, has_wildcard) != 0)
		return ERROR_NO_MEMORY;
	struct hash_slot *prefix = hash_index_first(&k->tree->prefixes, hash);
	if (!prefix)
		return 0;
	bool has_wildcard_next = prefix->value >> 32 != 0;
	return add_branch(k, (struct walk_branch){hash, depth, has_wildcard, has_wildcard_next});
}

static int go_branch(struct walk *k, struct walk_branch b)
{
	const struct filter_tree *t = k->tree;
	/* [MQTT-4.7.2-1]; the nodes' own check says the same, this saves the way to them. */
	bool is_hidden = b.depth == 0 && k->topic.ptr[0] == '$';
	bool sees_wildcards = b.has_wildcard_next && !is_hidden;
	/* `#` stands for the parent level too ([5] 4.7.1.2), so it counts before the levels end. */
	if (sees_wildcards && take_nodes(k, hash_mix(b.hash, t->multi_hash), true) != 0)
		return ERROR_NO_MEMORY;
	if (is_whole_topic(k, b.depth))
		return 0;
	if (b.depth == k->state->level_count && hash_level(k) != 0)
		return ERROR_NO_MEMORY;
	if (sees_wildcards && arrive(k, hash_mix(b.hash, t->plus_hash), b.depth + 1, true) != 0)
		return ERROR_NO_MEMORY;
	uint64_t level_hash = k->state->levels[b.depth].hash;
	return arrive(k, hash_mix(b.hash, level_hash), b.depth + 1, b.has_wildcard);
}

static void trim(struct filter_walk *w)
{
	bool is_large = w->level_capacity > KEPT_ITEMS_MAX || w->branch_capacity > KEPT_ITEMS_MAX ||
			w->node_capacity > KEPT_ITEMS_MAX;
	if (is_large)
		filter_walk_release(w);
	w->level_count = w->branch_count = w->node_count = 0;
}

int filter_tree_walk(const struct filter_tree *t, struct filter_walk *w, struct span topic)
{
	struct walk k = {t, w, topic};
	trim(w);
	if (topic.len == 0 || t->nodes.count == 0)
		return 0;
	int error = arrive(&k, t->seed, 0, false);
	while (!error && w->branch_count > 0)
		error = go_branch(&k, w->branches[--w->branch_count]);
	return error;
}

void filter_walk_release(struct filter_walk *w)
{
	mem_free(w->levels);
	mem_free(w->branches);
	mem_free(w->nodes);
	*w = (struct filter_walk){0};
}
