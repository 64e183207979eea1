/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls by which descriptors come and go, for the libraries that use store_fd.h: whichever way a
 * file is opened, it comes to open_any, which the library defines.
 */
#ifndef NIGHTJAR_CRASH_STORE_OPEN_H
#define NIGHTJAR_CRASH_STORE_OPEN_H

#include "store_fd.h"

#include <stdarg.h>

static int open_any(int folder, const char *path, int flags, mode_t mode);

#define MODE_OF(last, mode)                                                                        \
	va_list arguments;                                                                         \
	va_start(arguments, last);                                                                 \
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;               \
	va_end(arguments)

EXPORT int open(const char *path, int flags, ...)
{
	MODE_OF(flags, mode);
	return open_any(AT_FDCWD, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
	MODE_OF(flags, mode);
	return open_any(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int folder, const char *path, int flags, ...)
{
	MODE_OF(flags, mode);
	return open_any(folder, path, flags, mode);
}

EXPORT int openat64(int folder, const char *path, int flags, ...)
{
	MODE_OF(flags, mode);
	return open_any(folder, path, flags, mode);
}

int __open_2(const char *path, int flags);
EXPORT int __open_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}

int __openat_2(int folder, const char *path, int flags);
EXPORT int __openat_2(int folder, const char *path, int flags)
{
	return open_any(folder, path, flags, 0);
}

EXPORT int close(int fd)
{
	REAL(close);
	store_fd_of(fd)->kind = FD_ELSEWHERE;
	return real(fd);
}

/* It closes without close(). */
EXPORT int closedir(DIR *folder)
{
	REAL(closedir);
	store_fd_of(dirfd(folder))->kind = FD_ELSEWHERE;
	return real(folder);
}

#endif
