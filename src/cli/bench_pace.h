/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open loop's timetable: message k is due at start + k/rate, whatever the server does. Its
 * latency counts from that instant, so that waiting for a slow server shows instead of thinning
 * out the load. In bursts of n, all n are due when the first of them is: as from devices that
 * report on the same tick.
 */
#ifndef NIGHTJAR_CLI_BENCH_PACE_H
#define NIGHTJAR_CLI_BENCH_PACE_H

#include "base/base.h"

#define BENCH_NS_PER_S UINT64_C(1000000000)

struct bench_pace {
	uint64_t start_ns;
	uint64_t rate;  /* messages a second over all publishers, 1 to 1,000,000,000 */
	uint64_t burst; /* messages at a time, at least 1 */
};

/* How many messages are due at or before `now_ns`: the first is due at the start. */
static inline uint64_t bench_pace_due(const struct bench_pace *p, uint64_t now_ns)
{
	if (now_ns < p->start_ns)
		return 0;
	uint64_t seconds = (now_ns - p->start_ns) / BENCH_NS_PER_S;
	uint64_t rest = (now_ns - p->start_ns) % BENCH_NS_PER_S;
	uint64_t passed = seconds * p->rate + rest * p->rate / BENCH_NS_PER_S;
	return (passed / p->burst + 1) * p->burst;
}

/* When message `number` is due, rounded up: so bench_pace_due of it counts that message. */
static inline uint64_t bench_pace_time(const struct bench_pace *p, uint64_t number)
{
	uint64_t first = number - number % p->burst;
	uint64_t rest = first % p->rate * BENCH_NS_PER_S;
	return p->start_ns + first / p->rate * BENCH_NS_PER_S + (rest + p->rate - 1) / p->rate;
}

/* Of `total` messages dealt out in turn to `count` receivers, how many does receiver `index` get? */
static inline uint64_t bench_pace_share(uint64_t total, uint32_t count, uint32_t index)
{
	return (total + count - 1 - index) / count;
}

#endif
