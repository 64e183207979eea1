/* SPDX-License-Identifier: Apache-2.0 */
#include "client/loop.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* How long a closing connection may take to send its last bytes, and then to see the server's
 * end of the stream: long enough for a slow link, short enough for someone who waits. */
#define FLUSH_MS 2000
#define LINGER_MS 1000
/* One read: a socket's usual fill on loopback. */
#define READ_BYTES ((size_t)64 << 10)

uint64_t loop_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void loop_init(struct loop *l, struct engine *engine, const sigset_t *signal_mask)
{
	*l = (struct loop){.engine = engine, .signal_mask = signal_mask, .fd = -1};
}

/* As ppoll, until a point in time. */
static int poll_until(const struct loop *l, struct pollfd *fds, nfds_t count, uint64_t until_ms)
{
	struct timespec timeout;
	uint64_t now = loop_now_ms();
	uint64_t wait = until_ms > now ? until_ms - now : 0;
	timeout.tv_sec = (time_t)(wait / 1000);
	timeout.tv_nsec = (long)(wait % 1000) * 1000000;
	return ppoll(fds, count, until_ms == UINT64_MAX ? NULL : &timeout, l->signal_mask);
}

static enum loop_result resolve(const char *host, uint16_t port, int flags, struct addrinfo **out)
{
	char service[8];
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
	snprintf(service, sizeof(service), "%u", port);
	int code = getaddrinfo(host, service, &hints, out);
	if (code == 0)
		return LOOP_OK;
	return code == EAI_SYSTEM ? LOOP_FAILED : LOOP_UNKNOWN_HOST;
}

/* Takes our end's address: the first of its kind that fits the server's. */
static enum loop_result bind_to(int fd, int family, const char *bind_address)
{
	struct addrinfo *list, *at;
	enum loop_result result = resolve(bind_address, 0, 0, &list);
	if (result != LOOP_OK)
		return result;
	result = LOOP_FAILED;
	errno = EADDRNOTAVAIL;
	for (at = list; at && result != LOOP_OK; at = at->ai_next)
		if (at->ai_family == family && bind(fd, at->ai_addr, at->ai_addrlen) == 0)
			result = LOOP_OK;
	freeaddrinfo(list);
	return result;
}

static enum loop_result wait_for_connect(const struct loop *l, int fd, uint64_t deadline_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	int count = poll_until(l, &poll_fd, 1, deadline_ms);
	if (count < 0)
		return errno == EINTR ? LOOP_INTERRUPTED : LOOP_FAILED;
	if (count == 0) {
		errno = ETIMEDOUT;
		return LOOP_FAILED;
	}
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0)
		errno = error;
	return error == 0 ? LOOP_OK : LOOP_FAILED;
}

