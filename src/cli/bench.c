/* SPDX-License-Identifier: Apache-2.0 */
/* See bench.h. */
#include "cli/bench.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/bench_html.h"
#include "cli/bench_load.h"
#include "cli/bench_report.h"
#include "cli/bench_verify.h"

/* What was called, for the report. */
#define COMMAND_MAX 1024

int bench_load(struct bench_run *run)
{
	if (run->options->scenario->is_absent)
		return bench_load_absent(run);
	switch (run->options->shape) {
	case BENCH_CHURN: return bench_load_churn(run);
	case BENCH_IDLE: return bench_load_idle(run);
	default: return bench_load_messages(run);
	}
}

static int complain(const char *problem)
{
	fprintf(stderr, "nightjar bench: %s.\n", problem);
	return 1;
}

static void show_progress(const struct bench_options *o, struct bench_progress *progress)
{
	progress->is_shown = !o->is_quiet && isatty(STDERR_FILENO);
}

/* One run, and what came out of it. */
static int run_one(struct bench_run *run, const struct bench_options *o,
		   struct bench_series *series)
{
	int error = bench_run_init(run, o);
	show_progress(o, &run->progress);
	if (!error)
		error = series->kind == BENCH_SERIES_RAMP ? bench_load_ramp(run, series)
							  : bench_load(run);
	bench_progress_end(&run->progress);
	if (!error && series->kind == BENCH_SERIES_ONE) {
		bench_result_of(run, NULL, &series->results[0]);
		series->count = 1;
	}
	series->progress = run->progress;
	return error;
}

static void print(const struct bench_run *run, const struct bench_options *o,
		  const struct bench_series *series)
{
	if (series->kind != BENCH_SERIES_ONE)
		(o->is_json ? bench_series_json : bench_series_text)(o, series);
	else
		(o->is_json ? bench_report_json : bench_report_text)(run, &series->results[0]);
}

static void join(int argc, char **argv, char *text, size_t len)
{
	size_t at = (size_t)snprintf(text, len, "nightjar bench");
	for (int i = 1; i < argc && at < len; i++)
		at += (size_t)snprintf(text + at, len - at, " %s", argv[i]);
}

static int write_html(const struct bench_options *o, const struct bench_series *series, int argc,
		      char **argv)
{
	char command[COMMAND_MAX], problem[COMMAND_MAX];
	if (!o->html_path)
		return 0;
	join(argc, argv, command, sizeof(command));
	if (bench_html_write(o->html_path, command, o, series) == 0)
		return 0;
	snprintf(problem, sizeof(problem), "cannot write '%s': %s", o->html_path, strerror(errno));
	return complain(problem);
}

static struct bench_series *series_new(const struct bench_options *o)
{
	size_t count = o->ramp.from ? BENCH_RAMP_STEPS_MAX : o->compares_qos ? 3 : 1;
	struct bench_series *series =
		mem_zalloc(sizeof(*series) + count * sizeof(struct bench_result));
	if (!series)
		return NULL;
	series->kind = o->ramp.from      ? BENCH_SERIES_RAMP
		       : o->compares_qos ? BENCH_SERIES_QOS
					 : BENCH_SERIES_ONE;
	show_progress(o, &series->progress);
	return series;
}

static int perform(struct bench_run *run, struct bench_series *series,
		   const struct bench_options *o, int argc, char **argv)
{
	int error, status;
	if (series->kind == BENCH_SERIES_QOS)
		error = bench_load_compare(run, o, series);
	else
		error = run_one(run, o, series);
	if (error) {
		status = complain(run->failure[0] ? run->failure : error_text(error));
	} else {
		print(run, o, series);
		status = write_html(o, series, argc, argv) || bench_series_is_broken(series);
	}
	if (series->kind != BENCH_SERIES_QOS)
		bench_run_release(run);
	return status;
}

static int perform_options(const struct bench_options *o, int argc, char **argv)
{
	struct bench_run *run = mem_zalloc(sizeof(*run));
	struct bench_series *series = series_new(o);
	int status;
	if (!run || !series)
		status = complain("not enough memory");
	else
		status = perform(run, series, o, argc, argv);
	mem_free(series);
	mem_free(run);
	return status;
}

int bench_main(int argc, char **argv)
{
	struct bench_options options;
	char problem[512];
	switch (bench_options_parse(&options, argc, argv, problem, sizeof(problem))) {
	case BENCH_PARSE_HELP: bench_options_help(); return 0;
	case BENCH_PARSE_ERROR: return complain(problem);
	case BENCH_PARSE_RUN: break;
	}
	int status = options.is_verifying ? bench_verify(&options)
					  : perform_options(&options, argc, argv);
	bench_options_release(&options);
	return status;
}
