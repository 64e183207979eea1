/* SPDX-License-Identifier: Apache-2.0 */
/* Packet types, versions and limits of MQTT 3.1, 3.1.1 and 5.0 ([5] 2.1.2, 3.1.2.2). */
#ifndef NIGHTJAR_MQTT_TYPES_H
#define NIGHTJAR_MQTT_TYPES_H

#include "base/base.h"

enum packet_type {
	PACKET_CONNECT = 1,
	PACKET_CONNACK,
	PACKET_PUBLISH,
	PACKET_PUBACK,
	PACKET_PUBREC,
	PACKET_PUBREL,
	PACKET_PUBCOMP,
	PACKET_SUBSCRIBE,
	PACKET_SUBACK,
	PACKET_UNSUBSCRIBE,
	PACKET_UNSUBACK,
	PACKET_PINGREQ,
	PACKET_PINGRESP,
	PACKET_DISCONNECT,
	PACKET_AUTH,
};

/* The protocol level byte of CONNECT. */
enum mqtt_version {
	MQTT_3_1 = 3,
	MQTT_3_1_1 = 4,
	MQTT_5 = 5,
};

#define REMAINING_LENGTH_MAX 268435455u
#define PACKET_BYTES_MAX (REMAINING_LENGTH_MAX + 5u)
#define FIXED_HEADER_BYTES_MAX 5
#define QOS_MAX 2

/* "PUBLISH" and so on; "RESERVED" for 0 and values over 15. Never NULL. */
const char *packet_type_name(unsigned type);

/*
 * A peer's mistake: the reason code that version 5 gives to it, and a sentence for logs and reason
 * strings. Decoders return NULL when the bytes are good, else a flaw with static lifetime.
 */
struct flaw {
	uint8_t reason_code;
	const char *text;
};

#endif
