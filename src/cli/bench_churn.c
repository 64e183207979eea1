/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that connect, are accepted, disconnect and come again under another client id. The
 * server closes first, as it should after DISCONNECT ([5] 3.14.4): its side then holds TIME_WAIT,
 * and the client's ports are free at once.
 */
#include "base/mem.h"
#include "cli/bench_handshake.h"
#include "cli/bench_load.h"

/* A server that answers nobody for so long is taken for hung. */
#define PATIENCE_NS (10 * BENCH_NS_PER_S)

struct churn {
	struct bench_run *run;
	struct bench_connection **free; /* a stack of closed connections */
	uint32_t free_count;
	uint32_t started;
};

/* How many may have been started by now. */
static uint64_t startable(const struct churn *churn, uint64_t now_ns)
{
	const struct bench_options *o = churn->run->options;
	uint64_t most = o->count ? o->count : UINT32_MAX;
	if (!o->rate)
		return most;
	uint64_t due = bench_pace_due(&churn->run->pace, now_ns);
	return due < most ? due : most;
}

static int start_some(struct churn *churn, uint64_t now_ns)
{
	struct bench_run *run = churn->run;
	uint64_t most = startable(churn, now_ns);
	while (churn->free_count && churn->started < most) {
		struct bench_connection *c = churn->free[--churn->free_count];
		uint32_t number = churn->started++;
		c->index = number;
		int error = bench_handshake_begin(run, c);
		if (error)
			return error;
		if (run->options->rate)
			c->opened_ns = bench_pace_time(&run->pace, number);
	}
	return 0;
}

static void count_connected(struct bench_run *run, const struct bench_connection *c)
{
	uint64_t now_ns = bench_now_ns();
	run->counts.connected++;
	run->progress_ns = now_ns;
	if (c->opened_ns >= run->measured_from_ns)
		bench_histogram_record(&run->latency, now_ns - c->opened_ns, 1);
}

/* DISCONNECT was sent: the server closes, and the next may come. */
static int take_leaving(struct churn *churn, struct bench_connection *c)
{
	struct bench_scanner scanner;
	int error = bench_connection_receive(c, &churn->run->inbox, &scanner);
	if (error == ERROR_SYSTEM)
		return bench_run_fail_connection(churn->run, c, error);
	if (error == ERROR_CLOSED) {
		bench_connection_close(c);
		churn->free[churn->free_count++] = c;
	}
	return 0;
}

static int take_event(struct churn *churn, struct bench_connection *c)
{
	if (c->stage == BENCH_LEAVING)
		return take_leaving(churn, c);
	int error = bench_handshake_step(churn->run, c);
	if (error || c->stage != BENCH_READY)
		return error;
	count_connected(churn->run, c);
	return bench_handshake_leave(churn->run, c);
}

static int turn(struct churn *churn, uint64_t until_ns)
{
	struct bench_run *run = churn->run;
	uint64_t now_ns = bench_now_ns();
	int error = start_some(churn, now_ns), count = 0;
	uint64_t patience_ns = run->progress_ns + PATIENCE_NS;
	bool is_waiting = churn->free_count < run->client_count;
	if (!error && is_waiting && now_ns > patience_ns)
		return bench_run_fail(run, "the server did not answer for %u seconds",
				      (unsigned)(PATIENCE_NS / BENCH_NS_PER_S));
	uint64_t due_ns = run->options->rate && churn->free_count
				  ? bench_pace_time(&run->pace, churn->started)
				  : UINT64_MAX;
	uint64_t wake_ns = is_waiting && patience_ns < until_ns ? patience_ns + 1 : until_ns;
	if (!error)
		error = bench_run_wait(run, due_ns < wake_ns ? due_ns : wake_ns, &count);
	for (int i = 0; !error && i < count; i++)
		error = take_event(churn, run->events[i].data.ptr);
	return error;
}

static int churn_until(struct churn *churn, uint64_t until_ns)
{
	struct bench_run *run = churn->run;
	int error = 0;
	while (!error && bench_now_ns() < until_ns &&
	       !(run->options->count && run->counts.connected >= run->options->count))
		error = turn(churn, until_ns);
	return error;
}

static int churn_run(struct churn *churn)
{
	struct bench_run *run = churn->run;
	run->progress_ns = bench_now_ns();
	run->pace = (struct bench_pace){run->progress_ns, run->options->rate, run->options->burst};
	int error = bench_run_measure_rss(run, &run->rss_before);
	if (!error)
		error = churn_until(churn, run->progress_ns + run->options->warmup_ms * 1000000);
	if (!error)
		error = bench_run_mark(run, &run->start);
	run->measured_from_ns = run->start.time_ns;
	if (!error)
		error = churn_until(churn,
				    run->start.time_ns + run->options->duration_ms * 1000000);
	if (!error)
		error = bench_run_mark(run, &run->end);
	return error ? error : bench_run_measure_rss(run, &run->rss_after);
}

int bench_load_churn(struct bench_run *run)
{
	struct churn churn = {.run = run, .free_count = run->client_count};
	churn.free = mem_alloc(run->client_count * sizeof(struct bench_connection *));
	if (!churn.free)
		return bench_run_fail(run, "not enough memory for so many clients");
	for (uint32_t i = 0; i < run->client_count; i++)
		churn.free[i] = &run->clients[i];
	int error = churn_run(&churn);
	mem_free(churn.free);
	return error;
}
