/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a connection: CONNECT and CONNACK, sessions, keep alive, the ways it ends. */
#include "base/mem.h"
#include "server.h"

static const uint8_t versions[] = {MQTT_3_1, MQTT_3_1_1, MQTT_5};

static void feed(struct client *c, const void *bytes, size_t len)
{
	engine_input(c->engine, span_of(bytes, len), c->now_ms);
}

#define FEED(c, text) feed(c, text, sizeof(text) - 1)

static void assert_output(struct client *c, const void *bytes, size_t len)
{
	struct span output = engine_output(c->engine);
	assert_int_equal(output.len, len);
	if (len > 0)
		assert_memory_equal(output.ptr, bytes, len);
	engine_sent(c->engine, output.len, c->now_ms);
}

#define OUTPUT(c, text) assert_output(c, text, sizeof(text) - 1)

static void begin(struct client *c, uint8_t version,
		  void (*changes)(struct connect *, struct engine_options *))
{
	client_init(c, version, changes);
	assert_non_null(c->engine);
	assert_int_equal(engine_connect(c->engine, c->now_ms), 0);
	engine_sent(c->engine, engine_output(c->engine).len, c->now_ms);
}

static void end(struct client *c, enum engine_end wanted)
{
	assert_true(engine_is_closing(c->engine));
	assert_int_equal(c->closed_count, 0);
	engine_lost(c->engine, c->now_ms);
	assert_int_equal(c->closed_count, 1);
	assert_int_equal(c->closed.end, wanted);
	assert_true(engine_is_idle(c->engine));
	engine_lost(c->engine, c->now_ms);
	assert_int_equal(c->closed_count, 1);
	client_release(c);
}

/* [MQTT-3.1.0-1, 3.1.3-1]: all fields, byte by byte. */
static void all_fields(struct connect *connect, struct engine_options *options)
{
	(void)options;
	connect->clean_start = true;
	connect->has_will = connect->will_retain = true;
	connect->will_qos = 2;
	connect->will_topic = SPAN_LITERAL("w");
	connect->will_payload = SPAN_LITERAL("gone");
	connect->has_user_name = connect->has_password = true;
	connect->user_name = SPAN_LITERAL("u");
	connect->password = SPAN_LITERAL("p");
	connect->keep_alive = 258;
	connect->client_id = SPAN_LITERAL("id");
}

static void test_connect_carries_all_fields(void **state)
{
	(void)state;
	static const char *const wanted[] = {
		"\x10\x1f\0\6MQIsdp\3\xf6\1\2\0\2id\0\1w\0\4gone\0\1u\0\1p",
		"\x10\x1d\0\4MQTT\4\xf6\1\2\0\2id\0\1w\0\4gone\0\1u\0\1p",
		"\x10\x24\0\4MQTT\5\xf6\1\2\5\x11\0\0\x0e\x10\0\2id\0\0\1w\0\4gone\0\1u\0\1p",
	};
	static const size_t lens[] = {33, 31, 38};
	for (size_t v = 0; v < ARRAY_COUNT(versions); v++) {
		struct client c;
		client_init(&c, versions[v], all_fields);
		assert_int_equal(engine_connect(c.engine, 5), 0);
		assert_output(&c, wanted[v], lens[v]);
		client_release(&c);
	}
}

static void without_id(struct connect *connect, struct engine_options *options)
{
	(void)options;
	connect->client_id = SPAN_NONE;
}

static void bad_will(struct connect *connect, struct engine_options *options)
{
	(void)options;
	connect->has_will = true;
	connect->will_topic = SPAN_LITERAL("a/#");
}

static void bad_utf8(struct connect *connect, struct engine_options *options)
{
	(void)options;
	connect->client_id = SPAN_LITERAL("\xff");
}

static void long_id(struct connect *connect, struct engine_options *options)
{
	static char id[65536];
	(void)options;
	memset(id, 'x', sizeof(id));
	connect->client_id = span_of(id, sizeof(id));
}

