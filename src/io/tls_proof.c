/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_proof.h"

#include <openssl/err.h>

#include "base/mem.h"

struct tls_proof {
	size_t len;
	uint8_t der[]; /* the client's own, then the others */
};

/* Appends to `*at` when it is not NULL; the length, 0 without memory. */
static size_t encode(X509 *certificate, uint8_t **at)
{
	int len = i2d_X509(certificate, at);
	return len > 0 ? (size_t)len : 0;
}

int tls_proof_take(const SSL *ssl, struct tls_proof **proof_out)
{
	X509 *own = SSL_get0_peer_certificate(ssl);
	STACK_OF(X509) *others = SSL_get_peer_cert_chain(ssl);
	*proof_out = NULL;
	if (!own)
		return 0;
	size_t len = encode(own, NULL);
	for (int i = 0; i < sk_X509_num(others); i++)
		len += encode(sk_X509_value(others, i), NULL);
	struct tls_proof *p = len > 0 ? mem_alloc(sizeof(*p) + len) : NULL;
	if (!p)
		return ERROR_NO_MEMORY;
	uint8_t *at = p->der;
	p->len = encode(own, &at);
	for (int i = 0; i < sk_X509_num(others); i++)
		p->len += encode(sk_X509_value(others, i), &at);
	*proof_out = p;
	return 0;
}

void tls_proof_free(struct tls_proof *p)
{
	mem_free(p);
}

/* The others into `others`; the client's own is returned. NULL without memory. */
static X509 *decode(const struct tls_proof *p, STACK_OF(X509) * others)
{
	const uint8_t *at = p->der, *end = p->der + p->len;
	X509 *own = d2i_X509(NULL, &at, end - at);
	while (own && at < end) {
		X509 *other = d2i_X509(NULL, &at, end - at);
		if (other && sk_X509_push(others, other) > 0)
			continue;
		X509_free(other);
		X509_free(own);
		own = NULL;
	}
	return own;
}

bool tls_proof_is_good(const struct tls_proof *p, const struct tls_context *now)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	X509 *own = others ? decode(p, others) : NULL;
	bool is_good = own && tls_context_believes(now, own, others);
	X509_free(own);
	sk_X509_pop_free(others, X509_free);
	ERR_clear_error();
	return is_good;
}
