/* SPDX-License-Identifier: Apache-2.0 */
#include "route/topic_list.h"

#include "base/mem.h"

/* 2 KiB: half of it moves in well under 100 ns. */
#define LEAF_ITEMS_MAX 256
#define LEAF_ITEMS_MIN 8
/* Neighbours are joined when they fit and leave some room for what comes next. */
#define LEAF_JOIN_MAX (LEAF_ITEMS_MAX * 3 / 4)
#define LEAVES_MIN 4

struct topic_leaf {
	uint32_t count;
	uint32_t capacity;
	struct topic_item *items[];
};

void topic_list_release(struct topic_list *l)
{
	for (uint32_t i = 0; i < l->leaf_count; i++)
		mem_free(l->leaves[i]);
	mem_free(l->leaves);
	*l = (struct topic_list){0};
}

static bool is_before(const struct topic_item *i, struct topic_place place)
{
	return topic_order_compare(topic_item_topic(i), place) < 0;
}

/* The first of items [low, high) that is not before the place, or high. */
static uint32_t seek_in_leaf(const struct topic_leaf *leaf, uint32_t low, struct topic_place place)
{
	uint32_t high = leaf->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (is_before(leaf->items[middle], place))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The last leaf from `low` on whose first topic is before the place; `low` when none is. */
static uint32_t seek_leaf(const struct topic_list *l, uint32_t low, struct topic_place place)
{
	uint32_t high = l->leaf_count;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (is_before(l->leaves[middle]->items[0], place))
			low = middle;
		else
			high = middle;
	}
	return low;
}

struct topic_position topic_list_seek(const struct topic_list *l, struct topic_place place)
{
	return topic_list_seek_from(l, (struct topic_position){0, 0}, place);
}

struct topic_position topic_list_seek_from(const struct topic_list *l, struct topic_position from,
					   struct topic_place place)
{
	if (from.leaf >= l->leaf_count)
		return from;
	const struct topic_leaf *leaf = l->leaves[from.leaf];
	if (is_before(leaf->items[leaf->count - 1], place)) {
		from.leaf = seek_leaf(l, from.leaf, place);
		leaf = l->leaves[from.leaf];
		from.item = 0;
	}
	from.item = seek_in_leaf(leaf, from.item, place);
	return from;
}

struct topic_item *topic_list_at(const struct topic_list *l, struct topic_position p)
{
	if (p.leaf >= l->leaf_count)
		return NULL;
	if (p.item < l->leaves[p.leaf]->count)
		return l->leaves[p.leaf]->items[p.item];
	return p.leaf + 1 < l->leaf_count ? l->leaves[p.leaf + 1]->items[0] : NULL;
}

/* A position behind a leaf's last item is the same as the next leaf's first. */
struct topic_position topic_list_behind(const struct topic_list *l, struct topic_position p)
{
	if (p.item < l->leaves[p.leaf]->count)
		return (struct topic_position){p.leaf, p.item + 1};
	return (struct topic_position){p.leaf + 1, 1};
}

static struct topic_leaf *leaf_new(uint32_t capacity)
{
	struct topic_leaf *leaf = mem_alloc(sizeof(*leaf) + capacity * sizeof(struct topic_item *));
	if (!leaf)
		return NULL;
	leaf->count = 0;
	leaf->capacity = capacity;
	return leaf;
}

static int resize_leaf(struct topic_list *l, uint32_t number, uint32_t capacity)
{
	struct topic_leaf *leaf = mem_realloc(
		l->leaves[number], sizeof(*leaf) + capacity * sizeof(struct topic_item *));
	if (!leaf)
		return ERROR_NO_MEMORY;
	leaf->capacity = capacity;
	l->leaves[number] = leaf;
	return 0;
}

static int resize_leaves(struct topic_list *l, uint32_t capacity)
{
	struct topic_leaf **leaves = mem_realloc(l->leaves, capacity * sizeof(*leaves));
	if (!leaves)
		return ERROR_NO_MEMORY;
	l->leaves = leaves;
	l->leaf_capacity = capacity;
	return 0;
}