static void test_connect_that_cannot_be_is_refused(void **state)
{
	(void)state;
	static void (*const changes[])(struct connect *, struct engine_options *) = {
		without_id, /* and no clean session [MQTT-3.1.3-7] */
		bad_will, bad_utf8, long_id};
	for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
		struct client c;
		client_init(&c, MQTT_3_1_1, changes[i]);
		assert_null(c.engine);
	}
}

static void test_connack_byte_by_byte(void **state)
{
	(void)state;
	static const uint8_t connack[] = {0x20, 2, 1, 0};
	struct client c;
	begin(&c, MQTT_3_1_1, NULL);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(c.connected_count, 0);
		feed(&c, &connack[i], 1);
	}
	assert_int_equal(c.connected_count, 1);
	assert_true(c.session_present);
	assert_true(engine_is_connected(c.engine));
	client_release(&c);
}

static void test_refusals(void **state)
{
	(void)state;
	for (unsigned code = 1; code <= 5; code++) {
		struct client c;
		uint8_t connack[] = {0x20, 2, 0, (uint8_t)code};
		begin(&c, MQTT_3_1_1, NULL);
		feed(&c, connack, 4);
		OUTPUT(&c, "");
		assert_int_equal(c.connected_count, 0);
		end(&c, ENGINE_END_REFUSED);
		assert_int_equal(c.closed.reason_code, code);
	}
	struct client c;
	begin(&c, MQTT_5, NULL);
	FEED(&c, "\x20\x03\0\x87\0");
	OUTPUT(&c, "");
	end(&c, ENGINE_END_REFUSED);
	assert_int_equal(c.closed.reason_code, 0x87);
}

/* A 3.1.1 server answers a version 5 CONNECT in its own way. */
static void test_refusal_by_an_old_server(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_5, NULL);
	FEED(&c, "\x20\x02\0\x01");
	end(&c, ENGINE_END_REFUSED);
	assert_int_equal(c.closed.reason_code, REASON_UNSUPPORTED_PROTOCOL_VERSION);
}

/* --- sessions --- */

static void clean(struct connect *connect, struct engine_options *options)
{
	(void)options;
	connect->clean_start = true;
}

/* [MQTT-3.2.2-4] */
static void test_session_that_was_to_be_new_is_a_flaw(void **state)
{
	(void)state;
	for (size_t v = 1; v < ARRAY_COUNT(versions); v++) {
		struct client c;
		begin(&c, versions[v], clean);
		feed(&c, "\x20\x03\x01\0\0", versions[v] == MQTT_5 ? 5 : 0);
		if (versions[v] != MQTT_5)
			FEED(&c, "\x20\x02\x01\0");
		assert_int_equal(c.connected_count, 0);
		end(&c, ENGINE_END_FLAW);
	}
}

static bool is_clean(struct client *c)
{
	assert_int_equal(engine_connect(c->engine, c->now_ms), 0);
	struct span output = engine_output(c->engine);
	return output.ptr[2 + 2 + 4 + 1] & 2;
}

/* In version 5 a session that outlives the connection is resumed after a clean start. */
static void test_clean_start_is_for_the_first_connection(void **state)
{
	(void)state;
	struct client c;
	client_init(&c, MQTT_5, clean);
	assert_true(is_clean(&c));
	FEED(&c, "\x20\x03\0\0\0");
	engine_lost(c.engine, 0);
	assert_false(is_clean(&c));
	client_release(&c);

	client_init(&c, MQTT_3_1_1, clean); /* here the session ends with the connection */
	assert_true(is_clean(&c));
	FEED(&c, "\x20\x02\0\0");
	engine_lost(c.engine, 0);
	assert_true(is_clean(&c));
	client_release(&c);

	client_init(&c, MQTT_5, clean); /* and here, as the server says */
	assert_true(is_clean(&c));
	FEED(&c, "\x20\x08\0\0\x05\x11\0\0\0\0");
	engine_lost(c.engine, 0);
	assert_true(is_clean(&c));
	client_release(&c);
}

