/* SPDX-License-Identifier: Apache-2.0 */
/* What pub reads: lines as they come, or a whole file at once. */
#ifndef NIGHTJAR_CLI_INPUT_H
#define NIGHTJAR_CLI_INPUT_H

#include "base/buffer.h"

/* The standard input line by line, never more of it in memory than one read and one line. */
struct lines {
	struct buffer unread;
	size_t searched; /* bytes of `unread` that hold no newline */
	bool is_at_end;
	uint64_t taken_bytes; /* newlines included */
};

/* One read of the descriptor. 0, or ERROR_NO_MEMORY, ERROR_SYSTEM, ERROR_LIMIT when a line
 * is longer than a message can be. */
int lines_read(struct lines *l, int fd) MUST_USE;
/* The next line, without its newline; false when there is none yet. The last one needs no
 * newline. Borrowed until lines_take. */
bool lines_peek(struct lines *l, struct span *line_out);
/* Drops the line that lines_peek has just given. */
void lines_take(struct lines *l, struct span line);
void lines_release(struct lines *l);

/* All of a descriptor, appended. Errors as lines_read. */
int input_read_all(int fd, struct buffer *content) MUST_USE;

#endif
