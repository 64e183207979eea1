/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_series.h. */
#include "cli/bench_series.h"

#include <stdio.h>

#include "cli/bench_report.h"
#include "cli/bench_text.h"

/* A line of the table: a label, and what each result says. */
struct line {
	const char *label;
	void (*print)(const struct bench_result *r, char *text);
};

#define CELL "%14s"

static double each(const struct bench_result *r, uint64_t count)
{
	return r->published ? (double)count / (double)r->published : 0;
}

static void print_rate(const struct bench_result *r, char *text)
{
	char number[BENCH_TEXT_MAX];
	strcpy(text, bench_text_count((uint64_t)(r->per_second + 0.5), number));
}

static void print_packets(const struct bench_result *r, char *text)
{
	snprintf(text, BENCH_TEXT_MAX, "%.2f", each(r, r->wire.packets_out + r->wire.packets_in));
}

static void print_bytes(const struct bench_result *r, char *text)
{
	snprintf(text, BENCH_TEXT_MAX, "%.1f", each(r, r->wire.bytes_out + r->wire.bytes_in));
}

static void print_round_trips(const struct bench_result *r, char *text)
{
	snprintf(text, BENCH_TEXT_MAX, "%.2f", each(r, r->wire.answers));
}

static void print_cpu(const struct bench_result *r, char *text)
{
	snprintf(text, BENCH_TEXT_MAX, "%.3f us", r->server_cpu_us);
}

static const struct line qos_lines[] = {
	{"delivered a second", print_rate},
	{"packets a message", print_packets},
	{"bytes a message", print_bytes},
	{"answers waited for", print_round_trips},
};

static void print_labels(const struct bench_series *s)
{
	printf("%-20s", "");
	for (uint32_t i = 0; i < s->count; i++)
		printf(CELL, s->results[i].label);
	putchar('\n');
}

static void print_line(const struct bench_series *s, const struct line *line)
{
	char text[BENCH_TEXT_MAX];
	printf("%-20s", line->label);
	for (uint32_t i = 0; i < s->count; i++) {
		line->print(&s->results[i], text);
		printf(CELL, text);
	}
	putchar('\n');
}

static void print_percentiles(const struct bench_series *s, const char *what, bool is_done)
{
	for (size_t p = 0; p < BENCH_PERCENTILE_COUNT; p++) {
		char label[32], text[BENCH_TEXT_MAX];
		snprintf(label, sizeof(label), "%s %s", what, bench_percentiles[p].text);
		printf("%-20s", label);
		for (uint32_t i = 0; i < s->count; i++) {
			const struct bench_result *r = &s->results[i];
			const struct bench_histogram *h = is_done ? &r->done : &r->latency;
			uint64_t ns = bench_histogram_percentile(h, bench_percentiles[p].fraction);
			printf(CELL, h->count ? bench_text_time(ns, text) : "-");
		}
		putchar('\n');
	}
}

static void print_faults(const struct bench_series *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct bench_result *r = &s->results[i];
		char a[BENCH_TEXT_MAX], b[BENCH_TEXT_MAX], c[BENCH_TEXT_MAX];
		if (!r->lost && !r->duplicates && !r->misordered && !r->unacknowledged)
			continue;
		printf("%s: %s lost, %s duplicated, %s out of order", r->label,
		       bench_text_count(r->lost, a), bench_text_count(r->duplicates, b),
		       bench_text_count(r->misordered, c));
		if (r->unacknowledged)
			printf(", %s not acknowledged", bench_text_count(r->unacknowledged, a));
		puts(r->is_broken ? ": less than was promised" : "");
	}
}

static void print_qos(const struct bench_options *o, const struct bench_series *s)
{
	struct line cpu = {"server's CPU", print_cpu};
	printf("%s: %u -> %u, %u bytes, MQTT %s\n", o->scenario->name, o->publishers,
	       o->subscribers, o->payload_bytes, bench_report_version(o->version));
	print_labels(s);
	for (size_t i = 0; i < ARRAY_COUNT(qos_lines); i++)
		print_line(s, &qos_lines[i]);
	if (o->server_pid)
		print_line(s, &cpu);
	print_percentiles(s, "latency", false);
	print_percentiles(s, "answers", true);
}

/* A step per line: there may be many. */
static void print_ramp(const struct bench_options *o, const struct bench_series *s)
{
	char text[BENCH_TEXT_MAX];
	printf("%s: %u -> %u, QoS %u, %u bytes, MQTT %s\n", o->scenario->name, o->publishers,
	       o->subscribers, o->qos, o->payload_bytes, bench_report_version(o->version));
	printf("%12s%12s", "rate", "delivered/s");
	for (size_t p = 0; p < BENCH_PERCENTILE_COUNT; p++)
		printf("%11s", bench_percentiles[p].text);
	putchar('\n');
	for (uint32_t i = 0; i < s->count; i++) {
		const struct bench_result *r = &s->results[i];
		printf("%12s", bench_text_count(r->rate, text));
		print_rate(r, text);
		printf("%12s", text);
		for (size_t p = 0; p < BENCH_PERCENTILE_COUNT; p++) {
			double fraction = bench_percentiles[p].fraction;
			uint64_t ns = bench_histogram_percentile(&r->latency, fraction);
			printf("%11s", bench_text_time(ns, text));
		}
		puts(r->rate == s->breaks_at ? "  <- breaks" : "");
	}
	if (s->breaks_at)
		printf("latency breaks at %s a second\n", bench_text_count(s->breaks_at, text));
	else
		puts("latency does not break up to here");
	if (s->is_over)
		puts("the server does not keep up with the last step");
}

void bench_series_text(const struct bench_options *o, const struct bench_series *s)
{
	if (s->kind == BENCH_SERIES_RAMP)
		print_ramp(o, s);
	else
		print_qos(o, s);
	print_faults(s);
}

void bench_series_json(const struct bench_options *o, const struct bench_series *s)
{
	bench_report_json_setting(o);
	if (s->kind == BENCH_SERIES_RAMP)
		printf("\"breaks_at\": %llu, \"keeps_up\": %s, ", (unsigned long long)s->breaks_at,
		       s->is_over ? "false" : "true");
	printf("\"%s\": [", s->kind == BENCH_SERIES_RAMP ? "steps" : "levels");
	for (uint32_t i = 0; i < s->count; i++) {
		const struct bench_result *r = &s->results[i];
		printf("%s{\"rate\": %llu, ", i ? ",\n " : "", (unsigned long long)r->rate);
		bench_report_json_result(o, r);
		putchar('}');
	}
	puts("]}");
}
