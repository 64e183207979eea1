/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/clock.h"

#include <time.h>

static uint64_t read_ms(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

uint64_t clock_steady_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

struct moment clock_now(struct clock *c)
{
	uint64_t steady_ms = clock_steady_ms();
	if (steady_ms >= c->next_check_ms) {
		c->offset_ms = clock_wall_ms() - steady_ms;
		c->next_check_ms = steady_ms + 1000;
	}
	return (struct moment){.steady_ms = steady_ms, .wall_ms = steady_ms + c->offset_ms};
}
