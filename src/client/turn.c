/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One turn of whoever drives, and how calls wait: they drive where nobody else does.
 *
 *	prepare    connect, timers, write        locked
 *	poll       until something is ready      unlocked
 *	work       read, engine                  locked
 *	hand out   callbacks                     unlocked, one after the other
 *	write      what the callbacks gave       locked
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "client/kept.h"

uint64_t client_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool client_is_driver(const nj_client *c)
{
	return c->is_driven && pthread_equal(c->driver, pthread_self());
}

void client_wake(nj_client *c)
{
	uint64_t one = 1;
	bool may_sleep = c->is_driven ? c->is_polling : c->is_watched;
	if (c->has_wake || !may_sleep)
		return; /* whoever drives next looks before it sleeps */
	c->has_wake = true;
	(void)!write(c->wake_fd, &one, sizeof(one));
}

static void take_wake(nj_client *c)
{
	uint64_t count;
	(void)!read(c->wake_fd, &count, sizeof(count)); /* a resolver writes to it too */
	c->has_wake = false;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* With one_by_one: is the next packet there, and room for what it brings? */
static bool goes_on(const nj_client *c)
{
	return c->link == LINK_OPEN && engine_has_more(c->engine) &&
	       c->inbox_bytes < c->inbox_bytes_max;
}

uint64_t client_deadline(const nj_client *c, uint64_t now_ms)
{
	uint64_t due = UINT64_MAX;
	if (!list_is_empty(&c->events) || c->is_freed ||
	    (c->wants_connection && c->link == LINK_DOWN) ||
	    (c->resolver && resolver_is_done(c->resolver))) /* its wake may be taken already */
		return now_ms;
	if (c->link == LINK_WAITING)
		due = c->retry_at_ms;
	if (c->fd >= 0 || c->resolver)
		due = c->deadline_ms;
	if (c->link == LINK_OPEN)
		due = goes_on(c) || link_holds_bytes(c) ? now_ms
							: earliest(due, engine_deadline(c->engine));
	for (struct link *at = c->again.next; at != &c->again; at = at->next)
		due = earliest(due, CONTAINER_OF(at, struct nj_message, event.link)->again_ms);
	due = earliest(due, engine_expiry_deadline(c->engine));
	return earliest(earliest(due, fault_deadline(c)), request_deadline(c));
}

static void prepare(nj_client *c, uint64_t now_ms)
{
	if (c->wants_connection && c->link == LINK_DOWN)
		connect_begin(c, now_ms);
	else if (c->link == LINK_WAITING && now_ms >= c->retry_at_ms)
		connect_begin(c, now_ms);
	connect_resolved(c, now_ms);
	link_timers(c, now_ms);
	message_again_due(c, now_ms);
	request_due(c, now_ms);
	engine_expire(c->engine, now_ms);
	subscribe_pending(c);
	link_write(c, now_ms);
	link_watch(c);
}

static int timeout_until(uint64_t due_ms, uint64_t now_ms)
{
	uint64_t wait = due_ms > now_ms ? due_ms - now_ms : 0;
	if (due_ms == UINT64_MAX)
		return -1;
	return wait > INT32_MAX ? INT32_MAX : (int)wait;
}

static void poll_and_work(nj_client *c, uint64_t until_ms)
{
	struct epoll_event ready[2];
	uint64_t now_ms = client_now_ms();
	uint64_t due_ms = earliest(until_ms, client_deadline(c, now_ms));
	c->is_polling = true;
	pthread_mutex_unlock(&c->mutex);
	int count = epoll_wait(c->epoll_fd, ready, 2, timeout_until(due_ms, now_ms));
	pthread_mutex_lock(&c->mutex);
	c->is_polling = false;
	now_ms = client_now_ms();
	bool has_packet = goes_on(c);
	if (has_packet)
		engine_continue(c->engine, now_ms);
	for (int i = 0; i < count; i++) {
		if (ready[i].data.fd == c->wake_fd)
			take_wake(c);
		else if (ready[i].data.fd == c->fd && !has_packet)
			link_ready(c, ready[i].events, now_ms);
	}
	if (!has_packet && link_holds_bytes(c))
		link_ready(c, EPOLLIN, now_ms);
}

/* What was acknowledged is told the server before. */
static void part(nj_client *c)
{
	if (c->link == LINK_OPEN && inbox_is_answering(c))
		return;
	if (c->disconnects_soon && c->link == LINK_OPEN)
		client_say_farewell(c);
	c->disconnects_soon = false;
}

/* One turn; sleeps until then at most, and not at all when that which is waited for is there
 * (`is_done` may be NULL). Nobody else may be driving. */
static void take_turn(nj_client *c, uint64_t until_ms, bool (*is_done)(nj_client *c, void *subject),
		      void *subject)
{
	c->is_driven = true;
	c->is_polling = false;
	c->driver = pthread_self();
	prepare(c, client_now_ms());
	poll_and_work(c, is_done && is_done(c, subject) ? 0 : until_ms);
	events_hand_out(c);
	part(c);
	subscribe_pending(c);
	link_write(c, client_now_ms());
	link_watch(c);
	c->is_driven = false;
	c->is_polling = true;
	pthread_cond_broadcast(&c->changed);
}

static void wait_for_change(nj_client *c, uint64_t until_ms)
{
	struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
				 .tv_nsec = (long)(until_ms % 1000) * 1000000};
	if (until_ms == UINT64_MAX)
		pthread_cond_wait(&c->changed, &c->mutex);
	else
		pthread_cond_timedwait(&c->changed, &c->mutex, &until);
}

