/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages at QoS 1 and 2 that the application has and has not let go, so that their PUBACK or
 * PUBREC is still to come. The application lets them go in any order; the server gets the
 * acknowledgements in the order in which the messages came, for each QoS [MQTT-4.6.0-2, 4.6.0-3].
 *
 *      arrived[QoS 1]   m1 (let go)  m2 (let go)  m3  m4 (let go)
 *                       `-- these may leave --'   `-- m4 waits for m3
 *
 * When a connection ends nothing of it can be acknowledged any more: the messages are "away" until
 * the server sends them again.
 */
#ifndef NIGHTJAR_CLIENT_INCOMING_H
#define NIGHTJAR_CLIENT_INCOMING_H

#include "base/list.h"
#include "base/map.h"
#include "mqtt/types.h"

struct incoming_message {
	struct link link; /* in `arrived` of its QoS, or in `away` */
	uint64_t handle;  /* the packet id, above it a number that is never used twice */
	uint16_t packet_id;
	uint8_t qos;
	uint8_t reason_code;
	bool is_let_go;
	bool is_away;
};

struct incoming {
	struct map by_id;
	struct link arrived[QOS_MAX]; /* in order; index: QoS - 1 */
	uint32_t arrived_count[QOS_MAX];
	struct link away;
	uint64_t last_number;
};

void incoming_init(struct incoming *i);
void incoming_release(struct incoming *i);

/* The message with that packet id, or NULL. */
struct incoming_message *incoming_find(const struct incoming *i, uint16_t packet_id);
/* Notes one that came now; its packet id must not be there. 0 or ERROR_NO_MEMORY. */
int incoming_add(struct incoming *i, uint16_t packet_id, uint8_t qos,
		 struct incoming_message **message_out) MUST_USE;
/* The same of one that came with an earlier connection: it is away. */
int incoming_restore(struct incoming *i, uint16_t packet_id, uint8_t qos,
		     struct incoming_message **message_out) MUST_USE;
void incoming_remove(struct incoming *i, struct incoming_message *m);
/* It came again: unless it is there already it takes its place behind all that came before. */
void incoming_return(struct incoming *i, struct incoming_message *m);
/* It came again and is to be given again: as incoming_return, under a new handle. */
void incoming_renew(struct incoming *i, struct incoming_message *m);

/* The application is done with it. ERROR_NOT_FOUND for a handle that is not, or no longer, known. */
int incoming_let_go(struct incoming *i, uint64_t handle, uint8_t reason_code) MUST_USE;
/* The next one at this QoS whose acknowledgement may leave, or NULL: send it, then remove it. */
struct incoming_message *incoming_next(const struct incoming *i, uint8_t qos);

/* The connection has ended. What came at QoS 1 is forgotten unless `keeps_qos_1`. */
void incoming_lose(struct incoming *i, bool keeps_qos_1);
/* The session has ended: all handles are void. */
void incoming_clear(struct incoming *i);

#endif
