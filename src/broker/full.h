/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the log has no room for messages, or the process is at its memory_ceiling (shed.h). A version 5 publisher is told so; an older one has no way
 * to be told, so its messages are held, unanswered and in order, until there is room again. What is
 * held has not been promised to anybody: it goes with its connection, and the client, which has had
 * no answer, sends it again.
 */
#ifndef NIGHTJAR_BROKER_FULL_H
#define NIGHTJAR_BROKER_FULL_H

#include "broker/publish.h"

/* Over this many bytes held, those who send more are not read. */
#define HELD_BYTES_MAX ((size_t)8 << 20)

/* Is this message, which must be logged or not, to be refused or held now? None overtakes another
 * of its publisher that is held. */
bool full_refuses(const struct shard *s, const struct publication *p,
		  const struct session *publisher, bool is_logged);
/* Holds it; its answer is opened. ERROR_AGAIN, as publish_enter, or ERROR_NO_MEMORY. */
int full_hold(struct shard *s, struct publication *p, struct session *publisher,
	      struct ack_waiting *ack) MUST_USE;
/* Is the message with this id held? Then the log knows nothing of its id. */
bool full_holds(const struct shard *s, const struct session *session, uint16_t packet_id);
/* Lets those go that there is room for. */
void full_turn(struct shard *s);
/* The session's connection is gone. */
void full_drop(struct shard *s, struct session *session);
void full_release(struct shard *s);

#endif
