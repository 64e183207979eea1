/* SPDX-License-Identifier: Apache-2.0 */
/* What all shards and those who accept connections share about limits (docs/LIMITS.md). */
#ifndef NIGHTJAR_BROKER_GUARD_H
#define NIGHTJAR_BROKER_GUARD_H

#include "base/base.h"

#include <stdatomic.h>

/* What was counted since the start. Each happens rarely: one place for all threads is enough. */
enum guard_count {
	GUARD_HELD_BACK,    /* a client was not read for a while, since it was too fast */
	GUARD_REFUSED,      /* PUBLISHes beyond a rate, answered with 0x97 */
	GUARD_DROPPED,      /* the same at QoS 0, dropped */
	GUARD_DISCONNECTED, /* clients, for the same reason */
	GUARD_COUNT_COUNT,
};

struct guard {
	atomic_uint_fast64_t counts[GUARD_COUNT_COUNT];
};

static inline void guard_count(struct guard *g, enum guard_count which)
{
	atomic_fetch_add_explicit(&g->counts[which], 1, memory_order_relaxed);
}
/* Any thread. */
static inline uint64_t guard_counted(const struct guard *g, enum guard_count which)
{
	return atomic_load_explicit(&g->counts[which], memory_order_relaxed);
}
/* "clients held back", for what is shown to a person. */
const char *guard_count_name(enum guard_count which);
/* "clients held back 12, messages refused 3"; only what has happened; cut to the room. */
void guard_text(const struct guard *g, char *text, size_t room);

#endif
