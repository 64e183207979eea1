/* SPDX-License-Identifier: Apache-2.0 */
/* The subscribers' half of the load: counts, latencies, and the acknowledgements they owe. */
#ifndef NIGHTJAR_CLI_BENCH_RECEIVE_H
#define NIGHTJAR_CLI_BENCH_RECEIVE_H

#include "cli/bench_run.h"

/* After EPOLLIN. Publishers that had been waiting for this subscriber are queued. */
int bench_receive(struct bench_run *run, struct bench_subscriber *s) MUST_USE;

/* What has not come of what was sent: messages, per subscriber that should have them at `qos_min` or
 * above. */
uint64_t bench_receive_missing(const struct bench_run *run, uint8_t qos_min);

#endif
