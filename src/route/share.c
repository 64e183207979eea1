/* SPDX-License-Identifier: Apache-2.0 */
/* The members of a shared group and whose turn it is. */
#include "route/share.h"

#include "base/mem.h"
#include "route/filter_node.h"

#define MEMBER_CAPACITY_MIN 4

struct share_member *share_find(struct share *s, uint64_t session)
{
	for (uint32_t i = 0; i < s->member_count; i++)
		if (s->members[i].session == session)
			return &s->members[i];
	return NULL;
}

static int resize(struct share *s, uint32_t capacity)
{
	struct share_member *members = mem_realloc(s->members, capacity * sizeof(*members));
	if (!members)
		return ERROR_NO_MEMORY;
	s->members = members;
	s->member_capacity = capacity;
	return 0;
}

int share_join(struct share *s, const struct share_member *member, bool *existed_out)
{
	struct share_member *old = share_find(s, member->session);
	if (old) {
		*old = *member;
		*existed_out = true;
		return 0;
	}
	if (s->member_count == s->member_capacity &&
	    resize(s, s->member_capacity ? s->member_capacity * 2 : MEMBER_CAPACITY_MIN) != 0)
		return ERROR_NO_MEMORY;
	s->members[s->member_count++] = *member;
	*existed_out = false;
	return 0;
}

static void give_back_room(struct share *s)
{
	if (s->member_count == 0) {
		mem_free(s->members);
		s->members = NULL;
		s->member_capacity = 0;
		s->turn = 0;
	} else if (s->member_capacity > MEMBER_CAPACITY_MIN &&
		   s->member_count < s->member_capacity / 4) {
		(void)!resize(s, s->member_capacity / 2); /* failing is harmless */
	}
}

bool share_leave(struct share *s, uint64_t session)
{
	struct share_member *member = share_find(s, session);
	if (!member)
		return false;
	uint32_t at = (uint32_t)(member - s->members);
	s->member_count--;
	memmove(member, member + 1, (s->member_count - at) * sizeof(*member));
	if (at < s->turn)
		s->turn--;
	give_back_room(s);
	return true;
}

struct share_member *share_choose(struct share *s,
				  bool (*may_get)(const void *context, const struct share_member *),
				  const void *context)
{
	for (uint32_t asked = 0; asked < s->member_count; asked++) {
		if (s->turn >= s->member_count)
			s->turn = 0;
		struct share_member *member = &s->members[s->turn++];
		if (may_get(context, member))
			return member;
	}
	return NULL;
}

static bool is_connected(const void *context, const struct share_member *member)
{
	(void)context;
	return member->is_connected;
}

struct share_member *share_next(struct share *s)
{
	return share_choose(s, is_connected, NULL);
}

struct span share_name(const struct share *s)
{
	return span_of(s->name, s->name_len);
}

struct span share_filter(const struct share *s)
{
	return filter_node_text(s->node);
}
