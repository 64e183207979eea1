/* SPDX-License-Identifier: Apache-2.0 */
/* `nightjar pub`: publishes messages from the command line, a file or the standard input. Same
 * flags, output and exit statuses as mosquitto_pub 2.0. */
#ifndef NIGHTJAR_CLI_PUB_H
#define NIGHTJAR_CLI_PUB_H

/* argv[0] is the name that messages of help speak of. Returns the exit status. */
int pub_main(int argc, char **argv);

#endif
