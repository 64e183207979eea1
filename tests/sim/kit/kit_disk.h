/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated disk and the journal on it, for a broker in one thread: its threads' work is done in
 * steps that the kit takes between turns. The medium outlives the broker, as a disk does.
 *
 *     kit_disk_new -> kit_start_on_disk -> ... -> power goes, or the process dies
 *                          ^                                |
 *                          +--- kit_crash, simdisk_... -----+
 */
#ifndef NIGHTJAR_TESTS_SIM_KIT_DISK_H
#define NIGHTJAR_TESTS_SIM_KIT_DISK_H

#include "disk/disk_simulated.h"
#include "journal/journal.h"
#include "kit/kit.h"

struct kit_disk {
	struct simdisk *medium;
	struct journal_options options;
	struct journal *journal; /* NULL: nobody uses it */
	struct kit *kit;
	uint8_t image_cuts; /* per cent of new checkpoints behind which the power goes at once */
	uint8_t health;     /* enum log_health, as the journal said last */
	bool takes_damage;  /* what is lost is no reason not to start */
	void (*say)(void *context, const char *text);
	void *say_context;
	char reason[JOURNAL_REASON_MAX];             /* why it did not start, or what was lost */
	uint64_t checkpoints, copied_bytes, commits; /* of the brokers that are gone */
};

/* An empty one; asserts that there is memory. */
struct kit_disk *kit_disk_new(uint64_t seed);
void kit_disk_free(struct kit_disk *d);

/* A broker in the state that the disk gives. ERROR_INVALID: it is not whole, see the reason; other
 * errors: of the disk. Then there is no broker. */
int kit_start_on_disk(struct kit *k, const struct settings *settings, unsigned shard_count,
		      uint64_t seed, struct kit_disk *d, struct moment now) MUST_USE;
/* One piece of the journal's work; false when there is none. */
bool kit_disk_step(struct kit_disk *d);
/* The power is gone in the middle of something. */
bool kit_disk_is_dark(const struct kit_disk *d);
/* Adds what this run has done to the sums above. */
void kit_disk_count(struct kit_disk *d);
/* What a fresh broker makes of a copy of the disk, as text; to be freed. */
char *kit_disk_state(struct kit_disk *d, const struct settings *settings, unsigned shard_count,
		     struct moment now);

#endif
