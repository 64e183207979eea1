/* SPDX-License-Identifier: Apache-2.0 */
/* The scenarios themselves: each connects its clients, warms up, measures, and leaves. Run by
 * bench_load, which chooses by the shape that was asked for. */
#ifndef NIGHTJAR_CLI_BENCH_LOAD_H
#define NIGHTJAR_CLI_BENCH_LOAD_H

#include "cli/bench_series.h"

/* All of these return 0, or an error whose sentence stands in run->failure. */
int bench_load(struct bench_run *run) MUST_USE;

/* Publishers and subscribers. */
int bench_load_messages(struct bench_run *run) MUST_USE;
/* Publishers, and subscribers that are not there until all is published. */
int bench_load_absent(struct bench_run *run) MUST_USE;
/* Publishers and subscribers, in steps of rising rate: `series` has room for all of them. */
int bench_load_ramp(struct bench_run *run, struct bench_series *series) MUST_USE;
/* The same load at each QoS, in runs of their own: `run` is not initialised before or after, and
 * holds the sentence of an error. `series` has room for three. */
int bench_load_compare(struct bench_run *run, const struct bench_options *options,
		       struct bench_series *series) MUST_USE;
/* Clients come and go. */
int bench_load_churn(struct bench_run *run) MUST_USE;
/* Clients come and stay. */
int bench_load_idle(struct bench_run *run) MUST_USE;

#endif
