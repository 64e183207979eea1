/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker's store as the process has it: which directory, which journal, what the log says
 * about it.
 *
 *     store_open      the directory, as whoever the process still is (root may create it)
 *     store_start     as the user that it has become: lock, recovery, journal
 *     store_close     when the broker is gone, and with it what it still had to write
 *
 * Without persistence all of these succeed and touch no disk.
 */
#ifndef NIGHTJAR_DAEMON_STORE_H
#define NIGHTJAR_DAEMON_STORE_H

#include "config/config.h"
#include "daemon/log.h"

#include <stdatomic.h>

struct broker;

#define STORE_REASON_MAX 1024

struct store {
	struct logger *log;
	const struct config_store *options;
	char *path;        /* NULL: nothing is stored */
	struct disk *disk; /* until the journal has it */
	struct journal *journal;
	bool is_brokers; /* the journal: it is closed with the broker, whose log it is */
	struct broker *broker;
	uint64_t started_ms; /* steady */
	bool is_flash;
	int failed_fd; /* an eventfd: written when nothing can be written any more */
};

/* The directory, to be freed with mem_free. NULL: none can be told, or no memory. */
char *store_path(const struct config_store *options);
/* Opens, and where needed creates, the directory for `user` (config.h). The options and the log
 * are borrowed until store_close. 0 or an error with a sentence. Close in any case. */
int store_open(struct store *s, const struct config_store *options, const char *user,
	       struct logger *log, char reason[STORE_REASON_MAX]) MUST_USE;
/* Puts what is stored into the broker, whose log it becomes; before any shard runs. */
int store_start(struct store *s, struct broker *broker, unsigned shard_count,
		char reason[STORE_REASON_MAX]) MUST_USE;
/* Figures of the store, as lines of the log. Any thread, while it runs. */
void store_log_status(struct store *s);
/* How many checkpoints were made by now; 0 without a store. Any thread. */
uint64_t store_checkpoint_count(struct store *s);
/* Does the store take anything? */
bool store_is_usable(struct store *s);
/* When the broker is gone. */
void store_close(struct store *s);

#endif
