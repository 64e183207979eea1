/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients around the broker that crashes, and what they do, by chance from a seed:
 *
 *     0, 1          witnesses: subscribed to all wills, for good
 *     2 ... n-w-1   publish, subscribe, unsubscribe, come and go; some stay away for whole rounds
 *     n-w ... n-1   mourned: each connection has a will; cut off, they stay away until a witness
 *                   has it; with a long delay they come back before, and it must never be sent
 */
#ifndef NIGHTJAR_CRASH_LOAD_H
#define NIGHTJAR_CRASH_LOAD_H

#include "stress/client.h"

#define LOAD_WITNESSES 2
#define LOAD_MOURNED 8

struct mourned {
	bool is_missed; /* its will is due and no witness has it yet */
	bool may_return;
	uint64_t gone_ms; /* when its connection ended */
};

struct load {
	struct world world;
	struct client *clients;
	unsigned client_count;
	unsigned actions_per_second;
	unsigned *absent_until; /* round, a client */
	unsigned round;
	struct mourned mourned[LOAD_MOURNED];
	uint32_t kept_streams[KEPT_TOPICS];
	/* Called while the load waits; false: the broker is gone, and nothing goes on. */
	bool (*is_broker_well)(void *context);
	void *context;
	uint64_t wills_due, wills_taken_back;
};

uint64_t load_now_ms(void);
void load_init(struct load *s);
void load_release(struct load *s);
/* The witnesses' subscriptions: before all else. */
bool load_begin(struct load *s);
/* A new round: some go absent, some are back. */
void load_next_round(struct load *s);
/* All act at random for so long; false when the broker ended meanwhile. */
bool load_run(struct load *s, uint64_t ms);
/* The broker ends or was ended: reads what it still said, until all connections are closed. */
void load_drain(struct load *s);
/* All come back and stay until all that they are owed has come. */
bool load_settle(struct load *s);

#endif
