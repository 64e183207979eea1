/* SPDX-License-Identifier: Apache-2.0 */
/* Every reason code in every packet, against the standard's table written down once more, by
 * packet and not by code. */
#include "bytes.h"

/* [5] 2.4 and the tables of the packets' own sections: all codes that a packet may carry. */
static const struct {
	enum packet_type packet;
	uint8_t codes[32];
	size_t count;
} expected[] = {
	{PACKET_CONNACK,
	 {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
	  0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F},
	 22},
	{PACKET_PUBACK, {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}, 9},
	{PACKET_PUBREC, {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}, 9},
	{PACKET_PUBREL, {0x00, 0x92}, 2},
	{PACKET_PUBCOMP, {0x00, 0x92}, 2},
	{PACKET_SUBACK,
	 {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2},
	 12},
	{PACKET_UNSUBACK, {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}, 7},
	{PACKET_DISCONNECT,
	 {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93,
	  0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2},
	 30},
	{PACKET_AUTH, {0x00, 0x18, 0x19}, 3},
};

static const struct {
	uint8_t code;
	enum packet_type packet;
	const char *name;
} names[] = {
	{0x00, PACKET_CONNACK, "Success"},
	{0x00, PACKET_DISCONNECT, "Normal disconnection"},
	{0x00, PACKET_SUBACK, "Granted QoS 0"},
	{0x01, PACKET_SUBACK, "Granted QoS 1"},
	{0x02, PACKET_SUBACK, "Granted QoS 2"},
	{0x04, PACKET_DISCONNECT, "Disconnect with Will Message"},
	{0x10, PACKET_PUBACK, "No matching subscribers"},
	{0x11, PACKET_UNSUBACK, "No subscription existed"},
	{0x18, PACKET_AUTH, "Continue authentication"},
	{0x19, PACKET_AUTH, "Re-authenticate"},
	{0x80, PACKET_CONNACK, "Unspecified error"},
	{0x81, PACKET_CONNACK, "Malformed Packet"},
	{0x82, PACKET_CONNACK, "Protocol Error"},
	{0x83, PACKET_CONNACK, "Implementation specific error"},
	{0x84, PACKET_CONNACK, "Unsupported Protocol Version"},
	{0x85, PACKET_CONNACK, "Client Identifier not valid"},
	{0x86, PACKET_CONNACK, "Bad User Name or Password"},
	{0x87, PACKET_CONNACK, "Not authorized"},
	{0x88, PACKET_CONNACK, "Server unavailable"},
	{0x89, PACKET_CONNACK, "Server busy"},
	{0x8A, PACKET_CONNACK, "Banned"},
	{0x8B, PACKET_DISCONNECT, "Server shutting down"},
	{0x8C, PACKET_CONNACK, "Bad authentication method"},
	{0x8D, PACKET_DISCONNECT, "Keep Alive timeout"},
	{0x8E, PACKET_DISCONNECT, "Session taken over"},
	{0x8F, PACKET_SUBACK, "Topic Filter invalid"},
	{0x90, PACKET_CONNACK, "Topic Name invalid"},
	{0x91, PACKET_PUBACK, "Packet Identifier in use"},
	{0x92, PACKET_PUBREL, "Packet Identifier not found"},
	{0x93, PACKET_DISCONNECT, "Receive Maximum exceeded"},
	{0x94, PACKET_DISCONNECT, "Topic Alias invalid"},
	{0x95, PACKET_CONNACK, "Packet too large"},
	{0x96, PACKET_DISCONNECT, "Message rate too high"},
	{0x97, PACKET_CONNACK, "Quota exceeded"},
	{0x98, PACKET_DISCONNECT, "Administrative action"},
	{0x99, PACKET_CONNACK, "Payload format invalid"},
	{0x9A, PACKET_CONNACK, "Retain not supported"},
	{0x9B, PACKET_CONNACK, "QoS not supported"},
	{0x9C, PACKET_CONNACK, "Use another server"},
	{0x9D, PACKET_CONNACK, "Server moved"},
	{0x9E, PACKET_SUBACK, "Shared Subscriptions not supported"},
	{0x9F, PACKET_CONNACK, "Connection rate exceeded"},
	{0xA0, PACKET_DISCONNECT, "Maximum connect time"},
	{0xA1, PACKET_SUBACK, "Subscription Identifiers not supported"},
	{0xA2, PACKET_SUBACK, "Wildcard Subscriptions not supported"},
};

