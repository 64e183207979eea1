/* SPDX-License-Identifier: Apache-2.0 */
/* How pub and sub end: exit statuses, and the sentences that go with them, as users know them
 * from mosquitto's clients. */
#ifndef NIGHTJAR_CLI_OUTCOME_H
#define NIGHTJAR_CLI_OUTCOME_H

#include "cli/options.h"
#include "client/runner.h"

/* Exit statuses beside 0 and the CONNACK codes. */
enum outcome {
	OUTCOME_FAILED = 1, /* bad arguments, no connection, no memory */
	OUTCOME_PROTOCOL = 2,
	OUTCOME_NOT_CONNECTED = 4,
	OUTCOME_LOST = 7,
	OUTCOME_SILENT = 19,
	OUTCOME_QOS = 24,
	OUTCOME_TOO_LARGE = 25,
	OUTCOME_TIMED_OUT = 27,
	OUTCOME_NEVER_CONNECTED = 255, /* sub was told to end before the broker had answered */
};

/* Prints to stderr unless --quiet. */
void outcome_print(const struct options *o, const char *format, ...) PRINTF_LIKE(2, 3);

/* No connection could be opened; errno is what it was then. Prints, returns the status. */
int outcome_of_open(const struct options *o, enum runner_result result);
/* The broker refused the connection. */
int outcome_of_refusal(const struct options *o, uint8_t code);
/* The connection is over for another reason that is not ours. */
int outcome_of_end(const struct options *o, const struct engine_closed *closed);

#endif
