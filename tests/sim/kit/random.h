/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers from a seed (splitmix64): the same seed gives the same run on every machine. */
#ifndef NIGHTJAR_TESTS_SIM_RANDOM_H
#define NIGHTJAR_TESTS_SIM_RANDOM_H

#include "base/base.h"

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	r->state += 0x9e3779b97f4a7c15;
	uint64_t z = r->state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline uint32_t random_below(struct random *r, uint32_t limit)
{
	return (uint32_t)(random_next(r) % limit);
}

/* True in so many cases of a hundred. */
static inline bool random_chance(struct random *r, uint32_t percent)
{
	return random_below(r, 100) < percent;
}

#endif
