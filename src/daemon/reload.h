/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a running broker reads again: its configuration, and the files that it names, on SIGHUP and
 * when they change. A configuration with any mistake is refused whole; what holds until then goes
 * on to hold. Nobody is disconnected but those who lost their right.
 */
#ifndef NIGHTJAR_DAEMON_RELOAD_H
#define NIGHTJAR_DAEMON_RELOAD_H

#include <stdio.h>

#include "daemon/broker_options.h"
#include "daemon/file_watch.h"
#include "daemon/listening.h"
#include "daemon/log.h"
#include "daemon/server.h"

struct reload {
	const struct broker_options *options;
	struct config *config; /* that holds: what cannot change in it never does */
	struct logger *log;
	struct server *server;
	struct listening *listening;    /* a reference */
	uint64_t seed;                  /* for what is read */
	struct file_watch config_watch; /* the configuration, and what it includes */
	struct file_watch door_watch;   /* certificates, keys and lists */
	struct file_watch access_watch; /* password and ACL files */
};

/* All but the watches is set. From now on files are watched. */
void reload_begin(struct reload *r);
void reload_end(struct reload *r);
/* SIGHUP: everything, and the log's file is opened again. */
void reload_all(struct reload *r);
/* After it was moved away. */
void reload_reopen_log(struct reload *r);
/* To be called every WATCH_MS, when there is anything to watch. */
bool reload_is_watching(const struct reload *r);
void reload_look(struct reload *r);

/* Of the configuration, by which the log is opened. In the background nobody reads standard output
 * and error. */
struct log_options reload_log_options(const struct config *c, bool is_background);
/* Password and ACL files, or NULL. What is wrong goes to the log, or to `errors`. */
struct access *reload_read_access(const struct config *c, uint64_t seed, struct logger *log,
				  FILE *errors);

#endif