static bool is_expected(enum packet_type packet, unsigned code)
{
	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		for (size_t k = 0; expected[i].packet == packet && k < expected[i].count; k++)
			if (expected[i].codes[k] == code)
				return true;
	return false;
}

static void test_every_code_in_every_packet(void **state)
{
	(void)state;
	for (unsigned packet = 0; packet < 16; packet++)
		for (unsigned code = 0; code < 256; code++)
			if (reason_is_allowed((uint8_t)code, packet) != is_expected(packet, code))
				fail_msg("code 0x%02X in %s", code, packet_type_name(packet));
}

/* As the decoders see it: a packet with nothing but the code, or the flaw. */
static const struct flaw *decode_with_code(enum packet_type packet, uint8_t code)
{
	struct connack connack;
	struct ack ack;
	struct suback suback;
	struct disconnect disconnect;
	struct auth auth;
	switch (packet) {
	case PACKET_CONNACK: return connack_decode(BYTES(0, code, 0), MQTT_5, &connack);
	case PACKET_SUBACK:
	case PACKET_UNSUBACK: return suback_decode(packet, BYTES(0, 1, 0, code), MQTT_5, &suback);
	case PACKET_DISCONNECT: return disconnect_decode(BYTES(code), MQTT_5, &disconnect);
	case PACKET_AUTH: return auth_decode(BYTES(code, 4, 0x15, 0, 1, 'm'), &auth);
	default: return ack_decode(packet, BYTES(0, 1, code), MQTT_5, &ack);
	}
}

/* [MQTT-3.2.2-8, 3.4.2-1, 3.5.2-1, 3.6.2-1, 3.7.2-1, 3.9.3-2, 3.11.3-2, 3.14.2-1, 3.15.2-1] */
static void test_decoders_take_the_listed_codes_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		for (unsigned code = 0; code < 256; code++) {
			enum packet_type packet = expected[i].packet;
			const struct flaw *flaw = decode_with_code(packet, (uint8_t)code);
			if (is_expected(packet, code))
				assert_good(flaw);
			else
				assert_flaw(flaw, flaw_reason_code);
		}
}

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		assert_string_equal(reason_name(names[i].code, names[i].packet), names[i].name);
	assert_string_equal(reason_name(0x03, PACKET_SUBACK), "Unknown reason");
	assert_string_equal(reason_name(0xA3, PACKET_DISCONNECT), "Unknown reason");
	assert_string_equal(reason_name(0xFF, PACKET_DISCONNECT), "Unknown reason");
}

/* [3.1.1 MQTT-3.2.2-6]: never over 5, never "accepted". */
static void test_return_codes_of_3_1_1(void **state)
{
	(void)state;
	for (unsigned code = 0x80; code < 256; code++) {
		uint8_t return_code = reason_to_return_code((uint8_t)code);
		assert_true(return_code >= 1 && return_code <= 5);
	}
	assert_int_equal(reason_to_return_code(REASON_UNSUPPORTED_PROTOCOL_VERSION), 1);
	assert_int_equal(reason_to_return_code(REASON_CLIENT_IDENTIFIER_NOT_VALID), 2);
	assert_int_equal(reason_to_return_code(REASON_SERVER_UNAVAILABLE), 3);
	assert_int_equal(reason_to_return_code(REASON_SERVER_BUSY), 3);
	assert_int_equal(reason_to_return_code(REASON_BAD_USER_NAME_OR_PASSWORD), 4);
	assert_int_equal(reason_to_return_code(REASON_NOT_AUTHORIZED), 5);
	assert_int_equal(reason_to_return_code(REASON_BANNED), 5);
	assert_int_equal(reason_to_return_code(0xFF), 3);
}

static void test_return_code_names(void **state)
{
	(void)state;
	assert_string_equal(return_code_name(0), "Connection Accepted");
	for (uint8_t a = 1; a <= 6; a++) {
		assert_int_equal(strncmp(return_code_name(a), "Connection Refused: ", 20), 0);
		for (uint8_t b = 1; b < a; b++)
			assert_string_not_equal(return_code_name(a), return_code_name(b));
	}
	assert_string_equal(return_code_name(255), return_code_name(6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_in_every_packet),
		cmocka_unit_test(test_decoders_take_the_listed_codes_only),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_return_codes_of_3_1_1),
		cmocka_unit_test(test_return_code_names),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
