/* SPDX-License-Identifier: Apache-2.0 */
/* `nightjar bench`: puts a load on any MQTT server and says how it bore it. */
#ifndef NIGHTJAR_CLI_BENCH_H
#define NIGHTJAR_CLI_BENCH_H

/* argv[0] is skipped. Returns the exit status: 0, or 1 for a bad option, a failed run, and for a
 * broken promise: a message lost or out of order at QoS 1 or 2, a duplicate at QoS 2. */
int bench_main(int argc, char **argv);

#endif
