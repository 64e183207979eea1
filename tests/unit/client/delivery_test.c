/* SPDX-License-Identifier: Apache-2.0 */
/* The connection is cut at every byte of either direction, in every version, and resumed: what
 * was published at QoS 1 arrives at least once, at QoS 2 exactly once, and in order. */
#include "server.h"

#define COUNT 6u /* messages: a few in flight, a few still queued */

static const uint8_t versions[] = {MQTT_3_1, MQTT_3_1_1, MQTT_5};

static void narrow(struct connect *connect, struct engine_options *options)
{
	(void)connect;
	options->inflight_max = 4;
}

static void narrow_and_holding(struct connect *connect, struct engine_options *options)
{
	narrow(connect, options);
	options->holds_until_release = true;
	options->held_messages_max = 3; /* with the fourth, the first is given early */
}

static void check_counts(const unsigned *counts, uint8_t qos)
{
	for (uint32_t i = 1; i <= COUNT; i++) {
		assert_true(counts[i] >= 1);
		assert_true(qos == 1 || counts[i] == 1);
	}
}

/* Publishes over a connection that is cut once; false when the cut would have come too late. */
static bool publish_cut(uint8_t version, uint8_t qos, size_t there, size_t back)
{
	static struct server s;
	struct client c;
	server_init(&s, version);
	client_init(&c, version, narrow);
	for (uint32_t i = 1; i <= COUNT; i++)
		assert_int_equal(client_publish(&c, i, qos), 0);
	bool was_cut = !join(&c, &s, there, back);
	if (was_cut) {
		assert_int_equal(c.closed.end, ENGINE_END_LOST);
		assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
	}
	assert_int_equal(engine_unfinished(c.engine), 0);
	check_counts(s.arrived, qos);
	for (uint32_t i = 1; i <= COUNT; i++)
		assert_int_equal(c.published[i], 1);
	assert_int_equal(s.receive.count, 0);
	client_release(&c);
	server_release(&s);
	return was_cut;
}

static void test_publish_cut_at_every_byte(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_COUNT(versions); v++) {
		for (uint8_t qos = 1; qos <= 2; qos++) {
			size_t there = 1, back = 1;
			while (publish_cut(versions[v], qos, there, SIZE_MAX))
				there++;
			while (publish_cut(versions[v], qos, SIZE_MAX, back))
				back++;
			/* CONNECT and all PUBLISH packets; CONNACK and the answers */
			assert_true(there > 14 + COUNT * 16);
			assert_true(back > COUNT * 4);
		}
	}
}

static bool receive_cut(uint8_t version, uint8_t qos,
			void (*changes)(struct connect *, struct engine_options *), size_t there,
			size_t back)
{
	static struct server s;
	struct client c;
	uint32_t sent = 0;
	server_init(&s, version);
	client_init(&c, version, changes);
	assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
	while (sent < COUNT && server_publish(&s, sent + 1, qos))
		sent++;
	assert_int_equal(sent, COUNT);
	/* the cut, in the connection that is open */
	bool was_cut = false;
	for (;;) {
		struct span output = engine_output(c.engine);
		if (s.out_len == 0 && output.len == 0)
			break;
		size_t len = s.out_len > 0 ? 1 : 0; /* byte by byte, as slow links do */
		uint8_t byte = s.out[0];
		memmove(s.out, s.out + len, s.out_len - len);
		s.out_len -= len;
		if (len)
			engine_input(c.engine, span_of(&byte, 1), c.now_ms);
		output = engine_output(c.engine);
		size_t out = output.len < there ? output.len : there;
		memcpy(s.in + s.in_len, output.ptr, out);
		s.in_len += out;
		engine_sent(c.engine, out, c.now_ms);
		server_work(&s);
		there -= there == SIZE_MAX ? 0 : out;
		back -= back == SIZE_MAX ? 0 : len;
		if (there == 0 || back == 0) {
			was_cut = true;
			cut_now(&c, &s);
			assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
			break;
		}
	}
	check_counts(c.delivered, qos);
	assert_false(c.is_out_of_order);
	assert_true(send_is_idle(&s.send));
	client_release(&c);
	server_release(&s);
	return was_cut;
}

static void receive_all_cuts(void (*changes)(struct connect *, struct engine_options *))
{
	for (size_t v = 0; v < ARRAY_COUNT(versions); v++) {
		for (uint8_t qos = 1; qos <= 2; qos++) {
			size_t there = 1, back = 1;
			while (receive_cut(versions[v], qos, changes, there, SIZE_MAX))
				there++;
			while (receive_cut(versions[v], qos, changes, SIZE_MAX, back))
				back++;
			assert_true(there >= COUNT * 4);
			assert_true(back > COUNT * 16);
		}
	}
}

static void test_receive_cut_at_every_byte(void **state)
{
	(void)state;
	receive_all_cuts(narrow);
}

static void test_receive_holding_cut_at_every_byte(void **state)
{
	(void)state;
	receive_all_cuts(narrow_and_holding);
}

