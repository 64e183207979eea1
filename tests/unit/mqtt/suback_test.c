/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

static void test_suback_of_each_version(void **state)
{
	(void)state;
	struct suback s;
	assert_good(suback_decode(PACKET_SUBACK, BYTES(0x12, 0x34, 0, 1, 2, 0x80), MQTT_3_1_1, &s));
	assert_int_equal(s.type, PACKET_SUBACK);
	assert_int_equal(s.packet_id, 0x1234);
	assert_span(s.codes, 0, 1, 2, 0x80);
	assert_good(suback_decode(PACKET_SUBACK, BYTES(0, 1, 0), MQTT_3_1, &s));
	assert_span(s.codes, 0);
	assert_good(
		suback_decode(PACKET_SUBACK, BYTES(0, 1, 4, 0x1F, 0, 1, 'r', 2, 0x8F), MQTT_5, &s));
	assert_text(s.properties.reason_string, "r");
	assert_span(s.codes, 2, 0x8F);
}

static void test_unsuback_of_each_version(void **state)
{
	(void)state;
	struct suback s;
	assert_good(suback_decode(PACKET_UNSUBACK, BYTES(0, 1), MQTT_3_1_1, &s));
	assert_int_equal(s.codes.len, 0);
	assert_flaw(suback_decode(PACKET_UNSUBACK, BYTES(0, 1, 0), MQTT_3_1_1, &s), flaw_trailing);
	assert_good(suback_decode(PACKET_UNSUBACK, BYTES(0, 1, 0, 0, 0x11), MQTT_5, &s));
	assert_int_equal(s.type, PACKET_UNSUBACK);
	assert_span(s.codes, 0, 0x11);
}

/* [3.1.1 MQTT-3.9.3-2]; those of 5 are in the reason codes' test */
static void test_codes_of_3_1_1(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 256; code++) {
		struct suback s;
		bool is_listed = code <= 2 || code == 0x80;
		struct span body = BYTES(0, 1, 0, (uint8_t)code);
		assert_ptr_equal(suback_decode(PACKET_SUBACK, body, MQTT_3_1_1, &s),
				 is_listed ? NULL : &flaw_reason_code);
	}
}

static void test_lengths_and_packet_id(void **state)
{
	(void)state;
	struct suback s;
	assert_flaw(suback_decode(PACKET_SUBACK, NO_BYTES, MQTT_3_1_1, &s), flaw_truncated);
	assert_flaw(suback_decode(PACKET_SUBACK, BYTES(0, 1), MQTT_3_1_1, &s), flaw_no_code);
	assert_flaw(suback_decode(PACKET_SUBACK, BYTES(0, 1), MQTT_5, &s), flaw_truncated);
	assert_flaw(suback_decode(PACKET_SUBACK, BYTES(0, 1, 0), MQTT_5, &s), flaw_no_code);
	assert_flaw(suback_decode(PACKET_UNSUBACK, BYTES(0, 1, 0), MQTT_5, &s), flaw_no_code);
	assert_flaw(suback_decode(PACKET_SUBACK, BYTES(0, 0, 0), MQTT_3_1_1, &s), flaw_packet_id);
	assert_flaw(suback_decode(PACKET_UNSUBACK, BYTES(0, 0), MQTT_3_1_1, &s), flaw_packet_id);
}

static void test_encoding(void **state)
{
	(void)state;
	struct suback s = {.type = PACKET_SUBACK,
			   .packet_id = 0x0102,
			   .codes = SPAN_LITERAL("\0\1\2\x87\x8F")};
	assert_encoded(suback_encode(&s, MQTT_5, room), 0x90, 8, 1, 2, 0, 0, 1, 2, 0x87, 0x8F);
	/* one failure code only [3.1.1 MQTT-3.9.3-2] */
	assert_encoded(suback_encode(&s, MQTT_3_1_1, room), 0x90, 7, 1, 2, 0, 1, 2, 0x80, 0x80);
	assert_encoded(suback_encode(&s, MQTT_3_1, room), 0x90, 7, 1, 2, 0, 1, 2, 0x80, 0x80);
	s.type = PACKET_UNSUBACK;
	s.codes = SPAN_LITERAL("\0\x11");
	assert_encoded(suback_encode(&s, MQTT_5, room), 0xB0, 5, 1, 2, 0, 0, 0x11);
	assert_encoded(suback_encode(&s, MQTT_3_1_1, room), 0xB0, 2, 1, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suback_of_each_version),
		cmocka_unit_test(test_unsuback_of_each_version),
		cmocka_unit_test(test_codes_of_3_1_1),
		cmocka_unit_test(test_lengths_and_packet_id),
		cmocka_unit_test(test_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
