/* SPDX-License-Identifier: Apache-2.0 */
/*
 * -F of sub: how to print a message. `%t` and its kin are parts of the message, `@H` and its kin
 * parts of the time as strftime knows them, `\n` and its kin escapes; all else stands for itself.
 * Between % and the letter may stand flags (0 and -), a width, and a dot with a precision.
 */
#ifndef NIGHTJAR_CLI_FORMAT_H
#define NIGHTJAR_CLI_FORMAT_H

#include "mqtt/packets.h"

#include <stdio.h>
#include <time.h>

/* False, after saying why on stderr, when the format cannot be used. */
bool format_check(const char *format);

struct format {
	const char *text; /* has passed format_check */
	bool is_pretty;   /* JSON takes a line for each member */
};

/* Prints a message that came at `when`: of its properties only `raw` is read. */
void format_print(FILE *to, const struct format *f, const struct publish *message,
		  const struct timespec *when);

#endif
