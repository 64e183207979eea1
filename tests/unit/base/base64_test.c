/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"

/* RFC 4648, section 10. */
static const char *const vectors[][2] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
	{"\xfb\xff", "+/8="},
};

static void test_base64_standards_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
		char text[32];
		uint8_t bytes[32];
		size_t len = 99;
		base64_encode(span_of_text(vectors[i][0]), text);
		assert_string_equal(text, vectors[i][1]);
		assert_int_equal(strlen(text), BASE64_LEN(strlen(vectors[i][0])));
		assert_true(base64_decode(span_of_text(vectors[i][1]),
					  (struct room){bytes, sizeof(bytes)}, &len));
		assert_true(span_is_equal(span_of(bytes, len), span_of_text(vectors[i][0])));
	}
}

static void test_base64_without_padding(void **state)
{
	uint8_t bytes[8];
	size_t len;
	struct room room = {bytes, sizeof(bytes)};
	(void)state;
	assert_true(base64_decode(SPAN_LITERAL("Zg"), room, &len));
	assert_int_equal(len, 1);
	assert_true(base64_decode(SPAN_LITERAL("Zm8"), room, &len));
	assert_int_equal(len, 2);
}

static void test_base64_what_is_none(void **state)
{
	static const char *const texts[] = {"Z",    "Zg=",   "Zg===", "=",     "====",   "Zh==",
					    "Zm9=", "Zm 9v", "Z=g=",  "Zm9v=", "Zm9v\n", "Zm-_"};
	uint8_t bytes[8];
	size_t len;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		assert_false(base64_decode(span_of_text(texts[i]),
					   (struct room){bytes, sizeof(bytes)}, &len));
	assert_false(base64_decode(SPAN_LITERAL("Zm9v"), (struct room){bytes, 2}, &len));
	assert_false(base64_decode(span_of("Zg\0=", 4), (struct room){bytes, 8}, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64_standards_vectors),
		cmocka_unit_test(test_base64_without_padding),
		cmocka_unit_test(test_base64_what_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
