/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `nightjar journal`: a store looked at from outside, while its broker runs or not.
 *
 *     check      every byte is what was written?      exit 0 yes, 1 no, 2 cannot tell
 *     dump       one line per record
 *     stats      segments, what lives in them, who fills them
 *     compact    of a store that nobody uses: give back what is no longer needed
 *
 * With --json check, stats and compact print one document, dump one object per line.
 */
#ifndef NIGHTJAR_ADMIN_JOURNAL_TOOL_H
#define NIGHTJAR_ADMIN_JOURNAL_TOOL_H

#include "journal/journal.h"

#include <jansson.h>

enum journal_exit {
	JOURNAL_SOUND = 0,
	JOURNAL_DAMAGED = 1,
	JOURNAL_CANNOT = 2, /* one sentence on standard error says why */
};

struct journal_tool {
	const char *path;
	struct disk *disk; /* of the path, not locked; journal_compact takes it */
	bool is_json;
};

/* argv[0] is the name of the command. Returns the exit status. */
int journal_main(int argc, char **argv);

int journal_check(struct journal_tool *t);
int journal_dump(struct journal_tool *t);
int journal_stats(struct journal_tool *t);
int journal_compact(struct journal_tool *t);

/* Prints "nightjar journal: ..." on standard error and returns JOURNAL_CANNOT. */
int journal_complain(const char *format, ...) PRINTF_LIKE(1, 2);
/* Prints a document, or a line, and gives it back. False when it could not be written. */
bool journal_print(json_t *document, bool is_line);
/* A text of a peer's as JSON; what is not UTF-8 is shown as such. */
json_t *journal_text(struct span text);
/* The same for a terminal: no control character gets through. */
void journal_print_text(struct span text);
/* "3:8192": segment and offset. Valid until the next but one call. */
const char *journal_position(uint64_t position);

#endif
