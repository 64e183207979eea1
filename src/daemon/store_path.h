/* SPDX-License-Identifier: Apache-2.0 */
/* Where the store is, and whose. */
#ifndef NIGHTJAR_DAEMON_STORE_PATH_H
#define NIGHTJAR_DAEMON_STORE_PATH_H

#include "base/base.h"

/* What the environment says; NULL: unset. */
struct store_surroundings {
	bool is_root;
	const char *state_directory; /* STATE_DIRECTORY: of a service, by systemd */
	const char *state_home;      /* XDG_STATE_HOME */
	const char *home;            /* HOME */
};

/* The directory when none is configured, to be freed with mem_free. NULL: none can be told, or no
 * memory. */
char *store_default_path(const struct store_surroundings *s);

#endif
