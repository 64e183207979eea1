/* SPDX-License-Identifier: Apache-2.0 */
/* A run of a script: thousands of devices in one thread, and what came of it. */
#ifndef NIGHTJAR_CLI_SIMULATE_RUN_H
#define NIGHTJAR_CLI_SIMULATE_RUN_H

#include <signal.h>

#include "cli/simulate_device.h"

struct simulate_run {
	const struct simulate_script *script;
	struct simulate_device *devices;
	struct simulate_field field;
	uint64_t end_ms;     /* UINT64_MAX: when a signal comes */
	uint64_t ran_ms;     /* as long as it published */
	uint64_t cpu_us;     /* of this process */
	uint64_t lost;       /* QoS 1 and 2, never acknowledged */
	char failure[256];   /* why it could not run, a sentence without its point */
	bool shows_progress; /* a line on standard error that changes */
	const volatile sig_atomic_t *signal_count; /* the first ends it, the second at once */
};

/* Finds the server, makes the devices. 0, or an error and `failure`. Release in every case. */
int simulate_run_init(struct simulate_run *run, const struct simulate_script *script,
		      const char *host, uint16_t port) MUST_USE;
/* Until the end. 0, or an error and `failure`. */
int simulate_run(struct simulate_run *run) MUST_USE;
void simulate_run_release(struct simulate_run *run);

/* simulate_report.c */
void simulate_report_text(const struct simulate_run *run);
void simulate_report_json(const struct simulate_run *run);
/* One line that takes the place of the last one. */
void simulate_report_progress(const struct simulate_run *run);
uint64_t simulate_published(const struct simulate_count *c);
uint64_t simulate_received(const struct simulate_count *c);

#endif
