/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries stand in the order in which the walk comes to their subscribers: nodes in the order of
 * the walk, and within a node in that of its list. No pointer and no hash decides.
 *
 * Three passes over the nodes, each linear: upper bounds for the arrays; entries; identifiers
 * (only when there are any), placed entry by entry so that each entry's stand together.
 */
#include "route/match_builder.h"

#include "base/mem.h"
#include "route/share.h"

/* An array that grew beyond this is given back before the next match. */
#define KEPT_BYTES_MAX (1U << 20)

struct needs {
	uint32_t entries;
	uint32_t shares;
};

/* An array for at least `count` items; what it held may be lost. */
static int reserve(void **array, uint32_t *capacity, uint32_t count, size_t item_len)
{
	bool is_too_large = *capacity > count && *capacity * item_len > KEPT_BYTES_MAX;
	if (count <= *capacity && !is_too_large)
		return 0;
	mem_free(*array);
	*capacity = 0;
	uint32_t rounded = count < 32 ? 32 : count + count / 8;
	*array = mem_alloc(rounded * item_len);
	if (!*array)
		return ERROR_NO_MEMORY;
	*capacity = rounded;
	return 0;
}

static struct needs count_needs(const struct filter_walk *w)
{
	struct needs needs = {0, 0};
	for (uint32_t i = 0; i < w->node_count; i++) {
		needs.entries += w->nodes[i]->subscription_count;
		if (w->nodes[i]->shares)
			needs.shares += w->nodes[i]->shares->active_count;
	}
	return needs;
}

static bool does_count(const struct subscription *s, const struct subscriber *publisher)
{
	return !(s->no_local && s->subscriber == publisher);
}

static void merge_subscription(struct match_builder *b, const struct subscription *s)
{
	struct match *m = &b->match;
	struct subscriber *subscriber = s->subscriber;
	if (subscriber->match_mark != b->epoch) {
		subscriber->match_mark = b->epoch;
		subscriber->match_entry = m->entry_count++;
		b->entries[subscriber->match_entry] =
			(struct match_entry){.subscriber = subscriber};
		m->has_surviving |= subscriber->survives;
	}
	struct match_entry *entry = &b->entries[subscriber->match_entry];
	if (s->qos > entry->qos)
		entry->qos = s->qos;
	entry->retain_as_published |= s->retain_as_published;
	entry->has_no_local |= s->no_local;
	if (s->identifier != 0 && entry->identifier_count < UINT16_MAX)
		entry->identifier_count++;
}

static void merge_shares(struct match_builder *b, const struct share_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->items[i]->is_active)
			b->shares[b->match.share_count++] = list->items[i];
	b->match.has_surviving |= list->surviving_count > 0;
}

static void merge_node(struct match_builder *b, const struct filter_node *n,
		       const struct subscriber *publisher)
{
	struct subscription *const *subscriptions = filter_node_subscriptions(n);
	for (uint32_t i = 0; i < n->subscription_count; i++)
		if (does_count(subscriptions[i], publisher))
			merge_subscription(b, subscriptions[i]);
	if (n->shares)
		merge_shares(b, n->shares);
	b->match.remote_shards |= n->remote_shards;
	b->match.remote_surviving |= n->remote_surviving;
}

/* Gives each entry its place among the identifiers; returns how many there are. */
static uint32_t place_identifiers(struct match_builder *b)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < b->match.entry_count; i++) {
		b->entries[i].identifiers = count;
		count += b->entries[i].identifier_count;
	}
	return count;
}

static void fill_identifiers(struct match_builder *b, const struct subscriber *publisher)
{
	for (uint32_t i = 0; i < b->match.entry_count; i++)
		b->entries[i].identifier_count = 0;
	for (uint32_t i = 0; i < b->walk.node_count; i++) {
		const struct filter_node *n = b->walk.nodes[i];
		struct subscription *const *subscriptions = filter_node_subscriptions(n);
		for (uint32_t j = 0; j < n->subscription_count; j++) {
			const struct subscription *s = subscriptions[j];
			if (s->identifier == 0 || !does_count(s, publisher))
				continue;
			struct match_entry *e = &b->entries[s->subscriber->match_entry];
			if (e->identifier_count < UINT16_MAX)
				b->identifiers[e->identifiers + e->identifier_count++] =
					s->identifier;
		}
	}
}

const struct match *match_build(struct match_builder *b, const struct filter_tree *tree,
				struct span topic, const struct subscriber *publisher)
{
	b->match = (struct match){0};
	b->epoch++;
	if (filter_tree_walk(tree, &b->walk, topic) != 0)
		return NULL;
	struct needs needs = count_needs(&b->walk);
	if (reserve((void **)&b->entries, &b->entry_capacity, needs.entries, sizeof(*b->entries)) ||
	    reserve((void **)&b->shares, &b->share_capacity, needs.shares, sizeof(*b->shares)))
		return NULL;
	for (uint32_t i = 0; i < b->walk.node_count; i++)
		merge_node(b, b->walk.nodes[i], publisher);
	uint32_t identifier_count = place_identifiers(b);
	if (reserve((void **)&b->identifiers, &b->identifier_capacity, identifier_count,
		    sizeof(*b->identifiers)))
		return NULL;
	if (identifier_count > 0)
		fill_identifiers(b, publisher);
	b->match.entries = b->entries;
	b->match.identifiers = b->identifiers;
	b->match.shares = b->shares;
	return &b->match;
}

uint32_t match_identifier_count(const struct match *m)
{
	if (m->entry_count == 0)
		return 0;
	const struct match_entry *last = &m->entries[m->entry_count - 1];
	return last->identifiers + last->identifier_count;
}

void match_builder_release(struct match_builder *b)
{
	filter_walk_release(&b->walk);
	mem_free(b->entries);
	mem_free(b->identifiers);
	mem_free(b->shares);
	*b = (struct match_builder){.epoch = b->epoch};
}
