/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/simulate_words.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/nearest.h"

/* Longer durations are a mistake, and would not fit into what a session may expire after. */
#define DURATION_MS_MAX (UINT64_C(366) * 24 * 3600 * 1000)
/* The longest number that somebody writes; more digits say nothing to a double. */
#define NUMBER_LEN_MAX 30

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct words *w)
{
	while (w->at < w->whole.len && is_blank(w->whole.ptr[w->at]))
		w->at++;
}

unsigned words_column(const struct words *w)
{
	size_t at = w->at;
	while (at < w->whole.len && is_blank(w->whole.ptr[at]))
		at++;
	return (unsigned)at + 1;
}

static bool take_quoted(struct words *w, struct word *word_out)
{
	const uint8_t *start = w->whole.ptr + w->at + 1;
	const uint8_t *end = memchr(start, '"', w->whole.len - w->at - 1);
	*word_out = (struct word){.column = (unsigned)w->at + 1};
	if (!end) {
		words_complain(w, word_out->column, "the quote is not closed");
		w->at = w->whole.len;
		return false;
	}
	word_out->text = span_of(start, (size_t)(end - start));
	w->at = (size_t)(end - w->whole.ptr) + 1;
	return true;
}

/* A place of a template is part of its word, blanks and all: home/{id 4}/door. */
static void skip_word(struct words *w)
{
	bool is_inside = false;
	while (w->at < w->whole.len && (is_inside || !is_blank(w->whole.ptr[w->at]))) {
		is_inside = w->whole.ptr[w->at] == '{' || (is_inside && w->whole.ptr[w->at] != '}');
		w->at++;
	}
}

bool words_next(struct words *w, struct word *word_out)
{
	skip_blanks(w);
	if (w->at == w->whole.len || w->whole.ptr[w->at] == '#')
		return false;
	if (w->whole.ptr[w->at] == '"')
		return take_quoted(w, word_out);
	size_t start = w->at;
	skip_word(w);
	*word_out =
		(struct word){span_of(w->whole.ptr + start, w->at - start), (unsigned)start + 1};
	return true;
}

struct word words_rest(struct words *w)
{
	skip_blanks(w);
	size_t end = w->whole.len;
	while (end > w->at && is_blank(w->whole.ptr[end - 1]))
		end--;
	struct word rest = {span_of(w->whole.ptr + w->at, end - w->at), (unsigned)w->at + 1};
	w->at = w->whole.len;
	return rest;
}

/* --- complaints --- */

/* What a terminal would obey is shown as a question mark. */
static void make_printable(char *text)
{
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
}

int words_complain(struct words *w, unsigned column, const char *format, ...)
{
	char text[400], line[600];
	va_list arguments;
	if (w->line > 0 && w->complained_line == w->line)
		return ERROR_INVALID;
	w->complained_line = w->line;
	if (++*w->error_count > COMPLAINTS_MAX)
		return ERROR_INVALID;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	make_printable(text);
	snprintf(line, sizeof(line), "%s:%u:%u: %s\n", w->file, w->line, column, text);
	/* without memory the count still says that something is wrong */
	(void)!buffer_append(w->errors, span_of_text(line));
	return ERROR_INVALID;
}

/* For "%.*s": enough to recognise it by. */
static int shown(struct span text)
{
	return text.len > 40 ? 40 : (int)text.len;
}

int words_unknown(struct words *w, const struct word *word, const char *what,
		  const char *const *candidates, size_t count)
{
	struct nearest nearest = nearest_start(word->text);
	char list[300];
	size_t len = 0;
	for (size_t i = 0; i < count; i++) {
		nearest_offer(&nearest, candidates[i]);
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
					candidates[i]);
		ASSERT(len < sizeof(list));
	}
	if (nearest.best)
		return words_complain(w, word->column, "unknown %s '%.*s', did you mean '%s'?",
				      what, shown(word->text), word->text.ptr, nearest.best);
	return words_complain(w, word->column, "unknown %s '%.*s': there is %s", what,
			      shown(word->text), word->text.ptr, list);
}

/* --- what words mean --- */

bool word_is(const struct word *word, const char *text)
{
	return span_is_equal(word->text, span_of_text(text));
}

/* Digits, perhaps a point; `rest_out` is what follows. */
static bool read_fraction(struct span text, double *out, unsigned *decimals_out,
			  struct span *rest_out)
{
	char copy[NUMBER_LEN_MAX + 1];
	size_t i = text.len > 0 && text.ptr[0] == '-', digits = 0;
	unsigned decimals = 0;
	bool has_point = false;
	for (; i < text.len && i < NUMBER_LEN_MAX; i++) {
		uint8_t c = text.ptr[i];
		if (c == '.' && !has_point) {
			has_point = true;
		} else if (c >= '0' && c <= '9') {
			digits++;
			decimals += has_point;
		} else {
			break;
		}
	}
	if (digits == 0)
		return false;
	memcpy(copy, text.ptr, i);
	copy[i] = '\0';
	*out = strtod(copy, NULL);
	*decimals_out = decimals;
	*rest_out = span_of(text.ptr + i, text.len - i);
	return true;
}

int word_number(struct words *w, const struct word *word, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	bool is_number = word->text.len > 0 && word->text.len <= 18;
	for (size_t i = 0; is_number && i < word->text.len; i++) {
		uint8_t c = word->text.ptr[i];
		is_number = c >= '0' && c <= '9';
		value = value * 10 + (c - '0');
	}
	if (!is_number || value < min || value > max)
		return words_complain(w, word->column, "'%.*s' is no number from %llu to %llu",
				      shown(word->text), word->text.ptr, (unsigned long long)min,
				      (unsigned long long)max);
	*out = value;
	return 0;
}

int word_duration(struct words *w, const struct word *word, uint64_t *ms_out)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 36e5}, {"d", 864e5}};
	double value;
	unsigned decimals;
	struct span rest;
	if (read_fraction(word->text, &value, &decimals, &rest)) {
		for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
			if (!span_is_equal(rest, span_of_text(units[i].unit)))
				continue;
			double ms = floor(value * units[i].ms + 0.5);
			if (!(ms >= 1 && ms <= (double)DURATION_MS_MAX))
				return words_complain(w, word->column,
						      "a time is from 1ms to 366d");
			*ms_out = (uint64_t)ms;
			return 0;
		}
	}
	return words_complain(w, word->column, "'%.*s' is no time: write 250ms, 5s, 1.5m, 2h or 7d",
			      shown(word->text), word->text.ptr);
}

int word_percent(struct words *w, const struct word *word, uint32_t *out)
{
	struct word number = *word;
	uint64_t value = 0;
	if (number.text.len < 2 || number.text.ptr[number.text.len - 1] != '%')
		return words_complain(w, word->column, "'%.*s' is no share: write 20%%",
				      shown(word->text), word->text.ptr);
	number.text.len--;
	int error = word_number(w, &number, 0, 100, &value);
	if (!error)
		*out = (uint32_t)value;
	return error;
}

int word_fraction(struct words *w, const struct word *word, double *out, unsigned *decimals_out)
{
	struct span rest;
	if (read_fraction(word->text, out, decimals_out, &rest) && rest.len == 0)
		return 0;
	return words_complain(w, word->column, "'%.*s' is no number", shown(word->text),
			      word->text.ptr);
}
