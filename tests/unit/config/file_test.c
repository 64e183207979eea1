/* SPDX-License-Identifier: Apache-2.0 */
/* Files as they come: line ends, encodings, and what is no configuration at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "configured.h"

struct bytes_case {
	struct span bytes;
	const char *errors;
	unsigned qos_max;
};
#define BYTES(literal)                                                                             \
	{                                                                                          \
		(const uint8_t *)(literal), sizeof(literal) - 1                                    \
	}

static const struct bytes_case bytes_cases[] = {
	{BYTES(""), "", 2},
	{BYTES("\n\n"), "", 2},
	{BYTES("max_qos 1"), "", 1},
	{BYTES("max_qos 1\n"), "", 1},
	{BYTES("max_qos 1\r\n\r\nuser a\r\n"), "", 1},
	{BYTES("\xEF\xBB\xBFmax_qos 1\n"), "", 1},
	{BYTES(" \tmax_qos \t 1 \t\n"), "", 1},
	{BYTES("# max_qos 0\n   # max_qos 0\n#\nmax_qos 1"), "", 1},
	{BYTES("# \xC3\xBC and \xFF\nmax_qos 1"), "", 1},
	{BYTES("max_qos\0 1\n"), "f.conf:1: holds a NUL byte: this is no configuration\n", 2},
	{BYTES("max_qos 1\n\n\0\0\0"), "f.conf:3: holds a NUL byte: this is no configuration\n", 2},
	{BYTES("\xFF\xFEm\0a\0"), "f.conf: is written in UTF-16: save it as UTF-8\n", 2},
	{BYTES("\xFE\xFF\0m\0a"), "f.conf: is written in UTF-16: save it as UTF-8\n", 2},
	{BYTES("user j\xF6rg\nmax_qos 1"), "f.conf:1: the line is not UTF-8\n", 1},
	{BYTES("max_qos 1\rmax_qos 1\n"), "f.conf:1: the line holds a control character\n", 2},
	{BYTES("\x1b[2J\n"), "f.conf:1: the line holds a control character\n", 2},
};

static void test_file_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bytes_cases); i++) {
		struct configured c;
		configure_bytes(&c, bytes_cases[i].bytes);
		assert_string_equal(c.errors, bytes_cases[i].errors);
		assert_int_equal(c.config.settings.qos_max, bytes_cases[i].qos_max);
		configured_release(&c);
	}
}

/* A line of `len` bytes: "user aaa...". */
static int load_long_line(size_t len, struct configured *c)
{
	char *text = mem_alloc(len);
	assert_non_null(text);
	memset(text, 'a', len);
	memcpy(text, "user ", 5);
	configure_bytes(c, span_of(text, len));
	mem_free(text);
	return c->rc;
}

static void test_file_longest_line(void **state)
{
	(void)state;
	struct configured c;
	assert_int_equal(load_long_line(CONFIG_LINE_BYTES_MAX, &c), 0);
	assert_int_equal(strlen(c.config.user), CONFIG_LINE_BYTES_MAX - 5);
	configured_release(&c);
	assert_int_equal(load_long_line(CONFIG_LINE_BYTES_MAX + 1, &c), ERROR_INVALID);
	assert_string_equal(c.errors, "f.conf:1: the line is longer than 4096 bytes\n");
	configured_release(&c);
}

/* What is said about a path; the loading must fail. */
static void load_bad_file(const char *path, struct configured *c)
{
	*c = (struct configured){0};
	config_init(&c->config);
	assert_int_equal(config_load_file(&c->config, path, &c->report), ERROR_INVALID);
	configured_finish(c);
	assert_int_equal(c->rc, ERROR_INVALID);
	assert_int_equal(c->report.error_count, 1);
}

static void test_file_that_is_none(void **state)
{
	(void)state;
	struct configured c;
	load_bad_file("/nonexistent/nightjar.conf", &c);
	assert_string_equal(c.errors, "/nonexistent/nightjar.conf: cannot be opened: No such file "
				      "or directory\n");
	configured_release(&c);
	load_bad_file("/", &c);
	assert_string_equal(c.errors, "/: cannot be read: Is a directory\n");
	configured_release(&c);
	load_bad_file("/dev/zero", &c);
	assert_string_equal(c.errors,
			    "/dev/zero: is larger than a configuration may be (1048576 bytes)\n");
	configured_release(&c);
}

struct temporary {
	char path[64];
	FILE *stream;
};

static void temporary_open(struct temporary *t)
{
	strcpy(t->path, "/tmp/nightjar-config-XXXXXX");
	int fd = mkstemp(t->path);
	assert_true(fd >= 0);
	t->stream = fdopen(fd, "w");
	assert_non_null(t->stream);
}

static void temporary_close(struct temporary *t)
{
	assert_int_equal(fclose(t->stream), 0);
}

static void test_file_is_loaded(void **state)
{
	(void)state;
	struct temporary t;
	struct configured c = {0};
	temporary_open(&t);
	fputs("# nightjar\nlistener 1884\nmax_qos 1\n", t.stream);
	temporary_close(&t);
	config_init(&c.config);
	assert_int_equal(config_load_file(&c.config, t.path, &c.report), 0);
	configured_finish(&c);
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.config.listeners[0].port, 1884);
	assert_int_equal(c.config.settings.qos_max, 1);
	configured_release(&c);
	assert_int_equal(unlink(t.path), 0);
}

/* To the byte: as large as allowed, and one more. */
static void test_file_as_large_as_allowed(void **state)
{
	(void)state;
	struct temporary t;
	struct configured c = {0};
	temporary_open(&t);
	for (size_t i = 0; i < CONFIG_FILE_BYTES_MAX; i++)
		putc(i % 64 == 63 ? '\n' : '#', t.stream);
	fflush(t.stream);
	config_init(&c.config);
	assert_int_equal(config_load_file(&c.config, t.path, &c.report), 0);
	config_report_release(&c.report);
	config_release(&c.config);
	putc('#', t.stream);
	temporary_close(&t);
	load_bad_file(t.path, &c);
	assert_non_null(strstr(c.errors, ": is larger than a configuration may be"));
	configured_release(&c);
	assert_int_equal(unlink(t.path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_bytes),
		cmocka_unit_test(test_file_longest_line),
		cmocka_unit_test(test_file_that_is_none),
		cmocka_unit_test(test_file_is_loaded),
		cmocka_unit_test(test_file_as_large_as_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
