/* SPDX-License-Identifier: Apache-2.0 */
/* A message as JSON: what mosquitto_sub's manual page shows, and what JSON cannot carry as text. */
#include "cli/json_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct timespec when = {.tv_sec = 86400, .tv_nsec = 42000};

static void check(const struct publish *m, struct json_style style, const char *wanted)
{
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	assert_non_null(to);
	assert_int_equal(json_print(to, &style, m, &when), wanted != NULL);
	fclose(to);
	assert_string_equal(text, wanted ? wanted : "");
	free(text);
}

#define TIME "{\"tst\":\"1970-01-02T00:00:00.000042+0000\","

static void test_plain_message(void **state)
{
	(void)state;
	struct publish m = {.topic = SPAN_LITERAL("a"), .payload = SPAN_LITERAL("hi")};
	check(&m, (struct json_style){0},
	      TIME "\"topic\":\"a\",\"qos\":0,\"retain\":0,\"payloadlen\":2,\"payload\":\"hi\"}");
	m = (struct publish){
		.topic = SPAN_LITERAL("a/b"), .qos = 2, .retain = true, .packet_id = 77};
	check(&m, (struct json_style){0},
	      TIME "\"topic\":\"a/b\",\"qos\":2,\"retain\":1,\"payloadlen\":0,\"mid\":77,"
		   "\"payload\":null}");
}

static void test_text_is_escaped(void **state)
{
	(void)state;
	struct publish m = {.topic = SPAN_LITERAL("\"\\"),
			    .payload = SPAN_LITERAL("a\"\\\n\t\0\x1f\xc3\xa4")};
	check(&m, (struct json_style){0},
	      TIME "\"topic\":\"\\\"\\\\\",\"qos\":0,\"retain\":0,\"payloadlen\":9,"
		   "\"payload\":\"a\\\"\\\\\\n\\t\\u0000\\u001F\xc3\xa4\"}");
}

static void test_bytes_that_are_no_text(void **state)
{
	(void)state;
	static const struct {
		struct span payload;
		const char *wanted;
	} rows[] = {{SPAN_LITERAL("\xff"), "/w=="},
		    {SPAN_LITERAL("\xff\xfe"), "//4="},
		    {SPAN_LITERAL("\xff\0x"), "/wB4"},
		    {SPAN_LITERAL("\xc3(ab"), "wyhhYg=="}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char wanted[256];
		struct publish m = {.topic = SPAN_LITERAL("a"), .payload = rows[i].payload};
		snprintf(wanted, sizeof(wanted),
			 TIME "\"topic\":\"a\",\"qos\":0,\"retain\":0,\"payloadlen\":%zu,"
			      "\"payload-base64\":\"%s\"}",
			 rows[i].payload.len, rows[i].wanted);
		check(&m, (struct json_style){0}, wanted);
	}
}

static void test_properties(void **state)
{
	(void)state;
	struct publish m = {
		.topic = SPAN_LITERAL("a"),
		.payload = SPAN_LITERAL("x"),
		.properties.raw = SPAN_LITERAL("\x01\x01\x02\0\0\0\x09\x03\0\2ct\x09\0\1\xff\x0b\5"
					       "\x26\0\1n\0\1v\x26\0\1n\0\1w")};
	check(&m, (struct json_style){0},
	      TIME "\"topic\":\"a\",\"qos\":0,\"retain\":0,\"payloadlen\":1,\"properties\":{"
		   "\"payload-format-indicator\":1,\"message-expiry-interval\":9,"
		   "\"content-type\":\"ct\",\"correlation-data-base64\":\"/w==\","
		   "\"subscription-identifier\":5,"
		   "\"user-properties\":{\"n\":\"v\",\"n\":\"w\"}},\"payload\":\"x\"}");
}

/* Numbers keep all of their digits. */
static void test_payload_as_json(void **state)
{
	(void)state;
	static const struct {
		struct span payload;
		const char *wanted;
	} rows[] = {
		{SPAN_LITERAL("{\"t\": 27.0,\n\"h\" : [ 57, \"a b\\\" c\" ] }"),
		 "{\"t\":27.0,\"h\":[57,\"a b\\\" c\"]}"},
		{SPAN_LITERAL("123456789012345678901234567890"), "123456789012345678901234567890"},
		{SPAN_LITERAL("null"), "null"},
		{SPAN_LITERAL(""), "null"},
		{SPAN_LITERAL("hello"), NULL},
		{SPAN_LITERAL("{\"a\":}"), NULL},
		{SPAN_LITERAL("1 2"), NULL},
		{SPAN_LITERAL("\"\xff\""), NULL},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char wanted[256];
		struct publish m = {.topic = SPAN_LITERAL("a"), .payload = rows[i].payload};
		if (rows[i].wanted)
			snprintf(wanted, sizeof(wanted),
				 TIME "\"topic\":\"a\",\"qos\":0,\"retain\":0,\"payloadlen\":%zu,"
				      "\"payload\":%s}",
				 rows[i].payload.len, rows[i].wanted);
		check(&m, (struct json_style){.embeds_payload = true},
		      rows[i].wanted ? wanted : NULL);
	}
}

static void test_pretty(void **state)
{
	(void)state;
	struct publish m = {.topic = SPAN_LITERAL("a"),
			    .payload = SPAN_LITERAL("{\"b\":{},\"c\":[1,{\"d\":[]}]}")};
	check(&m, (struct json_style){.is_pretty = true, .embeds_payload = true},
	      "{\n\t\"tst\":\t\"1970-01-02T00:00:00.000042+0000\",\n\t\"topic\":\t\"a\",\n"
	      "\t\"qos\":\t0,\n\t\"retain\":\t0,\n\t\"payloadlen\":\t25,\n\t\"payload\":\t{\n"
	      "\t\t\"b\":\t{\n\t\t},\n\t\t\"c\":\t[1, {\n\t\t\t\t\"d\":\t[]\n\t\t\t}]\n\t}\n}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_message),
		cmocka_unit_test(test_text_is_escaped),
		cmocka_unit_test(test_bytes_that_are_no_text),
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_payload_as_json),
		cmocka_unit_test(test_pretty),
	};
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
