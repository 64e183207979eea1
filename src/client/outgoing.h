/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message that the engine has taken over: its PUBLISH packet, encoded once and kept until it is
 * acknowledged. What differs from sending to sending (packet id, DUP) is written into the copy
 * that goes out.
 */
#ifndef NIGHTJAR_CLIENT_OUTGOING_H
#define NIGHTJAR_CLIENT_OUTGOING_H

#include "base/buffer.h"
#include "base/list.h"
#include "mqtt/packets.h"

struct outgoing {
	struct link link; /* in the engine's queue; unlisted while in flight */
	uint32_t token;
	uint32_t header_len; /* of the fixed header in `bytes` */
	uint32_t id_offset;  /* where the packet id stands in `bytes`; 0 at QoS 0 */
	uint32_t len;
	uint32_t expiry_offset; /* where the Message Expiry Interval stands in `bytes`; 0: none */
	uint64_t expires_ms;    /* when nobody wants it any more; UINT64_MAX: never */
	/* Of a message that a store keeps (keep.c): */
	uint64_t position; /* in the window; UINT64_MAX: whichever is next */
	bool waits;        /* for the store */
	bool was_sent;     /* perhaps, by a process before this one, in the server's session */
	bool is_released;  /* only PUBREL is to be sent: there are no bytes */
	uint8_t bytes[];
};

/* Allocates. ERROR_INVALID for a message that no server could accept (a bad topic name, bad
 * properties, over PACKET_BYTES_MAX), ERROR_NO_MEMORY. */
int outgoing_new(const struct publish *message, uint8_t version, uint32_t token,
		 struct outgoing **outgoing_out) MUST_USE;
static inline struct outgoing *outgoing_of(struct link *link)
{
	return CONTAINER_OF(link, struct outgoing, link);
}

static inline uint8_t outgoing_qos(const struct outgoing *o)
{
	return o->bytes[0] >> 1 & 3;
}

/* The message, borrowed from `o`. */
void outgoing_message(const struct outgoing *o, uint8_t version, struct publish *message_out);

/* How a message is sent this time. */
struct sending_way {
	uint16_t packet_id; /* 0 at QoS 0 */
	bool dup;
	bool drops_retain; /* the server keeps no retained messages [MQTT-3.2.2-14] */
	bool drops_alias;  /* the alias is beyond the server's maximum [MQTT-3.2.2-17] */
	uint16_t alias;    /* one that we have chosen; 0: none. Then the message has none itself */
	bool omits_topic;  /* the server knows what the alias stands for */
};
/* Notes when it expires: its interval begins now. */
void outgoing_start_expiry(struct outgoing *o, uint8_t version, uint64_t now_ms);
/* What is left of the interval is what the packet will say. */
void outgoing_age(struct outgoing *o, uint64_t now_ms);
static inline bool outgoing_is_expired(const struct outgoing *o, uint64_t now_ms)
{
	return now_ms > o->expires_ms; /* an interval of 0 is good for one try */
}

/* Bytes that outgoing_write would add. */
size_t outgoing_size(const struct outgoing *o, uint8_t version, const struct sending_way *way);
/* Appends the packet; nothing is written on error. */
int outgoing_write(const struct outgoing *o, uint8_t version, const struct sending_way *way,
		   struct buffer *output) MUST_USE;

#endif
