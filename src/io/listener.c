/* SPDX-License-Identifier: Apache-2.0 */
#include "io/listener.h"

#include "io/passed.h"
#include "io/stream_tcp.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections that the kernel may hold ready for us: a storm of reconnects must not meet a full
 * queue. The system's net.core.somaxconn (4096) cuts it down where it is lower. */
#define BACKLOG 4096

/* A free port of one address may be taken at another one: how often to try again. */
#define FREE_PORT_TRIES 16

static int set_flag(int fd, int level, int option)
{
	int on = 1;
	return setsockopt(fd, level, option, &on, sizeof(on));
}

/*
 * Connections inherit these options, which saves a system call for each.
 * SO_REUSEADDR: a restart need not wait for old connections (TIME_WAIT); it does not let two
 * programs listen. SO_KEEPALIVE: finds dead peers that asked for no MQTT keep alive.
 * IPV6_V6ONLY: "::" and "0.0.0.0" side by side.
 */
static int set_options(int fd, int family, bool may_delay)
{
	if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR) != 0 ||
	    set_flag(fd, SOL_SOCKET, SO_KEEPALIVE) != 0)
		return -1;
	if (!may_delay && set_flag(fd, IPPROTO_TCP, TCP_NODELAY) != 0)
		return -1;
	return family == AF_INET6 ? set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY) : 0;
}

/* The addresses that a host stands for, without ports. */
struct targets {
	const struct listen_at *at;
	struct sockaddr_storage addresses[LISTENERS_PER_HOST_MAX];
	unsigned count;
};

static socklen_t address_len(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in);
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
	if (address->ss_family == AF_INET6)
		((struct sockaddr_in6 *)address)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)address)->sin_port = htons(port);
}

static int bind_and_listen(int fd, struct sockaddr_storage *address, bool may_delay)
{
	socklen_t len = address_len(address);
	if (set_options(fd, address->ss_family, may_delay) != 0 ||
	    bind(fd, (struct sockaddr *)address, len) != 0 || listen(fd, BACKLOG) != 0)
		return -1;
	return getsockname(fd, (struct sockaddr *)address, &len);
}

/* One that listens already, by somebody else's hand. */
static int take_over(struct listener *out, const struct sockaddr_storage *address, bool may_delay)
{
	out->port = address_port(address);
	(void)!set_flag(out->fd, SOL_SOCKET, SO_KEEPALIVE);
	if (!may_delay)
		(void)!set_flag(out->fd, IPPROTO_TCP, TCP_NODELAY);
	return 0;
}

/* 0 or an errno; the listener's text is set in any case. */
static int open_one(struct sockaddr_storage address, uint16_t port, bool may_delay,
		    struct listener *out)
{
	*out = (struct listener){0};
	set_port(&address, port);
	address_text(&address, out->text);
	out->fd = port > 0 ? passed_take(&address) : -1;
	if (out->fd >= 0)
		return take_over(out, &address, may_delay);
	if (passed_hears(&address))
		return EADDRNOTAVAIL;
	out->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (out->fd < 0)
		return errno;
	if (bind_and_listen(out->fd, &address, may_delay) != 0) {
		int error = errno;
		close(out->fd);
		return error;
	}
	out->port = address_port(&address);
	address_text(&address, out->text);
	return 0;
}

static void close_all(struct listener *listeners, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		listener_close(&listeners[i]);
}

/* The machine lacks this kind of address (no IPv6, say). */
static bool is_absent(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPROTONOSUPPORT;
}

static void explain(const struct listener *l, int error, char reason[LISTENER_REASON_MAX])
{
	const char *hint = "";
	if (error == EADDRINUSE)
		hint = " (is another broker running?)";
	else if (error == EACCES)
		hint = " (ports below 1024 need privileges)";
	snprintf(reason, LISTENER_REASON_MAX, "cannot listen on %s: %s%s", l->text, strerror(error),
		 hint);
}

/* One round over all addresses; with port 0 the first one chooses for the others. Returns 0 or an
 * errno, with the reason. */
static int open_round(const struct targets *targets, struct listener *listeners,
		      unsigned *count_out, char *reason)
{
	uint16_t port = targets->at->port;
	unsigned count = 0;
	int absent = 0;
	for (unsigned i = 0; i < targets->count; i++) {
		int error = open_one(targets->addresses[i], port, targets->at->may_delay,
				     &listeners[count]);
		if (error == 0) {
			port = listeners[count++].port;
			continue;
		}
		explain(&listeners[count], error, reason);
		if (!is_absent(error)) {
			close_all(listeners, count);
			return error;
		}
		absent = error;
	}
	*count_out = count;
	return count > 0 ? 0 : absent;
}

static int open_targets(const struct targets *targets, struct listener *listeners,
			unsigned *count_out, char *reason)
{
	unsigned tries = targets->at->port == 0 ? FREE_PORT_TRIES : 1;
	int error;
	do
		error = open_round(targets, listeners, count_out, reason);
	while (error == EADDRINUSE && --tries > 0);
	return error == 0 ? 0 : ERROR_SYSTEM;
}

