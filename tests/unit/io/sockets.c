/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_buffer(int fd, int option, int bytes)
{
	assert_int_equal(setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes)), 0);
}

int sockets_setup(void **state)
{
	struct sockets *sockets = calloc(1, sizeof(*sockets));
	struct listener found[LISTENERS_PER_HOST_MAX];
	char reason[LISTENER_REASON_MAX];
	unsigned count;
	assert_non_null(sockets);
	assert_int_equal(loop_open(&sockets->loop, 1000), 0);
	assert_int_equal(
		listeners_open(&(struct listen_at){.host = "127.0.0.1"}, found, &count, reason), 0);
	assert_int_equal(count, 1);
	sockets->listener = found[0];
	/* Inherited. Little fills a connection, and yet more than the client takes in. */
	set_buffer(found[0].fd, SO_SNDBUF, 65536);
	*state = sockets;
	return 0;
}

int sockets_teardown(void **state)
{
	struct sockets *sockets = *state;
	listener_close(&sockets->listener);
	loop_close(&sockets->loop);
	free(sockets);
	return 0;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	set_buffer(fd, SO_RCVBUF, 4096);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

int sockets_connect(struct sockets *sockets, struct stream *stream_out)
{
	char address[ADDRESS_TEXT_MAX];
	int fd = connect_to(sockets->listener.port);
	assert_int_equal(listener_accept(&sockets->listener, stream_out, address), 0);
	return fd;
}

int sockets_attach(struct sockets *sockets, struct stream *stream_out)
{
	int fd = sockets_connect(sockets, stream_out);
	assert_int_equal(stream_tcp_attach(stream_out, &sockets->loop), 0);
	return fd;
}

struct loop_event loop_wait_one(struct loop *loop)
{
	struct loop_event events[LOOP_EVENTS_MAX];
	assert_int_equal(loop_wait(loop, PATIENCE_MS, events), 1);
	return events[0];
}

void loop_assert_quiet(struct loop *loop)
{
	struct loop_event events[LOOP_EVENTS_MAX];
	assert_int_equal(loop_wait(loop, 0, events), 0);
}

size_t stream_fill(struct stream *stream)
{
	uint8_t bytes[65536];
	size_t total = 0;
	for (;;) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(total + i);
		struct span part = span_of(bytes, sizeof(bytes));
		long n = stream->ops->write(stream, &part, 1);
		if (n == ERROR_AGAIN)
			return total;
		assert_true(n > 0);
		total += (size_t)n;
	}
}
