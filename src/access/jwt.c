/* SPDX-License-Identifier: Apache-2.0 */
#include "access/jwt.h"

#include "access/jws.h"
#include "base/base64.h"
#include "base/hash.h"
#include "base/mem.h"
#include "mqtt/wire.h"

#include <jansson.h>
#include <openssl/crypto.h>

/* What jansson reads of a longer number is no time that would matter. */
#define SECONDS_MAX 1e15

struct jwt *jwt_new(const struct jwt_options *o, uint64_t seed)
{
	struct jwt *j = mem_zalloc(sizeof(*j));
	if (!j)
		return NULL;
	const char *const texts[] = {o->issuer, o->audience, o->user_claim, o->client_id_claim};
	char **const copies[] = {&j->issuer, &j->audience, &j->user_claim, &j->client_id_claim};
	j->keys.seed = seed;
	j->leeway_s = o->leeway_s;
	j->replaces_user_name = o->replaces_user_name;
	j->rules_stamp = o->replaces_user_name;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		if (!texts[i])
			continue;
		*copies[i] = mem_copy_text(span_of_text(texts[i]));
		if (!*copies[i]) {
			jwt_free(j);
			return NULL;
		}
		j->rules_stamp ^= hash_bytes(span_of_text(texts[i]), seed + i);
	}
	return j;
}

void jwt_free(struct jwt *j)
{
	if (!j)
		return;
	jwk_set_release(&j->keys);
	mem_free(j->issuer);
	mem_free(j->audience);
	mem_free(j->user_claim);
	mem_free(j->client_id_claim);
	mem_free(j);
}

/* Header, payload and signature, still encoded. */
struct parts {
	struct span header, payload, signature;
};

static bool split(struct span token, struct parts *out)
{
	const uint8_t *first = token.len > 0 ? memchr(token.ptr, '.', token.len) : NULL;
	if (!first)
		return false;
	size_t len = (size_t)(first - token.ptr), left = token.len - len - 1;
	const uint8_t *second = left > 0 ? memchr(first + 1, '.', left) : NULL;
	if (!second)
		return false;
	out->header = span_of(token.ptr, len);
	out->payload = span_of(first + 1, (size_t)(second - first - 1));
	out->signature = span_of(second + 1, left - out->payload.len - 1);
	return true;
}

/* A JSON object begins so; its first letters are enough. */
static bool begins_as_header(struct span encoded)
{
	uint8_t bytes[3];
	size_t len;
	if (encoded.len > 4)
		encoded.len = 4;
	return base64url_decode(encoded, (struct room){bytes, sizeof(bytes)}, &len) && len >= 2 &&
	       bytes[0] == '{' && bytes[1] != '\0' && strchr("\" \t\r\n}", bytes[1]);
}

static bool is_base64url(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t letter = text.ptr[i] | 0x20;
		if (!(letter >= 'a' && letter <= 'z') &&
		    !(text.ptr[i] >= '0' && text.ptr[i] <= '9') && text.ptr[i] != '-' &&
		    text.ptr[i] != '_')
			return false;
	}
	return true;
}

bool jwt_is_token(struct span password)
{
	struct parts p;
	return split(password, &p) && begins_as_header(p.header) && is_base64url(p.header) &&
	       is_base64url(p.payload) && is_base64url(p.signature);
}

