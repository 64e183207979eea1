/* SPDX-License-Identifier: Apache-2.0 */
/* Repeatable randomness for tests, and cmocka with what it wants included first. */
#ifndef NIGHTJAR_TESTS_UNIT_BASE_RANDOM_H
#define NIGHTJAR_TESTS_UNIT_BASE_RANDOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

struct random {
	uint64_t state;
};

/* splitmix64 */
static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9E3779B97F4A7C15u;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

/* 0 to bound - 1 */
static inline uint64_t random_below(struct random *r, uint64_t bound)
{
	return random_next(r) % bound;
}

#endif
