/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packets of MQTT 3.1, 3.1.1 and 5.0: one structure, one decoder, one encoder each.
 *
 * Decoders take the bytes behind the fixed header ("body") of a whole packet and borrow them: every
 * span in a decoded packet points into the body. They return NULL or the flaw; on a flaw the
 * structure's content is undefined. Encoders write a whole packet, fixed header included, into the
 * room and return its length in bytes, or 0 when it does not fit (nothing useful was written).
 * Every structure is valid for all versions: what a version does not have is not written and comes
 * out as empty, absent or 0.
 */
#ifndef NIGHTJAR_MQTT_PACKETS_H
#define NIGHTJAR_MQTT_PACKETS_H

#include "mqtt/properties.h"
#include "mqtt/reason.h"

/* CONNECT ([5] 3.1) */
struct connect {
	uint8_t version; /* enum mqtt_version */
	bool clean_start;
	bool has_will;
	bool will_retain;
	uint8_t will_qos;
	bool has_user_name;
	bool has_password;
	uint16_t keep_alive; /* seconds, 0 = none */
	struct span client_id;
	struct span will_topic;
	struct span will_payload;
	struct span user_name;
	struct span password;
	struct properties properties;
	struct properties will_properties;
};
/* Flaws: 0x84 for a protocol name or level that is not one of ours, 0x85 for an empty client id
 * with clean session 0 in 3.1.1 [MQTT-3.1.3-8] and any empty one in 3.1, 0x90 for a will topic
 * with wildcards, 0x81/0x82 else. `out->version` is set as soon as the level was read, so that a
 * CONNACK can be sent in the client's version; 0 before that. A level that is not ours is to be
 * answered as 3.1.1, return code 1 [3.1.1 MQTT-3.1.2-2] (bridges that set bit 7 fall back on it);
 * the next level, 6, as 5. */
const struct flaw *connect_decode(struct span body, struct connect *out) MUST_USE;
size_t connect_encode(const struct connect *p, struct room room) MUST_USE;

/* CONNACK ([5] 3.2). In 3.x `code` is the return code. */
struct connack {
	bool session_present;
	uint8_t code;
	struct properties properties;
};
const struct flaw *connack_decode(struct span body, uint8_t version, struct connack *out) MUST_USE;
size_t connack_encode(const struct connack *p, uint8_t version, struct room room) MUST_USE;

/* PUBLISH ([5] 3.3) */
struct publish {
	bool dup;
	bool retain;
	uint8_t qos;
	uint16_t packet_id; /* 0 at QoS 0 */
	struct span topic;  /* empty only in version 5 with a topic alias */
	struct span payload;
	struct properties properties;
};
/* Checks UTF-8 of the topic, wildcards (0x90), QoS 3, packet id 0, DUP at QoS 0, and that an empty
 * topic has an alias (0x82). */
const struct flaw *publish_decode(uint8_t flags, struct span body, uint8_t version,
				  struct publish *out) MUST_USE;
/* The whole packet. */
size_t publish_encode(const struct publish *p, uint8_t version, struct room room) MUST_USE;
/* Bytes that publish_encode would write; 0 when over PACKET_BYTES_MAX. */
size_t publish_size(const struct publish *p, uint8_t version);

/* PUBACK, PUBREC, PUBREL, PUBCOMP ([5] 3.4-3.7) */
struct ack {
	uint8_t type; /* enum packet_type */
	uint8_t reason_code;
	uint16_t packet_id;
	struct properties properties;
};
/* An unlisted reason code is a flaw (0x82). */
const struct flaw *ack_decode(uint8_t type, struct span body, uint8_t version,
			      struct ack *out) MUST_USE;
size_t ack_encode(const struct ack *p, uint8_t version, struct room room) MUST_USE;
/* The common four bytes, without reason and properties, inlined on the hot path. */
#define ACK_BYTES_MIN 4
static inline uint8_t *ack_encode_short(uint8_t *ptr, uint8_t type, uint16_t packet_id)
{
	ptr[0] = (uint8_t)(type << 4 | (type == PACKET_PUBREL ? 2 : 0));
	ptr[1] = 2;
	return store_u16(ptr + 2, packet_id);
}

