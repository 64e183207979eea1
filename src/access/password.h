/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A password as it is stored: mosquitto's two forms, argon2id's usual one, and ours for SCRAM.
 *
 *     $6$salt$hash               SHA-512 of password and salt, mosquitto 1.6 and before
 *     $7$iterations$salt$hash    PBKDF2 with HMAC-SHA-512, mosquitto 2
 *     $argon2id$v=19$m=..,t=..,p=..$salt$hash    RFC 9106, mosquitto 2.1
 *     $scram-sha-256$iterations$salt$stored key$server key    RFC 7677; access/scram.h
 *
 * Salts, hashes and keys are base 64. Verifying takes as long as whoever stored it wanted: up to seconds and
 * as much memory as argon2id was told, so never on the thread that serves clients.
 */
#ifndef NIGHTJAR_ACCESS_PASSWORD_H
#define NIGHTJAR_ACCESS_PASSWORD_H

#include "access/scram.h"

enum password_method {
	PASSWORD_SHA512,
	PASSWORD_PBKDF2,
	PASSWORD_ARGON2ID,
	PASSWORD_SCRAM,
};

/* Of a stored form, with NUL. mosquitto's longest have 195 bytes. */
#define PASSWORD_STORED_MAX 512
/* Of a password in MQTT ([5] 3.1.3.6). */
#define PASSWORD_BYTES_MAX 65535
#define PASSWORD_SALT_BYTES 16
/* Enough to take a second on any machine, not an hour. */
#define PASSWORD_ITERATIONS_MAX 10000000u
/* argon2id: at most 1 GiB and so many passes over it. */
#define PASSWORD_ARGON2_KIB_MAX (1u << 20)
#define PASSWORD_ARGON2_PASSES_MAX 64u
#define PASSWORD_ARGON2_LANES_MAX 16u

/* How dear a new one is; 0: the default. */
struct password_cost {
	uint32_t iterations; /* PASSWORD_PBKDF2, PASSWORD_SCRAM */
	uint32_t kib;        /* PASSWORD_ARGON2ID: memory, and passes over it */
	uint32_t passes;
};

/* NULL when a password can be verified against it, else why not, as part of a sentence. */
const char *password_why_not(struct span stored);

/* What SCRAM needs; false when the stored form is another one. */
bool password_scram(struct span stored, struct scram_verifier *verifier_out) MUST_USE;

/* 0: it is the password; ERROR_INVALID: it is not, or the stored form is of no use;
 * ERROR_NO_MEMORY. The time does not tell how much of it was right. */
int password_verify(struct span stored, struct span password) MUST_USE;

/* The stored form of a new password, with a salt by chance. 0, ERROR_NO_MEMORY, ERROR_SYSTEM, or
 * ERROR_INVALID when this build has no argon2, or when SCRAM cannot have that password or so few or
 * many iterations. */
int password_store(enum password_method method, const struct password_cost *cost,
		   const uint8_t salt[PASSWORD_SALT_BYTES], struct span password,
		   char stored_out[PASSWORD_STORED_MAX]) MUST_USE;

#endif
