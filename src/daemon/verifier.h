/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that verify passwords, so that the shards go on serving clients meanwhile. They yield to
 * them (their nice value is high), and what waits for them is bounded.
 *
 * Who guesses passwords waits behind himself: addresses take turns, one password of each.
 */
#ifndef NIGHTJAR_DAEMON_VERIFIER_H
#define NIGHTJAR_DAEMON_VERIFIER_H

#include "broker/broker.h"

#include <pthread.h>

/* Argon2id takes 20 MiB at a time for each. */
#define VERIFIER_THREADS_MAX 2
/* Passwords that wait, and their bytes: what is beyond is told that the server is busy. */
#define VERIFIER_QUESTIONS_MAX 4096
#define VERIFIER_BYTES_MAX ((size_t)8 << 20)
/* Addresses are told apart by so many buckets; of one bucket at most half of the above wait. */
#define VERIFIER_SOURCES 256

struct verifier_source {
	struct login *first, *last;
	struct verifier_source *next; /* whose turn comes after; NULL = the last, or none waits */
	unsigned count;
};

struct verifier {
	pthread_mutex_t mutex;
	pthread_cond_t has_work;
	struct broker *broker;
	struct verifier_source sources[VERIFIER_SOURCES];
	struct verifier_source *first, *last; /* that have a question */
	unsigned count;
	size_t bytes;
	bool is_stopping;
	unsigned thread_count;
	pthread_t threads[VERIFIER_THREADS_MAX];
};

/* Threads start with the first question. */
void verifier_init(struct verifier *v, struct broker *b);
/* The threads end; questions that wait are not answered. */
void verifier_stop(struct verifier *v);
/* Takes over the question: any thread. ERROR_LIMIT: too many wait; ERROR_SYSTEM: no thread. */
int verifier_ask(struct verifier *v, struct login *login) MUST_USE;

#endif
