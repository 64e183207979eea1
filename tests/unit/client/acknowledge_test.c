/* SPDX-License-Identifier: Apache-2.0 */
/* Acknowledging when told: order on the wire, handles over reconnects, bounds, failing memory. */
#include "server.h"

#include "base/mem.h"

static void when_told(struct connect *connect, struct engine_options *options)
{
	(void)connect;
	options->acknowledges_when_told = true;
}

static void when_told_without_duplicates(struct connect *connect, struct engine_options *options)
{
	when_told(connect, options);
	options->drops_duplicates = true;
}

static void when_told_three_at_a_time(struct connect *connect, struct engine_options *options)
{
	when_told(connect, options);
	connect->properties.present |= UINT64_C(1) << PROPERTY_RECEIVE_MAXIMUM;
	connect->properties.receive_maximum = 3;
}

static struct server s;
static struct client c;

static void begin(uint8_t version, void (*changes)(struct connect *, struct engine_options *))
{
	server_init(&s, version);
	client_init(&c, version, changes);
	assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
}

static void end(void)
{
	client_release(&c);
	server_release(&s);
}

static void give(uint32_t number, uint8_t qos)
{
	assert_true(server_publish(&s, number, qos));
	pass(&c, &s);
}

static void let_go(uint32_t number)
{
	assert_int_equal(engine_acknowledge(c.engine, c.handles[number], REASON_SUCCESS), 0);
	pass(&c, &s);
}

static void reconnect(void)
{
	cut_now(&c, &s);
	assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
}

/* The packet ids of one type in the order in which the server got them, as digits. */
static const char *ids_of(uint8_t type)
{
	static char text[64];
	size_t len = 0;
	for (unsigned i = 0; i < s.order_count; i++)
		if (s.order[i] == type && len + 1 < sizeof(text))
			text[len++] = (char)('0' + s.ids[i]);
	text[len] = 0;
	return text;
}

static void test_nothing_leaves_before_it_is_told(void **state)
{
	(void)state;
	begin(MQTT_5, when_told);
	give(1, 1);
	give(2, 2);
	give(3, 0);
	assert_int_equal(c.delivery_count, 3);
	assert_int_equal(s.packet_count[PACKET_PUBACK] + s.packet_count[PACKET_PUBREC], 0);
	assert_int_equal(engine_unacknowledged(c.engine), 2);
	assert_int_equal(c.handles[3], 0);
	let_go(2);
	assert_string_equal(ids_of(PACKET_PUBREC), "2");
	assert_int_equal(s.packet_count[PACKET_PUBCOMP], 1);
	assert_int_equal(s.packet_count[PACKET_PUBACK], 0);
	let_go(1);
	assert_string_equal(ids_of(PACKET_PUBACK), "1");
	assert_int_equal(engine_unacknowledged(c.engine), 0);
	assert_true(send_is_idle(&s.send));
	end();
}

/* [MQTT-4.6.0-2], [MQTT-4.6.0-3] */
static void test_wire_keeps_the_order_of_arrival(void **state)
{
	(void)state;
	for (uint8_t qos = 1; qos <= 2; qos++) {
		const uint8_t type = qos == 1 ? PACKET_PUBACK : PACKET_PUBREC;
		begin(MQTT_3_1_1, when_told);
		for (uint32_t i = 1; i <= 5; i++)
			give(i, qos);
		let_go(3);
		let_go(5);
		let_go(2);
		assert_string_equal(ids_of(type), "");
		let_go(1);
		assert_string_equal(ids_of(type), "123");
		let_go(4);
		assert_string_equal(ids_of(type), "12345");
		end();
	}
}

static void test_each_qos_has_an_order_of_its_own(void **state)
{
	(void)state;
	begin(MQTT_5, when_told);
	give(1, 1);
	give(2, 2);
	give(3, 1);
	let_go(2);
	assert_string_equal(ids_of(PACKET_PUBREC), "2");
	let_go(1);
	let_go(3);
	assert_string_equal(ids_of(PACKET_PUBACK), "13");
	end();
}

static void test_a_handle_is_good_once(void **state)
{
	(void)state;
	begin(MQTT_5, when_told);
	give(1, 1);
	uint64_t handle = c.handles[1];
	assert_int_equal(engine_acknowledge(c.engine, handle + 65536, 0), ERROR_NOT_FOUND);
	assert_int_equal(engine_acknowledge(c.engine, 0, 0), ERROR_NOT_FOUND);
	/* not a code of PUBACK ([5] 3.4.2.1) */
	assert_int_equal(engine_acknowledge(c.engine, handle, REASON_SERVER_MOVED), ERROR_INVALID);
	let_go(1);
	assert_int_equal(engine_acknowledge(c.engine, handle, 0), ERROR_NOT_FOUND);
	end();
}

