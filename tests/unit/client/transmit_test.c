/* SPDX-License-Identifier: Apache-2.0 */
/* What goes out: the server's limits, the window, the queue, requests and their ids. */
#include "server.h"

#include "base/mem.h"

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

/* Connected, CONNECT sent; `connack` is a literal. */
static void begin(struct client *c, uint8_t version, const void *connack, size_t len,
		  void (*changes)(struct connect *, struct engine_options *))
{
	client_init(c, version, changes);
	assert_int_equal(engine_connect(c->engine, c->now_ms), 0);
	engine_sent(c->engine, engine_output(c->engine).len, c->now_ms);
	feed(c, connack, len);
	assert_true(engine_is_connected(c->engine));
}

#define BEGIN(c, version, connack) begin(c, version, connack, sizeof(connack) - 1, NULL)
#define BEGIN_3(c) BEGIN(c, MQTT_3_1_1, "\x20\x02\0\0")
#define BEGIN_5(c) BEGIN(c, MQTT_5, "\x20\x03\0\0\0")

static int publish(struct client *c, struct publish p, uint32_t token)
{
	return engine_publish(c->engine, &p, token);
}

#define LOADED(bytes, ...)                                                                         \
	(struct publish)                                                                           \
	{                                                                                          \
		.topic = SPAN_LITERAL("a"), .payload = bytes, __VA_ARGS__                          \
	}
#define MESSAGE(...) LOADED(SPAN_LITERAL("x"), __VA_ARGS__)

/* --- publishing --- */

static void test_publish_on_the_wire(void **state)
{
	(void)state;
	struct client c;
	BEGIN_3(&c);
	assert_int_equal(publish(&c, MESSAGE(.qos = 0, .dup = true, .packet_id = 9), 1), 0);
	OUTPUT(&c, "\x30\x04\0\1ax"); /* no id, no DUP [MQTT-2.2.1-2, 3.3.1-2] */
	assert_int_equal(c.published[1], 1);
	assert_int_equal(publish(&c, MESSAGE(.qos = 1, .retain = true), 2), 0);
	OUTPUT(&c, "\x33\x06\0\1a\0\1x");
	assert_int_equal(publish(&c, MESSAGE(.qos = 2), 3), 0);
	OUTPUT(&c, "\x34\x06\0\1a\0\2x");
	FEED(&c, "\x40\x02\0\1");
	assert_int_equal(c.published[2], 1);
	FEED(&c, "\x50\x02\0\2");
	OUTPUT(&c, "\x62\x02\0\2");
	assert_int_equal(c.published[3], 0);
	assert_int_equal(engine_unfinished(c.engine), 1);
	FEED(&c, "\x70\x02\0\2");
	assert_int_equal(c.published[3], 1);
	assert_int_equal(engine_unfinished(c.engine), 0);
	client_release(&c);
}

static void test_publish_carries_properties(void **state)
{
	(void)state;
	struct client c;
	BEGIN_5(&c);
	struct publish p = MESSAGE(.qos = 1);
	p.properties.present = UINT64_C(1) << PROPERTY_CONTENT_TYPE |
			       UINT64_C(1) << PROPERTY_MESSAGE_EXPIRY_INTERVAL;
	p.properties.message_expiry_interval = 7;
	p.properties.content_type = SPAN_LITERAL("t");
	p.properties.user = SPAN_LITERAL("\x26\0\1n\0\1v\x26\0\1n\0\1w");
	assert_int_equal(publish(&c, p, 1), 0);
	OUTPUT(&c, "\x32\x1e\0\1a\0\1\x17\x02\0\0\0\7\x03\0\1t\x26\0\1n\0\1v\x26\0\1n\0\1wx");
	client_release(&c);
}

