/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_histogram.h. */
#include "cli/bench_histogram.h"

static unsigned bucket_of(uint64_t value)
{
	unsigned top_bit = 63 - (unsigned)__builtin_clzll(value | 1);
	unsigned shift = top_bit > BENCH_HISTOGRAM_BITS ? top_bit - BENCH_HISTOGRAM_BITS : 0;
	return (shift << BENCH_HISTOGRAM_BITS) + (unsigned)(value >> shift);
}

/* The largest value of a bucket. */
static uint64_t bucket_end(unsigned bucket)
{
	unsigned shift = bucket >> BENCH_HISTOGRAM_BITS;
	if (shift > 0)
		shift--;
	uint64_t lead = bucket - (shift << BENCH_HISTOGRAM_BITS);
	return (lead << shift) + (((uint64_t)1 << shift) - 1);
}

void bench_histogram_record(struct bench_histogram *h, uint64_t value, uint64_t count)
{
	h->buckets[bucket_of(value)] += count;
	h->count += count;
	if (value > h->max)
		h->max = value;
}

uint64_t bench_histogram_percentile(const struct bench_histogram *h, double fraction)
{
	uint64_t rank = (uint64_t)(fraction * (double)h->count + 0.5);
	uint64_t passed = 0;
	if (rank == 0)
		rank = 1;
	for (unsigned i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
		passed += h->buckets[i];
		if (passed >= rank)
			return bucket_end(i) < h->max ? bucket_end(i) : h->max;
	}
	return h->max;
}
