/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last retained message of each topic ([5] 3.3.1.3), found by name or by filter. No session's
 * end touches them [3.1.1 MQTT-3.1.2-7]. The message itself is opaque here; its topic is asked for
 * through `topic_of`.
 */
#ifndef NIGHTJAR_ROUTE_RETAINED_H
#define NIGHTJAR_ROUTE_RETAINED_H

#include "base/base.h"

struct message;
struct retained;

/* NULL when there is no memory. */
struct retained *retained_new(uint64_t seed, struct span (*topic_of)(const struct message *));
/* Calls `drop` for each message still held. */
void retained_free(struct retained *r, void (*drop)(struct message *));

/* Puts the message in place of its topic's former one, which is returned in `old_out` (or NULL).
 * The store takes over the caller's reference. 0 or ERROR_NO_MEMORY (nothing changed). */
int retained_set(struct retained *r, struct message *message, struct message **old_out) MUST_USE;
/* Takes the topic's message out and returns it, or NULL. */
struct message *retained_clear(struct retained *r, struct span topic);
struct message *retained_find(const struct retained *r, struct span topic);
uint64_t retained_count(const struct retained *r);

/* All of them, in an order that only the topics decide. The walk starts zero-initialised; the store
 * must not change meanwhile. NULL at the end. */
struct retained_walk {
	uint32_t leaf, item;
};
struct message *retained_each(const struct retained *r, struct retained_walk *walk);

/*
 * Walks the messages that match a filter, in a fixed order, and can stop and go on later: the
 * cursor holds the topic that was visited last, so the store may change in between (a message set
 * or cleared meanwhile may be seen or not). A call looks at no more topics than visits are left.
 */
struct retained_cursor {
	struct span filter; /* borrowed; must live as long as the cursor */
	char *last;         /* topic visited last, owned; NULL at the start */
	uint16_t last_len;
	bool is_done;
	/* Private to route/: */
	bool is_started;
	bool is_lost; /* there was no memory for `last` */
	uint32_t last_capacity;
	uint32_t leaf, item; /* where the walk goes on, as long as `version` is the store's */
	uint64_t version;
};
void retained_cursor_init(struct retained_cursor *c, struct span filter);
/* Starts it behind a topic, as if that had been visited. 0 or ERROR_NO_MEMORY (nothing changed). */
int retained_cursor_start_behind(struct retained_cursor *c, struct span topic) MUST_USE;
void retained_cursor_release(struct retained_cursor *c);
/* The next match or NULL; after NULL, `is_done` tells the end from used-up visits (call again in
 * a later turn). Without memory for the cursor's position it goes on without being resumable: used-up
 * visits do not stop it, and a change of the store ends it. */
struct message *retained_next(struct retained *r, struct retained_cursor *c, unsigned *visits_left);

#endif
