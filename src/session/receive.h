/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one end has received and must not repeat: the packet ids of QoS 2 messages between PUBLISH
 * and PUBREL, of one session over all its connections. Runs receive_table of delivery.h.
 *
 * Ids are kept in an open hash of two-byte slots, addressed by the id itself: ids in sequence, as
 * clients give them, never collide.
 */
#ifndef NIGHTJAR_SESSION_RECEIVE_H
#define NIGHTJAR_SESSION_RECEIVE_H

#include "session/delivery.h"

struct receive {
	uint16_t *ids;     /* 0 = free slot */
	uint32_t capacity; /* power of two, or 0 */
	uint32_t count;    /* open QoS 2 messages: they count against our Receive Maximum */
};

static inline void receive_init(struct receive *r)
{
	*r = (struct receive){0};
}
void receive_release(struct receive *r);

bool receive_has(const struct receive *r, uint16_t packet_id);

/* Runs the table for a packet; returns its steps; 0 = protocol error. STEP_STORE_ID has been
 * done on return: without memory `error_out` is ERROR_NO_MEMORY and nothing changed. */
unsigned receive_event(struct receive *r, enum receive_event event, uint16_t packet_id,
		       int *error_out);

/* The id at or behind slot *cursor (start with 0), 0 at the end. */
uint16_t receive_next(const struct receive *r, uint32_t *cursor);

#endif
