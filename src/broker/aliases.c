/* SPDX-License-Identifier: Apache-2.0 */
/* Topic aliases of one connection, both ways ([5] 3.3.2.3.4). */
#include "base/hash.h"
#include "base/mem.h"
#include "broker/packet.h"

struct alias_topic {
	uint64_t hash;
	uint8_t *bytes;
	uint16_t len;
};

/* Given in order until none is left: topics that come first are the ones that repeat. */
struct aliases_out {
	uint16_t alias_max;
	uint16_t used;
	uint32_t mask;
	uint16_t *table;             /* alias by hash of the topic; 0 = free */
	struct alias_topic topics[]; /* by alias - 1 */
};

struct aliases_out *aliases_out_new(uint16_t alias_max)
{
	uint32_t capacity = 4;
	while (capacity < alias_max * 2u)
		capacity *= 2;
	struct aliases_out *a = mem_zalloc(sizeof(*a) + alias_max * sizeof(a->topics[0]));
	if (!a)
		return NULL;
	a->table = mem_zalloc(capacity * sizeof(*a->table));
	if (!a->table) {
		mem_free(a);
		return NULL;
	}
	a->alias_max = alias_max;
	a->mask = capacity - 1;
	return a;
}

void aliases_out_free(struct aliases_out *a)
{
	if (!a)
		return;
	for (uint16_t i = 0; i < a->used; i++)
		mem_free(a->topics[i].bytes);
	mem_free(a->table);
	mem_free(a);
}

uint16_t aliases_out_find(struct aliases_out *a, struct span topic, bool *is_new_out)
{
	uint64_t hash = hash_bytes(topic, 0);
	uint32_t i = (uint32_t)hash & a->mask;
	*is_new_out = false;
	for (; a->table[i] != 0; i = (i + 1) & a->mask) {
		const struct alias_topic *t = &a->topics[a->table[i] - 1];
		if (t->hash == hash && span_is_equal(span_of(t->bytes, t->len), topic))
			return a->table[i];
	}
	if (a->used == a->alias_max)
		return 0;
	uint8_t *bytes = (uint8_t *)mem_copy_text(topic);
	if (!bytes)
		return 0;
	a->topics[a->used] = (struct alias_topic){hash, bytes, (uint16_t)topic.len};
	a->table[i] = ++a->used;
	*is_new_out = true;
	return a->used;
}

struct aliases_in {
	uint16_t alias_max;
	struct alias_topic topics[];
};

struct aliases_in *aliases_in_new(uint16_t alias_max)
{
	struct aliases_in *a = mem_zalloc(sizeof(*a) + alias_max * sizeof(a->topics[0]));
	if (a)
		a->alias_max = alias_max;
	return a;
}

void aliases_in_free(struct aliases_in *a)
{
	if (!a)
		return;
	for (uint16_t i = 0; i < a->alias_max; i++)
		mem_free(a->topics[i].bytes);
	mem_free(a);
}

int aliases_in_set(struct aliases_in *a, uint16_t alias, struct span topic)
{
	struct alias_topic *t = &a->topics[alias - 1];
	if (span_is_equal(span_of(t->bytes, t->len), topic))
		return 0;
	uint8_t *bytes = (uint8_t *)mem_copy_text(topic);
	if (!bytes)
		return ERROR_NO_MEMORY;
	mem_free(t->bytes);
	*t = (struct alias_topic){0, bytes, (uint16_t)topic.len};
	return 0;
}

struct span aliases_in_get(const struct aliases_in *a, uint16_t alias)
{
	const struct alias_topic *t = &a->topics[alias - 1];
	return span_of(t->bytes, t->len);
}
