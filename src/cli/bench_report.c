/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_report.h. */
#include "cli/bench_report.h"

#include <stdio.h>

#include "cli/bench_text.h"

/* A generator this busy may well be what limits the rate. */
#define GENERATOR_FULL 0.95

static void print_count(const char *label, uint64_t count, double per_second)
{
	char a[BENCH_TEXT_MAX], b[BENCH_TEXT_MAX];
	printf("%-11s %s, %s a second\n", label, bench_text_count(count, a),
	       bench_text_count((uint64_t)(per_second + 0.5), b));
}

static void print_percentiles(const char *label, const struct bench_histogram *h)
{
	printf("%-11s", label);
	for (size_t i = 0; i < BENCH_PERCENTILE_COUNT; i++) {
		char text[BENCH_TEXT_MAX];
		const struct bench_percentile *p = &bench_percentiles[i];
		printf("%s %s %s", i ? "," : "", p->text,
		       bench_text_time(bench_histogram_percentile(h, p->fraction), text));
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

const char *bench_report_version(uint32_t version)
{
	return version == 3 ? "3.1" : version == 4 ? "3.1.1" : "5.0";
}

static void print_headline(const struct bench_run *run, const struct bench_result *r)
{
	const struct bench_options *o = run->options;
	printf("%s: ", o->plan ? o->plan_path : o->scenario->name);
	if (o->plan)
		printf("%u publishers, %u subscribers", o->publishers, o->subscribers);
	else if (bench_shape_publishes(o->shape))
		printf("%u -> %u%s, QoS %u, %u bytes", o->publishers, o->subscribers,
		       o->shape == BENCH_SHARED ? " sharing" : "", o->qos, o->payload_bytes);
	else
		printf("%u clients", o->clients);
	if (o->qos && bench_shape_publishes(o->shape) && !o->plan)
		printf(", %u in flight", run->publishers[0].window.size);
	if (o->rate)
		printf(", paced at %u a second", o->rate);
	if (o->burst > 1)
		printf(" in bursts of %u", o->burst);
	printf(", MQTT %s, %.2f s\n", bench_report_version(o->version), r->seconds);
}

static void print_faults(const struct bench_run *run, const struct bench_result *r)
{
	const struct bench_counts *c = &run->counts;
	char a[BENCH_TEXT_MAX], b[BENCH_TEXT_MAX], d[BENCH_TEXT_MAX];
	printf("faults      %s lost, %s duplicated, %s out of order", bench_text_count(r->lost, a),
	       bench_text_count(r->duplicates, b), bench_text_count(r->misordered, d));
	if (r->unacknowledged)
		printf(", %s not acknowledged", bench_text_count(r->unacknowledged, a));
	if (c->refused)
		printf(", %s refused by the server", bench_text_count(c->refused, a));
	if (c->foreign)
		printf(", %s not of this run", bench_text_count(c->foreign, a));
	if (r->unsent)
		printf(", %s due and never sent", bench_text_count(r->unsent, a));
	putchar('\n');
	if (r->is_broken)
		puts("            less than the QoS promises");
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
		print_percentiles("latency", &r->latency);
	if (run->options->reconnects) {
		print_percentiles("back after", &r->latency);
		printf("turned away %llu times\n", (unsigned long long)r->retried);
	}
	if (run->options->resumes)
		printf("resumed     %llu handshakes\n", (unsigned long long)r->resumed);
	if (publishes && r->has_done)
		print_percentiles("answers", &r->done);
	if (publishes)
		print_faults(run, r);
	print_server(run, r);
	printf("generator   %.2f of its core%s\n", r->generator_cores,
	       r->generator_cores > GENERATOR_FULL && !run->options->rate
		       ? ": it may be what limits the rate"
		       : "");
}

void bench_report_json_setting(const struct bench_options *o)
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

static void print_json_percentiles(const char *prefix, const struct bench_histogram *h)
{
	for (size_t i = 0; i < BENCH_PERCENTILE_COUNT; i++) {
		const struct bench_percentile *p = &bench_percentiles[i];
		printf("\"%s%s\": %.1f, ", prefix, p->key,
		       (double)bench_histogram_percentile(h, p->fraction) / 1e3);
	}
}

static void print_json_wire(const struct bench_wire *w)
{
	printf("\"packets_out\": %llu, \"packets_in\": %llu, \"bytes_out\": %llu, "
	       "\"bytes_in\": %llu, \"answers\": %llu, ",
	       (unsigned long long)w->packets_out, (unsigned long long)w->packets_in,
	       (unsigned long long)w->bytes_out, (unsigned long long)w->bytes_in,
	       (unsigned long long)w->answers);
}

void bench_report_json_result(const struct bench_options *o, const struct bench_result *r)
{
	printf("\"seconds\": %.3f, \"published\": %llu, \"delivered\": %llu, \"per_second\": "
	       "%.1f, ",
	       r->seconds, (unsigned long long)r->published, (unsigned long long)r->delivered,
	       r->per_second);
	print_json_percentiles("", &r->latency);
	if (r->has_done)
		print_json_percentiles("done_", &r->done);
	printf("\"lost\": %llu, \"duplicates\": %llu, \"misordered\": %llu, "
	       "\"unacknowledged\": %llu, \"unsent\": %llu, \"refused\": %llu, \"foreign\": %llu, "
	       "\"stalls\": %llu, ",
	       (unsigned long long)r->lost, (unsigned long long)r->duplicates,
	       (unsigned long long)r->misordered, (unsigned long long)r->unacknowledged,
	       (unsigned long long)r->unsent, (unsigned long long)r->refused,
	       (unsigned long long)r->foreign, (unsigned long long)r->stalls);
	print_json_wire(&r->wire);
	if (o->reconnects)
		printf("\"retried\": %llu, ", (unsigned long long)r->retried);
	if (o->resumes)
		printf("\"resumed\": %llu, ", (unsigned long long)r->resumed);
	if (o->server_pid)
		printf("\"server_cpu_us\": %.4f, \"server_cores\": %.4f, ", r->server_cpu_us,
		       r->server_cores);
	printf("\"generator_cores\": %.3f, \"is_broken\": %s", r->generator_cores,
	       r->is_broken ? "true" : "false");
}

static void print_json_fill(const struct bench_run *run)
{
	if (run->options->scenario->is_absent && run->fill_count)
		printf("\"filled\": %llu, \"fill_per_second\": %.1f, \"rss_each\": %.2f, ",
		       (unsigned long long)run->fill_count,
		       (double)run->fill_count / (double)run->fill_ns * 1e9,
		       (double)run->fill_rss_bytes / (double)run->fill_count);
}

static void print_json_memory(const struct bench_run *run, const struct bench_result *r)
{
	if (!run->options->server_pid)
		return;
	printf("\"rss_before\": %llu, \"rss_after\": %llu, ", (unsigned long long)run->rss_before,
	       (unsigned long long)run->rss_after);
	if (run->options->shape == BENCH_IDLE)
		printf("\"rss_each\": %.1f, ", r->rss_each);
}

void bench_report_json(const struct bench_run *run, const struct bench_result *r)
{
	bench_report_json_setting(run->options);
	print_json_fill(run);
	print_json_memory(run, r);
	bench_report_json_result(run->options, r);
	puts("}");
}
