/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A test that waits longer has failed. */
#define PATIENCE_MS 20000

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void begin(struct host *h, uint8_t version)
{
	memset(h, 0, sizeof(*h));
	server_init(&h->server, version);
	h->fd = -1;
}

void host_open(struct host *h, uint8_t version)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	begin(h, version);
	h->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(h->listen_fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(h->listen_fd, 8), 0);
	assert_int_equal(getsockname(h->listen_fd, (struct sockaddr *)&a, &len), 0);
	snprintf(h->address, sizeof(h->address), "mqtt://127.0.0.1:%u", ntohs(a.sin_port));
}

void host_open_path(struct host *h, uint8_t version, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	begin(h, version);
	snprintf(h->path, sizeof(h->path), "%s", path);
	strcpy(a.sun_path, h->path);
	unlink(h->path);
	h->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(h->listen_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(h->listen_fd, 8), 0);
	snprintf(h->address, sizeof(h->address), "unix://%s", h->path);
}

void host_cut(struct host *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	server_lost(&h->server);
}

void host_close(struct host *h)
{
	if (h->thread) {
		atomic_store(&h->is_over, true);
		pthread_join(h->thread, NULL);
	}
	host_cut(h);
	close(h->listen_fd);
	if (h->path[0])
		unlink(h->path);
	server_release(&h->server);
}

static void take_connection(struct host *h)
{
	int fd = accept4(h->listen_fd, NULL, NULL, SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (h->fd >= 0)
		host_cut(h); /* the client has given the old one up */
	h->fd = fd;
	h->accept_count++;
}

static void write_all(struct host *h)
{
	struct server *s = &h->server;
	while (h->fd >= 0 && s->out_len > 0) {
		ssize_t len = send(h->fd, s->out, s->out_len, MSG_NOSIGNAL);
		if (len < 0)
			return;
		memmove(s->out, s->out + len, s->out_len - (size_t)len);
		s->out_len -= (size_t)len;
	}
}

void host_step(struct host *h)
{
	struct server *s = &h->server;
	take_connection(h);
	if (h->fd >= 0 && !h->is_deaf) {
		ssize_t len = read(h->fd, s->in + s->in_len, sizeof(s->in) - s->in_len);
		if (len > 0) {
			s->in_len += (size_t)len;
			server_work(s);
		} else if (len == 0 || errno != EAGAIN) {
			host_cut(h);
		}
	}
	write_all(h);
}

static void wait_briefly(struct host *h, int client_fd, int timeout_ms)
{
	struct pollfd fds[3] = {{h->listen_fd, POLLIN, 0},
				{h->is_deaf ? -1 : h->fd, POLLIN, 0},
				{client_fd, POLLIN, 0}};
	if (timeout_ms < 0 || timeout_ms > 20)
		timeout_ms = 20;
	poll(fds, 3, timeout_ms);
}

static void *run(void *context)
{
	struct host *h = context;
	while (!atomic_load(&h->is_over)) {
		host_step(h);
		wait_briefly(h, -1, 20);
	}
	return NULL;
}

void host_start(struct host *h)
{
	assert_int_equal(pthread_create(&h->thread, NULL, run, h), 0);
}

bool step_until(struct host *h, nj_client *c, bool (*is_so)(void *context), void *context)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	while (!is_so(context) && now_ms() < until) {
		wait_briefly(h, nj_descriptor(c), nj_timeout_ms(c));
		if (nj_step(c))
			break;
		host_step(h);
	}
	return is_so(context);
}

void settle(struct host *h, nj_client *c)
{
	unsigned quiet = 0;
	while (quiet < 3) {
		unsigned before = h->server.order_count;
		struct pollfd fd = {nj_descriptor(c), POLLIN, 0};
		bool is_busy = poll(&fd, 1, 0) > 0 || nj_timeout_ms(c) == 0;
		if (nj_step(c))
			return;
		host_step(h);
		is_busy |= h->server.order_count != before || h->server.out_len > 0;
		quiet = is_busy ? 0 : quiet + 1;
	}
}
