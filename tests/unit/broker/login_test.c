/* SPDX-License-Identifier: Apache-2.0 */
/* Which way to know a client is asked when, and what comes of the answers. A service and tokens are
 * played here: what is asked is written down, and the user name says what to answer. */
#include "access/password.h"
#include "base/mem.h"
#include "kit/play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TOKEN "eyJ9.e30.AA"

static struct settings set;
static char asked[256]; /* "lena:jwt lena:http " */
static uint64_t until_s;

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	asked[0] = '\0';
	until_s = 0;
	return 0;
}

static void write_down(const struct login *login)
{
	static const char *const methods[METHOD_COUNT] = {
		[METHOD_JWT] = "jwt", [METHOD_PASSWORD] = "password", [METHOD_HTTP] = "http"};
	size_t len = strlen(asked);
	snprintf(asked + len, sizeof(asked) - len, "%.*s:%s%s ", (int)login->user_name.len,
		 (const char *)login->user_name.ptr, methods[login->method],
		 login->is_decoy ? "?" : "");
}

/* A number is the result itself. */
static enum login_result result_for(struct span name)
{
	if (span_is_equal(name, SPAN_LITERAL("lena")) || name.len == 0)
		return LOGIN_KNOWN;
	if (name.ptr[0] >= '0' && name.ptr[0] <= '9')
		return (enum login_result)(name.ptr[0] - '0') * 10 + name.ptr[1] - '0';
	return LOGIN_UNKNOWN;
}

static int answer(void *context, struct login *login)
{
	const struct kit *k = context;
	write_down(login);
	if (login->method == METHOD_PASSWORD) {
		login_answer(login);
	} else if (login->method == METHOD_JWT) {
		login->result = LOGIN_TOKEN_SIGNATURE;
	} else {
		login->result = (uint8_t)result_for(login->user_name);
		login->stamp = login_service(login)->stamp;
		login->until_s = until_s;
		login->known_name = mem_copy_text(SPAN_LITERAL("device"));
	}
	broker_answer_login(k->broker, login);
	return 0;
}

static struct login *waiting;

static int wait_for_answer(void *context, struct login *login)
{
	(void)context;
	waiting = login;
	return 0;
}

static struct users *users_of(const char *name, const char *password)
{
	static const uint8_t salt[PASSWORD_SALT_BYTES] = "salt";
	struct access_report report = {.file = "users"};
	char stored[PASSWORD_STORED_MAX], line[600];
	assert_int_equal(password_store(PASSWORD_PBKDF2, &(struct password_cost){.iterations = 1},
					salt, span_of_text(password), stored),
			 0);
	snprintf(line, sizeof(line), "%s:%s\n", name, stored);
	return users_read(span_of_text(line), 7, &report);
}

/* A user: "olaf", with the password "file". `url` NULL: there is no service. */
static struct access *table(const uint8_t *chain, const char *url)
{
	struct access *a = access_new(1);
	struct realm *realm = &a->realms[0];
	struct access_report report = {.file = "acl"};
	realm->users = users_of("olaf", "file");
	realm->jwt = jwt_new(&(struct jwt_options){.user_claim = "sub"}, 7);
	realm->service = url ? service_new(&(struct service_options){.url = url}, 7) : NULL;
	realm->acl = acl_read(SPAN_LITERAL("user device\ntopic device\nuser olaf\ntopic olaf\n"), 7,
			      &report);
	if (chain) {
		realm->has_chain = true;
		memcpy(realm->chain, chain, CHAIN_LEN_MAX);
	}
	access_finish(a);
	return a;
}

static void begin(struct play *play, const uint8_t *chain, const char *url)
{
	play_start(play, &set, 2, 7, 0);
	play->kit.verify = answer;
	assert_int_equal(broker_use_access(play->kit.broker, table(chain, url)), 0);
}

static void finish(struct play *play)
{
	play_finish(play);
	assert_int_equal(mem_count_live(), 0);
}

static struct play play;

static void test_login_usual_chain(void **state)
{
	(void)state;
	begin(&play, NULL, "http://a");
	play_lines(&play,
		   /* in the file: that decides, right or wrong */
		   "o > CONNECT v5 id=o clean name=olaf pass=file\no < CONNACK 00\n"
		   "x > CONNECT v5 id=x clean name=olaf pass=wrong\nx < CONNACK 86\nx < closed\n"
		   "x > CONNECT v5 id=x clean name=olaf\nx < CONNACK 86\nx < closed\n"
		   /* not in it: the service */
		   "l > CONNECT v5 id=l clean name=lena pass=any\nl < CONNACK 00\n"
		   /* nobody knows it; somebody's password is verified for the time that takes */
		   "n > CONNECT v5 id=n clean name=nobody pass=x\nn < CONNACK 86\nn < closed\n"
		   /* what has the form of a token is one */
		   "t > CONNECT v5 id=t clean name=lena pass=" TOKEN "\nt < CONNACK 86\n"
		   "t < closed\n"
		   "a > CONNECT v5 id=a clean\na < CONNACK 87\na < closed\n");
	assert_string_equal(asked, "olaf:password olaf:password lena:http nobody:http "
				   "nobody:password? lena:jwt ");
	finish(&play);
}

