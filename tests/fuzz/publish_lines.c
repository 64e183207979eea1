/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard input of pub -l and -s: it comes through a pipe, in pieces as long as the first byte
 * says. The lines are those that the text has, and all of it is read.
 */
#include "cli/input.h"
#include "fuzz.h"

#include <unistd.h>

#define TEXT_MAX 65536 /* what a pipe holds */

static void check_line(struct span *rest, struct span line, bool is_at_end)
{
	const uint8_t *newline = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
	size_t len = newline ? (size_t)(newline - rest->ptr) : rest->len;
	CHECK(rest->len > 0 && (newline || is_at_end));
	CHECK(span_is_equal(line, span_of(rest->ptr, len)));
	len += newline != NULL;
	*rest = span_of(rest->ptr + len, rest->len - len);
}

static void take_lines(struct lines *l, struct span *rest)
{
	struct span line;
	while (lines_peek(l, &line)) {
		check_line(rest, line, l->is_at_end);
		lines_take(l, line);
	}
}

static void put(int fd, struct span text)
{
	CHECK(text.len == 0 || write(fd, text.ptr, text.len) == (ssize_t)text.len);
}

static void check_lines(struct span text, size_t piece)
{
	int ends[2];
	struct lines l = {0};
	struct span left = text, rest = text;
	CHECK(pipe(ends) == 0);
	while (left.len > 0) {
		size_t len = piece < left.len ? piece : left.len;
		put(ends[1], span_of(left.ptr, len));
		left = span_of(left.ptr + len, left.len - len);
		CHECK(lines_read(&l, ends[0]) == 0 && !l.is_at_end);
		take_lines(&l, &rest);
	}
	close(ends[1]);
	CHECK(lines_read(&l, ends[0]) == 0 && l.is_at_end);
	take_lines(&l, &rest);
	CHECK(rest.len == 0);
	close(ends[0]);
	lines_release(&l);
}

static void check_all(struct span text)
{
	int ends[2];
	struct buffer all = {0};
	CHECK(pipe(ends) == 0);
	put(ends[1], text);
	close(ends[1]);
	CHECK(input_read_all(ends[0], &all) == 0);
	CHECK(span_is_equal(buffer_content(&all), text));
	close(ends[0]);
	buffer_release(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0 || len > TEXT_MAX)
		return 0;
	struct span text = span_of(data + 1, len - 1);
	check_lines(text, 1 + (size_t)data[0]);
	check_all(text);
	return 0;
}
