/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out of a pipe, however they are cut, and whole files. */
#include "cli/input.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

/* All lines of what is left, each followed by '|'. */
static void take_all(struct lines *l, char *out)
{
	struct span line;
	while (lines_peek(l, &line)) {
		memcpy(out + strlen(out), line.ptr, line.len);
		strcat(out, "|");
		lines_take(l, line);
	}
}

/* Feeds `text` in pieces of `step` bytes and takes lines in between. */
static void check(const char *text, size_t step, const char *wanted)
{
	struct lines l = {0};
	int fds[2];
	char got[256] = "";
	assert_int_equal(pipe(fds), 0);
	for (size_t at = 0; at < strlen(text); at += step) {
		size_t len = strlen(text) - at < step ? strlen(text) - at : step;
		assert_int_equal(write(fds[1], text + at, len), len);
		assert_int_equal(lines_read(&l, fds[0]), 0);
		assert_false(l.is_at_end);
		take_all(&l, got);
	}
	close(fds[1]);
	assert_int_equal(lines_read(&l, fds[0]), 0);
	assert_true(l.is_at_end);
	take_all(&l, got);
	assert_string_equal(got, wanted);
	assert_int_equal(buffer_len(&l.unread), 0);
	close(fds[0]);
	lines_release(&l);
}

static void test_lines_however_they_are_cut(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"", ""},
		{"one", "one|"},
		{"one\n", "one|"},
		{"\n", "|"},
		{"\n\n", "||"},
		{"one\ntwo", "one|two|"},
		{"one\n\ntwo\r\nthree\n", "one||two\r|three|"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		for (size_t step = 1; step <= 20; step++)
			check(rows[i][0], step, rows[i][1]);
}

static void test_peek_gives_the_same_line_until_it_is_taken(void **state)
{
	(void)state;
	struct lines l = {0};
	struct span line;
	assert_int_equal(buffer_append(&l.unread, SPAN_LITERAL("a\nb\nc")), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(lines_peek(&l, &line));
		assert_true(span_is_equal(line, SPAN_LITERAL("a")));
	}
	lines_take(&l, line);
	assert_true(lines_peek(&l, &line));
	assert_true(span_is_equal(line, SPAN_LITERAL("b")));
	lines_take(&l, line);
	assert_false(lines_peek(&l, &line)); /* its newline may still come */
	lines_release(&l);
}

static void test_bad_descriptor(void **state)
{
	(void)state;
	struct lines l = {0};
	struct buffer content = {0};
	assert_int_equal(lines_read(&l, -1), ERROR_SYSTEM);
	assert_int_equal(input_read_all(-1, &content), ERROR_SYSTEM);
	lines_release(&l);
	buffer_release(&content);
}

static void test_read_all(void **state)
{
	(void)state;
	FILE *file = tmpfile();
	struct buffer content = {0};
	assert_non_null(file);
	for (int i = 0; i < 100000; i++)
		fprintf(file, "%07d\n", i);
	rewind(file);
	assert_int_equal(input_read_all(fileno(file), &content), 0);
	assert_int_equal(buffer_len(&content), 800000);
	assert_memory_equal(buffer_content(&content).ptr + 799992, "0099999\n", 8);
	buffer_release(&content);
	rewind(file);
	mem_fail_after(1);
	assert_int_equal(input_read_all(fileno(file), &content), ERROR_NO_MEMORY);
	mem_fail_after(0);
	buffer_release(&content);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_however_they_are_cut),
		cmocka_unit_test(test_peek_gives_the_same_line_until_it_is_taken),
		cmocka_unit_test(test_bad_descriptor),
		cmocka_unit_test(test_read_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
