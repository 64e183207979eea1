/* SPDX-License-Identifier: Apache-2.0 */
/* All sockets that the broker listens on, as the configuration asks for them. */
#ifndef NIGHTJAR_DAEMON_LISTENING_H
#define NIGHTJAR_DAEMON_LISTENING_H

#include "config/config.h"
#include "daemon/door.h"
#include "io/listener.h"

#define LISTENING_REASON_MAX DOOR_REASON_MAX

struct listening {
	struct listener *listeners;
	uint8_t *door_indexes; /* of each */
	unsigned count;
	struct door *doors; /* one for each listener of the configuration */
	unsigned door_count;
};

/* All or none: 0, or an error with the reason. */
int listening_open(struct listening *l, const struct config *c,
		   char reason[LISTENING_REASON_MAX]) MUST_USE;
void listening_close(struct listening *l);
/* What awaits those who come by this listener. */
static inline struct door *listening_door(const struct listening *l,
					  const struct listener *listener)
{
	return &l->doors[l->door_indexes[listener - l->listeners]];
}
/* Reads anew what the doors' options name, as the configuration has them that the listeners were
 * opened with. A sentence for each that could not be: its old one stays. How many could. */
unsigned listening_reload(struct listening *l, const struct config *c,
			  void (*refused)(void *context, const char *reason), void *context);
/* "127.0.0.1:1883 and [::1]:1883"; cut to the room. */
void listening_text(const struct listening *l, char *text, size_t room);

#endif
