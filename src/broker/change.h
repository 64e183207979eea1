/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other settings for a shard that runs.
 *
 * Most are read where they matter, and so hold at once. What a client was told in CONNACK, or what
 * its connection was made with, is its own until it leaves (`terms` of struct connection). What
 * decides in apply goes through the log (COMMAND_LIMITS), so that all shards, and whoever reads the
 * log later, change over at the same place.
 */
#ifndef NIGHTJAR_BROKER_CHANGE_H
#define NIGHTJAR_BROKER_CHANGE_H

#include "broker/settings.h"

#include <stddef.h>

struct shard;

/* These hold from now on; takes over the reference. Not while a packet is being handled. */
void settings_change(struct shard *s, const struct settings *fresh);

/* How much memory one round of reading takes. */
size_t scratch_len_of(const struct settings *settings);
/* This shard's part of queue_memory. */
uint64_t pager_budget_of(const struct shard *s);

#endif
