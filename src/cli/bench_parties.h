/* SPDX-License-Identifier: Apache-2.0 */
/* Who takes part in a run: publishers and subscribers, what each sends or hears, and which messages
 * are to reach whom. From the options, or from a scenario file. */
#ifndef NIGHTJAR_CLI_BENCH_PARTIES_H
#define NIGHTJAR_CLI_BENCH_PARTIES_H

#include "cli/bench_run.h"

/* Sets the numbers of publishers, subscribers and clients. */
void bench_parties_count(struct bench_run *run);
/* Makes them, none connected. 0 or ERROR_NO_MEMORY; release in any case. */
int bench_parties_init(struct bench_run *run) MUST_USE;
void bench_parties_release(struct bench_run *run);

/* Of all streams. */
uint32_t bench_parties_payload_max(const struct bench_run *run);
/* The filter of a subscriber; `text` has BENCH_FILTER_MAX + 1 bytes. */
#define BENCH_FILTER_MAX BENCH_TOPIC_MAX
void bench_parties_filter(const struct bench_run *run, const struct bench_subscriber *s,
			  char *text);

#endif
