/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hangs on one topic filter: this shard's subscriptions, its shared groups, and other shards'
 * interest. Exists only while one of these is there.
 */
#ifndef NIGHTJAR_ROUTE_FILTER_NODE_H
#define NIGHTJAR_ROUTE_FILTER_NODE_H

#include "route/routes.h"

/* More than one subscription of a filter. */
struct subscription_list {
	uint32_t capacity;
	struct subscription *items[];
};

struct share_list {
	uint32_t count;
	uint32_t capacity;
	uint32_t active_count;    /* groups with a member */
	uint32_t surviving_count; /* groups with a member that survives */
	struct share *items[];
};

struct filter_node {
	/* Most filters have one subscription: it needs no list. */
	union {
		struct subscription *one;
		struct subscription_list *list;
	};
	uint32_t subscription_count; /* up to 1: `one` */
	uint32_t surviving_count;    /* subscriptions whose subscriber survives */
	struct share_list *shares;   /* NULL: none */
	uint64_t remote_shards;
	uint64_t remote_surviving;
	uint16_t filter_len;
	char filter[];
};

static inline struct span filter_node_text(const struct filter_node *n)
{
	return span_of(n->filter, n->filter_len);
}

static inline struct subscription *const *filter_node_subscriptions(const struct filter_node *n)
{
	return n->subscription_count > 1 ? n->list->items : &n->one;
}

/* Puts a subscription behind the others. 0 or ERROR_NO_MEMORY (nothing changed). */
int filter_node_add_subscription(struct filter_node *n, struct subscription *s) MUST_USE;
/* Takes it out; the last one moves into its place. */
void filter_node_remove_subscription(struct filter_node *n, struct subscription *s);

/* The same for shared groups. */
int filter_node_add_share(struct filter_node *n, struct share *s) MUST_USE;
void filter_node_remove_share(struct filter_node *n, struct share *s);

struct interest filter_node_interest(const struct filter_node *n);
/* Nothing hangs on it any more. */
bool filter_node_is_unused(const struct filter_node *n);

#endif
