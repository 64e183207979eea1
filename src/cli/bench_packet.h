/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator's packets. Going out, a PUBLISH is a prepared head, copied, with packet id and
 * stamp put in. Coming in, packets are walked by their fixed headers; of a PUBLISH only what
 * stands before the end of its stamp is read.
 *
 *     PUBLISH:  fixed header | topic | packet id | properties | stamp, 16 bytes | padding
 *               `----------- head, the same each time -------'
 */
#ifndef NIGHTJAR_CLI_BENCH_PACKET_H
#define NIGHTJAR_CLI_BENCH_PACKET_H

#include "mqtt/wire.h"

/* How each payload begins; in the byte order of the machine, for none but the sender reads it. */
struct bench_stamp {
	uint32_t number;    /* counts the publisher's messages from 0 */
	uint32_t publisher; /* its index */
	uint64_t time_ns;   /* when it was sent, or was due at a paced rate */
};

#define BENCH_PAYLOAD_MIN ((unsigned)sizeof(struct bench_stamp))
/* 16 MiB: beyond that one message is a bulk transfer, not a load. */
#define BENCH_PAYLOAD_MAX (16u << 20)
#define BENCH_TOPIC_MAX 128

struct bench_head {
	uint8_t bytes[FIXED_HEADER_BYTES_MAX + 2 + BENCH_TOPIC_MAX + 3];
	uint16_t len;
	uint16_t id_offset;  /* of the packet id, 0 at QoS 0 */
	uint32_t packet_len; /* bytes of the whole packet */
};

/* The topic is at most BENCH_TOPIC_MAX bytes, the payload BENCH_PAYLOAD_MIN to _MAX. */
void bench_head_init(struct bench_head *h, struct span topic, uint8_t qos, uint8_t version,
		     uint32_t payload_len);

/* The topic it was made with. */
struct span bench_head_topic(const struct bench_head *h);

/* Writes a packet (h->packet_len bytes; the padding is left as it is) and returns its end. */
static inline uint8_t *bench_head_write(const struct bench_head *h, uint8_t *ptr,
					uint16_t packet_id, const struct bench_stamp *stamp)
{
	memcpy(ptr, h->bytes, h->len);
	if (h->id_offset)
		store_u16(ptr + h->id_offset, packet_id);
	memcpy(ptr + h->len, stamp, sizeof(*stamp));
	return ptr + h->packet_len;
}

/* The most of a packet that must be there before it is looked at; also the most that is kept of
 * one packet from one read to the next. */
#define BENCH_PACKET_HEAD_MAX 512

struct bench_scanner {
	const uint8_t *ptr;
	const uint8_t *end;
	uint32_t skip; /* bytes of a packet already handed out that are still to come */
	uint8_t version;
};

struct bench_packet {
	uint8_t type;
	uint8_t qos;        /* PUBLISH */
	uint16_t packet_id; /* PUBLISH at QoS 1 and 2, acknowledgements, SUBACK */
	bool has_stamp;     /* PUBLISH: the payload is long enough for one of ours */
	struct bench_stamp stamp;
	struct span body; /* other packets: what follows the fixed header, whole up to
			     BENCH_PACKET_HEAD_MAX */
};

enum bench_scan {
	BENCH_SCAN_PACKET,
	BENCH_SCAN_MORE,   /* what is left (less than BENCH_PACKET_HEAD_MAX) waits for more bytes */
	BENCH_SCAN_BROKEN, /* not MQTT */
};

/* The next packet. */
enum bench_scan bench_scan_next(struct bench_scanner *s, struct bench_packet *out) MUST_USE;

#endif
