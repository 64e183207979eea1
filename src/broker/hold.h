/* SPDX-License-Identifier: Apache-2.0 */
/* Publishers held back by a slow reader, and verdicts on their way to who waits for them. */
#ifndef NIGHTJAR_BROKER_HOLD_H
#define NIGHTJAR_BROKER_HOLD_H

#include "broker/shard.h"

void hold_verdict(struct shard *s, struct session *slow, const struct verdict *v,
		  const struct origin *origin);
void hold_release(struct shard *s, struct session *session);
void hold_drop(struct session *session);
/* Lets go what was held long enough; when to look again (steady clock, UINT64_MAX = never). */
uint64_t hold_turn(struct shard *s);
bool session_is_slow(const struct shard *s, const struct session *session);
/* Gives a verdict, wherever the one who waits lives. */
void verdict_give(struct shard *s, const struct origin *origin, struct verdict v);

#endif
