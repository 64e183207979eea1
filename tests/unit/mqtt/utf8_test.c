/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

/* Writes a code point as if nothing were forbidden. */
static size_t put(uint32_t c, uint8_t *out)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xC0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xE0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 63));
		out[2] = (uint8_t)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (uint8_t)(0xF0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 63));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 63));
	out[3] = (uint8_t)(0x80 | (c & 63));
	return 4;
}

/* [MQTT-1.5.4-1, 1.5.4-2]: all but surrogates and U+0000; noncharacters and controls are text. */
static void test_every_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x1FFFFF; c++) {
		uint8_t bytes[4];
		size_t len = put(c, bytes);
		bool is_text = c != 0 && c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
		if (utf8_is_valid(span_of(bytes, len)) != is_text)
			fail_msg("U+%04X", (unsigned)c);
	}
}

/* Each character at each place around the steps of eight bytes, among ASCII. */
static void test_every_place_in_a_word(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_valid;
	} cases[] = {
		{"\xC3\xA4", true},
		{"\xE2\x82\xAC", true},
		{"\xF0\x9F\x8C\x99", true},
		{"\xEF\xBB\xBF", true} /* [MQTT-1.5.4-3] */,
		{"\xC3", false},
		{"\xA4", false},
		{"\xC0\x80", false},
		{"\xC1\xBF", false},
		{"\xE0\x9F\xBF", false},
		{"\xED\xA0\x80", false},
		{"\xED\xBF\xBF", false},
		{"\xE2\x82", false},
		{"\xF0\x8F\xBF\xBF", false},
		{"\xF4\x90\x80\x80", false},
		{"\xF5\x80\x80\x80", false},
		{"\xFE", false},
		{"\xFF", false},
		{"\xF0\x9F\x8C", false},
		{"\xE2\x28\xAC", false},
		{"\xF0\x9F\x28\x99", false},
		{"\xF0\x28\x8C\x99", false},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		size_t len = strlen(cases[i].text);
		for (size_t before = 0; before < 20; before++)
			for (size_t behind = 0; behind < 20; behind++) {
				uint8_t bytes[48];
				memset(bytes, 'a', sizeof(bytes));
				memcpy(bytes + before, cases[i].text, len);
				struct span text = bytes_copy(bytes, before + len + behind);
				assert_int_equal(utf8_is_valid(text), cases[i].is_valid);
			}
	}
}

static void test_nul_at_every_place(void **state)
{
	(void)state;
	for (size_t len = 1; len < 40; len++)
		for (size_t at = 0; at < len; at++) {
			uint8_t bytes[40];
			memset(bytes, 0x7F, sizeof(bytes));
			assert_true(utf8_is_valid(bytes_copy(bytes, len)));
			bytes[at] = 0;
			assert_false(utf8_is_valid(bytes_copy(bytes, len)));
			bytes[at] = 1;
			assert_true(utf8_is_valid(bytes_copy(bytes, len)));
		}
}

static void test_nothing_is_text(void **state)
{
	(void)state;
	assert_true(utf8_is_valid(NO_BYTES));
	assert_true(utf8_is_valid(SPAN_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_every_place_in_a_word),
		cmocka_unit_test(test_nul_at_every_place),
		cmocka_unit_test(test_nothing_is_text),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
