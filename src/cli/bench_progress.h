/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a run goes, while it goes: one line on a terminal, written over again, and samples of the
 * rate and the longest latency for the report. There are never more than BENCH_SAMPLES_MAX: when
 * they are full, each two become one, and from then on they come half as often.
 */
#ifndef NIGHTJAR_CLI_BENCH_PROGRESS_H
#define NIGHTJAR_CLI_BENCH_PROGRESS_H

#include "base/base.h"

/* As many as a plot has room for. */
#define BENCH_SAMPLES_MAX 400

struct bench_sample {
	uint64_t end_ns; /* since the first sample began */
	uint64_t delivered;
	uint64_t latency_max_ns;
};

struct bench_progress {
	bool is_shown;       /* standard error is a terminal, and nobody asked for silence */
	bool has_line;       /* something stands there */
	uint64_t start_ns;   /* of the samples; 0: none yet */
	uint64_t period_ns;  /* of the samples */
	uint64_t sampled_ns; /* when the last one ended */
	uint64_t shown_ns;
	uint64_t shown_count, sampled_count;
	uint64_t latency_max_ns; /* since the last sample */
	uint64_t shown_max_ns;   /* since the line was written */
	uint32_t sample_count;
	struct bench_sample samples[BENCH_SAMPLES_MAX];
};

/* `delivered` so far; to be called now and then. `label` begins the line. */
void bench_progress_note(struct bench_progress *p, const char *label, uint64_t now_ns,
			 uint64_t delivered);
/* Wipes the line. */
void bench_progress_end(struct bench_progress *p);

static inline void bench_progress_latency(struct bench_progress *p, uint64_t ns)
{
	if (ns > p->latency_max_ns)
		p->latency_max_ns = ns;
}

#endif
