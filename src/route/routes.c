/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subscribing, interest, and asking who gets a message. The parts: filter_tree (which filters
 * there are), filter_node (what hangs on one), subscriber (what one session has), match_builder
 * (topic -> receivers) and match_cache (the same, for topics that come again).
 */
#include "route/routes_private.h"

#include "base/hash.h"
#include "base/mem.h"
#include "route/subscriber.h"

struct routes *routes_new(uint64_t seed, uint32_t cached_topics_max)
{
	struct routes *r = mem_zalloc(sizeof(*r));
	if (!r)
		return NULL;
	filter_tree_init(&r->tree, seed);
	match_cache_init(&r->cache, cached_topics_max);
	return r;
}

void routes_free(struct routes *r)
{
	if (!r)
		return;
	ASSERT(r->subscription_count == 0 && r->shares.count == 0);
	filter_tree_release(&r->tree);
	match_cache_release(&r->cache);
	match_builder_release(&r->builder);
	mem_free(r);
}

void routes_cache_topics(struct routes *r, uint32_t cached_topics_max)
{
	match_cache_release(&r->cache);
	match_cache_init(&r->cache, cached_topics_max);
}

void routes_changed(struct routes *r)
{
	match_cache_clear(&r->cache);
	if (r->tree.nodes.count > 0)
		return;
	match_cache_release(&r->cache);
	match_builder_release(&r->builder);
}

void routes_drop_if_unused(struct routes *r, struct filter_node *n)
{
	if (filter_node_is_unused(n))
		filter_tree_drop(&r->tree, n);
}

static void set_options(struct subscription *s, const struct subscription *options)
{
	s->identifier = options->identifier;
	s->qos = options->qos;
	s->no_local = options->no_local;
	s->retain_as_published = options->retain_as_published;
}

static struct subscription *subscription_new(struct subscriber *s, struct filter_node *n)
{
	struct subscription *subscription = mem_zalloc(sizeof(*subscription));
	if (!subscription)
		return NULL;
	subscription->subscriber = s;
	if (filter_node_add_subscription(n, subscription) != 0) {
		mem_free(subscription);
		return NULL;
	}
	subscriber_add(subscription);
	return subscription;
}

static void subscription_free(struct routes *r, struct subscription *s)
{
	struct filter_node *n = s->node;
	subscriber_remove(s);
	filter_node_remove_subscription(n, s);
	mem_free(s);
	r->subscription_count--;
	routes_drop_if_unused(r, n);
}

int routes_subscribe(struct routes *r, struct subscriber *s, struct span filter,
		     const struct subscription *options, bool *existed_out)
{
	struct filter_node *n = filter_tree_add(&r->tree, filter);
	if (!n)
		return ERROR_NO_MEMORY;
	struct subscription *subscription = subscriber_find(s, n);
	bool existed = subscription != NULL;
	if (!existed) {
		subscription = subscription_new(s, n);
		if (!subscription) {
			routes_drop_if_unused(r, n);
			return ERROR_NO_MEMORY;
		}
		r->subscription_count++;
	}
	set_options(subscription, options);
	routes_changed(r);
	*existed_out = existed;
	return 0;
}

bool routes_unsubscribe(struct routes *r, struct subscriber *s, struct span filter)
{
	struct filter_node *n = filter_tree_find(&r->tree, filter);
	struct subscription *subscription = n ? subscriber_find(s, n) : NULL;
	if (!subscription)
		return false;
	subscription_free(r, subscription);
	routes_changed(r);
	return true;
}

void routes_remove_subscriber(struct routes *r, struct subscriber *s)
{
	if (!s->first)
		return;
	while (s->first)
		subscription_free(r, s->first);
	routes_changed(r);
}

void routes_set_survives(struct routes *r, struct subscriber *s, bool survives)
{
	if (s->survives == survives)
		return;
	s->survives = survives;
	if (!s->first)
		return;
	for (struct subscription *i = s->first; i; i = i->next_of_subscriber)
		i->node->surviving_count += survives ? 1U : -1U;
	routes_changed(r);
}

struct span subscription_filter(const struct subscription *s)
{
	return filter_node_text(s->node);
}

struct interest routes_interest(const struct routes *r, struct span filter)
{
	const struct filter_node *n = filter_tree_find(&r->tree, filter);
	return n ? filter_node_interest(n) : (struct interest){false, false};
}

static uint64_t with_bit(uint64_t mask, unsigned bit, bool is_set)
{
	uint64_t one = (uint64_t)1 << bit;
	return is_set ? mask | one : mask & ~one;
}

int routes_set_remote(struct routes *r, struct span filter, unsigned shard,
		      struct interest interest)
{
	ASSERT(shard < 64);
	struct filter_node *n = interest.any ? filter_tree_add(&r->tree, filter)
					     : filter_tree_find(&r->tree, filter);
	if (!n)
		return interest.any ? ERROR_NO_MEMORY : 0;
	uint64_t shards = with_bit(n->remote_shards, shard, interest.any);
	uint64_t surviving =
		with_bit(n->remote_surviving, shard, interest.any && interest.surviving);
	if (shards == n->remote_shards && surviving == n->remote_surviving)
		return 0;
	n->remote_shards = shards;
	n->remote_surviving = surviving;
	routes_drop_if_unused(r, n);
	routes_changed(r);
	return 0;
}

const struct match *routes_match(struct routes *r, struct span topic)
{
	uint64_t hash = hash_bytes(topic, r->tree.seed);
	const struct match *m = match_cache_find(&r->cache, hash, topic);
	if (LIKELY(m))
		return m;
	m = match_build(&r->builder, &r->tree, topic, NULL);
	if (!m)
		return NULL;
	const struct match *kept = match_cache_keep(&r->cache, hash, topic, m);
	return kept ? kept : m;
}

const struct match *routes_match_for_publisher(struct routes *r, struct span topic,
					       const struct subscriber *publisher)
{
	return match_build(&r->builder, &r->tree, topic, publisher);
}

uint64_t routes_subscription_count(const struct routes *r)
{
	return r->subscription_count;
}
