/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as something to wait for, on one thread. */
#ifndef NIGHTJAR_DAEMON_SIGNALS_H
#define NIGHTJAR_DAEMON_SIGNALS_H

#include "base/base.h"

/* Holds SIGTERM, SIGINT and SIGHUP back from this thread and those it starts, and ignores SIGPIPE;
 * before any thread is started. A descriptor for signals_wait, or ERROR_SYSTEM. */
int signals_open(void) MUST_USE;
/* The next signal; 0 when `other_fd` became readable instead. */
int signals_wait(int signals_fd, int other_fd);

#endif
