/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario file: groups of publishers and subscribers, as text.
 *
 *	duration 10                  # seconds
 *	publishers sensors
 *		count 100
 *		topic plant/%n/temperature   # %n: 0 to count - 1
 *		rate 1000                    # messages a second, of all of them together
 *		qos 1
 *	subscribers archive
 *		topic plant/+/temperature
 *		qos 1
 *		session persistent
 *
 * One word and its value per line; behind them, or at the beginning, `#` begins a comment;
 * indentation means nothing. Every group that bench_plan_parse lets through can be run.
 */
#ifndef NIGHTJAR_CLI_BENCH_PLAN_H
#define NIGHTJAR_CLI_BENCH_PLAN_H

#include "cli/bench_packet.h"

/* More groups than anybody reads; bounds what a file can ask for. */
#define BENCH_PLAN_GROUPS_MAX 64
/* Publishers times audiences: what is followed one by one. */
#define BENCH_PLAN_FLOWS_MAX 16000000
#define BENCH_PLAN_FILE_BYTES_MAX (64u << 10)
/* Not given in the file. */
#define BENCH_PLAN_UNSET UINT32_MAX

struct bench_plan_group {
	char name[32];
	char topic[BENCH_TOPIC_MAX + 1]; /* or filter; %n not replaced yet */
	bool is_publisher;
	uint32_t line; /* where it begins */
	uint32_t count;
	uint32_t qos;
	/* publishers */
	uint32_t rate; /* 0: as fast as it goes */
	uint32_t burst;
	uint32_t payload_bytes;
	uint32_t window;
	/* subscribers */
	uint32_t is_persistent;
};

struct bench_plan {
	uint32_t duration_ms; /* or BENCH_PLAN_UNSET, as the next two */
	uint32_t warmup_ms;
	uint32_t version;
	uint32_t group_count;
	struct bench_plan_group groups[BENCH_PLAN_GROUPS_MAX];
};

/* 0, or ERROR_INVALID: then `problem` (of `problem_len` bytes) holds "LINE: sentence", without full
 * stop; the line counts from 1. */
int bench_plan_parse(struct bench_plan *plan, struct span text, char *problem,
		     size_t problem_len) MUST_USE;

/* Reads the file; free the plan with mem_free. On failure `problem` holds "PATH:LINE: sentence". */
int bench_plan_read(const char *path, struct bench_plan **plan_out, char *problem,
		    size_t problem_len) MUST_USE;

/* The topic or filter of member `number`: `text` has BENCH_TOPIC_MAX + 1 bytes. False when it
 * becomes too long. */
bool bench_plan_topic(const struct bench_plan_group *group, uint32_t number, char *text) MUST_USE;

/* Members of all groups of one kind. */
uint32_t bench_plan_members(const struct bench_plan *plan, bool is_publisher);

#endif
