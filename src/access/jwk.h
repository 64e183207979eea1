/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that tokens are verified by (JWK, RFC 7517): public ones from PEM or from a JWK Set, secrets
 * from a file or from a JWK Set. Of what kind a key is decides by which algorithms a token may be
 * signed for it (jws.h), whatever the token says.
 */
#ifndef NIGHTJAR_ACCESS_JWK_H
#define NIGHTJAR_ACCESS_JWK_H

#include "access/report.h"

/* Providers publish a handful; a token without a kid is tried against all of them. */
#define JWK_COUNT_MAX 64
#define JWK_FILE_BYTES_MAX ((size_t)1 << 20)
/* [RFC 7518] 3.2: at least as long as the hash of HS256. */
#define JWK_SECRET_BYTES_MIN 32
/* [RFC 7518] 3.3 */
#define JWK_RSA_BITS_MIN 2048

/* A bit each. */
enum jwk_kind {
	JWK_SECRET = 1,
	JWK_RSA = 2,
	JWK_P256 = 4,
	JWK_P384 = 8,
	JWK_P521 = 16,
	JWK_ED25519 = 32,
	JWK_ED448 = 64,
};

struct jwk {
	enum jwk_kind kind;
	const struct jws_algorithm *algorithm; /* the only one it is for; NULL: those of its kind */
	char *kid;                             /* NULL: none */
	struct evp_pkey_st *key;               /* NULL: a secret */
	uint8_t *secret;
	size_t secret_len;
	uint64_t stamp; /* of what it is made of */
};

/* Zero-initialised but for the seed is empty. */
struct jwk_set {
	uint64_t seed; /* for stamps */
	unsigned count;
	struct jwk list[JWK_COUNT_MAX];
};

void jwk_set_release(struct jwk_set *set);

/* Each adds what the text of a file holds. What is of no use is told in the report; when that has
 * an error, or is out of memory, the set is of no use either. */
/* Public keys and certificates, one after the other. */
void jwk_add_pem(struct jwk_set *set, struct span text, struct access_report *report);
/* The secret as it stands, less one line's end. */
void jwk_add_secret(struct jwk_set *set, struct span text, struct access_report *report);
/* A JWK Set, or one JWK. Keys for other purposes are passed over ([RFC 7517] 5). */
void jwk_add_json(struct jwk_set *set, struct span text, struct access_report *report);

/* For those three: room for one more, all zero; NULL when there is none, which is reported. */
struct jwk *jwk_place(struct jwk_set *set, struct access_report *report);
/* Finds out its kind and stamp; takes over the key. Why it is of no use (jwk_no_memory: by no fault
 * of the file), or NULL. */
extern const char jwk_no_memory[];
const char *jwk_take_public(const struct jwk_set *set, struct jwk *jwk, struct evp_pkey_st *key);
/* The same for a secret, which is copied. */
const char *jwk_take_secret(const struct jwk_set *set, struct jwk *jwk, struct span secret);
void jwk_release(struct jwk *jwk);

#endif
