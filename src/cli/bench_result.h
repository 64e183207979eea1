/* SPDX-License-Identifier: Apache-2.0 */
/* What came out of a run, or of one part of it: free of the run, so that several can be told side
 * by side. */
#ifndef NIGHTJAR_CLI_BENCH_RESULT_H
#define NIGHTJAR_CLI_BENCH_RESULT_H

#include "cli/bench_run.h"

struct bench_result {
	char label[32]; /* among several: "QoS 1", "2,000/s" */
	uint64_t rate;  /* asked for; 0: as fast as it goes */
	double seconds;
	uint64_t published;
	uint64_t delivered; /* churn: connections that were accepted */
	double per_second;
	double server_cpu_us; /* per delivery or connection; of idle clients, per second */
	double server_cores;
	double generator_cores;
	double rss_each;  /* idle: bytes per connection */
	uint64_t retried; /* --reconnect: attempts that came to nothing */
	uint64_t resumed; /* handshakes of TLS; with --reconnect of the second round */
	struct bench_wire wire;
	uint64_t lost;
	uint64_t duplicates;
	uint64_t misordered;
	uint64_t unacknowledged;
	uint64_t unsent; /* due by the timetable, and never sent: the server took no more */
	uint64_t refused, foreign, stalls;
	bool is_broken; /* QoS 1 or 2 did not keep its promise */
	bool has_done;  /* there were answers to publications */
	struct bench_histogram latency;
	struct bench_histogram done;
};

struct bench_percentile {
	const char *text; /* "p99.9" */
	const char *key;  /* of JSON */
	double fraction;
};

/* From the median to the longest. */
#define BENCH_PERCENTILE_COUNT 7
extern const struct bench_percentile bench_percentiles[BENCH_PERCENTILE_COUNT];

/* `faults_before`: what is not this part's, or NULL. */
void bench_result_of(const struct bench_run *run, const struct bench_result *faults_before,
		     struct bench_result *out);

#endif
