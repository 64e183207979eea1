/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For libraries that stand between a program and the system (LD_PRELOAD): which descriptors belong
 * to the store, a directory without directories in it. Files that stdio opens are not seen.
 */
#ifndef NIGHTJAR_CRASH_STORE_FD_H
#define NIGHTJAR_CRASH_STORE_FD_H

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define DESCRIPTORS_MAX 65536

enum store_fd_kind { FD_ELSEWHERE, FD_FILE, FD_DIRECTORY };

struct store_fd {
	uint8_t kind;   /* enum store_fd_kind */
	bool is_synced; /* O_DSYNC or O_SYNC */
	uint64_t inode;
};

static struct store_fd store_fds[DESCRIPTORS_MAX];
static char store_path[PATH_MAX];

/* The system's function behind ours. */
#define REAL(name)                                                                                 \
	static __typeof__(name) *real;                                                             \
	if (!real)                                                                                 \
	real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static inline struct store_fd *store_fd_of(int fd)
{
	static struct store_fd elsewhere;
	return fd >= 0 && fd < DESCRIPTORS_MAX ? &store_fds[fd] : &elsewhere;
}

/* The file's name within the store ("" for the store itself), or NULL. */
static inline const char *store_name(const char *path)
{
	size_t len = strlen(store_path);
	if (len == 0 || strncmp(path, store_path, len) != 0)
		return NULL;
	if (path[len] == '\0')
		return "";
	return path[len] == '/' && !strchr(path + len + 1, '/') ? path + len + 1 : NULL;
}

/* Where the descriptor leads to, as store_name; `path` is room for the answer. */
static inline const char *store_name_of_fd(int fd, char path[PATH_MAX])
{
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, PATH_MAX - 1);
	if (len < 0)
		return NULL;
	path[len] = '\0';
	return store_name(path);
}

/* The same for a name beside a directory's descriptor, as rename and unlink take it. */
static inline const char *store_name_at(int folder, const char *name, char path[PATH_MAX])
{
	char beside[PATH_MAX], whole[PATH_MAX], real_folder[PATH_MAX];
	if (name[0] == '/')
		snprintf(beside, sizeof(beside), "%s", name);
	else if (folder == AT_FDCWD)
		snprintf(beside, sizeof(beside), "./%s", name);
	else
		snprintf(beside, sizeof(beside), "/proc/self/fd/%d/%s", folder, name);
	char *slash = strrchr(beside, '/');
	snprintf(whole, sizeof(whole), "%s", slash + 1);
	*slash = '\0';
	if (!realpath(beside[0] ? beside : "/", real_folder))
		return NULL;
	if (snprintf(path, PATH_MAX, "%s/%s", real_folder, whole) >= PATH_MAX)
		return NULL;
	return store_name(path);
}

/* After each open: notes what it opened; NULL when it is none of the store's. */
static inline const char *store_fd_opened(int fd, int flags, char path[PATH_MAX])
{
	struct stat s;
	const char *name = fd >= 0 ? store_name_of_fd(fd, path) : NULL;
	if (fd < 0 || fd >= DESCRIPTORS_MAX)
		return NULL;
	store_fds[fd] = (struct store_fd){0};
	if (!name || fstat(fd, &s) != 0)
		return NULL;
	if (S_ISDIR(s.st_mode) == (name[0] == '\0'))
		store_fds[fd] = (struct store_fd){
			.kind = S_ISDIR(s.st_mode) ? FD_DIRECTORY : FD_FILE,
			.is_synced = (flags & O_DSYNC) != 0,
			.inode = s.st_ino,
		};
	return store_fds[fd].kind == FD_FILE ? name : NULL;
}

static inline void store_fd_begin(const char *variable)
{
	const char *given = getenv(variable);
	if (!given || !realpath(given, store_path))
		store_path[0] = '\0';
}

#endif