static void test_publish_refuses_what_mqtt_cannot_carry(void **state)
{
	(void)state;
	static char long_topic[65537];
	memset(long_topic, 'x', sizeof(long_topic));
	struct client c;
	BEGIN_5(&c);
	assert_int_equal(publish(&c, MESSAGE(.qos = 3), 1), ERROR_INVALID);
	assert_int_equal(publish(&c, (struct publish){.topic = SPAN_NONE}, 1), ERROR_INVALID);
	static const char *const topics[] = {"a/+", "#", "a\xff"};
	for (size_t i = 0; i < ARRAY_COUNT(topics); i++)
		assert_int_equal(publish(&c, (struct publish){.topic = span_of_text(topics[i])}, 1),
				 ERROR_INVALID);
	struct publish p = {.topic = span_of(long_topic, 65536)};
	assert_int_equal(publish(&c, p, 1), ERROR_INVALID);
	p = MESSAGE(.qos = 0);
	p.payload = span_of(long_topic, REMAINING_LENGTH_MAX); /* is not read that far */
	assert_int_equal(publish(&c, p, 1), ERROR_INVALID);
	p = MESSAGE(.qos = 0); /* [MQTT-3.3.4-6] */
	p.properties.present = UINT64_C(1) << PROPERTY_SUBSCRIPTION_IDENTIFIER;
	p.properties.subscription_identifier = 1;
	assert_int_equal(publish(&c, p, 1), ERROR_INVALID);
	p = MESSAGE(.qos = 0); /* [MQTT-3.3.2-14] */
	p.properties.present = UINT64_C(1) << PROPERTY_RESPONSE_TOPIC;
	p.properties.response_topic = SPAN_LITERAL("a/#");
	assert_int_equal(publish(&c, p, 1), ERROR_INVALID);
	OUTPUT(&c, "");
	assert_int_equal(engine_unfinished(c.engine), 0);
	client_release(&c);
}

static void check_refused(struct client *c, uint32_t token, uint8_t reason)
{
	OUTPUT(c, "");
	assert_int_equal(c->published[token], 1);
	assert_int_equal(c->last_published.reason_code, reason);
	assert_false(c->last_published.was_sent);
	assert_int_equal(engine_unfinished(c->engine), 0);
}

/* [MQTT-3.2.2-11] */
static void test_maximum_qos_is_respected(void **state)
{
	(void)state;
	struct client c;
	BEGIN(&c, MQTT_5, "\x20\x05\0\0\x02\x24\x01");
	assert_int_equal(publish(&c, MESSAGE(.qos = 2), 1), 0);
	check_refused(&c, 1, REASON_QOS_NOT_SUPPORTED);
	assert_int_equal(publish(&c, MESSAGE(.qos = 1), 2), 0);
	OUTPUT(&c, "\x32\x07\0\1a\0\1\0x");
	client_release(&c);
}

/* [MQTT-3.2.2-15] */
static void test_maximum_packet_size_is_respected(void **state)
{
	(void)state;
	struct client c;
	BEGIN(&c, MQTT_5, "\x20\x08\0\0\x05\x27\0\0\0\x0a");
	assert_int_equal(publish(&c, LOADED(SPAN_LITERAL("xxx"), .qos = 1), 1), 0);
	check_refused(&c, 1, REASON_PACKET_TOO_LARGE);
	assert_int_equal(publish(&c, LOADED(SPAN_LITERAL("xx"), .qos = 1), 2), 0);
	OUTPUT(&c, "\x32\x08\0\1a\0\1\0xx");
	uint8_t filters[] = {0, 3, 'a', 'b', 'c', 0};
	struct subscribe request = {.filters = span_of(filters, sizeof(filters))};
	assert_int_equal(engine_subscribe(c.engine, &request, 1), ERROR_LIMIT);
	OUTPUT(&c, "");
	client_release(&c);
}

/* [MQTT-3.2.2-14] */
static void test_retain_is_dropped_where_it_is_not_available(void **state)
{
	(void)state;
	struct client c;
	BEGIN(&c, MQTT_5, "\x20\x05\0\0\x02\x25\x00");
	assert_int_equal(publish(&c, MESSAGE(.qos = 0, .retain = true), 1), 0);
	OUTPUT(&c, "\x30\x05\0\1a\0x");
	client_release(&c);
}

static struct publish with_alias(uint16_t alias)
{
	struct publish p = MESSAGE(.qos = 0);
	p.properties.present = UINT64_C(1) << PROPERTY_TOPIC_ALIAS |
			       UINT64_C(1) << PROPERTY_PAYLOAD_FORMAT_INDICATOR;
	p.properties.topic_alias = alias;
	p.properties.payload_format_indicator = 1;
	p.properties.user = SPAN_LITERAL("\x26\0\1n\0\1v");
	return p;
}

