/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

static void test_good_ones(void **state)
{
	(void)state;
	struct connack c;
	assert_good(connack_decode(BYTES(1, 0), MQTT_3_1_1, &c));
	assert_true(c.session_present);
	assert_int_equal(c.code, 0);
	assert_good(connack_decode(BYTES(0, 5), MQTT_3_1_1, &c));
	assert_false(c.session_present);
	assert_int_equal(c.code, 5);
	assert_good(connack_decode(BYTES(1, 0, 3, 0x21, 0, 9), MQTT_5, &c));
	assert_true(c.session_present);
	assert_int_equal(c.properties.receive_maximum, 9);
	assert_good(connack_decode(BYTES(0, 0x87, 0), MQTT_5, &c));
	assert_int_equal(c.code, 0x87);
	assert_int_equal(c.properties.present, 0);
}

/* [MQTT-3.2.2-1]; 3.1 has no such flags */
static void test_flags(void **state)
{
	(void)state;
	struct connack c;
	for (unsigned flags = 2; flags < 256; flags++) {
		struct span short_body = BYTES((uint8_t)flags, 0);
		assert_flaw(connack_decode(short_body, MQTT_3_1_1, &c), flaw_connack_flags);
		assert_flaw(connack_decode(BYTES((uint8_t)flags, 0, 0), MQTT_5, &c),
			    flaw_connack_flags);
		assert_good(connack_decode(short_body, MQTT_3_1, &c));
		assert_false(c.session_present);
	}
	assert_good(connack_decode(BYTES(1, 0), MQTT_3_1, &c));
	assert_false(c.session_present);
}

/* [3.1.1 MQTT-3.2.2-6] */
static void test_return_codes(void **state)
{
	(void)state;
	struct connack c;
	for (unsigned code = 0; code < 256; code++) {
		struct span body = BYTES(0, (uint8_t)code);
		const struct flaw *expected = code <= 5 ? NULL : &flaw_reason_code;
		assert_ptr_equal(connack_decode(body, MQTT_3_1_1, &c), expected);
		assert_ptr_equal(connack_decode(body, MQTT_3_1, &c), expected);
	}
}

static void test_lengths(void **state)
{
	(void)state;
	struct connack c;
	assert_flaw(connack_decode(NO_BYTES, MQTT_3_1_1, &c), flaw_truncated);
	assert_flaw(connack_decode(BYTES(0), MQTT_3_1_1, &c), flaw_truncated);
	assert_flaw(connack_decode(BYTES(0, 0, 0), MQTT_3_1_1, &c), flaw_trailing);
	assert_flaw(connack_decode(BYTES(0, 0), MQTT_5, &c), flaw_truncated);
	assert_flaw(connack_decode(BYTES(0, 0, 0, 0), MQTT_5, &c), flaw_trailing);
}

static void test_encoding(void **state)
{
	(void)state;
	struct connack c = {.session_present = true, .code = 0};
	c.properties.present = UINT64_C(1) << PROPERTY_SERVER_KEEP_ALIVE;
	c.properties.server_keep_alive = 0x0102;
	assert_encoded(connack_encode(&c, MQTT_5, room), 0x20, 6, 1, 0, 3, 0x13, 1, 2);
	assert_encoded(connack_encode(&c, MQTT_3_1_1, room), 0x20, 2, 1, 0);
	assert_encoded(connack_encode(&c, MQTT_3_1, room), 0x20, 2, 0, 0);
	c = (struct connack){.code = 4};
	assert_encoded(connack_encode(&c, MQTT_3_1_1, room), 0x20, 2, 0, 4);
	c.code = REASON_NOT_AUTHORIZED;
	assert_encoded(connack_encode(&c, MQTT_5, room), 0x20, 3, 0, 0x87, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_ones),    cmocka_unit_test(test_flags),
		cmocka_unit_test(test_return_codes), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
