/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishers and subscribers: connect, warm up, measure, then wait for what is still under way.
 *
 *     connect | warm-up |  measured part  | drain | leave
 *                       start           end       (counted runs: end is behind the drain)
 */
#include <poll.h>
#include <signal.h>

#include "cli/bench_handshake.h"
#include "cli/bench_load.h"
#include "cli/bench_messages.h"
#include "cli/bench_publish.h"
#include "cli/bench_receive.h"
#include "cli/bench_signal.h"

/* The longest wait for events, so that stalls and the end are noticed. */
#define TICK_NS (BENCH_NS_PER_S / 10)
/* When nothing has come for so long, outstanding QoS 0 messages are taken for lost. */
#define GIVE_UP_NS BENCH_NS_PER_S
/* When nothing has come for so long, the rest will not come either. */
#define STUCK_NS (5 * BENCH_NS_PER_S)
/* The longest drain, however slowly it goes on. */
#define DRAIN_NS (60 * BENCH_NS_PER_S)
/* How long the server may take to close after DISCONNECT. */
#define LEAVE_MS 60000

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Is something that was sent still to be received or acknowledged? */
static bool is_under_way(const struct bench_run *run)
{
	const struct bench_counts *c = &run->counts;
	return (c->unique < c->expected && !run->is_away) || c->acknowledged < c->promised ||
	       (run->is_publishing && bench_publish_unsent(run) > 0);
}

static int take_event(struct bench_run *run, const struct epoll_event *event)
{
	struct bench_connection *c = event->data.ptr;
	int error = 0;
	if (event->events & EPOLLOUT) {
		error = bench_run_flush(run, c);
		if (!error && !c->is_blocked && c->role == BENCH_PUBLISHER)
			bench_run_enqueue(run, c->index);
	}
	if (error || !(event->events & ~(uint32_t)EPOLLOUT))
		return error;
	return c->role == BENCH_PUBLISHER ? bench_publish_receive(run, event->data.ptr)
					  : bench_receive(run, event->data.ptr);
}

/* Sends what may be sent, waits until `until_ns` at most, takes what came. */
static int turn(struct bench_run *run, uint64_t until_ns)
{
	uint64_t now_ns = bench_now_ns();
	uint64_t counted = run->counts.unique + run->counts.acknowledged;
	uint64_t due_ns = bench_publish_pace(run, now_ns);
	int count = 0;
	int error = bench_publish_queued(run);
	if (run->queue_count)
		until_ns = now_ns;
	if (!error)
		error = bench_run_wait(run, least(least(until_ns, due_ns), now_ns + TICK_NS),
				       &count);
	for (int i = 0; !error && i < count; i++)
		error = take_event(run, &run->events[i]);
	now_ns = bench_now_ns();
	if (run->counts.unique + run->counts.acknowledged != counted || !is_under_way(run))
		run->progress_ns = now_ns;
	bench_progress_note(&run->progress, run->options->scenario->name, now_ns,
			    run->counts.delivered);
	return error;
}

static bool has_stopped(const struct bench_run *run, uint64_t now_ns, uint64_t patience_ns)
{
	return now_ns > run->progress_ns + patience_ns;
}

/* May messages be lost without anybody's fault? */
static bool can_lose(const struct bench_run *run)
{
	return run->options->qos == 0 || run->options->plan;
}

/* Publishes until the time, the count or the server's answers have come to an end. */
int bench_messages_publish_until(struct bench_run *run, uint64_t until_ns)
{
	int error = 0;
	uint64_t now_ns = bench_now_ns();
	while (!error && now_ns < until_ns && !bench_publish_is_complete(run) &&
	       !has_stopped(run, now_ns, STUCK_NS) && !bench_signal_came()) {
		if (can_lose(run) && has_stopped(run, now_ns, GIVE_UP_NS))
			bench_publish_give_up(run);
		error = turn(run, until_ns);
		now_ns = bench_now_ns();
	}
	return error;
}

int bench_messages_drain(struct bench_run *run, uint64_t longest_ns)
{
	int error = 0;
	uint64_t patience_ns = run->options->qos ? STUCK_NS : GIVE_UP_NS;
	uint64_t now_ns = bench_now_ns(), until_ns = now_ns + longest_ns;
	while (!error && now_ns < until_ns && is_under_way(run) &&
	       !has_stopped(run, now_ns, patience_ns)) {
		error = turn(run, until_ns);
		now_ns = bench_now_ns();
	}
	return error;
}

int bench_messages_finish(struct bench_run *run, uint64_t longest_ns)
{
	run->is_pace_over = true;
	run->is_publishing = bench_publish_unsent(run) > 0;
	int error = bench_messages_drain(run, longest_ns);
	run->is_publishing = false;
	return error;
}

