/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets as words, so that a test can be read as a conversation. To the broker:
 *
 *   CONNECT v5 id=a clean keep=10 expiry=60 rmax=5 size=100 alias=10 noproblem info
 *           name=lena pass=secret
 *           will=topic:payload willqos=1 willretain willdelay=5 willexpiry=9
 *   PUBLISH q1 m1 dup retain t=a/b p=hello expiry=5 alias=1 user=k:v
 *   SUBSCRIBE m1 sid=7 f=a/#,q1,nl,rap,rh2 f=b          UNSUBSCRIBE m2 f=a/#
 *   PUBACK m1 rc=97 (PUBREC, PUBREL, PUBCOMP)            DISCONNECT rc=04 expiry=0
 *   PINGREQ                                              RAW v5 10 0c 00 04 ...
 *
 * v3, v4, v5 are the protocol levels; "keep" defaults to 0. A payload p=#5000 is 5,000 letters.
 * From the broker, in a fixed order and without what is the same in every run (limits in CONNACK,
 * reason strings):
 *
 *   CONNACK 0 present id= expiry= keep= info=     SUBACK m1 1 80     UNSUBACK m2 0
 *   PUBLISH q1 m1 dup retain t=a/b p=hello expiry=5 alias=1 sid=3,4 user=k:v ...
 *   PUBACK m1 rc=10     PINGRESP     DISCONNECT 8e
 */
#ifndef NIGHTJAR_TESTS_SIM_TALK_H
#define NIGHTJAR_TESTS_SIM_TALK_H

#include "mqtt/packets.h"

#define TALK_TEXT_MAX 512

/* The version that a CONNECT (or RAW) in words speaks; 0 when it does not say. */
uint8_t talk_version(const char *words);
/* The packet's bytes; their number. Asserts that the words make sense and fit. */
size_t talk_encode(const char *words, uint8_t version, struct room room);
/* What the broker said. Asserts that it is a packet that a broker may send to such a client. */
void talk_decode(struct span packet, uint8_t version, char text[TALK_TEXT_MAX]);

#endif
