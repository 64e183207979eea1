/* SPDX-License-Identifier: Apache-2.0 */
/* nightjar simulate: many devices from a small script. */
#ifndef NIGHTJAR_CLI_SIMULATE_H
#define NIGHTJAR_CLI_SIMULATE_H

/* argv[0] is the program's name. The exit status: 0, 1 when it could not run or messages of QoS 1
 * or 2 were lost, 2 for a script or a command line with mistakes. */
int simulate_main(int argc, char **argv);

#endif
