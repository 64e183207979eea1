/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logins that wait to be judged, within bounds. Who guesses passwords waits behind himself:
 * addresses take turns, one login of each. For one thread at a time.
 */
#ifndef NIGHTJAR_DAEMON_LOGIN_QUEUE_H
#define NIGHTJAR_DAEMON_LOGIN_QUEUE_H

#include "broker/login.h"

/* What is beyond these is told that the server is busy. */
#define LOGIN_QUEUE_COUNT_MAX 4096
#define LOGIN_QUEUE_BYTES_MAX ((size_t)8 << 20)
/* Addresses are told apart by so many buckets; of one bucket at most half of the above wait. */
#define LOGIN_QUEUE_SOURCES 256

struct login_source {
	struct login *first, *last;
	struct login_source *next; /* whose turn comes after; NULL = the last, or none waits */
	unsigned count;
};

/* Zero-initialised is empty. */
struct login_queue {
	struct login_source sources[LOGIN_QUEUE_SOURCES];
	struct login_source *first, *last; /* that have a login */
	unsigned count;
	size_t bytes;
};

/* Takes over the login. 0, or ERROR_LIMIT: too many wait. */
int login_queue_put(struct login_queue *q, struct login *login) MUST_USE;
/* The oldest of the source whose turn it is; NULL: none waits. */
struct login *login_queue_take(struct login_queue *q);
/* Frees those that wait. */
void login_queue_release(struct login_queue *q);

#endif
