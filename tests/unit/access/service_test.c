/* SPDX-License-Identifier: Apache-2.0 */
/* What a service is asked, what its answers mean, and how long they are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "access/answer_cache.h"
#include "access/service.h"
#include "base/mem.h"

static struct service *service_of(bool has_form)
{
	struct service *s = service_new(
		&(struct service_options){.url = "http://localhost/", .has_form = has_form}, 7);
	assert_non_null(s);
	return s;
}

static void expect_body(bool has_form, const struct service_question *q, const char *expected)
{
	struct service *s = service_of(has_form);
	struct buffer body = {0};
	assert_int_equal(service_put_question(s, q, &body), 0);
	struct span content = buffer_content(&body);
	if (!span_is_equal(content, span_of_text(expected)))
		fail_msg("%.*s", (int)content.len, (const char *)content.ptr);
	buffer_release(&body);
	service_free(s);
}

static void test_service_question(void **state)
{
	const struct span user = SPAN_LITERAL("l&e=n \"a"), empty = SPAN_NONE,
			  bytes = span_of("\0\x7f\xff%", 4), text = SPAN_LITERAL("p\nw");
	const struct service_question bare = {
		.client_id = SPAN_LITERAL("c"), .address = SPAN_LITERAL("[::1]"), .port = 1883};
	struct service_question full = bare;
	(void)state;
	expect_body(false, &bare, "{\"port\":1883,\"clientid\":\"c\",\"address\":\"[::1]\"}");
	expect_body(true, &bare, "port=1883&clientid=c&address=%5B%3A%3A1%5D");
	full.user_name = &user;
	full.password = &text;
	full.certificate = SPAN_LITERAL("lamp");
	expect_body(false, &full,
		    "{\"port\":1883,\"clientid\":\"c\",\"username\":\"l&e=n \\\"a\","
		    "\"password\":\"p\\nw\",\"address\":\"[::1]\",\"certificate\":\"lamp\"}");
	full.password = &bytes;
	expect_body(true, &full,
		    "port=1883&clientid=c&username=l%26e%3Dn%20%22a&password=%00%7F%FF%25&"
		    "address=%5B%3A%3A1%5D&certificate=lamp");
	full.password = &empty; /* there, but empty */
	expect_body(true, &full,
		    "port=1883&clientid=c&username=l%26e%3Dn%20%22a&password=&"
		    "address=%5B%3A%3A1%5D&certificate=lamp");
	/* JSON is UTF-8 */
	struct service *s = service_of(false);
	struct buffer body = {0};
	full.password = &bytes;
	assert_int_equal(service_put_question(s, &full, &body), ERROR_INVALID);
	buffer_release(&body);
	service_free(s);
}

static enum login_result read_answer(long status, const char *body, struct service_answer *out)
{
	*out = (struct service_answer){.until_s = 77};
	return service_read_answer(status, span_of_text(body), out);
}

