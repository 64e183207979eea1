/* SPDX-License-Identifier: Apache-2.0 */
/* What --help prints, out of the table of options. */
#ifndef NIGHTJAR_CLI_HELP_H
#define NIGHTJAR_CLI_HELP_H

#include "cli/options.h"

#include <stdio.h>

/* With headings that stand out, if it is to be so. */
void help_print(enum tool tool, const char *program, FILE *to, bool has_colours);
/* Is it a terminal, and has nobody said otherwise (NO_COLOR)? */
bool help_wants_colours(FILE *to);

#endif
