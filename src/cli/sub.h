/* SPDX-License-Identifier: Apache-2.0 */
/* `nightjar sub`: subscribes and prints what arrives. Same flags, output and exit statuses as
 * mosquitto_sub 2.0. */
#ifndef NIGHTJAR_CLI_SUB_H
#define NIGHTJAR_CLI_SUB_H

/* argv[0] is the name that messages of help speak of. Returns the exit status. */
int sub_main(int argc, char **argv);

#endif
