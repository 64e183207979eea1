/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that speak to OpenSSL's TLS: tls.c, tls_context.c, tls_psk.c, tls_load.c. */
#ifndef NIGHTJAR_IO_TLS_INSIDE_H
#define NIGHTJAR_IO_TLS_INSIDE_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>

#include "io/tls.h"
#include "io/tls_context.h"

/* A shared key as the file has it. */
struct psk {
	char *identity;
	uint8_t key[64];
	size_t len;
};

struct psk_table {
	struct psk *keys; /* by identity */
	size_t count;
};

/* One certificate with what belongs to it. */
struct tls_choice {
	SSL_CTX *ssl;
	X509 *certificate; /* of `ssl` */
	uint8_t *staple;
	size_t staple_len;
};

struct tls_context {
	atomic_uint reference_count;
	_Atomic(struct tls_context *) successor; /* that took its place; a reference */
	SSL_CTX *ssl;                            /* of the first choice, or the only one */
	struct tls_choice choices[TLS_CERTIFICATES_MAX];
	unsigned choice_count;
	uint8_t user_name; /* enum tls_user_name */
	bool is_client;
	bool leaves_records;
	bool believes_nobody; /* the peer's certificate decides about nothing */
	char *alpn;           /* as on the wire: a length and a name */
	struct psk_table psks;
	char *psk_identity; /* client */
	SSL_SESSION *last;  /* client that resumes: what the last connection left */
	FILE *key_log;
};

/* "what 'file': why", why from OpenSSL's queue, which is emptied. ERROR_INVALID. */
int tls_refuse(char *reason, const char *what, const char *file, const char *why);

/* The last of those that took its place; itself when none has. */
const struct tls_context *tls_context_latest(const struct tls_context *c);

/* Is a client's certificate good by the authorities and lists of this one? As in the handshake. */
bool tls_context_believes(const struct tls_context *c, X509 *certificate, STACK_OF(X509) * chain);

/* tls_load.c: files into an SSL_CTX. 0 or ERROR_INVALID with the reason. */
int tls_load_certificate(SSL_CTX *ssl, const struct tls_certificate *from, const char *password,
			 char *reason) MUST_USE;
int tls_load_authorities(SSL_CTX *ssl, const struct tls_settings *settings, char *reason) MUST_USE;
int tls_load_dh(SSL_CTX *ssl, const char *file, char *reason) MUST_USE;
int tls_load_staple(struct tls_choice *choice, const char *file, char *reason) MUST_USE;

/* tls_psk.c */
int psk_table_load(struct psk_table *t, const char *file, char *reason) MUST_USE;
void psk_table_release(struct psk_table *t);
/* Both tables have a key for it, and it is the same. */
bool psk_is_the_same(const struct psk_table *a, const struct psk_table *b, const char *identity);
void tls_use_psks(SSL_CTX *ssl, bool is_client);

/* tls.c: the peer claims that identity of the context's table; the handshake shows whether it has
 * the key. (OpenSSL does not keep it in TLS 1.3.) */
void tls_note_identity(SSL *ssl, const char *identity);
/* tls.c: a line for a key log. */
void tls_note_secret(SSL *ssl, const char *line);

#endif