static void clean_without_id(struct connect *connect, struct engine_options *options)
{
	without_id(connect, options);
	connect->clean_start = true;
}

static void test_assigned_client_id_is_used_again(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_5, clean_without_id);
	FEED(&c, "\x20\x09\0\0\x06\x12\0\3new");
	assert_true(span_is_equal(engine_client_id(c.engine), SPAN_LITERAL("new")));
	engine_lost(c.engine, 0);
	assert_int_equal(engine_connect(c.engine, 0), 0);
	OUTPUT(&c, "\x10\x15\0\4MQTT\5\0\0\x3c\5\x11\0\0\x0e\x10\0\3new");
	client_release(&c);

	begin(&c, MQTT_5, NULL); /* has one */
	FEED(&c, "\x20\x09\0\0\x06\x12\0\3new");
	end(&c, ENGINE_END_FLAW);
}

/* --- keep alive --- */

static void test_ping_before_the_interval_is_over(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_3_1_1, NULL); /* 60 s, at 1000 ms */
	FEED(&c, "\x20\x02\0\0");
	assert_int_equal(engine_deadline(c.engine), 1000 + 59000);
	engine_tick(c.engine, 59999);
	OUTPUT(&c, "");
	engine_tick(c.engine, 60000);
	c.now_ms = 60000;
	OUTPUT(&c, "\xc0\0");
	assert_int_equal(engine_deadline(c.engine), 60000 + 60000);
	c.now_ms = 60500;
	FEED(&c, "\xd0\0");
	assert_int_equal(engine_deadline(c.engine), 60000 + 59000);
	client_release(&c);
}

static void test_no_answer_to_ping_ends_it(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_5, NULL);
	FEED(&c, "\x20\x03\0\0\0");
	engine_tick(c.engine, 60000);
	engine_sent(c.engine, 2, 60000);
	engine_tick(c.engine, 119999);
	assert_true(engine_is_connected(c.engine));
	engine_tick(c.engine, 120000);
	end(&c, ENGINE_END_SILENT);
}

static void test_no_connack_ends_it(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_3_1_1, NULL);
	assert_int_equal(engine_deadline(c.engine), 61000);
	engine_tick(c.engine, 60999);
	assert_false(engine_is_closing(c.engine));
	engine_tick(c.engine, 61000);
	end(&c, ENGINE_END_SILENT);
}

/* [MQTT-3.1.2-21] */
static void test_server_keep_alive_counts(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_5, NULL);
	FEED(&c, "\x20\x06\0\0\x03\x13\0\x02");
	assert_int_equal(engine_deadline(c.engine), 1000 + 1800);
	client_release(&c);
	begin(&c, MQTT_5, NULL);
	FEED(&c, "\x20\x06\0\0\x03\x13\0\0");
	assert_int_equal(engine_deadline(c.engine), UINT64_MAX);
	client_release(&c);
}

/* --- ends --- */

/* [MQTT-3.14.4-1] */
static void test_disconnect_is_the_last_word(void **state)
{
	(void)state;
	struct client c;
	struct disconnect packet = {.reason_code = REASON_DISCONNECT_WITH_WILL};
	begin(&c, MQTT_5, NULL);
	FEED(&c, "\x20\x03\0\0\0");
	engine_disconnect(c.engine, &packet);
	assert_int_equal(client_publish(&c, 1, 0), 0);
	engine_tick(c.engine, 1000000);
	FEED(&c, "\x32\x06\0\1a\0\1\0");
	OUTPUT(&c, "\xe0\x01\x04");
	assert_int_equal(c.delivery_count, 0);
	end(&c, ENGINE_END_DISCONNECTED);
}

static void test_disconnect_from_inside_a_handler(void **state)
{
	(void)state;
	struct client c;
	struct disconnect packet = {0};
	begin(&c, MQTT_3_1_1, NULL);
	FEED(&c, "\x20\x02\0\0");
	c.disconnects_on_message = &packet;
	FEED(&c, "\x32\x05\0\1a\0\1\x32\x05\0\1a\0\2");
	OUTPUT(&c, "\x40\x02\0\1\xe0\0"); /* acknowledged, and nothing behind */
	assert_int_equal(c.delivery_count, 1);
	end(&c, ENGINE_END_DISCONNECTED);
}

