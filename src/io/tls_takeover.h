/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's handshake whose connection is to be taken from OpenSSL when it is done (tls_flow.h). For
 * that the secrets are noted as OpenSSL tells them for a key log, and the records that it seals with
 * them are counted; and what is read ahead is kept here, so that OpenSSL never has more than it needs.
 */
#ifndef NIGHTJAR_IO_TLS_TAKEOVER_H
#define NIGHTJAR_IO_TLS_TAKEOVER_H

#include <openssl/ssl.h>

#include "io/tls_flow.h"

struct tls_takeover;

/* NULL without memory. */
struct tls_takeover *tls_takeover_new(SSL *ssl) MUST_USE;
void tls_takeover_free(struct tls_takeover *o); /* NULL is allowed */

/* A line of the key log. */
void tls_takeover_note(struct tls_takeover *o, const char *line);
/* For OpenSSL to read by. As layer_read. */
long tls_takeover_read(struct tls_takeover *o, struct layer *below, struct room room) MUST_USE;
/* OpenSSL has written those bytes. */
void tls_takeover_wrote(struct tls_takeover *o, struct span bytes);
/* Nothing of what was read is left. */
bool tls_takeover_is_empty(const struct tls_takeover *o);

/* The handshake is done: is it TLS 1.3, with a cipher that can be gone on with, and are the numbers of
 * the next records known for sure? */
bool tls_takeover_is_possible(const struct tls_takeover *o, const SSL *ssl);
/* Then: OpenSSL's connection is of no use any more. NULL without memory. */
struct tls_flow *tls_takeover_finish(const struct tls_takeover *o, const SSL *ssl) MUST_USE;

#endif
