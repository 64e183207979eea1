/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_connection.h. */
#include "cli/bench_connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

static int epoll_change(struct bench_connection *c, int epoll_fd, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};
	return epoll_ctl(epoll_fd, operation, c->fd, &event) == 0 ? 0 : ERROR_SYSTEM;
}

int bench_connection_open(struct bench_connection *c, const struct bench_address *address,
			  int epoll_fd)
{
	const struct sockaddr *to = (const struct sockaddr *)&address->address;
	int yes = 1;
	c->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return ERROR_SYSTEM;
	c->stage = BENCH_CONNECTING;
	c->receive_maximum = UINT16_MAX;
	if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) == 0 &&
	    (connect(c->fd, to, address->len) == 0 || errno == EINPROGRESS) &&
	    epoll_change(c, epoll_fd, EPOLL_CTL_ADD, EPOLLOUT) == 0)
		return 0;
	int reason = errno;
	bench_connection_close(c);
	errno = reason;
	return ERROR_SYSTEM;
}

int bench_connection_finish(struct bench_connection *c, int epoll_fd)
{
	int reason = 0;
	socklen_t len = sizeof(reason);
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &reason, &len) < 0)
		return ERROR_SYSTEM;
	if (reason) {
		errno = reason;
		return ERROR_SYSTEM;
	}
	return epoll_change(c, epoll_fd, EPOLL_CTL_MOD, EPOLLIN);
}

int bench_connection_secure(struct bench_connection *c, const struct bench_carriage *shared,
			    int epoll_fd)
{
	if (!bench_carriage_is_needed(shared))
		return 0;
	if (!c->carrier)
		c->carrier = bench_carrier_new(shared, c->fd);
	if (!c->carrier)
		return ERROR_NO_MEMORY;
	int error = bench_carrier_open(c->carrier);
	bool is_blocked = error == ERROR_AGAIN && bench_carrier_is_blocked(c->carrier);
	int changed = epoll_change(c, epoll_fd, EPOLL_CTL_MOD, is_blocked ? EPOLLOUT : EPOLLIN);
	return changed ? changed : error;
}

void bench_connection_close(struct bench_connection *c)
{
	if (c->stage == BENCH_CLOSED)
		return;
	bench_carrier_free(c->carrier);
	c->carrier = NULL;
	close(c->fd);
	buffer_release(&c->out);
	buffer_release(&c->kept);
	c->stage = BENCH_CLOSED;
	c->is_blocked = false;
	c->skip = 0;
}

/* Sends what it can; the number of bytes, or an error. */
static ssize_t send_some(struct bench_connection *c, struct span bytes)
{
	if (c->carrier) {
		long n = bench_carrier_send(c->carrier, bytes);
		return n == ERROR_AGAIN ? 0 : n;
	}
	ssize_t sent = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent >= 0)
		return sent;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	return errno == EPIPE || errno == ECONNRESET ? ERROR_CLOSED : ERROR_SYSTEM;
}

static int set_blocked(struct bench_connection *c, bool is_blocked, int epoll_fd)
{
	if (c->is_blocked == is_blocked)
		return 0;
	c->is_blocked = is_blocked;
	return epoll_change(c, epoll_fd, EPOLL_CTL_MOD, is_blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

int bench_connection_send(struct bench_connection *c, struct span bytes, int epoll_fd)
{
	ssize_t sent = 0;
	if (bytes.len == 0)
		return 0;
	if (!c->is_blocked)
		sent = send_some(c, bytes);
	if (sent < 0)
		return (int)sent;
	if ((size_t)sent == bytes.len)
		return 0;
	int error = buffer_append(&c->out, span_of(bytes.ptr + sent, bytes.len - (size_t)sent));
	return error ? error : set_blocked(c, true, epoll_fd);
}

int bench_connection_flush(struct bench_connection *c, int epoll_fd)
{
	ssize_t sent = send_some(c, buffer_content(&c->out));
	if (sent < 0)
		return (int)sent;
	buffer_consume(&c->out, (size_t)sent);
	return set_blocked(c, buffer_len(&c->out) > 0, epoll_fd);
}

/* Bytes, or an error. */
static ssize_t receive_some(struct bench_connection *c, struct room room)
{
	ssize_t got = c->carrier ? bench_carrier_receive(c->carrier, room)
				 : recv(c->fd, room.ptr, room.len, MSG_DONTWAIT);
	if (got > 0)
		return got;
	if (got == 0)
		return ERROR_CLOSED;
	if (c->carrier)
		return got;
	if (errno == EAGAIN || errno == EINTR)
		return ERROR_AGAIN;
	return errno == ECONNRESET ? ERROR_CLOSED : ERROR_SYSTEM;
}

int bench_connection_receive(struct bench_connection *c, const struct bench_inbox *inbox,
			     struct bench_scanner *scanner_out)
{
	uint8_t *start = inbox->ptr + BENCH_PACKET_HEAD_MAX;
	struct room room = {start, inbox->len - BENCH_PACKET_HEAD_MAX};
	ssize_t got = receive_some(c, room);
	if (got < 0)
		return (int)got;
	struct span kept = buffer_content(&c->kept);
	scanner_out->ptr = start - kept.len;
	scanner_out->end = start + got;
	scanner_out->skip = c->skip;
	if (kept.ptr && kept.len) {
		memcpy(start - kept.len, kept.ptr, kept.len);
		buffer_consume(&c->kept, kept.len);
	}
	return 0;
}

int bench_connection_keep(struct bench_connection *c, const struct bench_scanner *scanner)
{
	c->skip = scanner->skip;
	if (LIKELY(scanner->ptr == scanner->end))
		return 0;
	return buffer_append(&c->kept,
			     span_of(scanner->ptr, (size_t)(scanner->end - scanner->ptr)));
}
