/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the numbers 0, 1, 2, ... of one publisher's messages at one receiver: what came in order,
 * late, twice, or not at all.
 *
 * `next` is one past the highest number seen. What is missing below it is kept as gaps, so the
 * verdict is exact for any pattern of up to BENCH_GAPS_MAX gaps at a time; beyond that the oldest
 * gaps are given up: their messages count as missing for good.
 */
#ifndef NIGHTJAR_CLI_BENCH_SEQUENCE_H
#define NIGHTJAR_CLI_BENCH_SEQUENCE_H

#include "base/base.h"

/* Enough for all that can be in flight out of order; bounds what a lossy run holds per flow. */
#define BENCH_GAPS_MAX 1024

/* Numbers [from, to) were not seen. */
struct bench_gap {
	uint32_t from;
	uint32_t to;
};

/* All zero is a sequence of which nothing has come. */
struct bench_sequence {
	uint32_t next;
	uint32_t gap_count;
	uint64_t forgotten;     /* missing numbers whose gaps were given up */
	struct bench_gap *gaps; /* ascending; NULL until the first gap */
};

enum bench_arrival {
	BENCH_IN_ORDER,  /* the one that was expected */
	BENCH_AHEAD,     /* numbers below it are missing so far */
	BENCH_LATE,      /* it was missing until now: others overtook it */
	BENCH_DUPLICATE, /* it has been seen before */
};

/* The part of bench_sequence_note that deals with everything but the expected number. */
enum bench_arrival bench_sequence_note_other(struct bench_sequence *s, uint32_t number);

/* Message `number` has come. */
static inline enum bench_arrival bench_sequence_note(struct bench_sequence *s, uint32_t number)
{
	if (UNLIKELY(number != s->next))
		return bench_sequence_note_other(s, number);
	s->next++;
	return BENCH_IN_ORDER;
}

/* How many of the first `sent` numbers have not come. */
uint64_t bench_sequence_missing(const struct bench_sequence *s, uint32_t sent);

void bench_sequence_release(struct bench_sequence *s);

#endif
