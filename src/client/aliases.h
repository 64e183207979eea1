/* SPDX-License-Identifier: Apache-2.0 */
/* The topic aliases that the server has set on this connection ([5] 3.3.2.3.4). */
#ifndef NIGHTJAR_CLIENT_ALIASES_H
#define NIGHTJAR_CLIENT_ALIASES_H

#include "mqtt/packets.h"

struct alias {
	char *topic; /* NULL = not set */
	size_t len;
};

struct aliases {
	struct alias *table;
	uint32_t capacity;
	uint16_t maximum; /* what we announced: 0 = no aliases */
};

static inline void aliases_init(struct aliases *a, uint16_t maximum)
{
	*a = (struct aliases){.maximum = maximum};
}
/* Forgets all: aliases do not outlive a connection [MQTT-3.3.2-7]. */
void aliases_clear(struct aliases *a);

/* Takes every alias up to the maximum [MQTT-3.3.2-10].
 * Fills in the topic of a message that has only an alias, notes the alias of one that has both.
 * A flaw when the alias is unknown or beyond the maximum; `error_out` is 0 or ERROR_NO_MEMORY. */
const struct flaw *aliases_resolve(struct aliases *a, struct publish *message,
				   int *error_out) MUST_USE;

#endif
