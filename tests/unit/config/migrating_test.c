/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/MIGRATING.md has the table of options as the build makes it: so it cannot fall behind the
 * program. Arguments: the table, the document. When it fails, build/man/options.md is what belongs
 * between the document's "every option" marks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "config/config.h"

static const char *table_path, *document_path;

static const char *load(const char *path, struct buffer *text)
{
	FILE *stream = fopen(path, "r");
	assert_non_null(stream);
	size_t len;
	do {
		assert_int_equal(buffer_reserve(text, 4096), 0);
		len = fread(buffer_room(text).ptr, 1, 4096, stream);
		buffer_commit(text, len);
	} while (len > 0);
	assert_int_equal(fclose(stream), 0);
	assert_int_equal(buffer_append(text, SPAN_LITERAL("\0")), 0);
	return (const char *)buffer_content(text).ptr;
}

static void test_document_has_the_table(void **state)
{
	(void)state;
	struct buffer table_text = {0}, document_text = {0};
	const char *line = load(table_path, &table_text);
	const char *document = load(document_path, &document_text);
	const char *at = strstr(document, "<!-- every option: begin -->\n");
	assert_non_null(at);
	at = strchr(at, '\n') + 1;
	while (*line) {
		size_t len = strcspn(line, "\n") + 1;
		if (strncmp(at, line, len) != 0)
			print_error("the document has\n%.*sin the place of\n%.*s",
				    (int)strcspn(at, "\n") + 1, at, (int)len, line);
		assert_true(strncmp(at, line, len) == 0);
		at += len;
		line += len;
	}
	assert_true(strncmp(at, "<!-- every option: end -->\n", 27) == 0);
	buffer_release(&table_text);
	buffer_release(&document_text);
}

/* Each option of mosquitto's, and no other. */
static void test_table_has_every_option(void **state)
{
	(void)state;
	struct buffer text = {0};
	const char *table = load(table_path, &text);
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *o = option_at(i);
		char name[64];
		snprintf(name, sizeof(name), "`%s`", o->name);
		const char *first = strstr(table, name);
		assert_int_equal(first != NULL, !o->is_ours);
		assert_true(!first || first[-1] == ' ');
	}
	buffer_release(&text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document_has_the_table),
		cmocka_unit_test(test_table_has_every_option),
	};
	if (argc != 3) {
		fprintf(stderr, "usage: %s options.md MIGRATING.md\n", argv[0]);
		return 1;
	}
	table_path = argv[1];
	document_path = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
