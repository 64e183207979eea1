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
	uint64_t log_id;  /* what the log calls that session; 0 = it knows nothing of it */
	uint32_t identifier;
	uint16_t shard;      /* where that session lives */
	uint16_t membership; /* which of its memberships this is, for its own shard */
	uint8_t qos;         /* granted */
	bool retain_as_published;
	bool is_connected;
	bool is_sated; /* it has enough to do for now */
	bool survives;
};

struct share {
	struct filter_node *node;
	struct share_member *members; /* in order of joining */
	uint32_t member_count;
	uint32_t member_capacity;
	uint32_t turn; /* index of the member that is asked next */
	void *waiting; /* the broker's queue of messages without a connected member */
	void *out; /* the broker's queue of those that are on their way to one, if a log is kept */
	uint32_t given;  /* GIVEs of the broker that are in the log and not applied */
	bool is_reading; /* the broker reads some of `waiting` from the log */
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
/* The next one in turn that may get it, or NULL. */
struct share_member *share_choose(struct share *s,
				  bool (*may_get)(const void *context, const struct share_member *),
				  const void *context);
struct span share_name(const struct share *s);
struct span share_filter(const struct share *s);

#endif
