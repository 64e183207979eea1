/* SPDX-License-Identifier: Apache-2.0 */
#include "io/stream_tcp.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Whatever else fails, the connection is of no more use. */
static long error_of_errno(void)
{
	return errno == EAGAIN || errno == EINTR ? ERROR_AGAIN : ERROR_CLOSED;
}

static long tcp_read(struct stream *s, struct room room)
{
	ASSERT(room.len > 0); /* or nothing read would look like the end */
	ssize_t n = recv(s->fd, room.ptr, room.len, MSG_DONTWAIT);
	return n >= 0 ? n : error_of_errno();
}

static long write_parts(int fd, const struct span *parts, unsigned count)
{
	struct iovec vector[STREAM_PARTS_MAX];
	for (unsigned i = 0; i < count; i++)
		vector[i] = (struct iovec){(void *)(uintptr_t)parts[i].ptr, parts[i].len};
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = count};
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long tcp_write(struct stream *s, const struct span *parts, unsigned count)
{
	ASSERT(count > 0 && count <= STREAM_PARTS_MAX);
	ssize_t n;
	if (count == 1)
		n = send(s->fd, parts->ptr, parts->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	else
		n = write_parts(s->fd, parts, count);
	return n >= 0 ? n : error_of_errno();
}

static void tcp_want(struct stream *s, bool readable, bool writable)
{
	ASSERT(s->context);
	loop_set_wants(s->context, s, readable, writable);
}

static void tcp_detach(struct stream *s)
{
	if (s->context)
		loop_remove(s->context, s);
	s->context = NULL;
}

static void tcp_close(struct stream *s)
{
	struct loop *loop = s->context;
	if (linger_is_needed(s->fd) && loop)
		loop_linger(loop, s->fd);
	else
		close(s->fd); /* leaves the loop with it */
	*s = (struct stream){.fd = -1};
}

static const struct stream_ops tcp_ops = {
	.read = tcp_read,
	.write = tcp_write,
	.want = tcp_want,
	.detach = tcp_detach,
	.close = tcp_close,
};

void stream_tcp_init(struct stream *s, int fd)
{
	*s = (struct stream){.ops = &tcp_ops, .fd = fd};
}

int stream_tcp_attach(struct stream *s, struct loop *loop)
{
	ASSERT(!s->context);
	if (loop_add(loop, s) != 0) {
		tcp_close(s);
		return ERROR_SYSTEM;
	}
	s->context = loop;
	return 0;
}
