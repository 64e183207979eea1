/* SPDX-License-Identifier: Apache-2.0 */
/* A doubly linked ring whose links live inside the elements. An element outside any list has
 * `next == NULL`. */
#ifndef NIGHTJAR_BASE_LIST_H
#define NIGHTJAR_BASE_LIST_H

#include "base/base.h"

struct link {
	struct link *next;
	struct link *prev;
};

static inline void list_init(struct link *head)
{
	head->next = head->prev = head;
}

static inline bool list_is_empty(const struct link *head)
{
	return head->next == head;
}

static inline bool link_is_listed(const struct link *link)
{
	return link->next != NULL;
}

static inline void list_append(struct link *head, struct link *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

/* Leaves the list it is in; nothing happens when it is in none. */
static inline void link_remove(struct link *link)
{
	if (!link->next)
		return;
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = NULL;
}

#endif
