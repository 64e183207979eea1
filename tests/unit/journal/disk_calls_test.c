/* SPDX-License-Identifier: Apache-2.0 */
/* What a disk asks of the system so that bytes and names are on stable storage, by calls that the
 * linker leads through here (-Wl,--wrap). With large files some have 64 in their names. */
#include "journal/disk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "folder.h"

static int flags_seen;     /* of the last file that was opened */
static bool knows_direct;  /* does the file system take O_DIRECT? */
static size_t written_max; /* by one call; 0 = all */
static unsigned syncs, directory_syncs;

int __real_openat64(int directory, const char *name, int flags, ...);
ssize_t __real_pwritev64(int fd, const struct iovec *vector, int count, off_t offset);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_openat64(int directory, const char *name, int flags, ...);
ssize_t __wrap_pwritev64(int fd, const struct iovec *vector, int count, off_t offset);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);

/* Which file system the test runs on is no matter. */
int __wrap_openat64(int directory, const char *name, int flags, ...)
{
	flags_seen = flags;
	if (flags & O_DIRECT && !knows_direct) {
		errno = EINVAL;
		return -1;
	}
	return __real_openat64(directory, name, flags & ~O_DIRECT, 0600);
}

ssize_t __wrap_pwritev64(int fd, const struct iovec *vector, int count, off_t offset)
{
	if (written_max && vector->iov_len > written_max)
		return pwrite(fd, vector->iov_base, written_max, offset);
	return __real_pwritev64(fd, vector, count, offset);
}

int __wrap_fdatasync(int fd)
{
	syncs++;
	return __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
	struct stat facts;
	directory_syncs += fstat(fd, &facts) == 0 && S_ISDIR(facts.st_mode);
	return __real_fsync(fd);
}

static int begin(void **state)
{
	knows_direct = true;
	written_max = 0;
	syncs = directory_syncs = 0;
	return make_folder(state);
}

static struct disk_file *open_file(unsigned mode, struct disk **disk_out)
{
	struct disk_file *f = NULL;
	assert_int_equal(disk_system_open(folder, true, disk_out), 0);
	assert_int_equal((*disk_out)->ops->open(*disk_out, "f", mode, &f), 0);
	return f;
}

static void write_blocks(struct disk_file *f, unsigned count)
{
	static uint8_t bytes[4 * DISK_BLOCK] __attribute__((aligned(DISK_BLOCK)));
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i / DISK_BLOCK + 1);
	struct span part = span_of(bytes, count * (size_t)DISK_BLOCK);
	assert_int_equal(f->ops->write(f, &part, 1, 0), 0);
}

/* The write returns when the device says that it is stable. */
static void test_direct_write_is_stable(void **state)
{
	struct disk *d;
	(void)state;
	struct disk_file *f = open_file(DISK_WRITE | DISK_SYNC, &d);
	assert_int_equal(flags_seen & (O_DIRECT | O_DSYNC), O_DIRECT | O_DSYNC);
	f->ops->close(f);
	d->ops->free(d);
}

static void test_buffered_write_is_synced(void **state)
{
	struct disk *d;
	(void)state;
	knows_direct = false;
	struct disk_file *f = open_file(DISK_WRITE | DISK_SYNC, &d);
	write_blocks(f, 1);
	assert_int_equal(syncs, 1);
	write_blocks(f, 2);
	assert_int_equal(syncs, 2);
	f->ops->close(f);
	d->ops->free(d);
}

/* What the system took of a write only in part is whole in the end. */
static void test_partial_writes_make_a_whole(void **state)
{
	static uint8_t bytes[4 * DISK_BLOCK] __attribute__((aligned(DISK_BLOCK)));
	struct disk *d;
	(void)state;
	written_max = DISK_BLOCK;
	struct disk_file *f = open_file(DISK_WRITE, &d);
	write_blocks(f, 4);
	struct room to = {bytes, sizeof(bytes)};
	assert_int_equal(f->ops->read(f, to, 0), sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], i / DISK_BLOCK + 1);
	f->ops->close(f);
	d->ops->free(d);
}

static void test_names_are_synced(void **state)
{
	struct disk *d;
	(void)state;
	struct disk_file *f = open_file(DISK_WRITE, &d);
	unsigned before = directory_syncs;
	assert_int_equal(d->ops->sync_names(d), 0);
	assert_int_equal(directory_syncs, before + 1);
	f->ops->close(f);
	d->ops->free(d);
}

/* Each new directory is found after a power cut: its name stands in the one above. */
static void test_names_of_directories_are_synced(void **state)
{
	char path[128];
	struct disk *d;
	(void)state;
	snprintf(path, sizeof(path), "%s/a/b", folder);
	assert_int_equal(disk_system_open(path, true, &d), 0);
	assert_int_equal(directory_syncs, 2);
	d->ops->free(d);
}

#define WATCHED(test) cmocka_unit_test_setup_teardown(test, begin, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED(test_direct_write_is_stable),
		WATCHED(test_buffered_write_is_synced),
		WATCHED(test_partial_writes_make_a_whole),
		WATCHED(test_names_are_synced),
		WATCHED(test_names_of_directories_are_synced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
