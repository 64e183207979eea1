/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_scenario.h. */
#include "cli/bench_scenario.h"

/*
 * Outstanding messages: 4,000 small ones fill a reader's turn without running into the limits that
 * brokers set to a slow subscriber; a fan-out multiplies each by its subscribers.
 */
const struct bench_scenario bench_scenarios[] = {
	{"p2p", "each publisher has its own topic and its own subscriber", BENCH_PAIRS,
	 .publishers = 1, .subscribers = 1, .outstanding = 4000},
	{"fan-out", "each message goes to all subscribers", BENCH_EVERYONE, .publishers = 1,
	 .subscribers = 500, .outstanding = 100},
	{"fan-in", "many publishers, one subscriber (or a --shared group)", BENCH_EVERYONE,
	 .publishers = 100, .subscribers = 1, .outstanding = 100},
	{"sparse", "many pairs, each message on its own: paced at --rate", BENCH_PAIRS,
	 .publishers = 1000, .subscribers = 1000, .outstanding = 4000, .rate = 20000},
	{"absent", "a queue is filled for subscribers that are not there, and drained",
	 BENCH_EVERYONE, .publishers = 1, .subscribers = 1, .outstanding = UINT32_MAX - 1,
	 .is_absent = true},
	{"churn", "clients connect and disconnect, --clients at a time", BENCH_CHURN,
	 .clients = 50},
	{"idle", "clients connect and stay: memory and CPU of each", BENCH_IDLE, .clients = 1000},
	{.name = NULL},
};

const struct bench_scenario bench_scenario_file = {"file", "groups of a scenario file",
						   BENCH_EVERYONE, .outstanding = UINT32_MAX - 1};
const struct bench_scenario bench_scenario_verify = {
	.name = "verify-durability",
	.summary = "the server is killed, and started again",
	.shape = BENCH_VERIFY};

const struct bench_scenario *bench_scenario_find(const char *name)
{
	for (const struct bench_scenario *s = bench_scenarios; s->name; s++) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}
