/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs an engine on a socket, for one thread that may block: the only place of the client that
 * asks the system for anything. One connection at a time; when and whether to open the next is
 * the caller's to decide.
 */
#ifndef NIGHTJAR_CLIENT_RUNNER_H
#define NIGHTJAR_CLIENT_RUNNER_H

#include <signal.h>

#include "client/engine.h"

struct runner_address {
	const char *host;         /* name or address; with unix_path unused */
	const char *bind_address; /* ours, or NULL */
	const char *unix_path;    /* a local socket instead of TCP, or NULL */
	uint16_t port;
	bool has_no_delay; /* TCP_NODELAY */
};

struct runner {
	struct engine *engine;
	const sigset_t *signal_mask; /* in force while waiting; NULL = the thread's own */
	int fd;                      /* -1: no connection */
	uint64_t close_by_ms;        /* when to close though output is left; 0: not closing yet */
	bool cannot_write;           /* the peer is gone: read what it left, then close */
};

enum runner_result {
	RUNNER_OK,
	RUNNER_UNKNOWN_HOST, /* the name cannot be resolved */
	RUNNER_FAILED,       /* errno says why */
	RUNNER_INTERRUPTED,  /* by a signal */
	RUNNER_NO_MEMORY,
};

/* Milliseconds of a clock that never jumps. */
uint64_t runner_now_ms(void);

void runner_init(struct runner *r, struct engine *engine, const sigset_t *signal_mask);
/* Opens a connection, trying each address of the host in turn, and has the engine begin. Waits
 * until connected, `deadline_ms` (UINT64_MAX: as long as the system does) or a signal. */
enum runner_result runner_open(struct runner *r, const struct runner_address *address,
			       uint64_t deadline_ms) MUST_USE;
/* Closes at once, if open; the engine has then ended its connection. */
void runner_close(struct runner *r);

/* What else to wait for. */
struct runner_wait {
	uint64_t deadline_ms; /* UINT64_MAX: none */
	int readable_fd;      /* or -1 */
	bool is_readable_out;
};
/*
 * Waits once for the server, the deadline, the other descriptor or a signal, and does what is
 * due. An engine that is closing gets its output sent and the stream closed, within a second or
 * two. Without a connection it only waits.
 */
void runner_turn(struct runner *r, struct runner_wait *wait);

static inline bool runner_is_open(const struct runner *r)
{
	return r->fd >= 0;
}

#endif
