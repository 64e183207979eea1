/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_svg.h. Sizes are in the drawing's own units: the page scales it. */
#include "cli/bench_svg.h"

#include <math.h>

#include "cli/bench_text.h"

#define WIDTH 760
#define HEIGHT 340
#define LEFT 84
#define RIGHT 140
#define TOP 36
#define BOTTOM 52

/* Told apart by those who do not see red and green, too (Okabe and Ito). */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
				      "#e69f00", "#56b4e9", "#000000"};

void svg_axis_take(struct svg_axis *axis, double value)
{
	if (axis->max < axis->min) {
		axis->min = axis->max = value;
		return;
	}
	axis->min = value < axis->min ? value : axis->min;
	axis->max = value > axis->max ? value : axis->max;
}

double svg_percentile_place(double fraction)
{
	/* 0.5 is at 0.3, 0.9 at 1, 0.99 at 2 */
	return fraction >= 1 ? 5 : -log10(1 - fraction);
}

static double place(const struct svg_axis *axis, double value)
{
	double min = axis->is_log ? log10(axis->min) : axis->min;
	double max = axis->is_log ? log10(axis->max) : axis->max;
	double at = axis->is_log ? log10(value > 0 ? value : axis->min) : value;
	return max > min ? (at - min) / (max - min) : 0.5;
}

static double x_of(const struct svg_plot *p, double value)
{
	return LEFT + place(&p->x, value) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct svg_plot *p, double value)
{
	return HEIGHT - BOTTOM - place(&p->y, value) * (HEIGHT - TOP - BOTTOM);
}

static void format_value(const struct svg_axis *axis, double value, char text[BENCH_TEXT_MAX])
{
	char number[BENCH_TEXT_MAX];
	switch (axis->unit) {
	case SVG_TIME_NS: bench_text_time((uint64_t)value, text); break;
	case SVG_SECONDS: snprintf(text, BENCH_TEXT_MAX, "%g s", value); break;
	case SVG_PERCENTILE:
		snprintf(text, BENCH_TEXT_MAX, value >= 5 ? "max" : "p%g",
			 100 - 100 * pow(10, -value));
		break;
	case SVG_NUMBER: strcpy(text, bench_text_count((uint64_t)(value + 0.5), number)); break;
	}
}

/* 1, 2 or 5 times a power of ten, so that there are some five of them. */
static double step_of(const struct svg_axis *axis)
{
	double rough = (axis->max - axis->min) / 5;
	if (!(rough > 0))
		return 1;
	double power = pow(10, floor(log10(rough))), times = rough / power;
	return power * (times > 5 ? 10 : times > 2 ? 5 : times > 1 ? 2 : 1);
}

/* Round ends, so that the first and the last tick stand at them. */
static void round_axis(struct svg_axis *axis)
{
	if (axis->max < axis->min)
		axis->min = axis->max = 1;
	if (axis->unit == SVG_PERCENTILE)
		return;
	if (axis->is_log) {
		axis->min = pow(10, floor(log10(axis->min > 0 ? axis->min : 1)));
		axis->max = pow(10, ceil(log10(axis->max > axis->min ? axis->max : axis->min)));
		if (axis->max <= axis->min)
			axis->max = 10 * axis->min;
		return;
	}
	double step = step_of(axis);
	axis->min = floor(axis->min / step) * step;
	axis->max = ceil(axis->max / step) * step;
}

static void draw_tick(const struct svg_plot *p, bool is_x, double value)
{
	char text[BENCH_TEXT_MAX];
	const struct svg_axis *axis = is_x ? &p->x : &p->y;
	double at = is_x ? x_of(p, value) : y_of(p, value);
	format_value(axis, value, text);
	if (is_x)
		fprintf(p->to,
			"<path class=\"grid\" d=\"M%.1f %d V%d\"/>"
			"<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
			at, TOP, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 17, text);
	else
		fprintf(p->to,
			"<path class=\"grid\" d=\"M%d %.1f H%d\"/>"
			"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			LEFT, at, WIDTH - RIGHT, LEFT - 7, at + 4, text);
}

static void draw_ticks(const struct svg_plot *p, bool is_x)
{
	static const double fractions[] = {0.5, 0.9, 0.99, 0.999, 0.9999, 1};
	const struct svg_axis *axis = is_x ? &p->x : &p->y;
	if (axis->unit == SVG_PERCENTILE) {
		for (size_t i = 0; i < ARRAY_COUNT(fractions); i++)
			draw_tick(p, is_x, svg_percentile_place(fractions[i]));
		return;
	}
	if (axis->is_log) {
		for (double value = axis->min; value <= axis->max * 1.001; value *= 10)
			draw_tick(p, is_x, value);
		return;
	}
	double step = step_of(axis);
	unsigned count = (unsigned)((axis->max - axis->min) / step + 0.5);
	for (unsigned i = 0; i <= count; i++)
		draw_tick(p, is_x, axis->min + i * step);
}

void svg_begin(struct svg_plot *plot, FILE *to, const char *title, struct svg_axis x,
	       struct svg_axis y)
{
	*plot = (struct svg_plot){.to = to, .x = x, .y = y};
	round_axis(&plot->x);
	round_axis(&plot->y);
	fprintf(to, "<svg viewBox=\"0 0 %d %d\" role=\"img\"><title>%s</title>\n", WIDTH, HEIGHT,
		title);
	fprintf(to, "<text class=\"name\" x=\"%d\" y=\"20\">%s</text>\n", LEFT, title);
	draw_ticks(plot, true);
	draw_ticks(plot, false);
	fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
		(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x.label);
	fprintf(to,
		"<text transform=\"translate(14 %d) rotate(-90)\" "
		"text-anchor=\"middle\">%s</text>\n",
		(TOP + HEIGHT - BOTTOM) / 2, y.label);
}

void svg_line(struct svg_plot *plot, const char *name, const struct svg_point *points, size_t count)
{
	const char *colour = colours[plot->line_count % ARRAY_COUNT(colours)];
	int legend_y = TOP + 8 + 18 * (int)plot->line_count;
	fprintf(plot->to, "<polyline fill=\"none\" stroke=\"%s\" points=\"", colour);
	for (size_t i = 0; i < count; i++)
		fprintf(plot->to, "%s%.1f,%.1f", i ? " " : "", x_of(plot, points[i].x),
			y_of(plot, points[i].y));
	fputs("\"/>\n", plot->to);
	for (size_t i = 0; i < count && count <= 50; i++)
		fprintf(plot->to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>\n",
			x_of(plot, points[i].x), y_of(plot, points[i].y), colour);
	fprintf(plot->to,
		"<path stroke=\"%s\" d=\"M%d %d h18\"/><text x=\"%d\" y=\"%d\">%s</text>\n", colour,
		WIDTH - RIGHT + 12, legend_y, WIDTH - RIGHT + 36, legend_y + 4, name);
	plot->line_count++;
}

void svg_mark(struct svg_plot *plot, double x, const char *text)
{
	fprintf(plot->to,
		"<path class=\"mark\" d=\"M%.1f %d V%d\"/><text x=\"%.1f\" y=\"%d\" "
		"text-anchor=\"middle\">%s</text>\n",
		x_of(plot, x), TOP, HEIGHT - BOTTOM, x_of(plot, x), TOP - 4, text);
}

void svg_end(struct svg_plot *plot)
{
	fputs("</svg>\n", plot->to);
}
