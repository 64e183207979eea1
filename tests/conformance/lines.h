/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the runner talks to an engine: one line of words to its standard input, any number of lines
 * back, the last of which is "ok". Bytes are written in hexadecimal.
 */
#ifndef NIGHTJAR_TESTS_CONFORMANCE_LINES_H
#define NIGHTJAR_TESTS_CONFORMANCE_LINES_H

#include "base/buffer.h"

/* Calls `perform` with each line, without its end, and answers "ok" behind it. Returns at the end
 * of the input. */
void lines_serve(void (*perform)(char *line));
/* The next word of the line, NUL-terminated, or NULL; `*rest` moves on. */
char *line_word(char **rest);
/* The next word as a number; asserts that there is one. */
uint64_t line_number(char **rest);
/* Appends the bytes that the word stands for; asserts that it is hexadecimal. */
void line_bytes(const char *word, struct buffer *out);
/* Prints bytes in hexadecimal, without a line's end. */
void line_print(struct span bytes);

#endif
