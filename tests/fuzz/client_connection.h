/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the inputs of the target client_connection consist of:
 *
 *   byte 0   settings (see set_up)       byte 1   bits 0-5: bytes that are fed at once,
 *                                         0 = all; the others are settings, too
 *   steps    bits 0-1: QoS and the like, bits 2-5: what, bits 6-7: variants
 *
 * The length of a packet is put in by the target, so that a changed packet is still a packet.
 */
#ifndef NIGHTJAR_TESTS_FUZZ_CLIENT_CONNECTION_H
#define NIGHTJAR_TESTS_FUZZ_CLIENT_CONNECTION_H

#include "input.h"

/* 1 is a packet, too: they shall be frequent. */
enum step_kind {
	STEP_PACKET = 0, /* bytes: length of the body, first byte, body */
	STEP_RAW = 2,    /* bytes: length, anything */
	STEP_ANSWER = 3, /* the server answers all it was sent, as it should */
	STEP_REPEAT = 4, /* byte: how often the last packet comes again */
	STEP_PUBLISH = 5,
	STEP_SUBSCRIBE = 6,
	STEP_UNSUBSCRIBE = 7,
	STEP_AUTH = 8,
	STEP_TIME = 9, /* byte: how long */
	STEP_LOST = 10,
	STEP_DISCONNECT = 11,
	STEP_GIVE = 12,    /* acknowledges what the application still owes, or gives what is held */
	STEP_STALL = 13,   /* the socket takes no more output, or takes it again */
	STEP_FLOOD = 14,   /* byte: so many publishes */
	STEP_REFUSES = 15, /* byte: the next answers carry this reason code */
};

#endif