static void test_login_chain_of_its_own(void **state)
{
	static const uint8_t chain[CHAIN_LEN_MAX] = {METHOD_HTTP, METHOD_PASSWORD};
	(void)state;
	begin(&play, chain, "http://a");
	play_lines(&play, "o > CONNECT v5 id=o clean name=olaf pass=file\no < CONNACK 00\n"
			  "l > CONNECT v5 id=l clean name=lena pass=" TOKEN "\nl < CONNACK 00\n");
	assert_string_equal(asked, "olaf:http olaf:password lena:http ");
	finish(&play);
}

/* What is left out verifies no names, either. */
static void test_login_chain_of_nobody(void **state)
{
	static const uint8_t chain[CHAIN_LEN_MAX] = {METHOD_ANONYMOUS};
	(void)state;
	play_start(&play, &set, 2, 7, 0);
	struct access *a = table(chain, "http://a");
	a->realms[0].allows_anonymous = true;
	assert_int_equal(broker_use_access(play.kit.broker, a), 0);
	play_lines(&play, "x > CONNECT v5 id=x clean name=olaf pass=wrong\nx < CONNACK 00\n"
			  "y > CONNECT v5 id=y clean\ny < CONNACK 00\n");
	assert_string_equal(asked, "");
	finish(&play);
}

static struct access *table_of_key(const char *key)
{
	struct access *a = access_new(1);
	struct access_report report = {.file = "keys"};
	a->realms[0].jwt = jwt_new(&(struct jwt_options){.user_claim = "iss"}, 7);
	jwk_add_json(&a->realms[0].jwt->keys, span_of_text(key), &report);
	assert_int_equal(a->realms[0].jwt->keys.count, 1);
	access_finish(a);
	return a;
}

/* A token of the standard ([RFC 7515] A.1), whose issuer is taken for the user, comes in; then its
 * key is another one. */
static void test_login_key_is_another(void **state)
{
	static const char first[] =
		"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_"
		"T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}";
	static const char second[] =
		"{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}";
	(void)state;
	play_start(&play, &set, 2, 7, 0);
	play.kit.now.wall_ms = 1300000000000; /* it is good until 1300819380 */
	assert_int_equal(broker_use_access(play.kit.broker, table_of_key(first)), 0);
	play_lines(&play, "j > CONNECT v5 id=j clean name=joe pass="
			  "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAi"
			  "OjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
			  "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\nj < CONNACK 00\n");
	broker_change_access(play.kit.broker, table_of_key(first));
	play_settle(&play);
	play_lines(&play, "j > PINGREQ\nj < PINGRESP\n");
	broker_change_access(play.kit.broker, table_of_key(second));
	play_settle(&play);
	play_lines(&play, "j < DISCONNECT 87\nj < closed\n");
	finish(&play);
}

/* Its own name is the one that it was known by. */
static void test_login_name_that_was_found(void **state)
{
	(void)state;
	begin(&play, NULL, "http://a");
	play_lines(&play, "l > CONNECT v5 id=l clean name=lena pass=x\nl < CONNACK 00\n"
			  "l > PUBLISH q1 m1 t=device\nl < PUBACK m1 rc=10\n"
			  "l > PUBLISH q1 m2 t=lena\nl < PUBACK m2 rc=87\n");
	finish(&play);
}

static void test_login_refusals(void **state)
{
	static const struct {
		enum login_result result;
		unsigned code, older;
	} cases[] = {
		{LOGIN_WRONG, 0x86, 4},           {LOGIN_FAILED, 0x88, 3},
		{LOGIN_SERVICE, 0x88, 3},         {LOGIN_TOKEN_TOO_LONG, 0x86, 4},
		{LOGIN_TOKEN_MALFORMED, 0x86, 4}, {LOGIN_TOKEN_CRITICAL, 0x86, 4},
		{LOGIN_TOKEN_ALGORITHM, 0x86, 4}, {LOGIN_TOKEN_KEY, 0x86, 4},
		{LOGIN_TOKEN_SIGNATURE, 0x86, 4}, {LOGIN_TOKEN_EXPIRED, 0x86, 4},
		{LOGIN_TOKEN_EARLY, 0x86, 4},     {LOGIN_TOKEN_ISSUER, 0x86, 4},
		{LOGIN_TOKEN_AUDIENCE, 0x86, 4},  {LOGIN_TOKEN_NAMELESS, 0x86, 4},
		{LOGIN_TOKEN_USER_NAME, 0x87, 5}, {LOGIN_TOKEN_CLIENT_ID, 0x87, 5},
	};
	char lines[256];
	(void)state;
	assert_int_equal(ARRAY_COUNT(cases), LOGIN_RESULT_COUNT - LOGIN_WRONG);
	begin(&play, NULL, "http://a");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		snprintf(lines, sizeof(lines),
			 "x > CONNECT v5 id=x clean name=%02u pass=x\nx < CONNACK %02X\n"
			 "x < closed\ny > CONNECT v4 id=y clean name=%02u pass=x\n"
			 "y < CONNACK %02X\ny < closed\n",
			 cases[i].result, cases[i].code, cases[i].result, cases[i].older);
		play_lines(&play, lines);
	}
	finish(&play);
}

