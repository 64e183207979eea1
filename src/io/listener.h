/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that wait for connections. One per address, shared by the loops of all threads; without
 * SO_REUSEPORT, so that a second broker on the same port fails instead of taking half of the
 * clients.
 */
#ifndef NIGHTJAR_IO_LISTENER_H
#define NIGHTJAR_IO_LISTENER_H

#include <sys/types.h>
#include <time.h>

#include "io/address.h"
#include "io/stream.h"

/* Room for any address and for the path of any Unix socket (unix(7)). */
#define LISTENER_TEXT_MAX 112

struct listener {
	int fd;
	uint16_t port;                /* 0: a Unix socket */
	char text[LISTENER_TEXT_MAX]; /* "127.0.0.1:1883", "/run/nightjar.sock" */
	/* Of a Unix socket, to remove it at the end if it still is ours; owned. The number of a
	 * file is soon used again: the time tells them apart. */
	char *path;
	ino_t path_inode;
	struct timespec path_changed;
};

struct listen_at {
	/* An address ("127.0.0.1", "::1", "[::1]"), a name, "localhost" (both loopback addresses), or
	 * NULL: every address of the machine. */
	const char *host;
	uint16_t port;  /* 0: a free one, the same for all addresses */
	int family;     /* AF_UNSPEC, or only AF_INET or AF_INET6 */
	bool may_delay; /* small writes may wait for an acknowledgement (no TCP_NODELAY) */
	/* Only connections that come in by this interface, and only its addresses when there is no
	 * host; NULL: any. */
	const char *interface;
};

struct listen_unix {
	const char *path;
	mode_t mode;       /* who may connect: those who may write */
	const char *owner; /* names; NULL: as the process */
	const char *group;
};

/* A name rarely stands for more than two addresses (IPv4 and IPv6). */
#define LISTENERS_PER_HOST_MAX 8
/* Room for a sentence that says why not. */
#define LISTENER_REASON_MAX 256

/* Listens at all addresses that the host stands for; where the machine lacks IPv4 or IPv6 the
 * other one is enough. 0 and the number of listeners opened, or ERROR_SYSTEM or ERROR_INVALID
 * (the host), with the reason. */
int listeners_open(const struct listen_at *at, struct listener listeners[LISTENERS_PER_HOST_MAX],
		   unsigned *count_out, char reason[LISTENER_REASON_MAX]) MUST_USE;
/* A Unix socket. One that nobody listens on any more is replaced; anything else of that name stays
 * and is an error. 0, or ERROR_SYSTEM or ERROR_INVALID with the reason. */
int listener_open_unix(const struct listen_unix *at, struct listener *listener_out,
		       char reason[LISTENER_REASON_MAX]) MUST_USE;
/* A Unix socket's name goes, too, unless another has taken it. */
void listener_close(struct listener *l);
/* Of one that is open: its mode and its owner. 0 or ERROR_SYSTEM with the reason. */
int listener_change_unix(struct listener *l, const struct listen_unix *at,
			 char reason[LISTENER_REASON_MAX]) MUST_USE;
/* Of a port: stops listening, while loops may still know the descriptor. Connections that wait are
 * refused, and another socket can be opened at the same place. listener_resume takes it back, if
 * the place is still free. */
void listener_silence(struct listener *l);
void listener_resume(struct listener *l);
/* For listener_close, when the descriptor is closed. */
void listener_remove_path(struct listener *l);

/* The next waiting connection as a stream that belongs to no loop yet, and the peer's address.
 * 0, ERROR_AGAIN (none is waiting), or ERROR_LIMIT: the system lacks descriptors or memory
 * (errno), trying again at once is of no use. Any thread. */
int listener_accept(struct listener *l, struct stream *stream_out,
		    char address_out[ADDRESS_TEXT_MAX]) MUST_USE;

#endif