/* Without its session the server cannot know what it had: no message may be lost. */
static bool publish_to_forgetful(uint8_t version, uint8_t qos, size_t there, size_t back)
{
	static struct server s;
	struct client c;
	server_init(&s, version);
	s.loses_session = true;
	client_init(&c, version, narrow);
	for (uint32_t i = 1; i <= COUNT; i++)
		assert_int_equal(client_publish(&c, i, qos), 0);
	bool was_cut = !join(&c, &s, there, back);
	unsigned dups = s.dup_count;
	if (was_cut)
		assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
	assert_int_equal(engine_unfinished(c.engine), 0);
	for (uint32_t i = 1; i <= COUNT; i++) {
		assert_true(s.arrived[i] >= 1);
		assert_int_equal(c.published[i], 1);
	}
	if (version != MQTT_3_1) /* which does not say that the session is gone */
		assert_int_equal(s.dup_count, dups);
	client_release(&c);
	server_release(&s);
	return was_cut;
}

static void test_publish_cut_and_session_lost(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_COUNT(versions); v++) {
		for (uint8_t qos = 1; qos <= 2; qos++) {
			size_t there = 1, back = 1;
			while (publish_to_forgetful(versions[v], qos, there, SIZE_MAX))
				there++;
			while (publish_to_forgetful(versions[v], qos, SIZE_MAX, back))
				back++;
			assert_true(there > 100 && back > 20);
		}
	}
}

/* Held messages are ours since PUBREC: a lost session may not lose them. */
static void test_held_messages_survive_a_lost_session(void **state)
{
	(void)state;
	static struct server s;
	struct client c;
	server_init(&s, MQTT_3_1_1);
	s.loses_session = true;
	client_init(&c, MQTT_3_1_1, narrow_and_holding);
	assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
	static const uint8_t qos_2[] = {0x34, 11, 0, 3, 'a', '/', 'b', 0, 5, 0, 0, 0, 9,
					0x34, 11, 0, 3, 'a', '/', 'c', 0, 6, 0, 0, 0, 8};
	engine_input(c.engine, span_of(qos_2, sizeof(qos_2)), c.now_ms);
	assert_int_equal(c.delivery_count, 0);
	cut_now(&c, &s);
	assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
	assert_int_equal(c.delivered[9], 1);
	assert_int_equal(c.delivered[8], 1);
	assert_string_equal(c.topic, "a/c");                  /* in order */
	engine_input(c.engine, span_of(qos_2, 13), c.now_ms); /* the id is new again */
	engine_give_held(c.engine);
	assert_int_equal(c.delivered[9], 2);
	client_release(&c);
	server_release(&s);
}

/* PUBACK and PUBREC in the order of arrival [MQTT-4.6.0-2, 4.6.0-3]. */
static void test_answers_keep_the_order(void **state)
{
	(void)state;
	for (uint8_t qos = 1; qos <= 2; qos++) {
		static struct server s;
		struct client c;
		server_init(&s, MQTT_5);
		client_init(&c, MQTT_5, NULL);
		assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
		for (uint32_t i = 1; i <= 20; i++)
			assert_true(server_publish(&s, i, qos));
		pass(&c, &s);
		uint16_t wanted = 1;
		for (unsigned i = 0; i < s.order_count; i++)
			if (s.order[i] == (qos == 1 ? PACKET_PUBACK : PACKET_PUBREC))
				assert_int_equal(s.ids[i], wanted++);
		assert_int_equal(wanted, 21);
		client_release(&c);
		server_release(&s);
	}
}

/* PUBCOMP was lost: the server does not know the id any more, and says so. The message is its own
 * since PUBREC; "not an error during recovery" ([5] table 3-7). */
static void test_publish_finished_before_the_cut(void **state)
{
	(void)state;
	static struct server s;
	struct client c;
	static const uint8_t pubrec[] = {0x50, 2, 0, 1};
	static const uint8_t pubcomp_not_found[] = {0x70, 3, 0, 1, 0x92};
	server_init(&s, MQTT_5);
	client_init(&c, MQTT_5, NULL);
	assert_true(join(&c, &s, SIZE_MAX, SIZE_MAX));
	assert_int_equal(client_publish(&c, 1, 2), 0);
	engine_input(c.engine, span_of(pubrec, sizeof(pubrec)), c.now_ms);
	engine_input(c.engine, span_of(pubcomp_not_found, sizeof(pubcomp_not_found)), c.now_ms);
	assert_int_equal(c.published[1], 1);
	assert_int_equal(c.last_published.reason_code, REASON_SUCCESS);
	client_release(&c);
	server_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publish_cut_at_every_byte),
		cmocka_unit_test(test_receive_cut_at_every_byte),
		cmocka_unit_test(test_receive_holding_cut_at_every_byte),
		cmocka_unit_test(test_publish_cut_and_session_lost),
		cmocka_unit_test(test_held_messages_survive_a_lost_session),
		cmocka_unit_test(test_answers_keep_the_order),
		cmocka_unit_test(test_publish_finished_before_the_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
