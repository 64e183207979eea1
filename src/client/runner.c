/* SPDX-License-Identifier: Apache-2.0 */
#include "client/runner.h"

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

uint64_t runner_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void runner_init(struct runner *r, struct engine *engine, const sigset_t *signal_mask)
{
	*r = (struct runner){.engine = engine, .signal_mask = signal_mask, .fd = -1};
}

/* As ppoll, until a point in time. */
static int poll_until(const struct runner *r, struct pollfd *fds, nfds_t count, uint64_t until_ms)
{
	struct timespec timeout;
	uint64_t now = runner_now_ms();
	uint64_t wait = until_ms > now ? until_ms - now : 0;
	timeout.tv_sec = (time_t)(wait / 1000);
	timeout.tv_nsec = (long)(wait % 1000) * 1000000;
	return ppoll(fds, count, until_ms == UINT64_MAX ? NULL : &timeout, r->signal_mask);
}

static enum runner_result resolve(const char *host, uint16_t port, int flags, struct addrinfo **out)
{
	char service[8];
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
	snprintf(service, sizeof(service), "%u", port);
	int code = getaddrinfo(host, service, &hints, out);
	if (code == 0)
		return RUNNER_OK;
	return code == EAI_SYSTEM ? RUNNER_FAILED : RUNNER_UNKNOWN_HOST;
}

/* Takes our end's address: the first of its kind that fits the server's. */
static enum runner_result bind_to(int fd, int family, const char *bind_address)
{
	struct addrinfo *list, *at;
	enum runner_result result = resolve(bind_address, 0, 0, &list);
	if (result != RUNNER_OK)
		return result;
	result = RUNNER_FAILED;
	errno = EADDRNOTAVAIL;
	for (at = list; at && result != RUNNER_OK; at = at->ai_next)
		if (at->ai_family == family && bind(fd, at->ai_addr, at->ai_addrlen) == 0)
			result = RUNNER_OK;
	freeaddrinfo(list);
	return result;
}

static enum runner_result wait_for_connect(const struct runner *r, int fd, uint64_t deadline_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	int count = poll_until(r, &poll_fd, 1, deadline_ms);
	if (count < 0)
		return errno == EINTR ? RUNNER_INTERRUPTED : RUNNER_FAILED;
	if (count == 0) {
		errno = ETIMEDOUT;
		return RUNNER_FAILED;
	}
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0)
		errno = error;
	return error == 0 ? RUNNER_OK : RUNNER_FAILED;
}

