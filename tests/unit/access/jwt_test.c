/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: the examples of RFC 7515 and RFC 8037, and what must not be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "access/jws.h"
#include "access/jwt.h"
#include "base/base64.h"
#include "base/mem.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

/* [RFC 7515] A.1 */
#define HS256_JWK                                                                                  \
	"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_"                     \
	"T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}"
#define JOE                                                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
	"cnVlfQ"
/* [RFC 7515] A.2 */
#define RSA_JWK                                                                                    \
	"{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"                              \
	"wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-"             \
	"pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"                                   \
	"bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"                                                \
	"UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"             \
	"DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}"
/* [RFC 7515] A.3 */
#define P256_JWK                                                                                   \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
/* [RFC 7515] A.4 */
#define P521_JWK                                                                                   \
	"{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrj"   \
	"cBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_"                   \
	"RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}"
/* [RFC 8037] A.2 */
#define ED25519_JWK                                                                                \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"                              \
	"7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"

static const struct {
	const char *jwk, *algorithm, *text, *signature;
} examples[] = {
	{HS256_JWK, "HS256", "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE,
	 "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
	{RSA_JWK, "RS256", "eyJhbGciOiJSUzI1NiJ9." JOE,
	 "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_"
	 "lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
	 "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
	 "xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIh"
	 "WkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
	{P256_JWK, "ES256", "eyJhbGciOiJFUzI1NiJ9." JOE,
	 "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-"
	 "Kg6NU1Q"},
	{P521_JWK, "ES512", "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
	 "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_"
	 "7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLze"
	 "O_Jn"},
	/* [RFC 8037] A.4 */
	{ED25519_JWK, "EdDSA", "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
	 "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_"
	 "MuM0KAg"},
};

static struct jwk_set *set_of(const char *json)
{
	struct access_report report = {.file = "keys"};
	struct jwk_set *set = mem_zalloc(sizeof(*set));
	set->seed = 7;
	jwk_add_json(set, span_of_text(json), &report);
	assert_int_equal(report.error_count, 0);
	access_report_release(&report);
	return set;
}

static void set_free(struct jwk_set *set)
{
	jwk_set_release(set);
	mem_free(set);
}

static void test_jws_examples_of_the_standards(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
		uint8_t bytes[512];
		size_t len;
		struct jwk_set *set = set_of(examples[i].jwk);
		const struct jws_algorithm *a = jws_algorithm_of(examples[i].algorithm);
		assert_int_equal(set->count, 1);
		assert_true(jws_algorithm_fits(a, &set->list[0]));
		assert_true(base64url_decode(span_of_text(examples[i].signature),
					     (struct room){bytes, sizeof(bytes)}, &len));
		struct span text = span_of_text(examples[i].text);
		assert_true(jws_verify(a, &set->list[0], text, span_of(bytes, len)));
		/* not one bit more or less, of either */
		assert_false(jws_verify(a, &set->list[0], text, span_of(bytes, len - 1)));
		assert_false(jws_verify(a, &set->list[0], text, SPAN_NONE));
		text.len--;
		assert_false(jws_verify(a, &set->list[0], text, span_of(bytes, len)));
		text.len++;
		bytes[len - 1] ^= 1;
		assert_false(jws_verify(a, &set->list[0], text, span_of(bytes, len)));
		bytes[len - 1] ^= 1;
		bytes[0] ^= 1;
		assert_false(jws_verify(a, &set->list[0], text, span_of(bytes, len)));
		set_free(set);
	}
}

/* [RFC 8725] 3.1: the key says how it verifies. A public key is no secret, whatever a token says. */
static void test_jws_algorithm_is_the_keys(void **state)
{
	static const char *const names[] = {"HS256", "HS384", "HS512", "RS256",  "RS384",
					    "RS512", "PS256", "PS384", "PS512",  "ES256",
					    "ES384", "ES512", "EdDSA", "Ed25519"};
	static const struct {
		const char *jwk, *fitting;
	} keys[] = {
		{HS256_JWK, "HS256 HS384 HS512"},
		{RSA_JWK, "RS256 RS384 RS512 PS256 PS384 PS512"},
		{P256_JWK, "ES256"},
		{P521_JWK, "ES512"},
		{ED25519_JWK, "EdDSA Ed25519"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		struct jwk_set *set = set_of(keys[i].jwk);
		for (size_t j = 0; j < ARRAY_COUNT(names); j++) {
			bool fits = jws_algorithm_fits(jws_algorithm_of(names[j]), &set->list[0]);
			if (fits != (strstr(keys[i].fitting, names[j]) != NULL))
				fail_msg("%s for %s", names[j], keys[i].jwk);
		}
		set_free(set);
	}
	/* a JWK may be for one alone */
	struct jwk_set *one =
		set_of("{\"alg\":\"HS256\",\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1"
		       "qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9"
		       "CAow\"}");
	assert_true(jws_algorithm_fits(jws_algorithm_of("HS256"), &one->list[0]));
	assert_false(jws_algorithm_fits(jws_algorithm_of("HS512"), &one->list[0]));
	set_free(one);
	assert_null(jws_algorithm_of("none"));
	assert_null(jws_algorithm_of("None"));
	assert_null(jws_algorithm_of("hs256"));
	assert_null(jws_algorithm_of(""));
}

/* --- tokens of our own making, signed by what the tests link with --- */

#define SECRET "0123456789abcdef0123456789abcdef" /* 32 bytes, as HS256 asks for */
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210"
#define NOW 1000000
#define HEAD "{\"alg\":\"HS256\"}"

static size_t put_base64url(const void *bytes, size_t len, char *out)
{
	char text[4096];
	base64_encode(span_of(bytes, len), text);
	size_t used = strcspn(text, "=");
	for (size_t i = 0; i < used; i++)
		out[i] = text[i] == '+' ? '-' : (char)(text[i] == '/' ? '_' : text[i]);
	out[used] = '\0';
	return used;
}

static void make(char out[8192], const char *header, const char *claims, const char *secret,
		 const EVP_MD *hash)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_len;
	size_t len = put_base64url(header, strlen(header), out);
	out[len++] = '.';
	len += put_base64url(claims, strlen(claims), out + len);
	HMAC(hash, secret, (int)strlen(secret), (uint8_t *)out, len, mac, &mac_len);
	out[len++] = '.';
	put_base64url(mac, mac_len, out + len);
}

static struct jwt *rules(const struct jwt_options *given, const char *secret)
{
	struct access_report report = {.file = "secret"};
	struct jwt_options o = *given;
	if (!o.user_claim)
		o.user_claim = "sub";
	struct jwt *j = jwt_new(&o, 7);
	jwk_add_secret(&j->keys, span_of_text(secret), &report);
	assert_int_equal(report.error_count, 0);
	assert_int_equal(j->keys.count, 1);
	return j;
}

/* `user`: of CONNECT; NULL: it has none. What is found is checked against `until` and "lena". */
static enum login_result judge(const struct jwt *j, const char *token, const char *user,
			       uint64_t until_s)
{
	struct span name = user ? span_of_text(user) : SPAN_NONE;
	struct jwt_bearer who = {.token = span_of_text(token),
				 .user_name = user ? &name : NULL,
				 .client_id = SPAN_LITERAL("sensor-1"),
				 .now_s = NOW};
	struct jwt_finding found = {0};
	enum login_result result = jwt_judge(j, &who, &found);
	if (result != LOGIN_KNOWN) {
		assert_null(found.user_name);
		return result;
	}
	assert_string_equal(found.user_name, "lena");
	assert_true(found.until_s == until_s);
	assert_true(jwt_vouches(j, found.stamp));
	mem_free(found.user_name);
	return result;
}

struct claims_case {
	struct jwt_options options;
	const char *claims;
	const char *user;
	uint64_t until_s;
	enum login_result result;
};

static void check_claims(const struct claims_case *cases, size_t count)
{
	char token[8192];
	for (size_t i = 0; i < count; i++) {
		struct jwt *j = rules(&cases[i].options, SECRET);
		make(token, HEAD, cases[i].claims, SECRET, EVP_sha256());
		enum login_result result = judge(j, token, cases[i].user, cases[i].until_s);
		if (result != cases[i].result)
			fail_msg("%d for %s", result, cases[i].claims);
		jwt_free(j);
	}
}

/* [RFC 7519] 4.1.4 to 4.1.6; NOW is a million. */
static void test_jwt_times(void **state)
{
	static const struct jwt_options exact = {0}, lenient = {.leeway_s = 10};
	const struct claims_case cases[] = {
		{exact, "{\"sub\":\"lena\"}", NULL, 0, LOGIN_KNOWN},
		{exact, "{\"sub\":\"lena\",\"exp\":1000001}", NULL, 1000001, LOGIN_KNOWN},
		{exact, "{\"sub\":\"lena\",\"exp\":1000000}", NULL, 0, LOGIN_TOKEN_EXPIRED},
		{exact, "{\"sub\":\"lena\",\"exp\":0}", NULL, 0, LOGIN_TOKEN_EXPIRED},
		{exact, "{\"sub\":\"lena\",\"exp\":-5}", NULL, 0, LOGIN_TOKEN_EXPIRED},
		{exact, "{\"sub\":\"lena\",\"exp\":1000001.5}", NULL, 1000001, LOGIN_KNOWN},
		{exact, "{\"sub\":\"lena\",\"exp\":1e300}", NULL, 1000000000000000, LOGIN_KNOWN},
		{exact, "{\"sub\":\"lena\",\"exp\":\"2000000\"}", NULL, 0, LOGIN_TOKEN_MALFORMED},
		{exact, "{\"sub\":\"lena\",\"exp\":null}", NULL, 0, LOGIN_TOKEN_MALFORMED},
		{exact, "{\"sub\":\"lena\",\"nbf\":1000000}", NULL, 0, LOGIN_KNOWN},
		{exact, "{\"sub\":\"lena\",\"nbf\":1000001}", NULL, 0, LOGIN_TOKEN_EARLY},
		{exact, "{\"sub\":\"lena\",\"nbf\":true}", NULL, 0, LOGIN_TOKEN_MALFORMED},
		{exact, "{\"sub\":\"lena\",\"iat\":1000000}", NULL, 0, LOGIN_KNOWN},
		{exact, "{\"sub\":\"lena\",\"iat\":1000001}", NULL, 0, LOGIN_TOKEN_EARLY},
		{exact, "{\"sub\":\"lena\",\"iat\":[]}", NULL, 0, LOGIN_TOKEN_MALFORMED},
		{lenient, "{\"sub\":\"lena\",\"exp\":999991}", NULL, 1000001, LOGIN_KNOWN},
		{lenient, "{\"sub\":\"lena\",\"exp\":999990}", NULL, 0, LOGIN_TOKEN_EXPIRED},
		{lenient, "{\"sub\":\"lena\",\"nbf\":1000010}", NULL, 0, LOGIN_KNOWN},
		{lenient, "{\"sub\":\"lena\",\"nbf\":1000011}", NULL, 0, LOGIN_TOKEN_EARLY},
		{lenient, "{\"sub\":\"lena\",\"iat\":1000011}", NULL, 0, LOGIN_TOKEN_EARLY},
	};
	(void)state;
	check_claims(cases, ARRAY_COUNT(cases));
}

static void test_jwt_names(void **state)
{
	static const struct jwt_options plain = {0}, other = {.user_claim = "name"},
					replaces = {.replaces_user_name = true},
					id = {.client_id_claim = "cid"};
	const struct claims_case cases[] = {
		{plain, "{\"sub\":\"lena\"}", "lena", 0, LOGIN_KNOWN},
		{plain, "{\"sub\":\"lena\"}", "olaf", 0, LOGIN_TOKEN_USER_NAME},
		{plain, "{\"sub\":\"lena\"}", "len", 0, LOGIN_TOKEN_USER_NAME},
		{plain, "{\"sub\":\"lena\"}", "", 0, LOGIN_TOKEN_USER_NAME},
		{replaces, "{\"sub\":\"lena\"}", "olaf", 0, LOGIN_KNOWN},
		{plain, "{}", "lena", 0, LOGIN_TOKEN_NAMELESS},
		{plain, "{\"sub\":\"\"}", NULL, 0, LOGIN_TOKEN_NAMELESS},
		{plain, "{\"sub\":4}", NULL, 0, LOGIN_TOKEN_NAMELESS},
		{plain, "{\"sub\":[\"lena\"]}", NULL, 0, LOGIN_TOKEN_NAMELESS},
		{other, "{\"sub\":\"olaf\",\"name\":\"lena\"}", "lena", 0, LOGIN_KNOWN},
		{other, "{\"sub\":\"lena\"}", "lena", 0, LOGIN_TOKEN_NAMELESS},
		{id, "{\"sub\":\"lena\",\"cid\":\"sensor-1\"}", "lena", 0, LOGIN_KNOWN},
		{id, "{\"sub\":\"lena\",\"cid\":\"sensor-2\"}", "lena", 0, LOGIN_TOKEN_CLIENT_ID},
		{id, "{\"sub\":\"lena\",\"cid\":\"sensor-\"}", "lena", 0, LOGIN_TOKEN_CLIENT_ID},
		{id, "{\"sub\":\"lena\"}", "lena", 0, LOGIN_TOKEN_CLIENT_ID},
	};
	(void)state;
	check_claims(cases, ARRAY_COUNT(cases));
}

/* [RFC 7519] 4.1.1, 4.1.3 */
static void test_jwt_issuer_and_audience(void **state)
{
	static const struct jwt_options any = {0}, joe = {.issuer = "joe"},
					mqtt = {.audience = "mqtt"};
	const struct claims_case cases[] = {
		{any, "{\"sub\":\"lena\",\"iss\":\"eve\"}", NULL, 0, LOGIN_KNOWN},
		{joe, "{\"sub\":\"lena\",\"iss\":\"joe\"}", NULL, 0, LOGIN_KNOWN},
		{joe, "{\"sub\":\"lena\",\"iss\":\"eve\"}", NULL, 0, LOGIN_TOKEN_ISSUER},
		{joe, "{\"sub\":\"lena\",\"iss\":[\"joe\"]}", NULL, 0, LOGIN_TOKEN_ISSUER},
		{joe, "{\"sub\":\"lena\"}", NULL, 0, LOGIN_TOKEN_ISSUER},
		{mqtt, "{\"sub\":\"lena\",\"aud\":\"mqtt\"}", NULL, 0, LOGIN_KNOWN},
		{mqtt, "{\"sub\":\"lena\",\"aud\":[\"web\",\"mqtt\"]}", NULL, 0, LOGIN_KNOWN},
		{mqtt, "{\"sub\":\"lena\",\"aud\":[\"web\"]}", NULL, 0, LOGIN_TOKEN_AUDIENCE},
		{mqtt, "{\"sub\":\"lena\",\"aud\":{\"mqtt\":1}}", NULL, 0, LOGIN_TOKEN_AUDIENCE},
		{mqtt, "{\"sub\":\"lena\",\"aud\":[]}", NULL, 0, LOGIN_TOKEN_AUDIENCE},
		{mqtt, "{\"sub\":\"lena\"}", NULL, 0, LOGIN_TOKEN_AUDIENCE},
		/* who has no name is in no audience */
		{any, "{\"sub\":\"lena\",\"aud\":\"mqtt\"}", NULL, 0, LOGIN_TOKEN_AUDIENCE},
	};
	(void)state;
	check_claims(cases, ARRAY_COUNT(cases));
}

static void test_jwt_headers(void **state)
{
	static const struct {
		const char *header;
		enum login_result result;
	} cases[] = {
		{HEAD, LOGIN_KNOWN},
		{"{\"typ\":\"JWT\",\"alg\":\"HS256\",\"jku\":\"http://x\"}", LOGIN_KNOWN},
		{"{\"alg\":\"HS256\",\"kid\":\"any\"}", LOGIN_KNOWN}, /* the secret has no kid */
		{"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", LOGIN_TOKEN_CRITICAL},
		{"{\"alg\":\"HS256\",\"crit\":[]}", LOGIN_TOKEN_CRITICAL},
		{"{\"alg\":\"none\"}", LOGIN_TOKEN_ALGORITHM},
		{"{\"alg\":\"RS256\"}", LOGIN_TOKEN_ALGORITHM},
		{"{\"alg\":\"HS384\"}", LOGIN_TOKEN_ALGORITHM}, /* its secret is too short for it */
		{"{\"alg\":\"\"}", LOGIN_TOKEN_ALGORITHM},
		{"{}", LOGIN_TOKEN_MALFORMED},
		{"{\"alg\":1}", LOGIN_TOKEN_MALFORMED},
		{"{\"alg\":\"HS256\",\"kid\":1}", LOGIN_TOKEN_MALFORMED},
		{"{\"alg\":\"none\",\"alg\":\"HS256\"}", LOGIN_TOKEN_MALFORMED},
		{"{\"alg\":\"HS256\"} ", LOGIN_KNOWN},
		{"{\"alg\":\"HS256\"}x", LOGIN_TOKEN_MALFORMED},
	};
	static const struct jwt_options plain = {0};
	char token[8192];
	(void)state;
	struct jwt *j = rules(&plain, SECRET);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		make(token, cases[i].header, "{\"sub\":\"lena\"}", SECRET, EVP_sha256());
		enum login_result result = judge(j, token, NULL, 0);
		if (result != cases[i].result)
			fail_msg("%d for %s", result, cases[i].header);
		assert_true(jwt_is_token(span_of_text(token)));
	}
	/* [RFC 7519] 6.1 */
	const char *unsecured = "eyJhbGciOiJub25lIn0." JOE ".";
	assert_true(jwt_is_token(span_of_text(unsecured)));
	assert_int_equal(judge(j, unsecured, NULL, 0), LOGIN_TOKEN_ALGORITHM);
	make(token, HEAD, "{\"sub\":\"lena\"}", OTHER, EVP_sha256());
	assert_int_equal(judge(j, token, NULL, 0), LOGIN_TOKEN_SIGNATURE);
	make(token, HEAD, "[\"sub\",\"lena\"]", SECRET, EVP_sha256());
	assert_int_equal(judge(j, token, NULL, 0), LOGIN_TOKEN_MALFORMED);
	make(token, HEAD, "{\"sub\":\"lena\",\"sub\":\"lena\"}", SECRET, EVP_sha256());
	assert_int_equal(judge(j, token, NULL, 0), LOGIN_TOKEN_MALFORMED);
	jwt_free(j);
}

