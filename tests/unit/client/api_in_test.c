/* SPDX-License-Identifier: Apache-2.0 */
/* include/nightjar/client.h in the caller's loop: subscriptions and messages that come. */
#include "app.h"

#include "mqtt/reason.h"

/* --- subscribe --- */

static const struct nj_subscription two[] = {{.filter = "a/#", .qos = 1},
					     {.filter = "b", .qos = 2}};

static void test_subscribe_and_unsubscribe(void **state)
{
	(void)state;
	nj_delivery *d;
	app_begin(NJ_MQTT_5);
	assert_int_equal(nj_subscribe(app.client, two, 2, NULL, 0, &d), 0);
	assert_int_equal(nj_delivery_reason_codes(d).len, 0);
	settle(&app.host, app.client);
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_ACKNOWLEDGED);
	assert_int_equal(nj_delivery_reason_codes(d).len, 2);
	assert_memory_equal(nj_delivery_reason_codes(d).ptr, "\1\2", 2);
	nj_delivery_free(d);
	assert_int_equal(nj_unsubscribe(app.client, &two[0].filter, 1, &d), 0);
	settle(&app.host, app.client);
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_ACKNOWLEDGED);
	nj_delivery_free(d);
	assert_int_equal(app.host.server.packet_count[PACKET_UNSUBSCRIBE], 1);
	struct nj_subscription bad = {.filter = "a/#/b"};
	assert_int_equal(nj_subscribe(app.client, &bad, 1, NULL, 0, NULL), NJ_ERROR_INVALID);
	assert_int_equal(nj_subscribe(app.client, two, 0, NULL, 0, NULL), NJ_ERROR_INVALID);
	app_end();
}

static void test_subscriptions_are_made_again(void **state)
{
	(void)state;
	static const struct nj_property identifier[] = {NJ_NUMBER(NJ_SUBSCRIPTION_IDENTIFIER, 5)};
	static const char *const ended[] = {"b"};
	app_prepare(NJ_MQTT_5);
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	/* before there is a connection */
	assert_int_equal(nj_subscribe(app.client, two, 2, NULL, 0, NULL), 0);
	assert_int_equal(nj_subscribe(app.client, two, 1, identifier, 1, NULL), 0);
	nj_connect(app.client, 0);
	settle(&app.host, app.client);
	assert_int_equal(app.host.server.packet_count[PACKET_SUBSCRIBE], 2);
	assert_int_equal(nj_unsubscribe(app.client, ended, 1, NULL), 0);
	settle(&app.host, app.client);
	/* a session that is there needs nothing */
	app_reconnect();
	assert_true(app.session_present);
	assert_int_equal(app.host.server.packet_count[PACKET_SUBSCRIBE], 2);
	/* one that is lost: what is left, with its identifier */
	app.host.server.loses_session = true;
	app_reconnect();
	assert_true(app.session_lost);
	assert_int_equal(app.host.server.packet_count[PACKET_SUBSCRIBE], 3);
	assert_int_equal(app.unsubscribed_count, 0);
	app_end();
}

static void test_requests_under_way_are_asked_again(void **state)
{
	(void)state;
	nj_delivery *d;
	app_begin(NJ_MQTT_3_1_1);
	app.host.is_deaf = true;
	assert_int_equal(nj_subscribe(app.client, two, 2, NULL, 0, &d), 0);
	settle(&app.host, app.client);
	app.host.is_deaf = false;
	app_reconnect();
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_ACKNOWLEDGED);
	nj_delivery_free(d);
	app_end();
}

/* A server that knows no wildcards any more: the subscription cannot be asked for again. */
static void test_a_subscription_that_is_refused_later(void **state)
{
	(void)state;
	app_begin(NJ_MQTT_5);
	assert_int_equal(nj_subscribe(app.client, two, 1, NULL, 0, NULL), 0);
	settle(&app.host, app.client);
	app.host.server.loses_session = true;
	app.host.server.connack.properties.present = UINT64_C(1)
						     << PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE;
	app_reconnect();
	assert_int_equal(app.unsubscribed_count, 1);
	assert_string_equal(app.filter, "a/#");
	assert_int_equal(app.reason_code, REASON_TOPIC_FILTER_INVALID);
	app_end();
}

/* --- messages --- */

static void test_a_kept_message_is_acknowledged_when_let_go(void **state)
{
	(void)state;
	app_begin(NJ_MQTT_5);
	app_give(1, 1);
	assert_int_equal(app.host.server.packet_count[PACKET_PUBACK], 1);
	app.keeps = true;
	app_give(2, 1);
	app_give(3, 2);
	assert_int_equal(app.host.server.packet_count[PACKET_PUBACK], 1);
	assert_int_equal(app.host.server.packet_count[PACKET_PUBREC], 0);
	nj_message_unref(app.kept[2]);
	nj_message_unref(app.kept[1]);
	app.kept[1] = app.kept[2] = NULL;
	settle(&app.host, app.client);
	assert_int_equal(app.host.server.packet_count[PACKET_PUBACK], 2);
	assert_int_equal(app.host.server.packet_count[PACKET_PUBCOMP], 1);
	app_end();
}

static void test_manual_acknowledgement(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.manual_ack = true;
	app.keeps = true;
	app_open();
	for (uint32_t i = 1; i <= 3; i++)
		app_give(i, 1);
	app_give(4, 0);
	assert_int_equal(nj_ack(app.kept[1]), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.host.server.packet_count[PACKET_PUBACK], 0);
	assert_int_equal(nj_ack(app.kept[0]), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.host.server.packet_count[PACKET_PUBACK], 2);
	assert_int_equal(nj_ack(app.kept[0]), NJ_ERROR_NOT_FOUND);
	assert_int_equal(nj_ack(app.kept[3]), NJ_ERROR_NOT_FOUND);
	assert_int_equal(nj_refuse(app.kept[2], 0), NJ_ERROR_INVALID);
	assert_int_equal(nj_refuse(app.kept[2], REASON_QUOTA_EXCEEDED), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.host.server.packet_count[PACKET_PUBACK], 3);
	app_end();
}

