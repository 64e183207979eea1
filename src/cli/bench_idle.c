/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that connect and stay silent: the server's memory before and with them, and the CPU time
 * that their being there costs. */
#include "cli/bench_handshake.h"
#include "cli/bench_load.h"

/* Nothing is expected; a connection that the server closes ends the run. */
static int hold_until(struct bench_run *run, uint64_t until_ns)
{
	int error = 0;
	while (!error && bench_now_ns() < until_ns) {
		int count = 0;
		error = bench_run_wait(run, until_ns, &count);
		for (int i = 0; !error && i < count; i++)
			error = bench_handshake_step(run, run->events[i].data.ptr);
	}
	return error;
}

int bench_load_idle(struct bench_run *run)
{
	int error = bench_run_measure_rss(run, &run->rss_before);
	if (!error)
		error = bench_handshake_all(run, BENCH_CLIENT);
	if (!error)
		error = hold_until(run, bench_now_ns() + run->options->warmup_ms * 1000000);
	if (!error)
		error = bench_run_mark(run, &run->start);
	if (!error)
		error = hold_until(run, run->start.time_ns + run->options->duration_ms * 1000000);
	if (!error)
		error = bench_run_mark(run, &run->end);
	if (!error)
		error = bench_run_measure_rss(run, &run->rss_after);
	for (uint32_t i = 0; !error && i < run->client_count; i++)
		error = bench_handshake_leave(run, &run->clients[i]);
	return error;
}
