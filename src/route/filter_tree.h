/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of topic filters, kept without pointers in two hash tables: one from a filter's hash to
 * its node, one from the hash of each proper prefix (whole levels) to counts. The walk of a topic
 * asks the second one which branches are worth going, and verifies each node at the end, so a
 * prefix that exists by accident of hashes costs time but never gives a wrong answer.
 *
 *     filters: a/b/c  a/+/#        prefixes: ""   2 filters below, 0 with a wildcard next
 *                                            a    2                1
 *                                            a/b  1                0
 *                                            a/+  1                1
 *
 * A level costs 16 bytes of a table, not an allocation; a filter "dev/123456/cmd" about 120 bytes.
 */
#ifndef NIGHTJAR_ROUTE_FILTER_TREE_H
#define NIGHTJAR_ROUTE_FILTER_TREE_H

#include "route/filter_node.h"
#include "route/hash_index.h"

struct filter_tree {
	uint64_t seed;
	uint64_t plus_hash;  /* of the level `+` */
	uint64_t multi_hash; /* of the level `#` */
	struct hash_index nodes;
	struct hash_index prefixes;
};

void filter_tree_init(struct filter_tree *t, uint64_t seed);
/* Frees nodes on which only other shards' interest hangs; no others may be left. */
void filter_tree_release(struct filter_tree *t);

/* The filter's node, or NULL. */
struct filter_node *filter_tree_find(const struct filter_tree *t, struct span filter);
/* The filter's node, made when there is none. NULL when there is no memory. */
struct filter_node *filter_tree_add(struct filter_tree *t, struct span filter);
/* Takes an unused node out and frees it. */
void filter_tree_drop(struct filter_tree *t, struct filter_node *n);

/* Where a walk keeps its way; reused from walk to walk. Zero-initialised is valid. */
struct filter_walk {
	struct walk_level *levels; /* of the topic, as far as they were needed */
	uint32_t level_count;
	uint32_t level_capacity;
	struct walk_branch *branches; /* still to be gone */
	uint32_t branch_count;
	uint32_t branch_capacity;
	struct filter_node **nodes; /* the result, in an order fixed by topic and filters */
	uint32_t node_count;
	uint32_t node_capacity;
};

/* Collects all nodes whose filter matches the topic. 0 or ERROR_NO_MEMORY. */
int filter_tree_walk(const struct filter_tree *t, struct filter_walk *w,
		     struct span topic) MUST_USE;
void filter_walk_release(struct filter_walk *w);

#endif
