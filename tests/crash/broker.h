/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker that is to crash, as a child process: started again and again over the same store.
 * Its log goes to a file that outlives it.
 */
#ifndef NIGHTJAR_CRASH_BROKER_H
#define NIGHTJAR_CRASH_BROKER_H

#include "base/base.h"

#include <sys/types.h>

struct broker {
	const char *program;
	const char *shards;
	const char *folder;   /* holds the store, the configuration and the log */
	const char *settings; /* more lines of configuration */
	bool is_mosquitto;    /* Debian's, to try the test itself */
	bool is_volatile;     /* keeps nothing: must not be killed */
	/* A power cut behind each crash: the library that records what is durable, and the program
	 * that makes the disk's content from it. NULL: the process dies, the system lives on. */
	const char *powercut_library;
	const char *powercut_apply;
	uint64_t powercut_seed;

	pid_t pid; /* 0: not running */
	uint16_t port;
	off_t log_from; /* where the log of this start begins */
	unsigned starts;
};

enum broker_start {
	BROKER_RUNS,
	BROKER_ENDED,       /* it said why */
	BROKER_STILL_STARTS /* not within that time */
};

/* Makes the folder's content. */
void broker_prepare(struct broker *b);
/* Starts it, without waiting. */
void broker_spawn(struct broker *b);
/* Waits for it to listen. */
enum broker_start broker_wait_start(struct broker *b, unsigned ms_max);
/* True when it has ended by itself; its log's last lines are shown. */
bool broker_has_ended(struct broker *b);
/* kill -9, its end, and the power cut if there is to be one. False: that failed. */
bool broker_kill(struct broker *b);
/* SIGTERM; the process goes on for a while. */
void broker_ask_to_end(struct broker *b);
/* True when it ended with status 0 within the time that a slow machine needs. */
bool broker_wait_end(struct broker *b);
void broker_show_log(const struct broker *b);

#endif
