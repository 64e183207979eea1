/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in the order of their topics (topic_order.h): an array of leaves, each an array of
 * messages. Two levels are enough: a million topics make some 6,000 leaves, and what must move at
 * an insertion is 2 KiB of one leaf, rarely the array of leaves.
 */
#ifndef NIGHTJAR_ROUTE_TOPIC_LIST_H
#define NIGHTJAR_ROUTE_TOPIC_LIST_H

#include "route/topic_order.h"

struct message;

struct topic_list {
	struct topic_leaf **leaves; /* none is empty */
	uint32_t leaf_count;
	uint32_t leaf_capacity;
	uint64_t version; /* changes whenever positions change */
	struct span (*topic_of)(const struct message *);
};

struct topic_position {
	uint32_t leaf;
	uint32_t item;
};

void topic_list_init(struct topic_list *l, struct span (*topic_of)(const struct message *));
/* Frees the list, not the messages. */
void topic_list_release(struct topic_list *l);

/* The position of the first topic at or behind the place; it may be the end. */
struct topic_position topic_list_seek(const struct topic_list *l, struct topic_place place);
/* The same, when it is known to be at or behind `from`; cheap when it is near. */
struct topic_position topic_list_seek_from(const struct topic_list *l, struct topic_position from,
					   struct topic_place place);
/* The message there, or NULL at the end. */
struct message *topic_list_at(const struct topic_list *l, struct topic_position p);
/* The position behind an existing one. */
struct topic_position topic_list_behind(const struct topic_list *l, struct topic_position p);

/* Puts another message of the same topic there. */
void topic_list_replace(struct topic_list *l, struct topic_position p, struct message *m);
/* Inserts before the position, which topic_list_seek gave for this topic. 0 or ERROR_NO_MEMORY. */
int topic_list_insert(struct topic_list *l, struct topic_position p, struct message *m) MUST_USE;
void topic_list_remove(struct topic_list *l, struct topic_position p);

#endif
