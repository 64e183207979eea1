/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's certificate and those that came with it, kept as they were on the wire, to be judged
 * again when lists change: OpenSSL's form of the same takes ten kilobytes for each.
 */
#ifndef NIGHTJAR_IO_TLS_PROOF_H
#define NIGHTJAR_IO_TLS_PROOF_H

#include "io/tls_inside.h"

struct tls_proof;

/* What the peer of a finished handshake has shown; NULL in `out` when that is nothing. 0 or
 * ERROR_NO_MEMORY. */
int tls_proof_take(const SSL *ssl, struct tls_proof **proof_out) MUST_USE;
void tls_proof_free(struct tls_proof *p); /* NULL is allowed */
/* By the authorities and lists of `now`; not, when there is no memory to look. */
bool tls_proof_is_good(const struct tls_proof *p, const struct tls_context *now);

#endif
