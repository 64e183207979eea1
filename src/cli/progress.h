/* SPDX-License-Identifier: Apache-2.0 */
/* How far pub is, for somebody at a terminal: a line on stderr that is drawn anew. */
#ifndef NIGHTJAR_CLI_PROGRESS_H
#define NIGHTJAR_CLI_PROGRESS_H

#include "base/base.h"

struct progress {
	bool is_shown; /* else nothing is ever printed */
	bool has_line; /* there is one to be cleared */
	uint64_t began_ms;
	uint64_t next_ms;
	uint64_t bytes_max;    /* of the input; 0: not known */
	uint64_t messages_max; /* 0: not known */
};

/* `input_fd`: what is read, if it is a file; or -1. */
void progress_begin(struct progress *p, uint64_t now_ms, int input_fd, uint64_t messages_max);
/* When progress_show is to be called; UINT64_MAX: never. */
uint64_t progress_deadline(const struct progress *p);
/* Draws the line, if it is time. */
void progress_show(struct progress *p, uint64_t now_ms, uint64_t messages, uint64_t bytes);
/* Leaves no line behind. */
void progress_end(struct progress *p);

/* "[=====>    ]  52 %  12345 messages, 1234/s, 9 s left"; without a bar where the end is unknown. */
void progress_line(const struct progress *p, uint64_t now_ms, uint64_t messages, uint64_t bytes,
		   char *line, size_t size);

#endif
