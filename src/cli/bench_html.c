/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_html.h. */
#include "cli/bench_html.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "cli/bench_report.h"
#include "cli/bench_svg.h"
#include "cli/bench_text.h"

/* Points of a curve of percentiles. */
#define CURVE_POINTS 80
/* The curve ends here; the longest stands at the right edge. */
#define CURVE_LAST 0.99999

static const char head[] =
	"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<title>nightjar bench</title>\n<style>\n"
	"body{font:15px/1.5 system-ui,sans-serif;color:#222;background:#fff;max-width:62em;"
	"margin:2em auto;padding:0 1em}\n"
	"h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.15em;margin-top:2em}\n"
	"code{background:#f2f2f2;padding:.1em .3em;overflow-wrap:anywhere}\n"
	"table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}\n"
	"th,td{padding:.25em .9em;text-align:right;border-bottom:1px solid #ddd}\n"
	"th:first-child,td:first-child{text-align:left}\n"
	".bad{color:#b00020;font-weight:bold}\n"
	"svg{width:100%;height:auto;font:12px system-ui,sans-serif;fill:#333;margin:.5em 0}\n"
	"svg .name{font-weight:bold;font-size:14px}svg polyline,svg path{stroke-width:1.8}\n"
	"svg .grid{stroke:#ddd;stroke-width:1}svg .mark{stroke:#b00020;stroke-dasharray:5 4}\n"
	"</style></head><body>\n";

static void put_escaped(FILE *to, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&': fputs("&amp;", to); break;
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		default: fputc(*text, to);
		}
}

/* --- tables --- */

static void put_time_cell(FILE *to, const struct bench_histogram *h, double fraction)
{
	char text[BENCH_TEXT_MAX];
	uint64_t ns = bench_histogram_percentile(h, fraction);
	fprintf(to, "<td>%s</td>", h->count ? bench_text_time(ns, text) : "-");
}

static void put_count_cell(FILE *to, uint64_t count)
{
	char text[BENCH_TEXT_MAX];
	fprintf(to, "<td>%s</td>", bench_text_count(count, text));
}

static const char *label_of(const struct bench_result *r)
{
	return r->label[0] ? r->label : "all";
}

static void put_latencies(FILE *to, const struct bench_series *s, const char *title, bool is_done)
{
	fprintf(to, "<h2>%s</h2>\n<table><tr><th></th>", title);
	for (size_t p = 0; p < BENCH_PERCENTILE_COUNT; p++)
		fprintf(to, "<th>%s</th>", bench_percentiles[p].text);
	fputs("</tr>\n", to);
	for (uint32_t i = 0; i < s->count; i++) {
		const struct bench_result *r = &s->results[i];
		fprintf(to, "<tr><td>%s</td>", label_of(r));
		for (size_t p = 0; p < BENCH_PERCENTILE_COUNT; p++)
			put_time_cell(to, is_done ? &r->done : &r->latency,
				      bench_percentiles[p].fraction);
		fputs("</tr>\n", to);
	}
	fputs("</table>\n", to);
}

static void put_costs(FILE *to, const struct bench_options *o, const struct bench_result *r)
{
	double count = r->published ? (double)r->published : 1;
	const struct bench_wire *w = &r->wire;
	fprintf(to, "<td>%.2f</td><td>%.1f</td><td>%.2f</td>",
		(double)(w->packets_in + w->packets_out) / count,
		(double)(w->bytes_in + w->bytes_out) / count, (double)w->answers / count);
	if (o->server_pid)
		fprintf(to, "<td>%.3f us</td>", r->server_cpu_us);
}

static void put_faults(FILE *to, const struct bench_result *r)
{
	uint64_t faults = r->lost + r->duplicates + r->misordered + r->unacknowledged;
	if (!faults) {
		fputs("<td>none</td>", to);
		return;
	}
	fprintf(to,
		"<td%s>%llu lost, %llu duplicated, %llu out of order, %llu not "
		"acknowledged</td>",
		r->is_broken ? " class=\"bad\"" : "", (unsigned long long)r->lost,
		(unsigned long long)r->duplicates, (unsigned long long)r->misordered,
		(unsigned long long)r->unacknowledged);
}

