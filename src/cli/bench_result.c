/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_result.h. */
#include "cli/bench_result.h"

#include "cli/bench_publish.h"
#include "cli/bench_receive.h"

const struct bench_percentile bench_percentiles[BENCH_PERCENTILE_COUNT] = {
	{"p50", "p50_us", 0.5},  {"p90", "p90_us", 0.9},       {"p95", "p95_us", 0.95},
	{"p99", "p99_us", 0.99}, {"p99.9", "p99_9_us", 0.999}, {"p99.99", "p99_99_us", 0.9999},
	{"max", "max_us", 1},
};

/* Deliveries that are missing at this QoS and above; refused publications were never owed. */
static uint64_t lost_of(const struct bench_run *run, uint8_t qos_min)
{
	uint64_t missing = bench_receive_missing(run, qos_min);
	uint64_t owed = 0;
	if (run->options->is_kept) /* all of them, and rightly so */
		return 0;
	for (uint32_t i = 0; i < run->publisher_count; i++)
		owed += (uint64_t)run->publishers[i].sent * run->publishers[i].audiences;
	uint64_t refused = owed - run->counts.expected;
	return missing > refused ? missing - refused : 0;
}

static void judge(const struct bench_run *run, struct bench_result *r)
{
	const struct bench_counts *c = &run->counts;
	r->lost = lost_of(run, 0);
	r->duplicates = c->duplicates;
	r->misordered = c->misordered;
	r->unacknowledged = c->promised - c->acknowledged;
	r->refused = c->refused;
	r->foreign = c->foreign;
	r->stalls = c->stalls;
	r->is_broken = lost_of(run, 1) || c->broken || r->unacknowledged;
}

static void leave_out(struct bench_result *r, const struct bench_result *before)
{
	r->lost -= before->lost < r->lost ? before->lost : r->lost;
	r->duplicates -= before->duplicates;
	r->misordered -= before->misordered;
	r->refused -= before->refused;
	r->foreign -= before->foreign;
	r->stalls -= before->stalls;
}

static struct bench_wire wire_between(const struct bench_wire *a, const struct bench_wire *b)
{
	return (struct bench_wire){
		.packets_out = b->packets_out - a->packets_out,
		.packets_in = b->packets_in - a->packets_in,
		.bytes_out = b->bytes_out - a->bytes_out,
		.bytes_in = b->bytes_in - a->bytes_in,
		.answers = b->answers - a->answers,
	};
}

/* What the rate counts. */
static uint64_t units(const struct bench_run *run, const struct bench_counts *c)
{
	return bench_shape_publishes(run->options->shape) ? c->delivered : c->connected;
}

void bench_result_of(const struct bench_run *run, const struct bench_result *faults_before,
		     struct bench_result *out)
{
	const struct bench_mark *start = &run->start, *end = &run->end;
	double ns = end->time_ns > start->time_ns ? (double)(end->time_ns - start->time_ns) : 1;
	double cpu_ns = (double)(end->server_cpu_ns - start->server_cpu_ns);
	uint64_t count = units(run, &end->counts) - units(run, &start->counts);
	*out = (struct bench_result){
		.rate = run->options->rate,
		.seconds = ns / 1e9,
		.published = end->counts.published - start->counts.published,
		.delivered = count,
		.per_second = (double)count / ns * 1e9,
		.resumed = run->counts.resumed,
		.retried = run->counts.retried,
		.server_cpu_us = count ? cpu_ns / (double)count / 1e3 : cpu_ns / ns * 1e6,
		.server_cores = cpu_ns / ns,
		.generator_cores = (double)(end->own_cpu_ns - start->own_cpu_ns) / ns,
		.wire = wire_between(&start->wire, &end->wire),
		.unsent = bench_publish_unsent(run),
		.has_done = run->counts.promised > 0,
		.latency = run->latency,
		.done = run->done_latency,
	};
	if (run->client_count)
		out->rss_each =
			((double)run->rss_after - (double)run->rss_before) / run->client_count;
	judge(run, out);
	if (faults_before)
		leave_out(out, faults_before);
}