/* A password with two dots is still a password. */
static void test_jwt_form(void **state)
{
	static const char *const passwords[] = {
		"",
		".",
		"..",
		"...",
		"egg.and.ham",
		"eyJ9",
		"eyJ9.e30",
		"e.e.e",
		"eyJ9.e+0.AA",
		"eyJ9.e30.AA==",
		"eyJ9.e30.A.",
		"eyJ9.e30.A A",
		"eyFh.e30.",
		"zyJ9.a.b",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(passwords); i++)
		if (jwt_is_token(span_of_text(passwords[i])))
			fail_msg("'%s' looks like a token", passwords[i]);
	assert_true(jwt_is_token(SPAN_LITERAL("eyJ9.e30.AA")));
	assert_true(jwt_is_token(SPAN_LITERAL("eyJ9..")));
	assert_true(jwt_is_token(SPAN_LITERAL("e30.e30.AA")));  /* {} */
	assert_true(jwt_is_token(SPAN_LITERAL("eyAi.e30.AA"))); /* a blank behind the brace */
}

static void test_jwt_too_long(void **state)
{
	static const struct jwt_options plain = {0};
	char claims[JWT_BYTES_MAX], token[2 * JWT_BYTES_MAX];
	(void)state;
	struct jwt *j = rules(&plain, SECRET);
	int len = snprintf(claims, sizeof(claims), "{\"sub\":\"lena\",\"x\":\"%02900d\"}", 0);
	assert_in_range(len, 2900, 3000);
	make(token, HEAD, claims, SECRET, EVP_sha256());
	assert_int_equal(judge(j, token, NULL, 0), LOGIN_KNOWN);
	memset(token, 'A', JWT_BYTES_MAX + 1);
	token[JWT_BYTES_MAX + 1] = '\0';
	assert_int_equal(judge(j, token, NULL, 0), LOGIN_TOKEN_TOO_LONG);
	token[JWT_BYTES_MAX] = '\0';
	assert_int_equal(judge(j, token, NULL, 0), LOGIN_TOKEN_MALFORMED);
	jwt_free(j);
}

