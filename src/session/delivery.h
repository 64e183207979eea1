/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The delivery protocol of QoS 1 and 2 as two tables ([5] 4.3, 4.4): what the sender and what the
 * receiver of a message does, state x event -> steps, next state. Broker and client run the same
 * rows; documentation, trace and explorer read them too. An empty cell is a protocol error.
 */
#ifndef NIGHTJAR_SESSION_DELIVERY_H
#define NIGHTJAR_SESSION_DELIVERY_H

#include "base/base.h"

/* Steps, to be done in this order. */
enum delivery_step {
	STEP_NONE = 0,
	STEP_IGNORE = 1 << 0,         /* tolerated: nothing to do */
	STEP_FORGET_MESSAGE = 1 << 1, /* the payload is no longer needed */
	STEP_RELEASE_ID = 1 << 2,     /* the packet id is free again */
	STEP_SEND_PUBLISH = 1 << 3,
	STEP_SEND_PUBLISH_DUP = 1 << 4, /* the same packet id, DUP set [MQTT-3.3.1-1] */
	STEP_SEND_PUBREL = 1 << 5,
	STEP_SEND_PUBREL_NOT_FOUND = 1 << 6, /* v5: reason 0x92 */
	STEP_STORE_ID = 1 << 7,
	STEP_DELIVER = 1 << 8, /* hand the message on */
	STEP_SEND_PUBACK = 1 << 9,
	STEP_SEND_PUBREC = 1 << 10,
	STEP_SEND_PUBCOMP = 1 << 11,
	STEP_SEND_PUBCOMP_NOT_FOUND = 1 << 12, /* v5: reason 0x92 */
};

struct transition {
	uint16_t steps; /* of enum delivery_step; 0 = protocol error */
	uint8_t next;
};

enum send_state {
	SEND_NONE,
	SEND_WAIT_PUBACK,
	SEND_WAIT_PUBREC,
	SEND_WAIT_PUBCOMP,
	SEND_STATE_COUNT,
};

enum send_event {
	SEND_EVENT_QOS_1, /* the application or a route gives a message to send at QoS 1 */
	SEND_EVENT_QOS_2,
	SEND_EVENT_PUBACK, /* any reason code: it ends the exchange [MQTT-4.4.0-2] */
	SEND_EVENT_PUBREC,
	SEND_EVENT_PUBREC_ERROR, /* reason code >= 0x80 */
	SEND_EVENT_PUBCOMP,
	SEND_EVENT_AGAIN, /* reconnected with the session, or the opt-in retry interval of 3.x */
	SEND_EVENT_COUNT,
};

enum receive_state {
	RECEIVE_NONE,
	RECEIVE_WAIT_PUBREL,
	RECEIVE_STATE_COUNT,
};

enum receive_event {
	RECEIVE_EVENT_QOS_0,
	RECEIVE_EVENT_QOS_1,
	RECEIVE_EVENT_QOS_2,
	RECEIVE_EVENT_REFUSED, /* the QoS 2 message got a PUBREC >= 0x80 */
	RECEIVE_EVENT_PUBREL,
	RECEIVE_EVENT_COUNT,
};

extern const struct transition send_table[SEND_STATE_COUNT][SEND_EVENT_COUNT];
extern const struct transition receive_table[RECEIVE_STATE_COUNT][RECEIVE_EVENT_COUNT];

const char *send_state_name(unsigned state);
const char *send_event_name(unsigned event);
const char *receive_state_name(unsigned state);
const char *receive_event_name(unsigned event);
/* The name of the lowest step in the mask, "" for none. */
const char *delivery_step_name(unsigned steps);

#endif