/* [MQTT-4.3.3-9]: a refused QoS 2 message is over, its id is free. */
static void test_refusal_tells_the_reason(void **state)
{
	(void)state;
	begin(MQTT_5, when_told);
	server_write(&s, "\x34\x07\0\1a\0\7\0x", 9);
	pass(&c, &s);
	assert_int_equal(c.delivery_count, 1);
	assert_int_equal(engine_unacknowledged(c.engine), 1);
	uint64_t handle = UINT64_C(1) << 16 | 7; /* the first, of packet id 7 */
	assert_int_equal(engine_acknowledge(c.engine, handle, REASON_QUOTA_EXCEEDED), 0);
	struct span output = engine_output(c.engine);
	assert_int_equal(output.len, 5);
	assert_memory_equal(output.ptr, "\x50\3\0\7\x97", 5);
	engine_sent(c.engine, output.len, 0);
	/* the same id again, DUP or not, is a new message */
	server_write(&s, "\x34\x07\0\1a\0\7\0x", 9);
	pass(&c, &s);
	assert_int_equal(c.delivery_count, 2);
	end();
}

static void test_qos_2_comes_once_over_reconnects(void **state)
{
	(void)state;
	begin(MQTT_5, when_told);
	for (uint32_t i = 1; i <= 4; i++)
		give(i, 2);
	let_go(3);
	reconnect();
	assert_int_equal(c.delivery_count, 4);
	assert_int_equal(engine_unacknowledged(c.engine), 4);
	assert_string_equal(ids_of(PACKET_PUBREC), "");
	let_go(1); /* the handle of the first connection */
	assert_string_equal(ids_of(PACKET_PUBREC), "1");
	cut_now(&c, &s);
	let_go(2); /* while there is no connection */
	assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
	assert_string_equal(ids_of(PACKET_PUBREC), "123");
	let_go(4);
	assert_string_equal(ids_of(PACKET_PUBREC), "1234");
	assert_int_equal(s.packet_count[PACKET_PUBCOMP], 4);
	assert_int_equal(c.delivery_count, 4);
	assert_true(send_is_idle(&s.send));
	end();
}

/* A PUBREC that was lost goes again in the place of its PUBLISH, behind one that is kept back. */
static void test_lost_pubrec_goes_again_in_order(void **state)
{
	(void)state;
	begin(MQTT_5, when_told);
	server_write(&s, "\x34\x07\0\1a\0\1\0x\x34\x07\0\1a\0\2\0y", 18);
	pass(&c, &s);
	/* both PUBRECs stand in the output, and never leave */
	assert_int_equal(engine_acknowledge(c.engine, UINT64_C(1) << 16 | 1, 0), 0);
	assert_int_equal(engine_acknowledge(c.engine, UINT64_C(2) << 16 | 2, 0), 0);
	reconnect();
	server_write(&s, "\x34\x07\0\1a\0\3\0x\x3c\x07\0\1a\0\2\0y", 18);
	pass(&c, &s);
	assert_int_equal(c.delivery_count, 3); /* 1, 2, 3 and not 2 again */
	assert_int_equal(engine_output(c.engine).len, 0);
	assert_int_equal(engine_unacknowledged(c.engine), 2);
	assert_int_equal(engine_acknowledge(c.engine, UINT64_C(3) << 16 | 3, 0), 0);
	struct span output = engine_output(c.engine);
	assert_int_equal(output.len, 8);
	assert_memory_equal(output.ptr, "\x50\2\0\3\x50\2\0\2", 8);
	end();
}

static void test_qos_1_comes_again_with_dup(void **state)
{
	(void)state;
	begin(MQTT_5, when_told);
	give(1, 1);
	uint64_t first = c.handles[1];
	assert_false(c.last_was_dup);
	reconnect();
	assert_int_equal(c.delivered[1], 2);
	assert_true(c.last_was_dup);
	assert_true(c.handles[1] != first);
	assert_int_equal(engine_acknowledge(c.engine, first, 0), ERROR_NOT_FOUND);
	assert_string_equal(ids_of(PACKET_PUBACK), "");
	let_go(1);
	assert_string_equal(ids_of(PACKET_PUBACK), "1");
	end();
}

