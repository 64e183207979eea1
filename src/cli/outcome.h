/* SPDX-License-Identifier: Apache-2.0 */
/* How pub and sub end: exit statuses, and the sentences that go with them, as users know them
 * from mosquitto's clients. */
#ifndef NIGHTJAR_CLI_OUTCOME_H
#define NIGHTJAR_CLI_OUTCOME_H

#include "cli/options.h"

/* Exit statuses beside 0 and the CONNACK codes. */
enum outcome {
	OUTCOME_FAILED = 1, /* bad arguments, no connection, no memory */
	OUTCOME_PROTOCOL = 2,
	OUTCOME_NOT_CONNECTED = 4,
	OUTCOME_LOST = 7,
	OUTCOME_TLS = 8, /* no connection, because of what TLS has found */
	OUTCOME_SILENT = 19,
	OUTCOME_QOS = 24,
	OUTCOME_TOO_LARGE = 25,
	OUTCOME_TIMED_OUT = 27,
	OUTCOME_NEVER_CONNECTED = 255, /* sub was told to end before the broker had answered */
};

/* Prints to stderr unless --quiet. */
void outcome_print(const struct options *o, const char *format, ...) PRINTF_LIKE(2, 3);

/* The connection is over, or none came about, for a reason that is not ours. Prints, returns the
 * status. */
int outcome_of_end(const struct options *o, const struct nj_disconnected *end);

#endif
