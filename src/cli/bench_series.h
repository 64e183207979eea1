/* SPDX-License-Identifier: Apache-2.0 */
/* The results of one call of nightjar bench: one, or several to be told side by side. */
#ifndef NIGHTJAR_CLI_BENCH_SERIES_H
#define NIGHTJAR_CLI_BENCH_SERIES_H

#include "cli/bench_result.h"

enum bench_series_kind {
	BENCH_SERIES_ONE,
	BENCH_SERIES_RAMP, /* steps of rising rate */
	BENCH_SERIES_QOS,  /* QoS 0, 1 and 2 */
};

struct bench_series {
	enum bench_series_kind kind;
	uint32_t count;
	uint64_t breaks_at; /* ramp: the rate at which latency breaks; 0: none of them */
	uint64_t calm_ns;   /* ramp: the lowest 99th percentile */
	bool is_over;       /* ramp: the server does not keep up; higher rates make no sense */
	struct bench_progress progress; /* of the last run: its samples */
	struct bench_result results[];
};

static inline bool bench_series_is_broken(const struct bench_series *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (s->results[i].is_broken)
			return true;
	return false;
}

/* On standard output: a table, or one JSON object. For BENCH_SERIES_RAMP and _QOS. */
void bench_series_text(const struct bench_options *o, const struct bench_series *s);
void bench_series_json(const struct bench_options *o, const struct bench_series *s);

#endif
