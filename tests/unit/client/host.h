/* SPDX-License-Identifier: Apache-2.0 */
/* The server of server.h behind a real socket: stepped by a test beside a client in the same
 * thread, or run by a thread of its own. */
#ifndef TESTS_CLIENT_HOST_H
#define TESTS_CLIENT_HOST_H

#include <pthread.h>
#include <stdatomic.h>

#include "nightjar/client.h"
#include "server.h"

struct host {
	struct server server;
	int listen_fd;
	int fd; /* -1: nobody is connected */
	char address[128];
	char path[100]; /* of a Unix socket, "" for TCP on 127.0.0.1 */
	unsigned accept_count;
	bool is_deaf; /* reads nothing */
	pthread_t thread;
	atomic_bool is_over;
};

void host_open(struct host *h, uint8_t version);
void host_open_path(struct host *h, uint8_t version, const char *path);
void host_close(struct host *h);
/* Does what is to do, without waiting. */
void host_step(struct host *h);
/* Cuts the connection. */
void host_cut(struct host *h);
/* A thread that steps it, until host_close. The server is the thread's meanwhile. */
void host_start(struct host *h);

/* Steps both until the condition holds; false after some seconds. */
bool step_until(struct host *h, nj_client *c, bool (*is_so)(void *context), void *context);
/* Steps both until nothing moves; exact on a Unix socket. Timers are not waited for. */
void settle(struct host *h, nj_client *c);

#endif
