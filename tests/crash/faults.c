/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library for LD_PRELOAD that makes the store's disk fail while the program runs.
 *
 * FAULTS_STORE names the store, a directory without directories; FAULTS_CONTROL a file that says
 * what fails, read before each call, so that a test can change it at any time:
 *
 *     write EIO            writes fail from now on (until the file says something else)
 *     sync EIO             fsync and fdatasync fail, and writes to O_DSYNC files
 *     grow ENOSPC          what needs space fails: new files, allocation, writes behind the end;
 *                          the file system says that nothing is free
 *     read EIO             reads fail
 *     write EIO once       the next one fails, then the file is emptied
 *     write short once     half of it is written
 *
 * An absent or empty file: nothing fails. Each fault adds a byte to FAULTS_CONTROL.hits.
 */
#include "store_open.h"

#include <errno.h>
#include <pthread.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#define SHORT (-1) /* instead of an errno */
#define PARTS_MAX 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char control[PATH_MAX];

__attribute__((constructor)) static void begin(void)
{
	const char *given = getenv("FAULTS_CONTROL");
	store_fd_begin("FAULTS_STORE");
	if (!given || store_path[0] == '\0')
		return;
	snprintf(control, sizeof(control), "%s", given);
	unsetenv("LD_PRELOAD");
}

static int raw_open(const char *path, int flags)
{
	REAL(open);
	return real(path, flags, 0600);
}

static void raw_close(int fd)
{
	REAL(close);
	real(fd);
}

static int error_of(const char *word)
{
	static const struct {
		const char *name;
		int number;
	} errors[] = {{"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EROFS", EROFS},
		      {"EINTR", EINTR}, {"EDQUOT", EDQUOT}, {"short", SHORT}};
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strcmp(word, errors[i].name) == 0)
			return errors[i].number;
	}
	return 0;
}

static void count_hit(void)
{
	char path[PATH_MAX + 8];
	snprintf(path, sizeof(path), "%s.hits", control);
	REAL(write);
	int fd = raw_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC);
	if (fd >= 0 && real(fd, "x", 1) != 1)
		abort();
	if (fd >= 0)
		raw_close(fd);
}

/* What the control file says about that kind of call: 0, SHORT or an errno. A look at it alone
 * does not use up a fault that comes once. */
static int fault_told(const char *kind, bool is_look)
{
	char text[128] = "", what[16] = "", word[16] = "", once[16] = "";
	int error = 0;
	pthread_mutex_lock(&lock);
	int fd = raw_open(control, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		REAL(pread);
		ssize_t got = real(fd, text, sizeof(text) - 1, 0);
		text[got > 0 ? got : 0] = '\0';
		raw_close(fd);
	}
	if (sscanf(text, "%15s %15s %15s", what, word, once) >= 2 && strcmp(what, kind) == 0)
		error = error_of(word);
	if (error != 0 && !is_look) {
		count_hit();
		if (once[0] && truncate(control, 0) != 0)
			abort();
	}
	pthread_mutex_unlock(&lock);
	return error;
}

/* Of a call on the store's descriptor. */
static int fault(int fd, const char *kind)
{
	if (control[0] == '\0' || store_fd_of(fd)->kind == FD_ELSEWHERE)
		return 0;
	int before = errno;
	int error = fault_told(kind, false);
	errno = error > 0 ? error : before;
	return error;
}

