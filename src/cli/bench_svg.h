/* SPDX-License-Identifier: Apache-2.0 */
/* Line plots as inline SVG: axes with ticks and grid, lines with points, a legend. */
#ifndef NIGHTJAR_CLI_BENCH_SVG_H
#define NIGHTJAR_CLI_BENCH_SVG_H

#include <stdio.h>

#include "base/base.h"

enum svg_unit { SVG_NUMBER, SVG_TIME_NS, SVG_SECONDS, SVG_PERCENTILE };

struct svg_axis {
	const char *label;
	enum svg_unit unit;
	bool is_log; /* then all values are more than 0 */
	double min;
	double max;
};

struct svg_plot {
	FILE *to;
	struct svg_axis x, y;
	unsigned line_count;
};

struct svg_point {
	double x;
	double y;
};

/* Widens the axis so that the value lies on it; a new axis has max < min. */
void svg_axis_take(struct svg_axis *axis, double value);

/* Where percentile `fraction` stands on an axis of SVG_PERCENTILE: each nine takes as much room. */
double svg_percentile_place(double fraction);

void svg_begin(struct svg_plot *plot, FILE *to, const char *title, struct svg_axis x,
	       struct svg_axis y);
void svg_line(struct svg_plot *plot, const char *name, const struct svg_point *points,
	      size_t count);
/* A dashed line from top to bottom, with a word at it. */
void svg_mark(struct svg_plot *plot, double x, const char *text);
void svg_end(struct svg_plot *plot);

#endif
