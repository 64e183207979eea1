/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that wait: what is left of the Message Expiry Interval, and none of those that are over
 * ([5] 3.3.2.3.3). */
#include "server.h"

#define INTERVAL 10

static struct server s;
static struct client c;

static void begin(uint8_t version)
{
	server_init(&s, version);
	client_init(&c, version, NULL);
}

static void end(void)
{
	client_release(&c);
	server_release(&s);
}

static void put(uint32_t number, uint8_t qos)
{
	uint8_t payload[4];
	store_u32(payload, number);
	struct publish p = {.qos = qos,
			    .topic = SPAN_LITERAL("a"),
			    .payload = span_of(payload, 4),
			    .properties.present = UINT64_C(1) << PROPERTY_MESSAGE_EXPIRY_INTERVAL,
			    .properties.message_expiry_interval = INTERVAL};
	assert_int_equal(engine_publish(c.engine, &p, number), 0);
}

static void publish(uint32_t number, uint8_t qos, uint64_t now_ms)
{
	engine_set_now(c.engine, now_ms);
	put(number, qos);
}

/* The interval that the next PUBLISH says; the output ends with it. */
static uint32_t interval_said(void)
{
	struct fixed_header header;
	const struct flaw *flaw;
	struct publish p;
	struct span output = engine_output(c.engine);
	assert_int_equal(fixed_header_decode(output, &header, &flaw), HEADER_OK);
	assert_int_equal(header.type, PACKET_PUBLISH);
	struct span body = span_of(output.ptr + header.header_len, header.remaining_length);
	assert_null(publish_decode(header.flags, body, MQTT_5, &p));
	assert_true(properties_has(&p.properties, PROPERTY_MESSAGE_EXPIRY_INTERVAL));
	return p.properties.message_expiry_interval;
}

static void connect_at(uint64_t now_ms)
{
	c.now_ms = now_ms;
	assert_int_equal(engine_connect(c.engine, now_ms), 0);
	engine_sent(c.engine, engine_output(c.engine).len, now_ms);
	engine_input(c.engine, span_of("\x20\x03\0\0\0", 5), now_ms);
}

static void test_at_once_it_is_whole(void **state)
{
	(void)state;
	begin(MQTT_5);
	connect_at(5000);
	publish(1, 1, 5000);
	assert_int_equal(interval_said(), INTERVAL);
	end();
}

static void test_what_waited_says_what_is_left(void **state)
{
	(void)state;
	begin(MQTT_5);
	publish(1, 1, 5000);
	connect_at(8000);
	assert_int_equal(interval_said(), INTERVAL - 3);
	end();
}

static void test_what_is_over_is_not_sent(void **state)
{
	(void)state;
	begin(MQTT_5);
	publish(1, 1, 5000);
	publish(2, 1, 9000);
	connect_at(5000 + INTERVAL * 1000 + 1);
	assert_int_equal(c.published[1], 1);
	assert_true(c.last_published.is_expired);
	assert_false(c.last_published.was_sent);
	assert_int_equal(c.published[2], 0);
	assert_int_equal(interval_said(), INTERVAL - 6);
	assert_int_equal(engine_unfinished(c.engine), 1);
	end();
}

/* Its exchange has begun, and is finished. */
static void test_what_was_sent_is_sent_again(void **state)
{
	(void)state;
	begin(MQTT_5);
	connect_at(5000);
	publish(1, 2, 5000);
	engine_sent(c.engine, engine_output(c.engine).len, 5000);
	engine_lost(c.engine, 6000);
	c.now_ms = 60000;
	assert_int_equal(engine_connect(c.engine, 60000), 0);
	engine_sent(c.engine, engine_output(c.engine).len, 60000);
	engine_input(c.engine, span_of("\x20\x03\1\0\0", 5), 60000);
	assert_int_equal(c.published[1], 0);
	assert_int_equal(interval_said(), 0);
	end();
}

/* 3.x has no such property, and an engine that knows no time lets everything wait. */
static void test_what_never_expires(void **state)
{
	(void)state;
	begin(MQTT_3_1_1);
	publish(1, 1, 5000);
	assert_int_equal(engine_connect(c.engine, 90000), 0);
	engine_sent(c.engine, engine_output(c.engine).len, 90000);
	engine_input(c.engine, span_of("\x20\x02\0\0", 4), 90000);
	assert_true(engine_output(c.engine).len > 0);
	end();
	begin(MQTT_5);
	put(1, 1);
	connect_at(90000);
	assert_int_equal(interval_said(), INTERVAL);
	assert_int_equal(c.published[1], 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once_it_is_whole),
		cmocka_unit_test(test_what_waited_says_what_is_left),
		cmocka_unit_test(test_what_is_over_is_not_sent),
		cmocka_unit_test(test_what_was_sent_is_sent_again),
		cmocka_unit_test(test_what_never_expires),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
