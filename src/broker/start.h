/* SPDX-License-Identifier: Apache-2.0 */
/* What a shard of a new process tells the log before anything else. */
#ifndef NIGHTJAR_BROKER_START_H
#define NIGHTJAR_BROKER_START_H

struct command;
struct shard;

/* At the beginning of its first turn. */
void start_turn(struct shard *s);
/* What of the settings decides in apply, for all shards. */
void limits_append(struct shard *s);
/* RESTART: sessions whose connection belonged to the old process are away since its time. */
void start_apply(struct shard *s, const struct command *restart);

#endif
