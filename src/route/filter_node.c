/* SPDX-License-Identifier: Apache-2.0 */
#include "route/filter_node.h"

#include "base/mem.h"
#include "route/share.h"

#define LIST_CAPACITY_MIN 4

static int resize_subscriptions(struct filter_node *n, uint32_t capacity)
{
	struct subscription_list *list = mem_realloc(
		n->list, sizeof(*list) + (size_t)capacity * sizeof(struct subscription *));
	if (!list)
		return ERROR_NO_MEMORY;
	list->capacity = capacity;
	n->list = list;
	return 0;
}

static int one_becomes_list(struct filter_node *n)
{
	struct subscription_list *list =
		mem_alloc(sizeof(*list) + LIST_CAPACITY_MIN * sizeof(struct subscription *));
	if (!list)
		return ERROR_NO_MEMORY;
	list->capacity = LIST_CAPACITY_MIN;
	list->items[0] = n->one;
	n->list = list;
	return 0;
}

static void list_becomes_one(struct filter_node *n)
{
	struct subscription *one = n->list->items[0];
	mem_free(n->list);
	n->one = one;
}

static int make_room(struct filter_node *n)
{
	if (n->subscription_count == 1)
		return one_becomes_list(n);
	if (n->subscription_count > 1 && n->subscription_count == n->list->capacity)
		return resize_subscriptions(n, n->list->capacity * 2);
	return 0;
}

int filter_node_add_subscription(struct filter_node *n, struct subscription *s)
{
	if (make_room(n) != 0)
		return ERROR_NO_MEMORY;
	s->node = n;
	s->index = n->subscription_count++;
	if (s->index == 0)
		n->one = s;
	else
		n->list->items[s->index] = s;
	n->surviving_count += s->subscriber->survives;
	return 0;
}

void filter_node_remove_subscription(struct filter_node *n, struct subscription *s)
{
	n->surviving_count -= s->subscriber->survives;
	n->subscription_count--;
	if (n->subscription_count == 0) {
		n->one = NULL;
		return;
	}
	struct subscription *last = n->list->items[n->subscription_count];
	n->list->items[s->index] = last;
	last->index = s->index;
	if (n->subscription_count == 1)
		list_becomes_one(n);
	else if (n->list->capacity > LIST_CAPACITY_MIN &&
		 n->subscription_count < n->list->capacity / 4)
		(void)!resize_subscriptions(n, n->list->capacity / 2); /* failing is harmless */
}

int filter_node_add_share(struct filter_node *n, struct share *s)
{
	struct share_list *list = n->shares;
	if (!list || list->count == list->capacity) {
		uint32_t capacity = list ? list->capacity * 2 : 1;
		list = mem_realloc(list, sizeof(*list) + (size_t)capacity * sizeof(struct share *));
		if (!list)
			return ERROR_NO_MEMORY;
		if (!n->shares)
			*list = (struct share_list){0};
		list->capacity = capacity;
		n->shares = list;
	}
	s->node = n;
	s->index = list->count;
	list->items[list->count++] = s;
	return 0;
}

void filter_node_remove_share(struct filter_node *n, struct share *s)
{
	struct share_list *list = n->shares;
	list->active_count -= s->is_active;
	list->surviving_count -= s->is_surviving;
	struct share *last = list->items[--list->count];
	list->items[s->index] = last;
	last->index = s->index;
	if (list->count > 0)
		return;
	mem_free(list);
	n->shares = NULL;
}

struct interest filter_node_interest(const struct filter_node *n)
{
	struct interest interest = {n->subscription_count > 0, n->surviving_count > 0};
	if (n->shares) {
		interest.any |= n->shares->active_count > 0;
		interest.surviving |= n->shares->surviving_count > 0;
	}
	return interest;
}

bool filter_node_is_unused(const struct filter_node *n)
{
	return n->subscription_count == 0 && !n->shares && n->remote_shards == 0;
}
