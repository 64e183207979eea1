/* SPDX-License-Identifier: Apache-2.0 */
/* A stream over a connected TCP socket, watched by a loop. */
#ifndef NIGHTJAR_IO_STREAM_TCP_H
#define NIGHTJAR_IO_STREAM_TCP_H

#include "io/loop.h"
#include "io/stream.h"

/* Takes over the descriptor. In no loop yet; reading, writing and closing work. */
void stream_tcp_init(struct stream *s, int fd);
/* From now on the loop reports this address as readable; the stream must stay there until it is
 * detached or closed. On error (ERROR_SYSTEM) the stream is closed. On the loop's thread. */
int stream_tcp_attach(struct stream *s, struct loop *loop) MUST_USE;

#endif
