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
#include "daemon/store.h"

/* How long clients may take to hear the goodbye. */
#define SERVER_DRAIN_MS 2000
/* The same when the store has failed: its supervisor waits. */
#define SERVER_FAILED_DRAIN_MS 300

struct server;

/* What a server runs with, borrowed until server_join. */
struct server_parts {
	const struct settings *settings;
	struct logger *log;
	struct listening *listening; /* the server takes a reference, so do its threads */
	struct store *store;         /* open; what it holds goes to the broker */
	struct access *access;       /* what clients are judged by; the server takes a reference */
	unsigned shard_count;
};

/* NULL, with the reason, when the store cannot be used, or the system lacks memory, descriptors or
 * threads. */
struct server *server_start(const struct server_parts *parts, char reason[STORE_REASON_MAX]);
/* Returns at once; server_ended_fd becomes readable when server_join will not wait. */
void server_stop(struct server *s, uint32_t drain_ms);
/* Clients are judged by this from now on; takes over the reference. */
void server_change_access(struct server *s, struct access *access);
/* All shards go by these from now on; takes over the reference. */
void server_change_settings(struct server *s, const struct settings *shared);
/* Clients come by these from now on; takes a reference. After server_change_access, where they have
 * realms that are new. */
void server_change_listening(struct server *s, struct listening *listening);
/* Who came in by certificates or keys that are no longer good goes. */
void server_recheck_peers(struct server *s);
/* Has subscriptions told as lines of the log. */
void server_tell_subscriptions(struct server *s);
/* Has the state written down in one piece. */
void server_want_checkpoint(struct server *s);
/* Is each shard's thread alive? Wakes all; from one thread, like the next. */
void server_ask_turns(struct server *s);
/* Has each taken a turn since then? If not: one that has not. */
bool server_has_turned(const struct server *s, unsigned *shard_out);
/* A line about who has met a limit so far; `always`: also when nobody has. Any thread. */
void server_log_limits(struct server *s, bool always);
/* Waits until all of this is so in every shard; not for long, where one is stuck. */
void server_await_changes(struct server *s);
int server_ended_fd(const struct server *s);
void server_join(struct server *s);

#endif
