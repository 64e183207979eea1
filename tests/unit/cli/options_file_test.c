/* SPDX-License-Identifier: Apache-2.0 */
/* A file of default options: how a line of it becomes words. */
#include "cli/options_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void check_line(const char *text, const char *const *wanted)
{
	char line[128], *words[OPTIONS_WORDS_MAX];
	snprintf(line, sizeof(line), "%s", text);
	int count = options_file_cut(line, words);
	for (int i = 0; i < count; i++) {
		assert_non_null(wanted[i]);
		assert_string_equal(words[i], wanted[i]);
	}
	assert_null(wanted[count]);
}

static void test_lines_of_an_options_file(void **state)
{
	(void)state;
	check_line("", (const char *const[]){NULL});
	check_line("  \t", (const char *const[]){NULL});
	check_line("# -t a", (const char *const[]){NULL});
	check_line("-d\r", (const char *const[]){"-d", NULL});
	check_line("-m hello big  world ", (const char *const[]){"-m", "hello big  world", NULL});
	check_line(" --topic\ta", (const char *const[]){"--topic", "a", NULL});
	check_line("-D publish content-type a b",
		   (const char *const[]){"-D", "publish", "content-type", "a b", NULL});
	check_line("-D publish user-property n a b",
		   (const char *const[]){"-D", "publish", "user-property", "n", "a b", NULL});
	check_line("-D publish", (const char *const[]){"-D", "publish", NULL});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_of_an_options_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
