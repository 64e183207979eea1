/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/loop.h"

#include <poll.h>
#include <time.h>

uint64_t loop_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t loop_earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How long to wait; -1: without end. */
static int64_t patience(nj_client *client, uint64_t deadline_ms)
{
	int64_t wait = nj_timeout_ms(client);
	uint64_t now = loop_now_ms();
	if (deadline_ms == UINT64_MAX)
		return wait;
	int64_t left = deadline_ms > now ? (int64_t)(deadline_ms - now) : 0;
	return wait < 0 || left < wait ? left : wait;
}

void loop_turn(nj_client *client, struct loop_wait *wait)
{
	struct pollfd fds[2] = {{.fd = nj_descriptor(client), .events = POLLIN},
				{.fd = wait->readable_fd, .events = POLLIN}};
	int64_t ms = patience(client, wait->deadline_ms);
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	int count = ppoll(fds, 2, ms < 0 ? NULL : &time, wait->signal_mask);
	wait->is_readable_out = count > 0 && fds[1].revents != 0;
	(void)nj_step(client);
}
