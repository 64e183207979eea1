/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people read them. Each function writes into `text` and returns where it begins. */
#ifndef NIGHTJAR_CLI_BENCH_TEXT_H
#define NIGHTJAR_CLI_BENCH_TEXT_H

#include "base/base.h"

#define BENCH_TEXT_MAX 32

/* "1,234,567" */
const char *bench_text_count(uint64_t value, char text[BENCH_TEXT_MAX]);
/* "385 us", "1.52 ms", "2.00 s" */
const char *bench_text_time(uint64_t ns, char text[BENCH_TEXT_MAX]);

#endif
