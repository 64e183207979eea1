/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets a message: one shard's subscriptions in a tree of topic levels, and what the other
 * shards are interested in. One thread, no clock, no I/O.
 *
 * Three things hang on a filter of the tree:
 *   - the subscriptions of this shard's sessions,
 *   - shared groups whose owner is this shard (share.h),
 *   - the interest of other shards: two masks, a bit a shard: any subscription, and one of a
 *     session that survives its connection (that decides whether a message is logged).
 *
 * Repeated topics are the norm: routes_match answers from a cache of topic -> result, which is
 * thrown away as a whole when anything in the tree changes.
 */
#ifndef NIGHTJAR_ROUTE_ROUTES_H
#define NIGHTJAR_ROUTE_ROUTES_H

#include "base/list.h"

struct share;

/* One end of subscriptions; lives inside a session. Zero-initialised is a valid empty one. */
struct subscriber {
	struct subscription *first; /* its subscriptions */
	uint32_t count;             /* of its subscriptions, for limits */
	bool survives; /* its session outlives the connection; see routes_set_survives */
	/* Private to route/: */
	uint32_t match_entry; /* its entry in the match numbered match_mark */
	uint64_t match_mark;
	struct hash_index *index; /* its subscriptions by filter, once there are many */
};

struct subscription {
	struct subscriber *subscriber;
	struct subscription *next_of_subscriber;
	struct subscription *previous_of_subscriber;
	struct filter_node *node;
	uint32_t index;      /* among the node's subscriptions */
	uint32_t identifier; /* Subscription Identifier, 0 = none */
	uint8_t qos;
	bool no_local;
	bool retain_as_published;
};

/* One subscriber that gets a message once, all its matching subscriptions merged:
 * the highest QoS [MQTT-3.3.4-2], every identifier [MQTT-3.3.4-4]. */
struct match_entry {
	struct subscriber *subscriber;
	uint32_t identifiers; /* index into match.identifiers */
	uint16_t identifier_count;
	uint8_t qos;
	bool retain_as_published; /* any of them */
	bool has_no_local; /* any of them: ask routes_match_for_publisher when it publishes */
};

struct match {
	uint32_t entry_count;
	uint32_t share_count;
	const struct match_entry *entries; /* in an order fixed by the history of calls */
	const uint32_t *identifiers;
	struct share *const *shares; /* groups owned by this shard */
	uint64_t remote_shards;      /* bits of other shards with any interest */
	uint64_t remote_surviving;   /* bits of other shards with surviving interest */
	bool has_surviving; /* a surviving local subscriber or a group with one is among them */
};

struct routes;

/* NULL when there is no memory. `seed` keeps peers from aiming at the hash tables. */
struct routes *routes_new(uint64_t seed, uint32_t cached_topics_max);
/* From now on so many; what is cached is forgotten. */
void routes_cache_topics(struct routes *r, uint32_t cached_topics_max);
/* All subscribers must have been removed, all shares freed. */
void routes_free(struct routes *r);

/* Adds a subscription, or replaces options and identifier of the same filter [MQTT-3.8.4-3].
 * `filter` is valid and not a `$share/` one. 0 or ERROR_NO_MEMORY (then nothing changed). */
int routes_subscribe(struct routes *r, struct subscriber *s, struct span filter,
		     const struct subscription *options, bool *existed_out) MUST_USE;
/* Filters are compared byte by byte [MQTT-3.10.4-1]. False when there was none. */
bool routes_unsubscribe(struct routes *r, struct subscriber *s, struct span filter);
/* All of a subscriber's subscriptions go. */
void routes_remove_subscriber(struct routes *r, struct subscriber *s);
/* The session of this subscriber starts or stops to survive: its filters' interest changes. */
void routes_set_survives(struct routes *r, struct subscriber *s, bool survives);
/* The filter text of a subscription; valid while it exists (not NUL-terminated). */
struct span subscription_filter(const struct subscription *s);

/* This shard's own interest in a filter, as others must know it: subscriptions and owned groups. */
struct interest {
	bool any;
	bool surviving;
};
struct interest routes_interest(const struct routes *r, struct span filter);
/* What another shard told: replaces what it told before about that filter. 0 or ERROR_NO_MEMORY. */
int routes_set_remote(struct routes *r, struct span filter, unsigned shard,
		      struct interest interest) MUST_USE;

/* All who get a message on this topic. Borrowed: valid until the next call on these routes.
 * Never NULL; without memory it answers from a fixed scratch area or, as a last resort,
 * NULL is returned and the caller treats it as ERROR_NO_MEMORY. */
const struct match *routes_match(struct routes *r, struct span topic);
/* The same for one publisher that has a no-local subscription among the matches: its own no-local
 * subscriptions do not count. Not cached. [MQTT-3.8.3-3] */
const struct match *routes_match_for_publisher(struct routes *r, struct span topic,
					       const struct subscriber *publisher);

/* Shared groups (share.h) are attached to filters. Finds, or creates when `create`; NULL when
 * absent or without memory. Freed with share_free once it has no members and no use. */
struct share *routes_share(struct routes *r, struct span share_name, struct span filter,
			   bool create);
/* A member of the group came, went, or changed its survival: interest must be counted anew. */
void routes_share_changed(struct routes *r, struct share *share);
void routes_share_free(struct routes *r, struct share *share);
/* Any group that exists, or NULL: for freeing all of them. */
struct share *routes_any_share(struct routes *r);
/* All groups, in no order: the cursor begins at 0; NULL at the end. None may come or go meanwhile. */
struct share *routes_each_share(const struct routes *r, uint64_t *cursor);

/* Figures for limits and status. */
uint64_t routes_subscription_count(const struct routes *r);

#endif
