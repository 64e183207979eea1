/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

static const uint8_t types[] = {PACKET_PUBACK, PACKET_PUBREC, PACKET_PUBREL, PACKET_PUBCOMP};

static void test_two_bytes_are_success(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		for (uint8_t version = MQTT_3_1; version <= MQTT_5; version++) {
			struct ack a;
			assert_good(ack_decode(types[i], BYTES(0x12, 0x34), version, &a));
			assert_int_equal(a.type, types[i]);
			assert_int_equal(a.packet_id, 0x1234);
			assert_int_equal(a.reason_code, REASON_SUCCESS);
			assert_int_equal(a.properties.present, 0);
		}
}

/* [5] 3.4.2.1, 3.4.2.2.1 */
static void test_longer_forms_of_5(void **state)
{
	(void)state;
	struct ack a;
	assert_good(ack_decode(PACKET_PUBACK, BYTES(0, 1, 0x10), MQTT_5, &a));
	assert_int_equal(a.reason_code, 0x10);
	assert_good(ack_decode(PACKET_PUBREC, BYTES(0, 1, 0x97, 0), MQTT_5, &a));
	assert_int_equal(a.reason_code, 0x97);
	assert_good(ack_decode(PACKET_PUBREL, BYTES(0, 1, 0x92, 4, 0x1F, 0, 1, 'r'), MQTT_5, &a));
	assert_int_equal(a.reason_code, 0x92);
	assert_text(a.properties.reason_string, "r");
	assert_flaw(ack_decode(PACKET_PUBACK, BYTES(0, 1, 0, 0, 0), MQTT_5, &a), flaw_trailing);
	assert_flaw(ack_decode(PACKET_PUBACK, BYTES(0, 1, 0, 1), MQTT_5, &a), flaw_truncated);
}

static void test_longer_forms_are_not_for_3_1_1(void **state)
{
	(void)state;
	struct ack a;
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		assert_flaw(ack_decode(types[i], BYTES(0, 1, 0), MQTT_3_1_1, &a), flaw_trailing);
		assert_flaw(ack_decode(types[i], BYTES(0, 1, 0, 0), MQTT_3_1, &a), flaw_trailing);
	}
}

static void test_packet_id_0_and_half_a_packet_id(void **state)
{
	(void)state;
	struct ack a;
	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		for (uint8_t version = MQTT_3_1; version <= MQTT_5; version++) {
			assert_flaw(ack_decode(types[i], BYTES(0, 0), version, &a), flaw_packet_id);
			assert_flaw(ack_decode(types[i], BYTES(1), version, &a), flaw_truncated);
			assert_flaw(ack_decode(types[i], NO_BYTES, version, &a), flaw_truncated);
		}
}

static void test_encoding(void **state)
{
	(void)state;
	struct ack a = {.type = PACKET_PUBACK, .packet_id = 0x0102};
	assert_encoded(ack_encode(&a, MQTT_3_1_1, room), 0x40, 2, 1, 2);
	assert_encoded(ack_encode(&a, MQTT_5, room), 0x40, 2, 1, 2);
	a.reason_code = 0x10;
	assert_encoded(ack_encode(&a, MQTT_5, room), 0x40, 3, 1, 2, 0x10);
	assert_encoded(ack_encode(&a, MQTT_3_1_1, room), 0x40, 2, 1, 2);
	a.type = PACKET_PUBREL;
	a.reason_code = 0;
	a.properties.present = UINT64_C(1) << PROPERTY_REASON_STRING;
	a.properties.reason_string = SPAN_LITERAL("r");
	assert_encoded(ack_encode(&a, MQTT_5, room), 0x62, 8, 1, 2, 0, 4, 0x1F, 0, 1, 'r');
	assert_encoded(ack_encode(&a, MQTT_3_1, room), 0x62, 2, 1, 2);
}

/* The inlined form writes what the general one writes. */
static void test_short_encoding(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		uint8_t general[8], inlined[ACK_BYTES_MIN];
		struct ack a = {.type = types[i], .packet_id = 0xABCD};
		struct room room = {general, sizeof(general)};
		assert_int_equal(ack_encode(&a, MQTT_5, room), ACK_BYTES_MIN);
		assert_ptr_equal(ack_encode_short(inlined, types[i], 0xABCD),
				 inlined + ACK_BYTES_MIN);
		assert_memory_equal(inlined, general, ACK_BYTES_MIN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_bytes_are_success),
		cmocka_unit_test(test_longer_forms_of_5),
		cmocka_unit_test(test_longer_forms_are_not_for_3_1_1),
		cmocka_unit_test(test_packet_id_0_and_half_a_packet_id),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_short_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
