/* SPDX-License-Identifier: Apache-2.0 */
#include "client/transport.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

static size_t resolve_host(const char *name, uint16_t port, struct sockaddr_storage *addresses,
			   socklen_t *lens, size_t max, const char **trouble_out)
{
	char service[8];
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
	size_t count = 0;
	snprintf(service, sizeof(service), "%u", port);
	int code = getaddrinfo(name, service, &hints, &list);
	if (code != 0) {
		*trouble_out = gai_strerror(code);
		return 0;
	}
	for (struct addrinfo *at = list; at && count < max; at = at->ai_next, count++) {
		memcpy(&addresses[count], at->ai_addr, at->ai_addrlen);
		lens[count] = at->ai_addrlen;
	}
	freeaddrinfo(list);
	return count;
}

static size_t resolve_path(const char *name, uint16_t port, struct sockaddr_storage *addresses,
			   socklen_t *lens, size_t max, const char **trouble_out)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)port;
	if (strlen(name) >= sizeof(address.sun_path) || max == 0) {
		*trouble_out = "the path is too long for a socket";
		return 0;
	}
	strcpy(address.sun_path, name);
	memcpy(addresses, &address, sizeof(address));
	lens[0] = sizeof(address);
	return 1;
}

static int open_stream(const struct sockaddr_storage *address, socklen_t len, bool has_delay,
		       bool *is_connected_out)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;
	if (fd < 0)
		return -1;
	if (!has_delay && address->ss_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*is_connected_out = connect(fd, (const struct sockaddr *)address, len) == 0;
	if (*is_connected_out || errno == EINPROGRESS)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int stream_opened(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

static ssize_t read_stream(int fd, void *bytes, size_t len)
{
	return recv(fd, bytes, len, 0);
}

static ssize_t write_stream(int fd, const void *bytes, size_t len)
{
	return send(fd, bytes, len, MSG_NOSIGNAL);
}

static void finish_stream(int fd)
{
	(void)shutdown(fd, SHUT_WR);
}

const struct transport transport_tcp = {
	.scheme = "mqtt",
	.port = 1883,
	.resolve = resolve_host,
	.open = open_stream,
	.opened = stream_opened,
	.read = read_stream,
	.write = write_stream,
	.finish = finish_stream,
};

const struct transport transport_unix = {
	.scheme = "unix",
	.resolve = resolve_path,
	.open = open_stream,
	.opened = stream_opened,
	.read = read_stream,
	.write = write_stream,
	.finish = finish_stream,
};