/* 0xA0 for version 5; the will is due, as after any connection that was not ended by its client. */
static void test_login_has_an_end(void **state)
{
	(void)state;
	begin(&play, NULL, "http://a");
	play_lines(&play, "o > CONNECT v5 id=o clean name=olaf pass=file\no < CONNACK 00\n"
			  "o > SUBSCRIBE m1 f=olaf\no < SUBACK m1 00\n");
	until_s = play.kit.now.wall_ms / 1000 + 90;
	play_lines(&play, "l > CONNECT v5 id=l clean name=lena pass=x keep=1000\nl < CONNACK 00\n"
			  "m > CONNECT v4 id=m clean name=lena pass=x keep=0\nm < CONNACK 00\n"
			  "wait 88000\nl < nothing\nm < nothing\n"
			  "wait 2500\nl < DISCONNECT a0\nl < closed\nm < closed\n"
			  "o > PINGREQ\no < PINGRESP\n");
	/* one that is over already goes at once */
	play_lines(&play, "l > CONNECT v5 id=l clean name=lena pass=x\nl < CONNACK 00\n"
			  "wait 100\nl < DISCONNECT a0\nl < closed\n");
	finish(&play);
}

/* The clock of the machine is set: that is noticed within a minute. */
static void test_login_end_by_a_clock_that_was_set(void **state)
{
	(void)state;
	begin(&play, NULL, "http://a");
	until_s = play.kit.now.wall_ms / 1000 + 36000;
	play_lines(&play, "l > CONNECT v5 id=l clean name=lena pass=x keep=0\nl < CONNACK 00\n"
			  "wait 120000\nl < nothing\n");
	play.kit.now.wall_ms += 36000000;
	play_lines(&play, "wait 61000\nl < DISCONNECT a0\nl < closed\n");
	finish(&play);
}

/* Who was vouched for by what is gone goes with it. */
static void test_login_service_is_another(void **state)
{
	(void)state;
	begin(&play, NULL, "http://a");
	play_lines(&play, "l > CONNECT v5 id=l clean name=lena pass=x\nl < CONNACK 00\n"
			  "o > CONNECT v5 id=o clean name=olaf pass=file\no < CONNACK 00\n");
	broker_change_access(play.kit.broker, table(NULL, "http://a"));
	play_settle(&play);
	play_lines(&play, "l > PINGREQ\nl < PINGRESP\n");
	broker_change_access(play.kit.broker, table(NULL, "http://b"));
	play_settle(&play);
	play_lines(&play, "l < DISCONNECT 87\nl < closed\no > PINGREQ\no < PINGRESP\n"
			  "l > CONNECT v5 id=l clean name=lena pass=x\nl < CONNACK 00\n");
	broker_change_access(play.kit.broker, table(NULL, NULL));
	play_settle(&play);
	play_lines(&play, "l < DISCONNECT 87\nl < closed\no > PINGREQ\no < PINGRESP\n");
	finish(&play);
}

/* Asked by a chain that is another one when the answer comes: nobody of the new one is left out. */
static void test_login_chain_is_another(void **state)
{
	static const uint8_t before[CHAIN_LEN_MAX] = {METHOD_HTTP, METHOD_PASSWORD};
	static const uint8_t after[CHAIN_LEN_MAX] = {METHOD_PASSWORD, METHOD_HTTP};
	(void)state;
	begin(&play, before, "http://a");
	play.kit.verify = wait_for_answer;
	play_lines(&play, "o > CONNECT v5 id=o clean name=olaf pass=file\no < nothing\n");
	assert_non_null(waiting);
	broker_change_access(play.kit.broker, table(after, "http://a"));
	play.kit.verify = answer;
	assert_int_equal(answer(&play.kit, waiting), 0);
	play_settle(&play);
	play_lines(&play, "o < CONNACK 00\n");
	assert_string_equal(asked, "olaf:http olaf:password ");
	finish(&play);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_login_usual_chain),         TEST(test_login_chain_of_its_own),
		TEST(test_login_chain_of_nobody),     TEST(test_login_key_is_another),
		TEST(test_login_name_that_was_found), TEST(test_login_refusals),
		TEST(test_login_has_an_end),          TEST(test_login_end_by_a_clock_that_was_set),
		TEST(test_login_service_is_another),  TEST(test_login_chain_is_another),
	};
	return cmocka_run_group_tests_name("broker/login", tests, NULL, NULL);
}
