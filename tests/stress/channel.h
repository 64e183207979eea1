/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TCP connection to the broker: non-blocking, with buffers, in the one epoll set. It outlives
 * its closing until channel_bury(), so that events of the same wait may still name it.
 */
#ifndef NIGHTJAR_STRESS_CHANNEL_H
#define NIGHTJAR_STRESS_CHANNEL_H

#include "base/buffer.h"
#include "mqtt/wire.h"

struct channel {
	int fd;          /* -1: closed */
	uint32_t events; /* that epoll was asked for */
	struct buffer in, out;
	void *owner; /* NULL: left behind in a take-over, waits for the broker to close it */
	struct channel *next_buried;
};

/* The set that all channels are in; once. */
void channels_init(uint16_t port);
/* The broker listens elsewhere from now on. */
void channels_set_port(uint16_t port);
void channels_release(void);
int channels_epoll(void);

struct channel *channel_open(void *owner);
/* With a reset instead of an orderly end. */
void channel_close(struct channel *k, bool resets);
/* Nothing more is sent; it stays until the broker closes it. */
void channel_leave_behind(struct channel *k);
/* Frees all that were closed. */
void channel_bury(void);

/* Queues the packet and sends what the socket takes. */
void channel_send(struct channel *k, struct span packet);
void channel_flush(struct channel *k);
/* Stops or resumes reading, so that the broker has a slow reader. */
void channel_want_read(struct channel *k, bool wants);
/* Reads what is there; false at the end of the stream or when it was reset. */
bool channel_fill(struct channel *k);
/* The next whole packet, or false. It must be consumed with buffer_consume(&k->in, whole). */
bool channel_packet(const struct channel *k, struct fixed_header *header, struct span *body);

#endif