/* Makes an empty leaf, which must not stay so, at that number. */
static int insert_leaf(struct topic_list *l, uint32_t number, uint32_t capacity)
{
	if (l->leaf_count == l->leaf_capacity &&
	    resize_leaves(l, l->leaf_capacity ? l->leaf_capacity * 2 : LEAVES_MIN) != 0)
		return ERROR_NO_MEMORY;
	struct topic_leaf *leaf = leaf_new(capacity);
	if (!leaf)
		return ERROR_NO_MEMORY;
	struct topic_leaf **place = l->leaves + number;
	memmove(place + 1, place, (l->leaf_count - number) * sizeof(*place));
	*place = leaf;
	l->leaf_count++;
	return 0;
}

static void remove_leaf(struct topic_list *l, uint32_t number)
{
	struct topic_leaf **place = l->leaves + number;
	mem_free(*place);
	l->leaf_count--;
	memmove(place, place + 1, (l->leaf_count - number) * sizeof(*place));
	if (l->leaf_count == 0) {
		mem_free(l->leaves);
		l->leaves = NULL;
		l->leaf_capacity = 0;
	} else if (l->leaf_capacity > LEAVES_MIN && l->leaf_count < l->leaf_capacity / 4) {
		(void)!resize_leaves(l, l->leaf_capacity / 2); /* failing is harmless */
	}
}

/* Moves what stands at `from` on to the end of another leaf. */
static void move_items(struct topic_leaf *source, uint32_t from, struct topic_leaf *target)
{
	uint32_t count = source->count - from;
	memcpy(target->items + target->count, source->items + from,
	       count * sizeof(source->items[0]));
	target->count += count;
	source->count = from;
}

/* Makes room in a full leaf; the position is corrected. Topics that come in ascending order leave
 * full leaves behind: those are not split in halves. */
static int split_leaf(struct topic_list *l, struct topic_position *p)
{
	uint32_t kept = p->item == LEAF_ITEMS_MAX ? p->item : LEAF_ITEMS_MAX / 2;
	if (insert_leaf(l, p->leaf + 1, LEAF_ITEMS_MAX) != 0)
		return ERROR_NO_MEMORY;
	move_items(l->leaves[p->leaf], kept, l->leaves[p->leaf + 1]);
	if (p->item >= kept)
		*p = (struct topic_position){p->leaf + 1, p->item - kept};
	return 0;
}

static int make_room(struct topic_list *l, struct topic_position *p)
{
	if (l->leaf_count == 0)
		return insert_leaf(l, 0, LEAF_ITEMS_MIN);
	struct topic_leaf *leaf = l->leaves[p->leaf];
	if (leaf->count < leaf->capacity)
		return 0;
	if (leaf->capacity == LEAF_ITEMS_MAX)
		return split_leaf(l, p);
	return resize_leaf(l, p->leaf, leaf->capacity * 2);
}

int topic_list_insert(struct topic_list *l, struct topic_position p, struct topic_item *i)
{
	if (make_room(l, &p) != 0)
		return ERROR_NO_MEMORY;
	struct topic_leaf *leaf = l->leaves[p.leaf];
	struct topic_item **place = leaf->items + p.item;
	memmove(place + 1, place, (leaf->count - p.item) * sizeof(*place));
	*place = i;
	leaf->count++;
	l->version++;
	return 0;
}

/* Joins a leaf with the one behind it when both have become small. */
static bool join_leaves(struct topic_list *l, uint32_t number)
{
	if (number + 1 >= l->leaf_count)
		return false;
	struct topic_leaf *left = l->leaves[number], *right = l->leaves[number + 1];
	if (left->count + right->count > LEAF_JOIN_MAX)
		return false;
	if (left->capacity < LEAF_ITEMS_MAX && resize_leaf(l, number, LEAF_ITEMS_MAX) != 0)
		return false;
	move_items(right, 0, l->leaves[number]);
	remove_leaf(l, number + 1);
	return true;
}

void topic_list_remove(struct topic_list *l, struct topic_position p)
{
	if (p.item == l->leaves[p.leaf]->count)
		p = (struct topic_position){p.leaf + 1, 0};
	struct topic_leaf *leaf = l->leaves[p.leaf];
	struct topic_item **place = leaf->items + p.item;
	leaf->count--;
	memmove(place, place + 1, (leaf->count - p.item) * sizeof(*place));
	l->version++;
	if (leaf->count == 0)
		remove_leaf(l, p.leaf);
	else if (leaf->count < LEAF_JOIN_MAX / 2 && !join_leaves(l, p.leaf) && p.leaf > 0)
		(void)!join_leaves(l, p.leaf - 1);
}
