/* SPDX-License-Identifier: Apache-2.0 */
/* How a client reaches its server: what differs between the kinds of addresses. */
#ifndef NIGHTJAR_CLIENT_TRANSPORT_H
#define NIGHTJAR_CLIENT_TRANSPORT_H

#include <sys/socket.h>
#include <sys/types.h>

#include "base/base.h"

#define ADDRESSES_MAX 8 /* of one host that are tried */

struct address_list {
	struct sockaddr_storage addresses[ADDRESSES_MAX];
	socklen_t lens[ADDRESSES_MAX];
	size_t count;
};

struct transport {
	const char *scheme; /* of an address, without "://" */
	uint16_t port;      /* when the address names none; 0: there are no ports */
	bool has_tls;
	bool has_websocket;
	/* Fills in the addresses of the server. NULL, or why there are none; without `may_wait`
	 * also for a name that somebody has to be asked for. */
	const char *(*resolve)(const char *name, uint16_t port, bool may_wait,
			       struct address_list *out);
};

/* A descriptor on its way to that address (`is_connected_out`: there already), from one of `locals`
 * unless that is empty; or -1 and errno. It does not block. */
int transport_open(const struct sockaddr_storage *address, socklen_t len,
		   const struct address_list *locals, bool has_delay, bool *is_connected_out);
/* The end of the way: 0 or an errno. */
int transport_opened(int fd);
/* As read and write, EAGAIN included. */
ssize_t transport_read(int fd, void *bytes, size_t len);
ssize_t transport_write(int fd, const void *bytes, size_t len);
/* Nothing more will be written. */
void transport_finish(int fd);

extern const struct transport transport_tcp;
extern const struct transport transport_unix;
/* Their bytes go through carry.h. */
extern const struct transport transport_tls;
extern const struct transport transport_websocket;
extern const struct transport transport_websocket_tls;

#endif
