/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of the broker one client, one address or one listener may take (docs/LIMITS.md). Plain
 * data, as settings.h. 0 = no limit, and the default, unless it says something else.
 */
#ifndef NIGHTJAR_BROKER_LIMIT_SETTINGS_H
#define NIGHTJAR_BROKER_LIMIT_SETTINGS_H

#include "base/base.h"

/* As many as a configuration may have; an index of one is six bits of a connection. */
#define LIMIT_LISTENERS_MAX 64

/* What happens to a PUBLISH beyond the rate. */
enum rate_action {
	RATE_HOLD,       /* the client is not read until its time has come */
	RATE_REFUSE,     /* QoS 0 is dropped, QoS 1 and 2 are answered with 0x97 */
	RATE_DISCONNECT, /* the client is told 0x96 and goes */
};

/* Of those who come by one listener. A burst of 0 stands for what a second brings. */
struct listener_limits {
	uint32_t
		messages_per_s; /* of each client: PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, AUTH */
	uint32_t messages_burst;
	uint32_t bytes_per_s; /* of each client: packets of all kinds, with their headers */
	uint32_t bytes_burst;
	uint32_t rate_action; /* enum rate_action */
};

struct limit_settings {
	struct listener_limits listeners[LIMIT_LISTENERS_MAX];
};

#endif
