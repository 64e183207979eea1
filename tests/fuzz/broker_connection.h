/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the inputs of the target broker_connection consist of:
 *
 *   byte 0   settings (see set_up)       byte 1   seed for the order of turns; 0x02: there is a
 *                                                 user, known by SCRAM
 *   steps    bits 0-1: which peer, bits 2-5: what (enum step_kind), bits 6-7: turns after it
 *
 * The length of a packet is put in by the target, so that a changed packet is still a packet.
 */
#ifndef NIGHTJAR_TESTS_FUZZ_BROKER_CONNECTION_H
#define NIGHTJAR_TESTS_FUZZ_BROKER_CONNECTION_H

#include "input.h"

/* 1 is a packet, too: they shall be frequent. */
enum step_kind {
	STEP_PACKET = 0, /* bytes: length of the body, first byte, body */
	STEP_PADDED = 2, /* bytes: amount of padding, and the same */
	STEP_RAW = 3,    /* bytes: length, anything */
	STEP_REPEAT = 4, /* byte: how often the last packet goes out again */
	STEP_TIME = 5,   /* byte: how long */
	STEP_CLOSE = 6,
	STEP_CUT = 7,
	STEP_CUT_AFTER = 8,  /* byte: of what the peer sends so many bytes arrive */
	STEP_DEAF_AFTER = 9, /* byte: of what the broker sends */
	STEP_SMALL = 10,     /* byte: how much the next connection holds */
	STEP_PIECES = 11,    /* byte: bytes that move at once */
	STEP_STOP = 12,      /* reads no more, or reads again */
	STEP_READ = 13,      /* byte: reads so much */
	STEP_PING = 14,
	STEP_ACKNOWLEDGE = 15, /* and answers challenges, from now on, or no more */
};

#endif
