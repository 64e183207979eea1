/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_report.h. */
#include "cli/bench_report.h"

#include <stdio.h>

#include "cli/bench_receive.h"

/* A generator this busy may well be what limits the rate. */
#define GENERATOR_FULL 0.95

static const struct {
	const char *text;
	const char *key;
	double fraction;
} percentiles[] = {
	{"p50", "p50_us", 0.5},       {"p90", "p90_us", 0.9}, {"p99", "p99_us", 0.99},
	{"p99.9", "p99_9_us", 0.999}, {"max", "max_us", 1},
};

static uint64_t lost(const struct bench_run *run)
{
	uint64_t missing = bench_receive_missing(run);
	uint64_t refused = run->counts.refused * run->flows_each;
	if (run->options->is_kept) /* all of them, and rightly so */
		return 0;
	return missing > refused ? missing - refused : 0;
}

static void judge(const struct bench_run *run, struct bench_result *r)
{
	uint32_t qos = run->options->qos;
	r->lost = lost(run);
	r->duplicates = run->counts.duplicates;
	r->misordered = run->counts.misordered;
	r->unacknowledged = qos ? run->counts.published - run->counts.acknowledged : 0;
	r->is_broken = qos > 0 && (r->lost || r->misordered || r->unacknowledged ||
				   (qos == 2 && r->duplicates));
}

/* What the rate counts. */
static uint64_t units(const struct bench_run *run, const struct bench_counts *c)
{
	return bench_shape_publishes(run->options->shape) ? c->delivered : c->connected;
}

void bench_result_of(const struct bench_run *run, struct bench_result *out)
{
	const struct bench_mark *start = &run->start, *end = &run->end;
	double ns = end->time_ns > start->time_ns ? (double)(end->time_ns - start->time_ns) : 1;
	double cpu_ns = (double)(end->server_cpu_ns - start->server_cpu_ns);
	uint64_t count = units(run, &end->counts) - units(run, &start->counts);
	*out = (struct bench_result){
		.seconds = ns / 1e9,
		.published = end->counts.published - start->counts.published,
		.delivered = count,
		.per_second = (double)count / ns * 1e9,
		.server_cpu_us = count ? cpu_ns / (double)count / 1e3 : cpu_ns / ns * 1e6,
		.server_cores = cpu_ns / ns,
		.generator_cores = (double)(end->own_cpu_ns - start->own_cpu_ns) / ns,
	};
	if (run->client_count)
		out->rss_each =
			((double)run->rss_after - (double)run->rss_before) / run->client_count;
	judge(run, out);
}

/* Digits in groups of three, right-aligned in `text`. */
static const char *grouped(uint64_t value, char text[32])
{
	char *p = text + 31;
	*p = 0;
	for (unsigned digits = 0; digits == 0 || value; digits++) {
		if (digits && digits % 3 == 0)
			*--p = ',';
		*--p = (char)('0' + value % 10);
		value /= 10;
	}
	return p;
}

static void print_count(const char *label, uint64_t count, double per_second)
{
	char a[32], b[32];
	printf("%-11s %s, %s a second\n", label, grouped(count, a),
	       grouped((uint64_t)(per_second + 0.5), b));
}

static void print_time(uint64_t ns)
{
	double value = (double)ns;
	if (value < 1e6)
		printf("%.0f us", value / 1e3);
	else if (value < 1e9)
		printf("%.*f ms", value < 1e7 ? 2 : 1, value / 1e6);
	else
		printf("%.2f s", value / 1e9);
}

static void print_latency(const struct bench_run *run)
{
	printf("latency    ");
	for (size_t i = 0; i < ARRAY_COUNT(percentiles); i++) {
		printf("%s %s ", i ? "," : "", percentiles[i].text);
		print_time(bench_histogram_percentile(&run->latency, percentiles[i].fraction));
	}
	putchar('\n');
}

/* Until publishers had their answers. */
static void print_done_latency(const struct bench_run *run)
{
	printf("answers    ");
	for (size_t i = 0; i < ARRAY_COUNT(percentiles); i++) {
		printf("%s %s ", i ? "," : "", percentiles[i].text);
		print_time(bench_histogram_percentile(&run->done_latency, percentiles[i].fraction));
	}
	putchar('\n');
}

static void print_fill(const struct bench_run *run)
{
	if (!run->options->scenario->is_absent || run->fill_count == 0)
		return;
	print_count("filled", run->fill_count,
		    (double)run->fill_count / (double)run->fill_ns * 1e9);
	if (run->options->server_pid)
		printf("            %.1f bytes of server memory for each\n",
		       (double)run->fill_rss_bytes / (double)run->fill_count);
}

static const char *version_name(uint32_t version)
{
	return version == 3 ? "3.1" : version == 4 ? "3.1.1" : "5.0";
}

static void print_headline(const struct bench_run *run, const struct bench_result *r)
{
	const struct bench_options *o = run->options;
	printf("%s: ", o->scenario->name);
	if (bench_shape_publishes(o->shape))
		printf("%u -> %u%s, QoS %u, %u bytes", o->publishers, o->subscribers,
		       o->shape == BENCH_SHARED ? " sharing" : "", o->qos, o->payload_bytes);
	else
		printf("%u clients", o->clients);
	if (o->qos && bench_shape_publishes(o->shape))
		printf(", %u in flight", run->publishers[0].window.size);
	if (o->rate)
		printf(", paced at %u a second", o->rate);
	if (o->burst > 1)
		printf(" in bursts of %u", o->burst);
	printf(", MQTT %s, %.2f s\n", version_name(o->version), r->seconds);
}