/* Of a write that ends there. */
static int fault_of_write(int fd, uint64_t end)
{
	struct stat s;
	int error = fault(fd, "write");
	if (error == 0 && store_fd_of(fd)->is_synced)
		error = fault(fd, "sync");
	if (error == 0 && fstat(fd, &s) == 0 && end > (uint64_t)s.st_size)
		error = fault(fd, "grow");
	return error;
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	REAL(pwrite);
	int error = fault_of_write(fd, (uint64_t)offset + len);
	if (error > 0)
		return -1;
	return real(fd, bytes, error == SHORT ? len / 2 : len, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
	return pwrite(fd, bytes, len, offset);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t len)
{
	REAL(write);
	if (store_fd_of(fd)->kind == FD_ELSEWHERE)
		return real(fd, bytes, len);
	int error = fault_of_write(fd, (uint64_t)lseek(fd, 0, SEEK_CUR) + len);
	if (error > 0)
		return -1;
	return real(fd, bytes, error == SHORT ? len / 2 : len);
}

static uint64_t len_of(const struct iovec *parts, int count)
{
	uint64_t len = 0;
	for (int i = 0; i < count; i++)
		len += parts[i].iov_len;
	return len;
}

/* Half of what these parts hold, in whole sectors where that is possible. */
static int halve(struct iovec *parts, int count)
{
	if (count > 1)
		return count / 2;
	parts[0].iov_len =
		parts[0].iov_len > 1024 ? parts[0].iov_len / 1024 * 512 : parts[0].iov_len / 2;
	return 1;
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	REAL(pwritev);
	struct iovec some[PARTS_MAX];
	int error = fault_of_write(fd, (uint64_t)offset + len_of(parts, count));
	if (error > 0)
		return -1;
	if (error == 0 || count > PARTS_MAX)
		return real(fd, parts, count, offset);
	memcpy(some, parts, (size_t)count * sizeof(*parts));
	count = halve(some, count);
	return real(fd, some, count, offset);
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	REAL(pwritev2);
	if (flags == 0)
		return pwritev(fd, parts, count, offset);
	if (fault_of_write(fd, (uint64_t)offset + len_of(parts, count)) > 0)
		return -1;
	return real(fd, parts, count, offset, flags);
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	return pwritev2(fd, parts, count, offset, flags);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
	return pwritev(fd, parts, count, offset);
}

EXPORT ssize_t pread(int fd, void *bytes, size_t len, off_t offset)
{
	REAL(pread);
	return fault(fd, "read") > 0 ? -1 : real(fd, bytes, len, offset);
}

EXPORT ssize_t pread64(int fd, void *bytes, size_t len, off_t offset)
{
	return pread(fd, bytes, len, offset);
}

EXPORT int fsync(int fd)
{
	REAL(fsync);
	return fault(fd, "sync") > 0 ? -1 : real(fd);
}

EXPORT int fdatasync(int fd)
{
	REAL(fdatasync);
	return fault(fd, "sync") > 0 ? -1 : real(fd);
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t len)
{
	REAL(fallocate);
	return fault(fd, "grow") > 0 ? -1 : real(fd, mode, offset, len);
}

EXPORT int fallocate64(int fd, int mode, off_t offset, off_t len)
{
	return fallocate(fd, mode, offset, len);
}

EXPORT int posix_fallocate(int fd, off_t offset, off_t len)
{
	return fallocate(fd, 0, offset, len) == 0 ? 0 : errno;
}

EXPORT int posix_fallocate64(int fd, off_t offset, off_t len)
{
	return posix_fallocate(fd, offset, len);
}

EXPORT int fstatvfs(int fd, struct statvfs *out)
{
	REAL(fstatvfs);
	int result = real(fd, out);
	if (result == 0 && control[0] != '\0' && store_fd_of(fd)->kind != FD_ELSEWHERE &&
	    fault_told("grow", true) > 0)
		out->f_bavail = out->f_bfree = 0;
	return result;
}

EXPORT int fstatvfs64(int fd, struct statvfs64 *out)
{
	REAL(fstatvfs64);
	int result = real(fd, out);
	if (result == 0 && control[0] != '\0' && store_fd_of(fd)->kind != FD_ELSEWHERE &&
	    fault_told("grow", true) > 0)
		out->f_bavail = out->f_bfree = 0;
	return result;
}

static int open_any(int folder, const char *name, int flags, mode_t mode)
{
	REAL(openat);
	char path[PATH_MAX];
	bool is_new =
		control[0] != '\0' && flags & O_CREAT && faccessat(folder, name, F_OK, 0) != 0;
	if (is_new && store_name_at(folder, name, path)) {
		int error = fault_told("grow", false);
		errno = error > 0 ? error : 0;
		if (error > 0)
			return -1;
	}
	int fd = real(folder, name, flags, mode);
	int error = errno;
	if (control[0] != '\0')
		store_fd_opened(fd, flags, path);
	errno = error;
	return fd;
}
