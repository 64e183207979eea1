/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers, topics and filters from a seed, for the tests of route/. The alphabet is small,
 * so that filters overlap and topics come again. */
#ifndef NIGHTJAR_TESTS_ROUTE_RANDOM_H
#define NIGHTJAR_TESTS_ROUTE_RANDOM_H

#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

struct random {
	uint64_t state;
};

static inline uint32_t random_below(struct random *r, uint32_t limit)
{
	r->state += 0x9e3779b97f4a7c15; /* splitmix64 */
	uint64_t z = r->state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) % limit);
}

#define RANDOM_TEXT_LEN 64

/* Levels that stand before, at and behind the slash in byte order, empty ones and long ones. */
static inline const char *random_level(struct random *r)
{
	static const char *const levels[] = {"a", "b", "", "a!", "$x", "\xc3\xa4", "ab"};
	uint32_t common = random_below(r, 3);
	return levels[common ? common - 1 : random_below(r, ARRAY_COUNT(levels))];
}

static inline void random_text(struct random *r, char text[RANDOM_TEXT_LEN], uint32_t wildcards)
{
	uint32_t level_count = 1 + random_below(r, 4);
	size_t len = 0;
	for (uint32_t i = 0; i < level_count; i++) {
		const char *level = random_level(r);
		uint32_t choice = random_below(r, 100);
		bool is_last = i + 1 == level_count;
		if (choice < wildcards)
			level = is_last && choice % 2 ? "#" : "+";
		len += (size_t)snprintf(text + len, RANDOM_TEXT_LEN - len, "%s%s", level,
					is_last ? "" : "/");
	}
	if (len == 0)
		snprintf(text, RANDOM_TEXT_LEN, "/");
}

static inline void random_topic(struct random *r, char text[RANDOM_TEXT_LEN])
{
	random_text(r, text, 0);
}

static inline void random_filter(struct random *r, char text[RANDOM_TEXT_LEN])
{
	random_text(r, text, 30);
}

#endif
