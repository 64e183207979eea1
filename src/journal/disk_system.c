/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of a Linux file system as a disk (disk.h). Everything goes through the directory's
 * descriptor, so that a process that changes its working directory, or a directory that is moved,
 * changes nothing.
 *
 * A synced write is O_DIRECT|O_DSYNC: one flush, no copy in the system's memory, and an error that
 * belongs to this write. Where the file system knows no O_DIRECT it is a write and fdatasync.
 */
#include "base/mem.h"
#include "journal/disk_device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#define LOCK_FILE "LOCK"
#define SECTOR_BYTES 512
#define DISK_PATH_MAX 4096
#define PROBE_FILE "probe.tmp"

struct system_disk {
	struct disk disk;
	int directory;
	int lock; /* -1 when not held */
	atomic_bool is_direct;
};

struct system_file {
	struct disk_file file;
	int fd;
	bool is_direct;  /* memory, offsets and lengths must be aligned */
	bool syncs_self; /* each write is to be followed by fdatasync */
};

static struct system_disk *of_disk(struct disk *d)
{
	return CONTAINER_OF(d, struct system_disk, disk);
}

static struct system_file *of_file(struct disk_file *f)
{
	return CONTAINER_OF(f, struct system_file, file);
}

static int error_of_errno(void)
{
	switch (errno) {
	case ENOSPC:
	case EDQUOT: return ERROR_FULL;
	case EROFS: return ERROR_READ_ONLY;
	case ENOENT: return ERROR_NOT_FOUND;
	case ENOMEM: return ERROR_NO_MEMORY;
	default: return ERROR_SYSTEM;
	}
}

/* close() as part of giving up: errno stays that of the failure. */
static void close_quietly(int fd)
{
	int saved = errno;
	close(fd);
	errno = saved;
}

/* Files */

static void file_close(struct disk_file *file)
{
	struct system_file *f = of_file(file);
	close_quietly(f->fd);
	mem_free(f);
}

