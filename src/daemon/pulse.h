/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog's heartbeat. It tells the service manager that all is well only when every shard has
 * taken a turn since it was last asked for one: a broker whose main thread runs while its shards
 * hang serves nobody.
 */
#ifndef NIGHTJAR_DAEMON_PULSE_H
#define NIGHTJAR_DAEMON_PULSE_H

#include "daemon/notify.h"
#include "daemon/server.h"

struct pulse {
	const struct notifier *notifier;
	struct server *server;
	struct logger *log;
	uint64_t beat_ms; /* how often to look; 0: nobody wants to know */
	uint64_t next_ms; /* steady */
	uint64_t asked_ms;
	bool has_complained;
};

/* All are borrowed. */
void pulse_start(struct pulse *p, const struct notifier *notifier, struct server *server,
		 struct logger *log, uint64_t now_ms);
/* Time until the next look is due; UINT64_MAX: never. */
uint64_t pulse_wait_ms(const struct pulse *p, uint64_t now_ms);
/* To be called when it is; earlier does no harm. */
void pulse_look(struct pulse *p, uint64_t now_ms);

#endif
