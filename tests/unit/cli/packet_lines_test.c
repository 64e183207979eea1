/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of -d, word by word as mosquitto's clients 2.0 print them. */
#include "cli/packet_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void check_with(struct packet_lines *lines, struct span client,
		       const struct engine_packet *packet, const char *wanted)
{
	char *text = NULL;
	size_t len;
	lines->to = open_memstream(&text, &len);
	assert_non_null(lines->to);
	packet_lines_print(lines, client, packet);
	fclose(lines->to);
	assert_string_equal(text, wanted);
	free(text);
}

static void check(const struct engine_packet *packet, const char *wanted)
{
	struct packet_lines lines = {0};
	check_with(&lines, SPAN_LITERAL("C"), packet, wanted);
}

static void test_connection_packets(void **state)
{
	(void)state;
	struct connack connack = {.code = 5};
	struct disconnect disconnect = {.reason_code = 0x8b};
	check(&(struct engine_packet){true, PACKET_CONNECT, {0}, 0}, "Client C sending CONNECT\n");
	check(&(struct engine_packet){false, PACKET_CONNACK, {.connack = &connack}, 0},
	      "Client C received CONNACK (5)\n");
	check(&(struct engine_packet){true, PACKET_PINGREQ, {0}, 0}, "Client C sending PINGREQ\n");
	check(&(struct engine_packet){false, PACKET_PINGRESP, {0}, 0},
	      "Client C received PINGRESP\n");
	check(&(struct engine_packet){true, PACKET_DISCONNECT, {.disconnect = &disconnect}, 0},
	      "Client C sending DISCONNECT\n");
	check(&(struct engine_packet){false, PACKET_DISCONNECT, {.disconnect = &disconnect}, 0},
	      "Received DISCONNECT (139)\n");
}

static void test_client_without_a_name(void **state)
{
	(void)state;
	struct packet_lines lines = {0};
	struct connack connack = {0};
	struct engine_packet packet = {false, PACKET_CONNACK, {.connack = &connack}, 0};
	check_with(&lines, SPAN_NONE, &packet, "Client (null) received CONNACK (0)\n");
	connack.properties.present = UINT64_C(1) << PROPERTY_ASSIGNED_CLIENT_IDENTIFIER;
	connack.properties.assigned_client_identifier = SPAN_LITERAL("auto-1");
	check_with(&lines, SPAN_NONE, &packet, "Client auto-1 received CONNACK (0)\n");
}

static void test_messages(void **state)
{
	(void)state;
	struct packet_lines lines = {0};
	struct publish p = {.dup = true,
			    .qos = 2,
			    .retain = true,
			    .packet_id = 7,
			    .topic = SPAN_LITERAL("a/b"),
			    .payload = SPAN_LITERAL("12345")};
	struct engine_packet sent = {true, PACKET_PUBLISH, {.publish = &p}, 0};
	struct engine_packet received = {false, PACKET_PUBLISH, {.publish = &p}, 0};
	struct span client = SPAN_LITERAL("C");
	check_with(&lines, client, &sent,
		   "Client C sending PUBLISH (d1, q2, r1, m7, 'a/b', ... (5 bytes))\n");
	check_with(&lines, client, &received,
		   "Client C received PUBLISH (d1, q2, r1, m7, 'a/b', ... (5 bytes))\n");
	p = (struct publish){.topic = SPAN_LITERAL("a")};
	check_with(&lines, client, &received,
		   "Client C received PUBLISH (d0, q0, r0, m0, 'a', ... (0 bytes))\n");
	check_with(&lines, client, &sent,
		   "Client C sending PUBLISH (d0, q0, r0, m1, 'a', ... (0 bytes))\n");
	lines.number = 65535;
	check_with(&lines, client, &sent,
		   "Client C sending PUBLISH (d0, q0, r0, m1, 'a', ... (0 bytes))\n");
	check_with(&lines, client, &sent,
		   "Client C sending PUBLISH (d0, q0, r0, m2, 'a', ... (0 bytes))\n");
}

static void test_acknowledgements(void **state)
{
	(void)state;
	static const struct {
		bool is_outgoing;
		uint8_t type;
		const char *wanted;
	} rows[] = {
		{true, PACKET_PUBACK, "Client C sending PUBACK (m9, rc16)\n"},
		{true, PACKET_PUBREC, "Client C sending PUBREC (m9, rc16)\n"},
		{true, PACKET_PUBREL, "Client C sending PUBREL (m9)\n"},
		{true, PACKET_PUBCOMP, "Client C sending PUBCOMP (m9)\n"},
		{false, PACKET_PUBACK, "Client C received PUBACK (Mid: 9, RC:16)\n"},
		{false, PACKET_PUBREC, "Client C received PUBREC (Mid: 9)\n"},
		{false, PACKET_PUBREL, "Client C received PUBREL (Mid: 9)\n"},
		{false, PACKET_PUBCOMP, "Client C received PUBCOMP (Mid: 9, RC:16)\n"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct ack p = {.type = rows[i].type, .reason_code = 16, .packet_id = 9};
		check(&(struct engine_packet){rows[i].is_outgoing, rows[i].type, {.ack = &p}, 0},
		      rows[i].wanted);
	}
	struct ack unknown = {.type = PACKET_PUBREL, .reason_code = 0x92, .packet_id = 5};
	check(&(struct engine_packet){true, PACKET_PUBREL, {.ack = &unknown}, 0},
	      "Warning: Received PUBREC from C for an unknown packet identifier 5.\n"
	      "Client C sending PUBREL (m5)\n");
}

static void test_requests(void **state)
{
	(void)state;
	static const uint8_t filters[] = {0, 1, 'a', 1, 0, 1, 'b', 0x2e};
	struct subscribe s = {.packet_id = 3, .filters = span_of(filters, sizeof(filters))};
	struct unsubscribe u = {.packet_id = 4, .filters = SPAN_LITERAL("\0\1a\0\1b")};
	check(&(struct engine_packet){true, PACKET_SUBSCRIBE, {.subscribe = &s}, 0},
	      "Client C sending SUBSCRIBE (Mid: 3, Topic: a, QoS: 1, Options: 0x00)\n"
	      "Client C sending SUBSCRIBE (Mid: 3, Topic: b, QoS: 2, Options: 0x2c)\n");
	check(&(struct engine_packet){true, PACKET_UNSUBSCRIBE, {.unsubscribe = &u}, 0},
	      "Client C sending UNSUBSCRIBE (Mid: 4, Topic: a)\n"
	      "Client C sending UNSUBSCRIBE (Mid: 4, Topic: b)\n");
	check(&(struct engine_packet){false, PACKET_SUBACK, {0}, 0}, "Client C received SUBACK\n");
	check(&(struct engine_packet){false, PACKET_UNSUBACK, {0}, 0},
	      "Client C received UNSUBACK\n");
	check(&(struct engine_packet){false, PACKET_AUTH, {0}, 0}, "Client C received AUTH\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connection_packets),
		cmocka_unit_test(test_client_without_a_name),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_acknowledgements),
		cmocka_unit_test(test_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
