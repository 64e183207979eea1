/* SPDX-License-Identifier: Apache-2.0 */
/* What the user asked for, checked: every combination that bench_options_parse lets through can be
 * run. One table is parser, defaults, range check and help text. */
#ifndef NIGHTJAR_CLI_BENCH_OPTIONS_H
#define NIGHTJAR_CLI_BENCH_OPTIONS_H

#include "cli/bench_plan.h"
#include "cli/bench_scenario.h"

/* Steps of a ramp: more than a plot has room for. */
#define BENCH_RAMP_STEPS_MAX 200

/* from, from + step, ... to; all 0: no ramp */
struct bench_ramp {
	uint32_t from;
	uint32_t to;
	uint32_t step;
	uint64_t step_ms;
};

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
	uint32_t window;      /* QoS 1, 2: messages in flight per publisher; 0: by the rate */
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
	struct bench_plan *plan; /* of a scenario file; NULL: none */
	const char *plan_path;
	struct bench_ramp ramp;
	bool compares_qos;
	const char *html_path; /* or NULL */
	bool is_verifying;
	uint32_t kill_pid;
	const char *restart_command; /* or NULL */
	bool is_away;                /* the subscriber, while messages are published */
	bool is_quiet;               /* no line of progress */
	const char *ca_file;         /* TLS, by these authorities; NULL: none */
	const char *cert_file;       /* ours; or NULL */
	const char *key_file;
	bool is_insecure; /* the server's name is not looked for in its certificate */
	bool resumes;     /* TLS sessions */
	bool is_websocket;
	uint32_t at_once; /* idle: connections on their way at a time */
	bool reconnects;  /* idle: all are lost, and come back at once */
};

enum bench_parse {
	BENCH_PARSE_RUN,
	BENCH_PARSE_HELP,
	BENCH_PARSE_ERROR,
};

/* On BENCH_PARSE_ERROR `problem` (of `problem_len` bytes) holds one sentence without full stop. */
enum bench_parse bench_options_parse(struct bench_options *o, int argc, char **argv, char *problem,
				     size_t problem_len) MUST_USE;

/* Frees what parsing has allocated. */
void bench_options_release(struct bench_options *o);

/* The highest rate that will be asked for; 0: as fast as it goes. */
static inline uint32_t bench_options_rate_max(const struct bench_options *o)
{
	return o->ramp.to > o->rate ? o->ramp.to : o->rate;
}

/* The help text, on standard output. */
void bench_options_help(void);

#endif
