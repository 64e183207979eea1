/* SPDX-License-Identifier: Apache-2.0 */
/* The broker under stress, as a child process. */
#ifndef NIGHTJAR_STRESS_BROKER_PROCESS_H
#define NIGHTJAR_STRESS_BROKER_PROCESS_H

#include "base/base.h"

#include <sys/types.h>

struct broker_process {
	pid_t pid;       /* 0: not ours, or ended */
	int log;         /* read end of its standard error */
	uint16_t port;   /* on 127.0.0.1 */
	char folder[32]; /* holds `state`, what it stores */
};

/* Starts `program broker -p 0 --shards N` and waits until it listens. False: it said why. */
bool broker_process_start(struct broker_process *b, const char *program, const char *shards);
/* Passes on what it has logged; call now and then, or it blocks. */
void broker_process_read_log(struct broker_process *b);
/* SIGTERM, then its end. True when it ended with status 0. */
bool broker_process_stop(struct broker_process *b);
/* Resident bytes, open sockets; 0 when not to be had. */
uint64_t broker_process_memory(const struct broker_process *b);
unsigned broker_process_sockets(const struct broker_process *b);

#endif
