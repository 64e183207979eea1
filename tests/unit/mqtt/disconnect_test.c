/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

static void test_3_1_1_has_an_empty_body(void **state)
{
	(void)state;
	struct disconnect d = {.reason_code = 9};
	assert_good(disconnect_decode(NO_BYTES, MQTT_3_1_1, &d));
	assert_int_equal(d.reason_code, REASON_NORMAL_DISCONNECTION);
	assert_flaw(disconnect_decode(BYTES(0), MQTT_3_1_1, &d), flaw_trailing);
	assert_flaw(disconnect_decode(BYTES(0, 0), MQTT_3_1, &d), flaw_trailing);
}

/* [5] 3.14.2.1, 3.14.2.2.1 */
static void test_forms_of_5(void **state)
{
	(void)state;
	struct disconnect d = {.reason_code = 9};
	assert_good(disconnect_decode(NO_BYTES, MQTT_5, &d));
	assert_int_equal(d.reason_code, REASON_NORMAL_DISCONNECTION);
	assert_int_equal(d.properties.present, 0);
	assert_good(disconnect_decode(BYTES(0x04), MQTT_5, &d));
	assert_int_equal(d.reason_code, REASON_DISCONNECT_WITH_WILL);
	assert_good(disconnect_decode(BYTES(0x8B, 0), MQTT_5, &d));
	assert_int_equal(d.reason_code, REASON_SERVER_SHUTTING_DOWN);
	assert_good(disconnect_decode(BYTES(0x00, 5, 0x11, 0, 0, 0, 9), MQTT_5, &d));
	assert_int_equal(d.properties.session_expiry_interval, 9);
	assert_flaw(disconnect_decode(BYTES(0x00, 0, 0), MQTT_5, &d), flaw_trailing);
	assert_flaw(disconnect_decode(BYTES(0x00, 5, 0x11, 0, 0, 0), MQTT_5, &d), flaw_truncated);
	assert_flaw(disconnect_decode(BYTES(0x01), MQTT_5, &d), flaw_reason_code);
}

static void test_encoding(void **state)
{
	(void)state;
	struct disconnect d = {.reason_code = 0};
	assert_encoded(disconnect_encode(&d, MQTT_5, room), 0xE0, 0);
	d.reason_code = 0x8E;
	assert_encoded(disconnect_encode(&d, MQTT_5, room), 0xE0, 1, 0x8E);
	assert_encoded(disconnect_encode(&d, MQTT_3_1_1, room), 0xE0, 0);
	d.properties.present = UINT64_C(1) << PROPERTY_SERVER_REFERENCE;
	d.properties.server_reference = SPAN_LITERAL("s");
	d.reason_code = 0;
	assert_encoded(disconnect_encode(&d, MQTT_5, room), 0xE0, 6, 0, 4, 0x1C, 0, 1, 's');
	assert_encoded(disconnect_encode(&d, MQTT_3_1, room), 0xE0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_1_1_has_an_empty_body),
		cmocka_unit_test(test_forms_of_5),
		cmocka_unit_test(test_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
