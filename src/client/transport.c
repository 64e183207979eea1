/* SPDX-License-Identifier: Apache-2.0 */
#include "client/transport.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

static const char *resolve_host(const char *name, uint16_t port, bool may_wait,
				struct address_list *out)
{
	char service[8];
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
	snprintf(service, sizeof(service), "%u", port);
	hints.ai_flags = may_wait ? 0 : AI_NUMERICHOST;
	int code = getaddrinfo(name, service, &hints, &list);
	out->count = 0;
	if (code != 0)
		return gai_strerror(code);
	for (struct addrinfo *at = list; at && out->count < ADDRESSES_MAX; at = at->ai_next) {
		memcpy(&out->addresses[out->count], at->ai_addr, at->ai_addrlen);
		out->lens[out->count++] = at->ai_addrlen;
	}
	freeaddrinfo(list);
	return NULL;
}

static const char *resolve_path(const char *name, uint16_t port, bool may_wait,
				struct address_list *out)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)port;
	(void)may_wait;
	out->count = 0;
	if (strlen(name) >= sizeof(address.sun_path))
		return "the path is too long for a socket";
	strcpy(address.sun_path, name);
	memcpy(out->addresses, &address, sizeof(address));
	out->lens[0] = sizeof(address);
	out->count = 1;
	return NULL;
}

/* The first of them that is of the socket's family and can be taken. */
static int bind_to_one(int fd, sa_family_t family, const struct address_list *locals)
{
	int error = -1;
	errno = EADDRNOTAVAIL;
	for (size_t i = 0; i < locals->count && error; i++)
		if (locals->addresses[i].ss_family == family)
			error = bind(fd, (const struct sockaddr *)&locals->addresses[i],
				     locals->lens[i]);
	return error;
}

int transport_open(const struct sockaddr_storage *address, socklen_t len,
		   const struct address_list *locals, bool has_delay, bool *is_connected_out)
{
	bool is_bound = locals->count > 0 && address->ss_family != AF_UNIX;
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;
	if (fd < 0)
		return -1;
	if (!has_delay && address->ss_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!is_bound || bind_to_one(fd, address->ss_family, locals) == 0) {
		*is_connected_out = connect(fd, (const struct sockaddr *)address, len) == 0;
		if (*is_connected_out || errno == EINPROGRESS)
			return fd;
	}
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int transport_opened(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

ssize_t transport_read(int fd, void *bytes, size_t len)
{
	return recv(fd, bytes, len, 0);
}

ssize_t transport_write(int fd, const void *bytes, size_t len)
{
	return send(fd, bytes, len, MSG_NOSIGNAL);
}

void transport_finish(int fd)
{
	(void)shutdown(fd, SHUT_WR);
}

const struct transport transport_tcp = {.scheme = "mqtt", .port = 1883, .resolve = resolve_host};

const struct transport transport_tls = {
	.scheme = "mqtts", .port = 8883, .has_tls = true, .resolve = resolve_host};

const struct transport transport_websocket = {
	.scheme = "ws", .port = 80, .has_websocket = true, .resolve = resolve_host};

const struct transport transport_websocket_tls = {.scheme = "wss",
						  .port = 443,
						  .has_tls = true,
						  .has_websocket = true,
						  .resolve = resolve_host};

const struct transport transport_unix = {.scheme = "unix", .resolve = resolve_path};
