/* SPDX-License-Identifier: Apache-2.0 */
#include "route/retained_private.h"

#include "base/mem.h"

struct retained *retained_new(uint64_t seed, struct span (*topic_of)(const struct message *))
{
	(void)seed;
	struct retained *r = mem_zalloc(sizeof(*r));
	if (!r)
		return NULL;
	topic_list_init(&r->list, topic_of);
	return r;
}

void retained_free(struct retained *r, void (*drop)(struct message *))
{
	if (!r)
		return;
	struct topic_position p = {0, 0};
	for (struct message *m; (m = topic_list_at(&r->list, p));) {
		p = topic_list_behind(&r->list, p);
		drop(m);
	}
	topic_list_release(&r->list);
	mem_free(r);
}

static struct topic_place place_of(struct span topic)
{
	return (struct topic_place){topic, SPAN_NONE};
}

/* The message at the position if it is this topic's, or NULL. */
static struct message *message_at(const struct retained *r, struct topic_position p,
				  struct span topic)
{
	struct message *m = topic_list_at(&r->list, p);
	return m && span_is_equal(r->list.topic_of(m), topic) ? m : NULL;
}

int retained_set(struct retained *r, struct message *message, struct message **old_out)
{
	struct span topic = r->list.topic_of(message);
	struct topic_position p = topic_list_seek(&r->list, place_of(topic));
	struct message *old = message_at(r, p, topic);
	if (old) {
		topic_list_replace(&r->list, p, message);
	} else {
		if (topic_list_insert(&r->list, p, message) != 0)
			return ERROR_NO_MEMORY;
		r->count++;
	}
	*old_out = old;
	return 0;
}

struct message *retained_clear(struct retained *r, struct span topic)
{
	struct topic_position p = topic_list_seek(&r->list, place_of(topic));
	struct message *m = message_at(r, p, topic);
	if (!m)
		return NULL;
	topic_list_remove(&r->list, p);
	r->count--;
	return m;
}

struct message *retained_find(const struct retained *r, struct span topic)
{
	return message_at(r, topic_list_seek(&r->list, place_of(topic)), topic);
}

uint64_t retained_count(const struct retained *r)
{
	return r->count;
}