/* "1" is a secret, "2" another; one more without a kid is for tokens whose kid nobody has. */
static void test_jwt_key_is_chosen_by_kid(void **state)
{
	static const struct {
		const char *kid, *secret;
		enum login_result result;
	} cases[] = {
		{"1", SECRET, LOGIN_KNOWN},
		{"2", OTHER, LOGIN_KNOWN},
		{"1", OTHER, LOGIN_TOKEN_SIGNATURE},
		{"2", SECRET, LOGIN_TOKEN_SIGNATURE},
		{"3", SECRET, LOGIN_TOKEN_KEY},
		{NULL, SECRET, LOGIN_KNOWN},
		{NULL, OTHER, LOGIN_KNOWN},
		{NULL, "00000000000000000000000000000000", LOGIN_TOKEN_SIGNATURE},
	};
	char first[128], second[128], json[512], header[128], token[8192];
	struct jwt_options o = {.user_claim = "sub"};
	struct access_report report = {.file = "keys"};
	(void)state;
	put_base64url(SECRET, strlen(SECRET), first);
	put_base64url(OTHER, strlen(OTHER), second);
	snprintf(json, sizeof(json),
		 "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"1\",\"k\":\"%s\"},"
		 "{\"kty\":\"oct\",\"kid\":\"2\",\"k\":\"%s\"}]}",
		 first, second);
	struct jwt *j = jwt_new(&o, 7);
	jwk_add_json(&j->keys, span_of_text(json), &report);
	assert_int_equal(j->keys.count, 2);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		snprintf(header, sizeof(header), "{\"alg\":\"HS256\"%s%s%s}",
			 cases[i].kid ? ",\"kid\":\"" : "", cases[i].kid ? cases[i].kid : "",
			 cases[i].kid ? "\"" : "");
		make(token, header, "{\"sub\":\"lena\"}", cases[i].secret, EVP_sha256());
		assert_int_equal(judge(j, token, NULL, 0), cases[i].result);
	}
	jwk_add_secret(&j->keys, SPAN_LITERAL("00000000000000000000000000000000\n"), &report);
	make(token, "{\"alg\":\"HS256\",\"kid\":\"3\"}", "{\"sub\":\"lena\"}",
	     "00000000000000000000000000000000", EVP_sha256());
	assert_int_equal(judge(j, token, NULL, 0), LOGIN_KNOWN);
	jwt_free(j);
}

