/* SPDX-License-Identifier: Apache-2.0 */
/* Files of keys: what is taken from them, and the sentences about what is of no use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "access/jws.h"
#include "base/mem.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

/* [RFC 7515] A.3, [RFC 8037] A.2, and 32 bytes of zeros */
#define X "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""
#define Y "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define P256 "\"kty\":\"EC\",\"crv\":\"P-256\"," X "," Y
#define ED25519                                                                                    \
	"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"                               \
	"7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define OCT "\"kty\":\"oct\",\"k\":\"" ZEROS "\""

typedef void adder(struct jwk_set *set, struct span text, struct access_report *report);

static struct jwk_set set = {.seed = 7};
static struct access_report report;

static void read_keys(adder *add, const char *text)
{
	jwk_set_release(&set);
	access_report_release(&report);
	report.file = "keys";
	add(&set, span_of_text(text), &report);
}

static void expect_words(const struct buffer *lines, const char *words)
{
	char text[2048];
	struct span content = buffer_content(lines);
	assert_in_range(content.len, 1, sizeof(text) - 1);
	memcpy(text, content.ptr, content.len);
	text[content.len] = '\0';
	if (!strstr(text, words))
		fail_msg("\"%s\" is not in \"%s\"", words, text);
}

static int teardown(void **state)
{
	(void)state;
	jwk_set_release(&set);
	access_report_release(&report);
	return mem_count_live() == 0 ? 0 : -1;
}

static int setup(void **state)
{
	(void)state;
	mem_count_start();
	return 0;
}

static void test_jwk_kinds(void **state)
{
	(void)state;
	read_keys(jwk_add_json, "{\"keys\":[{" P256 ",\"kid\":\"a\",\"alg\":\"ES256\"},{" ED25519
				",\"use\":\"sig\"},{" OCT ",\"key_ops\":[\"sign\",\"verify\"]}]}");
	assert_int_equal(report.error_count + report.notice_count, 0);
	assert_int_equal(set.count, 3);
	assert_int_equal(set.list[0].kind, JWK_P256);
	assert_string_equal(set.list[0].kid, "a");
	assert_ptr_equal(set.list[0].algorithm, jws_algorithm_of("ES256"));
	assert_int_equal(set.list[1].kind, JWK_ED25519);
	assert_null(set.list[1].kid);
	assert_int_equal(set.list[2].kind, JWK_SECRET);
	assert_int_equal(set.list[2].secret_len, 32);
	assert_true(set.list[0].stamp != set.list[1].stamp);
	uint64_t stamp = set.list[0].stamp;
	read_keys(jwk_add_json, "{" P256 "}"); /* alone; another kid is the same key */
	assert_int_equal(set.count, 1);
	assert_true(set.list[0].stamp == stamp);
}

/* [RFC 7517] 4.2, 4.3, 5: these are for others; what is wrong with the rest is told. */
static void test_jwk_keys_that_are_passed_over(void **state)
{
	static const struct {
		const char *key, *notice;
	} cases[] = {
		{P256 ",\"use\":\"enc\"", NULL},
		{P256 ",\"use\":1", NULL},
		{P256 ",\"key_ops\":[\"sign\"]", NULL},
		{P256 ",\"key_ops\":[]", NULL},
		{"\"kid\":\"x\"", "key 2 is damaged"},
		{"\"kty\":\"AES\"", "key 2 is of a kind"},
		{"\"kty\":\"EC\",\"crv\":\"secp256k1\"," X "," Y, "key 2 is of a kind"},
		{"\"kty\":\"OKP\",\"crv\":\"P-256\"," X "," Y, "key 2 is of a kind"},
		{"\"kty\":\"OKP\",\"crv\":\"X25519\"," X, "key 2 is of a kind"},
		{"\"kty\":\"EC\",\"crv\":\"P-256\"," X, "key 2 is damaged"},
		/* not on the curve */
		{"\"kty\":\"EC\",\"crv\":\"P-256\"," X ",\"y\":\"" ZEROS "\"", "key 2 is damaged"},
		/* a coordinate has the curve's length */
		{"\"kty\":\"EC\",\"crv\":\"P-384\"," X "," Y, "key 2 is damaged"},
		{"\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"", "less than 2048 bits"},
		{"\"kty\":\"RSA\",\"n\":\"AQAB\"", "key 2 is damaged"},
		{"\"kty\":\"oct\",\"k\":\"AAAA\"", "shorter than 32 bytes"},
		{"\"kty\":\"oct\",\"k\":\"a+b/\"", "key 2 is damaged"},
		{P256 ",\"alg\":\"RSA-OAEP\"", "algorithm that is not known"},
		{P256 ",\"alg\":\"none\"", "algorithm that is not known"},
		{P256 ",\"alg\":\"ES384\"", "needs another kind of key"},
		{OCT ",\"alg\":\"HS512\"", "needs another kind of key, or a longer one"},
		{P256 ",\"kid\":5", "key 2 is damaged"},
	};
	char text[1024];
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		snprintf(text, sizeof(text), "{\"keys\":[{" ED25519 "},{%s}]}", cases[i].key);
		read_keys(jwk_add_json, text);
		assert_int_equal(report.error_count, 0);
		assert_int_equal(set.count, 1);
		assert_int_equal(report.notice_count, cases[i].notice != NULL);
		if (cases[i].notice)
			expect_words(&report.notices, cases[i].notice);
	}
}

