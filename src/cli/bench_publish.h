/* SPDX-License-Identifier: Apache-2.0 */
/* The publishers' half of the load: when each may send, what it sends, and its acknowledgements. */
#ifndef NIGHTJAR_CLI_BENCH_PUBLISH_H
#define NIGHTJAR_CLI_BENCH_PUBLISH_H

#include "cli/bench_run.h"

/* After EPOLLIN: takes acknowledgements, answers them and sends what may now be sent. */
int bench_publish_receive(struct bench_run *run, struct bench_publisher *p) MUST_USE;

/* Hands messages that are due by now to their publishers; returns when the next one is due
 * (UINT64_MAX without a pace). */
uint64_t bench_publish_pace(struct bench_run *run, uint64_t now_ns);

/* Messages that are due by the timetable and not sent yet. */
uint64_t bench_publish_unsent(const struct bench_run *run);

/* Lets each queued publisher send one batch. */
int bench_publish_queued(struct bench_run *run) MUST_USE;

/* Has every publisher sent all that --count gives it? Never without --count. */
bool bench_publish_is_complete(const struct bench_run *run);

/* At QoS 0, when nothing comes any more: gives up what is outstanding, so that starved publishers
 * go on. */
void bench_publish_give_up(struct bench_run *run);

#endif
