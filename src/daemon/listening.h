/* SPDX-License-Identifier: Apache-2.0 */
/* All sockets that the broker listens on, as the configuration asks for them. */
#ifndef NIGHTJAR_DAEMON_LISTENING_H
#define NIGHTJAR_DAEMON_LISTENING_H

#include "config/config.h"
#include "io/listener.h"

struct listening {
	struct listener *listeners;
	uint8_t *answers; /* of each: enum answer */
	unsigned count;
};

/* All or none: 0, or an error with the reason. */
int listening_open(struct listening *l, const struct config *c,
		   char reason[LISTENER_REASON_MAX]) MUST_USE;
void listening_close(struct listening *l);
/* When publishers who came by this listener get their answers. */
static inline uint8_t listening_answer(const struct listening *l, const struct listener *listener)
{
	return l->answers[listener - l->listeners];
}
/* "127.0.0.1:1883 and [::1]:1883"; cut to the room. */
void listening_text(const struct listening *l, char *text, size_t room);

#endif
