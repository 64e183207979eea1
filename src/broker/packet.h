/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PUBLISH as it leaves the broker: encoded once per variant when it is fanned out, with topic
 * aliases where a client allows them.
 */
#ifndef NIGHTJAR_BROKER_PACKET_H
#define NIGHTJAR_BROKER_PACKET_H

#include "broker/connection.h"

struct publication;

/* What one subscriber gets. */
struct outgoing {
	struct publication *publication;
	uint32_t identifier; /* 0 = none */
	uint16_t packet_id;  /* at QoS 1 and 2 */
	uint8_t qos;
	bool retain;
	bool dup;
};

/* Variants of one message by version, QoS and RETAIN, as bytes ready to be copied. */
#define PACKET_VARIANTS 12
#define PACKET_CACHED_BYTES_MAX 4096 /* as large as what is copied at all */
struct packet_cache {
	const struct publication *publication; /* whose packets these are; NULL = nobody's */
	struct cached_packet {
		uint32_t len; /* 0 = not encoded yet */
		uint32_t packet_id_at;
		uint8_t bytes[PACKET_CACHED_BYTES_MAX];
	} variants[PACKET_VARIANTS];
};
static inline void packet_cache_reset(struct packet_cache *cache, const struct publication *p)
{
	cache->publication = p;
	for (int i = 0; i < PACKET_VARIANTS; i++)
		cache->variants[i].len = 0;
}

/* What a topic alias adds when it is given. */
#define PACKET_ALIAS_BYTES 3
/* Bytes of the whole packet, without a topic alias; 0 when no packet can hold it. */
size_t packet_size(const struct connection *c, const struct outgoing *o);
/* Puts the packet, whose size is right, into the connection's output. 0, or an error: then the
 * connection ends with this turn. */
int packet_send(struct connection *c, const struct outgoing *o);

/* Topic aliases that we gave to one client. */
struct aliases_out *aliases_out_new(uint16_t alias_max);
void aliases_out_free(struct aliases_out *a);
/* The topic's alias, 0 when none is left; `is_new_out`: the topic must go along this time. */
uint16_t aliases_out_find(struct aliases_out *a, struct span topic, bool *is_new_out);

/* Topic aliases that a client gave us [MQTT-3.3.2-7, -12]. */
struct aliases_in *aliases_in_new(uint16_t alias_max);
void aliases_in_free(struct aliases_in *a);
/* 0 or ERROR_NO_MEMORY; the alias is in 1..max. */
int aliases_in_set(struct aliases_in *a, uint16_t alias, struct span topic) MUST_USE;
/* Empty when it was never set. */
struct span aliases_in_get(const struct aliases_in *a, uint16_t alias);

#endif
