/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of JSON as messages: what each member sets, what the options give, what is refused. */
#include "cli/json_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct nj_message_out defaults = {.topic = "default", .qos = 1, .retain = true};

static void read_good(struct json_message *m, const char *line)
{
	if (!json_message_read(m, span_of_text(line), &defaults))
		fail_msg("%s: %s", line, m->problem);
}

static void assert_payload(const struct json_message *m, const void *bytes, size_t len)
{
	assert_int_equal(m->out.payload_len, len);
	if (len > 0)
		assert_memory_equal(m->out.payload, bytes, len);
}

static void test_members(void **state)
{
	(void)state;
	struct json_message m;
	read_good(&m, "{\"topic\":\"a/b\",\"payload\":\"hi\",\"qos\":2,\"retain\":false}");
	assert_string_equal(m.out.topic, "a/b");
	assert_payload(&m, "hi", 2);
	assert_int_equal(m.out.qos, 2);
	assert_false(m.out.retain);
	json_message_release(&m);
	read_good(&m, "{\"retain\":1,\"qos\":0,\"tst\":\"x\",\"mid\":3,\"payloadlen\":9}");
	assert_string_equal(m.out.topic, "default");
	assert_payload(&m, "", 0);
	assert_int_equal(m.out.qos, 0);
	assert_true(m.out.retain);
	json_message_release(&m);
	read_good(&m, "{}");
	assert_int_equal(m.out.qos, 1);
	assert_true(m.out.retain);
	json_message_release(&m);
}

/* Bytes in, bytes out: nothing of a number may get lost. */
static void test_payloads(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		struct span payload;
	} rows[] = {
		{"{\"payload\":null}", SPAN_LITERAL("")},
		{"{\"payload\":\"\"}", SPAN_LITERAL("")},
		{"{\"payload\":\"\\u0000\\u00e4\"}", SPAN_LITERAL("\0\xc3\xa4")},
		{"{\"payload\": 1.50 }", SPAN_LITERAL("1.50")},
		{"{\"payload\":0.1,\"qos\":0}", SPAN_LITERAL("0.1")},
		{"{ \"qos\" : 0 , \"payload\" : [1, {\"a\":\"}]\\\"\"}] }",
		 SPAN_LITERAL("[1, {\"a\":\"}]\\\"\"}]")},
		{"{\"properties\":{\"content-type\":\"payload\"},\"payload\":true}",
		 SPAN_LITERAL("true")},
		{"{\"\\u0070ayload\":[1,2]}", SPAN_LITERAL("[1,2]")},
		{"{\"payload-base64\":\"\"}", SPAN_LITERAL("")},
		{"{\"payload-base64\":\"/w==\"}", SPAN_LITERAL("\xff")},
		{"{\"payload-base64\":\"//4=\"}", SPAN_LITERAL("\xff\xfe")},
		{"{\"payload-base64\":\"/wB4\"}", SPAN_LITERAL("\xff\0x")},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct json_message m;
		read_good(&m, rows[i].line);
		assert_payload(&m, rows[i].payload.ptr, rows[i].payload.len);
		json_message_release(&m);
	}
}

static void test_correlation_data_as_text(void **state)
{
	(void)state;
	struct json_message m;
	read_good(&m, "{\"properties\":{\"correlation-data\":\"a\\u0000\\u0001\"}}");
	assert_int_equal(m.out.property_count, 1);
	assert_int_equal(m.out.properties[0].text.len, 3);
	assert_memory_equal(m.out.properties[0].text.ptr, "a\0\1", 3);
	json_message_release(&m);
}

static void test_properties(void **state)
{
	(void)state;
	struct json_message m;
	read_good(&m, "{\"properties\":{\"message-expiry-interval\":9,\"content-type\":\"ct\","
		      "\"correlation-data-base64\":\"/w==\",\"subscription-identifier\":5,"
		      "\"topic-alias\":2,\"user-properties\":{\"n\":\"v\",\"m\":\"\"}}}");
	assert_int_equal(m.out.property_count, 5);
	assert_int_equal(m.out.properties[0].id, NJ_MESSAGE_EXPIRY_INTERVAL);
	assert_int_equal(m.out.properties[0].number, 9);
	assert_int_equal(m.out.properties[1].id, NJ_CONTENT_TYPE);
	assert_memory_equal(m.out.properties[1].text.ptr, "ct", 2);
	assert_int_equal(m.out.properties[2].id, NJ_CORRELATION_DATA);
	assert_int_equal(m.out.properties[2].text.len, 1);
	assert_int_equal(m.out.properties[3].id, NJ_USER_PROPERTY);
	assert_memory_equal(m.out.properties[3].text.ptr, "n", 1);
	assert_memory_equal(m.out.properties[3].value.ptr, "v", 1);
	assert_int_equal(m.out.properties[4].value.len, 0);
	json_message_release(&m);
}

static void test_what_is_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"hello",
		"{",
		"[]",
		"\"a\"",
		"{} {}",
		"{\"topic\":1}",
		"{\"topic\":\"\"}",
		"{\"topic\":\"a/+\"}",
		"{\"topic\":\"a\\u0000\"}",
		"{\"topic\":\"a\",\"topic\":\"b\"}",
		"{\"qos\":3}",
		"{\"qos\":\"1\"}",
		"{\"qos\":1.0}",
		"{\"retain\":2}",
		"{\"retain\":\"true\"}",
		"{\"payload\":1,\"payload-base64\":\"\"}",
		"{\"payload-base64\":\"/w=\"}",
		"{\"payload-base64\":\"/w=x\"}",
		"{\"payload-base64\":\"====\"}",
		"{\"payload-base64\":1}",
		"{\"bogus\":1}",
		"{\"properties\":[]}",
		"{\"properties\":{\"bogus\":1}}",
		"{\"properties\":{\"user-property\":\"x\"}}",
		"{\"properties\":{\"session-expiry-interval\":1}}",
		"{\"properties\":{\"payload-format-indicator\":2}}",
		"{\"properties\":{\"message-expiry-interval\":-1}}",
		"{\"properties\":{\"content-type\":1}}",
		"{\"properties\":{\"response-topic\":\"a/+\"}}",
		"{\"properties\":{\"content-type\":\"\\u0000\"}}",
		"{\"properties\":{\"user-properties\":{\"n\":1}}}",
		"{\"properties\":{\"user-properties\":[]}}",
		"{\"payload\":\"\xff\"}",
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct json_message m;
		if (json_message_read(&m, span_of_text(rows[i]), &defaults))
			fail_msg("taken: %s", rows[i]);
		assert_true(m.problem[0] != '\0');
		json_message_release(&m);
	}
	struct json_message m;
	assert_false(json_message_read(&m, span_of_text("{\033\x7f"), &defaults));
	assert_null(strpbrk(m.problem, "\033\x7f\n"));
	json_message_release(&m);
	const struct nj_message_out none = {0};
	assert_false(json_message_read(&m, span_of_text("{\"payload\":1}"), &none));
	json_message_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_correlation_data_as_text),
		cmocka_unit_test(test_what_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
