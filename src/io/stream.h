/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ordered byte stream to a peer [MQTT-4.2.0-1], behind a small table of operations: TCP today,
 * others later, memory in tests. The structure lives inside its owner (a connection) and is 32
 * bytes small, because there can be a million of them.
 */
#ifndef NIGHTJAR_IO_STREAM_H
#define NIGHTJAR_IO_STREAM_H

#include "base/base.h"

struct stream;

struct stream_ops {
	/* Bytes read (> 0), 0 at the end of the stream, ERROR_AGAIN when nothing is there,
	 * ERROR_CLOSED when the peer is gone (reset, timed out). One system call. */
	long (*read)(struct stream *s, struct room room);
	/* Bytes written (>= 0, perhaps fewer than given), ERROR_AGAIN, ERROR_CLOSED. One system
	 * call. At most STREAM_PARTS_MAX parts. */
	long (*write)(struct stream *s, const struct span *parts, unsigned count);
	/* Which readiness the loop shall report (level-triggered). After attaching: readable only. */
	void (*want)(struct stream *s, bool readable, bool writable);
	/* Leaves its loop without closing: the stream is about to move to another thread. */
	void (*detach)(struct stream *s);
	/* Leaves its loop and closes; unread input is no reason for a reset of what was written. */
	void (*close)(struct stream *s);
};

#define STREAM_PARTS_MAX 64

struct stream {
	const struct stream_ops *ops; /* NULL = closed or moved away */
	void *context;                /* for ops: the loop, or the memory pipe */
	int fd;                       /* for ops; -1 where there is none */
	uint8_t wants;                /* for ops: what was asked for last */
};

static inline bool stream_is_open(const struct stream *s)
{
	return s->ops != NULL;
}

#endif
