/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for streams: one epoll per thread, level-triggered. The epoll entry points straight at
 * the stream, so an idle connection costs no memory here.
 *
 * All functions are for the loop's own thread, except loop_wake. The loop does not ask the clock:
 * loop_set_time tells it.
 */
#ifndef NIGHTJAR_IO_LOOP_H
#define NIGHTJAR_IO_LOOP_H

#include "io/linger.h"
#include "io/opening.h"
#include "io/stream.h"

struct listener;

struct loop {
	int epoll_fd;
	int wake_fd;
	uint64_t now_ms;
	struct listener *listeners; /* shared with other loops */
	unsigned listener_count;
	bool is_accepting;
	uint64_t accept_again_ms; /* while paused; UINT64_MAX = not by itself */
	struct linger_list lingering;
	/* Of streams with layers (layered.h): */
	struct openings openings;
	struct link held; /* they hold bytes that were not read: reported without the system */
};

/* Exactly one of stream and listener is set. A peer that hung up or failed counts as readable:
 * the next read tells what happened. */
struct loop_event {
	struct stream *stream;
	struct listener *listener;
	bool is_readable;
	bool is_writable;
};

/* Events of one wait. More than there are in a busy turn (seen: 100), small enough for a stack. */
#define LOOP_EVENTS_MAX 256

int loop_open(struct loop *l, uint64_t now_ms) MUST_USE;
/* Streams must have left before. */
void loop_close(struct loop *l);

/* At most timeout_ms, UINT64_MAX = until something comes. Returns the number of events, 0 also
 * when woken or interrupted. A stream closed after loop_wait returned may still be among them. */
unsigned loop_wait(struct loop *l, uint64_t timeout_ms, struct loop_event events[LOOP_EVENTS_MAX]);
/*
 * Streams with layers, which may be in the hands of the owner's turn. So the following are called
 * within it: for each stream that loop_wait reported, and once a turn.
 */
/* Was it reported to its owner? Else to a layer that is not open yet. */
bool loop_is_for_owner(struct loop *l, struct stream *s);
/* Does what is to do for layers, and reports the streams that are ready by it. */
unsigned loop_take_layered(struct loop *l, struct loop_event events[LOOP_EVENTS_MAX]);
/* There is something to take, whatever loop_wait would say. */
bool loop_has_layered(const struct loop *l);

/* Any thread: the running or the next loop_wait returns. */
void loop_wake(struct loop *l);
/* Once per turn, before anything is closed or accepted. Never goes back. */
void loop_set_time(struct loop *l, uint64_t now_ms);

/* Reports connections that wait at these listeners, which several loops may share: one of them
 * is told. The array stays the caller's and must outlive the loop. 0 or ERROR_SYSTEM. */
int loop_accept_from(struct loop *l, struct listener *listeners, unsigned count) MUST_USE;
/* No listener is reported for that long (for want of descriptors, say); UINT64_MAX = for good. */
void loop_accept_pause(struct loop *l, uint64_t pause_ms);
/* That one is not reported for about so long; the others are. */
void loop_accept_pause_at(struct loop *l, const struct listener *at, uint64_t pause_ms);

/* For streams over a descriptor. The stream stays at its address until removed or its descriptor
 * is closed. 0 or ERROR_SYSTEM. */
int loop_add(struct loop *l, struct stream *s) MUST_USE;
void loop_remove(struct loop *l, struct stream *s);
void loop_set_wants(struct loop *l, struct stream *s, bool readable, bool writable);
/* Takes over the descriptor of a stream that is in the loop, to close it when the peer has got
 * everything or patience ends (io/linger.h). */
void loop_linger(struct loop *l, int fd);

#endif
