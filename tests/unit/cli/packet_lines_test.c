/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of -d, word by word as mosquitto's clients 2.0 print them. */
#include "cli/packet_lines.h"

#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void check_with(struct packet_lines *lines, const struct nj_packet *packet,
		       const char *wanted)
{
	char *text = NULL;
	size_t len;
	lines->to = open_memstream(&text, &len);
	assert_non_null(lines->to);
	packet_lines_print(lines, packet);
	fclose(lines->to);
	assert_string_equal(text, wanted);
	free(text);
}

static struct nj_packet packet_of(bool is_outgoing, uint8_t type)
{
	return (struct nj_packet){
		.is_outgoing = is_outgoing, .type = type, .client_id = "C", .topic = ""};
}

static void check(struct nj_packet packet, const char *wanted)
{
	struct packet_lines lines = {.shows_grants = true};
	check_with(&lines, &packet, wanted);
}

static void test_connection_packets(void **state)
{
	(void)state;
	struct nj_packet connack = packet_of(false, NJ_CONNACK);
	struct nj_packet disconnect = packet_of(false, NJ_DISCONNECT);
	connack.reason_code = 5;
	disconnect.reason_code = 0x8b;
	check(packet_of(true, NJ_CONNECT), "Client C sending CONNECT\n");
	check(connack, "Client C received CONNACK (5)\n");
	check(packet_of(true, NJ_PINGREQ), "Client C sending PINGREQ\n");
	check(packet_of(false, NJ_PINGRESP), "Client C received PINGRESP\n");
	check(packet_of(true, NJ_DISCONNECT), "Client C sending DISCONNECT\n");
	check(disconnect, "Received DISCONNECT (139)\n");
	check(packet_of(false, NJ_AUTH), "Client C received AUTH\n");
}

static void test_client_without_a_name(void **state)
{
	(void)state;
	struct nj_packet connack = packet_of(false, NJ_CONNACK);
	connack.client_id = "";
	check(connack, "Client (null) received CONNACK (0)\n");
}

static void test_messages(void **state)
{
	(void)state;
	struct packet_lines lines = {0};
	struct nj_packet p = packet_of(true, NJ_PUBLISH);
	p.dup = p.retain = true;
	p.qos = 2;
	p.packet_id = 7;
	p.topic = "a/b";
	p.payload_len = 5;
	check_with(&lines, &p, "Client C sending PUBLISH (d1, q2, r1, m7, 'a/b', ... (5 bytes))\n");
	p.is_outgoing = false;
	check_with(&lines, &p,
		   "Client C received PUBLISH (d1, q2, r1, m7, 'a/b', ... (5 bytes))\n");
	p = packet_of(false, NJ_PUBLISH);
	p.topic = "a";
	check_with(&lines, &p, "Client C received PUBLISH (d0, q0, r0, m0, 'a', ... (0 bytes))\n");
	/* at QoS 0 mosquitto's clients count what they send */
	p.is_outgoing = true;
	check_with(&lines, &p, "Client C sending PUBLISH (d0, q0, r0, m1, 'a', ... (0 bytes))\n");
	lines.number = 65535;
	check_with(&lines, &p, "Client C sending PUBLISH (d0, q0, r0, m1, 'a', ... (0 bytes))\n");
	check_with(&lines, &p, "Client C sending PUBLISH (d0, q0, r0, m2, 'a', ... (0 bytes))\n");
}

static void test_acknowledgements(void **state)
{
	(void)state;
	static const struct {
		bool is_outgoing;
		uint8_t type;
		const char *wanted;
	} rows[] = {
		{true, NJ_PUBACK, "Client C sending PUBACK (m9, rc16)\n"},
		{true, NJ_PUBREC, "Client C sending PUBREC (m9, rc16)\n"},
		{true, NJ_PUBREL, "Client C sending PUBREL (m9)\n"},
		{true, NJ_PUBCOMP, "Client C sending PUBCOMP (m9)\n"},
		{false, NJ_PUBACK, "Client C received PUBACK (Mid: 9, RC:16)\n"},
		{false, NJ_PUBREC, "Client C received PUBREC (Mid: 9)\n"},
		{false, NJ_PUBREL, "Client C received PUBREL (Mid: 9)\n"},
		{false, NJ_PUBCOMP, "Client C received PUBCOMP (Mid: 9, RC:16)\n"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct nj_packet p = packet_of(rows[i].is_outgoing, rows[i].type);
		p.reason_code = 16;
		p.packet_id = 9;
		check(p, rows[i].wanted);
	}
	struct nj_packet unknown = packet_of(true, NJ_PUBREL);
	unknown.reason_code = 0x92;
	unknown.packet_id = 5;
	check(unknown, "Warning: Received PUBREC from C for an unknown packet identifier 5.\n"
		       "Client C sending PUBREL (m5)\n");
}

static void test_requests(void **state)
{
	(void)state;
	static const struct nj_subscription filters[] = {{"a", 1, false, false, 0},
							 {"b", 2, true, true, 2}};
	struct nj_packet p = packet_of(true, NJ_SUBSCRIBE);
	p.packet_id = 3;
	p.subscriptions = filters;
	p.subscription_count = 2;
	check(p, "Client C sending SUBSCRIBE (Mid: 3, Topic: a, QoS: 1, Options: 0x00)\n"
		 "Client C sending SUBSCRIBE (Mid: 3, Topic: b, QoS: 2, Options: 0x2c)\n");
	p.type = NJ_UNSUBSCRIBE;
	check(p, "Client C sending UNSUBSCRIBE (Mid: 3, Topic: a)\n"
		 "Client C sending UNSUBSCRIBE (Mid: 3, Topic: b)\n");
	p = packet_of(false, NJ_SUBACK);
	p.packet_id = 3;
	p.reason_codes = (struct nj_bytes){"\1\x80", 2};
	check(p, "Client C received SUBACK\nSubscribed (mid: 3): 1, 128\n");
	check(packet_of(false, NJ_UNSUBACK), "Client C received UNSUBACK\n");
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
