/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What another configuration changes in one that runs, option by option as the table has them; and
 * how the new one takes the place of the old.
 */
#ifndef NIGHTJAR_CONFIG_DIFF_H
#define NIGHTJAR_CONFIG_DIFF_H

#include "config/config.h"

/* Lines of text for the log, each ended by '\n'. Zero-initialised is empty. */
struct config_diff {
	struct buffer changes;  /* "max_qos of listener 1883: 2 -> 1" */
	struct buffer restarts; /* "shards: 4 -> 8 takes a restart: ..." */
	unsigned change_count;
	unsigned restart_count;
	bool is_out_of_memory;
};
void config_diff_release(struct config_diff *d);

/* Both after config_finish. */
void config_compare(const struct config *running, const struct config *fresh,
		    struct config_diff *out);
/* What cannot change while running goes from the running configuration to the fresh one, and the
 * other way round: then the fresh one can take its place. */
void config_keep_fixed(struct config *running, struct config *fresh);

/* The same place to listen at: its socket, and what holds for it, can stay. */
bool config_listener_is_same_place(const struct config_listener *a,
				   const struct config_listener *b);
/* And as a Unix socket, has it the same mode and owner? */
bool config_listener_is_same_socket(const struct config_listener *a,
				    const struct config_listener *b);
/* The one of that index could not be opened. */
void config_drop_listener(struct config *c, size_t index);
/* One that was to be closed stays, as a copy. 0, ERROR_NO_MEMORY or ERROR_LIMIT. */
int config_keep_listener(struct config *c, const struct config_listener *l) MUST_USE;

#endif
