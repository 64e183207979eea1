/* SPDX-License-Identifier: Apache-2.0 */
#include "io/passed.h"

#include "io/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The first of them, by the protocol. */
#define FIRST_FD 3

static struct passed {
	int fd; /* -1: taken */
	bool hears_ipv4;
	struct sockaddr_storage address;
} passed[PASSED_MAX];
static unsigned passed_count;

/* -1: it is no number. */
static long number_of(const char *name)
{
	const char *text = getenv(name);
	char *end = NULL;
	errno = 0;
	long number = text ? strtol(text, &end, 10) : -1;
	return text && *text && !*end && errno == 0 && number >= 0 ? number : -1;
}

static bool is_listening(int fd)
{
	int type = 0, listens = 0;
	socklen_t type_len = sizeof(type), listens_len = sizeof(listens);
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_len) == 0 && listens;
}

static bool hears_ipv4(int fd, const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	int only = 1;
	socklen_t len = sizeof(only);
	return address->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) &&
	       getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && !only;
}

static int open_one(int fd, char *reason)
{
	struct passed *p = &passed[passed_count];
	socklen_t len = sizeof(p->address);
	memset(&p->address, 0, sizeof(p->address));
	if (!is_listening(fd) || getsockname(fd, (struct sockaddr *)&p->address, &len) != 0) {
		snprintf(reason, PASSED_REASON_MAX,
			 "descriptor %d, which came with LISTEN_FDS, is no socket that listens for "
			 "streams: of a socket unit only ListenStream= is of use",
			 fd);
		return ERROR_INVALID;
	}
	/* not inherited, and asked before it is waited for */
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	p->fd = fd;
	p->hears_ipv4 = hears_ipv4(fd, &p->address);
	passed_count++;
	return 0;
}

int passed_open(char reason[PASSED_REASON_MAX])
{
	long count = number_of("LISTEN_FDS"), pid = number_of("LISTEN_PID");
	int error = 0;
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	if (count <= 0 || pid != (long)getpid())
		return 0;
	if (count > PASSED_MAX) {
		snprintf(reason, PASSED_REASON_MAX,
			 "%ld sockets came with LISTEN_FDS: at most %d can", count, PASSED_MAX);
		return ERROR_INVALID;
	}
	for (int i = 0; i < count && error == 0; i++)
		error = open_one(FIRST_FD + i, reason);
	return error;
}

static bool is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)a,
				 *b4 = (const struct sockaddr_in *)b;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a,
				  *b6 = (const struct sockaddr_in6 *)b;
	if (a->ss_family != b->ss_family || address_port(a) != address_port(b))
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a->ss_family == AF_INET6 &&
	       memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

static int take(struct passed *p)
{
	int fd = p->fd;
	p->fd = -1;
	return fd;
}

int passed_take(const struct sockaddr_storage *address)
{
	for (unsigned i = 0; i < passed_count; i++)
		if (passed[i].fd >= 0 && is_same(&passed[i].address, address))
			return take(&passed[i]);
	return -1;
}

static const char *path_of(const struct passed *p)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&p->address;
	return p->address.ss_family == AF_UNIX ? un->sun_path : NULL;
}

int passed_take_path(const char *path)
{
	for (unsigned i = 0; i < passed_count; i++) {
		const char *at = path_of(&passed[i]);
		if (passed[i].fd >= 0 && at && strcmp(at, path) == 0)
			return take(&passed[i]);
	}
	return -1;
}

bool passed_hears(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	for (unsigned i = 0; i < passed_count; i++)
		if (passed[i].hears_ipv4 && address->ss_family == AF_INET &&
		    v4->sin_addr.s_addr == htonl(INADDR_ANY) &&
		    address_port(&passed[i].address) == address_port(address))
			return true;
	return false;
}

int passed_all_taken(char reason[PASSED_REASON_MAX])
{
	char text[ADDRESS_TEXT_MAX];
	for (unsigned i = 0; i < passed_count; i++) {
		const char *path = path_of(&passed[i]);
		if (passed[i].fd < 0)
			continue;
		address_text(&passed[i].address, text);
		snprintf(
			reason, PASSED_REASON_MAX,
			"the socket unit hands over %.108s, which no listener of the configuration "
			"names: add one, since it says who may come in there, or take it out of "
			"the "
			"unit",
			path ? path : text);
		return ERROR_INVALID;
	}
	return 0;
}

void passed_close(void)
{
	for (unsigned i = 0; i < passed_count; i++)
		if (passed[i].fd >= 0)
			close(passed[i].fd);
	passed_count = 0;
}
