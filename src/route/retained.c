/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each topic is held twice: in a hash index, so that a message that replaces another (nearly all
 * do) costs one look-up, and in order, for the walks (retained_cursor.c).
 */
#include "route/retained_private.h"

#include "base/hash.h"
#include "base/mem.h"

struct retained *retained_new(uint64_t seed, struct span (*topic_of)(const struct message *))
{
	struct retained *r = mem_zalloc(sizeof(*r));
	if (!r)
		return NULL;
	r->seed = seed;
	r->topic_of = topic_of;
	return r;
}

void retained_free(struct retained *r, void (*drop)(struct message *))
{
	if (!r)
		return;
	struct topic_position p = {0, 0};
	for (struct topic_item *i; (i = topic_list_at(&r->list, p));) {
		p = topic_list_behind(&r->list, p);
		drop(i->message);
		mem_free(i);
	}
	topic_list_release(&r->list);
	hash_index_release(&r->topics);
	mem_free(r);
}

static struct hash_slot *slot_of(const struct retained *r, uint64_t hash, struct span topic)
{
	struct hash_slot *slot = hash_index_first(&r->topics, hash);
	while (slot && !span_is_equal(topic_item_topic(hash_slot_pointer(slot)), topic))
		slot = hash_index_next(&r->topics, slot);
	return slot;
}

static void set_message(struct topic_item *i, struct message *m, struct span topic)
{
	i->message = m;
	i->topic = topic.ptr;
	i->topic_len = (uint32_t)topic.len;
}

static struct topic_position position_of(const struct retained *r, struct span topic)
{
	return topic_list_seek(&r->list, (struct topic_place){topic, SPAN_NONE});
}

static int add_item(struct retained *r, uint64_t hash, struct message *m, struct span topic)
{
	struct topic_item *i = mem_alloc(sizeof(*i));
	if (!i)
		return ERROR_NO_MEMORY;
	set_message(i, m, topic);
	if (hash_index_add(&r->topics, hash, hash_value_of(i)) != 0)
		goto fail;
	if (topic_list_insert(&r->list, position_of(r, topic), i) == 0)
		return 0;
	hash_index_remove(&r->topics, slot_of(r, hash, topic));
fail:
	mem_free(i);
	return ERROR_NO_MEMORY;
}

int retained_set(struct retained *r, struct message *message, struct message **old_out)
{
	struct span topic = r->topic_of(message);
	uint64_t hash = hash_bytes(topic, r->seed);
	struct hash_slot *slot = slot_of(r, hash, topic);
	struct message *old = NULL;
	if (slot) {
		struct topic_item *i = hash_slot_pointer(slot);
		old = i->message;
		set_message(i, message, topic);
	} else if (add_item(r, hash, message, topic) != 0) {
		return ERROR_NO_MEMORY;
	}
	*old_out = old;
	return 0;
}

struct message *retained_clear(struct retained *r, struct span topic)
{
	struct hash_slot *slot = slot_of(r, hash_bytes(topic, r->seed), topic);
	if (!slot)
		return NULL;
	struct topic_item *i = hash_slot_pointer(slot);
	struct message *m = i->message;
	topic_list_remove(&r->list, position_of(r, topic));
	hash_index_remove(&r->topics, slot);
	mem_free(i);
	return m;
}

struct message *retained_find(const struct retained *r, struct span topic)
{
	struct hash_slot *slot = slot_of(r, hash_bytes(topic, r->seed), topic);
	return slot ? ((struct topic_item *)hash_slot_pointer(slot))->message : NULL;
}

uint64_t retained_count(const struct retained *r)
{
	return r->topics.count;
}

struct message *retained_each(const struct retained *r, struct retained_walk *walk)
{
	struct topic_position p = {walk->leaf, walk->item};
	struct topic_item *i = topic_list_at(&r->list, p);
	if (!i)
		return NULL;
	p = topic_list_behind(&r->list, p);
	*walk = (struct retained_walk){p.leaf, p.item};
	return i->message;
}