/* [MQTT-3.2.2-17, 3.2.2-18] */
static void test_alias_beyond_the_maximum_is_left_out(void **state)
{
	(void)state;
	struct client c;
	BEGIN(&c, MQTT_5, "\x20\x06\0\0\x03\x22\0\x05");
	assert_int_equal(publish(&c, with_alias(5), 1), 0);
	OUTPUT(&c, "\x30\x11\0\1a\x0c\x01\x01\x23\0\x05\x26\0\1n\0\1vx");
	assert_int_equal(publish(&c, with_alias(6), 2), 0);
	OUTPUT(&c, "\x30\x0e\0\1a\x09\x01\x01\x26\0\1n\0\1vx");
	client_release(&c);
	BEGIN_5(&c);
	assert_int_equal(publish(&c, with_alias(1), 1), 0);
	OUTPUT(&c, "\x30\x0e\0\1a\x09\x01\x01\x26\0\1n\0\1vx");
	client_release(&c);
}

/* [MQTT-3.3.4-7] */
static void test_receive_maximum_is_the_window(void **state)
{
	(void)state;
	struct client c;
	BEGIN(&c, MQTT_5, "\x20\x06\0\0\x03\x21\0\x02");
	for (uint32_t i = 1; i <= 4; i++)
		assert_int_equal(publish(&c, MESSAGE(.qos = 2), i), 0);
	OUTPUT(&c, "\x34\x07\0\1a\0\1\0x\x34\x07\0\1a\0\2\0x");
	FEED(&c, "\x50\x02\0\1");
	OUTPUT(&c, "\x62\x02\0\1");      /* not held back by the full window */
	FEED(&c, "\x32\x06\0\1a\0\7\0"); /* nor are other packets */
	OUTPUT(&c, "\x40\x02\0\7");
	FEED(&c, "\x70\x02\0\1");
	OUTPUT(&c, "\x34\x07\0\1a\0\3\0x");
	FEED(&c, "\x50\x04\0\2\x87\0"); /* an error ends the exchange too */
	OUTPUT(&c, "\x34\x07\0\1a\0\4\0x");
	assert_int_equal(c.published[2], 1);
	assert_int_equal(c.last_published.reason_code, 0x87);
	assert_true(c.last_published.was_sent);
	client_release(&c);
}

static void small_queue(struct connect *connect, struct engine_options *options)
{
	(void)connect;
	options->queue_messages_max = 3;
	options->queue_bytes_max = 100;
	options->inflight_max = 1;
}

static void test_queue_is_bounded(void **state)
{
	(void)state;
	static const char payload[90];
	struct client c;
	begin(&c, MQTT_3_1_1, "\x20\x02\0\0", 4, small_queue);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(publish(&c, MESSAGE(.qos = 1), i), 0);
	assert_int_equal(publish(&c, MESSAGE(.qos = 1), 4), ERROR_AGAIN);
	assert_int_equal(engine_unfinished(c.engine), 3);
	OUTPUT(&c, "\x32\x06\0\1a\0\1x"); /* one in flight */
	FEED(&c, "\x40\x02\0\1");
	assert_int_equal(publish(&c, MESSAGE(.qos = 1), 4), 0);
	FEED(&c, "\x40\x02\0\2");
	FEED(&c, "\x40\x02\0\3");
	struct publish large = LOADED(span_of(payload, sizeof(payload)), .qos = 1);
	assert_int_equal(publish(&c, large, 5), ERROR_AGAIN); /* 8 + 97 bytes are too many */
	FEED(&c, "\x40\x02\0\4");
	large.payload = span_of(payload, 90);
	assert_int_equal(engine_unfinished(c.engine), 0);
	assert_int_equal(publish(&c, large, 5), 0); /* alone it may be larger than the limit */
	client_release(&c);
}

/* Messages taken before the connection wait for it. */
static void test_queue_waits_for_the_connection(void **state)
{
	(void)state;
	struct client c;
	client_init(&c, MQTT_3_1_1, NULL);
	assert_int_equal(publish(&c, MESSAGE(.qos = 0), 1), 0);
	assert_int_equal(publish(&c, MESSAGE(.qos = 1), 2), 0);
	OUTPUT(&c, "");
	assert_int_equal(engine_connect(c.engine, 0), 0);
	engine_sent(c.engine, engine_output(c.engine).len, 0);
	OUTPUT(&c, "");
	FEED(&c, "\x20\x02\0\0");
	OUTPUT(&c, "\x30\x04\0\1ax\x32\x06\0\1a\0\1x");
	client_release(&c);
}

