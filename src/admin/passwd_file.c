/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/passwd_file.h"

#include "access/text.h"
#include "access/users.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 65536u
#define NEW_MODE 0600

int passwd_file_read(const char *path, struct buffer *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? ERROR_SYSTEM : 0;
	ssize_t len = 1;
	while (error == 0 && len > 0) {
		error = buffer_reserve(text, READ_BYTES);
		len = error ? 0 : read(fd, buffer_room(text).ptr, READ_BYTES);
		if (len < 0)
			error = ERROR_SYSTEM;
		else
			buffer_commit(text, (size_t)len);
		if (buffer_len(text) > USERS_FILE_BYTES_MAX)
			error = ERROR_LIMIT;
	}
	int saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return error;
}

static int write_all(int fd, struct span text)
{
	while (text.len > 0) {
		ssize_t len = write(fd, text.ptr, text.len);
		if (len < 0 && errno != EINTR)
			return ERROR_SYSTEM;
		size_t done = len > 0 ? (size_t)len : 0;
		text = span_of(text.ptr + done, text.len - done);
	}
	return 0;
}

/* As the old one: who may not change the owner keeps it his own. */
static int take_after(int fd, const char *path)
{
	struct stat old;
	if (stat(path, &old) != 0)
		return errno == ENOENT ? 0 : ERROR_SYSTEM;
	if (fchown(fd, old.st_uid, old.st_gid) != 0 && errno != EPERM)
		return ERROR_SYSTEM;
	return fchmod(fd, old.st_mode & 07777) == 0 ? 0 : ERROR_SYSTEM;
}

/* The name is on disk, too, not only the file. */
static int sync_folder(const char *path)
{
	char folder[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');
	if (slash)
		snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path),
			 path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERROR_SYSTEM;
	int error = fsync(fd) == 0 || errno == EINVAL ? 0 : ERROR_SYSTEM;
	close(fd);
	return error;
}

static int write_in_place_of(const char *path, struct span text)
{
	char name[PATH_MAX];
	if ((size_t)snprintf(name, sizeof(name), "%s.XXXXXX", path) >= sizeof(name)) {
		errno = ENAMETOOLONG;
		return ERROR_SYSTEM;
	}
	int fd = mkstemp(name);
	if (fd < 0)
		return ERROR_SYSTEM;
	int error = fchmod(fd, NEW_MODE) == 0 ? take_after(fd, path) : ERROR_SYSTEM;
	if (error == 0)
		error = write_all(fd, text);
	if (error == 0 && fsync(fd) != 0)
		error = ERROR_SYSTEM;
	if (close(fd) != 0 && error == 0)
		error = ERROR_SYSTEM;
	if (error == 0 && rename(name, path) != 0)
		error = ERROR_SYSTEM;
	if (error == 0)
		return sync_folder(path);
	int saved = errno;
	unlink(name);
	errno = saved;
	return error;
}

int passwd_file_write(const char *path, struct span text)
{
	char *real = realpath(path, NULL);
	int error = write_in_place_of(real ? real : path, text);
	int saved = errno;
	free(real);
	errno = saved;
	return error;
}

static int append_line(struct buffer *out, struct span line)
{
	int error = buffer_append(out, line);
	return error ? error : buffer_append(out, SPAN_LITERAL("\n"));
}

static int append_user(struct buffer *out, struct span user, const char *stored)
{
	int error = buffer_append(out, user);
	if (error == 0)
		error = buffer_append(out, SPAN_LITERAL(":"));
	return error ? error : append_line(out, span_of_text(stored));
}

int passwd_file_set(struct span text, struct span user, const char *stored, struct buffer *out,
		    bool *was_there_out)
{
	bool was_there = false;
	int error = 0;
	while (text.len > 0 && error == 0) {
		struct span name, old, line = text_line_take(&text);
		bool is_it = users_line_split(line, &name, &old) != USERS_LINE_EMPTY &&
			     span_is_equal(name, user);
		if (!is_it)
			error = append_line(out, line);
		else if (stored && !was_there)
			error = append_user(out, user, stored);
		was_there |= is_it;
	}
	if (error == 0 && !was_there && stored)
		error = append_user(out, user, stored);
	*was_there_out = was_there;
	return error == 0 && !stored && !was_there ? ERROR_NOT_FOUND : error;
}
