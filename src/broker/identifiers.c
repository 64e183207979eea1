/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/identifiers.h"

#include "base/mem.h"
#include "broker/publish.h"

#define IDENTIFIER_BYTES_MAX 5 /* of one as a property: its kind, and four at most */

static bool is_equal(const struct identifier_set *set, const uint32_t *identifiers, uint32_t count)
{
	return set->count == count &&
	       memcmp(set->identifiers, identifiers, count * sizeof(*identifiers)) == 0;
}

static struct identifier_set *set_new(const uint32_t *identifiers, uint32_t count)
{
	struct identifier_set *set = mem_alloc(sizeof(*set) + count * sizeof(set->identifiers[0]));
	if (!set)
		return NULL;
	set->count = count;
	memcpy(set->identifiers, identifiers, count * sizeof(*identifiers));
	return set;
}

/* Of one session. Apart from it, since hardly any has them. */
struct identifier_sets {
	uint64_t session; /* number */
	uint32_t count;
	struct identifier_set **sets;
};

static struct span key_of(const void *element)
{
	const struct identifier_sets *all = element;
	return span_of(&all->session, sizeof(all->session));
}

void identifiers_init(struct shard *s)
{
	map_init(&s->identifier_sets, s->broker->seed, key_of);
}

static struct identifier_sets *sets_of(const struct shard *s, const struct session *session)
{
	if (LIKELY(s->identifier_sets.count == 0))
		return NULL;
	return map_find(&s->identifier_sets, span_of(&session->number, sizeof(session->number)));
}

static struct identifier_sets *sets_new(struct shard *s, const struct session *session)
{
	struct identifier_sets *all = mem_zalloc(sizeof(*all));
	if (!all)
		return NULL;
	all->session = session->number;
	if (map_add(&s->identifier_sets, all)) {
		mem_free(all);
		return NULL;
	}
	return all;
}

static int add(struct identifier_sets *all, const uint32_t *identifiers, uint32_t count)
{
	if (all->count == IDENTIFIER_SETS_MAX)
		return ERROR_LIMIT;
	struct identifier_set *set = set_new(identifiers, count);
	struct identifier_set **sets =
		set ? mem_realloc(all->sets, (all->count + 1) * sizeof(*sets)) : NULL;
	if (!sets) {
		mem_free(set);
		return ERROR_NO_MEMORY;
	}
	all->sets = sets;
	sets[all->count++] = set;
	return 0;
}

int identifiers_add(struct shard *s, const struct session *session, const uint32_t *identifiers,
		    uint32_t count)
{
	struct identifier_sets *all = sets_of(s, session);
	if (!all)
		all = sets_new(s, session);
	return all ? add(all, identifiers, count) : ERROR_NO_MEMORY;
}

int identifiers_index(struct shard *s, const struct session *session, const uint32_t *identifiers,
		      uint32_t count, uint32_t *index_out)
{
	/* subscriptions come and go: when nothing waits, the table begins anew */
	if (session->queue->count == 0 && send_is_idle(&session->send))
		identifiers_release(s, session);
	struct identifier_sets *all = sets_of(s, session);
	if (!all)
		all = sets_new(s, session);
	if (!all)
		return ERROR_NO_MEMORY;
	for (uint32_t i = 0; i < all->count; i++) {
		if (is_equal(all->sets[i], identifiers, count)) {
			*index_out = i;
			return 0;
		}
	}
	int error = add(all, identifiers, count);
	if (!error)
		*index_out = all->count - 1;
	return error;
}

const struct identifier_set *identifiers_at(const struct shard *s, const struct session *session,
					    uint32_t index)
{
	const struct identifier_sets *all = sets_of(s, session);
	return all && index < all->count ? all->sets[index] : NULL;
}

void identifiers_release(struct shard *s, const struct session *session)
{
	struct identifier_sets *all = sets_of(s, session);
	if (!all)
		return;
	map_remove(&s->identifier_sets, key_of(all));
	for (uint32_t i = 0; i < all->count; i++)
		mem_free(all->sets[i]);
	mem_free(all->sets);
	mem_free(all);
}

int identifiers_put(const uint32_t *identifiers, uint32_t count, const struct publication *p,
		    struct publication *copy_out, uint8_t **bytes_out)
{
	struct span properties = p->parts.properties;
	size_t room = properties.len + (size_t)count * IDENTIFIER_BYTES_MAX;
	uint8_t *bytes = mem_alloc(room);
	if (!bytes)
		return ERROR_NO_MEMORY;
	struct writer w = writer_of((struct room){bytes, room});
	for (uint32_t i = 0; i < count; i++) {
		write_u8(&w, PROPERTY_SUBSCRIPTION_IDENTIFIER);
		write_variable_integer(&w, identifiers[i]);
	}
	write_bytes(&w, properties);
	*copy_out = (struct publication){.parts = p->parts, .is_logged = p->is_logged};
	copy_out->parts.properties = span_of(bytes, (size_t)(w.ptr - bytes));
	*bytes_out = bytes;
	return 0;
}
