/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

static void test_a_step_of_an_exchange(void **state)
{
	(void)state;
	struct auth a;
	assert_good(auth_decode(BYTES(0x18, 8, 0x15, 0, 1, 'm', 0x16, 0, 1, 0xFF), &a));
	assert_int_equal(a.reason_code, REASON_CONTINUE_AUTHENTICATION);
	assert_text(a.properties.authentication_method, "m");
	assert_span(a.properties.authentication_data, 0xFF);
}

/* [5] 3.15.2.1: nothing at all is success. */
static void test_the_empty_packet(void **state)
{
	(void)state;
	struct auth a = {.reason_code = 9};
	assert_good(auth_decode(NO_BYTES, &a));
	assert_int_equal(a.reason_code, REASON_SUCCESS);
	assert_int_equal(a.properties.present, 0);
}

/* [5] 3.15.2.2.2, [MQTT-3.15.2-1] */
static void test_malformed_neighbours(void **state)
{
	(void)state;
	struct auth a;
	assert_flaw(auth_decode(BYTES(0x18), &a), flaw_truncated);
	assert_flaw(auth_decode(BYTES(0x18, 0), &a), flaw_authentication_method);
	assert_flaw(auth_decode(BYTES(0x00, 0), &a), flaw_authentication_method);
	assert_flaw(auth_decode(BYTES(0x18, 4, 0x16, 0, 1, 0xFF), &a), flaw_authentication_data);
	assert_flaw(auth_decode(BYTES(0x01, 4, 0x15, 0, 1, 'm'), &a), flaw_reason_code);
	assert_flaw(auth_decode(BYTES(0x18, 4, 0x15, 0, 1, 'm', 0), &a), flaw_trailing);
	assert_flaw(auth_decode(BYTES(0x18, 4, 0x15, 0, 1), &a), flaw_truncated);
	assert_int_equal(flaw_authentication_method.reason_code, 0x82);
	assert_int_equal(flaw_authentication_data.reason_code, 0x82);
}

static void test_encoding(void **state)
{
	(void)state;
	struct auth a = {.reason_code = 0};
	assert_encoded(auth_encode(&a, room), 0xF0, 0);
	a.properties.present = UINT64_C(1) << PROPERTY_AUTHENTICATION_METHOD;
	a.properties.authentication_method = SPAN_LITERAL("m");
	assert_encoded(auth_encode(&a, room), 0xF0, 6, 0, 4, 0x15, 0, 1, 'm');
	a.reason_code = REASON_REAUTHENTICATE;
	assert_encoded(auth_encode(&a, room), 0xF0, 6, 0x19, 4, 0x15, 0, 1, 'm');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_step_of_an_exchange),
		cmocka_unit_test(test_the_empty_packet),
		cmocka_unit_test(test_malformed_neighbours),
		cmocka_unit_test(test_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