static long read_all(int fd, struct room to, uint64_t offset)
{
	size_t done = 0;
	while (done < to.len) {
		ssize_t n = pread(fd, to.ptr + done, to.len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_of_errno();
		done += (size_t)n;
		/* A direct read that ends within a block has met the end of the file. */
		if (n == 0 || (size_t)n % SECTOR_BYTES)
			break;
	}
	return (long)done;
}

static bool is_aligned(struct room to, uint64_t offset)
{
	return (((uintptr_t)to.ptr | to.len | offset) & (DISK_BLOCK - 1)) == 0;
}

/* Through memory that is aligned: for the few small reads of a start. */
static long read_around(int fd, struct room to, uint64_t offset)
{
	uint64_t from = offset / DISK_BLOCK * DISK_BLOCK;
	size_t len = (size_t)(offset - from) + to.len;
	len = (len + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
	uint8_t *memory = mem_alloc(len + DISK_BLOCK);
	if (!memory)
		return ERROR_NO_MEMORY;
	uint8_t *start = memory + (-(uintptr_t)memory & (DISK_BLOCK - 1));
	long n = read_all(fd, (struct room){start, len}, from);
	if (n >= 0) {
		n = n > (long)(offset - from) ? n - (long)(offset - from) : 0;
		n = n > (long)to.len ? (long)to.len : n;
		memcpy(to.ptr, start + (offset - from), (size_t)n);
	}
	mem_free(memory);
	return n;
}

static long file_read(struct disk_file *file, struct room to, uint64_t offset)
{
	struct system_file *f = of_file(file);
	if (f->is_direct && !is_aligned(to, offset))
		return read_around(f->fd, to, offset);
	return read_all(f->fd, to, offset);
}

/* Drops what was written from the front of the vector; gives what is left. */
static struct iovec *advance(struct iovec *at, unsigned *count, size_t done)
{
	while (*count && done >= at->iov_len) {
		done -= at->iov_len;
		at++;
		--*count;
	}
	if (*count) {
		at->iov_base = (char *)at->iov_base + done;
		at->iov_len -= done;
	}
	return at;
}

static int file_write(struct disk_file *file, const struct span *parts, unsigned count,
		      uint64_t offset)
{
	struct system_file *f = of_file(file);
	struct iovec vector[DISK_PARTS_MAX];
	ASSERT(count <= DISK_PARTS_MAX);
	for (unsigned i = 0; i < count; i++)
		vector[i] = (struct iovec){(void *)(uintptr_t)parts[i].ptr, parts[i].len};
	struct iovec *at = advance(vector, &count, 0);
	while (count) {
		ssize_t n = pwritev(f->fd, at, (int)count, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO; /* nothing would ever change that */
		if (n <= 0)
			return error_of_errno();
		offset += (uint64_t)n;
		at = advance(at, &count, (size_t)n);
	}
	if (f->syncs_self && fdatasync(f->fd) != 0)
		return error_of_errno();
	return 0;
}

static int file_sync(struct disk_file *file)
{
	/* Never again after an error: the system forgets it, and the second call would lie. */
	return fdatasync(of_file(file)->fd) == 0 ? 0 : error_of_errno();
}

static int file_size(struct disk_file *file, uint64_t *len_out)
{
	struct stat facts;
	if (fstat(of_file(file)->fd, &facts) != 0)
		return error_of_errno();
	*len_out = (uint64_t)facts.st_size;
	return 0;
}

/* Where the file system cannot reserve, zeros take the place. */
static int fill(struct disk_file *file, uint64_t len)
{
	/* never written, and not const: so it takes no place in the program's file */
	static uint8_t zeros[64 << 10] __attribute__((aligned(DISK_BLOCK)));
	uint64_t at = 0;
	int error = file_size(file, &at);
	while (!error && at < len) {
		struct span part =
			span_of(zeros, len - at < sizeof(zeros) ? len - at : sizeof(zeros));
		error = file_write(file, &part, 1, at);
		at += part.len;
	}
	return error;
}

static int file_reserve(struct disk_file *file, uint64_t len)
{
	int result;
	do
		result = fallocate(of_file(file)->fd, 0, 0, (off_t)len);
	while (result != 0 && errno == EINTR);
	if (result != 0 && errno == EOPNOTSUPP)
		return fill(file, len);
	return result == 0 ? 0 : error_of_errno();
}

/* The directory */

/* O_DIRECT may be refused by the open, or only by the first write. */
static bool probe_direct(int directory)
{
	static const uint8_t block[DISK_BLOCK] __attribute__((aligned(DISK_BLOCK)));
	int fd = openat(directory, PROBE_FILE,
			O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_DIRECT | O_DSYNC, 0600);
	if (fd < 0)
		return errno != EINVAL;
	bool is_direct = pwrite(fd, block, sizeof(block), 0) == sizeof(block) || errno != EINVAL;
	close(fd);
	unlinkat(directory, PROBE_FILE, 0);
	return is_direct;
}

static int open_with(struct system_disk *d, const char *name, int flags, bool *is_direct)
{
	if (*is_direct) {
		int fd = openat(d->directory, name, flags | O_DIRECT, 0600);
		if (fd >= 0 || errno != EINVAL)
			return fd;
		*is_direct = false;
		atomic_store(&d->is_direct, false);
	}
	return openat(d->directory, name, flags & ~O_DSYNC, 0600);
}

static int disk_open(struct disk *disk, const char *name, unsigned mode, struct disk_file **out)
{
	struct system_disk *d = of_disk(disk);
	bool wants_sync = mode & DISK_SYNC;
	bool is_direct = (wants_sync || mode & DISK_DIRECT) && atomic_load(&d->is_direct);
	int flags = O_CLOEXEC | (mode & DISK_WRITE ? O_RDWR | O_CREAT : O_RDONLY) |
		    (wants_sync ? O_DSYNC : 0);
	struct system_file *f = mem_zalloc(sizeof(*f));
	if (!f)
		return ERROR_NO_MEMORY;
	f->fd = open_with(d, name, flags, &is_direct);
	if (f->fd < 0) {
		int error = error_of_errno();
		mem_free(f);
		return error;
	}
	if (mode & DISK_DIRECT && !is_direct)
		posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
	f->file.ops = disk->ops;
	f->is_direct = is_direct;
	f->syncs_self = wants_sync && !is_direct;
	*out = &f->file;
	return 0;
}

static long owner_of(int fd)
{
	char text[32] = {0};
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	return strtol(text, NULL, 10);
}

static int disk_lock(struct disk *disk, long *owner_out)
{
	struct system_disk *d = of_disk(disk);
	int fd = openat(d->directory, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_of_errno();
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int error = errno == EWOULDBLOCK ? ERROR_AGAIN : error_of_errno();
		if (error == ERROR_AGAIN)
			*owner_out = owner_of(fd);
		close_quietly(fd);
		return error;
	}
	/* Only for people: a full disk is no reason to fail here. */
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%ld\n", (long)getpid());
	d->lock = fd;
	return 0;
}

static int disk_rename(struct disk *disk, const char *from, const char *to)
{
	int directory = of_disk(disk)->directory;
	return renameat(directory, from, directory, to) == 0 ? 0 : error_of_errno();
}

static int disk_remove(struct disk *disk, const char *name)
{
	return unlinkat(of_disk(disk)->directory, name, 0) == 0 ? 0 : error_of_errno();
}

static int disk_sync_names(struct disk *disk)
{
	return fsync(of_disk(disk)->directory) == 0 ? 0 : error_of_errno();
}

static int disk_list(struct disk *disk, void (*found)(void *context, const char *name),
		     void *context)
{
	int fd = openat(of_disk(disk)->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory) {
		int error = error_of_errno();
		if (fd >= 0)
			close_quietly(fd);
		return error;
	}
	struct dirent *entry;
	errno = 0;
	while ((entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			found(context, entry->d_name);
		errno = 0;
	}
	int error = errno ? error_of_errno() : 0;
	closedir(directory);
	return error;
}

static int disk_space(struct disk *disk, uint64_t *free_out, uint64_t *total_out)
{
	struct statvfs facts;
	if (fstatvfs(of_disk(disk)->directory, &facts) != 0)
		return error_of_errno();
	*free_out = (uint64_t)facts.f_bavail * facts.f_frsize;
	*total_out = (uint64_t)facts.f_blocks * facts.f_frsize;
	return 0;
}

static void disk_facts(struct disk *disk, struct disk_facts *out)
{
	struct system_disk *d = of_disk(disk);
	disk_device_facts(d->directory, out);
	out->is_direct = atomic_load(&d->is_direct);
}

static void disk_free(struct disk *disk)
{
	struct system_disk *d = of_disk(disk);
	if (d->lock >= 0)
		close(d->lock);
	close(d->directory);
	mem_free(d);
}

static const struct disk_ops system_ops = {
	.lock = disk_lock,
	.open = disk_open,
	.close = file_close,
	.read = file_read,
	.write = file_write,
	.sync = file_sync,
	.reserve = file_reserve,
	.size = file_size,
	.rename = disk_rename,
	.remove = disk_remove,
	.sync_names = disk_sync_names,
	.list = disk_list,
	.space = disk_space,
	.facts = disk_facts,
	.free = disk_free,
};

/* The directory `path` and its name in the one above, so that it is found after a power cut. */
static int make_directory(const char *path)
{
	char parent[DISK_PATH_MAX];
	if (mkdir(path, 0700) != 0)
		return errno == EEXIST ? 0 : error_of_errno();
	snprintf(parent, sizeof(parent), "%s", path);
	char *slash = strrchr(parent, '/');
	if (slash == parent)
		slash++;
	if (slash)
		*slash = '\0';
	int fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_of_errno();
	int error = fsync(fd) == 0 ? 0 : error_of_errno();
	close_quietly(fd);
	return error;
}

static int make_directories(const char *path)
{
	char part[DISK_PATH_MAX];
	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part)) {
		errno = ENAMETOOLONG;
		return ERROR_SYSTEM;
	}
	for (char *at = part + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		int error = make_directory(part);
		if (error)
			return error;
		*at = '/';
	}
	return make_directory(part);
}

int disk_system_open(const char *path, bool create, struct disk **out)
{
	struct system_disk *d = NULL;
	int error = create && *path ? make_directories(path) : 0;
	if (error)
		return error;
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return error_of_errno();
	d = mem_zalloc(sizeof(*d));
	if (!d) {
		close(directory);
		return ERROR_NO_MEMORY;
	}
	d->disk.ops = &system_ops;
	d->directory = directory;
	d->lock = -1;
	atomic_init(&d->is_direct, create ? probe_direct(directory) : true);
	*out = &d->disk;
	return 0;
}
