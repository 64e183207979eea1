/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/worker.h"

#include "daemon/server.h"
#include "mqtt/reason.h"

#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>

/* Connections accepted for one report of a listener, so that a storm of them does not keep those
 * who are connected waiting. */
#define ACCEPT_BATCH 32

/* Without descriptors: time for some to become free. */
#define ACCEPT_PAUSE_MS 1000

/* The last checkpoint makes the next start fast, and so may take a while. */
#define LAST_CHECKPOINT_MS 5000
#define LAST_CHECKPOINT_LOOK_MS 10

/* One line of log per minute about that. */
#define COMPLAINT_PAUSE_MS 60000

int worker_open(struct worker *w, struct crew *crew, unsigned index)
{
	*w = (struct worker){.crew = crew, .index = index};
	log_buffer_init(&w->lines, crew->log);
	return loop_open(&w->loop, clock_now(&w->clock).steady_ms);
}

void worker_close(struct worker *w)
{
	listening_unref(w->listening);
	listening_unref(w->next);
	log_buffer_flush(&w->lines);
	log_buffer_release(&w->lines);
	loop_close(&w->loop);
}

static bool may_complain(struct worker *w, atomic_uint_fast64_t *at_ms)
{
	uint64_t now_ms = w->loop.now_ms;
	uint64_t last_ms = atomic_load(at_ms);
	/* another thread may have the later time */
	if (last_ms > 0 && now_ms < last_ms + COMPLAINT_PAUSE_MS)
		return false;
	return atomic_compare_exchange_strong(at_ms, &last_ms, now_ms);
}

static void complain(struct worker *w, const char *reason)
{
	if (may_complain(w, &w->crew->complaint_ms))
		log_line(w->crew->log, LOG_TYPE_WARNING,
			 "Cannot accept more connections for now: %s. They wait until others "
			 "leave.",
			 reason);
}

/* Faster than connect_rate, or than we can: the rest stays in the system's queue, in its order. */
static void hold_listener(struct worker *w, const struct listener *listener, uint64_t wait_ms)
{
	loop_accept_pause_at(&w->loop, listener, wait_ms);
	if (may_complain(w, &w->crew->held_ms))
		log_line(w->crew->log, LOG_TYPE_NOTICE,
			 "Connections to %s come faster than they are let in: they wait.",
			 listener->text);
}

static void accept_some(struct worker *w, struct listener *listener)
{
	for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
		struct stream stream;
		struct door *door = listening_door(w->listening, listener);
		struct peer peer = {
			.port = listener->port,
			.answer = door->answer,
			.realm = door->realm,
			.is_named_by_user = door->is_named_by_user,
			.refused_versions = door->refused_versions,
			.listener = door->listener,
			.mount = door->mount,
			.is_proxied = door->has_proxy || door->websocket.trusts_forwarded,
		};
		uint64_t wait_ms = shard_accept_wait_ms(w->shard, door->listener);
		if (wait_ms > 0) {
			hold_listener(w, listener, wait_ms);
			return;
		}
		_Static_assert(sizeof(peer.address) == ADDRESS_TEXT_MAX, "room for any address");
		int error = listener_accept(listener, &stream, peer.address);
		if (error == ERROR_LIMIT) {
			complain(w, strerror(errno));
			loop_accept_pause(&w->loop, ACCEPT_PAUSE_MS);
		}
		if (error != 0)
			return;
		if (!shard_admits(w->shard, &peer))
			stream.ops->close(&stream);
		else if (door_furnish(door, &stream, w->shard) == 0)
			shard_accept(w->shard, &stream, &peer);
		else
			shard_dismiss(w->shard, &peer);
	}
}

static void begin_to_stop(struct worker *w, uint64_t now_ms)
{
	w->is_stopping = true;
	w->drain_until_ms = now_ms + atomic_load(&w->crew->drain_ms);
	loop_accept_pause(&w->loop, UINT64_MAX);
	shard_shutdown(w->shard, REASON_SERVER_SHUTTING_DOWN);
}

static void take_layered(struct worker *w)
{
	struct loop_event events[LOOP_EVENTS_MAX];
	if (!loop_has_layered(&w->loop))
		return;
	unsigned count = loop_take_layered(&w->loop, events);
	for (unsigned i = 0; i < count; i++)
		shard_ready(w->shard, events[i].stream, true, false);
}

/* What others have logged, too; what comes of it is debug, and so not published again. */
static void publish_log(struct worker *w)
{
	struct log_topic_line line;
	while (log_take_topic(w->crew->log, &line))
		shard_publish(w->shard, span_of_text(line.topic), span_of(line.text, line.len));
}

static struct listening *listening_of(struct crew *crew, unsigned *seen_out)
{
	pthread_mutex_lock(&crew->listening_mutex);
	struct listening *l = listening_ref(crew->listening);
	*seen_out = atomic_load_explicit(&crew->listening_count, memory_order_relaxed);
	pthread_mutex_unlock(&crew->listening_mutex);
	return l;
}

