/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every state that can be reached, breadth first: so the way to a state that breaks a promise is as
 * short as any. Then the way back, from those in which all is done: whatever has happened, once
 * faults stop the rest must be able to finish; and without a retry interval it must finish whatever
 * is done in whatever order.
 */
#ifndef NIGHTJAR_TESTS_EXPLORE_SEARCH_H
#define NIGHTJAR_TESTS_EXPLORE_SEARCH_H

#include "world.h"

#define STATES_MAX 60000000u

struct found {
	uint32_t states;
	uint64_t transitions;
	uint32_t ends;    /* states in which all is done */
	uint32_t longest; /* steps to the state that is farthest from the first */
	size_t bytes;
	char broken[160]; /* "" = all promises hold in every state */
	/* The way there, to be freed. */
	uint8_t *actions;
	unsigned action_count;
};

void search(const struct config *config, struct found *out);

#endif
