/* SPDX-License-Identifier: Apache-2.0 */
/* `nightjar broker`: the broker as a process, from its command line to its end. */
#ifndef NIGHTJAR_DAEMON_BROKER_MAIN_H
#define NIGHTJAR_DAEMON_BROKER_MAIN_H

/* argv[0] is the name of the command. Returns the exit status: 0, 1 after one sentence on
 * standard error, or 74 when the store has failed. */
int broker_main(int argc, char **argv);

#endif