static void test_disconnect_by_the_server(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_5, NULL);
	FEED(&c, "\x20\x03\0\0\0\xe0\x02\x8b\0");
	OUTPUT(&c, "");
	end(&c, ENGINE_END_SERVER);
	assert_int_equal(c.closed.reason_code, REASON_SERVER_SHUTTING_DOWN);
	begin(&c, MQTT_3_1_1, NULL); /* where servers have no such packet */
	FEED(&c, "\x20\x02\0\0\xe0\0");
	end(&c, ENGINE_END_FLAW);
}

/* A stream that breaks before the last bytes are out was not ended as it should. */
static void test_unsent_goodbye_is_a_lost_connection(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_3_1_1, NULL);
	FEED(&c, "\x20\x02\0\0");
	assert_int_equal(client_publish(&c, 1, 0), 0);
	engine_disconnect(c.engine, NULL);
	engine_sent(c.engine, engine_output(c.engine).len - 1, 0);
	end(&c, ENGINE_END_LOST);
}

/* What a server must not send, and the reason that version 5 gets for it. */
static void test_flaws_of_the_server(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
		uint8_t reason;
	} rows[] = {
#define ROW(text, reason) {text, sizeof(text) - 1, reason}
		ROW("\x20\x03\0\0\0", 0x82),          /* CONNACK again */
		ROW("\x36\x08\0\1a\0\1\0xx", 0x81),   /* QoS 3 */
		ROW("\x38\x05\0\1a\0x", 0x81),        /* DUP at QoS 0 */
		ROW("\x30\x05\0\1\xff\0x", 0x81),     /* bad UTF-8 */
		ROW("\x30\x05\0\1#\0x", 0x90),        /* a wildcard */
		ROW("\x30\x04\0\0\0x", 0x82),         /* no topic, no alias */
		ROW("\x30\x07\0\1a\3\x23\0\1", 0x94), /* an alias we did not allow */
		ROW("\x32\x06\0\1a\0\0\0", 0x82),     /* packet id 0 */
		ROW("\x10\x00", 0x82),                /* only clients send these */
		ROW("\xc0\x00", 0x82),
		ROW("\x82\x06\0\1\0\0\0\0", 0x82),
		ROW("\xa2\x06\0\1\0\0\1a", 0x82),
		ROW("\x00\x00", 0x81),           /* no type */
		ROW("\x41\x02\0\1", 0x81),       /* reserved flags */
		ROW("\x60\x02\0\1", 0x81),       /* PUBREL without its flag */
		ROW("\x40\x04\0\1\x01\0", 0x82), /* not a reason of PUBACK */
		ROW("\x90\x04\0\1\0\0", 0x82),   /* answers to nothing */
		ROW("\xb0\x04\0\1\0\0", 0x82),
		ROW("\xf0\x02\x18\0", 0x82),           /* AUTH unasked */
		ROW("\x30\xff\xff\xff\xff\x01", 0x81), /* a length of five bytes */
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct client c;
		uint8_t wanted[] = {0xe0, 1, rows[i].reason};
		begin(&c, MQTT_5, NULL);
		FEED(&c, "\x20\x03\0\0\0");
		feed(&c, rows[i].bytes, rows[i].len);
		struct span output = engine_output(c.engine);
		if (output.len != 3 || memcmp(output.ptr, wanted, 3) != 0)
			fail_msg("row %zu: %zu bytes, reason 0x%02x", i, output.len,
				 output.len == 3 ? output.ptr[2] : 0);
		assert_non_null(c.engine);
		engine_sent(c.engine, 3, 0);
		end(&c, ENGINE_END_FLAW);
		assert_int_equal(c.closed.reason_code, rows[i].reason);
		assert_true(c.closed.text[0] != '\0');
		assert_int_equal(c.delivery_count, 0);
	}
}

