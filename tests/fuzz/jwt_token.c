/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token as a client sends it, or (first byte) a header and claims that are signed here, so that
 * what lies behind the signature is reached, too. Whoever is known has a name that MQTT can carry and
 * a key that vouches; a changed signature vouches for nobody.
 */
#include "access/jwt.h"
#include "base/base64.h"
#include "base/mem.h"
#include "fuzz.h"
#include "mqtt/wire.h"

#include <openssl/hmac.h>

#define SECRET "0123456789abcdef0123456789abcdef"
/* The public keys of [RFC 7515] A.3 and [RFC 8037] A.2. */
#define KEYS                                                                                       \
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"1\","                              \
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                                   \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"                                  \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\","                                                    \
	"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"

static struct jwt *rules_of(const struct jwt_options *options)
{
	struct access_report report = {.file = "f"};
	struct jwt *j = jwt_new(options, 7);
	CHECK(j);
	jwk_add_secret(&j->keys, SPAN_LITERAL(SECRET), &report);
	jwk_add_json(&j->keys, SPAN_LITERAL(KEYS), &report);
	CHECK(report.error_count == 0 && j->keys.count == 3);
	return j;
}

static enum login_result judge(const struct jwt *j, struct span token)
{
	static const struct span user = SPAN_LITERAL("lena");
	const struct jwt_bearer who = {.token = token,
				       .user_name = &user,
				       .client_id = SPAN_LITERAL("c"),
				       .now_s = 1000000};
	struct jwt_finding found;
	enum login_result result = jwt_judge(j, &who, &found);
	CHECK(result > LOGIN_UNKNOWN || result == LOGIN_KNOWN);
	if (result != LOGIN_KNOWN)
		return result;
	CHECK(jwt_is_token(token));
	CHECK(*found.user_name && utf8_is_valid(span_of_text(found.user_name)));
	CHECK(jwt_vouches(j, found.stamp));
	CHECK(found.until_s == 0 || found.until_s > who.now_s);
	mem_free(found.user_name);
	return result;
}

static size_t put_base64url(struct span bytes, char *out)
{
	base64_encode(bytes, out);
	size_t len = strcspn(out, "=");
	for (size_t i = 0; i < len; i++)
		out[i] = out[i] == '+' ? '-' : (char)(out[i] == '/' ? '_' : out[i]);
	out[len] = '\0';
	return len;
}

/* "header\nclaims" */
static void judge_signed(const struct jwt *j, struct span text)
{
	const uint8_t *end = text.len > 0 ? memchr(text.ptr, '\n', text.len) : NULL;
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_len;
	if (!end)
		return;
	struct span header = span_of(text.ptr, (size_t)(end - text.ptr));
	struct span claims = span_of(end + 1, text.len - header.len - 1);
	char *token = malloc(BASE64_LEN(header.len) + BASE64_LEN(claims.len) + 128);
	CHECK(token);
	size_t len = put_base64url(header, token);
	token[len++] = '.';
	len += put_base64url(claims, token + len);
	HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1, (uint8_t *)token, len, mac, &mac_len);
	token[len++] = '.';
	size_t signature = len;
	len += put_base64url(span_of(mac, mac_len), token + len);
	enum login_result result = judge(j, span_of(token, len));
	token[signature] = token[signature] == 'A' ? 'B' : 'A';
	CHECK(judge(j, span_of(token, len)) != LOGIN_KNOWN || result != LOGIN_KNOWN);
	free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct jwt_options plain = {.user_claim = "sub"};
	static const struct jwt_options strict = {.user_claim = "sub",
						  .issuer = "joe",
						  .audience = "mqtt",
						  .client_id_claim = "cid",
						  .leeway_s = 5,
						  .replaces_user_name = true};
	static struct jwt *rules[2];
	if (!rules[0]) {
		rules[0] = rules_of(&plain);
		rules[1] = rules_of(&strict);
	}
	if (len == 0)
		return 0;
	uint8_t *copy = fuzz_copy(data + 1, len - 1);
	struct span text = span_of(copy, len - 1);
	for (size_t i = 0; i < ARRAY_COUNT(rules); i++)
		if (data[0] % 2)
			judge_signed(rules[i], text);
		else
			judge(rules[i], text);
	free(copy);
	return 0;
}
