/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps of rising rate over the same connections. Each step has a timetable of its own, is waited
 * for until its last message has come, and is told by itself; what a step made wait is in its
 * latencies, and not in those of the next one.
 */
#include <stdio.h>

#include "base/mem.h"
#include "cli/bench_load.h"
#include "cli/bench_messages.h"
#include "cli/bench_publish.h"
#include "cli/bench_text.h"

/* The longest wait for what a step has left behind. */
#define DRAIN_NS (20 * BENCH_NS_PER_S)
/* A server that needs so much longer than the step for what the step held does not keep up: this
 * part of the step, but no less than a busy machine may stand still for. */
#define BEHIND_PART 10
#define BEHIND_NS (BENCH_NS_PER_S / 5)
/* Latency breaks where the 99th percentile is so many times that of the first steps ... */
#define BREAK_TIMES 10
/* ... and is no longer noise of the machine. */
#define BREAK_NS 1000000

static int measure_step(struct bench_run *run, uint64_t rate, uint64_t ns)
{
	run->latency = run->done_latency = (struct bench_histogram){0};
	run->is_publishing = true;
	int error = bench_run_mark(run, &run->start);
	run->measured_from_ns = run->start.time_ns;
	bench_messages_pace(run, rate);
	if (!error)
		error = bench_messages_publish_until(run, run->start.time_ns + ns);
	if (!error)
		error = bench_run_mark(run, &run->end);
	if (!error)
		error = bench_messages_finish(run, DRAIN_NS);
	return error;
}

static bool keeps_up(const struct bench_run *run, const struct bench_result *r)
{
	uint64_t end_ns = run->end.time_ns;
	uint64_t behind_ns = run->progress_ns > end_ns ? run->progress_ns - end_ns : 0;
	uint64_t allowed_ns = (end_ns - run->start.time_ns) / BEHIND_PART;
	return r->unsent == 0 && behind_ns <= (allowed_ns > BEHIND_NS ? allowed_ns : BEHIND_NS);
}

static void judge(const struct bench_run *run, struct bench_series *series)
{
	struct bench_result *r = &series->results[series->count - 1];
	uint64_t p99_ns = bench_histogram_percentile(&r->latency, 0.99);
	if (series->count == 1 || p99_ns < series->calm_ns)
		series->calm_ns = p99_ns;
	bool breaks = p99_ns > BREAK_TIMES * series->calm_ns && p99_ns > BREAK_NS;
	series->is_over = !keeps_up(run, r);
	if ((breaks || series->is_over) && series->breaks_at == 0)
		series->breaks_at = r->rate;
}

static int take_step(struct bench_run *run, struct bench_series *series, uint64_t rate,
		     struct bench_result *total)
{
	char text[BENCH_TEXT_MAX];
	struct bench_result *r = &series->results[series->count];
	int error = measure_step(run, rate, run->options->ramp.step_ms * 1000000);
	if (error)
		return error;
	bench_result_of(run, total, r);
	bench_result_of(run, NULL, total);
	r->rate = rate;
	snprintf(r->label, sizeof(r->label), "%s/s", bench_text_count(rate, text));
	series->count++;
	judge(run, series);
	return 0;
}

static int take_steps(struct bench_run *run, struct bench_series *series)
{
	const struct bench_ramp *ramp = &run->options->ramp;
	struct bench_result *total = mem_zalloc(sizeof(*total));
	int error = 0;
	if (!total)
		return bench_run_fail(run, "not enough memory");
	for (uint64_t rate = ramp->from; !error && rate <= ramp->to && !series->is_over;
	     rate += ramp->step)
		error = take_step(run, series, rate, total);
	mem_free(total);
	return error;
}

int bench_load_ramp(struct bench_run *run, struct bench_series *series)
{
	int error = bench_messages_connect(run);
	if (error)
		return error;
	bench_messages_start(run);
	bench_messages_pace(run, run->options->ramp.from);
	error = bench_messages_publish_until(run,
					     bench_now_ns() + run->options->warmup_ms * 1000000);
	if (!error)
		error = bench_messages_finish(run, DRAIN_NS);
	if (!error)
		error = take_steps(run, series);
	if (!error)
		error = bench_run_measure_rss(run, &run->rss_after);
	return error ? error : bench_messages_end(run);
}