static json_t *object_of(struct span encoded, struct room room)
{
	json_error_t error;
	size_t len;
	if (!base64url_decode(encoded, room, &len))
		return NULL;
	json_t *json = json_loadb((const char *)room.ptr, len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

static bool has_kid(const struct jwk_set *keys, const char *kid)
{
	for (unsigned i = 0; kid && i < keys->count; i++)
		if (keys->list[i].kid && strcmp(keys->list[i].kid, kid) == 0)
			return true;
	return false;
}

/* A key without a kid is for all tokens, unless others have the token's. */
static bool is_meant(const struct jwk *key, const char *kid, bool is_there)
{
	if (!kid)
		return true;
	return key->kid ? strcmp(key->kid, kid) == 0 : !is_there;
}

struct signature {
	const struct jws_algorithm *algorithm;
	const char *kid; /* NULL: none */
	struct span text, bytes;
};

static enum login_result find_key(const struct jwk_set *keys, const struct signature *s,
				  const struct jwk **key_out)
{
	enum login_result result = LOGIN_TOKEN_ALGORITHM;
	bool is_there = has_kid(keys, s->kid);
	for (unsigned i = 0; i < keys->count; i++) {
		const struct jwk *key = &keys->list[i];
		if (!jws_algorithm_fits(s->algorithm, key))
			continue;
		if (!is_meant(key, s->kid, is_there)) {
			if (result == LOGIN_TOKEN_ALGORITHM)
				result = LOGIN_TOKEN_KEY;
			continue;
		}
		result = LOGIN_TOKEN_SIGNATURE;
		if (jws_verify(s->algorithm, key, s->text, s->bytes)) {
			*key_out = key;
			return LOGIN_KNOWN;
		}
	}
	return result;
}

/* [RFC 7515] 5.2 */
static enum login_result verify(const struct jwt *j, const struct parts *p, struct span text,
				struct room room, const struct jwk **key_out)
{
	enum login_result result = LOGIN_TOKEN_MALFORMED;
	struct signature s = {.text = text};
	size_t len = 0;
	json_t *header = object_of(p->header, room);
	const json_t *alg = json_object_get(header, "alg"), *kid = json_object_get(header, "kid");
	if (!json_is_string(alg) || (kid && !json_is_string(kid)))
		goto done;
	s.kid = json_string_value(kid);
	s.algorithm = jws_algorithm_of(json_string_value(alg));
	result = LOGIN_TOKEN_CRITICAL;
	if (json_object_get(header, "crit"))
		goto done;
	result = LOGIN_TOKEN_ALGORITHM;
	if (!s.algorithm)
		goto done;
	result = LOGIN_TOKEN_MALFORMED;
	if (base64url_decode(p->signature, room, &len)) {
		s.bytes = span_of(room.ptr, len);
		result = find_key(&j->keys, &s, key_out);
	}
done:
	json_decref(header);
	return result;
}

/* A time ([RFC 7519] 2, NumericDate). True when there is none; false when it is none. */
static bool seconds_of(const json_t *claims, const char *name, uint64_t *seconds_out)
{
	const json_t *claim = json_object_get(claims, name);
	double value = json_number_value(claim);
	if (claim && !json_is_number(claim))
		return false;
	if (claim && value > 0)
		*seconds_out = value < SECONDS_MAX ? (uint64_t)value : (uint64_t)SECONDS_MAX;
	else if (claim)
		*seconds_out = 0;
	return true;
}

static enum login_result judge_times(const struct jwt *j, const json_t *claims, uint64_t now_s,
				     uint64_t *until_s)
{
	uint64_t exp = UINT64_MAX, nbf = 0, iat = 0;
	if (!seconds_of(claims, "exp", &exp) || !seconds_of(claims, "nbf", &nbf) ||
	    !seconds_of(claims, "iat", &iat))
		return LOGIN_TOKEN_MALFORMED;
	if (exp != UINT64_MAX && now_s >= exp + j->leeway_s)
		return LOGIN_TOKEN_EXPIRED;
	if (now_s + j->leeway_s < nbf || now_s + j->leeway_s < iat)
		return LOGIN_TOKEN_EARLY;
	*until_s = exp == UINT64_MAX ? 0 : exp + j->leeway_s;
	return LOGIN_KNOWN;
}

static bool is_text(const json_t *value, const char *text)
{
	const char *own = json_string_value(value);
	return own && strcmp(own, text) == 0;
}

/* One, or a list of them ([RFC 7519] 4.1.3). */
static bool has_audience(const json_t *aud, const char *audience)
{
	if (is_text(aud, audience))
		return true;
	for (size_t i = 0; i < json_array_size(aud); i++)
		if (is_text(json_array_get(aud, i), audience))
			return true;
	return false;
}

static enum login_result judge_parties(const struct jwt *j, const json_t *claims)
{
	const json_t *aud = json_object_get(claims, "aud");
	if (j->issuer && !is_text(json_object_get(claims, "iss"), j->issuer))
		return LOGIN_TOKEN_ISSUER;
	/* who is not told what it is called is in no audience ([RFC 7519] 4.1.3) */
	if (j->audience ? !has_audience(aud, j->audience) : aud != NULL)
		return LOGIN_TOKEN_AUDIENCE;
	return LOGIN_KNOWN;
}

/* Its claims about who the client is, beside what CONNECT says. */
static enum login_result judge_names(const struct jwt *j, const json_t *claims,
				     const struct jwt_bearer *who, char **user_name_out)
{
	const char *name = json_string_value(json_object_get(claims, j->user_claim)), *id = NULL;
	struct span user_name = name ? span_of_text(name) : SPAN_NONE;
	if (user_name.len == 0 || !utf8_is_valid(user_name))
		return LOGIN_TOKEN_NAMELESS;
	if (who->user_name && !j->replaces_user_name && !span_is_equal(*who->user_name, user_name))
		return LOGIN_TOKEN_USER_NAME;
	if (j->client_id_claim)
		id = json_string_value(json_object_get(claims, j->client_id_claim));
	if (j->client_id_claim && (!id || !span_is_equal(span_of_text(id), who->client_id)))
		return LOGIN_TOKEN_CLIENT_ID;
	*user_name_out = mem_copy_text(user_name);
	return *user_name_out ? LOGIN_KNOWN : LOGIN_FAILED;
}

static uint64_t stamp_of(const struct jwt *j, const struct jwk *key)
{
	return key->stamp ^ j->rules_stamp;
}

static enum login_result judge_claims(const struct jwt *j, struct span payload, struct room room,
				      const struct jwt_bearer *who, struct jwt_finding *out)
{
	json_t *claims = object_of(payload, room);
	enum login_result result = claims ? LOGIN_KNOWN : LOGIN_TOKEN_MALFORMED;
	if (result == LOGIN_KNOWN)
		result = judge_times(j, claims, who->now_s, &out->until_s);
	if (result == LOGIN_KNOWN)
		result = judge_parties(j, claims);
	if (result == LOGIN_KNOWN)
		result = judge_names(j, claims, who, &out->user_name);
	json_decref(claims);
	return result;
}

enum login_result jwt_judge(const struct jwt *j, const struct jwt_bearer *who,
			    struct jwt_finding *out)
{
	struct parts p;
	const struct jwk *key = NULL;
	struct jwt_finding found = {0};
	if (who->token.len > JWT_BYTES_MAX)
		return LOGIN_TOKEN_TOO_LONG;
	if (!split(who->token, &p))
		return LOGIN_TOKEN_MALFORMED;
	uint8_t *bytes = mem_alloc(who->token.len);
	if (!bytes)
		return LOGIN_FAILED;
	struct room room = {bytes, who->token.len};
	struct span text = span_of(p.header.ptr, p.header.len + 1 + p.payload.len);
	enum login_result result = verify(j, &p, text, room, &key);
	if (result == LOGIN_KNOWN)
		result = judge_claims(j, p.payload, room, who, &found);
	if (result == LOGIN_KNOWN) {
		found.stamp = stamp_of(j, key);
		*out = found;
	}
	OPENSSL_cleanse(bytes, who->token.len);
	mem_free(bytes);
	return result;
}

bool jwt_vouches(const struct jwt *j, uint64_t stamp)
{
	for (unsigned i = 0; i < j->keys.count; i++)
		if (stamp_of(j, &j->keys.list[i]) == stamp)
			return true;
	return false;
}
