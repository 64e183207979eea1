/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts of times in buckets of equal relative width: percentiles of any number of values in
 * constant memory, at most 1.6 % too high, for values from 0 to 2^64-1.
 *
 * Values below 128 have a bucket each; above, every doubling is divided into 64 buckets.
 */
#ifndef NIGHTJAR_CLI_BENCH_HISTOGRAM_H
#define NIGHTJAR_CLI_BENCH_HISTOGRAM_H

#include "base/base.h"

#define BENCH_HISTOGRAM_BITS 6 /* 64 buckets a doubling: 1/64 = 1.6 % */
#define BENCH_HISTOGRAM_BUCKETS ((64 - BENCH_HISTOGRAM_BITS + 1) << BENCH_HISTOGRAM_BITS)

/* All zero is an empty histogram. */
struct bench_histogram {
	uint64_t buckets[BENCH_HISTOGRAM_BUCKETS];
	uint64_t count;
	uint64_t max;
};

/* Records `value` `count` times. */
void bench_histogram_record(struct bench_histogram *h, uint64_t value, uint64_t count);

/* The value that `fraction` (0 to 1) of all records do not exceed: the upper end of its bucket,
 * and never over the largest record. 0 when nothing was recorded. */
uint64_t bench_histogram_percentile(const struct bench_histogram *h, double fraction);

#endif
