/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in a client's store: records in its journal (docs/JOURNAL.md), each beginning with
 * its kind. Numbers are big-endian; "bytes" are two bytes of length and they themselves, "long
 * bytes" have four; what ends a record needs no length.
 *
 *	IDENTITY   u64 first number of OUT, client id                  the first record of a store
 *	OUT        u8 bits, u64 number, u64 mark, u64 taken (ms since 1970), bytes topic,
 *	           long bytes properties, payload                      a message to publish
 *	RECEIVED   u64 number                                          PUBREC came for it
 *	DONE       u64 number                                          it is finished
 *	IN         u8 bits, u64 number, u16 packet id, bytes topic, long bytes properties, payload
 *	ACKED      u64 number, u8 reason code                          the application let it go
 *	RELEASED   u64 number                                          PUBREL came for it
 *	FORGOTTEN  u64 number                                          it was given back
 *	SESSION    -                                                   the server began a session
 *	SENDING    u64 number                                          OUT below it may be sent
 *	CHECKPOINT -
 *
 * Numbers of OUT and of IN rise, each in a row of their own, with gaps. Bits: 0x03 QoS, 0x04
 * RETAIN, 0x08 DUP, 0x10 may be sent as soon as it is durable. A kind keeps its meaning for good.
 */
#ifndef NIGHTJAR_CLIENT_STORE_RECORD_H
#define NIGHTJAR_CLIENT_STORE_RECORD_H

#include "base/base.h"

enum store_kind {
	STORE_IDENTITY = 1,
	STORE_OUT,
	STORE_RECEIVED,
	STORE_DONE,
	STORE_IN,
	STORE_ACKED,
	STORE_RELEASED,
	STORE_FORGOTTEN,
	STORE_SESSION,
	STORE_CHECKPOINT,
	STORE_SENDING,
};

struct store_record {
	uint8_t kind; /* enum store_kind */
	uint8_t qos;
	bool retain;
	bool dup;
	bool at_once;
	uint8_t reason_code;
	uint16_t packet_id;
	uint64_t number;
	uint64_t mark;
	uint64_t taken_ms;
	struct span client_id;
	struct span topic;
	struct span properties; /* encoded, as in a PUBLISH of version 5 */
	struct span payload;
};

/* No record but IDENTITY, OUT and IN is longer. */
#define STORE_RECORD_SHORT 16

size_t store_record_size(const struct store_record *r);
/* Bytes written; the room must hold store_record_size(). */
size_t store_record_encode(const struct store_record *r, struct room room);
/* Borrows the bytes. ERROR_INVALID for what is no record. */
int store_record_decode(struct span bytes, struct store_record *out) MUST_USE;

#endif
