/* SPDX-License-Identifier: Apache-2.0 */
/* Which changes of files are noticed, and when. */
#include "daemon/file_watch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static char folder[64], path[96], other[96];

static int setup(void **state)
{
	(void)state;
	mem_count_start();
	snprintf(folder, sizeof(folder), "/tmp/nightjar-watch-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	assert_int_equal(mem_count_live(), 0);
	return rmdir(folder);
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* As if it had been written long ago: the time then tells of every change. */
static void make_old(const char *name)
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
}

/* A change is told of one look later, when the file stands still. */
static void assert_noticed(struct file_watch *w)
{
	assert_false(file_watch_look(w));
	assert_true(file_watch_look(w));
	assert_false(file_watch_look(w));
}

static void test_file_watch_of_all_kinds_of_changes(void **state)
{
	(void)state;
	struct file_watch w = {0};
	file_watch_add(&w, path);
	file_watch_add(&w, NULL);
	file_watch_add(&w, path);
	assert_int_equal(w.count, 1);
	assert_false(file_watch_look(&w));
	write_file(path, "comes");
	assert_noticed(&w);
	write_file(path, "longer than before");
	assert_noticed(&w);
	write_file(other, "another in its place");
	assert_int_equal(rename(other, path), 0);
	assert_noticed(&w);
	make_old(path);
	assert_noticed(&w);
	assert_int_equal(unlink(path), 0);
	assert_noticed(&w);
	write_file(other, "x");
	assert_int_equal(symlink("other", path), 0);
	assert_noticed(&w);
	write_file(other, "behind a link");
	assert_noticed(&w);
	file_watch_release(&w);
}

static void test_file_watch_waits_until_all_stand_still(void **state)
{
	(void)state;
	struct file_watch w = {0};
	file_watch_add(&w, path);
	file_watch_add(&w, other);
	write_file(path, "certificate");
	assert_false(file_watch_look(&w));
	write_file(other, "key");
	assert_false(file_watch_look(&w));
	assert_true(file_watch_look(&w));
	assert_false(file_watch_look(&w));
	file_watch_release(&w);
}

/* Same size, same file, same time: where the clock has whole seconds only, the content tells. */
static void test_file_watch_within_a_tick(void **state)
{
	(void)state;
	struct file_watch w = {.is_coarse = true};
	write_file(path, "max_qos 1");
	file_watch_add(&w, path);
	for (char value = '2'; value < '6'; value++) {
		struct stat before, after;
		char text[] = "max_qos 0";
		text[8] = value;
		assert_int_equal(stat(path, &before), 0);
		write_file(path, text);
		assert_int_equal(stat(path, &after), 0);
		assert_int_equal(after.st_ino, before.st_ino);
		assert_int_equal(after.st_size, before.st_size);
		assert_noticed(&w);
	}
	file_watch_release(&w);
}

/* What is wanted no more is forgotten; of the others what is known stays. */
static void test_file_watch_of_other_files(void **state)
{
	(void)state;
	struct file_watch w = {0};
	write_file(path, "a");
	write_file(other, "b");
	file_watch_add(&w, path);
	file_watch_add(&w, other);
	write_file(path, "changed before the files are others");
	file_watch_restart(&w);
	file_watch_add(&w, path);
	file_watch_sweep(&w);
	assert_int_equal(w.count, 1);
	write_file(other, "who cares");
	assert_noticed(&w);
	file_watch_restart(&w);
	file_watch_sweep(&w);
	assert_int_equal(w.count, 0);
	assert_false(file_watch_look(&w));
	file_watch_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file_watch_of_all_kinds_of_changes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_file_watch_waits_until_all_stand_still, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_file_watch_within_a_tick, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_watch_of_other_files, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
