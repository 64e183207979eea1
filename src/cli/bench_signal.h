/* SPDX-License-Identifier: Apache-2.0 */
/* A signal as a word from outside in the middle of a run: "now", or "enough". */
#ifndef NIGHTJAR_CLI_BENCH_SIGNAL_H
#define NIGHTJAR_CLI_BENCH_SIGNAL_H

#include "base/base.h"

/* Once: when it comes again it does what it does to any program. */
void bench_signal_await(int signal);
bool bench_signal_came(void);

#endif