static void test_service_answers(void **state)
{
	static const struct {
		long status;
		const char *body;
		enum login_result result;
	} cases[] = {
		{200, "", LOGIN_KNOWN},
		{204, "", LOGIN_KNOWN},
		{200, "{\"result\":\"allow\"}", LOGIN_KNOWN},
		{200, " {\"result\":\"allow\",\"is_superuser\":true}\n", LOGIN_KNOWN},
		{200, "{\"result\":\"deny\"}", LOGIN_WRONG},
		{200, "{\"result\":\"ignore\"}", LOGIN_UNKNOWN},
		{401, "", LOGIN_WRONG},
		{403, "{\"result\":\"allow\"}", LOGIN_WRONG},
		{0, "", LOGIN_SERVICE},
		{100, "", LOGIN_SERVICE},
		{201, "", LOGIN_SERVICE},
		{302, "", LOGIN_SERVICE},
		{400, "{\"result\":\"allow\"}", LOGIN_SERVICE},
		{402, "", LOGIN_SERVICE},
		{404, "", LOGIN_SERVICE},
		{503, "", LOGIN_SERVICE},
		{200, "ok", LOGIN_SERVICE},
		{200, " ", LOGIN_SERVICE},
		{200, "{}", LOGIN_SERVICE},
		{200, "[]", LOGIN_SERVICE},
		{200, "\"allow\"", LOGIN_SERVICE},
		{200, "{\"result\":\"Allow\"}", LOGIN_SERVICE},
		{200, "{\"result\":true}", LOGIN_SERVICE},
		{200, "{\"result\":\"deny\",\"result\":\"allow\"}", LOGIN_SERVICE},
		{200, "{\"result\":\"allow\"", LOGIN_SERVICE},
		{200, "{\"result\":\"allow\",\"username\":\"\"}", LOGIN_SERVICE},
		{200, "{\"result\":\"allow\",\"username\":null}", LOGIN_SERVICE},
		{200, "{\"result\":\"allow\",\"expire_at\":1.5}", LOGIN_SERVICE},
		{200, "{\"result\":\"allow\",\"expire_at\":0}", LOGIN_WRONG},
		{200, "{\"result\":\"allow\",\"expire_at\":-1}", LOGIN_WRONG},
	};
	struct service_answer answer;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		enum login_result result = read_answer(cases[i].status, cases[i].body, &answer);
		if (result != cases[i].result)
			fail_msg("%d for %ld %s", result, cases[i].status, cases[i].body);
		assert_true(answer.until_s == (result == LOGIN_KNOWN ? 0 : 77));
		if (result == LOGIN_KNOWN)
			assert_null(answer.user_name);
	}
	assert_int_equal(read_answer(200,
				     "{\"result\":\"allow\",\"username\":\"lena\","
				     "\"expire_at\":1793000000}",
				     &answer),
			 LOGIN_KNOWN);
	assert_string_equal(answer.user_name, "lena");
	assert_true(answer.until_s == 1793000000);
	mem_free(answer.user_name);
}

static void test_service_no_memory(void **state)
{
	const struct service_options o = {
		.url = "http://a", .header = "a: b", .ca_file = "/a", .timeout_ms = 1};
	struct service *s;
	struct service_answer answer;
	(void)state;
	for (unsigned long n = 1;; n++) {
		mem_fail_after(n);
		s = service_new(&o, 7);
		if (!mem_has_failed())
			break;
		assert_null(s);
	}
	mem_fail_after(0);
	assert_string_equal(s->header, "a: b");
	assert_string_equal(s->ca_file, "/a");
	service_free(s);
	mem_fail_after(1);
	assert_int_equal(read_answer(200, "{\"result\":\"allow\",\"username\":\"lena\"}", &answer),
			 LOGIN_FAILED);
	mem_fail_after(0);
}

/* The URL is what vouches. */
static void test_service_stamps(void **state)
{
	struct service_options o = {.url = "http://a", .timeout_ms = 1};
	(void)state;
	struct service *a = service_new(&o, 7);
	o.timeout_ms = 2;
	struct service *same = service_new(&o, 7);
	o.url = "http://b";
	struct service *other = service_new(&o, 7);
	assert_true(a->stamp == same->stamp);
	assert_true(a->stamp != other->stamp);
	service_free(a);
	service_free(same);
	service_free(other);
}

/* --- answers that are kept --- */

static const uint8_t key[CACHE_KEY_BYTES] = "a key";

static struct cached_answer answer_to(const struct answer_cache *c, const char *question,
				      uint64_t good_until_ms)
{
	struct cached_answer answer = {.good_until_ms = good_until_ms, .result = LOGIN_KNOWN};
	struct span part = span_of_text(question);
	assert_int_equal(answer_cache_question(c, &part, 1, answer.question), 0);
	return answer;
}

static const struct cached_answer *find(struct answer_cache *c, const char *question,
					uint64_t now_ms)
{
	struct cached_answer asked = answer_to(c, question, 0);
	return answer_cache_find(c, asked.question, now_ms);
}

