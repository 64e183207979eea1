/* SPDX-License-Identifier: Apache-2.0 */
/* QoS 2 messages that have come and wait for their PUBREL before the application gets them. */
#ifndef NIGHTJAR_CLIENT_HELD_H
#define NIGHTJAR_CLIENT_HELD_H

#include "base/list.h"
#include "mqtt/packets.h"

struct held {
	struct link messages; /* in order of arrival */
	uint32_t count;
	size_t bytes;
};

void held_init(struct held *h);
void held_release(struct held *h);

/* Keeps a copy. 0, ERROR_INVALID when it does not fit a packet, ERROR_NO_MEMORY. */
int held_add(struct held *h, const struct publish *message, uint8_t version) MUST_USE;

/* Hands the message with that packet id, or with 0 the oldest, to `give` and forgets it; false
 * when there is none. Quick when ids are asked for in order of arrival. */
bool held_give(struct held *h, uint16_t packet_id, uint8_t version,
	       void (*give)(void *context, const struct publish *message), void *context);

#endif
