/* SPDX-License-Identifier: Apache-2.0 */
/* The report as one HTML file that needs nothing else: tables and inline SVG, no script, no network. */
#ifndef NIGHTJAR_CLI_BENCH_HTML_H
#define NIGHTJAR_CLI_BENCH_HTML_H

#include "cli/bench_series.h"

/* Writes the file at `path`; `command` is what was called. 0 or ERROR_SYSTEM with errno. */
int bench_html_write(const char *path, const char *command, const struct bench_options *o,
		     const struct bench_series *s) MUST_USE;

#endif
