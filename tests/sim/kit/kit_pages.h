/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page files of a simulated broker: on the medium that its log is on, without a name, so that they
 * meet a full disk, calls that fail and power that goes; or in memory where there is no medium.
 */
#ifndef NIGHTJAR_TESTS_SIM_KIT_PAGES_H
#define NIGHTJAR_TESTS_SIM_KIT_PAGES_H

#include "disk/disk_simulated.h"
#include "kit/kit.h"

/* More than the queues of a simulated world ever take: they need no page files. */
#define KIT_PAGES_BELOW (1u << 20)

/* Gives each shard one, as far as the medium (or NULL) can make them; where the settings bound the
 * memory of queues. */
void kit_give_pages(struct kit *k, const struct settings *settings, struct simdisk *medium);
/* By all of them so far. */
uint64_t kit_pages_written(void);

#endif
