/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All sockets that the broker listens on, with what awaits behind them, as one set that never
 * changes: where a configuration opens and closes listeners, or changes their options, another set
 * takes its place. Both share what stays. Each thread holds a reference to the set it accepts from.
 */
#ifndef NIGHTJAR_DAEMON_LISTENING_H
#define NIGHTJAR_DAEMON_LISTENING_H

#include "config/config.h"
#include "daemon/door.h"
#include "io/listener.h"

#define LISTENING_REASON_MAX DOOR_REASON_MAX

/* The sockets of one listener of the configuration. Counted: the last one closes them. */
struct port;

struct entrance {
	struct port *port;
	struct door *door;
};

struct listening {
	atomic_uint refs;
	struct listener *listeners; /* copies, to accept from: the descriptors are the ports' */
	uint8_t *entrance_indexes;  /* of each */
	unsigned count;
	struct entrance *entrances; /* one for each listener of the configuration, in its order */
	unsigned entrance_count;
};

/* An empty one, with room for so many listeners. One reference, or NULL. */
struct listening *listening_new(size_t entrances_max);
/* Takes over both references. */
void listening_add(struct listening *l, struct port *port, struct door *door);
/* Adds the one that the configuration asks for, or an error with the reason. */
int listening_open_one(struct listening *l, const struct config *c,
		       const struct config_listener *from,
		       char reason[LISTENING_REASON_MAX]) MUST_USE;
/* All or none: one reference, or NULL with the reason. */
struct listening *listening_open(const struct config *c, char reason[LISTENING_REASON_MAX]);

/* What is said about a listener that could not be as it should. */
struct listening_report {
	void (*refused)(void *context, const char *reason);
	void *context;
};
/*
 * From the set that `running` stands for to what `fresh` asks for, whose listeners have realms by
 * config_follow_realms. One that cannot be opened is left out, also of `fresh`, and then those that
 * are to be closed stay, also in `fresh`; one whose changed options cannot be obeyed stays as it was,
 * also in `fresh`. NULL without memory: then all stays as it was.
 */
struct listening *listening_follow(struct listening *before, struct config *running,
				   struct config *fresh, const struct listening_report *report);

struct listening *listening_ref(struct listening *l);
/* Any thread. NULL is allowed. */
void listening_unref(struct listening *l);
/* What awaits those who come by this listener. */
static inline struct door *listening_door(const struct listening *l,
					  const struct listener *listener)
{
	return l->entrances[l->entrance_indexes[listener - l->listeners]].door;
}
/* Reads anew what the doors' options name, as the configuration has them that the listeners were
 * opened with. A sentence for each that could not be: its old one stays. How many could. */
unsigned listening_reload(struct listening *l, const struct config *c,
			  const struct listening_report *report);
/* "127.0.0.1:1883 and [::1]:1883"; cut to the room. */
void listening_text(const struct listening *l, char *text, size_t room);

#endif
