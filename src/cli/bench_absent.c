/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue for subscribers that are not there: how fast it fills, what each message in it takes of
 * the server's memory, and how fast it drains when they are back.
 *
 *     connect, subscribe, leave | fill | come back, drain | leave
 */
#include "cli/bench_handshake.h"
#include "cli/bench_load.h"
#include "cli/bench_messages.h"
#include "cli/bench_receive.h"

/* A queue of millions takes minutes to drain from a slow server. */
#define DRAIN_NS (900 * BENCH_NS_PER_S)
/* How long the server may take to accept a connection. */
#define PATIENCE_NS (10 * BENCH_NS_PER_S)

static int fill(struct bench_run *run)
{
	uint64_t rss_before = 0, rss_after = 0;
	int error = bench_run_measure_rss(run, &rss_before);
	if (error)
		return error;
	run->is_away = true;
	uint64_t start_ns = bench_now_ns();
	run->measured_from_ns = start_ns;
	bench_messages_start(run);
	error = bench_messages_publish_until(run, start_ns + run->options->duration_ms * 1000000);
	run->is_publishing = false;
	if (!error)
		error = bench_messages_drain(run, DRAIN_NS);
	if (!error)
		error = bench_run_measure_rss(run, &rss_after);
	run->measured_from_ns = UINT64_MAX; /* how long they lay there is nobody's latency */
	run->fill_ns = run->progress_ns - start_ns;
	run->fill_count = run->counts.acknowledged - run->counts.refused;
	run->fill_rss_bytes = rss_after > rss_before ? rss_after - rss_before : 0;
	run->is_away = false;
	return error;
}

/* Messages may come right behind CONNACK: from there on it is bench_receive's. */
static int come_back(struct bench_run *run)
{
	uint32_t connected = 0;
	int error = 0, count = 0;
	for (uint32_t i = 0; !error && i < run->subscriber_count; i++)
		error = bench_handshake_begin(run, &run->subscribers[i].connection);
	while (!error && connected < run->subscriber_count) {
		error = bench_run_wait(run, bench_now_ns() + PATIENCE_NS, &count);
		if (!error && count == 0)
			return bench_run_fail(run, "the server does not take the subscribers back");
		for (int i = 0; !error && i < count; i++) {
			struct bench_connection *c = run->events[i].data.ptr;
			bool is_new = c->stage == BENCH_CONNECTING;
			if (is_new)
				error = bench_handshake_step(run, c);
			else if (c->role == BENCH_SUBSCRIBER)
				error = bench_receive(run, run->events[i].data.ptr);
			connected += !error && is_new && c->stage != BENCH_CONNECTING;
		}
	}
	return error;
}

static int drain(struct bench_run *run)
{
	int error = bench_run_mark(run, &run->start);
	if (!error)
		error = come_back(run);
	run->progress_ns = bench_now_ns();
	if (!error)
		error = bench_messages_drain(run, DRAIN_NS);
	if (!error)
		error = bench_run_mark(run, &run->end);
	if (!error)
		error = bench_run_measure_rss(run, &run->rss_after);
	run->end.time_ns = run->progress_ns;
	return error;
}

int bench_load_absent(struct bench_run *run)
{
	int error = bench_messages_connect(run);
	if (!error)
		error = bench_messages_leave(run, BENCH_SUBSCRIBER);
	if (!error)
		error = fill(run);
	if (!error && run->options->is_kept)
		return bench_messages_leave(run, BENCH_PUBLISHER);
	if (!error)
		error = drain(run);
	return error ? error : bench_messages_end(run);
}
