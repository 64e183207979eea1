/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

static void test_names_of_all_types(void **state)
{
	static const char *const expected[] = {
		"RESERVED", "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
		"PUBREL",   "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
		"PINGREQ",  "PINGRESP", "DISCONNECT", "AUTH",
	};
	(void)state;
	assert_int_equal(ARRAY_COUNT(expected), 16);
	for (unsigned type = 0; type < ARRAY_COUNT(expected); type++)
		assert_string_equal(packet_type_name(type), expected[type]);
}

static void test_names_of_types_over_15(void **state)
{
	(void)state;
	assert_string_equal(packet_type_name(16), "RESERVED");
	assert_string_equal(packet_type_name(UINT32_MAX), "RESERVED");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_all_types),
		cmocka_unit_test(test_names_of_types_over_15),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