static void put_figures(FILE *to, const struct bench_options *o, const struct bench_series *s)
{
	bool has_costs = bench_shape_publishes(o->shape);
	fputs("<table><tr><th></th><th>published</th><th>delivered</th><th>a second</th>", to);
	if (has_costs)
		fprintf(to,
			"<th>packets a message</th><th>bytes a message</th><th>answers waited "
			"for</th>%s",
			o->server_pid ? "<th>server's CPU</th>" : "");
	fputs("<th>faults</th></tr>\n", to);
	for (uint32_t i = 0; i < s->count; i++) {
		const struct bench_result *r = &s->results[i];
		fprintf(to, "<tr><td>%s</td>", label_of(r));
		put_count_cell(to, r->published);
		put_count_cell(to, r->delivered);
		put_count_cell(to, (uint64_t)(r->per_second + 0.5));
		if (has_costs)
			put_costs(to, o, r);
		put_faults(to, r);
		fputs("</tr>\n", to);
	}
	fputs("</table>\n", to);
}

/* --- plots --- */

static double curve_fraction(unsigned i)
{
	double last = svg_percentile_place(CURVE_LAST);
	/* even steps on the axis: from 0 to the last */
	double at = last * i / (CURVE_POINTS - 1);
	double rest = 1;
	for (; at >= 1; at--)
		rest /= 10;
	return 1 - rest * (1 - at * 0.9);
}

static struct svg_axis latency_axis(void)
{
	return (struct svg_axis){"latency", SVG_TIME_NS, true, 1, 0};
}

static double time_at(const struct bench_histogram *h, double fraction)
{
	uint64_t ns = bench_histogram_percentile(h, fraction);
	return ns ? (double)ns : 1;
}

static unsigned curve_of(const struct bench_histogram *h, struct svg_point *points)
{
	for (unsigned i = 0; i < CURVE_POINTS; i++) {
		double fraction = curve_fraction(i);
		points[i] =
			(struct svg_point){svg_percentile_place(fraction), time_at(h, fraction)};
	}
	return CURVE_POINTS;
}

static void put_distribution(FILE *to, const struct bench_series *s)
{
	struct svg_plot plot;
	struct svg_axis x = {"part of the messages", SVG_PERCENTILE, false, 0, 5};
	struct svg_axis y = latency_axis();
	for (uint32_t i = 0; i < s->count; i++) {
		svg_axis_take(&y, time_at(&s->results[i].latency, 0));
		svg_axis_take(&y, time_at(&s->results[i].latency, 1));
	}
	svg_begin(&plot, to, "Latency by percentile", x, y);
	for (uint32_t i = 0; i < s->count; i++) {
		struct svg_point points[CURVE_POINTS];
		unsigned count = curve_of(&s->results[i].latency, points);
		svg_line(&plot, label_of(&s->results[i]), points, count);
	}
	svg_end(&plot);
}

static void put_ramp(FILE *to, const struct bench_series *s)
{
	static const unsigned shown[] = {0, 3, 4, 6}; /* of bench_percentiles */
	struct svg_plot plot;
	struct svg_axis x = {"messages a second", SVG_NUMBER, false, 1, 0}, y = latency_axis();
	for (uint32_t i = 0; i < s->count; i++) {
		svg_axis_take(&x, (double)s->results[i].rate);
		svg_axis_take(&y, time_at(&s->results[i].latency, 0.5));
		svg_axis_take(&y, time_at(&s->results[i].latency, 1));
	}
	svg_begin(&plot, to, "Latency at each rate", x, y);
	for (size_t k = 0; k < ARRAY_COUNT(shown); k++) {
		const struct bench_percentile *p = &bench_percentiles[shown[k]];
		struct svg_point points[BENCH_RAMP_STEPS_MAX];
		for (uint32_t i = 0; i < s->count; i++)
			points[i] =
				(struct svg_point){(double)s->results[i].rate,
						   time_at(&s->results[i].latency, p->fraction)};
		svg_line(&plot, p->text, points, s->count);
	}
	if (s->breaks_at)
		svg_mark(&plot, (double)s->breaks_at, "breaks");
	svg_end(&plot);
}

