/* SPDX-License-Identifier: Apache-2.0 */
/* What each shard must know of the others' subscriptions. */
#ifndef NIGHTJAR_BROKER_INTEREST_H
#define NIGHTJAR_BROKER_INTEREST_H

#include "broker/broker.h"
#include "broker/bus.h"
#include "broker/command.h"
#include "route/routes.h"

/* A SUBACK that waits until every shard knows of the interest. */
struct interest_waiting {
	uint64_t sequence;
	struct origin origin;
};

struct interest_state {
	uint64_t sent;                    /* broadcasts made */
	uint64_t known[SHARDS_MAX];       /* broadcasts each shard has confirmed */
	struct interest_waiting *waiting; /* in order of sequence */
	uint32_t waiting_count;
	uint32_t waiting_capacity;
};

/* After a change of the filter's subscriptions here: tells the others, if it matters to them. */
void interest_changed(struct shard *s, struct span filter, struct interest before);
/* The origin's answer waits until all shards know all that was told so far; false: it need not. */
bool interest_wait(struct shard *s, const struct origin *origin);
void interest_letter(struct shard *s, const struct letter *letter);
void interest_letter_discard(const struct letter *letter);

#endif
