/* SPDX-License-Identifier: Apache-2.0 */
/* What an option says, as text for a person, in the words of the file. */
#ifndef NIGHTJAR_CONFIG_VALUE_TEXT_H
#define NIGHTJAR_CONFIG_VALUE_TEXT_H

#include "config/config.h"

/* Longer ones are cut. */
#define VALUE_TEXT_MAX 256

/* The structure that the option's member is in; `listener` may be NULL for what is no listener's,
 * and NULL comes back for what has no member. */
const void *option_structure(const struct config *c, const struct config_listener *listener,
			     const struct option *option);
/* "2", "true", "14d", "/etc/acl", or "not set"; secrets are not shown. `structure` is what
 * option_structure gave, or, of log_dest, log_type and durability, the configuration. */
void option_value_text(const struct option *option, const void *structure,
		       char text[VALUE_TEXT_MAX]);
/* Text of a file or its name, made harmless; cut where it is longer. */
void foreign_text(const char *value, char text[VALUE_TEXT_MAX]);
/* "listener 1883", "listener 0 /run/nightjar.sock": the words of its line. */
void listener_name(const struct config_listener *l, char text[VALUE_TEXT_MAX]);

#endif
