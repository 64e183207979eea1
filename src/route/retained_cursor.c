/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks over the retained messages of a filter. Between two calls a cursor holds the topic it saw
 * last, and the position behind it as a short cut while the store has not changed.
 */
#include "base/mem.h"
#include "route/retained_private.h"

#define LAST_CAPACITY_MIN 64

void retained_cursor_init(struct retained_cursor *c, struct span filter)
{
	*c = (struct retained_cursor){.filter = filter};
}

void retained_cursor_release(struct retained_cursor *c)
{
	mem_free(c->last);
	c->last = NULL;
	c->last_capacity = 0;
}

static struct topic_position end_of(const struct retained *r)
{
	return (struct topic_position){r->list.leaf_count, 0};
}

/* The first topic behind the one seen last. */
static struct topic_position resume(const struct retained *r, const struct retained_cursor *c)
{
	if (!c->is_started) {
		struct span literal = topic_order_literal(c->filter, 0);
		return topic_list_seek(&r->list, (struct topic_place){literal, SPAN_NONE});
	}
	if (c->version == r->list.version)
		return (struct topic_position){c->leaf, c->item};
	if (c->is_lost)
		return end_of(r);
	struct span last = span_of(c->last, c->last_len);
	struct topic_position p = topic_list_seek(&r->list, (struct topic_place){last, SPAN_NONE});
	const struct topic_item *i = topic_list_at(&r->list, p);
	if (i && span_is_equal(topic_item_topic(i), last))
		p = topic_list_behind(&r->list, p);
	return p;
}

static int make_room(struct retained_cursor *c, size_t len)
{
	if (len <= c->last_capacity)
		return 0;
	uint32_t capacity = LAST_CAPACITY_MIN;
	while (capacity < len)
		capacity *= 2;
	char *last = mem_realloc(c->last, capacity);
	if (!last)
		return ERROR_NO_MEMORY;
	c->last = last;
	c->last_capacity = capacity;
	return 0;
}

int retained_cursor_start_behind(struct retained_cursor *c, struct span topic)
{
	if (make_room(c, topic.len) != 0)
		return ERROR_NO_MEMORY;
	memcpy(c->last, topic.ptr, topic.len);
	c->last_len = (uint16_t)topic.len;
	c->version = UINT64_MAX; /* of no store */
	c->is_started = true;
	return 0;
}

/* Notes that everything up to the topic was seen, and that the walk goes on at `next`. */
static void note(const struct retained *r, struct retained_cursor *c, struct span topic,
		 struct topic_position next)
{
	c->is_started = true;
	c->version = r->list.version;
	c->leaf = next.leaf;
	c->item = next.item;
	c->is_lost = make_room(c, topic.len) != 0;
	if (c->is_lost)
		return;
	memcpy(c->last, topic.ptr, topic.len);
	c->last_len = (uint16_t)topic.len;
}

/* Visits are used up before the topic at `p`: stops there, if it can be found again. */
static bool can_stop(const struct retained *r, struct retained_cursor *c, struct span seen,
		     struct topic_position p)
{
	if (seen.len > 0)
		note(r, c, seen, p);
	return !c->is_lost;
}

struct message *retained_next(struct retained *r, struct retained_cursor *c, unsigned *visits_left)
{
	struct topic_position p = c->is_done ? end_of(r) : resume(r, c);
	struct span seen = SPAN_NONE;
	const struct topic_item *i;
	while ((i = topic_list_at(&r->list, p))) {
		if (*visits_left == 0 && can_stop(r, c, seen, p))
			return NULL;
		*visits_left -= *visits_left > 0;
		seen = topic_item_topic(i);
		struct topic_place place;
		enum topic_step step = topic_order_step(c->filter, seen, &place);
		if (step == TOPIC_END)
			break;
		struct topic_position next = topic_list_behind(&r->list, p);
		if (step == TOPIC_MATCHES) {
			note(r, c, seen, next);
			return i->message;
		}
		p = topic_list_seek_from(&r->list, next, place);
	}
	c->is_done = true;
	return NULL;
}