int client_wait(nj_client *c, bool (*is_done)(nj_client *c, void *subject), void *subject,
		int64_t timeout_ms)
{
	uint64_t now_ms = client_now_ms();
	uint64_t until_ms = timeout_ms < 0 ? UINT64_MAX : now_ms + (uint64_t)timeout_ms;
	int error = 0;
	if (is_done(c, subject))
		return 0;
	if (client_is_driver(c))
		return NJ_ERROR_WOULD_WAIT;
	c->wait_count++;
	while (!error && !is_done(c, subject)) {
		if (c->is_freed)
			error = NJ_ERROR_CLOSED;
		else if (client_now_ms() >= until_ms)
			error = NJ_ERROR_TIMED_OUT;
		else if (c->has_thread || c->is_driven)
			wait_for_change(c, until_ms);
		else
			take_turn(c, until_ms, is_done, subject);
	}
	c->wait_count--;
	pthread_cond_broadcast(&c->changed); /* somebody else is to drive, or to free */
	return error;
}

/* --- the public ways to drive --- */

static void *drive(void *context)
{
	nj_client *c = context;
	pthread_mutex_lock(&c->mutex);
	while (!c->is_freed || c->is_driven) {
		if (c->is_driven) /* a call that has begun before there was a thread */
			pthread_cond_wait(&c->changed, &c->mutex);
		else
			take_turn(c, UINT64_MAX, NULL, NULL);
	}
	while (c->is_orphan && c->wait_count > 0)
		pthread_cond_wait(&c->changed, &c->mutex);
	c->has_thread = !c->is_orphan; /* else somebody joins it */
	if (c->is_orphan)
		pthread_detach(pthread_self());
	client_leave(c);
	return NULL;
}

int nj_start(nj_client *c)
{
	sigset_t all, before;
	pthread_mutex_lock(&c->mutex);
	if (c->has_thread) {
		pthread_mutex_unlock(&c->mutex);
		return NJ_ERROR_INVALID;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&c->thread, NULL, drive, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	c->has_thread = error == 0;
	pthread_mutex_unlock(&c->mutex);
	errno = error;
	return error ? NJ_ERROR_SYSTEM : 0;
}

/* From here on somebody else's loop may sleep on it: it is to look at what was given before. */
int nj_descriptor(nj_client *c)
{
	pthread_mutex_lock(&c->mutex);
	bool is_first = !c->is_watched;
	c->is_watched = true;
	if (is_first)
		client_wake(c);
	pthread_mutex_unlock(&c->mutex);
	return c->epoll_fd;
}

int nj_timeout_ms(nj_client *c)
{
	pthread_mutex_lock(&c->mutex);
	uint64_t now_ms = client_now_ms();
	int timeout = timeout_until(client_deadline(c, now_ms), now_ms);
	pthread_mutex_unlock(&c->mutex);
	return timeout;
}

int nj_step(nj_client *c)
{
	int error = 0;
	pthread_mutex_lock(&c->mutex);
	if (client_is_driver(c))
		error = NJ_ERROR_WOULD_WAIT;
	else if (!c->has_thread && !c->is_driven)
		take_turn(c, 0, NULL, NULL);
	if (c->is_freed)
		error = NJ_ERROR_CLOSED;
	client_leave(c);
	return error;
}
