/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter (seccomp(2)) over what the process may ask of the system: what a broker needs
 * (sandbox_calls.h) and nothing else, for all its threads, for good. Whoever takes the broker over
 * by a mistake in it can start no program and look into no other process.
 *
 * A call that is not on the list fails with ENOSYS, as on a system that lacks it, and is told in the
 * log; it does not end the process: a broker that misses a call must go on to deliver.
 */
#ifndef NIGHTJAR_DAEMON_SANDBOX_H
#define NIGHTJAR_DAEMON_SANDBOX_H

#include "base/base.h"

#define SANDBOX_REASON_MAX 256
/* Room for the name of a system call. */
#define SANDBOX_NAME_MAX 64
/* What the main thread gets when a call was refused. By default, and by others, it is ignored. */
#define SANDBOX_SIGNAL SIGURG

/* Starts refusing, or with `only_logs` lets the kernel log what it would refuse. 0; ERROR_NOT_FOUND
 * when this program was built without it; or ERROR_SYSTEM, both with the reason. */
int sandbox_start(bool only_logs, char reason[SANDBOX_REASON_MAX]) MUST_USE;
/* The next call that was refused for the first time; false: no more. One thread at a time. */
bool sandbox_take_refused(char name[SANDBOX_NAME_MAX]);

#endif
