/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an epoll entry points at is told by the two lowest bits of its pointer:
 *
 *     ...00 struct stream    ...01 struct listener    ...10 struct lingerer    0 = the wake-up
 */
#include "io/loop.h"

#include "io/layered.h"
#include "io/listener.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TAG_LISTENER 1
#define TAG_LINGERER 2
#define TAG_MASK 3

#define WANT_READ 1
#define WANT_WRITE 2

_Static_assert(_Alignof(struct stream) > TAG_MASK && _Alignof(struct lingerer) > TAG_MASK &&
		       _Alignof(struct listener) > TAG_MASK,
	       "the lowest bits of these pointers are free");

static int control(struct loop *l, int operation, int fd, uint32_t events, void *target,
		   unsigned tag)
{
	struct epoll_event e = {.events = events};
	e.data.u64 = (uint64_t)(uintptr_t)target | tag;
	return epoll_ctl(l->epoll_fd, operation, fd, &e) == 0 ? 0 : ERROR_SYSTEM;
}

/* The counter of the wake-up is never read: edge-triggered, each write is a new event. */
static int add_wake_up(struct loop *l)
{
	return control(l, EPOLL_CTL_ADD, l->wake_fd, EPOLLIN | EPOLLET, NULL, 0);
}

int loop_open(struct loop *l, uint64_t now_ms)
{
	*l = (struct loop){.now_ms = now_ms, .accept_again_ms = UINT64_MAX};
	linger_list_init(&l->lingering);
	openings_init(&l->openings);
	list_init(&l->held);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return ERROR_SYSTEM;
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->wake_fd < 0)
		goto no_wake_up;
	if (add_wake_up(l) != 0)
		goto not_added;
	return 0;
not_added:
	close(l->wake_fd);
no_wake_up:
	close(l->epoll_fd);
	return ERROR_SYSTEM;
}

void loop_close(struct loop *l)
{
	linger_list_release(&l->lingering);
	close(l->wake_fd);
	close(l->epoll_fd);
}

void loop_wake(struct loop *l)
{
	eventfd_write(l->wake_fd, 1);
}

/* The caller's timeout, or earlier when the loop itself has something to do. */
static int timeout_of(const struct loop *l, uint64_t timeout_ms)
{
	uint64_t deadline_ms = linger_deadline_ms(&l->lingering);
	if (l->accept_again_ms < deadline_ms)
		deadline_ms = l->accept_again_ms;
	if (openings_deadline_ms(&l->openings) < deadline_ms)
		deadline_ms = openings_deadline_ms(&l->openings);
	if (deadline_ms != UINT64_MAX) {
		uint64_t left_ms = deadline_ms > l->now_ms ? deadline_ms - l->now_ms : 0;
		if (left_ms < timeout_ms)
			timeout_ms = left_ms;
	}
	if (timeout_ms == UINT64_MAX)
		return -1;
	return timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms;
}

static bool translate(struct loop *l, const struct epoll_event *from, struct loop_event *to)
{
	unsigned tag = from->data.u64 & TAG_MASK;
	void *target = (void *)(uintptr_t)(from->data.u64 & ~(uint64_t)TAG_MASK);
	if (!target)
		return false;
	if (tag == TAG_LINGERER) {
		linger_ready(&l->lingering, target);
		return false;
	}
	*to = (struct loop_event){
		.stream = tag == TAG_LISTENER ? NULL : target,
		.listener = tag == TAG_LISTENER ? target : NULL,
		.is_readable = (from->events & ~(uint32_t)EPOLLOUT) != 0,
		.is_writable = (from->events & EPOLLOUT) != 0,
	};
	return true;
}

unsigned loop_wait(struct loop *l, uint64_t timeout_ms, struct loop_event events[LOOP_EVENTS_MAX])
{
	struct epoll_event ready[LOOP_EVENTS_MAX];
	int ready_count =
		epoll_wait(l->epoll_fd, ready, LOOP_EVENTS_MAX, timeout_of(l, timeout_ms));
	ASSERT(ready_count >= 0 || errno == EINTR);
	unsigned count = 0;
	for (int i = 0; i < ready_count; i++)
		count += translate(l, &ready[i], &events[count]);
	return count;
}

bool loop_is_for_owner(struct loop *l, struct stream *s)
{
	return !layered_takes(s, l);
}

bool loop_has_layered(const struct loop *l)
{
	return openings_are_busy(&l->openings) || !list_is_empty(&l->held) ||
	       openings_give_way(&l->openings, l->now_ms);
}

