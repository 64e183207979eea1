/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a line of a script, and complaints that name file, line, column, and what was
 * probably meant.
 *
 *	publish "home/{id}/temperature" every 5s payload {walk 15 25 0.5}  # a remark
 *	word     word                   word  word word   rest
 */
#ifndef NIGHTJAR_CLI_SIMULATE_WORDS_H
#define NIGHTJAR_CLI_SIMULATE_WORDS_H

#include "base/buffer.h"

/* A word as it stands: between quotes when it began with one. */
struct word {
	struct span text;
	unsigned column; /* from 1 */
};

/* One line, walked from left to right. `errors` gets a line of text for each complaint. */
struct words {
	const char *file;
	unsigned line;
	struct span whole; /* the line */
	size_t at;
	struct buffer *errors;
	unsigned *error_count;
	unsigned complained_line; /* what goes wrong after the first mistake may follow from it */
};

/* More complaints than this are counted, not written: the first ones are what helps. */
#define COMPLAINTS_MAX 10

/* The next word; false at the end of the line or before a remark (#). A quote that is not closed
 * is complained about. */
bool words_next(struct words *w, struct word *word_out);
/* All that is left of the line, without blanks around it. */
struct word words_rest(struct words *w);
/* Where the next word stands, or would. */
unsigned words_column(const struct words *w);

/* Adds "file:line:column: text", once for a line, and returns ERROR_INVALID. */
int words_complain(struct words *w, unsigned column, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same for a word that is none of `candidates`; `what` is e.g. "statement". */
int words_unknown(struct words *w, const struct word *word, const char *what,
		  const char *const *candidates, size_t count);

bool word_is(const struct word *word, const char *text);

/* What a word must be; each complains and returns ERROR_INVALID when it is not. */
int word_number(struct words *w, const struct word *word, uint64_t min, uint64_t max,
		uint64_t *out) MUST_USE;
/* "250ms", "5s", "1.5m", "2h", "7d": in milliseconds, at least 1. */
int word_duration(struct words *w, const struct word *word, uint64_t *ms_out) MUST_USE;
/* "20%": from 0 to 100. */
int word_percent(struct words *w, const struct word *word, uint32_t *out) MUST_USE;
/* A decimal fraction, and how many digits stand behind its point. */
int word_fraction(struct words *w, const struct word *word, double *out,
		  unsigned *decimals_out) MUST_USE;

#endif
