/* SPDX-License-Identifier: Apache-2.0 */
/* How a client reaches its server: a table of operations for each kind of stream. */
#ifndef NIGHTJAR_CLIENT_TRANSPORT_H
#define NIGHTJAR_CLIENT_TRANSPORT_H

#include <sys/socket.h>
#include <sys/types.h>

#include "base/base.h"

struct transport {
	const char *scheme; /* of an address, without "://" */
	uint16_t port;      /* when the address names none; 0: there are no ports */
	/* Fills in at most `max` addresses of the server; may wait. Their number, or 0, then
	 * `trouble_out` says why. */
	size_t (*resolve)(const char *name, uint16_t port, struct sockaddr_storage *addresses,
			  socklen_t *lens, size_t max, const char **trouble_out);
	/* A descriptor on its way to that address (`is_connected_out`: there already), or -1 and
	 * errno. It does not block. */
	int (*open)(const struct sockaddr_storage *address, socklen_t len, bool has_delay,
		    bool *is_connected_out);
	/* The end of the way: 0 or an errno. */
	int (*opened)(int fd);
	/* As read and write, EAGAIN included. */
	ssize_t (*read)(int fd, void *bytes, size_t len);
	ssize_t (*write)(int fd, const void *bytes, size_t len);
	/* Nothing more will be written. */
	void (*finish)(int fd);
};

extern const struct transport transport_tcp;
extern const struct transport transport_unix;

#endif
