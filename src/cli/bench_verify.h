/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a server keep what it has acknowledged? Publishes with acknowledgements, kills the server's
 * process at a random moment, waits until somebody has started it again, and looks whether each
 * acknowledged message has arrived at a subscriber whose session survives, at QoS 2 once.
 */
#ifndef NIGHTJAR_CLI_BENCH_VERIFY_H
#define NIGHTJAR_CLI_BENCH_VERIFY_H

#include "cli/bench_options.h"

/* The exit status: 0 when the server kept its promise. Says what happened on standard output, and
 * why it could not be tried on standard error. */
int bench_verify(const struct bench_options *options);

#endif