/* A version 5 server may allow fewer messages in flight than were asked for [MQTT-3.3.4-9]. */
static int open_windows(struct bench_run *run)
{
	for (uint32_t i = 0; i < run->publisher_count; i++) {
		struct bench_publisher *p = &run->publishers[i];
		uint64_t size = least(p->stream->window, p->connection.receive_maximum);
		if (p->stream->qos && bench_window_init(&p->window, (uint16_t)size) != 0)
			return bench_run_fail(run, "not enough memory for so large a window");
	}
	return 0;
}

int bench_messages_connect(struct bench_run *run)
{
	int error = bench_run_measure_rss(run, &run->rss_before);
	if (!error)
		error = bench_handshake_all(run, BENCH_SUBSCRIBER);
	if (!error)
		error = bench_handshake_all(run, BENCH_PUBLISHER);
	return error ? error : open_windows(run);
}

void bench_messages_start(struct bench_run *run)
{
	run->is_publishing = true;
	run->progress_ns = bench_now_ns();
	bench_messages_pace(run, 0);
}

void bench_messages_pace(struct bench_run *run, uint64_t rate)
{
	uint64_t now_ns = bench_now_ns();
	run->is_pace_over = false;
	for (uint32_t i = 0; i < run->stream_count; i++) {
		struct bench_stream *s = &run->streams[i];
		s->pace.start_ns = now_ns;
		s->pace.rate = rate ? rate : s->pace.rate;
		s->paced = 0;
	}
	for (uint32_t i = 0; i < run->publisher_count; i++) {
		run->publishers[i].sent_before = run->publishers[i].sent;
		bench_run_enqueue(run, i);
	}
}

static int start_measuring(struct bench_run *run)
{
	int error = bench_run_mark(run, &run->start);
	run->measured_from_ns = run->start.time_ns;
	return error;
}

static int end_measuring(struct bench_run *run)
{
	int error = bench_run_mark(run, &run->end);
	return error ? error : bench_run_measure_rss(run, &run->rss_after);
}

/* By time: the measured part ends with the publishing. By count: with the last arrival. */
static int measure(struct bench_run *run)
{
	int error = start_measuring(run);
	bench_signal_await(SIGINT); /* enough: what was measured until then is told */
	if (!error)
		error = bench_messages_publish_until(
			run, run->start.time_ns + run->options->duration_ms * 1000000);
	if (!error && !run->options->count)
		error = end_measuring(run);
	if (!error)
		error = bench_messages_finish(run, DRAIN_NS);
	if (!error && run->options->count) {
		error = end_measuring(run);
		run->end.time_ns = run->progress_ns;
	}
	return error;
}

/* The server closes when it has dealt with all that came. What it still sends is not looked at. */
static int wait_for_close(struct bench_run *run, struct bench_connection *c)
{
	struct pollfd readable = {.fd = c->fd, .events = POLLIN};
	ssize_t len = 1;
	while (len > 0) {
		if (poll(&readable, 1, LEAVE_MS) != 1)
			return bench_run_fail(run,
					      "the server did not close the connection of %s %u",
					      bench_role_name(c->role), c->index);
		len = recv(c->fd, run->inbox.ptr, run->inbox.len, 0);
	}
	bench_connection_close(c);
	return 0;
}

int bench_messages_leave(struct bench_run *run, enum bench_role role)
{
	int error = 0;
	bool is_publisher = role == BENCH_PUBLISHER;
	uint32_t count = is_publisher ? run->publisher_count : run->subscriber_count;
	for (uint32_t i = 0; !error && i < count; i++) {
		struct bench_connection *c = is_publisher ? &run->publishers[i].connection
							  : &run->subscribers[i].connection;
		error = bench_handshake_leave(run, c);
		if (!error && run->has_sessions)
			error = wait_for_close(run, c);
	}
	return error;
}

int bench_messages_end(struct bench_run *run)
{
	int error = bench_messages_leave(run, BENCH_PUBLISHER);
	if (!error)
		error = bench_messages_leave(run, BENCH_SUBSCRIBER);
	if (error || !run->has_sessions)
		return error;
	/* a session ends with a connection that wants a clean one */
	run->is_cleaning = true;
	error = bench_handshake_all(run, BENCH_SUBSCRIBER);
	return error ? error : bench_messages_leave(run, BENCH_SUBSCRIBER);
}

int bench_load_messages(struct bench_run *run)
{
	int error = bench_messages_connect(run);
	if (error)
		return error;
	bench_messages_start(run);
	error = bench_messages_publish_until(run,
					     bench_now_ns() + run->options->warmup_ms * 1000000);
	if (!error)
		error = measure(run);
	return error ? error : bench_messages_end(run);
}
