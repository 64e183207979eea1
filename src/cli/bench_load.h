/* SPDX-License-Identifier: Apache-2.0 */
/* The scenarios themselves: each connects its clients, warms up, measures, and leaves. Run by
 * bench_load, which chooses by the shape that was asked for. */
#ifndef NIGHTJAR_CLI_BENCH_LOAD_H
#define NIGHTJAR_CLI_BENCH_LOAD_H

#include "cli/bench_run.h"

/* All of these return 0, or an error whose sentence stands in run->failure. */
int bench_load(struct bench_run *run) MUST_USE;

/* Publishers and subscribers. */
int bench_load_messages(struct bench_run *run) MUST_USE;
/* Publishers, and subscribers that are not there until all is published. */
int bench_load_absent(struct bench_run *run) MUST_USE;
/* Clients come and go. */
int bench_load_churn(struct bench_run *run) MUST_USE;
/* Clients come and stay. */
int bench_load_idle(struct bench_run *run) MUST_USE;

#endif
