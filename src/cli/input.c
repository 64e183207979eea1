/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/input.h"

#include "mqtt/types.h"

#include <errno.h>
#include <unistd.h>

/* One read: as much as a pipe holds. */
#define READ_BYTES ((size_t)64 << 10)

/* Bytes read, 0 at the end, or an error. */
static long read_more(int fd, struct buffer *content)
{
	if (buffer_len(content) > REMAINING_LENGTH_MAX)
		return ERROR_LIMIT;
	int error = buffer_reserve(content, READ_BYTES);
	if (error)
		return error;
	ssize_t len;
	do
		len = read(fd, buffer_room(content).ptr, READ_BYTES);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return ERROR_SYSTEM;
	buffer_commit(content, (size_t)len);
	return len;
}

int lines_read(struct lines *l, int fd)
{
	long len = read_more(fd, &l->unread);
	if (len < 0)
		return (int)len;
	l->is_at_end = len == 0;
	return 0;
}

bool lines_peek(struct lines *l, struct span *line_out)
{
	struct span all = buffer_content(&l->unread);
	const uint8_t *newline = NULL;
	if (all.len > l->searched)
		newline = memchr(all.ptr + l->searched, '\n', all.len - l->searched);
	if (!newline) {
		l->searched = all.len;
		*line_out = all;
		return l->is_at_end && all.len > 0;
	}
	l->searched = (size_t)(newline - all.ptr);
	*line_out = span_of(all.ptr, l->searched);
	return true;
}

void lines_take(struct lines *l, struct span line)
{
	bool has_newline = line.len < buffer_len(&l->unread);
	buffer_consume(&l->unread, line.len + has_newline);
	l->taken_bytes += line.len + has_newline;
	l->searched = 0;
}

void lines_release(struct lines *l)
{
	buffer_release(&l->unread);
}

int input_read_all(int fd, struct buffer *content)
{
	long len;
	do
		len = read_more(fd, content);
	while (len > 0);
	return (int)len;
}
