/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that asks the system for the time. */
#ifndef NIGHTJAR_DAEMON_CLOCK_H
#define NIGHTJAR_DAEMON_CLOCK_H

#include "broker/broker.h"

/* Of one thread. Zero-initialised is ready. */
struct clock {
	uint64_t offset_ms;     /* wall clock minus steady clock */
	uint64_t next_check_ms; /* steady: when the wall clock may have been set meanwhile */
};

/* Reads the steady clock; the wall clock follows from it, and is looked at once a second. */
struct moment clock_now(struct clock *c);
/* Milliseconds since 1970. */
uint64_t clock_wall_ms(void);
uint64_t clock_steady_ms(void);

#endif
