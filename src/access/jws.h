/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of tokens (JWS, RFC 7515): which algorithm fits which key, and whether a signature is
 * right. `none` is not in the table, and an algorithm of another kind of key is refused before
 * anything is computed.
 */
#ifndef NIGHTJAR_ACCESS_JWS_H
#define NIGHTJAR_ACCESS_JWS_H

#include "access/jwk.h"

/* A row of the table of RFC 7518, 3.1, and RFC 8037, 3.1. */
struct jws_algorithm {
	const char *name;
	unsigned kinds;          /* bits of enum jwk_kind that it is for */
	const char *hash;        /* NULL: the algorithm has its own */
	size_t secret_bytes_min; /* of a secret: the hash's length ([RFC 7518] 3.2) */
	bool is_pss;
};

/* NULL: it is none of those that are known here. */
const struct jws_algorithm *jws_algorithm_of(const char *name);
bool jws_algorithm_fits(const struct jws_algorithm *a, const struct jwk *key);
/* Is it that key's signature of the text? By an algorithm that fits it. Any thread. */
bool jws_verify(const struct jws_algorithm *a, const struct jwk *key, struct span text,
		struct span signature);

#endif
