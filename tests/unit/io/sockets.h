/* SPDX-License-Identifier: Apache-2.0 */
/* A loop, a listener on a free loopback port, and connections through it: for the tests of io. */
#ifndef NIGHTJAR_TESTS_UNIT_IO_SOCKETS_H
#define NIGHTJAR_TESTS_UNIT_IO_SOCKETS_H

#include "io/listener.h"
#include "io/loop.h"
#include "io/stream_tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Long enough for a loaded machine; only a failing test waits so long. */
#define PATIENCE_MS 10000

struct sockets {
	struct loop loop;
	struct listener listener;
};

/* cmocka's setup and teardown: *state is a struct sockets. */
int sockets_setup(void **state);
int sockets_teardown(void **state);

/* A connected pair: the client's plain blocking socket, and our end, in no loop. */
int sockets_connect(struct sockets *sockets, struct stream *stream_out);
/* The same, our end attached to the loop. */
int sockets_attach(struct sockets *sockets, struct stream *stream_out);

/* The one event that comes; fails the test when none or several do. */
struct loop_event loop_wait_one(struct loop *loop);
/* Fails the test when anything is reported now. */
void loop_assert_quiet(struct loop *loop);

/* Writes to the stream until it takes no more; returns the bytes written, which count up from 0. */
size_t stream_fill(struct stream *stream);

#endif
