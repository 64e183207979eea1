/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packet ids come round again after 65,535 messages. What a client has finished is told to the log
 * lazily: if an id were used again before the log knows that its former message is finished, a
 * crash would bring both back under one id, and the client would take one for the other. So queue
 * positions are sent in blocks of half the ids, and a block begins when the log knows that all
 * before the last block is finished:
 *
 *      block n - 2      block n - 1        block n
 *     | finished, and | finished or not | may be sent
 *       the log knows
 */
#ifndef NIGHTJAR_BROKER_FENCE_H
#define NIGHTJAR_BROKER_FENCE_H

#include "base/base.h"

struct session;
struct shard;

/* Ids of a block: two blocks hold no id twice. */
#define FENCE_BLOCK 32767

/* May the message with this queue position be sent? If not, deliver_pump is called when it may. */
bool fence_is_open(struct shard *s, struct session *session, uint64_t position);
/* What the session waited for has come back from the log. */
void fence_returned(struct shard *s, struct session *session);

#endif
