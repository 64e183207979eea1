/* SPDX-License-Identifier: Apache-2.0 */
/* What each shard must know of the others' subscriptions. */
#ifndef NIGHTJAR_BROKER_INTEREST_H
#define NIGHTJAR_BROKER_INTEREST_H

#include "base/map.h"
#include "broker/broker.h"
#include "broker/bus.h"
#include "broker/command.h"
#include "route/routes.h"

/* Who waits until every shard knows of the interest: a SUBACK, or a SUBSCRIBE before the log. */
struct interest_waiting {
	uint64_t sequence;
	struct origin origin;
	struct command *command; /* the SUBSCRIBE; NULL = the SUBACK */
	uint64_t asked;          /* or what the origin's shard has asked for; 0 = nothing */
};

struct interest_state {
	uint64_t sent;                    /* broadcasts made */
	uint64_t known[SHARDS_MAX];       /* broadcasts each shard has confirmed */
	uint64_t heard[SHARDS_MAX];       /* broadcasts of each shard that were heard here */
	uint64_t unconfirmed;             /* bits of shards that were not told so yet */
	struct map prepared;              /* filters that SUBSCRIBEs on their way bring */
	struct log_entry *preparing;      /* those SUBSCRIBEs, before the log; owned */
	struct interest_waiting *waiting; /* in order of sequence */
	uint32_t waiting_count;
	uint32_t waiting_capacity;
};

void interest_init(struct interest_state *i, uint64_t seed);
void interest_release(struct interest_state *i);

/* After a change of the filter's subscriptions here: tells the others, if it matters to them. */
void interest_changed(struct shard *s, struct span filter, struct interest before);
/* The origin's answer waits until all shards know all that was told so far; false: it need not. */
bool interest_wait(struct shard *s, const struct origin *origin);
/*
 * Before a SUBSCRIBE of a surviving session goes into the log: a message behind it in the log must
 * have been sent to this shard, whoever sends it. The others are told as if the subscriptions were
 * there already, which nothing retracts until interest_settle. False: all know, append it now;
 * true: it was taken over, and subscribe_append is called with it when they do.
 */
bool interest_prepare(struct shard *s, struct command *command);
/* It was applied, on each shard that owns some of its filters; or never will be: then once, on the
 * shard where it comes from. */
void interest_settle(struct shard *s, const struct command *command);
void interest_cancel(struct shard *s, const struct command *command);
/* The same for a group's filter (without its `$share/name/`), on its owner: answers when all know. */
void interest_prepare_for(struct shard *s, struct span filter, unsigned shard, uint64_t asked);
void interest_unprepare(struct shard *s, struct span filter);
/* An owner's answer to that. */
void interest_prepared(struct shard *s, struct command *command);
/* After recovery, before any thread runs: all other shards know this one's interest.
 * 0 or ERROR_NO_MEMORY. */
int interest_tell_all(struct shard *s) MUST_USE;
void interest_letter(struct shard *s, const struct letter *letter);
void interest_letter_discard(const struct letter *letter);
/* Tells the others what was heard of them. Only when no command waits to be submitted that was
 * decided without it. */
void interest_confirm(struct shard *s);

#endif
