/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that verify passwords and tokens, so that the shards go on serving clients meanwhile. They
 * yield to them (their nice value is high), and what waits for them is bounded (login_queue.h).
 */
#ifndef NIGHTJAR_DAEMON_VERIFIER_H
#define NIGHTJAR_DAEMON_VERIFIER_H

#include "broker/broker.h"
#include "daemon/login_queue.h"

#include <pthread.h>

/* Argon2id takes 20 MiB at a time for each. */
#define VERIFIER_THREADS_MAX 2
struct verifier {
	pthread_mutex_t mutex;
	pthread_cond_t has_work;
	struct broker *broker;
	struct login_queue queue;
	bool is_stopping;
	unsigned thread_count;
	pthread_t threads[VERIFIER_THREADS_MAX];
};

/* Threads start with the first login. */
void verifier_init(struct verifier *v, struct broker *b);
/* The threads end; logins that wait are not answered. */
void verifier_stop(struct verifier *v);
/* Takes over the login: any thread. ERROR_LIMIT: too many wait; ERROR_SYSTEM: no thread. */
int verifier_ask(struct verifier *v, struct login *login) MUST_USE;

#endif