/* Old servers send again on a live connection: one acknowledgement for each answer that is due. */
static void test_qos_1_again_on_the_same_connection(void **state)
{
	(void)state;
	begin(MQTT_3_1_1, when_told);
	give(1, 1);
	uint64_t first = c.handles[1];
	server_write(&s, "\x3a\x09\0\1a\0\1\0\0\0\1", 11);
	pass(&c, &s);
	assert_int_equal(c.delivered[1], 2);
	assert_int_equal(engine_unacknowledged(c.engine), 1);
	assert_int_equal(engine_acknowledge(c.engine, first, 0), ERROR_NOT_FOUND);
	let_go(1);
	assert_string_equal(ids_of(PACKET_PUBACK), "1");
	end();
}

static void test_duplicates_that_are_known_are_dropped_if_wanted(void **state)
{
	(void)state;
	begin(MQTT_5, when_told_without_duplicates);
	give(1, 1);
	give(2, 1);
	cut_now(&c, &s);
	assert_int_equal(engine_acknowledge(c.engine, c.handles[1], 0), 0);
	assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
	assert_int_equal(c.delivery_count, 2);
	assert_string_equal(ids_of(PACKET_PUBACK), "1");
	let_go(2);
	assert_string_equal(ids_of(PACKET_PUBACK), "12");
	/* the same packet id without DUP is another message */
	give(3, 1);
	server_write(&s, "\x32\x0a\0\1a\0\3\0\0\0\0\4", 12);
	pass(&c, &s);
	assert_int_equal(c.delivered[4], 1);
	end();
}

static void test_lost_session_voids_all_handles(void **state)
{
	(void)state;
	begin(MQTT_5, when_told_without_duplicates);
	give(1, 1);
	give(2, 2);
	s.loses_session = true;
	reconnect();
	assert_int_equal(engine_unacknowledged(c.engine), 0);
	assert_int_equal(engine_acknowledge(c.engine, c.handles[1], 0), ERROR_NOT_FOUND);
	assert_int_equal(engine_acknowledge(c.engine, c.handles[2], 0), ERROR_NOT_FOUND);
	/* packet ids 1 and 2 are used anew, the other way round */
	give(3, 2);
	give(4, 1);
	assert_int_equal(c.delivery_count, 4);
	let_go(3);
	let_go(4);
	assert_true(send_is_idle(&s.send));
	end();
}

/* [MQTT-3.3.4-9] is the server's to keep; one that does not is told. */
static void test_receive_maximum_bounds_what_is_kept(void **state)
{
	(void)state;
	begin(MQTT_5, when_told_three_at_a_time);
	give(1, 1);
	give(2, 2);
	give(3, 1);
	assert_false(server_publish(&s, 4, 1));
	let_go(1);
	give(4, 1);
	assert_int_equal(c.closed_count, 0);
	server_write(&s, "\x32\x06\0\1a\0\x09\0", 8);
	pass(&c, &s);
	assert_true(engine_is_closing(c.engine));
	assert_int_equal(s.disconnect.reason_code, REASON_RECEIVE_MAXIMUM_EXCEEDED);
	end();
}

static void test_an_id_of_another_qos_is_a_flaw(void **state)
{
	(void)state;
	for (uint8_t qos = 1; qos <= 2; qos++) {
		begin(MQTT_5, when_told);
		give(1, qos);
		server_write(&s, qos == 1 ? "\x34\x06\0\1a\0\1\0" : "\x32\x06\0\1a\0\1\0", 8);
		pass(&c, &s);
		assert_true(engine_is_closing(c.engine));
		assert_int_equal(s.disconnect.reason_code, REASON_PROTOCOL_ERROR);
		end();
	}
}

/* One who releases what had no PUBREC gives the exchange up; the handle is void. */
static void test_pubrel_before_pubrec(void **state)
{
	(void)state;
	begin(MQTT_5, when_told);
	server_write(&s, "\x34\x06\0\1a\0\7\0\x62\2\0\7", 12);
	engine_input(c.engine, span_of(s.out, s.out_len), 0);
	s.out_len = 0;
	assert_memory_equal(engine_output(c.engine).ptr, "\x70\2\0\7", 4);
	assert_int_equal(engine_acknowledge(c.engine, UINT64_C(1) << 16 | 7, 0), ERROR_NOT_FOUND);
	end();
}

static void test_options_that_exclude_each_other(void **state)
{
	(void)state;
	struct engine_options options;
	struct engine *e = NULL;
	struct connect connect = {.version = MQTT_5, .client_id = SPAN_LITERAL("client")};
	engine_options_init(&options);
	options.acknowledges_when_told = options.holds_until_release = true;
	assert_int_equal(engine_new(&connect, &options, &(struct engine_events){0}, NULL, &e),
			 ERROR_INVALID);
	assert_null(e);
}

