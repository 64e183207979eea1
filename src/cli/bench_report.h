/* SPDX-License-Identifier: Apache-2.0 */
/* What a finished run says: to a reader, or as JSON. */
#ifndef NIGHTJAR_CLI_BENCH_REPORT_H
#define NIGHTJAR_CLI_BENCH_REPORT_H

#include "cli/bench_result.h"

/* Prints on standard output. */
void bench_report_text(const struct bench_run *run, const struct bench_result *result);
void bench_report_json(const struct bench_run *run, const struct bench_result *result);

/* Parts of JSON objects: members, the first with the brace, all with a comma behind. */
void bench_report_json_setting(const struct bench_options *o);
/* Members without braces, and without a comma behind the last. */
void bench_report_json_result(const struct bench_options *o, const struct bench_result *r);

/* "3.1.1" */
const char *bench_report_version(uint32_t version);

#endif