static enum loop_result connect_to(struct loop *l, int family, const struct sockaddr *peer,
				   socklen_t peer_len, const struct loop_address *address,
				   uint64_t deadline_ms)
{
	enum loop_result result = LOOP_OK;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return LOOP_FAILED;
	int one = 1;
	if (address->has_no_delay && family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (address->bind_address && family != AF_UNIX)
		result = bind_to(fd, family, address->bind_address);
	if (result == LOOP_OK && connect(fd, peer, peer_len) != 0)
		result = errno == EINPROGRESS ? wait_for_connect(l, fd, deadline_ms) : LOOP_FAILED;
	if (result == LOOP_OK) {
		l->fd = fd;
		return LOOP_OK;
	}
	int saved = errno;
	close(fd);
	errno = saved;
	return result;
}

static enum loop_result connect_unix(struct loop *l, const struct loop_address *address,
				     uint64_t deadline_ms)
{
	struct sockaddr_un peer = {.sun_family = AF_UNIX};
	if (strlen(address->unix_path) >= sizeof(peer.sun_path)) {
		errno = ENAMETOOLONG;
		return LOOP_FAILED;
	}
	strcpy(peer.sun_path, address->unix_path);
	return connect_to(l, AF_UNIX, (struct sockaddr *)&peer, sizeof(peer), address, deadline_ms);
}

static enum loop_result connect_tcp(struct loop *l, const struct loop_address *address,
				    uint64_t deadline_ms)
{
	struct addrinfo *list, *at;
	enum loop_result result = resolve(address->host, address->port, 0, &list);
	if (result != LOOP_OK)
		return result;
	result = LOOP_FAILED;
	for (at = list; at && result != LOOP_OK && result != LOOP_INTERRUPTED; at = at->ai_next)
		result = connect_to(l, at->ai_family, at->ai_addr, at->ai_addrlen, address,
				    deadline_ms);
	int saved = errno;
	freeaddrinfo(list);
	errno = saved;
	return result;
}

enum loop_result loop_open(struct loop *l, const struct loop_address *address,
			   uint64_t deadline_ms)
{
	ASSERT(l->fd < 0);
	l->close_by_ms = 0;
	l->cannot_write = false;
	enum loop_result result = address->unix_path ? connect_unix(l, address, deadline_ms)
						     : connect_tcp(l, address, deadline_ms);
	if (result != LOOP_OK)
		return result;
	if (engine_connect(l->engine, loop_now_ms()) == 0)
		return LOOP_OK;
	close(l->fd);
	l->fd = -1;
	return LOOP_NO_MEMORY;
}

void loop_close(struct loop *l)
{
	if (l->fd < 0)
		return;
	close(l->fd);
	l->fd = -1;
	engine_lost(l->engine, loop_now_ms());
}

/* Says that nothing follows and reads the rest: closing with unread input would reset the
 * connection, and the server might never see our last packets. */
static void close_gently(struct loop *l)
{
	uint8_t waste[4096];
	uint64_t until = loop_now_ms() + LINGER_MS;
	struct pollfd poll_fd = {.fd = l->fd, .events = POLLIN};
	if (shutdown(l->fd, SHUT_WR) == 0)
		while (poll_until(l, &poll_fd, 1, until) > 0 &&
		       read(l->fd, waste, sizeof(waste)) > 0)
			;
	loop_close(l);
}

static bool is_passing(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void write_some(struct loop *l)
{
	struct span output = engine_output(l->engine);
	if (output.len == 0 || l->cannot_write)
		return;
	ssize_t len = send(l->fd, output.ptr, output.len, MSG_NOSIGNAL);
	if (len >= 0)
		engine_sent(l->engine, (size_t)len, loop_now_ms());
	else if (!is_passing(errno))
		l->cannot_write = true;
}

static void read_some(struct loop *l)
{
	uint8_t bytes[READ_BYTES];
	ssize_t len = read(l->fd, bytes, sizeof(bytes));
	if (len > 0)
		engine_input(l->engine, span_of(bytes, (size_t)len), loop_now_ms());
	else if (len == 0 || !is_passing(errno))
		loop_close(l);
}

/* The last bytes of a connection that is to end. */
static void finish(struct loop *l)
{
	uint64_t now = loop_now_ms();
	if (l->close_by_ms == 0)
		l->close_by_ms = now + FLUSH_MS;
	bool is_flushed = engine_output(l->engine).len == 0;
	if (is_flushed && !l->cannot_write)
		close_gently(l);
	else if (l->cannot_write || now >= l->close_by_ms)
		loop_close(l);
}

static short wanted_of(const struct loop *l)
{
	bool writes = engine_output(l->engine).len > 0 && !l->cannot_write;
	bool reads = engine_wants_input(l->engine) || l->cannot_write;
	return (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void loop_turn(struct loop *l, struct loop_wait *wait)
{
	uint64_t until = wait->deadline_ms;
	struct pollfd fds[2] = {{.fd = wait->readable_fd, .events = POLLIN}, {.fd = -1}};
	wait->is_readable_out = false;
	if (l->fd >= 0) {
		engine_tick(l->engine, loop_now_ms());
		write_some(l);
		if (engine_is_closing(l->engine))
			finish(l);
		if (l->fd < 0)
			return; /* the caller will want to know before it waits */
		fds[1] = (struct pollfd){.fd = l->fd, .events = wanted_of(l)};
		until = earliest(until, engine_deadline(l->engine));
		if (l->close_by_ms > 0)
			until = earliest(until, l->close_by_ms);
	}
	if (poll_until(l, fds, 2, until) <= 0)
		return;
	wait->is_readable_out = fds[0].revents != 0;
	if (l->fd >= 0 && fds[1].revents & POLLOUT)
		write_some(l);
	if (l->fd >= 0 && fds[1].revents & ~POLLOUT)
		read_some(l);
}
