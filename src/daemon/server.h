/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker with its threads: one per shard, each with a loop of its own.
 *
 *     server_start    all threads run; clients may come
 *     server_stop     says goodbye to all, lets output drain for a while
 *     server_join     the threads have ended; everything is given back
 */
#ifndef NIGHTJAR_DAEMON_SERVER_H
#define NIGHTJAR_DAEMON_SERVER_H

#include "daemon/listening.h"
#include "daemon/log.h"

/* How long clients may take to hear the goodbye. */
#define SERVER_DRAIN_MS 2000
#define SERVER_REASON_MAX 256

struct server;

/* `log` and `listening` are borrowed until server_join. NULL, with the reason, when the system
 * lacks memory, descriptors or threads. */
struct server *server_start(const struct settings *settings, unsigned shard_count,
			    struct logger *log, struct listening *listening,
			    char reason[SERVER_REASON_MAX]);
/* Returns at once; server_ended_fd becomes readable when server_join will not wait. */
void server_stop(struct server *s);
int server_ended_fd(const struct server *s);
void server_join(struct server *s);

#endif
