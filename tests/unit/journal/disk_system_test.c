/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/disk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"

static struct disk *open_disk(void)
{
	struct disk *d = NULL;
	assert_int_equal(disk_system_open(folder, true, &d), 0);
	return d;
}

static struct disk_file *open_file(struct disk *d, const char *name, unsigned mode)
{
	struct disk_file *f = NULL;
	assert_int_equal(d->ops->open(d, name, mode, &f), 0);
	return f;
}

static void test_directories_are_made_for_the_owner_only(void **state)
{
	char path[256];
	struct stat facts;
	struct disk *d = NULL;
	(void)state;
	snprintf(path, sizeof(path), "%s/a/b//c/", folder);
	assert_int_equal(disk_system_open(path, false, &d), ERROR_NOT_FOUND);
	assert_int_equal(disk_system_open(path, true, &d), 0);
	d->ops->free(d);
	snprintf(path, sizeof(path), "%s/a/b", folder);
	assert_int_equal(stat(path, &facts), 0);
	assert_int_equal(facts.st_mode & 0777, 0700);
}

static void test_lock_names_its_holder(void **state)
{
	struct disk *a = open_disk(), *b = open_disk();
	long owner = 0;
	(void)state;
	assert_int_equal(a->ops->lock(a, &owner), 0);
	assert_int_equal(b->ops->lock(b, &owner), ERROR_AGAIN);
	assert_int_equal(owner, getpid());
	a->ops->free(a);
	assert_int_equal(b->ops->lock(b, &owner), 0);
	b->ops->free(b);
}

static void write_and_compare(struct disk *d, unsigned mode)
{
	static uint8_t bytes[3 * DISK_BLOCK] __attribute__((aligned(DISK_BLOCK)));
	uint8_t back[3 * DISK_BLOCK + 100];
	struct span parts[] = {span_of(bytes, DISK_BLOCK),
			       span_of(bytes + DISK_BLOCK, 2 * DISK_BLOCK)};
	struct disk_file *f = open_file(d, "file", mode);
	uint64_t len = 0;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + mode);
	assert_int_equal(f->ops->write(f, parts, 2, DISK_BLOCK), 0);
	assert_int_equal(f->ops->sync(f), 0);
	assert_int_equal(f->ops->size(f, &len), 0);
	assert_int_equal(len, 4 * DISK_BLOCK);
	f->ops->close(f);
	for (unsigned direct = 0; direct <= DISK_DIRECT; direct += DISK_DIRECT) {
		f = open_file(d, "file", DISK_READ | direct);
		long n = f->ops->read(f, (struct room){back, sizeof(back)}, DISK_BLOCK);
		assert_int_equal(n, sizeof(bytes));
		assert_memory_equal(back, bytes, sizeof(bytes));
		/* odd places and lengths */
		assert_int_equal(f->ops->read(f, (struct room){back, 100}, DISK_BLOCK + 9), 100);
		assert_memory_equal(back, bytes + 9, 100);
		assert_int_equal(f->ops->read(f, (struct room){back, 100}, 4 * DISK_BLOCK - 3), 3);
		assert_int_equal(f->ops->read(f, (struct room){back, 100}, 9 * DISK_BLOCK), 0);
		f->ops->close(f);
	}
}

static void test_what_is_written_is_read(void **state)
{
	struct disk *d = open_disk();
	(void)state;
	write_and_compare(d, DISK_WRITE);
	write_and_compare(d, DISK_WRITE | DISK_SYNC);
	d->ops->free(d);
}

static void count_name(void *context, const char *name)
{
	unsigned *seen = context;
	*seen += strcmp(name, "one") == 0 ? 1 : strcmp(name, "two") == 0 ? 16 : 256;
}

static void test_names_change(void **state)
{
	struct disk *d = open_disk();
	struct disk_file *f = NULL;
	unsigned seen = 0;
	(void)state;
	assert_int_equal(d->ops->open(d, "one", DISK_READ, &f), ERROR_NOT_FOUND);
	f = open_file(d, "one", DISK_WRITE);
	f->ops->close(f);
	assert_int_equal(d->ops->list(d, count_name, &seen), 0);
	assert_int_equal(seen, 1);
	assert_int_equal(d->ops->rename(d, "one", "two"), 0);
	assert_int_equal(d->ops->sync_names(d), 0);
	assert_int_equal(d->ops->rename(d, "one", "two"), ERROR_NOT_FOUND);
	seen = 0;
	assert_int_equal(d->ops->list(d, count_name, &seen), 0);
	assert_int_equal(seen, 16);
	assert_int_equal(d->ops->remove(d, "two"), 0);
	assert_int_equal(d->ops->remove(d, "two"), ERROR_NOT_FOUND);
	d->ops->free(d);
}

static void test_space_is_reserved(void **state)
{
	struct disk *d = open_disk();
	struct disk_file *f = open_file(d, "file", DISK_WRITE);
	uint64_t len = 0, free = 0, total = 0;
	struct disk_facts facts;
	struct stat status;
	char path[256];
	(void)state;
	assert_int_equal(f->ops->reserve(f, 1 << 20), 0);
	assert_int_equal(f->ops->size(f, &len), 0);
	assert_int_equal(len, 1 << 20);
	snprintf(path, sizeof(path), "%s/file", folder);
	assert_int_equal(stat(path, &status), 0);
	assert_true(status.st_blocks * 512 >= 1 << 20);
	f->ops->close(f);
	assert_int_equal(d->ops->space(d, &free, &total), 0);
	assert_true(free > 0 && free <= total);
	d->ops->facts(d, &facts);
	assert_true(strlen(facts.file_system) < sizeof(facts.file_system));
	d->ops->free(d);
}

/* The device that is always full. */
static void test_full_disk_has_its_own_error(void **state)
{
	static const uint8_t block[DISK_BLOCK] __attribute__((aligned(DISK_BLOCK)));
	struct span part = span_of(block, sizeof(block));
	struct disk *d = NULL;
	struct disk_file *f = NULL;
	(void)state;
	if (access("/dev/full", W_OK) != 0)
		skip();
	assert_int_equal(disk_system_open("/dev", false, &d), 0);
	assert_int_equal(d->ops->open(d, "full", DISK_WRITE, &f), 0);
	assert_int_equal(f->ops->write(f, &part, 1, 0), ERROR_FULL);
	assert_int_equal(errno, ENOSPC);
	f->ops->close(f);
	d->ops->free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_directories_are_made_for_the_owner_only),
		IN_FOLDER(test_lock_names_its_holder),
		IN_FOLDER(test_what_is_written_is_read),
		IN_FOLDER(test_names_change),
		IN_FOLDER(test_space_is_reserved),
		cmocka_unit_test(test_full_disk_has_its_own_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
