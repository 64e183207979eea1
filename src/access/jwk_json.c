/* SPDX-License-Identifier: Apache-2.0 */
/* JWK and JWK Set: keys as JSON (RFC 7517, with the members of RFC 7518 and RFC 8037). */
#include "access/jwk.h"

#include "access/jws.h"
#include "base/base64.h"
#include "base/mem.h"

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

/* Of one member, decoded: an RSA key of 16384 bits. */
#define NUMBER_BYTES_MAX 2048
/* Uncompressed ([SEC 1] 2.3.3), of P-521. */
#define POINT_BYTES_MAX (1 + 2 * 66)

static const char damaged[] = "is damaged, or lacks a member that its kind has";

/* A member that is base64url. */
static bool bytes_of(const json_t *jwk, const char *name, struct room room, size_t *len_out)
{
	const char *text = json_string_value(json_object_get(jwk, name));
	return text && base64url_decode(span_of_text(text), room, len_out) && *len_out > 0;
}

/* Makes a key of that type from the parameters. NULL when they are none of such a key. */
static EVP_PKEY *key_of_params(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (!params || !context || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(params);
	return key;
}

static BIGNUM *number_of(const json_t *jwk, const char *name)
{
	uint8_t bytes[NUMBER_BYTES_MAX];
	size_t len;
	return bytes_of(jwk, name, (struct room){bytes, sizeof(bytes)}, &len)
		       ? BN_bin2bn(bytes, (int)len, NULL)
		       : NULL;
}

static EVP_PKEY *read_rsa(const json_t *jwk)
{
	EVP_PKEY *key = NULL;
	BIGNUM *n = number_of(jwk, "n"), *e = number_of(jwk, "e");
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	if (n && e && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		key = key_of_params("RSA", build);
	OSSL_PARAM_BLD_free(build);
	BN_free(n);
	BN_free(e);
	return key;
}

/* [RFC 7518] 6.2.1: each coordinate has the curve's whole length. */
static EVP_PKEY *read_point(const json_t *jwk, const char *group, size_t len)
{
	uint8_t point[POINT_BYTES_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
	size_t x_len, y_len;
	EVP_PKEY *key = NULL;
	if (!bytes_of(jwk, "x", (struct room){point + 1, len}, &x_len) || x_len != len ||
	    !bytes_of(jwk, "y", (struct room){point + 1 + len, len}, &y_len) || y_len != len)
		return NULL;
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	if (build &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * len) ==
		    1)
		key = key_of_params("EC", build); /* which looks whether it is on the curve */
	OSSL_PARAM_BLD_free(build);
	return key;
}

static EVP_PKEY *read_octets(const json_t *jwk, int type)
{
	uint8_t bytes[64];
	size_t len;
	return bytes_of(jwk, "x", (struct room){bytes, sizeof(bytes)}, &len)
		       ? EVP_PKEY_new_raw_public_key(type, NULL, bytes, len)
		       : NULL;
}

struct curve {
	const char *kty, *crv, *group; /* the group as OpenSSL calls it */
	size_t len;
	int type;
};
static const struct curve curves[] = {
	{"EC", "P-256", "prime256v1", 32, 0},      {"EC", "P-384", "secp384r1", 48, 0},
	{"EC", "P-521", "secp521r1", 66, 0},       {"OKP", "Ed25519", NULL, 0, EVP_PKEY_ED25519},
	{"OKP", "Ed448", NULL, 0, EVP_PKEY_ED448},
};

static const struct curve *curve_of(const json_t *jwk, const char *kty)
{
	const char *crv = json_string_value(json_object_get(jwk, "crv"));
	for (size_t i = 0; crv && i < ARRAY_COUNT(curves); i++)
		if (strcmp(curves[i].kty, kty) == 0 && strcmp(curves[i].crv, crv) == 0)
			return &curves[i];
	return NULL;
}

static const char *take_secret(const struct jwk_set *set, struct jwk *out, const json_t *jwk)
{
	uint8_t bytes[NUMBER_BYTES_MAX];
	size_t len = 0;
	if (!bytes_of(jwk, "k", (struct room){bytes, sizeof(bytes)}, &len))
		return damaged;
	const char *why_not = jwk_take_secret(set, out, span_of(bytes, len));
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return why_not;
}

static const char *take_key(const struct jwk_set *set, struct jwk *out, const json_t *jwk)
{
	const char *kty = json_string_value(json_object_get(jwk, "kty"));
	EVP_PKEY *key;
	if (!kty)
		return damaged;
	if (strcmp(kty, "oct") == 0)
		return take_secret(set, out, jwk);
	const struct curve *curve = curve_of(jwk, kty);
	if (strcmp(kty, "RSA") == 0)
		key = read_rsa(jwk);
	else if (!curve)
		return "is of a kind that no token is signed by here";
	else if (curve->group)
		key = read_point(jwk, curve->group, curve->len);
	else
		key = read_octets(jwk, curve->type);
	return key ? jwk_take_public(set, out, key) : damaged;
}

/* Keys that encrypt, or sign only, are none of ours ([RFC 7517] 4.2, 4.3). */
static bool is_for_verifying(const json_t *jwk)
{
	const json_t *use = json_object_get(jwk, "use"), *operations;
	size_t i;
	json_t *operation;
	if (use && strcmp(json_is_string(use) ? json_string_value(use) : "", "sig") != 0)
		return false;
	operations = json_object_get(jwk, "key_ops");
	json_array_foreach(operations, i, operation)
	{
		const char *text = json_string_value(operation);
		if (text && strcmp(text, "verify") == 0)
			return true;
	}
	return !operations;
}

static const char *take_jwk(const struct jwk_set *set, struct jwk *out, const json_t *jwk)
{
	const json_t *alg = json_object_get(jwk, "alg"), *kid = json_object_get(jwk, "kid");
	out->algorithm = json_is_string(alg) ? jws_algorithm_of(json_string_value(alg)) : NULL;
	if (alg && !out->algorithm)
		return "is for an algorithm that is not known here";
	const char *why_not = take_key(set, out, jwk);
	if (why_not)
		return why_not;
	if (out->algorithm && !jws_algorithm_fits(out->algorithm, out))
		return "is for an algorithm that needs another kind of key, or a longer one";
	if (kid && !json_is_string(kid))
		return damaged;
	out->kid = kid ? mem_copy_text(span_of_text(json_string_value(kid))) : NULL;
	return kid && !out->kid ? jwk_no_memory : NULL;
}

static bool is_private(const json_t *jwk)
{
	const char *kty = json_string_value(json_object_get(jwk, "kty"));
	return kty && strcmp(kty, "oct") != 0 && json_object_get(jwk, "d");
}

static void add(struct jwk_set *set, const json_t *jwk, size_t number, struct access_report *report)
{
	if (!is_for_verifying(jwk))
		return;
	if (is_private(jwk)) {
		access_refuse(report, 0,
			      "key %zu is a private one, which is for who makes tokens alone: "
			      "give the broker the public ones",
			      number);
		return;
	}
	struct jwk *place = jwk_place(set, report);
	const char *why_not = place ? take_jwk(set, place, jwk) : NULL;
	if (why_not == jwk_no_memory)
		report->is_out_of_memory = true;
	if (why_not) {
		access_notice(report, 0, "key %zu %s: it is not used", number, why_not);
		jwk_release(place);
	} else if (place) {
		set->count++;
	}
}

void jwk_add_json(struct jwk_set *set, struct span text, struct access_report *report)
{
	json_error_t error;
	char shown[ACCESS_SHOWN_MAX];
	unsigned before = set->count;
	json_t *root = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
	json_t *keys = json_object_get(root, "keys");
	if (!root)
		access_refuse(report, (unsigned)(error.line > 0 ? error.line : 0), "is no JSON: %s",
			      access_show(span_of_text(error.text), shown));
	else if (json_is_array(keys))
		for (size_t i = 0; i < json_array_size(keys) && report->error_count == 0; i++)
			add(set, json_array_get(keys, i), i + 1, report);
	else if (json_object_get(root, "kty"))
		add(set, root, 1, report);
	if (report->error_count == 0 && set->count == before)
		access_refuse(report, 0, "holds no key (JWK) that tokens could be verified by");
	json_decref(root);
	ERR_clear_error();
}
