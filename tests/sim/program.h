/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens in a simulated world, as a list of steps. Each carries the seed of its own dice, so
 * that a step does much the same when others are taken out of the list: this is what the reducer
 * lives on. A step that has no place any more (a publish of a client that is not connected) does
 * nothing.
 *
 * As text, which is what a regression is kept as:
 *
 *     # why this one is kept
 *     world 4711 log disk shards 2 without 3 5
 *     connect 1 8f3a01c2
 *     turns 0 0b77c4d1
 *     rest 0 11223344
 */
#ifndef NIGHTJAR_TESTS_SIM_PROGRAM_H
#define NIGHTJAR_TESTS_SIM_PROGRAM_H

#include "world.h"

#define PROGRAM_STEPS_MAX 20000

enum action {
	ACTION_TURNS,
	ACTION_PUMP,
	ACTION_FREEZE,
	ACTION_TIME,
	ACTION_CLOSE_OLD,
	ACTION_SNAPSHOT,
	ACTION_CRASH,
	ACTION_CONNECT,
	ACTION_PUBLISH,
	ACTION_SUBSCRIBE,
	ACTION_UNSUBSCRIBE,
	ACTION_PING,
	ACTION_STOP,
	ACTION_LAZY,
	ACTION_ANSWER,
	ACTION_DISCONNECT,
	ACTION_FAULT,
	ACTION_VANISH,
	ACTION_FORGE,
	ACTION_HOSTILE,
	ACTION_REST,
	ACTION_REST_LAST,
	ACTION_IDLE, /* a client that has nothing to do; the disk may have */
	ACTION_COUNT,
};

struct step {
	uint8_t action; /* enum action */
	uint8_t actor;  /* index of the client, where it is one's */
	uint32_t seed;
};

struct program {
	uint64_t seed; /* of the world: settings and clients */
	uint8_t log_kind;
	uint8_t shards;
	uint32_t left_out; /* bits of clients that take no part */
	uint32_t step_count;
	struct step steps[PROGRAM_STEPS_MAX];
};

/* program.c: makes up one world's steps and runs them, noting them in `record` unless it is NULL.
 * The world is set up and started. */
void program_make_up(struct world *w, unsigned phases, unsigned steps, struct program *record);
/* Runs a list. */
void program_replay(struct world *w, const struct program *p);

/* act.c */
void act(struct world *w, const struct step *s);

/* program_text.c */
void program_print(const struct program *p);
/* False: it cannot be read, and why has been said. */
bool program_read(const char *path, struct program *p_out);

/* reduce.c: shortens the program that a child writes down while it runs it and fails, to one that
 * fails in the same way; `seconds` bounds the search. Returns an exit status. */
int reduce_child(struct program *p, int child, unsigned seconds);
/* simulation.c: one world from a list; does not return when it fails. */
void run_program(const struct program *p, bool is_traced);

#endif