/* What a server without our session has to be sent anew was published first [MQTT-4.6.0-1]. */
static void test_what_was_sent_goes_before_the_queue(void **state)
{
	(void)state;
	struct client c;
	BEGIN(&c, MQTT_5, "\x20\x06\0\0\x03\x21\0\x01");
	assert_int_equal(publish(&c, MESSAGE(.qos = 1), 1), 0);
	assert_int_equal(publish(&c, LOADED(SPAN_LITERAL("y"), .qos = 1), 2), 0);
	OUTPUT(&c, "\x32\x07\0\1a\0\1\0x");
	engine_lost(c.engine, 0);
	assert_int_equal(engine_connect(c.engine, 0), 0);
	engine_sent(c.engine, engine_output(c.engine).len, 0);
	FEED(&c, "\x20\x06\0\0\x03\x21\0\x01");
	OUTPUT(&c, "\x32\x07\0\1a\0\2\0x");
	FEED(&c, "\x40\x02\0\2");
	OUTPUT(&c, "\x32\x07\0\1a\0\3\0y");
	client_release(&c);
}

/* A server may come back with less. */
static void test_resend_respects_new_limits(void **state)
{
	(void)state;
	struct client c;
	BEGIN_5(&c);
	assert_int_equal(publish(&c, LOADED(SPAN_LITERAL("xxxxx"), .qos = 1), 1), 0);
	assert_int_equal(publish(&c, MESSAGE(.qos = 1, .retain = true), 2), 0);
	assert_int_equal(publish(&c, MESSAGE(.qos = 2), 3), 0);
	engine_lost(c.engine, 0);
	assert_int_equal(engine_connect(c.engine, 0), 0);
	engine_sent(c.engine, engine_output(c.engine).len, 0);
	FEED(&c, "\x20\x0c\1\0\x09\x27\0\0\0\x0b\x25\0\x24\x01");
	OUTPUT(&c, "\x3a\x07\0\1a\0\2\0x");
	assert_int_equal(c.published[1], 1);
	assert_int_equal(c.published[3], 1);
	assert_int_equal(c.last_published.reason_code, REASON_QOS_NOT_SUPPORTED);
	FEED(&c, "\x40\x02\0\2");
	assert_int_equal(engine_unfinished(c.engine), 0);
	client_release(&c);
}

/* --- requests --- */

static const uint8_t two_filters[] = {0, 1, 'a', 1, 0, 3, 'b', '/', '#', 2};

static int subscribe(struct client *c, const void *filters, size_t len, uint32_t token)
{
	struct subscribe request = {.packet_id = 99, .filters = span_of(filters, len)};
	return engine_subscribe(c->engine, &request, token);
}

static int unsubscribe(struct client *c, const void *filters, size_t len, uint32_t token)
{
	struct unsubscribe request = {.filters = span_of(filters, len)};
	return engine_unsubscribe(c->engine, &request, token);
}

static void test_subscribe_and_its_answer(void **state)
{
	(void)state;
	struct client c;
	BEGIN_3(&c);
	assert_int_equal(subscribe(&c, two_filters, 10, 7), 0);
	OUTPUT(&c, "\x82\x0c\0\1\0\1a\1\0\3b/#\2");
	assert_int_equal(unsubscribe(&c, "\0\1a", 3, 8), 0);
	OUTPUT(&c, "\xa2\x05\0\2\0\1a");
	FEED(&c, "\xb0\x02\0\2");
	assert_int_equal(c.answered.token, 8);
	FEED(&c, "\x90\x04\0\1\1\x80");
	assert_int_equal(c.answered.token, 7);
	assert_int_equal(c.answered_count, 2);
	assert_int_equal(c.codes_len, 2);
	assert_memory_equal(c.codes, "\1\x80", 2);
	client_release(&c);
}

