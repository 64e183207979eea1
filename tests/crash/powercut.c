/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library for LD_PRELOAD that writes down what a disk would still hold if the power went now.
 *
 * kill -9 leaves in the system's memory what a program has written; a power cut does not. This
 * library stands between a program and its store, and keeps beside the store, in POWERCUT_SIDE,
 *
 *     begun        the log while it does not name every file yet: nothing has changed so far
 *     log          every write (with the old bytes of its sectors), truncation, change of a name,
 *                  and every sync, each when it begins and when it has ended
 *     i<inode>     a second name for each file, so that what is removed can come back
 *
 * After kill -9, powercut_apply.py makes from both what could stand on the disk: of all that no
 * sync has covered some sectors old and some new, some names changed and some not.
 *
 * POWERCUT_STORE names the store, a directory without directories. What is durable: a write to a
 * file opened with O_DSYNC or O_SYNC when it has returned; what had returned in a file before an
 * fsync or fdatasync of it began, when that has returned; names likewise, by an fsync of the
 * directory. Both directories must be on one file system. Not seen: mmap, stdio, io_uring, and
 * descriptors made by dup.
 */
#include "store_open.h"

#include <errno.h>
#include <pthread.h>
#include <sys/uio.h>

#define SECTOR 512

enum event_type {
	EVENT_FILE = 1, /* there at the start; name follows */
	EVENT_WRITE,    /* old bytes follow */
	EVENT_WRITTEN,  /* flag: durable at once */
	EVENT_SYNC,
	EVENT_SYNCED,
	EVENT_CREATED,      /* name follows */
	EVENT_RENAMED,      /* from, '\0', to */
	EVENT_REMOVED,      /* name */
	EVENT_NAMES_SYNC,   /* */
	EVENT_NAMES_SYNCED, /* */
};

