/* SPDX-License-Identifier: Apache-2.0 */
/* What a finished run says: to a reader, or as JSON. */
#ifndef NIGHTJAR_CLI_BENCH_REPORT_H
#define NIGHTJAR_CLI_BENCH_REPORT_H

#include "cli/bench_run.h"

/* The figures of the measured part, and the verdict over the whole run. */
struct bench_result {
	double seconds;
	uint64_t published;
	uint64_t delivered;     /* churn: connections; idle: 0 */
	double per_second;      /* deliveries, or connections */
	double server_cpu_us;   /* per delivery or connection; per second of the run when idle */
	double server_cores;    /* kept busy */
	double generator_cores; /* kept busy; near 1 means that the generator was the limit */
	double rss_each;        /* idle: bytes of server memory per client */
	uint64_t lost;          /* over the whole run, as the rest */
	uint64_t duplicates;
	uint64_t misordered;
	uint64_t unacknowledged;
	bool is_broken; /* a promise of the QoS was not kept */
};

void bench_result_of(const struct bench_run *run, struct bench_result *out);

/* Prints on standard output. */
void bench_report_text(const struct bench_run *run, const struct bench_result *result);
void bench_report_json(const struct bench_run *run, const struct bench_result *result);

#endif
