/* SPDX-License-Identifier: Apache-2.0 */
/* The same load at each QoS, one after the other, over connections of its own. */
#include <stdio.h>

#include "cli/bench_load.h"

static int run_at(struct bench_run *run, const struct bench_options *o, struct bench_result *r,
		  struct bench_progress *progress)
{
	int error = bench_run_init(run, o);
	run->progress.is_shown = progress->is_shown;
	if (!error)
		error = bench_load(run);
	if (!error)
		bench_result_of(run, NULL, r);
	bench_progress_end(&run->progress);
	*progress = run->progress;
	bench_run_release(run);
	return error;
}

int bench_load_compare(struct bench_run *run, const struct bench_options *options,
		       struct bench_series *series)
{
	int error = 0;
	for (uint32_t qos = 0; !error && qos <= 2; qos++) {
		struct bench_options o = *options;
		struct bench_result *r = &series->results[series->count];
		o.qos = qos;
		error = run_at(run, &o, r, &series->progress);
		snprintf(r->label, sizeof(r->label), "QoS %u", qos);
		series->count += !error;
	}
	return error;
}
