/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding: the messages and the proofs of both
 * sides. Who carries them, and where the chance in a nonce comes from, is the caller's affair.
 *
 *	client                                              server
 *	scram_client_first   n,,n=user,r=nonce          ->  scram_server_begin: who is it?
 *	                     r=nonce..,s=salt,i=4096    <-  scram_server_first
 *	scram_client_final   c=biws,r=nonce..,p=proof   ->  scram_server_final: is it him?
 *	scram_client_check   v=signature                <-
 *
 * The client proves that it knows the password without showing it, the server that it knows what
 * was made of the password when it was set. A server stores no more than that (struct
 * scram_verifier): who steals it cannot log in by it.
 *
 * Names and passwords are taken as they are: SASLprep's prohibited ASCII characters are refused,
 * and what is not ASCII is not normalised.
 */
#ifndef NIGHTJAR_ACCESS_SCRAM_H
#define NIGHTJAR_ACCESS_SCRAM_H

#include "base/buffer.h"

#define SCRAM_METHOD "SCRAM-SHA-256"
#define SCRAM_KEY_BYTES 32
#define SCRAM_NONCE_RANDOM 18                             /* more than 128 bits, and no padding */
#define SCRAM_NONCE_TEXT (SCRAM_NONCE_RANDOM / 3 * 4 + 1) /* with NUL */
#define SCRAM_SALT_MAX 128                                /* others use 12 to 64 */
/* [RFC 7677] 4: at least 4096. More than a million would be a way to keep a client busy. */
#define SCRAM_ITERATIONS_MIN 4096u
#define SCRAM_ITERATIONS_MAX 1000000u
/* Of a peer's message, and of a name: room for what a sane one says. */
#define SCRAM_MESSAGE_MAX 4096
#define SCRAM_NAME_MAX 1024

/* May it be a name or password? Not empty, and without what SASLprep prohibits in ASCII
 * ([RFC 4013] 2.3). */
bool scram_is_text(struct span text);
/* A nonce of that much chance. */
void scram_nonce(const uint8_t random[SCRAM_NONCE_RANDOM], char text_out[SCRAM_NONCE_TEXT]);

/* --- what a server stores of a password --- */

struct scram_verifier {
	uint32_t iterations;
	uint32_t salt_len;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored_key[SCRAM_KEY_BYTES];
	uint8_t server_key[SCRAM_KEY_BYTES];
};
/* Takes as long as so many iterations take. 0; ERROR_INVALID for a password, salt or number that
 * cannot be; ERROR_NO_MEMORY. */
int scram_verifier_make(struct span password, struct span salt, uint32_t iterations,
			struct scram_verifier *verifier_out) MUST_USE;

/* --- the client's side --- */

enum scram_state { SCRAM_IDLE, SCRAM_FIRST, SCRAM_FINAL, SCRAM_DONE };

/* All zero to begin with. May be used for one exchange after the other with the same password: the
 * keys are made once for each salt. */
struct scram_client {
	enum scram_state state;
	struct buffer bare;                 /* our first message, without its header */
	uint32_t nonce_len;                 /* its end is our nonce */
	uint8_t signature[SCRAM_KEY_BYTES]; /* what the server is to show */
	uint32_t iterations;                /* 0: there are no keys */
	uint32_t salt_len;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t client_key[SCRAM_KEY_BYTES];
	uint8_t server_key[SCRAM_KEY_BYTES];
};

/* Appends the first message; whatever went on before is over. 0, ERROR_INVALID for a name that
 * cannot be, ERROR_NO_MEMORY. */
int scram_client_first(struct scram_client *c, struct span user, struct span nonce,
		       struct buffer *message) MUST_USE;
/* Appends the answer to the server's first message; takes the time of its iterations.
 * 0, ERROR_NO_MEMORY; ERROR_INVALID, and `trouble_out` is a sentence on what cannot be answered. */
int scram_client_final(struct scram_client *c, struct span password, struct span server_first,
		       struct buffer *message, const char **trouble_out) MUST_USE;
/* Does the server's last message prove that it knows the password's verifier? 0, or ERROR_INVALID
 * and a sentence. */
int scram_client_check(struct scram_client *c, struct span server_final,
		       const char **trouble_out) MUST_USE;
/* True once the server has proven itself in the exchange that was begun last. */
static inline bool scram_client_is_done(const struct scram_client *c)
{
	return c->state == SCRAM_DONE;
}
/* Wipes and frees. */
void scram_client_release(struct scram_client *c);

/* --- the server's side --- */

/* All zero to begin with. */
struct scram_server {
	enum scram_state state;
	struct buffer bare;   /* the client's first message, without its header */
	struct buffer header; /* that header */
	struct buffer user;   /* its name, unescaped */
	struct buffer first;  /* our first message */
	uint32_t nonce_len;   /* both nonces, at its beginning behind "r=" */
};

/* Reads the client's first message; `user_out` is borrowed from `s`. 0, ERROR_NO_MEMORY;
 * ERROR_INVALID and a sentence. */
int scram_server_begin(struct scram_server *s, struct span client_first, struct span *user_out,
		       const char **trouble_out) MUST_USE;
/* Appends the challenge. For a name that nobody has give a verifier of chance, the same each time,
 * so that the answer does not tell. */
int scram_server_first(struct scram_server *s, const struct scram_verifier *verifier,
		       struct span nonce, struct buffer *message) MUST_USE;
/* Reads the answer. 0: it is him, and what is appended proves us; ERROR_NOT_FOUND: it is another
 * password; ERROR_INVALID: no such message, and a sentence; ERROR_NO_MEMORY. */
int scram_server_final(struct scram_server *s, const struct scram_verifier *verifier,
		       struct span client_final, struct buffer *message,
		       const char **trouble_out) MUST_USE;
void scram_server_release(struct scram_server *s);

#endif
