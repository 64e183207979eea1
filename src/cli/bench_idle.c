/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that connect and stay silent: the server's memory before and with them, and the CPU time
 * that their being there costs. With --reconnect all of them are lost and come back at once, as
 * when a network returns.
 */
#include <signal.h>

#include "cli/bench_handshake.h"
#include "cli/bench_load.h"
#include "cli/bench_signal.h"

/* A signal is noticed within so long. */
#define LOOK_NS (BENCH_NS_PER_S / 50)

/* Nothing is expected; a connection that the server closes ends the run. */
static int hold_until(struct bench_run *run, uint64_t until_ns)
{
	int error = 0;
	uint64_t now_ns;
	while (!error && !bench_signal_came() && (now_ns = bench_now_ns()) < until_ns) {
		int count = 0;
		uint64_t look_ns = now_ns + LOOK_NS;
		error = bench_run_wait(run, look_ns < until_ns ? look_ns : until_ns, &count);
		for (int i = 0; !error && i < count; i++)
			error = bench_handshake_step(run, run->events[i].data.ptr);
	}
	return error;
}

static int reconnect(struct bench_run *run)
{
	run->counts.resumed = 0; /* the first handshakes made room for it */
	run->lost_ns = bench_now_ns();
	for (uint32_t i = 0; i < run->client_count; i++)
		bench_connection_close(&run->clients[i]);
	return bench_handshake_all(run, BENCH_CLIENT);
}

int bench_load_idle(struct bench_run *run)
{
	const struct bench_options *o = run->options;
	int error = bench_run_measure_rss(run, &run->rss_before);
	if (!error)
		error = bench_handshake_all(run, BENCH_CLIENT);
	if (o->reconnects)
		bench_signal_await(SIGUSR1);
	if (!error)
		error = hold_until(run, bench_now_ns() + o->warmup_ms * 1000000);
	if (!error && o->reconnects)
		error = reconnect(run);
	if (!error)
		error = bench_run_mark(run, &run->start);
	if (!error)
		error = hold_until(run, run->start.time_ns + o->duration_ms * 1000000);
	if (!error)
		error = bench_run_mark(run, &run->end);
	if (!error)
		error = bench_run_measure_rss(run, &run->rss_after);
	for (uint32_t i = 0; !error && i < run->client_count; i++)
		error = bench_handshake_leave(run, &run->clients[i]);
	return error;
}
