/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of methods, and the options about tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "configured.h"

#define LISTENER "listener 1883\n"
#define TOKENS "jwt_secret_file /s\n"
#define USERS "password_file /p\n"

static void expect_chain(const struct config_access *a, const uint8_t *chain, size_t len)
{
	for (size_t i = 0; i < CHAIN_LEN_MAX; i++)
		assert_int_equal(a->chain[i], i < len ? chain[i] : METHOD_NONE);
}

static void test_login_chain_is_read(void **state)
{
	static const struct {
		const char *text;
		uint8_t chain[CHAIN_LEN_MAX];
		size_t len;
	} cases[] = {
		{LISTENER TOKENS USERS, {METHOD_NONE}, 0}, /* nothing was said */
		{LISTENER TOKENS "auth_chain jwt", {METHOD_JWT}, 1},
		{LISTENER TOKENS USERS "auth_chain   password_file \t jwt ",
		 {METHOD_PASSWORD, METHOD_JWT},
		 2},
		{LISTENER TOKENS USERS
		 "allow_anonymous true\nauth_chain certificate peer jwt password_file anonymous",
		 {METHOD_CERTIFICATE, METHOD_PEER, METHOD_JWT, METHOD_PASSWORD, METHOD_ANONYMOUS},
		 5},
		{LISTENER "auth_chain peer", {METHOD_PEER}, 1},
		/* wherever it stands */
		{LISTENER "auth_chain jwt\n" TOKENS, {METHOD_JWT}, 1},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct configured c;
		configure(&c, cases[i].text, "");
		assert_string_equal(c.errors, "");
		expect_chain(config_access_of(&c.config, 0), cases[i].chain, cases[i].len);
		configured_release(&c);
	}
}

static void test_login_chain_of_each_listener(void **state)
{
	struct configured c;
	(void)state;
	configure(&c,
		  "per_listener_settings true\n" LISTENER TOKENS "auth_chain jwt\n"
		  "listener 1884\n" USERS,
		  "");
	assert_string_equal(c.errors, "");
	assert_int_equal(config_access_count(&c.config), 2);
	expect_chain(config_access_of(&c.config, 0), (uint8_t[]){METHOD_JWT}, 1);
	expect_chain(config_access_of(&c.config, 1), NULL, 0);
	configured_release(&c);
}

static void test_login_options_of_no_use(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{LISTENER "auth_chain jwt", "f.conf:2: auth_chain: names jwt, but there is no"},
		{LISTENER "auth_chain password_file",
		 "f.conf:2: auth_chain: names password_file, but there is no password_file"},
		{LISTENER "auth_chain http",
		 "f.conf:2: auth_chain: names http, but there is no auth_http_url"},
		{LISTENER "auth_chain anonymous",
		 "f.conf:2: auth_chain: names anonymous, but allow_anonymous is false"},
		{LISTENER TOKENS "auth_chain jwt jwt", "f.conf:3: auth_chain: names jwt twice"},
		{LISTENER TOKENS "auth_chain jwt certificate",
		 "f.conf:3: auth_chain: names certificate behind jwt"},
		{LISTENER "auth_chain peer certificate",
		 "f.conf:2: auth_chain: names certificate behind peer"},
		{LISTENER "allow_anonymous true\n" USERS "auth_chain anonymous password_file",
		 "f.conf:4: auth_chain: names password_file behind anonymous"},
		{LISTENER "auth_chain JWT", "f.conf:2: auth_chain: 'JWT' is none of certificate"},
		{LISTENER "auth_http_url ftp://a", "f.conf:2: auth_http_url: is no address"},
		{LISTENER "auth_http_url localhost", "f.conf:2: auth_http_url: is no address"},
		{LISTENER "auth_http_url http://", "f.conf:2: auth_http_url: names no host"},
		{LISTENER "auth_http_url https:///a", "f.conf:2: auth_http_url: names no host"},
		{LISTENER "auth_http_url http://a b", "f.conf:2: auth_http_url: names no host"},
		{LISTENER "auth_http_header a: b", "f.conf:2: auth_http_header: is for a service"},
		{LISTENER "auth_http_cafile /a", "f.conf:2: auth_http_cafile: is for a service"},
		{LISTENER "auth_http_url https://a\nauth_http_header ab",
		 "f.conf:3: auth_http_header: is no line of a head"},
		{LISTENER "jwt_issuer x", "f.conf:2: jwt_issuer: is about tokens"},
		{LISTENER "jwt_audience x", "f.conf:2: jwt_audience: is about tokens"},
		{LISTENER "jwt_username_claim x", "f.conf:2: jwt_username_claim: is about tokens"},
		{LISTENER "jwt_clientid_claim x", "f.conf:2: jwt_clientid_claim: is about tokens"},
		{LISTENER TOKENS "jwt_leeway 3601", "jwt_leeway: '3601' is not between 0 and 3600"},
		{"per_listener_settings true\n" LISTENER TOKENS "listener 1884\nauth_chain jwt",
		 "f.conf:5: auth_chain: names jwt, but there is no"},
		{TOKENS "per_listener_settings true\n" LISTENER,
		 "f.conf:2: per_listener_settings: stands below an option that it is about"},
		{"jwt_leeway 5\nper_listener_settings true\n" LISTENER,
		 "f.conf:2: per_listener_settings: stands below an option that it is about"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct configured c;
		configure(&c, cases[i].text, "");
		if (!strstr(c.errors, cases[i].error))
			fail_msg("\"%s\" is not in \"%s\"", cases[i].error, c.errors);
		assert_int_equal(c.report.error_count, 1);
		configured_release(&c);
	}
}