static struct layered *layered_of(struct opening *at)
{
	return CONTAINER_OF(at, struct layered, opening);
}

static void open_some(struct loop *l)
{
	unsigned steps[2] = {0};
	struct opening *at;
	while ((at = openings_give_way(&l->openings, l->now_ms)))
		layered_fail(layered_of(at), l,
			     "handshake not finished, and others were waiting for theirs");
	while ((at = openings_next(&l->openings, steps, l->now_ms)))
		layered_step(layered_of(at), l);
}

/* What is left over stays in the list, and is reported in the next turn: so it goes to its end. */
unsigned loop_take_layered(struct loop *l, struct loop_event events[LOOP_EVENTS_MAX])
{
	unsigned count = 0;
	open_some(l);
	struct link *last = l->held.prev;
	while (!list_is_empty(&l->held) && count < LOOP_EVENTS_MAX) {
		struct link *link = l->held.next;
		struct layered *layered = CONTAINER_OF(link, struct layered, held);
		events[count++] = (struct loop_event){
			.stream = layered->stream,
			.is_readable = true,
		};
		link_remove(link);
		list_append(&l->held, link);
		if (link == last)
			break;
	}
	return count;
}

void loop_set_time(struct loop *l, uint64_t now_ms)
{
	l->now_ms = now_ms;
	linger_expire(&l->lingering, now_ms);
	if (now_ms < l->accept_again_ms)
		return;
	l->accept_again_ms = UINT64_MAX;
	if (loop_accept_from(l, l->listeners, l->listener_count) != 0)
		loop_accept_pause(l, 1000);
}

/* EPOLLEXCLUSIVE: a new connection wakes one of the loops, not all. */
int loop_accept_from(struct loop *l, struct listener *listeners, unsigned count)
{
	l->listeners = listeners;
	l->listener_count = count;
	l->is_accepting = true;
	for (unsigned i = 0; i < count; i++) {
		if (control(l, EPOLL_CTL_ADD, listeners[i].fd, EPOLLIN | EPOLLEXCLUSIVE,
			    &listeners[i], TAG_LISTENER) != 0 &&
		    errno != EEXIST)
			return ERROR_SYSTEM;
	}
	return 0;
}

/* An exclusive entry cannot be modified, only removed (epoll_ctl(2)). */
void loop_accept_pause(struct loop *l, uint64_t pause_ms)
{
	for (unsigned i = 0; i < l->listener_count && l->is_accepting; i++)
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->listeners[i].fd, NULL);
	l->is_accepting = false;
	l->accept_again_ms = pause_ms == UINT64_MAX ? UINT64_MAX : l->now_ms + pause_ms;
}

/* All are added again at that time, and one that is to wait longer is paused again. */
void loop_accept_pause_at(struct loop *l, const struct listener *at, uint64_t pause_ms)
{
	if (!l->is_accepting)
		return;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, at->fd, NULL);
	if (l->now_ms + pause_ms < l->accept_again_ms)
		l->accept_again_ms = l->now_ms + pause_ms;
}

int loop_add(struct loop *l, struct stream *s)
{
	s->wants = WANT_READ;
	return control(l, EPOLL_CTL_ADD, s->fd, EPOLLIN, s, 0);
}

void loop_remove(struct loop *l, struct stream *s)
{
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
}

/* A dead peer is reported even to one who wants nothing, and who therefore may not react: once is
 * enough then (EPOLLET), or the loop would spin. */
static uint32_t events_of(uint8_t wants)
{
	if (!wants)
		return EPOLLET;
	return (wants & WANT_READ ? EPOLLIN : 0) | (wants & WANT_WRITE ? EPOLLOUT : 0);
}

void loop_set_wants(struct loop *l, struct stream *s, bool readable, bool writable)
{
	uint8_t wants = (uint8_t)((readable ? WANT_READ : 0) | (writable ? WANT_WRITE : 0));
	if (wants == s->wants)
		return;
	s->wants = wants;
	control(l, EPOLL_CTL_MOD, s->fd, events_of(wants), s, 0);
}

void loop_linger(struct loop *l, int fd)
{
	struct lingerer *lingerer = linger_add(&l->lingering, fd, l->now_ms);
	if (lingerer)
		control(l, EPOLL_CTL_MOD, fd, EPOLLIN, lingerer, TAG_LINGERER);
}
