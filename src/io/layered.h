/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream over a socket with layers in between (layer.h). The loop does not report it before all
 * layers are open, and reports it again while a layer holds bytes that were not read, for which
 * the socket would not report it.
 */
#ifndef NIGHTJAR_IO_LAYERED_H
#define NIGHTJAR_IO_LAYERED_H

#include "io/layer.h"
#include "io/loop.h"
#include "io/opening.h"

struct layered {
	struct opening opening; /* its link: in the loop's lists while layers are not open */
	struct link held;       /* in the loop's list of those that hold unread bytes */
	struct stream *stream;  /* where it is attached */
	struct layer *top;
	struct layer_bottom bottom;
	const char *reason; /* why we closed it */
	bool is_open;
	bool is_failed;
	bool wants_read, wants_write; /* the owner */
};

/* Turns a socket that was just accepted into one with layers. They are put on `bottom` one by one
 * with layered_push. NULL without memory; then nothing has changed. */
struct layered *layered_init(struct stream *s) MUST_USE;
/* On top of the others; owned from now on. */
void layered_push(struct layered *l, struct layer *layer);
/* As stream_tcp_attach. */
int layered_attach(struct stream *s, struct loop *loop) MUST_USE;

/* For the loop. Is it only for the layers that this stream was reported? Then it is taken care of,
 * and the owner need not know. */
bool layered_takes(struct stream *s, struct loop *loop);
/* One step towards being open. True when the owner is to be told: it is open, or failed. */
bool layered_step(struct layered *l, struct loop *loop);
/* Closes it for the owner, who hears of it by its next read. */
void layered_fail(struct layered *l, struct loop *loop, const char *reason);

#endif
