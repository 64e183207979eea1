/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What survives, written down: the state of every shard as it stands behind one position of the
 * log. Each shard writes its sessions and the groups it owns; shard 0 the retained messages.
 * The bytes are the same whatever the number of shards, once sorted (state_digest).
 */
#ifndef NIGHTJAR_BROKER_SNAPSHOT_H
#define NIGHTJAR_BROKER_SNAPSHOT_H

#include "broker/broker.h"

struct log_image;

/* On the shard's thread, from apply. ERROR_NO_MEMORY: no checkpoint this time. */
int snapshot_write(struct shard *s, uint64_t position, struct room *part_out) MUST_USE;
/* An image: puts each session into its shard, as it is now. Before any thread runs. */
int snapshot_load(struct broker *b, uint64_t position, struct span image) MUST_USE;
/* Each log position that an image refers to; false: it is not one of ours. */
bool snapshot_references(struct span image, void (*found)(void *context, uint64_t position),
			 void *context);
/* One number for all that survives, the same for the same state: independent of the number of
 * shards, of seeds and of what is in memory only. No thread may run. */
uint64_t state_digest(struct broker *b);
/* The same as text, a line per fact, for finding where two states differ; to be freed. */
char *state_text(struct broker *b) MUST_USE;

#endif
