/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ordered byte stream to a peer [MQTT-4.2.0-1], behind a small table of operations: a
 * socket, with layers over it (layer.h) or without, or memory in tests. The structure lives inside its owner (a connection) and is 32
 * bytes small, because there can be a million of them.
 */
#ifndef NIGHTJAR_IO_STREAM_H
#define NIGHTJAR_IO_STREAM_H

#include "base/base.h"

struct layered;
struct stream;
struct stream_peer;

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
	/* Why the peer is gone, in words for the log, until it is closed; NULL when that is all
	 * there is to say. The operation is NULL where it never is more. */
	const char *(*reason)(const struct stream *s);
	/* Adds what the way to us has told of the peer, good until it is closed. The operation is
	 * NULL where there never is anything. */
	void (*peer)(const struct stream *s, struct stream_peer *peer);
	/* Is what the peer has proved still good? The operation is NULL where it always is. */
	bool (*may_stay)(const struct stream *s);
};

/* Known of a peer before it has said a word of MQTT. Texts may be NULL. */
struct stream_peer {
	/* Proved by a certificate, a shared key or the kernel, and to take the place of a user name. */
	const char *user_name;
	bool is_of_system;      /* it is the kernel that has proved it */
	bool lacks_user_name;   /* a user name was to be proved, and there is none */
	const char *address;    /* "192.0.2.1:4711", as a proxy has told */
	const char *protection; /* "TLSv1.3, TLS_AES_256_GCM_SHA384" */
};

#define STREAM_PARTS_MAX 64

struct stream {
	const struct stream_ops *ops; /* NULL = closed or moved away */
	void *context;                /* for ops: the loop, or the memory pipe */
	struct layered *layered;      /* for ops: what lies between; NULL: nothing */
	int fd;                       /* for ops; -1 where there is none */
	uint8_t wants;                /* for ops: what was asked for last */
};

static inline const char *stream_reason(const struct stream *s)
{
	return s->ops && s->ops->reason ? s->ops->reason(s) : NULL;
}

static inline struct stream_peer stream_peer(const struct stream *s)
{
	struct stream_peer peer = {0};
	if (s->ops && s->ops->peer)
		s->ops->peer(s, &peer);
	return peer;
}

static inline bool stream_may_stay(const struct stream *s)
{
	return !s->ops || !s->ops->may_stay || s->ops->may_stay(s);
}

static inline bool stream_is_open(const struct stream *s)
{
	return s->ops != NULL;
}

#endif