static void print_faults(const struct bench_run *run, const struct bench_result *r)
{
	const struct bench_counts *c = &run->counts;
	char a[32], b[32], d[32];
	printf("faults      %s lost, %s duplicated, %s out of order", grouped(r->lost, a),
	       grouped(r->duplicates, b), grouped(r->misordered, d));
	if (r->unacknowledged)
		printf(", %s not acknowledged", grouped(r->unacknowledged, a));
	if (c->refused)
		printf(", %s refused by the server", grouped(c->refused, a));
	if (c->foreign)
		printf(", %s not of this run", grouped(c->foreign, a));
	putchar('\n');
	if (r->is_broken)
		printf("            QoS %u promises better than that\n", run->options->qos);
}

static const char *unit_name(const struct bench_run *run)
{
	switch (run->options->shape) {
	case BENCH_CHURN: return "connection";
	case BENCH_IDLE: return "second";
	default: return "delivery";
	}
}

static void print_server(const struct bench_run *run, const struct bench_result *r)
{
	if (!run->options->server_pid)
		return;
	printf("server      %.3f us of CPU per %s, %.2f cores; memory %.1f MB, %.1f MB before\n",
	       r->server_cpu_us, unit_name(run), r->server_cores, (double)run->rss_after / 1e6,
	       (double)run->rss_before / 1e6);
	if (run->options->shape == BENCH_IDLE)
		printf("            %.0f bytes per connection\n", r->rss_each);
}

void bench_report_text(const struct bench_run *run, const struct bench_result *r)
{
	bool publishes = bench_shape_publishes(run->options->shape);
	print_headline(run, r);
	if (publishes) {
		if (!run->options->scenario->is_absent)
			print_count("published", r->published, (double)r->published / r->seconds);
		print_count("delivered", r->delivered, r->per_second);
	} else if (run->options->shape == BENCH_CHURN) {
		print_count("connected", r->delivered, r->per_second);
	}
	print_fill(run);
	if (run->options->shape != BENCH_IDLE && !run->options->scenario->is_absent)
		print_latency(run);
	if (publishes && run->options->qos)
		print_done_latency(run);
	if (publishes)
		print_faults(run, r);
	print_server(run, r);
	printf("generator   %.2f of its core%s\n", r->generator_cores,
	       r->generator_cores > GENERATOR_FULL && !run->options->rate
		       ? ": it may be what limits the rate"
		       : "");
}

static void print_json_setting(const struct bench_options *o)
{
	printf("{\"scenario\": \"%s\", \"version\": %u, \"qos\": %u, \"size\": %u, ",
	       o->scenario->name, o->version, o->qos, o->payload_bytes);
	if (bench_shape_publishes(o->shape))
		printf("\"pubs\": %u, \"subs\": %u, \"shared\": %u, \"window\": %u, "
		       "\"outstanding\": %u, ",
		       o->publishers, o->subscribers, o->shared, o->window, o->outstanding);
	else
		printf("\"clients\": %u, ", o->clients);
	printf("\"rate\": %u, \"burst\": %u, ", o->rate, o->burst);
}

static void print_json_done(const struct bench_run *run)
{
	for (size_t i = 0; run->options->qos && i < ARRAY_COUNT(percentiles); i++)
		printf("\"done_%s\": %.1f, ", percentiles[i].key,
		       (double)bench_histogram_percentile(&run->done_latency,
							  percentiles[i].fraction) /
			       1e3);
	if (run->options->scenario->is_absent && run->fill_count)
		printf("\"filled\": %llu, \"fill_per_second\": %.1f, \"rss_each\": %.2f, ",
		       (unsigned long long)run->fill_count,
		       (double)run->fill_count / (double)run->fill_ns * 1e9,
		       (double)run->fill_rss_bytes / (double)run->fill_count);
}

static void print_json_server(const struct bench_run *run, const struct bench_result *r)
{
	if (!run->options->server_pid)
		return;
	printf("\"server_cpu_us\": %.4f, \"server_cores\": %.4f, \"rss_before\": %llu, "
	       "\"rss_after\": %llu, ",
	       r->server_cpu_us, r->server_cores, (unsigned long long)run->rss_before,
	       (unsigned long long)run->rss_after);
	if (run->options->shape == BENCH_IDLE)
		printf("\"rss_each\": %.1f, ", r->rss_each);
}

void bench_report_json(const struct bench_run *run, const struct bench_result *r)
{
	const struct bench_counts *c = &run->counts;
	print_json_setting(run->options);
	printf("\"seconds\": %.3f, \"published\": %llu, \"delivered\": %llu, \"per_second\": "
	       "%.1f, ",
	       r->seconds, (unsigned long long)r->published, (unsigned long long)r->delivered,
	       r->per_second);
	for (size_t i = 0; i < ARRAY_COUNT(percentiles); i++)
		printf("\"%s\": %.1f, ", percentiles[i].key,
		       (double)bench_histogram_percentile(&run->latency, percentiles[i].fraction) /
			       1e3);
	printf("\"lost\": %llu, \"duplicates\": %llu, \"misordered\": %llu, "
	       "\"unacknowledged\": %llu, \"refused\": %llu, \"foreign\": %llu, \"stalls\": %llu, ",
	       (unsigned long long)r->lost, (unsigned long long)r->duplicates,
	       (unsigned long long)r->misordered, (unsigned long long)r->unacknowledged,
	       (unsigned long long)c->refused, (unsigned long long)c->foreign,
	       (unsigned long long)c->stalls);
	print_json_done(run);
	print_json_server(run, r);
	printf("\"generator_cores\": %.3f, \"is_broken\": %s}\n", r->generator_cores,
	       r->is_broken ? "true" : "false");
}
