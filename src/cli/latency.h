/* SPDX-License-Identifier: Apache-2.0 */
/* How long responses took: all of them are kept, so that percentiles are exact. */
#ifndef NIGHTJAR_CLI_LATENCY_H
#define NIGHTJAR_CLI_LATENCY_H

#include "base/base.h"

#include <stdio.h>

struct latencies {
	uint32_t *us;
	uint32_t count, capacity;
};

/* 0 or ERROR_NO_MEMORY. More than an hour counts as that. */
int latencies_add(struct latencies *l, uint64_t us) MUST_USE;
/* The time within which so many of 10,000 responses came (nearest rank); 0 when there are none.
 * The times must be sorted. */
uint32_t latencies_at(const struct latencies *l, uint32_t ten_thousandths);
/* Sorts, and prints a table in milliseconds. */
void latencies_print(struct latencies *l, FILE *to);
void latencies_release(struct latencies *l);

#endif
