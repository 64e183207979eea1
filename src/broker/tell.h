/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is subscribed to what, for the log: each shard tells of its own sessions, connected or not,
 * when it is asked to.
 */
#ifndef NIGHTJAR_BROKER_TELL_H
#define NIGHTJAR_BROKER_TELL_H

struct shard;

/* At the beginning of a turn, on the shard's own thread. */
void tell_turn(struct shard *s);

#endif
