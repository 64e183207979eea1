/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/page_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096

struct system_page_file {
	struct page_file file; /* must be first */
	int fd;
};

static struct system_page_file *of(struct page_file *file)
{
	return CONTAINER_OF(file, struct system_page_file, file);
}

static int write_page(struct page_file *file, uint32_t page, struct span bytes)
{
	off_t offset = (off_t)page * PAGE_BYTES;
	while (bytes.len > 0) {
		ssize_t n = pwrite(of(file)->fd, bytes.ptr, bytes.len, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == ENOSPC ? ERROR_FULL : ERROR_SYSTEM;
		bytes = span_of(bytes.ptr + n, bytes.len - (size_t)n);
		offset += n;
	}
	return 0;
}

static int read_page(struct page_file *file, uint32_t page, struct room bytes)
{
	off_t offset = (off_t)page * PAGE_BYTES;
	while (bytes.len > 0) {
		ssize_t n = pread(of(file)->fd, bytes.ptr, bytes.len, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERROR_SYSTEM;
		bytes = (struct room){bytes.ptr + n, bytes.len - (size_t)n};
		offset += n;
	}
	return 0;
}

static void close_file(struct page_file *file)
{
	close(of(file)->fd);
	mem_free(of(file));
}

/* Not every file system can make one without a name. */
static int open_nameless(const char *directory)
{
	char path[PATH_BYTES_MAX];
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	int len = snprintf(path, sizeof(path), "%s/pages-XXXXXX", directory);
	if (len < 0 || (size_t)len >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

int page_file_open(const char *directory, struct page_file **out)
{
	static const struct page_file_ops ops = {write_page, read_page, close_file};
	struct system_page_file *f = mem_alloc(sizeof(*f));
	if (!f)
		return ERROR_NO_MEMORY;
	f->file.ops = &ops;
	f->fd = open_nameless(directory);
	if (f->fd < 0) {
		mem_free(f);
		return ERROR_SYSTEM;
	}
	*out = &f->file;
	return 0;
}
