/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ends of a stream in memory, for tests and simulation: no sockets, no threads, no chance.
 * What one end writes the other one reads, through a bounded store each way that takes memory only
 * while bytes are under way. The link can be cut at any byte.
 *
 * Readiness is asked for: of one end (memory_is_readable), or of all ends attached to a hub.
 */
#ifndef NIGHTJAR_IO_STREAM_MEMORY_H
#define NIGHTJAR_IO_STREAM_MEMORY_H

#include "base/list.h"
#include "io/stream.h"

/* Reports what is ready, level-triggered, in the order in which it became so. */
struct memory_hub {
	struct link ready;
};

struct memory_event {
	struct stream *stream;
	bool is_readable;
	bool is_writable;
};

/* Each end holds at most `capacity` (> 0) unread bytes. Both ends are in no hub. The memory goes
 * when both are closed. 0 or ERROR_NO_MEMORY. */
int memory_pair_open(uint32_t capacity, struct stream *a_out, struct stream *b_out) MUST_USE;

/* Every read and write of either end moves at most so many bytes; 0 = no such limit. */
void memory_set_step(struct stream *s, uint32_t bytes_max);
/* Of what this end writes from now on, only so many bytes arrive. The rest is lost without the
 * writer noticing; at that moment the link is cut. */
void memory_cut_after(struct stream *s, uint32_t bytes);
/* Now: what is under way still arrives, then both ends see ERROR_CLOSED. */
void memory_cut(struct stream *s);

/* A read would not say ERROR_AGAIN. */
bool memory_is_readable(const struct stream *s);
/* A write would not say ERROR_AGAIN. */
bool memory_is_writable(const struct stream *s);
/* Bytes waiting to be read at this end. */
uint32_t memory_unread(const struct stream *s);

void memory_hub_init(struct memory_hub *hub);
/* As stream_tcp_attach: the stream stays at this address until it is detached or closed. */
void memory_attach(struct stream *s, struct memory_hub *hub);
/* Up to `room` events of streams that are ready for what they want. */
unsigned memory_hub_take(struct memory_hub *hub, struct memory_event *events, unsigned room);
/* False when memory_hub_take would find nothing. */
bool memory_hub_is_ready(const struct memory_hub *hub);

#endif