/* [MQTT-2.2.1-3] */
static void test_requests_and_messages_share_the_ids(void **state)
{
	(void)state;
	struct client c;
	BEGIN_3(&c);
	assert_int_equal(subscribe(&c, two_filters, 4, 1), 0);
	OUTPUT(&c, "\x82\x06\0\1\0\1a\1");
	assert_int_equal(publish(&c, MESSAGE(.qos = 1), 1), 0);
	OUTPUT(&c, "\x32\x06\0\1a\0\2x");
	/* round once: neither id is given again while it is in use */
	for (uint32_t i = 0; i < 65533; i++) {
		uint8_t puback[4] = {0x40, 2};
		assert_int_equal(publish(&c, MESSAGE(.qos = 1), 2), 0);
		struct span output = engine_output(c.engine);
		assert_int_equal(output.len, 8);
		memcpy(puback + 2, output.ptr + 5, 2);
		assert_int_equal(load_u16(puback + 2), i + 3);
		engine_sent(c.engine, 8, 0);
		feed(&c, puback, 4);
		c.published[2] = 0;
	}
	FEED(&c, "\x40\x02\0\2"); /* the window may move on, the SUBSCRIBE still waits */
	assert_int_equal(publish(&c, MESSAGE(.qos = 1), 3), 0);
	OUTPUT(&c, "\x32\x06\0\1a\0\2x");
	FEED(&c, "\x90\x03\0\1\1");
	assert_int_equal(c.answered_count, 1);
	client_release(&c);
}

static void test_requests_that_cannot_be_sent(void **state)
{
	(void)state;
	struct client c;
	client_init(&c, MQTT_5, NULL);
	assert_int_equal(subscribe(&c, two_filters, 10, 1), ERROR_CLOSED);
	assert_int_equal(unsubscribe(&c, "\0\1a", 3, 1), ERROR_CLOSED);
	client_release(&c);
	BEGIN_5(&c);
	assert_int_equal(subscribe(&c, "", 0, 1), ERROR_INVALID); /* [MQTT-3.8.3-2] */
	assert_int_equal(subscribe(&c, "\0\0\0", 3, 1), ERROR_INVALID);
	assert_int_equal(subscribe(&c, "\0\2a#\0", 5, 1), ERROR_INVALID);
	assert_int_equal(subscribe(&c, "\0\1a\3", 4, 1), ERROR_INVALID);
	assert_int_equal(subscribe(&c, "\0\1\xff\0", 4, 1), ERROR_INVALID);
	/* [MQTT-3.8.3-4] */
	assert_int_equal(subscribe(&c, "\0\x0a$share/g/a\4", 13, 1), ERROR_INVALID);
	assert_int_equal(unsubscribe(&c, "", 0, 1), ERROR_INVALID);
	assert_int_equal(unsubscribe(&c, "\0\2#a", 4, 1), ERROR_INVALID);
	OUTPUT(&c, "");
	assert_int_equal(subscribe(&c, "\0\x0a$share/g/a\1", 13, 1), 0);
	client_release(&c);
}

static void test_subscriptions_that_the_server_does_not_know(void **state)
{
	(void)state;
	struct client c;
	BEGIN(&c, MQTT_5, "\x20\x09\0\0\x06\x28\0\x29\0\x2a\0");
	assert_int_equal(subscribe(&c, "\0\1+\0", 4, 1), ERROR_INVALID);
	assert_int_equal(subscribe(&c, "\0\x0a$share/g/a\1", 13, 1), ERROR_INVALID);
	struct subscribe request = {.filters = span_of("\0\1a\0", 4)};
	request.properties.present = UINT64_C(1) << PROPERTY_SUBSCRIPTION_IDENTIFIER;
	request.properties.subscription_identifier = 5;
	assert_int_equal(engine_subscribe(c.engine, &request, 1), ERROR_INVALID);
	OUTPUT(&c, "");
	client_release(&c);
	BEGIN_5(&c);
	assert_int_equal(engine_subscribe(c.engine, &request, 1), 0);
	OUTPUT(&c, "\x82\x09\0\1\2\x0b\5\0\1a\0");
	client_release(&c);
}

static void test_wrong_answers_to_requests(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{"\x90\x04\0\2\1\1", 6}, /* another id */
		{"\x90\x03\0\1\1", 5},   /* a code too few */
		{"\x90\x05\0\1\1\1\1", 7},
		{"\xb0\x02\0\1", 4}, /* the answer to UNSUBSCRIBE */
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct client c;
		BEGIN_3(&c);
		assert_int_equal(subscribe(&c, two_filters, 10, 1), 0);
		feed(&c, rows[i].bytes, rows[i].len);
		assert_int_equal(c.answered_count, 0);
		assert_true(engine_is_closing(c.engine));
		client_release(&c);
	}
}

