/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/page_file.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void test_page_file_gives_back_what_was_written(void **state)
{
	uint8_t bytes[PAGE_BYTES], found[PAGE_BYTES];
	char directory[] = P_tmpdir "/nightjar-pages-XXXXXX";
	struct page_file *file;
	(void)state;
	mem_count_start();
	assert_non_null(mkdtemp(directory));
	assert_int_equal(page_file_open(directory, &file), 0);
	/* it has no name: nothing is left behind, however the process ends */
	assert_int_equal(rmdir(directory), 0);
	for (uint32_t page = 40; page-- > 0;) {
		memset(bytes, (int)page + 1, sizeof(bytes));
		assert_int_equal(file->ops->write(file, page, span_of(bytes, sizeof(bytes))), 0);
	}
	memset(bytes, 99, sizeof(bytes));
	assert_int_equal(file->ops->write(file, 7, span_of(bytes, 100)), 0);
	for (uint32_t page = 0; page < 40; page++) {
		struct room room = {found, sizeof(found)};
		assert_int_equal(file->ops->read(file, page, room), 0);
		assert_int_equal(found[0], page == 7 ? 99 : page + 1);
		assert_int_equal(found[100], page + 1);
		assert_int_equal(found[PAGE_BYTES - 1], page + 1);
	}
	struct room room = {found, 1};
	assert_int_equal(file->ops->read(file, 40, room), ERROR_SYSTEM);
	file->ops->close(file);
	assert_int_equal(mem_count_live(), 0);
}

static void test_page_file_without_a_directory(void **state)
{
	struct page_file *file;
	(void)state;
	mem_count_start();
	assert_int_equal(page_file_open("/nowhere/at/all", &file), ERROR_SYSTEM);
	mem_fail_after(1);
	assert_int_equal(page_file_open(P_tmpdir, &file), ERROR_NO_MEMORY);
	mem_fail_after(0);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_file_gives_back_what_was_written),
		cmocka_unit_test(test_page_file_without_a_directory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
