/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs an engine on a socket, for one thread that may block: the only place of the client that
 * asks the system for anything. One connection at a time; when and whether to open the next is
 * the caller's to decide.
 */
#ifndef NIGHTJAR_CLIENT_LOOP_H
#define NIGHTJAR_CLIENT_LOOP_H

#include <signal.h>

#include "client/engine.h"

struct loop_address {
	const char *host;         /* name or address; with unix_path unused */
	const char *bind_address; /* ours, or NULL */
	const char *unix_path;    /* a local socket instead of TCP, or NULL */
	uint16_t port;
	bool has_no_delay; /* TCP_NODELAY */
};

struct loop {
	struct engine *engine;
	const sigset_t *signal_mask; /* in force while waiting; NULL = the thread's own */
	int fd;                      /* -1: no connection */
	uint64_t close_by_ms;        /* when to close though output is left; 0: not closing yet */
	bool cannot_write;           /* the peer is gone: read what it left, then close */
};

enum loop_result {
	LOOP_OK,
	LOOP_UNKNOWN_HOST, /* the name cannot be resolved */
	LOOP_FAILED,       /* errno says why */
	LOOP_INTERRUPTED,  /* by a signal */
	LOOP_NO_MEMORY,
};

/* Milliseconds of a clock that never jumps. */
uint64_t loop_now_ms(void);

void loop_init(struct loop *l, struct engine *engine, const sigset_t *signal_mask);
/* Opens a connection, trying each address of the host in turn, and has the engine begin. Waits
 * until connected, `deadline_ms` (UINT64_MAX: as long as the system does) or a signal. */
enum loop_result loop_open(struct loop *l, const struct loop_address *address,
			   uint64_t deadline_ms) MUST_USE;
/* Closes at once, if open; the engine has then ended its connection. */
void loop_close(struct loop *l);

/* What else to wait for. */
struct loop_wait {
	uint64_t deadline_ms;  /* UINT64_MAX: none */
	int readable_fd;       /* or -1 */
	bool is_readable_out;
};
/*
 * Waits once for the server, the deadline, the other descriptor or a signal, and does what is
 * due. An engine that is closing gets its output sent and the stream closed, within a second or
 * two. Without a connection it only waits.
 */
void loop_turn(struct loop *l, struct loop_wait *wait);

static inline bool loop_is_open(const struct loop *l)
{
	return l->fd >= 0;
}

#endif
