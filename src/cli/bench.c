/* SPDX-License-Identifier: Apache-2.0 */
/* See bench.h. */
#include "cli/bench.h"

#include <stdio.h>

#include "base/mem.h"
#include "cli/bench_load.h"
#include "cli/bench_report.h"

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

static int report(const struct bench_run *run)
{
	struct bench_result result;
	bench_result_of(run, &result);
	if (run->options->is_json)
		bench_report_json(run, &result);
	else
		bench_report_text(run, &result);
	return result.is_broken ? 1 : 0;
}

static int perform(struct bench_run *run, const struct bench_options *options)
{
	int error = bench_run_init(run, options);
	if (!error)
		error = bench_load(run);
	int status =
		error ? complain(run->failure[0] ? run->failure : error_text(error)) : report(run);
	bench_run_release(run);
	return status;
}

int bench_main(int argc, char **argv)
{
	struct bench_options options;
	char problem[256];
	switch (bench_options_parse(&options, argc, argv, problem, sizeof(problem))) {
	case BENCH_PARSE_HELP: bench_options_help(); return 0;
	case BENCH_PARSE_ERROR: return complain(problem);
	case BENCH_PARSE_RUN: break;
	}
	struct bench_run *run = mem_alloc(sizeof(*run));
	if (!run)
		return complain("not enough memory");
	int status = perform(run, &options);
	mem_free(run);
	return status;
}
