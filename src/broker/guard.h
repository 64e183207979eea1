/* SPDX-License-Identifier: Apache-2.0 */
/* What all shards and those who accept connections share about limits (docs/LIMITS.md). */
#ifndef NIGHTJAR_BROKER_GUARD_H
#define NIGHTJAR_BROKER_GUARD_H

#include "base/bucket.h"
#include "broker/ledger.h"
#include "broker/limit_settings.h"

#include <stdatomic.h>

/* What was counted since the start. Each happens rarely: one place for all threads is enough. */
enum guard_count {
	GUARD_HELD_BACK,     /* a client was not read for a while, since it was too fast */
	GUARD_REFUSED,       /* PUBLISHes beyond a rate, answered with 0x97 */
	GUARD_DROPPED,       /* the same at QoS 0, dropped */
	GUARD_DISCONNECTED,  /* clients, for the same reason */
	GUARD_CONNECTS_HELD, /* a listener was not looked at for a while: too many connects */
	GUARD_CROWDED,       /* connections refused: too many of their address */
	GUARD_BANNED,        /* connections refused: banned */
	GUARD_BANS,          /* bans that began */
	GUARD_BUSY,          /* connections refused: too much to do, or too little memory */
	GUARD_SHED,          /* PUBLISHes at QoS 0 dropped, for the same reasons */
	GUARD_SHED_REFUSED,  /* those at QoS 1 and 2 refused or held, for want of memory */
	GUARD_SWEPT,         /* connections ended, for want of memory */
	GUARD_COUNT_COUNT,
};

/* What is given up for want of memory, or of time; each with those before it (shed.h). */
enum shed_level { SHED_NOTHING, SHED_CONNECTIONS, SHED_QOS_0, SHED_QOS_1_2, SHED_LARGE };

/* A bucket that several threads take from. */
struct shared_bucket {
	atomic_uint_fast64_t full_ns;
};

struct guard {
	atomic_uint_fast64_t counts[GUARD_COUNT_COUNT];
	struct shared_bucket connects; /* of all listeners */
	struct shared_bucket connects_of[LIMIT_LISTENERS_MAX];
	atomic_uint connections_of[LIMIT_LISTENERS_MAX]; /* that are there */
	struct ledger ledger;
	atomic_uint memory_level; /* enum shed_level, by memory_ceiling */
	atomic_uint late_count;   /* shards that are too late for new connections */
	atomic_uint_fast64_t delay_peak_ms;
	/* As at the start: what is counted by one prefix cannot be found by another. */
	uint8_t ipv6_prefix;
};

void guard_init(struct guard *g, const struct limit_settings *set, uint64_t seed);
void guard_release(struct guard *g);
/* How long nobody is to be accepted at that listener; 0: one may be. Any thread. */
uint64_t guard_connect_wait_ms(struct guard *g, const struct limit_settings *set, unsigned listener,
			       uint64_t now_ms);
/* One was. */
void guard_connected(struct guard *g, const struct limit_settings *set, unsigned listener,
		     uint64_t now_ms);

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
