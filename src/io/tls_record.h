/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of TLS 1.3 behind a handshake (RFC 8446, 5): sealing and opening, key updates. OpenSSL does
 * the handshake and the cryptography; what it keeps for a connection afterwards, 13 KiB, is let go.
 * Here a connection holds its secrets and counters, and a thread the cipher's tables for whichever
 * connection it is at.
 *
 *     record    type 23 | 3, 3 | len, 2 bytes | encrypted: content, its type, zeroes | tag, 16 bytes
 *     nonce     the direction's iv, with the record's number in the last eight bytes (5.3)
 */
#ifndef NIGHTJAR_IO_TLS_RECORD_H
#define NIGHTJAR_IO_TLS_RECORD_H

#include "base/base.h"

#define RECORD_HEAD_BYTES ((size_t)5)
#define RECORD_TAG_BYTES ((size_t)16)
/* Content of a record at most, and what stands behind its head (RFC 8446, 5.1 and 5.2). */
#define RECORD_CONTENT_MAX ((size_t)16384)
#define RECORD_BODY_MAX (RECORD_CONTENT_MAX + 256)
/* What sealing adds: head, type of the content, tag. */
#define RECORD_EXTRA_BYTES (RECORD_HEAD_BYTES + 1 + RECORD_TAG_BYTES)

#define RECORD_SECRET_MAX 48
#define RECORD_KEY_MAX 32
#define RECORD_IV_BYTES 12

enum record_type {
	RECORD_CHANGE_CIPHER_SPEC = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_DATA = 23,
};

struct record_suite;

/* One direction of one connection. */
struct record_keys {
	const struct record_suite *suite;
	uint64_t sequence; /* of the next record */
	uint64_t id;       /* of this key, in the whole process */
	uint8_t secret[RECORD_SECRET_MAX];
	uint8_t key[RECORD_KEY_MAX];
	uint8_t iv[RECORD_IV_BYTES];
};

/* By the number of a cipher suite (RFC 8446, B.4); NULL: not one that is done here. */
const struct record_suite *record_suite_find(unsigned number);
/* Bytes of its secrets. */
size_t record_suite_secret_len(const struct record_suite *suite);

/* Keys from a traffic secret (7.3); the numbers begin at 0. 0 or ERROR_NO_MEMORY. */
int record_keys_init(struct record_keys *k, const struct record_suite *suite,
		     const uint8_t *secret) MUST_USE;
/* Those that follow (7.2). 0 or ERROR_NO_MEMORY. */
int record_keys_update(struct record_keys *k) MUST_USE;
/* So many records were sealed with a key that it is time for the next (5.5). */
bool record_keys_are_worn(const struct record_keys *k);
void record_keys_release(struct record_keys *k);

/* `record` has room for `len` + RECORD_EXTRA_BYTES; the content, RECORD_CONTENT_MAX at most, stands
 * behind the head already. The length of all of it, or ERROR_NO_MEMORY. */
long record_seal(struct record_keys *k, uint8_t type, uint8_t *record, size_t len) MUST_USE;

enum record_result {
	RECORD_OPEN,
	RECORD_FORGED,    /* the tag is wrong */
	RECORD_MALFORMED, /* nothing but zeroes */
	RECORD_FAILED,    /* no memory */
};

/* `record` is whole: a head and what it announces, RECORD_TAG_BYTES + 1 at least. The content goes to
 * `content`, which has room for all that is encrypted, and may be where that stands. */
enum record_result record_open(struct record_keys *k, const uint8_t *record, size_t body_len,
			       uint8_t *content, size_t *len_out, uint8_t *type_out) MUST_USE;

#endif
