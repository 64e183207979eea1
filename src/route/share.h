/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shared subscription group `$share/name/filter` ([5] 4.8.2). It lives on one shard, its owner;
 * its members may be sessions of any shard, known here by number only. The group chooses, round
 * robin among connected members, who gets a message; what waits while nobody is connected belongs
 * to the group, not to a member, and is kept by the broker behind `waiting`.
 */
#ifndef NIGHTJAR_ROUTE_SHARE_H
#define NIGHTJAR_ROUTE_SHARE_H

#include "base/base.h"

struct share_member {
	uint64_t session; /* number of the member's session, unique in the broker */
	uint32_t identifier;
	uint16_t shard;      /* where that session lives */
	uint16_t membership; /* which of its memberships this is, for its own shard */
	uint8_t qos;         /* granted */
	bool retain_as_published;
	bool is_connected;
	bool survives;
};

struct share {
	struct filter_node *node;
	struct share_member *members; /* in order of joining */
	uint32_t member_count;
	uint32_t member_capacity;
	uint32_t turn; /* index of the member that is asked next */
	void *waiting; /* the broker's queue of messages without a connected member */
	/* Private to route/: */
	uint32_t index;    /* among the filter's groups */
	bool is_active;    /* had a member when routes_share_changed was called last */
	bool is_surviving; /* had one that survives */
	uint16_t name_len;
	char name[];
};

/* Adds a member or replaces its options; 0 or ERROR_NO_MEMORY. Call routes_share_changed after. */
int share_join(struct share *s, const struct share_member *member, bool *existed_out) MUST_USE;
/* False when it was no member. Call routes_share_changed after. */
bool share_leave(struct share *s, uint64_t session);
/* The member, or NULL. */
struct share_member *share_find(struct share *s, uint64_t session);
/* The next connected member in turn, or NULL when none is connected. */
struct share_member *share_next(struct share *s);
struct span share_name(const struct share *s);
struct span share_filter(const struct share *s);

#endif
