/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NIGHTJAR_CLI_RR_H
#define NIGHTJAR_CLI_RR_H

/* `nightjar rr`: asks and waits for the response, as mosquitto_rr; and how long that takes. */
int rr_main(int argc, char **argv);

#endif
