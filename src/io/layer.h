/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between the bytes of MQTT and a socket: TLS, WebSocket, a proxy's header. Each is a
 * layer on top of another; the lowest one is a stream.
 *
 *     MQTT -> websocket -> tls -> proxy header -> bottom (a socket, or memory in tests)
 *
 * A layer never blocks and never waits: it does what can be done now.
 */
#ifndef NIGHTJAR_IO_LAYER_H
#define NIGHTJAR_IO_LAYER_H

#include "io/stream.h"

struct layer;

struct layer_ops {
	/* A step of what comes before the first byte (a handshake): 0 when that is done,
	 * ERROR_AGAIN, ERROR_CLOSED (`reason` says why), ERROR_NO_MEMORY. NULL: there is nothing. */
	int (*open)(struct layer *l);
	/* As those of a stream. What a read leaves behind is in the socket, or has_more says it. */
	long (*read)(struct layer *l, struct room room);
	/* Without parts: only what the layer itself has to write. */
	long (*write)(struct layer *l, const struct span *parts, unsigned count);
	/* The last word of this side; what could not be written is lost. NULL: there is none. */
	void (*finish)(struct layer *l);
	void (*free)(struct layer *l);
	/* Adds what became known about the peer and no layer above has said. NULL: nothing can. */
	void (*peer)(const struct layer *l, struct stream_peer *peer);
	/* Is what the peer has proved still good? NULL: nothing was proved. */
	bool (*may_stay)(const struct layer *l);
};

struct layer {
	const struct layer_ops *ops;
	struct layer *below; /* owned; NULL: the lowest */
	/* Why it was closed, in words for the log; static, or it lives as long as the layer. */
	const char *reason;
	bool has_more;   /* a read would find bytes though the socket has none */
	bool is_blocked; /* it has something of its own to write, and the socket takes no more */
	bool is_costly;  /* its open takes time that others wait for */
};

static inline long layer_read(struct layer *l, struct room room)
{
	return l->ops->read(l, room);
}

static inline long layer_write(struct layer *l, const struct span *parts, unsigned count)
{
	return l->ops->write(l, parts, count);
}

static inline int layer_open(struct layer *l)
{
	return l->ops->open ? l->ops->open(l) : 0;
}

/* Frees the layer and those below. NULL is allowed. */
void layer_free(struct layer *top);
/* All say their last word, from the top down. */
void layer_finish(struct layer *top);
/* All go on with what they have to write themselves, from the bottom up. */
void layer_flush(struct layer *top);
/* Of any of them. */
bool layer_has_more(const struct layer *top);
bool layer_is_blocked(const struct layer *top);
/* The uppermost reason; NULL when there is none. */
const char *layer_reason(const struct layer *top);
/* What all of them know. */
void layer_peer(const struct layer *top, struct stream_peer *peer);
bool layer_may_stay(const struct layer *top);

/* The lowest one: a stream that is in no loop, and stays the caller's to close. */
struct layer_bottom {
	struct layer layer;
	struct stream stream;
};
void layer_bottom_init(struct layer_bottom *b, const struct stream *stream);

#endif
