/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot's bytes. An image is one part per shard, in any order:
 *
 *     part      | "NJST" | major u8 | minor u8 | index u8 | count u8 | position u64 | len u64 |
 *               | items, `len` bytes ...
 *     item      | tag u8 | len u32 | fields ... |
 *
 * A newer minor version may add tags, and fields at the end of an item: both are skipped here. A
 * newer major version is refused. Numbers as in pack.h; log positions in u64, or as differences.
 *
 *     SESSION   client id, log_id u64, connect_id - log_id, expiry, bits, expires + 1 when away,
 *               queue_next, sent_to, filters, memberships, receive ids u16 each, identifier
 *               sets, will when there is one
 *     GROUP     `$share/name/filter`
 *     RETURNING the same: what follows waits for that group, in no order
 *     QUEUE     of the last SESSION, GROUP or RETURNING: count, bytes of their messages, entries
 *     REPLAY    of the last SESSION, a SUBSCRIBE whose retained messages are still to be looked
 *               up: its position u64, qos, identifier, filter, the topic up to which they
 *               were given (1.1)
 *     RETAINED  count, then each: bytes in common with the topic before, the rest of the topic,
 *               position as a difference
 *     LIMITS    as in their record
 *
 *     entry of a queue   number: difference of log positions / 8, zigzag, << 2 | JUMPS | CHANGES
 *                        queue position as a difference from the one expected, when JUMPS
 *                        qos, flags, identifier, membership, when CHANGES
 */
#ifndef NIGHTJAR_BROKER_SNAPSHOT_FORMAT_H
#define NIGHTJAR_BROKER_SNAPSHOT_FORMAT_H

#include "queue/queue.h"

#define SNAPSHOT_MAGIC SPAN_LITERAL("NJST")
#define SNAPSHOT_MAJOR 1
#define SNAPSHOT_MINOR 2
#define SNAPSHOT_HEAD_BYTES 24
#define SNAPSHOT_ITEM_BYTES 5 /* tag and length */

enum snapshot_tag {
	SNAPSHOT_SESSION = 1,
	SNAPSHOT_GROUP,
	SNAPSHOT_QUEUE,
	SNAPSHOT_RETAINED,
	SNAPSHOT_LIMITS,
	SNAPSHOT_RETURNING,
	SNAPSHOT_REPLAY,
};

/* Of a session. */
#define SNAPSHOT_AWAY 0x01
#define SNAPSHOT_WILL 0x02

/* Options of a subscription. */
#define SNAPSHOT_QOS 0x03
#define SNAPSHOT_NO_LOCAL 0x04
#define SNAPSHOT_AS_PUBLISHED 0x08
#define SNAPSHOT_IDENTIFIER 0x10

/* Of a message. */
#define SNAPSHOT_RETAIN 0x04
#define SNAPSHOT_EXPIRES 0x08
#define SNAPSHOT_SOURCE 0x10 /* stands behind all else (1.2) */

/* Of an entry. */
#define SNAPSHOT_CHANGES 1u
#define SNAPSHOT_JUMPS 2u

#define SNAPSHOT_QUEUED_FLAGS                                                                      \
	(QUEUED_RETAIN | QUEUED_DUP | QUEUED_RELEASED | QUEUED_IDENTIFIERS | QUEUED_WAS_QOS_2)

/* Entries and topics of one item: items stay small enough to be made in one piece of memory. */
#define SNAPSHOT_ENTRIES_MAX 4096u

/* What entries are differences from. All zero before the first one of a session or group. */
struct snapshot_entry_state {
	uint64_t stored;
	uint64_t position;
	uint32_t identifier;
	uint16_t membership;
	uint8_t qos;
	uint8_t flags;
};

static inline uint64_t zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

#endif
