/* SPDX-License-Identifier: Apache-2.0 */
/* What the user asked for, checked: every combination that bench_options_parse lets through can be
 * run. One table is parser, defaults, range check and help text. */
#ifndef NIGHTJAR_CLI_BENCH_OPTIONS_H
#define NIGHTJAR_CLI_BENCH_OPTIONS_H

#include "cli/bench_scenario.h"

struct bench_options {
	const struct bench_scenario *scenario;
	enum bench_shape shape; /* the scenario's, or BENCH_SHARED */
	const char *host;
	const char *user_name; /* NULL: none */
	const char *password;
	uint32_t port;
	uint32_t version; /* enum mqtt_version */
	uint32_t qos;
	uint32_t payload_bytes;
	uint32_t publishers;
	uint32_t subscribers;
	uint32_t clients;
	uint32_t shared;      /* subscribers of the $share group, 0 = no group */
	uint32_t window;      /* QoS 1, 2: messages in flight per publisher */
	uint32_t outstanding; /* sent by a publisher, not received by its slowest subscriber yet */
	uint32_t rate;  /* messages (or connections) a second in all; 0 = as fast as it goes */
	uint32_t burst; /* paced messages that are due at the same instant */
	uint32_t count; /* messages (or connections) in all; 0 = until the time is over */
	uint64_t duration_ms;
	uint64_t warmup_ms;
	uint32_t server_pid; /* 0 = unknown */
	bool is_persistent;  /* the subscribers' sessions outlive their connections */
	bool is_kept;        /* absent: the queues stay on the server */
	bool is_json;
};

enum bench_parse {
	BENCH_PARSE_RUN,
	BENCH_PARSE_HELP,
	BENCH_PARSE_ERROR,
};

/* On BENCH_PARSE_ERROR `problem` (of `problem_len` bytes) holds one sentence without full stop. */
enum bench_parse bench_options_parse(struct bench_options *o, int argc, char **argv, char *problem,
				     size_t problem_len) MUST_USE;

/* The help text, on standard output. */
void bench_options_help(void);

#endif
