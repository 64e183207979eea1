/* SPDX-License-Identifier: Apache-2.0 */
/* What both sides of SCRAM need: attributes of messages, and keyed hashes from libcrypto. */
#ifndef NIGHTJAR_ACCESS_SCRAM_PART_H
#define NIGHTJAR_ACCESS_SCRAM_PART_H

#include "access/scram.h"

/* Takes "x=value" and the comma behind it off `rest`; false when it does not begin so. */
bool scram_take(struct span *rest, char name, struct span *value_out) MUST_USE;
/* May stand in a nonce: printable ASCII without a comma, at least one. */
bool scram_is_nonce(struct span text);
/* Both are appended as "x=" and the value. */
int scram_add_base64(struct buffer *message, const char *prefix, struct span bytes) MUST_USE;
/* As base64_decode, but with its padding (RFC 5802, section 7). */
bool scram_read_base64(struct span text, struct room room, size_t *len_out) MUST_USE;
int scram_add_text(struct buffer *message, const char *text) MUST_USE;

/* 0 or ERROR_NO_MEMORY. */
int scram_hmac(const uint8_t key[SCRAM_KEY_BYTES], struct span text,
	       uint8_t out[SCRAM_KEY_BYTES]) MUST_USE;
int scram_hash(const uint8_t bytes[SCRAM_KEY_BYTES], uint8_t out[SCRAM_KEY_BYTES]) MUST_USE;
/* ClientKey and ServerKey ([RFC 5802] 3). */
int scram_make_keys(struct span password, struct span salt, uint32_t iterations,
		    uint8_t client_key[SCRAM_KEY_BYTES],
		    uint8_t server_key[SCRAM_KEY_BYTES]) MUST_USE;
/* In a time that does not depend on where they differ. */
bool scram_is_same(const uint8_t a[SCRAM_KEY_BYTES], const uint8_t b[SCRAM_KEY_BYTES]);

/* AuthMessage ([RFC 5802] 3): the three messages with commas between. */
int scram_auth_message(struct span bare, struct span server_first, struct span without_proof,
		       struct buffer *out) MUST_USE;

#endif