static void accept_from(struct worker *w, struct listening *l)
{
	loop_accept_pause(&w->loop, UINT64_MAX);
	if (!w->is_stopping && loop_accept_from(&w->loop, l->listeners, l->count) != 0)
		loop_accept_pause(&w->loop, ACCEPT_PAUSE_MS);
	listening_unref(w->listening);
	w->listening = l;
}

/*
 * Between turns, when no event speaks of a listener any more. Those who come by the next set may be
 * judged by what was posted to the shard before it: so that is read first, by one more turn.
 */
static void follow_listening(struct worker *w)
{
	unsigned count = atomic_load_explicit(&w->crew->listening_count, memory_order_relaxed);
	if (LIKELY(!w->next && count == w->listening_seen))
		return;
	if (w->next) {
		accept_from(w, w->next);
		w->next = NULL;
	}
	if (count == w->listening_seen)
		return;
	w->next = listening_of(w->crew, &w->listening_seen);
	loop_wake(&w->loop);
}

static void take_turn(struct worker *w, const struct loop_event *events, unsigned count)
{
	struct moment now = clock_now(&w->clock);
	loop_set_time(&w->loop, now.steady_ms);
	shard_turn_begin(w->shard, now);
	for (unsigned i = 0; i < count; i++) {
		const struct loop_event *e = &events[i];
		if (e->listener)
			accept_some(w, e->listener);
		else if (loop_is_for_owner(&w->loop, e->stream))
			shard_ready(w->shard, e->stream, e->is_readable, e->is_writable);
	}
	take_layered(w);
	if (!w->is_stopping && atomic_load_explicit(&w->crew->is_stopping, memory_order_relaxed))
		begin_to_stop(w, now.steady_ms);
	if (w->index == 0)
		publish_log(w);
	shard_turn_end(w->shard);
	shard_note_turn(w->shard, now.steady_ms, clock_steady_ms());
	log_buffer_flush(&w->lines);
	follow_listening(w);
	atomic_fetch_add_explicit(&w->turn_count, 1, memory_order_relaxed);
}

static void wake_all(struct crew *crew)
{
	for (unsigned i = 0; i < crew->worker_count; i++)
		loop_wake(&crew->workers[i].loop);
}

/* When all clients have gone, what they left is written down in one piece: the next start need not
 * follow the log. One worker asks for it, all wait, since each has its part in it. */
static bool is_written_down(struct worker *w)
{
	struct crew *crew = w->crew;
	if (!store_is_usable(crew->store) ||
	    w->loop.now_ms >= w->drain_until_ms + LAST_CHECKPOINT_MS)
		return true;
	uint64_t count = store_checkpoint_count(crew->store), goal = 0;
	if (atomic_compare_exchange_strong(&crew->checkpoint_goal, &goal, count + 1)) {
		broker_want_checkpoint(crew->broker);
		return false;
	}
	return count >= goal;
}

/* A worker serves until all have drained: others may need its answers. */
static bool is_done(struct worker *w)
{
	if (!w->is_stopping)
		return false;
	bool is_drained = shard_connection_count(w->shard) == 0;
	bool is_late = w->loop.now_ms >= w->drain_until_ms;
	if (is_drained && !w->is_drained)
		atomic_fetch_add(&w->crew->drained_count, 1);
	if (!is_drained && w->is_drained)
		atomic_fetch_sub(&w->crew->drained_count, 1);
	w->is_drained = is_drained;
	if (atomic_load(&w->crew->drained_count) < w->crew->worker_count)
		return is_late;
	/* who does not close its end keeps us a while, but not from writing */
	return is_written_down(w) && (is_late || w->loop.lingering.count == 0);
}

static uint64_t wait_ms_of(struct worker *w)
{
	uint64_t wait_ms = loop_has_layered(&w->loop) ? 0 : shard_wait_ms(w->shard);
	if (wait_ms > 0 && !shard_sleep(w->shard))
		wait_ms = 0;
	if (w->is_stopping && wait_ms > LAST_CHECKPOINT_LOOK_MS)
		wait_ms = LAST_CHECKPOINT_LOOK_MS;
	return wait_ms;
}

static void *run(void *context)
{
	struct worker *w = context;
	struct loop_event events[LOOP_EVENTS_MAX];
	take_turn(w, NULL, 0);
	while (!is_done(w)) {
		unsigned count = loop_wait(&w->loop, wait_ms_of(w), events);
		take_turn(w, events, count);
	}
	wake_all(w->crew);
	if (atomic_fetch_sub(&w->crew->running_count, 1) == 1)
		eventfd_write(w->crew->ended_fd, 1);
	return NULL;
}

int worker_start(struct worker *w)
{
	char name[16];
	w->listening = listening_of(w->crew, &w->listening_seen);
	if (loop_accept_from(&w->loop, w->listening->listeners, w->listening->count) != 0)
		return ERROR_SYSTEM;
	errno = pthread_create(&w->thread, NULL, run, w);
	if (errno != 0)
		return ERROR_SYSTEM;
	snprintf(name, sizeof(name), "shard %u", w->index);
	pthread_setname_np(w->thread, name);
	return 0;
}