/* SUBSCRIBE ([5] 3.8) */
enum retain_handling {
	RETAIN_SEND_ALWAYS = 0,
	RETAIN_SEND_IF_NEW = 1,
	RETAIN_SEND_NEVER = 2,
};
struct subscription_options {
	uint8_t qos;
	bool no_local;
	bool retain_as_published;
	uint8_t retain_handling; /* enum retain_handling */
	bool is_denied;          /* of a filter that subscribe_deny took out; never from the wire */
};
struct subscribe {
	uint16_t packet_id;
	struct properties properties;
	struct span filters; /* encoded filters and options: walk with subscribe_next */
};
/* Checks the whole packet: at least one filter, options, UTF-8, packet id, no local on a shared
 * subscription (0x82). Whether a filter is valid in itself is judged one by one by the caller
 * (topic_filter_is_valid), since SUBACK can say it. */
const struct flaw *subscribe_decode(struct span body, uint8_t version,
				    struct subscribe *out) MUST_USE;
/* False at the end. `rest` starts as subscribe.filters and shrinks. */
bool subscribe_next(struct span *rest, struct span *filter_out,
		    struct subscription_options *options_out);
/* Takes a filter, which subscribe_next has just given from `filters` (writable), out of them: in its
 * place stays an empty one, with a mark that no peer can send [MQTT-3.8.3-5]. `rest` is what follows
 * it; both are shortened. */
void subscribe_deny(struct room *filters, struct span filter, struct span *rest);
/* Appends a filter with options to `w`, as it stands in a SUBSCRIBE payload. */
void subscribe_filter_encode(struct writer *w, struct span filter,
			     const struct subscription_options *options);
size_t subscribe_encode(const struct subscribe *p, uint8_t version, struct room room) MUST_USE;

/* UNSUBSCRIBE ([5] 3.10) */
struct unsubscribe {
	uint16_t packet_id;
	struct properties properties;
	struct span filters; /* encoded; walk with unsubscribe_next */
};
const struct flaw *unsubscribe_decode(struct span body, uint8_t version,
				      struct unsubscribe *out) MUST_USE;
bool unsubscribe_next(struct span *rest, struct span *filter_out);
size_t unsubscribe_encode(const struct unsubscribe *p, uint8_t version, struct room room) MUST_USE;

/* SUBACK and UNSUBACK ([5] 3.9, 3.11) */
struct suback {
	uint8_t type; /* PACKET_SUBACK or PACKET_UNSUBACK */
	uint16_t packet_id;
	struct properties properties;
	struct span codes; /* one byte a filter; not written in a 3.x UNSUBACK */
};
const struct flaw *suback_decode(uint8_t type, struct span body, uint8_t version,
				 struct suback *out) MUST_USE;
/* In 3.1.1 codes >= 0x80 are written as 0x80; 3.1 has no failure code, but 0x80 is what clients
 * know. */
size_t suback_encode(const struct suback *p, uint8_t version, struct room room) MUST_USE;

/* DISCONNECT ([5] 3.14) and AUTH ([5] 3.15) */
struct disconnect {
	uint8_t reason_code;
	struct properties properties;
};
const struct flaw *disconnect_decode(struct span body, uint8_t version,
				     struct disconnect *out) MUST_USE;
size_t disconnect_encode(const struct disconnect *p, uint8_t version, struct room room) MUST_USE;

struct auth {
	uint8_t reason_code;
	struct properties properties;
};
const struct flaw *auth_decode(struct span body, struct auth *out) MUST_USE;
size_t auth_encode(const struct auth *p, struct room room) MUST_USE;

/* PINGREQ, PINGRESP: two bytes; the body must be empty. */
#define PING_BYTES 2
static inline uint8_t *ping_encode(uint8_t *ptr, uint8_t type)
{
	ptr[0] = (uint8_t)(type << 4);
	ptr[1] = 0;
	return ptr + 2;
}

#endif