static void test_login_token_option_without_keys(void **state)
{
	struct configured c;
	(void)state;
	configure(&c, LISTENER "allow_anonymous true\njwt_replaces_username true", "");
	assert_non_null(strstr(c.notices, "jwt_replaces_username has no effect"));
	configured_release(&c);
}

static void test_login_peer_of_another_socket(void **state)
{
	struct configured c;
	(void)state;
	configure(&c, LISTENER "use_peer_credentials_as_username true", "");
	assert_non_null(strstr(c.notices, "of port 1883 has no effect"));
	configured_release(&c);
	configure(&c, "listener 0 /run/a\nuse_peer_credentials_as_username true", "");
	assert_null(strstr(c.notices, "no effect"));
	configured_release(&c);
}

static void test_login_passwords_in_the_clear(void **state)
{
	static const struct {
		const char *url;
		bool is_told;
	} cases[] = {
		{"http://localhost", false},    {"http://localhost:80/a", false},
		{"http://127.0.0.1/a", false},  {"http://[::1]:80?a", false},
		{"https://example.com", false}, {"http://example.com", true},
		{"HTTP://10.0.0.1", true},      {"http://localhost.example", true},
		{"http://127.0.0.11", true},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[128] = LISTENER "auth_http_url ";
		struct configured c;
		strcat(text, cases[i].url);
		configure(&c, text, "");
		assert_string_equal(c.errors, "");
		assert_int_equal(strstr(c.notices, "in the clear") != NULL, cases[i].is_told);
		configured_release(&c);
	}
}

static void test_login_tokens_know_users(void **state)
{
	static const char *const keys[] = {TOKENS, "jwt_key_file /k\n", "jwt_jwks_file /j\n",
					   "auth_http_url https://a\n"};
	struct configured c;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		char text[128] = LISTENER;
		strcat(text, keys[i]);
		configure(&c, text, "");
		assert_string_equal(c.notices, ""); /* not that nobody can come in */
		assert_int_equal(config_access_of(&c.config, 0)->jwt_leeway_s, 30);
		configured_release(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login_chain_is_read),
		cmocka_unit_test(test_login_chain_of_each_listener),
		cmocka_unit_test(test_login_options_of_no_use),
		cmocka_unit_test(test_login_token_option_without_keys),
		cmocka_unit_test(test_login_peer_of_another_socket),
		cmocka_unit_test(test_login_passwords_in_the_clear),
		cmocka_unit_test(test_login_tokens_know_users),
	};
	return cmocka_run_group_tests_name("config/login", tests, NULL, NULL);
}
