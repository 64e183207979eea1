/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of log lines, built in a caller's room: what comes from a peer is made harmless on the way
 * in, and a full room cuts between characters.
 */
#ifndef NIGHTJAR_TRACE_LINE_TEXT_H
#define NIGHTJAR_TRACE_LINE_TEXT_H

#include "base/base.h"

/* The byte before a line with marks, which no text has: 1 for the lowest bit of LOG_TYPE_, and so on. */
#define LINE_MARK(type) ((uint8_t)(__builtin_ctz(type) + 1))

struct line_text {
	char *text;
	size_t room; /* with the NUL; at least 1 */
	size_t len;
	unsigned types; /* LOG_TYPE_ bits of the lines that are wanted */
	bool is_muted;  /* the line under way is of no wanted type */
	bool is_next;   /* a line stands before the one under way, which has no text yet */
	bool is_full;   /* something did not fit: nothing more is written */
	bool has_marks; /* each line begins with a byte that tells its type, see LINE_MARK */
	uint8_t mark;   /* of the line under way, which has no text yet; 0: none */
};

void line_text_init(struct line_text *t, char *text, size_t room, unsigned types);
/* The next line, of this type; separated from the one before by '\n'. */
void line_begin(struct line_text *t, unsigned type);
/* Our own words, as printf; at most 127 bytes. */
void line_words(struct line_text *t, const char *format, ...) PRINTF_LIKE(2, 3);
/* Our own sentence, of any length. NULL: nothing. */
void line_sentence(struct line_text *t, const char *sentence);
/*
 * A peer's bytes: characters that would end the line or steer a terminal, and what is not UTF-8,
 * come out as \xNN for each byte.
 */
void line_foreign(struct line_text *t, struct span bytes);

#endif