static bool has_two(void *context)
{
	(void)context;
	return app.message_count == 2;
}

static void test_a_message_once_more(void **state)
{
	(void)state;
	for (uint8_t qos = 1; qos <= 2; qos++) {
		app_prepare(NJ_MQTT_5);
		app.options.manual_ack = true;
		app.keeps = true;
		app_open();
		app_give(9, qos);
		assert_int_equal(nj_again(app.kept[0], 5), 0);
		assert_int_equal(nj_again(app.kept[0], 5), NJ_ERROR_INVALID);
		assert_true(step_until(&app.host, app.client, has_two, NULL));
		assert_ptr_equal(app.kept[0], app.kept[1]);
		assert_int_equal(nj_give_back(app.kept[1]), 0);
		assert_int_equal(nj_ack(app.kept[1]), NJ_ERROR_NOT_FOUND);
		nj_message_unref(app.kept[1]);
		app.kept[1] = NULL;
		app.message_count = 1;
		assert_true(step_until(&app.host, app.client, has_two, NULL));
		assert_true(app.last_dup);
		assert_int_equal(app.numbers[1], 9);
		assert_int_equal(app.connected_count, 2);
		assert_int_equal(nj_ack(app.kept[1]), 0);
		settle(&app.host, app.client);
		assert_true(send_is_idle(&app.host.server.send));
		app_end();
	}
}

/* Beyond inbox_bytes_max nothing is read: what is unread waits in the system, not in memory. */
static void test_inbox_is_bounded(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.inbox_bytes_max = 1;
	app.options.keep_alive = 1;
	app.keeps = true;
	app_open();
	app_give(1, 0);
	app_give(2, 0);
	assert_int_equal(app.message_count, 1);
	nj_message_unref(app.kept[0]);
	app.kept[0] = NULL;
	settle(&app.host, app.client);
	assert_int_equal(app.message_count, 2);
	app_end();
}

static bool has_pinged(void *context)
{
	(void)context;
	return app.host.server.packet_count[PACKET_PINGREQ] >= 3;
}

/* Not reading is our choice, and no reason to think the server dead; it hears of us all the same. */
static void test_full_inbox_keeps_the_connection(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.inbox_bytes_max = 1;
	app.options.keep_alive = 1;
	app.keeps = true;
	app_open();
	app_give(1, 0);
	assert_true(step_until(&app.host, app.client, has_pinged, NULL));
	assert_int_equal(app.disconnected_count, 0);
	app_end();
}

static void test_silent_server_is_left(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.connect_timeout_ms = 50;
	app.host.is_deaf = true;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	nj_connect(app.client, 0);
	while (app.disconnected_count == 0) {
		host_step(&app.host);
		assert_int_equal(nj_step(app.client), 0);
	}
	assert_int_equal(app.disconnected.end, NJ_END_SILENT);
	app_end();
}

static void test_receive_without_a_callback(void **state)
{
	(void)state;
	nj_message *m;
	app_prepare(NJ_MQTT_5);
	app.options.callbacks.message = NULL;
	app_open();
	assert_int_equal(nj_receive(app.client, 0, &m), NJ_ERROR_TIMED_OUT);
	/* PUBLISH, QoS 1, id 7, topic "a", Content Type "t" and a User Property, payload "xy" */
	server_write(&app.host.server, "\x32\x13\0\1a\0\7\x0b\3\0\1t\x26\0\1n\0\1vxy", 21);
	settle(&app.host, app.client);
	assert_int_equal(nj_receive(app.client, 0, &m), 0);
	struct nj_bytes rest = nj_message_properties(m);
	struct nj_property p;
	assert_string_equal(nj_message_topic(m), "a");
	assert_string_equal(nj_message_payload(m).ptr, "xy");
	assert_int_equal(nj_message_qos(m), 1);
	assert_true(nj_property_next(&rest, &p) && p.id == NJ_CONTENT_TYPE);
	assert_memory_equal(p.text.ptr, "t", 1);
	assert_true(nj_property_next(&rest, &p) && p.id == NJ_USER_PROPERTY);
	assert_memory_equal(p.value.ptr, "v", 1);
	assert_false(nj_property_next(&rest, &p));
	assert_true(nj_property_find(nj_message_properties(m), NJ_USER_PROPERTY, &p));
	assert_false(nj_property_find(nj_message_properties(m), NJ_RESPONSE_TOPIC, &p));
	nj_message_unref(m);
	nj_disconnect(app.client, 0);
	settle(&app.host, app.client);
	assert_int_equal(nj_receive(app.client, 100, &m), NJ_ERROR_CLOSED);
	app_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subscribe_and_unsubscribe),
		cmocka_unit_test(test_subscriptions_are_made_again),
		cmocka_unit_test(test_requests_under_way_are_asked_again),
		cmocka_unit_test(test_a_subscription_that_is_refused_later),
		cmocka_unit_test(test_a_kept_message_is_acknowledged_when_let_go),
		cmocka_unit_test(test_manual_acknowledgement),
		cmocka_unit_test(test_a_message_once_more),
		cmocka_unit_test(test_inbox_is_bounded),
		cmocka_unit_test(test_full_inbox_keeps_the_connection),
		cmocka_unit_test(test_silent_server_is_left),
		cmocka_unit_test(test_receive_without_a_callback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
