/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind routes.h share. */
#ifndef NIGHTJAR_ROUTE_ROUTES_PRIVATE_H
#define NIGHTJAR_ROUTE_ROUTES_PRIVATE_H

#include "route/filter_tree.h"
#include "route/match_builder.h"
#include "route/match_cache.h"

struct routes {
	struct filter_tree tree;
	struct hash_index shares; /* by hash of name and filter */
	uint64_t subscription_count;
	struct match_builder builder;
	struct match_cache cache;
};

/* After any change of the tree: no kept match is true any more. */
void routes_changed(struct routes *r);
/* Frees the filter's node if nothing hangs on it. */
void routes_drop_if_unused(struct routes *r, struct filter_node *n);

#endif
