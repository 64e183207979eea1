/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of MQTT 5.0, in and out: a part of nightjar/client.h, which includes it. */
#ifndef NIGHTJAR_PROPERTY_H
#define NIGHTJAR_PROPERTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NJ_API __attribute__((visibility("default")))
#else
#define NJ_API
#endif

/* In 3.x properties that are given are left out, and none come. */

enum nj_property_id {
	NJ_PAYLOAD_FORMAT_INDICATOR = 0x01,
	NJ_MESSAGE_EXPIRY_INTERVAL = 0x02,
	NJ_CONTENT_TYPE = 0x03,
	NJ_RESPONSE_TOPIC = 0x08,
	NJ_CORRELATION_DATA = 0x09,
	NJ_SUBSCRIPTION_IDENTIFIER = 0x0B,
	NJ_SESSION_EXPIRY_INTERVAL = 0x11,
	NJ_ASSIGNED_CLIENT_IDENTIFIER = 0x12,
	NJ_SERVER_KEEP_ALIVE = 0x13,
	NJ_AUTHENTICATION_METHOD = 0x15, /* to watch: options have auth_method */
	NJ_AUTHENTICATION_DATA = 0x16,
	NJ_REQUEST_PROBLEM_INFORMATION = 0x17,
	NJ_WILL_DELAY_INTERVAL = 0x18,
	NJ_REQUEST_RESPONSE_INFORMATION = 0x19,
	NJ_RESPONSE_INFORMATION = 0x1A,
	NJ_SERVER_REFERENCE = 0x1C,
	NJ_REASON_STRING = 0x1F,
	NJ_RECEIVE_MAXIMUM = 0x21,
	NJ_TOPIC_ALIAS_MAXIMUM = 0x22,
	NJ_TOPIC_ALIAS = 0x23,
	NJ_MAXIMUM_QOS = 0x24,
	NJ_RETAIN_AVAILABLE = 0x25,
	NJ_USER_PROPERTY = 0x26,
	NJ_MAXIMUM_PACKET_SIZE = 0x27,
	NJ_WILDCARD_SUBSCRIPTION_AVAILABLE = 0x28,
	NJ_SUBSCRIPTION_IDENTIFIER_AVAILABLE = 0x29,
	NJ_SHARED_SUBSCRIPTION_AVAILABLE = 0x2A
};

struct nj_bytes {
	const void *ptr;
	size_t len;
};

/* Which of the fields counts follows from the id: `number` for integers, `text` for strings and
 * binary data, `text` and `value` for the name and value of a User Property. */
struct nj_property {
	uint8_t id;
	uint32_t number;
	struct nj_bytes text;
	struct nj_bytes value;
};

/* For constant arrays of properties:
 *	static const struct nj_property p[] = {
 *		NJ_NUMBER(NJ_MESSAGE_EXPIRY_INTERVAL, 60), NJ_USER("unit", "C")};
 * The texts are string literals or character arrays. */
#define NJ_NUMBER(id, number)                                                                      \
	{                                                                                          \
		(id), (number), {NULL, 0},                                                         \
		{                                                                                  \
			NULL, 0                                                                    \
		}                                                                                  \
	}
#define NJ_TEXT(id, literal)                                                                       \
	{                                                                                          \
		(id), 0, {(literal), sizeof(literal) - 1},                                         \
		{                                                                                  \
			NULL, 0                                                                    \
		}                                                                                  \
	}
#define NJ_USER(name, value)                                                                       \
	{                                                                                          \
		NJ_USER_PROPERTY, 0, {(name), sizeof(name) - 1},                                   \
		{                                                                                  \
			(value), sizeof(value) - 1                                                 \
		}                                                                                  \
	}

/* Properties that came, one after the other: `rest` starts as what the library gave, and shrinks.
 * False at the end. What is borrowed lives as long as what it came with. */
NJ_API bool nj_property_next(struct nj_bytes *rest, struct nj_property *property_out);
/* The first one with this id; false when there is none. */
NJ_API bool nj_property_find(struct nj_bytes properties, uint8_t id,
			     struct nj_property *property_out);

#ifdef __cplusplus
}
#endif

#endif
