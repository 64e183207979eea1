/* SPDX-License-Identifier: Apache-2.0 */
/* The manual page that the build made names every option of the table. Its path is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "config/config.h"

static const char *path;

static void page_load(struct buffer *page)
{
	FILE *stream = fopen(path, "r");
	assert_non_null(stream);
	size_t len;
	do {
		assert_int_equal(buffer_reserve(page, 4096), 0);
		len = fread(buffer_room(page).ptr, 1, 4096, stream);
		buffer_commit(page, len);
	} while (len > 0);
	assert_int_equal(fclose(stream), 0);
	assert_int_equal(buffer_append(page, SPAN_LITERAL("\0")), 0);
}

/* As roff has it: a bold line that begins with the name, dashes escaped. */
static bool names(const char *page, const char *name)
{
	char line[128];
	size_t len = (size_t)snprintf(line, sizeof(line), "\n.B ");
	for (; *name; name++) {
		if (*name == '-')
			line[len++] = '\\';
		line[len++] = *name;
	}
	line[len] = '\0';
	for (const char *p = strstr(page, line); p; p = strstr(p + 1, line)) {
		if (p[len] == ' ' || p[len] == '\n')
			return true;
	}
	return false;
}

static void test_manual_names_every_option(void **state)
{
	(void)state;
	struct buffer page = {0};
	page_load(&page);
	const char *text = (const char *)buffer_content(&page).ptr;
	for (size_t i = 0; i < option_count(); i++) {
		if (!names(text, option_at(i)->name))
			print_error("the page lacks %s\n", option_at(i)->name);
		assert_true(names(text, option_at(i)->name));
	}
	assert_false(names(text, "max_qo"));
	assert_false(names(text, "no_such_option"));
	buffer_release(&page);
}

static void test_manual_has_all_headlines(void **state)
{
	(void)state;
	struct buffer page = {0};
	page_load(&page);
	const char *text = (const char *)buffer_content(&page).ptr;
	for (unsigned group = 0; group < OPTION_GROUP_COUNT; group++) {
		char line[64];
		snprintf(line, sizeof(line), "\n.SS %s\n", option_group_name(group));
		const char *first = strstr(text, line);
		assert_non_null(first);
		assert_null(strstr(first + 1, line));
	}
	buffer_release(&page);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual_names_every_option),
		cmocka_unit_test(test_manual_has_all_headlines),
	};
	if (argc != 2) {
		fprintf(stderr, "usage: %s nightjar.conf.5\n", argv[0]);
		return 1;
	}
	path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
