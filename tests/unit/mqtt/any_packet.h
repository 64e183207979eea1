/* SPDX-License-Identifier: Apache-2.0 */
/* Any packet behind one decoder, one encoder and one comparison, for tests and fuzz targets that
 * treat all packets alike. */
#ifndef NIGHTJAR_TESTS_UNIT_MQTT_ANY_PACKET_H
#define NIGHTJAR_TESTS_UNIT_MQTT_ANY_PACKET_H

#include "mqtt/packets.h"

struct any_packet {
	uint8_t type; /* enum packet_type */
	uint8_t version;
	union {
		struct connect connect;
		struct connack connack;
		struct publish publish;
		struct ack ack;
		struct subscribe subscribe;
		struct unsubscribe unsubscribe;
		struct suback suback;
		struct disconnect disconnect;
		struct auth auth;
	};
};

/* The flaw or NULL; `version` counts for all but CONNECT. A ping has nothing to decode. */
const struct flaw *any_packet_decode(uint8_t type, uint8_t flags, struct span body, uint8_t version,
				     struct any_packet *out) MUST_USE;

/* Bytes written, 0 when they did not fit. What decoding left in properties.raw and has no field of
 * its own goes back into the packet. */
size_t any_packet_encode(const struct any_packet *p, struct room room) MUST_USE;

/* Do two decoded packets say the same? The order of different properties does not count. */
bool any_packet_is_equal(const struct any_packet *a, const struct any_packet *b);

/* The packet's properties (not the will's); NULL for a ping. */
const struct properties *any_packet_properties(const struct any_packet *p);

#endif
