/* SPDX-License-Identifier: Apache-2.0 */
#include "route/subscriber.h"

#include "base/mem.h"
#include "route/hash_index.h"

/* From this many subscriptions on a subscriber has an index, until it has less than a quarter;
 * below, going through the list or the filter's subscribers is as fast. */
#define INDEXED_COUNT 32

/* The index never decides an order, so addresses may be hashed. */
static uint64_t node_hash(const struct filter_node *n)
{
	return hash_mix(0, hash_value_of(n));
}

static void drop_index(struct subscriber *s)
{
	hash_index_release(s->index);
	mem_free(s->index);
	s->index = NULL;
}

static void index_subscription(struct subscriber *s, struct subscription *subscription)
{
	if (hash_index_add(s->index, node_hash(subscription->node), hash_value_of(subscription)))
		drop_index(s);
}

static void build_index(struct subscriber *s)
{
	s->index = mem_zalloc(sizeof(*s->index));
	for (struct subscription *i = s->first; i && s->index; i = i->next_of_subscriber)
		index_subscription(s, i);
}

static bool is_power_of_two(uint32_t number)
{
	return (number & (number - 1)) == 0;
}

void subscriber_add(struct subscription *subscription)
{
	struct subscriber *s = subscription->subscriber;
	subscription->previous_of_subscriber = NULL;
	subscription->next_of_subscriber = s->first;
	if (s->first)
		s->first->previous_of_subscriber = subscription;
	s->first = subscription;
	s->count++;
	if (s->index)
		index_subscription(s, subscription);
	else if (s->count >= INDEXED_COUNT && is_power_of_two(s->count))
		build_index(s);
}

void subscriber_remove(struct subscription *subscription)
{
	struct subscriber *s = subscription->subscriber;
	struct subscription *previous = subscription->previous_of_subscriber;
	struct subscription *next = subscription->next_of_subscriber;
	*(previous ? &previous->next_of_subscriber : &s->first) = next;
	if (next)
		next->previous_of_subscriber = previous;
	s->count--;
	if (!s->index)
		return;
	hash_index_remove(s->index, hash_index_find(s->index, node_hash(subscription->node),
						    hash_value_of(subscription)));
	if (s->count < INDEXED_COUNT / 4)
		drop_index(s);
}

static struct subscription *find_in_list(const struct subscriber *s, const struct filter_node *n)
{
	struct subscription *i = s->first;
	while (i && i->node != n)
		i = i->next_of_subscriber;
	return i;
}

static struct subscription *find_in_node(const struct subscriber *s, const struct filter_node *n)
{
	struct subscription *const *subscriptions = filter_node_subscriptions(n);
	for (uint32_t i = 0; i < n->subscription_count; i++)
		if (subscriptions[i]->subscriber == s)
			return subscriptions[i];
	return NULL;
}

static struct subscription *find_in_index(const struct subscriber *s, const struct filter_node *n)
{
	struct hash_slot *slot = hash_index_first(s->index, node_hash(n));
	for (; slot; slot = hash_index_next(s->index, slot)) {
		struct subscription *subscription = hash_slot_pointer(slot);
		if (subscription->node == n)
			return subscription;
	}
	return NULL;
}

struct subscription *subscriber_find(const struct subscriber *s, const struct filter_node *n)
{
	if (s->index)
		return find_in_index(s, n);
	if (s->count < n->subscription_count)
		return find_in_list(s, n);
	return find_in_node(s, n);
}
