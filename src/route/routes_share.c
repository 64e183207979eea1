/* SPDX-License-Identifier: Apache-2.0 */
/* Shared groups in the tree of filters. They are found through a table of their own: a filter may
 * have any number of them. */
#include "route/routes_private.h"

#include "base/hash.h"
#include "base/mem.h"
#include "route/share.h"

static uint64_t share_hash(const struct routes *r, struct span name, const struct filter_node *n)
{
	return hash_mix(hash_bytes(name, r->tree.seed), hash_value_of(n));
}

static struct share *find_share(const struct routes *r, struct span name,
				const struct filter_node *n)
{
	struct hash_slot *slot = hash_index_first(&r->shares, share_hash(r, name, n));
	for (; slot; slot = hash_index_next(&r->shares, slot)) {
		struct share *s = hash_slot_pointer(slot);
		if (s->node == n && span_is_equal(share_name(s), name))
			return s;
	}
	return NULL;
}

static struct share *share_new(struct routes *r, struct span name, struct filter_node *n)
{
	struct share *s = mem_alloc(sizeof(*s) + name.len);
	if (!s)
		return NULL;
	*s = (struct share){.name_len = (uint16_t)name.len};
	memcpy(s->name, name.ptr, name.len);
	if (filter_node_add_share(n, s) != 0)
		goto fail;
	if (hash_index_add(&r->shares, share_hash(r, name, n), hash_value_of(s)) == 0)
		return s;
	filter_node_remove_share(n, s);
fail:
	mem_free(s);
	return NULL;
}

struct share *routes_share(struct routes *r, struct span name, struct span filter, bool create)
{
	struct filter_node *n =
		create ? filter_tree_add(&r->tree, filter) : filter_tree_find(&r->tree, filter);
	if (!n)
		return NULL;
	struct share *s = find_share(r, name, n);
	if (!s && create)
		s = share_new(r, name, n);
	routes_drop_if_unused(r, n); /* made for nothing, without memory for the group */
	return s;
}

static bool has_surviving_member(const struct share *s)
{
	for (uint32_t i = 0; i < s->member_count; i++)
		if (s->members[i].survives)
			return true;
	return false;
}

void routes_share_changed(struct routes *r, struct share *s)
{
	bool is_active = s->member_count > 0;
	bool is_surviving = has_surviving_member(s);
	if (is_active == s->is_active && is_surviving == s->is_surviving)
		return;
	struct share_list *list = s->node->shares;
	list->active_count += (uint32_t)is_active - s->is_active;
	list->surviving_count += (uint32_t)is_surviving - s->is_surviving;
	s->is_active = is_active;
	s->is_surviving = is_surviving;
	routes_changed(r);
}

void routes_share_free(struct routes *r, struct share *s)
{
	struct filter_node *n = s->node;
	uint64_t hash = share_hash(r, share_name(s), n);
	hash_index_remove(&r->shares, hash_index_find(&r->shares, hash, hash_value_of(s)));
	filter_node_remove_share(n, s);
	mem_free(s->members);
	mem_free(s);
	routes_drop_if_unused(r, n);
	routes_changed(r);
}

struct share *routes_any_share(struct routes *r)
{
	struct hash_slot *slot = hash_index_any(&r->shares);
	return slot ? hash_slot_pointer(slot) : NULL;
}

struct share *routes_each_share(const struct routes *r, uint64_t *cursor)
{
	struct hash_slot *slot = hash_index_each(&r->shares, cursor);
	return slot ? hash_slot_pointer(slot) : NULL;
}
