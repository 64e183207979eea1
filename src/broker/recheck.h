/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When authorities, lists of revoked certificates or shared keys have changed, those who came in
 * by them are looked at once more, some in each turn: who would not come in now, goes.
 */
#ifndef NIGHTJAR_BROKER_RECHECK_H
#define NIGHTJAR_BROKER_RECHECK_H

struct shard;

/* At the beginning of a turn, on the shard's own thread. */
void recheck_turn(struct shard *s);

#endif