/* Who came in goes when its key does, or when a rule about who comes in is another one. */
static void test_jwt_stamps(void **state)
{
	static const struct jwt_options plain = {0}, later = {.leeway_s = 5},
					joe = {.issuer = "joe"}, mqtt = {.audience = "joe"},
					replaces = {.replaces_user_name = true};
	char token[8192];
	struct jwt_finding found;
	(void)state;
	struct jwt *j = rules(&plain, SECRET);
	make(token, HEAD, "{\"sub\":\"lena\"}", SECRET, EVP_sha256());
	struct jwt_bearer who = {.token = span_of_text(token), .now_s = NOW};
	assert_int_equal(jwt_judge(j, &who, &found), LOGIN_KNOWN);
	mem_free(found.user_name);
	const struct {
		const struct jwt_options *options;
		const char *secret;
		bool vouches;
	} others[] = {
		{&plain, SECRET, true}, {&later, SECRET, true}, {&plain, OTHER, false},
		{&joe, SECRET, false},  {&mqtt, SECRET, false}, {&replaces, SECRET, false},
	};
	for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
		struct jwt *other = rules(others[i].options, others[i].secret);
		assert_int_equal(jwt_vouches(other, found.stamp), others[i].vouches);
		jwt_free(other);
	}
	jwt_free(j);
}

