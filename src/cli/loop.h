/* SPDX-License-Identifier: Apache-2.0 */
/* How pub, sub and rr wait: for the client, for a descriptor of their own, for a time, for a
 * signal. */
#ifndef NIGHTJAR_CLI_LOOP_H
#define NIGHTJAR_CLI_LOOP_H

#include "base/base.h"
#include "nightjar/client.h"

#include <signal.h>

struct loop_wait {
	uint64_t deadline_ms;        /* of loop_now_ms; UINT64_MAX: none */
	const sigset_t *signal_mask; /* in force while waiting; NULL: the thread's own */
	int readable_fd;             /* or -1 */
	bool is_readable_out;
};

/* Milliseconds of a clock that never jumps. */
uint64_t loop_now_ms(void);
uint64_t loop_earliest(uint64_t a, uint64_t b);
/* Waits once, and steps the client, which calls its callbacks. */
void loop_turn(nj_client *client, struct loop_wait *wait);

#endif
