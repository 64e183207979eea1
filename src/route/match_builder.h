/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a topic to all who get its message: walks the tree and merges each subscriber's
 * subscriptions into one entry. Keeps its memory from match to match.
 */
#ifndef NIGHTJAR_ROUTE_MATCH_BUILDER_H
#define NIGHTJAR_ROUTE_MATCH_BUILDER_H

#include "route/filter_tree.h"

/* Zero-initialised is valid. */
struct match_builder {
	struct filter_walk walk;
	uint64_t epoch; /* number of the match being built; marks subscribers seen in it */
	struct match_entry *entries;
	uint32_t entry_capacity;
	uint32_t *identifiers;
	uint32_t identifier_capacity;
	struct share **shares;
	uint32_t share_capacity;
	struct match match;
};

/* The match, in the builder's own memory: valid until the next call. `publisher` may be NULL; its
 * no-local subscriptions do not count [MQTT-3.8.3-3]. NULL when there is no memory. */
const struct match *match_build(struct match_builder *b, const struct filter_tree *tree,
				struct span topic, const struct subscriber *publisher);
/* Numbers behind `match.identifiers`. */
uint32_t match_identifier_count(const struct match *m);
void match_builder_release(struct match_builder *b);

#endif