/* Random numbers of messages, orders of letting go, and cuts, against the promises: QoS 2 once,
 * QoS 1 at least once, and PUBACKs and PUBRECs never ahead of an earlier message's. */
static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void check_order_since(unsigned from)
{
	uint16_t last[16] = {0};
	for (unsigned i = from; i < s.order_count; i++) {
		uint8_t type = s.order[i];
		if (type != PACKET_PUBACK && type != PACKET_PUBREC)
			continue;
		assert_true(s.ids[i] > last[type]);
		last[type] = s.ids[i];
	}
}

static void live_randomly(uint32_t seed)
{
	uint32_t sent = 0, count = 1 + next_random(&seed) % 12;
	unsigned from = 0;
	bool is_let_go[SERVER_MESSAGES] = {false};
	begin(seed % 2 ? MQTT_5 : MQTT_3_1_1, when_told);
	for (unsigned steps = 0; steps < 60; steps++) {
		uint32_t number = 1 + next_random(&seed) % count;
		switch (next_random(&seed) % 4) {
		case 0:
			if (sent < count)
				give(++sent, (uint8_t)(1 + next_random(&seed) % 2));
			break;
		case 1:
			if (next_random(&seed) % 4 > 0)
				break;
			reconnect();
			check_order_since(from);
			from = s.order_count;
			break;
		default:
			if (c.delivered[number])
				is_let_go[number] |=
					!engine_acknowledge(c.engine, c.handles[number], 0);
			pass(&c, &s);
		}
	}
	check_order_since(from);
	for (uint32_t i = 1; i <= sent; i++) {
		assert_true(c.delivered[i] >= 1 && (s.qos[i] == 1 || c.delivered[i] == 1));
		(void)!engine_acknowledge(c.engine, c.handles[i], 0);
	}
	pass(&c, &s);
	assert_true(send_is_idle(&s.send));
	assert_int_equal(engine_unacknowledged(c.engine), 0);
	end();
}

static void test_any_order_with_any_cuts(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 2000; seed++)
		live_randomly(seed);
}

/* Three connections; what could not be noted ends the connection and comes again. */
static void live(void)
{
	for (int connection = 0; connection < 3; connection++) {
		if (engine_connect(c.engine, 0))
			continue;
		pass(&c, &s);
		for (uint32_t i = 1; s.is_connected && connection == 0 && i <= 8; i++)
			(void)!server_publish(&s, i, (uint8_t)(1 + i % 2));
		pass(&c, &s);
		for (uint32_t i = 8; i > (connection == 0 ? 4 : 0); i--)
			if (c.delivered[i])
				(void)!engine_acknowledge(c.engine, c.handles[i], 0);
		pass(&c, &s);
		cut_now(&c, &s);
	}
}

static void test_each_allocation_fails(void **state)
{
	(void)state;
	unsigned long countdown = 1;
	bool has_failed = true;
	mem_count_start();
	for (; has_failed; countdown++) {
		server_init(&s, MQTT_5);
		mem_fail_after(countdown);
		client_init(&c, MQTT_5, when_told);
		if (c.engine)
			live();
		has_failed = mem_has_failed();
		mem_fail_after(0);
		for (uint32_t i = 1; i <= 8; i++)
			assert_true(s.qos[i] != 2 || c.delivered[i] <= 1);
		end();
		assert_int_equal(mem_count_live(), 0);
		assert_true(countdown < 1000);
	}
	assert_true(countdown > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_leaves_before_it_is_told),
		cmocka_unit_test(test_wire_keeps_the_order_of_arrival),
		cmocka_unit_test(test_each_qos_has_an_order_of_its_own),
		cmocka_unit_test(test_a_handle_is_good_once),
		cmocka_unit_test(test_refusal_tells_the_reason),
		cmocka_unit_test(test_qos_2_comes_once_over_reconnects),
		cmocka_unit_test(test_lost_pubrec_goes_again_in_order),
		cmocka_unit_test(test_qos_1_comes_again_with_dup),
		cmocka_unit_test(test_qos_1_again_on_the_same_connection),
		cmocka_unit_test(test_duplicates_that_are_known_are_dropped_if_wanted),
		cmocka_unit_test(test_lost_session_voids_all_handles),
		cmocka_unit_test(test_receive_maximum_bounds_what_is_kept),
		cmocka_unit_test(test_an_id_of_another_qos_is_a_flaw),
		cmocka_unit_test(test_pubrel_before_pubrec),
		cmocka_unit_test(test_options_that_exclude_each_other),
		cmocka_unit_test(test_any_order_with_any_cuts),
		cmocka_unit_test(test_each_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
