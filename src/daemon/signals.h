/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as something to wait for, on one thread. */
#ifndef NIGHTJAR_DAEMON_SIGNALS_H
#define NIGHTJAR_DAEMON_SIGNALS_H

#include "base/base.h"

/* Holds SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM and SANDBOX_SIGNAL back from this thread and those it starts, and
 * ignores SIGPIPE; before any thread is started. A descriptor for signals_wait, or ERROR_SYSTEM. */
int signals_open(void) MUST_USE;
/* The next signal; or, when a descriptor of `others` (-1: none) became readable instead, -1 for the
 * first, -2 for the second; or 0 after `timeout_ms` (-1: never). */
int signals_wait(int signals_fd, const int others[2], int timeout_ms);

#endif
