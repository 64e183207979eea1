/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that look random and come again with the same seed (SplitMix64). */
#ifndef TESTS_SESSION_RANDOM_H
#define TESTS_SESSION_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static inline uint32_t random_below(uint64_t *state, uint32_t bound)
{
	return (uint32_t)(random_next(state) % bound);
}

#endif
