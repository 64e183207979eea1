/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of MQTT 5.0 ([5] 2.2.2), all from one table: identifier, type, where allowed, may it
 * repeat, which values. */
#ifndef NIGHTJAR_MQTT_PROPERTIES_H
#define NIGHTJAR_MQTT_PROPERTIES_H

#include "mqtt/wire.h"

enum property_id {
	PROPERTY_PAYLOAD_FORMAT_INDICATOR = 0x01,
	PROPERTY_MESSAGE_EXPIRY_INTERVAL = 0x02,
	PROPERTY_CONTENT_TYPE = 0x03,
	PROPERTY_RESPONSE_TOPIC = 0x08,
	PROPERTY_CORRELATION_DATA = 0x09,
	PROPERTY_SUBSCRIPTION_IDENTIFIER = 0x0B,
	PROPERTY_SESSION_EXPIRY_INTERVAL = 0x11,
	PROPERTY_ASSIGNED_CLIENT_IDENTIFIER = 0x12,
	PROPERTY_SERVER_KEEP_ALIVE = 0x13,
	PROPERTY_AUTHENTICATION_METHOD = 0x15,
	PROPERTY_AUTHENTICATION_DATA = 0x16,
	PROPERTY_REQUEST_PROBLEM_INFORMATION = 0x17,
	PROPERTY_WILL_DELAY_INTERVAL = 0x18,
	PROPERTY_REQUEST_RESPONSE_INFORMATION = 0x19,
	PROPERTY_RESPONSE_INFORMATION = 0x1A,
	PROPERTY_SERVER_REFERENCE = 0x1C,
	PROPERTY_REASON_STRING = 0x1F,
	PROPERTY_RECEIVE_MAXIMUM = 0x21,
	PROPERTY_TOPIC_ALIAS_MAXIMUM = 0x22,
	PROPERTY_TOPIC_ALIAS = 0x23,
	PROPERTY_MAXIMUM_QOS = 0x24,
	PROPERTY_RETAIN_AVAILABLE = 0x25,
	PROPERTY_USER_PROPERTY = 0x26,
	PROPERTY_MAXIMUM_PACKET_SIZE = 0x27,
	PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE = 0x28,
	PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE = 0x29,
	PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE = 0x2A,
};

/* Where properties stand: a packet type, or the will inside CONNECT. */
#define PROPERTIES_OF_WILL 0

/*
 * Decoded properties. A field is meaningful only when its bit is in `present`; nothing else is
 * initialised, so that an empty set costs one store.
 * For encoding: set fields and their bits, and give already encoded properties in `user`.
 */
struct properties {
	uint64_t present; /* 1 << property id */
	struct span raw;  /* decoding: all property bytes, without the length in front */
	struct span
		user; /* encoding only: encoded properties (User Properties, further Subscription
			     Identifiers) appended as they are; must be set, SPAN_NONE if none */
	uint32_t message_expiry_interval;
	uint32_t session_expiry_interval;
	uint32_t will_delay_interval;
	uint32_t maximum_packet_size;
	uint32_t subscription_identifier; /* the first one */
	uint16_t server_keep_alive;
	uint16_t receive_maximum;
	uint16_t topic_alias_maximum;
	uint16_t topic_alias;
	uint8_t payload_format_indicator;
	uint8_t request_problem_information;
	uint8_t request_response_information;
	uint8_t maximum_qos;
	uint8_t retain_available;
	uint8_t wildcard_subscription_available;
	uint8_t subscription_identifier_available;
	uint8_t shared_subscription_available;
	struct span content_type;
	struct span response_topic;
	struct span correlation_data;
	struct span assigned_client_identifier;
	struct span authentication_method;
	struct span authentication_data;
	struct span response_information;
	struct span server_reference;
	struct span reason_string;
};

static inline bool properties_has(const struct properties *p, enum property_id id)
{
	return p->present >> id & 1;
}

static inline void properties_clear(struct properties *p)
{
	p->present = 0;
	p->raw = SPAN_NONE;
	p->user = SPAN_NONE;
}

/*
 * Reads the property length and the properties. `where` is a packet type or PROPERTIES_OF_WILL.
 * Flaws: 0x81 for an unknown identifier, one that does not belong there, bad UTF-8, a length that
 * does not fit; 0x82 for a repeated property and for values out of range (receive maximum 0, ...);
 * 0x94 for topic alias 0. The flaw also stands in the reader.
 * Response Topic: wildcards are a flaw (0x82). Subscription Identifier in a PUBLISH is accepted
 * here: who sent it is the caller's question.
 */
const struct flaw *properties_decode(struct reader *r, unsigned where,
				     struct properties *out) MUST_USE;

/* Nothing to encode? */
static inline bool properties_are_empty(const struct properties *p)
{
	return (p->present & ~(UINT64_C(1) << PROPERTY_USER_PROPERTY)) == 0 && p->user.len == 0;
}

/* Bytes of the encoded properties, without the length in front. */
size_t properties_size(const struct properties *p);
/* As properties_size, with the length in front. */
size_t properties_size_with_length(const struct properties *p);
/* The length in front and the properties, in order of identifier, then `user`. */
void properties_encode(struct writer *w, const struct properties *p);

/* One property at a time, in wire order, from bytes that properties_decode has accepted. */
struct property {
	uint8_t id;
	uint32_t number;   /* byte, two byte, four byte and variable integers */
	struct span text;  /* strings and binary data; the name of a pair */
	struct span value; /* the value of a pair */
	struct span raw;   /* the whole property as it stands */
};
/* False at the end. `rest` starts as properties.raw and shrinks. */
bool property_next(struct span *rest, struct property *property_out);

/* Appends a User Property to `w`, encoded. */
void user_property_encode(struct writer *w, struct span name, struct span value);

/* Appends one property to `w`, encoded as its identifier wants. False, and nothing is written, for
 * an unknown identifier and for a number that does not fit its type. */
bool property_encode(struct writer *w, const struct property *property) MUST_USE;

/* "Session Expiry Interval"; "unknown property" outside the table. */
const char *property_name(unsigned id);

#endif