static void test_jwt_no_memory(void **state)
{
	static const struct jwt_options o = {.issuer = "joe", .audience = "mqtt"};
	char token[8192];
	(void)state;
	struct jwt *j = rules(&o, SECRET);
	make(token, HEAD, "{\"sub\":\"lena\",\"iss\":\"joe\",\"aud\":\"mqtt\"}", SECRET,
	     EVP_sha256());
	for (unsigned long n = 1; n <= 2; n++) {
		mem_fail_after(n);
		enum login_result result = judge(j, token, NULL, 0);
		assert_true(mem_has_failed());
		assert_int_equal(result, LOGIN_FAILED);
	}
	mem_fail_after(0);
	jwt_free(j);
	for (unsigned long n = 1;; n++) {
		mem_fail_after(n);
		j = jwt_new(&o, 7);
		if (!mem_has_failed())
			break;
		assert_null(j);
	}
	mem_fail_after(0);
	jwt_free(j);
}

static int begin_count(void **state)
{
	(void)state;
	mem_count_start();
	return 0;
}

static int end_count(void **state)
{
	(void)state;
	return mem_count_live() == 0 ? 0 : -1;
}

#define COUNTED(test) cmocka_unit_test_setup_teardown(test, begin_count, end_count)

int main(void)
{
	const struct CMUnitTest tests[] = {
		COUNTED(test_jws_examples_of_the_standards),
		COUNTED(test_jws_algorithm_is_the_keys),
		COUNTED(test_jwt_times),
		COUNTED(test_jwt_names),
		COUNTED(test_jwt_issuer_and_audience),
		COUNTED(test_jwt_headers),
		COUNTED(test_jwt_form),
		COUNTED(test_jwt_too_long),
		COUNTED(test_jwt_key_is_chosen_by_kid),
		COUNTED(test_jwt_stamps),
		COUNTED(test_jwt_no_memory),
	};
	return cmocka_run_group_tests_name("access/jwt", tests, NULL, NULL);
}