/* Adds the addresses of a host; 0 or an error of getaddrinfo(3). */
static int look_up(const char *host, struct targets *targets)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE,
		.ai_family = targets->at->family,
	};
	struct addrinfo *found;
	int error = getaddrinfo(host, "0", &hints, &found);
	if (error != 0)
		return error;
	for (struct addrinfo *at = found; at; at = at->ai_next) {
		if (targets->count == LISTENERS_PER_HOST_MAX)
			break;
		memcpy(&targets->addresses[targets->count++], at->ai_addr, at->ai_addrlen);
	}
	freeaddrinfo(found);
	return 0;
}

/* Not left to the resolver: /etc/hosts may name only one of the two, or neither. */
static int look_up_loopback(struct targets *targets)
{
	int error = 0;
	if (targets->at->family != AF_INET6)
		error = look_up("127.0.0.1", targets);
	if (error == 0 && targets->at->family != AF_INET)
		error = look_up("::1", targets);
	return error;
}

/* "[::1]" as "::1". */
static const char *strip_brackets(const char *host, char *room, size_t room_len)
{
	size_t len = strlen(host);
	if (len < 2 || len > room_len || host[0] != '[' || host[len - 1] != ']')
		return host;
	memcpy(room, host + 1, len - 2);
	room[len - 2] = '\0';
	return room;
}

static int look_up_host(const char *host, struct targets *targets)
{
	char bare[64];
	if (!host)
		return look_up(NULL, targets);
	if (strcmp(host, "localhost") == 0)
		return look_up_loopback(targets);
	return look_up(strip_brackets(host, bare, sizeof(bare)), targets);
}

static bool is_of_interface(const struct ifaddrs *at, const struct listen_at *asked)
{
	if (!at->ifa_addr || strcmp(at->ifa_name, asked->interface) != 0)
		return false;
	int family = at->ifa_addr->sa_family;
	return (family == AF_INET || family == AF_INET6) &&
	       (asked->family == AF_UNSPEC || asked->family == family);
}

/* An interface stands for its addresses: to bind a socket to the device itself is for root only. */
static int look_up_interface(struct targets *targets, char *reason)
{
	const struct listen_at *asked = targets->at;
	struct ifaddrs *list = NULL;
	if (getifaddrs(&list) != 0) {
		snprintf(reason, LISTENER_REASON_MAX, "cannot list the interfaces: %s",
			 strerror(errno));
		return ERROR_SYSTEM;
	}
	for (struct ifaddrs *at = list; at; at = at->ifa_next) {
		if (!is_of_interface(at, asked) || targets->count == LISTENERS_PER_HOST_MAX)
			continue;
		struct sockaddr_storage *address = &targets->addresses[targets->count++];
		size_t len = at->ifa_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
								 : sizeof(struct sockaddr_in);
		memcpy(address, at->ifa_addr, len);
	}
	freeifaddrs(list);
	if (targets->count > 0)
		return 0;
	snprintf(reason, LISTENER_REASON_MAX, "cannot listen on interface '%.64s': %s",
		 asked->interface,
		 if_nametoindex(asked->interface) == 0
			 ? "this machine has none of that name"
			 : "it has no address (of the wanted family), or is down");
	return ERROR_INVALID;
}

int listeners_open(const struct listen_at *at, struct listener listeners[LISTENERS_PER_HOST_MAX],
		   unsigned *count_out, char reason[LISTENER_REASON_MAX])
{
	struct targets targets = {.at = at};
	int error = at->interface ? look_up_interface(&targets, reason)
				  : look_up_host(at->host, &targets);
	if (error != 0 && at->interface)
		return error;
	if (error != 0) {
		snprintf(reason, LISTENER_REASON_MAX, "cannot listen on '%s': %s",
			 at->host ? at->host : "any address", gai_strerror(error));
		return ERROR_INVALID;
	}
	return open_targets(&targets, listeners, count_out, reason);
}

/* Linux lets a socket with SO_REUSEADDR be bound to where another one is bound that no longer
 * listens. */
void listener_silence(struct listener *l)
{
	shutdown(l->fd, SHUT_RD);
}

void listener_resume(struct listener *l)
{
	(void)!listen(l->fd, BACKLOG);
}

void listener_close(struct listener *l)
{
	close(l->fd);
	l->fd = -1;
	listener_remove_path(l);
}

static bool is_want_of_means(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Other errors (ECONNABORTED and the network's own, accept(2)) concern one connection that is
 * gone already: the next one may be well. */
int listener_accept(struct listener *l, struct stream *stream_out,
		    char address_out[ADDRESS_TEXT_MAX])
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	address.ss_family = AF_UNSPEC;
	int fd = accept4(l->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return is_want_of_means(errno) ? ERROR_LIMIT : ERROR_AGAIN;
	stream_tcp_init(stream_out, fd);
	address_text(&address, address_out);
	return 0;
}
