/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What TLS connections have in common: certificates, keys, authorities, versions, ciphers. It is
 * read from files once and never changes; when files change, a new one takes its place for
 * connections that come then.
 *
 * This and tls.h are the only doors to OpenSSL; without it, tls_none.c stands in their place, and
 * making a context fails with a sentence.
 */
#ifndef NIGHTJAR_IO_TLS_CONTEXT_H
#define NIGHTJAR_IO_TLS_CONTEXT_H

#include "base/base.h"

struct tls_context;

/* Room for a sentence that says what cannot be used, and where it stands. */
#define TLS_REASON_MAX 512
/* Certificates of one listener, chosen by the name that the client asks for. */
#define TLS_CERTIFICATES_MAX 16

/* Whose name becomes the user name. */
enum tls_user_name {
	TLS_USER_NAME_NONE,
	TLS_USER_NAME_IDENTITY, /* the common name, or the identity of a shared key */
	TLS_USER_NAME_SUBJECT,  /* the whole subject, as RFC 2253 writes it */
};

struct tls_certificate {
	const char *certificate_file; /* PEM: ours, then those between it and the authority */
	const char *key_file;         /* PEM */
	const char *staple_file;      /* a DER answer of OCSP to be handed out with it; or NULL */
};

/* Texts are borrowed for the call; NULL: not said. */
struct tls_settings {
	bool is_client;
	struct tls_certificate certificates[TLS_CERTIFICATES_MAX]; /* the first is for all others */
	unsigned certificate_count;
	const char *key_password; /* of the first key */
	const char *ca_file;
	const char *ca_path;
	bool believes_system; /* the system's authorities */
	const char *crl_file;
	bool requires_certificate; /* server: of clients. Without it none is asked for */
	bool ignores_dates;        /* of certificates that are shown, and of crl_file */
	uint8_t user_name;         /* enum tls_user_name */
	const char *version;       /* "tlsv1.2" or "tlsv1.3": the least; NULL: 1.2 */
	bool is_only_version;      /* and no other */
	const char *ciphers;       /* of 1.2 */
	const char *ciphersuites;  /* of 1.3 */
	const char *curves;
	const char *dh_file;
	const char *alpn; /* server: chosen when offered; client: offered */
	bool has_tickets;
	bool leaves_records; /* server: OpenSSL goes on behind the handshake */
	bool resumes;        /* client: with the ticket of the last connection; one thread only */
	const char *key_log_file;
	/* Shared keys: server: a file of "identity:hexadecimal key"; client: one */
	bool uses_psk;
	const char *psk_hint;
	const char *psk_file;
	const char *psk_identity;
	struct span psk;
};

/* 0, or ERROR_INVALID or ERROR_NO_MEMORY with the reason. `before` (or NULL) is the context whose
 * place it takes: its tickets stay good where they can. */
int tls_context_new(const struct tls_settings *settings, struct tls_context *before,
		    struct tls_context **context_out, char reason[TLS_REASON_MAX]) MUST_USE;
/* The other one has taken its place: who came in by this one is judged by it (layer.h, may_stay).
 * Once for each. */
void tls_context_succeed(struct tls_context *c, struct tls_context *successor);
/* Any thread. */
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c); /* NULL is allowed */

/* Is TLS part of this build? */
bool tls_is_available(void);

#endif
