/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `nightjar broker`. */
#ifndef NIGHTJAR_DAEMON_BROKER_OPTIONS_H
#define NIGHTJAR_DAEMON_BROKER_OPTIONS_H

#include "config/config.h"

#define BROKER_PORTS_MAX 16
#define BROKER_REASON_MAX 512

struct broker_options {
	const char *config_file; /* NULL: none */
	const char *ports[BROKER_PORTS_MAX];
	unsigned port_count;
	const char *bind_address; /* NULL: not given */
	const char *shards;       /* NULL: not given */
	const char *key_log;      /* NULL: not given */
	bool is_verbose;
	bool is_quiet;
	bool is_background;
	bool is_test;      /* only look at the configuration */
	bool is_mosquitto; /* called by that name: its conventions */
	bool wants_help;
	bool wants_version;
};

/* Of argv[0] only the name counts; the texts are borrowed from argv. 0, or ERROR_INVALID and a
 * sentence; `is_mosquitto` is told then, too. */
int broker_options_parse(int argc, char **argv, struct broker_options *out,
			 char reason[BROKER_REASON_MAX]) MUST_USE;
/* The configuration that the file and the options make. `c` is initialised here, also on error. */
int broker_options_load(const struct broker_options *o, struct config *c,
			struct config_report *report) MUST_USE;
/* The status of a process that ends because of its command line or its configuration. */
int broker_options_status(const struct broker_options *o);
/* The text of --help. */
const char *broker_options_help(void);

#endif
