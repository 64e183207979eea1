/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log read again: brokers that were never connected to anybody come to the state that the
 * records in a store give, from the first record or from a checkpoint.
 */
#ifndef NIGHTJAR_TESTS_SIM_REPLAY_H
#define NIGHTJAR_TESTS_SIM_REPLAY_H

#include "broker/recover.h"
#include "kit/kit.h"
#include "log/log_kept.h"

#define REPLAY_FROM_START SIZE_MAX

/* Recovers a broker that uses the store's log: from that checkpoint on, or from the start. When
 * from a checkpoint, only records that it refers to are read back. */
void replay_into(struct broker *b, struct kept_store *store, size_t checkpoint, struct moment now,
		 struct recovery_report *report);
/* What a fresh broker with so many shards makes of it, as text; sessions that were connected in the
 * end still are. To be freed. */
char *replay_state(struct kept_store *store, const struct settings *settings, unsigned shards,
		   size_t checkpoint, struct moment now);
/* From the start and from each checkpoint, with 1, 2 and 5 shards: all come to the same state,
 * which is `live` unless that is NULL. Prints where they differ; asserts. */
void replay_check(struct kept_store *store, const struct settings *settings, struct moment now,
		  const char *live);
/* The same from the start, and from one checkpoint, with numbers of shards from the dice: for those
 * who check often. */
void replay_check_some(struct kept_store *store, const struct settings *settings, struct moment now,
		       const char *live, struct random *r);

#endif