static void test_flaws_are_not_told_in_3_1_1(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_3_1_1, NULL);
	FEED(&c, "\x20\x02\0\0\x36\x07\0\1a\0\1xx");
	OUTPUT(&c, "");
	end(&c, ENGINE_END_FLAW);
	begin(&c, MQTT_3_1_1, NULL);
	FEED(&c, "\x30\x03\0\1a"); /* before CONNACK */
	end(&c, ENGINE_END_FLAW);
}

static void small_packets(struct connect *connect, struct engine_options *options)
{
	(void)options;
	connect->properties.present |= UINT64_C(1) << PROPERTY_MAXIMUM_PACKET_SIZE |
				       UINT64_C(1) << PROPERTY_RECEIVE_MAXIMUM |
				       UINT64_C(1) << PROPERTY_TOPIC_ALIAS_MAXIMUM;
	connect->properties.maximum_packet_size = 30;
	connect->properties.receive_maximum = 2;
	connect->properties.topic_alias_maximum = 9;
}

static void test_announced_packet_size_is_held(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_5, small_packets);
	FEED(&c, "\x20\x03\0\0\0\x30\x1c\0\1a\0xxxxxxxxxxxxxxxxxxxxxxxx");
	assert_int_equal(c.delivery_count, 1);
	FEED(&c, "\x30\x1d"); /* refused before its bytes come */
	OUTPUT(&c, "\xe0\x01\x95");
	end(&c, ENGINE_END_FLAW);
}

static void test_announced_receive_maximum_is_held(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_5, small_packets);
	FEED(&c, "\x20\x03\0\0\0\x34\x06\0\1a\0\1\0\x34\x06\0\1a\0\2\0");
	FEED(&c, "\x3c\x06\0\1a\0\2\0"); /* the same again */
	FEED(&c, "\x32\x06\0\1a\0\3\0"); /* QoS 1 is answered at once */
	OUTPUT(&c, "\x50\x02\0\1\x50\x02\0\2\x50\x02\0\2\x40\x02\0\3");
	FEED(&c, "\x34\x06\0\1a\0\3\0");
	OUTPUT(&c, "\xe0\x01\x93");
	end(&c, ENGINE_END_FLAW);
}

/* [MQTT-4.9.0-1] A window is of one connection: a server that lost what it knew of message 1 sends
 * it again, though it has not yet come to 2 and 3. */
static void test_receive_maximum_begins_anew(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_5, small_packets);
	FEED(&c, "\x20\x03\0\0\0\x34\x06\0\1a\0\2\0\x34\x06\0\1a\0\3\0");
	engine_lost(c.engine, 0);
	assert_int_equal(engine_connect(c.engine, 0), 0);
	engine_sent(c.engine, engine_output(c.engine).len, 0);
	FEED(&c, "\x20\x03\1\0\0\x3c\x06\0\1a\0\1\0\x3c\x06\0\1a\0\2\0");
	OUTPUT(&c, "\x50\x02\0\1\x50\x02\0\2");
	assert_int_equal(c.delivery_count, 3);
	c.closed_count = 0; /* of the first connection */
	FEED(&c, "\x34\x06\0\1a\0\4\0\x34\x06\0\1a\0\5\0");
	OUTPUT(&c, "\x50\x02\0\4\xe0\x01\x93");
	end(&c, ENGINE_END_FLAW);
}

/* [MQTT-3.3.2-7, 3.3.2-10] */
static void test_topic_aliases_are_resolved(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_5, small_packets);
	FEED(&c, "\x20\x03\0\0\0\x30\x09\0\3one\3\x23\0\1\x30\x09\0\3two\3\x23\0\x09");
	FEED(&c, "\x30\x06\0\0\3\x23\0\1");
	assert_string_equal(c.topic, "one");
	FEED(&c, "\x30\x06\0\0\3\x23\0\x09");
	assert_string_equal(c.topic, "two");
	FEED(&c, "\x30\x07\0\1x\3\x23\0\1\x30\x06\0\0\3\x23\0\1"); /* set anew */
	assert_string_equal(c.topic, "x");
	assert_int_equal(c.delivery_count, 6);
	engine_lost(c.engine, 0);
	assert_int_equal(engine_connect(c.engine, 0), 0);
	FEED(&c, "\x20\x03\0\0\0\x30\x06\0\0\3\x23\0\1"); /* another connection knows none */
	assert_true(engine_is_closing(c.engine));
	assert_int_equal(c.delivery_count, 6);
	client_release(&c);
}