static enum runner_result connect_to(struct runner *r, int family, const struct sockaddr *peer,
				     socklen_t peer_len, const struct runner_address *address,
				     uint64_t deadline_ms)
{
	enum runner_result result = RUNNER_OK;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return RUNNER_FAILED;
	int one = 1;
	if (address->has_no_delay && family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (address->bind_address && family != AF_UNIX)
		result = bind_to(fd, family, address->bind_address);
	if (result == RUNNER_OK && connect(fd, peer, peer_len) != 0)
		result =
			errno == EINPROGRESS ? wait_for_connect(r, fd, deadline_ms) : RUNNER_FAILED;
	if (result == RUNNER_OK) {
		r->fd = fd;
		return RUNNER_OK;
	}
	int saved = errno;
	close(fd);
	errno = saved;
	return result;
}

static enum runner_result connect_unix(struct runner *r, const struct runner_address *address,
				       uint64_t deadline_ms)
{
	struct sockaddr_un peer = {.sun_family = AF_UNIX};
	if (strlen(address->unix_path) >= sizeof(peer.sun_path)) {
		errno = ENAMETOOLONG;
		return RUNNER_FAILED;
	}
	strcpy(peer.sun_path, address->unix_path);
	return connect_to(r, AF_UNIX, (struct sockaddr *)&peer, sizeof(peer), address, deadline_ms);
}

static enum runner_result connect_tcp(struct runner *r, const struct runner_address *address,
				      uint64_t deadline_ms)
{
	struct addrinfo *list, *at;
	enum runner_result result = resolve(address->host, address->port, 0, &list);
	if (result != RUNNER_OK)
		return result;
	result = RUNNER_FAILED;
	for (at = list; at && result != RUNNER_OK && result != RUNNER_INTERRUPTED; at = at->ai_next)
		result = connect_to(r, at->ai_family, at->ai_addr, at->ai_addrlen, address,
				    deadline_ms);
	int saved = errno;
	freeaddrinfo(list);
	errno = saved;
	return result;
}

enum runner_result runner_open(struct runner *r, const struct runner_address *address,
			       uint64_t deadline_ms)
{
	ASSERT(r->fd < 0);
	r->close_by_ms = 0;
	r->cannot_write = false;
	enum runner_result result = address->unix_path ? connect_unix(r, address, deadline_ms)
						       : connect_tcp(r, address, deadline_ms);
	if (result != RUNNER_OK)
		return result;
	if (engine_connect(r->engine, runner_now_ms()) == 0)
		return RUNNER_OK;
	close(r->fd);
	r->fd = -1;
	return RUNNER_NO_MEMORY;
}

void runner_close(struct runner *r)
{
	if (r->fd < 0)
		return;
	close(r->fd);
	r->fd = -1;
	engine_lost(r->engine, runner_now_ms());
}

/* Says that nothing follows and reads the rest: closing with unread input would reset the
 * connection, and the server might never see our last packets. */
static void close_gently(struct runner *r)
{
	uint8_t waste[4096];
	uint64_t until = runner_now_ms() + LINGER_MS;
	struct pollfd poll_fd = {.fd = r->fd, .events = POLLIN};
	if (shutdown(r->fd, SHUT_WR) == 0)
		while (poll_until(r, &poll_fd, 1, until) > 0 &&
		       read(r->fd, waste, sizeof(waste)) > 0)
			;
	runner_close(r);
}

static bool is_passing(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void write_some(struct runner *r)
{
	struct span output = engine_output(r->engine);
	if (output.len == 0 || r->cannot_write)
		return;
	ssize_t len = send(r->fd, output.ptr, output.len, MSG_NOSIGNAL);
	if (len >= 0)
		engine_sent(r->engine, (size_t)len, runner_now_ms());
	else if (!is_passing(errno))
		r->cannot_write = true;
}

static void read_some(struct runner *r)
{
	uint8_t bytes[READ_BYTES];
	ssize_t len = read(r->fd, bytes, sizeof(bytes));
	if (len > 0)
		engine_input(r->engine, span_of(bytes, (size_t)len), runner_now_ms());
	else if (len == 0 || !is_passing(errno))
		runner_close(r);
}

/* The last bytes of a connection that is to end. */
static void finish(struct runner *r)
{
	uint64_t now = runner_now_ms();
	if (r->close_by_ms == 0)
		r->close_by_ms = now + FLUSH_MS;
	bool is_flushed = engine_output(r->engine).len == 0;
	if (is_flushed && !r->cannot_write)
		close_gently(r);
	else if (r->cannot_write || now >= r->close_by_ms)
		runner_close(r);
}

static short wanted_of(const struct runner *r)
{
	bool writes = engine_output(r->engine).len > 0 && !r->cannot_write;
	bool reads = engine_wants_input(r->engine) || r->cannot_write;
	return (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void runner_turn(struct runner *r, struct runner_wait *wait)
{
	uint64_t until = wait->deadline_ms;
	struct pollfd fds[2] = {{.fd = wait->readable_fd, .events = POLLIN}, {.fd = -1}};
	wait->is_readable_out = false;
	if (r->fd >= 0) {
		engine_tick(r->engine, runner_now_ms());
		write_some(r);
		if (engine_is_closing(r->engine))
			finish(r);
		if (r->fd < 0)
			return; /* the caller will want to know before it waits */
		fds[1] = (struct pollfd){.fd = r->fd, .events = wanted_of(r)};
		until = earliest(until, engine_deadline(r->engine));
		if (r->close_by_ms > 0)
			until = earliest(until, r->close_by_ms);
	}
	if (poll_until(r, fds, 2, until) <= 0)
		return;
	wait->is_readable_out = fds[0].revents != 0;
	if (r->fd >= 0 && fds[1].revents & POLLOUT)
		write_some(r);
	if (r->fd >= 0 && fds[1].revents & ~POLLOUT)
		read_some(r);
}
