/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration as it holds: every option in the grammar of the file, with where it was said.
 * Read again, the text gives the same configuration. Secrets are left out.
 */
#ifndef NIGHTJAR_CONFIG_SHOW_H
#define NIGHTJAR_CONFIG_SHOW_H

#include "config/config.h"

enum shown_origin {
	SHOWN_DEFAULT,
	SHOWN_COMMAND_LINE,
	SHOWN_FILE,
};

struct shown {
	const char *name;
	const char *value; /* as the file has it; NULL: it has no word for it */
	const char *words; /* for a person, when there is no value */
	const struct config_listener *listener; /* NULL: of the broker */
	const char *group;                      /* of the manual; of listeners: NULL */
	enum shown_origin origin;
	struct config_place place; /* with SHOWN_FILE */
};

/* One option after the other; those of a listener follow its "listener" line. `is_effective`: all,
 * else only those that were said. Goes on until one returns an error, and returns that. After
 * config_finish. */
int config_walk(const struct config *c, bool is_effective,
		int (*visit)(void *context, const struct shown *s), void *context) MUST_USE;

/* Appends the text, or one JSON object. 0 or ERROR_NO_MEMORY. */
int config_show(const struct config *c, bool is_effective, struct buffer *out) MUST_USE;
int config_show_json(const struct config *c, bool is_effective, struct buffer *out) MUST_USE;

#endif