static void put_samples(FILE *to, const struct bench_progress *p, bool is_latency)
{
	struct svg_point points[BENCH_SAMPLES_MAX];
	struct svg_axis x = {"time", SVG_SECONDS, false, 0, 0};
	struct svg_axis y = latency_axis();
	struct svg_plot plot;
	uint64_t before_ns = 0;
	if (!is_latency)
		y = (struct svg_axis){"delivered a second", SVG_NUMBER, false, 0, 0};
	for (uint32_t i = 0; i < p->sample_count; i++) {
		const struct bench_sample *at = &p->samples[i];
		double seconds = (double)(at->end_ns - before_ns) / 1e9;
		double longest = at->latency_max_ns ? (double)at->latency_max_ns : 1;
		double value = is_latency ? longest : (double)at->delivered / seconds;
		points[i] = (struct svg_point){(double)at->end_ns / 1e9, value};
		before_ns = at->end_ns;
		svg_axis_take(&x, points[i].x);
		if (!is_latency || at->latency_max_ns)
			svg_axis_take(&y, value);
	}
	svg_begin(&plot, to, is_latency ? "Longest latency, over time" : "Throughput over time", x,
		  y);
	svg_line(&plot, is_latency ? "longest" : "delivered", points, p->sample_count);
	svg_end(&plot);
}

static void put_plots(FILE *to, const struct bench_options *o, const struct bench_series *s)
{
	bool has_latency = s->count > 0 && s->results[0].latency.count > 0;
	if (s->kind == BENCH_SERIES_RAMP && s->count > 0)
		put_ramp(to, s);
	if (has_latency)
		put_distribution(to, s);
	if (s->kind == BENCH_SERIES_ONE && s->progress.sample_count > 1) {
		put_samples(to, &s->progress, false);
		if (bench_shape_publishes(o->shape))
			put_samples(to, &s->progress, true);
	}
}

/* --- the page --- */

static void put_head(FILE *to, const char *command, const struct bench_options *o,
		     const struct bench_series *s)
{
	char date[40] = "", text[BENCH_TEXT_MAX];
	time_t now = time(NULL);
	struct tm tm;
	if (gmtime_r(&now, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &tm);
	fputs(head, to);
	fprintf(to, "<h1>nightjar bench: %s</h1>\n<p>%s, MQTT %s, server ", o->scenario->name, date,
		bench_report_version(o->version));
	put_escaped(to, o->host);
	fprintf(to, " port %u</p>\n<p><code>", o->port);
	put_escaped(to, command);
	fputs("</code></p>\n", to);
	if (s->kind == BENCH_SERIES_RAMP && s->breaks_at)
		fprintf(to, "<p>Latency breaks at <b>%s</b> messages a second.%s</p>\n",
			bench_text_count(s->breaks_at, text),
			s->is_over ? " The server does not keep up with the last step." : "");
	else if (s->kind == BENCH_SERIES_RAMP)
		fputs("<p>Latency does not break up to the last step.</p>\n", to);
}

int bench_html_write(const char *path, const char *command, const struct bench_options *o,
		     const struct bench_series *s)
{
	FILE *to = fopen(path, "we");
	if (!to)
		return ERROR_SYSTEM;
	put_head(to, command, o, s);
	put_figures(to, o, s);
	put_plots(to, o, s);
	if (s->count > 0 && s->results[0].latency.count > 0)
		put_latencies(to, s, "Latency", false);
	if (s->count > 0 && s->results[s->count - 1].has_done)
		put_latencies(to, s, "Until the publisher had its answer", true);
	fputs("<p>With a rate, latency counts from the instant at which a message was due, so that "
	      "waiting for a slow server is in it.</p>\n</body></html>\n",
	      to);
	bool is_written = !ferror(to);
	int reason = errno;
	if (fclose(to) != 0)
		return ERROR_SYSTEM;
	errno = reason;
	return is_written ? 0 : ERROR_SYSTEM;
}