/* As powercut_apply.py reads it. */
struct event {
	uint32_t type; /* enum event_type */
	uint32_t flag;
	uint64_t id; /* of a write or sync, at both its ends */
	uint64_t inode;
	uint64_t offset; /* of the old bytes, at a sector's begin */
	uint64_t size;   /* of the file before */
	uint64_t len;    /* of what follows */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char side_path[PATH_MAX];
static int event_log = -1;
static uint64_t newest_id;

/* What the system itself does, past this library's own functions of the same name. */
static int real_open(const char *path, int flags)
{
	REAL(open);
	return real(path, flags, 0600);
}

static void give_up(const char *why)
{
	char text[256];
	int len = snprintf(text, sizeof(text), "powercut: %s: %s\n", why, strerror(errno));
	REAL(write);
	if (real(STDERR_FILENO, text, (size_t)len) != len)
		_exit(126);
	abort();
}

static void put_event(const struct event *e, const void *bytes)
{
	struct iovec parts[2] = {{(void *)e, sizeof(*e)}, {(void *)bytes, e->len}};
	REAL(writev);
	if (event_log >= 0 &&
	    real(event_log, parts, e->len > 0 ? 2 : 1) != (ssize_t)(sizeof(*e) + e->len))
		give_up("cannot write down an event");
}

static void put_name(uint32_t type, uint64_t inode, const char *name)
{
	put_event(&(struct event){.type = type, .inode = inode, .len = strlen(name)}, name);
}

/* The second name of a file, which outlives the first. */
static void keep(uint64_t inode, const char *path)
{
	char kept[PATH_MAX + 32];
	snprintf(kept, sizeof(kept), "%s/i%llu", side_path, (unsigned long long)inode);
	if (link(path, kept) != 0 && errno != EEXIST)
		give_up("cannot keep a file");
}

static void keep_known(const char *name)
{
	char path[PATH_MAX * 2];
	struct stat s;
	snprintf(path, sizeof(path), "%s/%s", store_path, name);
	if (stat(path, &s) != 0 || !S_ISREG(s.st_mode))
		return;
	keep(s.st_ino, path);
	put_name(EVENT_FILE, s.st_ino, name);
}

static void keep_all_known(void)
{
	DIR *folder = opendir(store_path);
	for (const struct dirent *e; folder && (e = readdir(folder));) {
		if (e->d_name[0] != '.' || (e->d_name[1] != '\0' && e->d_name[1] != '.'))
			keep_known(e->d_name);
	}
	if (folder)
		closedir(folder);
}

__attribute__((constructor)) static void begin(void)
{
	char begun[PATH_MAX + 16], path[PATH_MAX + 16];
	const char *side = getenv("POWERCUT_SIDE");
	REAL(renameat);
	store_fd_begin("POWERCUT_STORE");
	if (!side || !realpath(side, side_path) || store_path[0] == '\0')
		return;
	snprintf(begun, sizeof(begun), "%s/begun", side_path);
	snprintf(path, sizeof(path), "%s/log", side_path);
	event_log = real_open(begun, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC);
	if (event_log < 0)
		give_up("no log");
	keep_all_known();
	if (real(AT_FDCWD, begun, AT_FDCWD, path) != 0)
		give_up("no log");
	unsetenv("LD_PRELOAD");
}

/* Writes */

/* The bytes of these sectors as they are; read by another descriptor, for that may not read. */
static void *old_bytes(uint64_t inode, uint64_t from, uint64_t len, uint64_t *len_out)
{
	char path[PATH_MAX + 32];
	snprintf(path, sizeof(path), "%s/i%llu", side_path, (unsigned long long)inode);
	int fd = real_open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *bytes = malloc(len);
	if (fd < 0 || !bytes)
		give_up("cannot read old bytes");
	ssize_t got = pread(fd, bytes, len, (off_t)from);
	REAL(close);
	real(fd);
	*len_out = got > 0 ? (uint64_t)got : 0;
	return bytes;
}

/* Before `len` bytes of the file change: the event's id. */
static uint64_t change_begins(int fd, uint64_t offset, uint64_t len)
{
	struct stat s;
	if (fstat(fd, &s) != 0)
		give_up("no size");
	uint64_t from = offset / SECTOR * SECTOR;
	uint64_t to = (offset + len + SECTOR - 1) / SECTOR * SECTOR;
	struct event e = {.type = EVENT_WRITE,
			  .flag = (uint32_t)((to - from) / SECTOR),
			  .inode = store_fd_of(fd)->inode,
			  .offset = from,
			  .size = (uint64_t)s.st_size};
	void *bytes = old_bytes(e.inode, from, to - from, &e.len);
	pthread_mutex_lock(&lock);
	e.id = ++newest_id;
	put_event(&e, bytes);
	pthread_mutex_unlock(&lock);
	free(bytes);
	return e.id;
}

static void put_end(uint32_t type, uint64_t id, bool flag)
{
	int error = errno;
	pthread_mutex_lock(&lock);
	put_event(&(struct event){.type = type, .id = id, .flag = flag}, NULL);
	pthread_mutex_unlock(&lock);
	errno = error;
}

/* `synced`: the call itself asked for it. */
static ssize_t change_ends(int fd, uint64_t id, ssize_t result, bool synced)
{
	put_end(EVENT_WRITTEN, id, result >= 0 && (synced || store_fd_of(fd)->is_synced));
	return result;
}

static bool is_watched(int fd)
{
	return event_log >= 0 && store_fd_of(fd)->kind == FD_FILE;
}

static uint64_t len_of(const struct iovec *parts, int count)
{
	uint64_t len = 0;
	for (int i = 0; i < count; i++)
		len += parts[i].iov_len;
	return len;
}

/* Where write() without an offset goes. */
static uint64_t place_of(int fd)
{
	struct stat s;
	if (fcntl(fd, F_GETFL) & O_APPEND)
		return fstat(fd, &s) == 0 ? (uint64_t)s.st_size : 0;
	off_t at = lseek(fd, 0, SEEK_CUR);
	return at >= 0 ? (uint64_t)at : 0;
}

#define CHANGE(fd, offset, len, synced, call)                                                      \
	do {                                                                                       \
		if (!is_watched(fd))                                                               \
			return call;                                                               \
		uint64_t id = change_begins(fd, (uint64_t)(offset), (uint64_t)(len));              \
		return change_ends(fd, id, call, synced);                                          \
	} while (0)

EXPORT ssize_t write(int fd, const void *bytes, size_t len)
{
	REAL(write);
	CHANGE(fd, place_of(fd), len, false, real(fd, bytes, len));
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	REAL(writev);
	CHANGE(fd, place_of(fd), len_of(parts, count), false, real(fd, parts, count));
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	REAL(pwrite);
	CHANGE(fd, offset, len, false, real(fd, bytes, len, offset));
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
	return pwrite(fd, bytes, len, offset);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	REAL(pwritev);
	CHANGE(fd, offset, len_of(parts, count), false, real(fd, parts, count, offset));
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
	return pwritev(fd, parts, count, offset);
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	REAL(pwritev2);
	bool synced = (flags & (RWF_DSYNC | RWF_SYNC)) != 0;
	CHANGE(fd, offset, len_of(parts, count), synced, real(fd, parts, count, offset, flags));
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	return pwritev2(fd, parts, count, offset, flags);
}

/* Size */

/* What a truncation cuts off may come back. */
EXPORT int ftruncate(int fd, off_t size)
{
	struct stat s;
	REAL(ftruncate);
	if (!is_watched(fd) || fstat(fd, &s) != 0)
		return real(fd, size);
	uint64_t cut = s.st_size > size ? (uint64_t)(s.st_size - size) : 0;
	uint64_t id = change_begins(fd, (uint64_t)size, cut);
	return (int)change_ends(fd, id, real(fd, size), false);
}

EXPORT int ftruncate64(int fd, off_t size)
{
	return ftruncate(fd, size);
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t len)
{
	REAL(fallocate);
	/* Without a mode only the size changes. */
	CHANGE(fd, offset, mode == 0 ? 0 : len, false, real(fd, mode, offset, len));
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

/* Syncs */

static uint64_t sync_begins(int fd)
{
	bool is_directory = store_fd_of(fd)->kind == FD_DIRECTORY;
	pthread_mutex_lock(&lock);
	struct event e = {.type = is_directory ? EVENT_NAMES_SYNC : EVENT_SYNC,
			  .id = ++newest_id,
			  .inode = store_fd_of(fd)->inode};
	put_event(&e, NULL);
	pthread_mutex_unlock(&lock);
	return e.id;
}

static int sync_ends(int fd, uint64_t id, int result)
{
	bool is_directory = store_fd_of(fd)->kind == FD_DIRECTORY;
	if (result == 0)
		put_end(is_directory ? EVENT_NAMES_SYNCED : EVENT_SYNCED, id, true);
	return result;
}

static bool is_synced_here(int fd)
{
	return event_log >= 0 && store_fd_of(fd)->kind != FD_ELSEWHERE;
}

EXPORT int fsync(int fd)
{
	REAL(fsync);
	if (!is_synced_here(fd))
		return real(fd);
	uint64_t id = sync_begins(fd);
	return sync_ends(fd, id, real(fd));
}

EXPORT int fdatasync(int fd)
{
	REAL(fdatasync);
	if (!is_synced_here(fd))
		return real(fd);
	uint64_t id = sync_begins(fd);
	return sync_ends(fd, id, real(fd));
}

/* Names: each change is written down behind it, before another one can happen. */

static int opened(int fd, int flags, bool is_new)
{
	char path[PATH_MAX];
	const char *name = event_log >= 0 ? store_fd_opened(fd, flags, path) : NULL;
	if (name && is_new) {
		keep(store_fd_of(fd)->inode, path);
		put_name(EVENT_CREATED, store_fd_of(fd)->inode, name);
	}
	return fd;
}

static int open_any(int folder, const char *path, int flags, mode_t mode)
{
	REAL(openat);
	if (event_log < 0)
		return real(folder, path, flags, mode);
	int error = errno;
	pthread_mutex_lock(&lock);
	bool was_there = !(flags & O_CREAT) || faccessat(folder, path, F_OK, 0) == 0;
	errno = error;
	/* What an open cuts off may come back, as with ftruncate. */
	char whole[PATH_MAX];
	bool cuts = flags & O_TRUNC && was_there && store_name_at(folder, path, whole);
	int fd = real(folder, path, cuts ? flags & ~O_TRUNC : flags, mode);
	error = errno;
	opened(fd, flags, !was_there);
	pthread_mutex_unlock(&lock);
	errno = error;
	if (fd >= 0 && cuts && ftruncate(fd, 0) != 0)
		give_up("cannot cut off a file");
	return fd;
}

static int rename_any(int from_folder, const char *from, int to_folder, const char *to)
{
	char from_path[PATH_MAX], to_path[PATH_MAX], names[2 * PATH_MAX];
	struct stat s = {0};
	REAL(renameat);
	const char *a = store_name_at(from_folder, from, from_path);
	const char *b = store_name_at(to_folder, to, to_path);
	if (event_log < 0 || !a || !b)
		return real(from_folder, from, to_folder, to);
	pthread_mutex_lock(&lock);
	int result = stat(from_path, &s) == 0 ? real(from_folder, from, to_folder, to) : -1;
	int error = errno;
	int len = snprintf(names, sizeof(names), "%s%c%s", a, '\0', b);
	if (result == 0)
		put_event(&(struct event){.type = EVENT_RENAMED,
					  .inode = s.st_ino,
					  .len = (uint64_t)len},
			  names);
	pthread_mutex_unlock(&lock);
	errno = error;
	return result;
}

EXPORT int rename(const char *from, const char *to)
{
	return rename_any(AT_FDCWD, from, AT_FDCWD, to);
}

EXPORT int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	return rename_any(from_folder, from, to_folder, to);
}

EXPORT int renameat2(int from_folder, const char *from, int to_folder, const char *to,
		     unsigned flags)
{
	REAL(renameat2);
	char path[PATH_MAX];
	if (flags != 0 && event_log >= 0 && store_name_at(to_folder, to, path))
		give_up("renameat2 with flags is not supported");
	if (flags != 0)
		return real(from_folder, from, to_folder, to, flags);
	return rename_any(from_folder, from, to_folder, to);
}

EXPORT int unlinkat(int folder, const char *name, int flags)
{
	char path[PATH_MAX];
	struct stat s = {0};
	REAL(unlinkat);
	const char *known = flags == 0 ? store_name_at(folder, name, path) : NULL;
	if (event_log < 0 || !known)
		return real(folder, name, flags);
	pthread_mutex_lock(&lock);
	int result = stat(path, &s) == 0 ? real(folder, name, flags) : -1;
	int error = errno;
	if (result == 0)
		put_name(EVENT_REMOVED, s.st_ino, known);
	pthread_mutex_unlock(&lock);
	errno = error;
	return result;
}

EXPORT int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}