static void test_cache_keeps_for_a_while(void **state)
{
	struct answer_cache c;
	(void)state;
	answer_cache_init(&c, key, 7, 10);
	struct cached_answer answer = answer_to(&c, "lena", 100);
	answer.until_s = 5;
	answer_cache_keep(&c, &answer, "device");
	const struct cached_answer *found = find(&c, "lena", 99);
	assert_non_null(found);
	assert_int_equal(found->result, LOGIN_KNOWN);
	assert_true(found->until_s == 5 && found->has_user_name && found->name_len == 6);
	assert_memory_equal(found->user_name, "device", 6);
	assert_null(find(&c, "len", 0));
	assert_null(find(&c, "lena", 100));
	assert_null(find(&c, "lena", 99)); /* it is gone */
	answer = answer_to(&c, "lena", 100);
	answer.result = LOGIN_WRONG;
	answer_cache_keep(&c, &answer, NULL);
	answer.good_until_ms = 200; /* the newer one counts */
	answer_cache_keep(&c, &answer, NULL);
	found = find(&c, "lena", 150);
	assert_non_null(found);
	assert_int_equal(found->result, LOGIN_WRONG);
	assert_false(found->has_user_name);
	assert_int_equal(c.answers.count, 1);
	answer_cache_release(&c);
}

static void test_cache_has_an_end(void **state)
{
	struct answer_cache c;
	char text[8], name[CACHE_NAME_BYTES_MAX + 2];
	(void)state;
	answer_cache_init(&c, key, 7, 10);
	for (unsigned i = 0; i < 25; i++) {
		snprintf(text, sizeof(text), "%u", i);
		struct cached_answer answer = answer_to(&c, text, 100);
		answer_cache_keep(&c, &answer, NULL);
		assert_in_range(c.answers.count, 1, 10);
	}
	assert_null(find(&c, "14", 0));
	assert_non_null(find(&c, "15", 0));
	assert_non_null(find(&c, "24", 0));
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	struct cached_answer answer = answer_to(&c, "long", 100);
	answer_cache_keep(&c, &answer, name);
	assert_null(find(&c, "long", 0));
	name[sizeof(name) - 2] = '\0';
	answer_cache_keep(&c, &answer, name);
	assert_non_null(find(&c, "long", 0));
	mem_fail_after(1);
	answer = answer_to(&c, "none", 100);
	answer_cache_keep(&c, &answer, NULL);
	assert_true(mem_has_failed());
	mem_fail_after(0);
	assert_null(find(&c, "none", 0));
	answer_cache_release(&c);
}

/* Where one part ends and the next begins is part of the question, and so is the key. */
static void test_cache_questions_differ(void **state)
{
	const struct span parts[][2] = {
		{SPAN_LITERAL("a"), SPAN_LITERAL("bc")}, {SPAN_LITERAL("ab"), SPAN_LITERAL("c")},
		{SPAN_LITERAL("abc"), SPAN_NONE},        {SPAN_NONE, SPAN_LITERAL("abc")},
		{SPAN_LITERAL("a"), SPAN_LITERAL("bd")},
	};
	uint8_t questions[ARRAY_COUNT(parts)][CACHE_KEY_BYTES], again[CACHE_KEY_BYTES];
	static const uint8_t other_key[CACHE_KEY_BYTES] = "another";
	struct answer_cache c, other;
	(void)state;
	answer_cache_init(&c, key, 7, 10);
	answer_cache_init(&other, other_key, 7, 10);
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		assert_int_equal(answer_cache_question(&c, parts[i], 2, questions[i]), 0);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(questions[i], questions[j], CACHE_KEY_BYTES);
		assert_int_equal(answer_cache_question(&other, parts[i], 2, again), 0);
		assert_memory_not_equal(questions[i], again, CACHE_KEY_BYTES);
		assert_int_equal(answer_cache_question(&c, parts[i], 2, again), 0);
		assert_memory_equal(questions[i], again, CACHE_KEY_BYTES);
	}
	answer_cache_release(&c);
	answer_cache_release(&other);
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
		COUNTED(test_service_question),        COUNTED(test_service_answers),
		COUNTED(test_service_no_memory),       COUNTED(test_service_stamps),
		COUNTED(test_cache_keeps_for_a_while), COUNTED(test_cache_has_an_end),
		COUNTED(test_cache_questions_differ),
	};
	return cmocka_run_group_tests_name("access/service", tests, NULL, NULL);
}
