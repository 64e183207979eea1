/* SPDX-License-Identifier: Apache-2.0 */
#include "access/jwk.h"

#include "base/hash.h"
#include "base/mem.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

const char jwk_no_memory[] = "has no room in memory";

void jwk_release(struct jwk *jwk)
{
	EVP_PKEY_free(jwk->key);
	if (jwk->secret)
		OPENSSL_cleanse(jwk->secret, jwk->secret_len);
	mem_free(jwk->secret);
	mem_free(jwk->kid);
	*jwk = (struct jwk){0};
}

void jwk_set_release(struct jwk_set *set)
{
	for (unsigned i = 0; i < set->count; i++)
		jwk_release(&set->list[i]);
	set->count = 0;
}

struct jwk *jwk_place(struct jwk_set *set, struct access_report *report)
{
	if (set->count == JWK_COUNT_MAX) {
		access_refuse(report, 0, "holds too many keys: there is room for %d in all",
			      JWK_COUNT_MAX);
		return NULL;
	}
	struct jwk *jwk = &set->list[set->count];
	*jwk = (struct jwk){0};
	return jwk;
}

/* 0: none that tokens are signed by. */
static unsigned kind_of_curve(const EVP_PKEY *key)
{
	static const struct {
		const char *name;
		enum jwk_kind kind;
	} curves[] = {{"prime256v1", JWK_P256}, {"secp384r1", JWK_P384}, {"secp521r1", JWK_P521}};
	char name[64];
	size_t len;
	if (EVP_PKEY_get_group_name(key, name, sizeof(name), &len) != 1)
		return 0;
	for (size_t i = 0; i < ARRAY_COUNT(curves); i++)
		if (strcmp(name, curves[i].name) == 0)
			return curves[i].kind;
	return 0;
}

static unsigned kind_of(const EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA: return JWK_RSA;
	case EVP_PKEY_EC: return kind_of_curve(key);
	case EVP_PKEY_ED25519: return JWK_ED25519;
	case EVP_PKEY_ED448: return JWK_ED448;
	default: return 0;
	}
}

static uint64_t stamp_of(const struct jwk_set *set, enum jwk_kind kind, struct span bytes)
{
	return hash_bytes(bytes, set->seed ^ hash_bytes(span_of(&kind, sizeof(kind)), 0));
}

const char *jwk_take_public(const struct jwk_set *set, struct jwk *jwk, EVP_PKEY *key)
{
	uint8_t *bytes = NULL;
	jwk->key = key;
	unsigned kind = kind_of(key);
	if (kind == 0)
		return "is of a kind that no token is signed by here (RSA, P-256, P-384, P-521, "
		       "Ed25519 and Ed448 are)";
	if (kind == JWK_RSA && EVP_PKEY_get_bits(key) < JWK_RSA_BITS_MIN)
		return "is an RSA key of less than 2048 bits, which can be forged";
	int len = i2d_PUBKEY(key, &bytes);
	if (len <= 0)
		return jwk_no_memory;
	jwk->kind = kind;
	jwk->stamp = stamp_of(set, kind, span_of(bytes, (size_t)len));
	OPENSSL_free(bytes);
	return NULL;
}

const char *jwk_take_secret(const struct jwk_set *set, struct jwk *jwk, struct span secret)
{
	if (secret.len < JWK_SECRET_BYTES_MIN)
		return "is shorter than 32 bytes, so that it could be guessed from any token "
		       "(openssl rand -base64 48 makes one)";
	jwk->secret = (uint8_t *)mem_copy_text(secret);
	if (!jwk->secret)
		return jwk_no_memory;
	jwk->secret_len = secret.len;
	jwk->kind = JWK_SECRET;
	jwk->stamp = stamp_of(set, JWK_SECRET, secret);
	return NULL;
}

static void keep_or_refuse(struct jwk_set *set, struct jwk *jwk, const char *why_not,
			   struct access_report *report)
{
	if (!why_not) {
		set->count++;
		return;
	}
	jwk_release(jwk);
	if (why_not == jwk_no_memory)
		report->is_out_of_memory = true;
	else
		access_refuse(report, 0, "its key %s", why_not);
}

void jwk_add_secret(struct jwk_set *set, struct span text, struct access_report *report)
{
	struct jwk *jwk = jwk_place(set, report);
	if (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (text.len > 0 && text.ptr[text.len - 1] == '\r')
		text.len--;
	if (jwk)
		keep_or_refuse(set, jwk, jwk_take_secret(set, jwk, text), report);
}

static EVP_PKEY *key_of_certificate(const uint8_t *bytes, long len)
{
	X509 *certificate = d2i_X509(NULL, &bytes, len);
	EVP_PKEY *key = certificate ? X509_get_pubkey(certificate) : NULL;
	X509_free(certificate);
	return key;
}

static EVP_PKEY *read_block(const char *name, const uint8_t *bytes, long len)
{
	if (strcmp(name, PEM_STRING_PUBLIC) == 0)
		return d2i_PUBKEY(NULL, &bytes, len);
	if (strcmp(name, PEM_STRING_RSA_PUBLIC) == 0)
		return d2i_PublicKey(EVP_PKEY_RSA, NULL, &bytes, len);
	if (strcmp(name, PEM_STRING_X509) == 0)
		return key_of_certificate(bytes, len);
	return NULL;
}

static void add_block(struct jwk_set *set, const char *name, struct span bytes,
		      struct access_report *report)
{
	char shown[ACCESS_SHOWN_MAX];
	if (strstr(name, "PRIVATE")) {
		access_refuse(report, 0,
			      "holds a private key, which is for who makes tokens alone: give the "
			      "broker the public one (openssl pkey -pubout)");
		return;
	}
	struct jwk *jwk = jwk_place(set, report);
	EVP_PKEY *key = jwk ? read_block(name, bytes.ptr, (long)bytes.len) : NULL;
	if (key)
		keep_or_refuse(set, jwk, jwk_take_public(set, jwk, key), report);
	else if (jwk)
		access_refuse(report, 0, "'%s' is no public key or certificate that can be read",
			      access_show(span_of_text(name), shown));
}

void jwk_add_pem(struct jwk_set *set, struct span text, struct access_report *report)
{
	BIO *bio = text.len <= JWK_FILE_BYTES_MAX ? BIO_new_mem_buf(text.ptr, (int)text.len) : NULL;
	char *name, *header;
	uint8_t *bytes;
	long len;
	unsigned blocks = 0;
	while (bio && report->error_count == 0 && !report->is_out_of_memory &&
	       PEM_read_bio(bio, &name, &header, &bytes, &len) == 1) {
		add_block(set, name, span_of(bytes, (size_t)len), report);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(bytes);
		blocks++;
	}
	if (blocks == 0)
		access_refuse(report, 0, "holds no public key in PEM (-----BEGIN PUBLIC KEY-----)");
	BIO_free(bio);
	ERR_clear_error();
}
