/* SPDX-License-Identifier: Apache-2.0 */
/* Who publishes, who subscribes, and who hears whom: the scenarios as a table. */
#ifndef NIGHTJAR_CLI_BENCH_SCENARIO_H
#define NIGHTJAR_CLI_BENCH_SCENARIO_H

#include "base/base.h"

enum bench_shape {
	BENCH_PAIRS,    /* subscriber i hears publisher i */
	BENCH_EVERYONE, /* each subscriber hears all publishers */
	BENCH_SHARED,   /* the subscribers are one $share group: each message goes to one of them */
	BENCH_CHURN,    /* clients connect and disconnect */
	BENCH_IDLE,     /* clients connect and stay */
	BENCH_VERIFY,   /* what was acknowledged survives the server's death */
};

struct bench_scenario {
	const char *name;
	const char *summary;
	enum bench_shape shape;
	/* what an option has unless it is given */
	uint32_t publishers;
	uint32_t subscribers;
	uint32_t clients;
	uint32_t outstanding;
	uint32_t rate;
	bool is_absent; /* the subscribers leave, and come back when all is published */
};

/* All scenarios; the last has no name. */
extern const struct bench_scenario bench_scenarios[];

/* Those that are not called by a name: --file, and --verify-durability. */
extern const struct bench_scenario bench_scenario_file;
extern const struct bench_scenario bench_scenario_verify;

/* NULL when there is none of that name. */
const struct bench_scenario *bench_scenario_find(const char *name);

static inline bool bench_shape_publishes(enum bench_shape shape)
{
	return shape <= BENCH_SHARED;
}

#endif