static void test_requests_are_bounded_and_forgotten(void **state)
{
	(void)state;
	struct client c;
	int error;
	uint32_t count = 0;
	BEGIN_3(&c);
	while ((error = subscribe(&c, two_filters, 4, 1)) == 0)
		assert_true(++count < 10000);
	assert_int_equal(error, ERROR_LIMIT);
	engine_lost(c.engine, 0);
	assert_int_equal(engine_connect(c.engine, 0), 0);
	FEED(&c, "\x20\x02\0\0");
	assert_int_equal(subscribe(&c, two_filters, 4, 1), 0);
	client_release(&c);
}

/* --- memory --- */

static void narrow(struct connect *connect, struct engine_options *options)
{
	connect->clean_start = true;
	connect->properties.present |= UINT64_C(1) << PROPERTY_TOPIC_ALIAS_MAXIMUM;
	connect->properties.topic_alias_maximum = 10;
	options->inflight_max = 3;
	options->holds_until_release = true;
}

/* Everything an engine does, over three connections; without memory it may end early. */
static void live(struct client *c, struct server *s)
{
	for (int connection = 0; connection < 3; connection++) {
		if (engine_connect(c->engine, 0))
			continue;
		pass(c, s);
		(void)!subscribe(c, two_filters, 10, 1);
		for (uint32_t i = 1; i <= 8; i++)
			(void)!client_publish(c, i, i % 3);
		(void)!publish(c, with_alias(6), 9);
		for (uint32_t i = 1; s->is_connected && i <= 8; i++)
			(void)!server_publish(s, i, i % 3);
		if (s->is_connected)
			server_write(s, "\x30\x09\0\3one\3\x23\0\1\x30\x06\0\0\3\x23\0\1", 19);
		if (connection == 1)
			cut_now(c, s);
		pass(c, s);
		(void)!unsubscribe(c, "\0\1a", 3, 1);
		pass(c, s);
		cut_now(c, s);
	}
}

static void test_each_allocation_fails(void **state)
{
	(void)state;
	static struct server s;
	unsigned long countdown = 1;
	bool has_failed = true;
	mem_count_start();
	for (; has_failed; countdown++) {
		struct client c;
		server_init(&s, MQTT_5);
		mem_fail_after(countdown);
		client_init(&c, MQTT_5, narrow);
		if (c.engine)
			live(&c, &s);
		has_failed = mem_has_failed();
		mem_fail_after(0);
		if (!has_failed) /* all that was under way before the cut was finished after it */
			for (uint32_t i = 1; i <= 8; i++)
				assert_true(s.arrived[i] >= 1);
		client_release(&c);
		server_release(&s);
		assert_int_equal(mem_count_live(), 0);
		assert_true(countdown < 10000);
	}
	assert_true(countdown > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publish_on_the_wire),
		cmocka_unit_test(test_publish_carries_properties),
		cmocka_unit_test(test_publish_refuses_what_mqtt_cannot_carry),
		cmocka_unit_test(test_maximum_qos_is_respected),
		cmocka_unit_test(test_maximum_packet_size_is_respected),
		cmocka_unit_test(test_retain_is_dropped_where_it_is_not_available),
		cmocka_unit_test(test_alias_beyond_the_maximum_is_left_out),
		cmocka_unit_test(test_receive_maximum_is_the_window),
		cmocka_unit_test(test_queue_is_bounded),
		cmocka_unit_test(test_queue_waits_for_the_connection),
		cmocka_unit_test(test_what_was_sent_goes_before_the_queue),
		cmocka_unit_test(test_resend_respects_new_limits),
		cmocka_unit_test(test_subscribe_and_its_answer),
		cmocka_unit_test(test_requests_and_messages_share_the_ids),
		cmocka_unit_test(test_requests_that_cannot_be_sent),
		cmocka_unit_test(test_subscriptions_that_the_server_does_not_know),
		cmocka_unit_test(test_wrong_answers_to_requests),
		cmocka_unit_test(test_requests_are_bounded_and_forgotten),
		cmocka_unit_test(test_each_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