static void test_alias_beyond_the_maximum_is_a_flaw(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_5, small_packets);
	FEED(&c, "\x20\x03\0\0\0\x30\x07\0\1a\3\x23\0\x0a");
	OUTPUT(&c, "\xe0\x01\x94");
	end(&c, ENGINE_END_FLAW);
}

/* A server that never reads its answers gets no more attention. */
static void test_input_waits_while_output_piles_up(void **state)
{
	(void)state;
	struct client c;
	uint8_t packet[8] = "\x34\x06\0\1a";
	uint32_t count = 0;
	begin(&c, MQTT_5, NULL);
	FEED(&c, "\x20\x03\0\0\0");
	while (engine_wants_input(c.engine)) {
		store_u16(packet + 5, (uint16_t)(1 + count++ % 65535));
		feed(&c, packet, 8);
		assert_true(count < 1000000);
	}
	struct span output = engine_output(c.engine);
	assert_true(output.len < (size_t)300 << 10);
	engine_sent(c.engine, output.len / 2, 0);
	assert_true(engine_wants_input(c.engine));
	client_release(&c);
}

static void held_messages(struct connect *connect, struct engine_options *options)
{
	(void)connect;
	options->holds_until_release = true;
}

/* [3.1.1 MQTT-4.8.0-2] */
static void test_no_memory_for_a_message_ends_the_connection(void **state)
{
	(void)state;
	struct client c;
	begin(&c, MQTT_3_1_1, held_messages);
	FEED(&c, "\x20\x02\0\0");
	mem_fail_after(1);
	FEED(&c, "\x34\x06\0\1a\0\1x");
	assert_true(mem_has_failed());
	mem_fail_after(0);
	assert_int_equal(c.delivery_count, 0);
	end(&c, ENGINE_END_NO_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect_carries_all_fields),
		cmocka_unit_test(test_connect_that_cannot_be_is_refused),
		cmocka_unit_test(test_connack_byte_by_byte),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_refusal_by_an_old_server),
		cmocka_unit_test(test_session_that_was_to_be_new_is_a_flaw),
		cmocka_unit_test(test_clean_start_is_for_the_first_connection),
		cmocka_unit_test(test_assigned_client_id_is_used_again),
		cmocka_unit_test(test_ping_before_the_interval_is_over),
		cmocka_unit_test(test_no_answer_to_ping_ends_it),
		cmocka_unit_test(test_no_connack_ends_it),
		cmocka_unit_test(test_server_keep_alive_counts),
		cmocka_unit_test(test_disconnect_is_the_last_word),
		cmocka_unit_test(test_disconnect_from_inside_a_handler),
		cmocka_unit_test(test_disconnect_by_the_server),
		cmocka_unit_test(test_unsent_goodbye_is_a_lost_connection),
		cmocka_unit_test(test_flaws_of_the_server),
		cmocka_unit_test(test_flaws_are_not_told_in_3_1_1),
		cmocka_unit_test(test_announced_packet_size_is_held),
		cmocka_unit_test(test_announced_receive_maximum_is_held),
		cmocka_unit_test(test_receive_maximum_begins_anew),
		cmocka_unit_test(test_topic_aliases_are_resolved),
		cmocka_unit_test(test_alias_beyond_the_maximum_is_a_flaw),
		cmocka_unit_test(test_input_waits_while_output_piles_up),
		cmocka_unit_test(test_no_memory_for_a_message_ends_the_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
