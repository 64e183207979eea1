/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options about TLS that pub, sub and rr have in common: the one place where they are judged
 * together and handed to the library.
 */
#ifndef NIGHTJAR_CLI_TLS_OPTION_H
#define NIGHTJAR_CLI_TLS_OPTION_H

#include "base/base.h"
#include "nightjar/client.h"

#define TLS_PSK_BYTES_MAX 64

/* Texts are borrowed from the command line; NULL: not given. */
struct tls_options {
	const char *ca_file;
	const char *ca_path;
	const char *cert_file;
	const char *key_file;
	const char *key_form;
	const char *ciphers;
	const char *version;
	const char *alpn;
	const char *psk; /* hexadecimal */
	const char *psk_identity;
	const char *key_log;
	bool uses_system_certs;
	bool is_insecure; /* the server's name is not checked */
	bool is_refused;  /* --no-tls, whatever the port */
	bool has_scheme;  /* mqtts:// or wss:// */
};

/* Is the connection to be encrypted? By a certificate's or key's option, the scheme, or the port
 * that is known for it. Others, as --ciphers, mean nothing by themselves. */
bool tls_options_are_wanted(const struct tls_options *t, uint16_t port);

/* Looks for combinations that cannot be; false when it has said so on stderr. */
bool tls_options_check(const struct tls_options *t);

/* Reads a key of --psk into `key`, at most `max` bytes; its length, or 0 when it is no good. */
size_t tls_options_psk(const struct tls_options *t, uint8_t *key, size_t max);

/* What the library's options borrow. */
struct tls_parts {
	uint8_t psk[TLS_PSK_BYTES_MAX];
};

/* Hands them to the library. False when it has said on stderr what cannot be used. What is set in
 * `out` is borrowed from `t` and `parts`. The address's scheme is not set here. */
bool tls_options_apply(const struct tls_options *t, uint16_t port, struct tls_parts *parts,
		       struct nj_options *out);

#endif
