/* SPDX-License-Identifier: Apache-2.0 */
#include "access/jws.h"

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

/* Of both numbers of an ECDSA signature over P-521, in DER. */
#define ECDSA_DER_BYTES_MAX 160

static const struct jws_algorithm algorithms[] = {
	{"HS256", JWK_SECRET, "SHA256", 32, false},
	{"HS384", JWK_SECRET, "SHA384", 48, false},
	{"HS512", JWK_SECRET, "SHA512", 64, false},
	{"RS256", JWK_RSA, "SHA256", 0, false},
	{"RS384", JWK_RSA, "SHA384", 0, false},
	{"RS512", JWK_RSA, "SHA512", 0, false},
	{"PS256", JWK_RSA, "SHA256", 0, true},
	{"PS384", JWK_RSA, "SHA384", 0, true},
	{"PS512", JWK_RSA, "SHA512", 0, true},
	{"ES256", JWK_P256, "SHA256", 0, false},
	{"ES384", JWK_P384, "SHA384", 0, false},
	{"ES512", JWK_P521, "SHA512", 0, false},
	{"EdDSA", JWK_ED25519 | JWK_ED448, NULL, 0, false},
	/* the same by the names of RFC 9864 */
	{"Ed25519", JWK_ED25519, NULL, 0, false},
	{"Ed448", JWK_ED448, NULL, 0, false},
};

const struct jws_algorithm *jws_algorithm_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(algorithms); i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	return NULL;
}

bool jws_algorithm_fits(const struct jws_algorithm *a, const struct jwk *key)
{
	return (a->kinds & key->kind) && (!key->algorithm || key->algorithm == a) &&
	       key->secret_len >= a->secret_bytes_min;
}

static bool verify_secret(const struct jws_algorithm *a, const struct jwk *key, struct span text,
			  struct span signature)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	bool is_right = HMAC(EVP_get_digestbyname(a->hash), key->secret, (int)key->secret_len,
			     text.ptr, text.len, mac, &len) &&
			signature.len == len && CRYPTO_memcmp(mac, signature.ptr, len) == 0;
	OPENSSL_cleanse(mac, sizeof(mac));
	return is_right;
}

/* Two numbers of the same length, one behind the other ([RFC 7518] 3.4), as OpenSSL wants them.
 * Their length in DER, or 0. */
static int ecdsa_to_der(struct span signature, uint8_t der[ECDSA_DER_BYTES_MAX])
{
	int len = 0, half = (int)(signature.len / 2);
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature.ptr, half, NULL);
	BIGNUM *s = BN_bin2bn(signature.ptr + half, half, NULL);
	if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
		r = s = NULL; /* the pair's */
		len = i2d_ECDSA_SIG(pair, NULL);
		if (len <= ECDSA_DER_BYTES_MAX)
			len = i2d_ECDSA_SIG(pair, &der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(pair);
	return len;
}

static size_t coordinate_bytes(const struct jwk *key)
{
	return ((size_t)EVP_PKEY_get_bits(key->key) + 7) / 8;
}

/* [RFC 7518] 3.5: the salt is as long as the hash. */
static bool set_pss(EVP_PKEY_CTX *context)
{
	return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool verify_digest(const struct jws_algorithm *a, const struct jwk *key, struct span text,
			  struct span signature)
{
	EVP_PKEY_CTX *of_key;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_right =
		context &&
		EVP_DigestVerifyInit_ex(context, &of_key, a->hash, NULL, NULL, key->key, NULL) ==
			1 &&
		(!a->is_pss || set_pss(of_key)) &&
		EVP_DigestVerify(context, signature.ptr, signature.len, text.ptr, text.len) == 1;
	EVP_MD_CTX_free(context);
	ERR_clear_error(); /* what is left of a wrong one is nobody's business */
	return is_right;
}

static bool verify_ecdsa(const struct jws_algorithm *a, const struct jwk *key, struct span text,
			 struct span signature)
{
	uint8_t der[ECDSA_DER_BYTES_MAX];
	if (signature.len != 2 * coordinate_bytes(key))
		return false;
	int len = ecdsa_to_der(signature, der);
	return len > 0 && len <= ECDSA_DER_BYTES_MAX &&
	       verify_digest(a, key, text, span_of(der, (size_t)len));
}

bool jws_verify(const struct jws_algorithm *a, const struct jwk *key, struct span text,
		struct span signature)
{
	ASSERT(jws_algorithm_fits(a, key));
	if (key->kind == JWK_SECRET)
		return verify_secret(a, key, text, signature);
	if (key->kind & (JWK_P256 | JWK_P384 | JWK_P521))
		return verify_ecdsa(a, key, text, signature);
	return verify_digest(a, key, text, signature);
}
