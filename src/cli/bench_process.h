/* SPDX-License-Identifier: Apache-2.0 */
/* CPU time and memory of the server's process, all its threads together, seen from outside. */
#ifndef NIGHTJAR_CLI_BENCH_PROCESS_H
#define NIGHTJAR_CLI_BENCH_PROCESS_H

#include "base/base.h"

/* The kernel's largest pid is one less. */
#define BENCH_PID_MAX (1u << 22)

/* User and system time so far, in nanoseconds; the kernel counts it exactly, where /proc/PID/stat
 * would round to 10 ms. 0 or ERROR_SYSTEM (errno ESRCH: there is no such process). */
int bench_process_cpu(uint32_t pid, uint64_t *cpu_ns_out) MUST_USE;

/* Resident memory in bytes: counted page by page where /proc/PID/smaps_rollup may be read, else
 * VmRSS of /proc/PID/status, which newer kernels keep only to some 100 KiB. 0 or ERROR_SYSTEM. */
int bench_process_rss(uint32_t pid, uint64_t *rss_bytes_out) MUST_USE;

/* Is there such a process, and does any of its threads live? A zombie has ended. */
bool bench_process_is_running(uint32_t pid);

/* The number behind "\n<key>:" in the text of such a file; 0 or ERROR_INVALID. */
int bench_process_field(const char *text, const char *key, uint64_t *value_out) MUST_USE;

#endif
