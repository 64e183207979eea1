/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics with their messages, in the order of topic_order.h: an array of leaves, each an array of
 * items. Two levels are enough: a million topics make some 6,000 leaves, and what must move at
 * an insertion is 2 KiB of one leaf, rarely the array of leaves.
 */
#ifndef NIGHTJAR_ROUTE_TOPIC_LIST_H
#define NIGHTJAR_ROUTE_TOPIC_LIST_H

#include "route/topic_order.h"

struct message;

struct topic_item {
	struct message *message;
	const uint8_t *topic; /* the message's own copy */
	uint32_t topic_len;
};

struct topic_list {
	struct topic_leaf **leaves; /* none is empty */
	uint32_t leaf_count;
	uint32_t leaf_capacity;
	uint64_t version; /* changes whenever positions change */
};

struct topic_position {
	uint32_t leaf;
	uint32_t item;
};

static inline struct span topic_item_topic(const struct topic_item *i)
{
	return span_of(i->topic, i->topic_len);
}

/* Zero-initialised is a valid empty one. Frees the list, not the items. */
void topic_list_release(struct topic_list *l);

/* The position of the first topic at or behind the place; it may be the end. */
struct topic_position topic_list_seek(const struct topic_list *l, struct topic_place place);
/* The same, when it is known to be at or behind `from`; cheap when it is near. */
struct topic_position topic_list_seek_from(const struct topic_list *l, struct topic_position from,
					   struct topic_place place);
/* The item there, or NULL at the end. */
struct topic_item *topic_list_at(const struct topic_list *l, struct topic_position p);
/* The position behind an existing one. */
struct topic_position topic_list_behind(const struct topic_list *l, struct topic_position p);

/* Inserts before the position, which topic_list_seek gave for this topic. 0 or ERROR_NO_MEMORY. */
int topic_list_insert(struct topic_list *l, struct topic_position p, struct topic_item *i) MUST_USE;
void topic_list_remove(struct topic_list *l, struct topic_position p);

#endif