static void test_jwk_files_of_no_use(void **state)
{
	static const struct {
		adder *add;
		const char *text, *words;
	} cases[] = {
		{jwk_add_json, "", "keys:1: is no JSON"},
		{jwk_add_json, "{\n\n{", "keys:3: is no JSON"},
		{jwk_add_json, "{\"keys\":[]}", "keys: holds no key (JWK)"},
		{jwk_add_json, "[]", "keys: holds no key (JWK)"},
		{jwk_add_json, "{\"keys\":{}}", "keys: holds no key (JWK)"},
		{jwk_add_json, "{" P256 ",\"use\":\"enc\"}", "keys: holds no key (JWK)"},
		{jwk_add_json, "{" P256 ",\"d\":\"AAAA\"}", "keys: key 1 is a private one"},
		{jwk_add_pem, "", "keys: holds no public key in PEM"},
		{jwk_add_pem, "secret", "keys: holds no public key in PEM"},
		{jwk_add_pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		 "keys: holds a private key"},
		{jwk_add_pem,
		 "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
		 "keys: holds a private key"},
		{jwk_add_pem, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		 "keys: 'PUBLIC KEY' is no public key"},
		{jwk_add_pem, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
		 "keys: 'X509 CRL' is no public key"},
		{jwk_add_secret, "0123456789abcdef0123456789abcde\n", "shorter than 32 bytes"},
		{jwk_add_secret, "", "shorter than 32 bytes"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		read_keys(cases[i].add, cases[i].text);
		assert_int_equal(report.error_count, 1);
		expect_words(&report.errors, cases[i].words);
	}
}

static void test_jwk_secret_less_its_line_end(void **state)
{
	static const char *const texts[] = {
		"0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef\n",
		"0123456789abcdef0123456789abcdef\r\n", "0123456789abcdef0123456789abcdef\n\n"};
	static const size_t lens[] = {32, 32, 32, 33};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		read_keys(jwk_add_secret, texts[i]);
		assert_int_equal(set.count, 1);
		assert_int_equal(set.list[0].secret_len, lens[i]);
	}
}

/* One block of PEM, made here, several times. */
static size_t put_pem(int type, int bits, char *out, size_t room)
{
	char *text;
	EVP_PKEY *key = type == EVP_PKEY_RSA ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits)
					     : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	size_t len = (size_t)BIO_get_mem_data(bio, &text);
	assert_true(len < room);
	memcpy(out, text, len);
	out[len] = '\0';
	BIO_free(bio);
	EVP_PKEY_free(key);
	return len;
}

static void test_jwk_pem_blocks(void **state)
{
	char text[16384];
	(void)state;
	size_t len = put_pem(EVP_PKEY_ED25519, 0, text, sizeof(text));
	memcpy(text + len, "words between\n", 15);
	put_pem(EVP_PKEY_ED25519, 0, text + len + 14, sizeof(text) - len - 14);
	read_keys(jwk_add_pem, text);
	assert_int_equal(report.error_count, 0);
	assert_int_equal(set.count, 2);
	assert_true(set.list[0].stamp != set.list[1].stamp);
	put_pem(EVP_PKEY_RSA, 1024, text, sizeof(text));
	read_keys(jwk_add_pem, text);
	expect_words(&report.errors, "less than 2048 bits");
	assert_int_equal(set.count, 0);
	/* as many as there is room for */
	len = put_pem(EVP_PKEY_ED25519, 0, text, sizeof(text));
	for (int i = 1; i < JWK_COUNT_MAX; i++)
		memcpy(text + (size_t)i * len, text, len);
	text[JWK_COUNT_MAX * len] = '\0';
	read_keys(jwk_add_pem, text);
	assert_int_equal(report.error_count, 0);
	assert_int_equal(set.count, JWK_COUNT_MAX);
	memcpy(text + JWK_COUNT_MAX * len, text, len);
	text[(JWK_COUNT_MAX + 1) * len] = '\0';
	read_keys(jwk_add_pem, text);
	expect_words(&report.errors, "room for 64");
}

static void test_jwk_no_memory(void **state)
{
	static const char text[] = "{" OCT ",\"kid\":\"a\"}";
	(void)state;
	for (unsigned long n = 1; n <= 2; n++) {
		mem_fail_after(n);
		read_keys(jwk_add_json, text);
		assert_true(mem_has_failed());
		mem_fail_after(0);
		assert_true(report.is_out_of_memory);
		assert_int_equal(set.count, 0);
	}
	report.is_out_of_memory = false;
}

#define COUNTED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		COUNTED(test_jwk_kinds),           COUNTED(test_jwk_keys_that_are_passed_over),
		COUNTED(test_jwk_files_of_no_use), COUNTED(test_jwk_secret_less_its_line_end),
		COUNTED(test_jwk_pem_blocks),      COUNTED(test_jwk_no_memory),
	};
	return cmocka_run_group_tests_name("access/jwk", tests, NULL, NULL);
}
