/* SPDX-License-Identifier: Apache-2.0 */
/* What time and numbers do to a client: the retry interval of 3.x, Receive Maximum where the server
 * does not keep it, and messages that expire while they wait. */
#include "app.h"

#include <stdio.h>

/* --- retry --- */

static bool is_finished(void *context)
{
	(void)context;
	return app.published_count > 0;
}

static void drop(bool is_outgoing, uint8_t type)
{
	struct nj_fault fault = {.kind = NJ_FAULT_DROP, .is_outgoing = is_outgoing, .type = type};
	assert_int_equal(nj_fault_add(app.client, &fault), 0);
}

static void test_lost_packets_go_again(void **state)
{
	(void)state;
	static const struct {
		uint8_t qos;
		bool is_outgoing;
		uint8_t type;
		unsigned dups;
	} rows[] = {
		{1, true, NJ_PUBLISH, 1}, {1, false, NJ_PUBACK, 1}, {2, true, NJ_PUBLISH, 1},
		{2, false, NJ_PUBREC, 1}, {2, true, NJ_PUBREL, 0},  {2, false, NJ_PUBCOMP, 0},
	};
	const uint8_t versions[] = {NJ_MQTT_3_1, NJ_MQTT_3_1_1};
	for (size_t i = 0; i < ARRAY_COUNT(rows) * ARRAY_COUNT(versions); i++) {
		size_t row = i % ARRAY_COUNT(rows);
		app_prepare(versions[i / ARRAY_COUNT(rows)]);
		app.options.retry_interval_ms = 10;
		app_open();
		drop(rows[row].is_outgoing, rows[row].type);
		assert_int_equal(app_publish(1, rows[row].qos, NULL), 0);
		assert_true(step_until(&app.host, app.client, is_finished, NULL));
		settle(&app.host, app.client);
		assert_int_equal(nj_fault_count(app.client), 1);
		assert_int_equal(app.published[0].outcome, NJ_ACKNOWLEDGED);
		assert_int_equal(app.disconnected_count, 0);
		/* once where the server has seen it before; at QoS 2 it counts only once */
		assert_true(app.host.server.dup_count >= rows[row].dups);
		if (rows[row].qos == 2)
			assert_int_equal(app.host.server.arrived[1], 1);
		app_end();
	}
}

static void test_nothing_goes_again_by_itself(void **state)
{
	(void)state;
	struct nj_options o = NJ_OPTIONS_INIT;
	o.retry_interval_ms = 10;
	assert_non_null(nj_options_problem(&o)); /* 5.0 [MQTT-4.4.0-1] */
	app_begin(NJ_MQTT_3_1_1);
	drop(false, NJ_PUBACK);
	assert_int_equal(app_publish(1, 1, NULL), 0);
	settle(&app.host, app.client);
	/* the next thing that is due is the keep alive */
	assert_true(nj_timeout_ms(app.client) > 30000);
	app_end();
}

/* Nothing is open any more, so nothing is due. */
static void test_retry_ends_with_the_last_answer(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_3_1_1);
	app.options.retry_interval_ms = 10;
	app_open();
	assert_int_equal(app_publish(1, 2, NULL), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.published_count, 1);
	assert_true(nj_timeout_ms(app.client) > 30000);
	app_end();
}

/* --- Receive Maximum in 3.x --- */

static void test_no_more_than_receive_maximum_is_given(void **state)
{
	(void)state;
	for (uint8_t qos = 1; qos <= 2; qos++) {
		app_prepare(NJ_MQTT_3_1_1);
		app.options.receive_maximum = 2;
		app.options.manual_ack = true;
		app.keeps = true;
		app_open();
		for (uint32_t number = 0; number < 6; number++)
			assert_true(server_publish(&app.host.server, number, qos));
		settle(&app.host, app.client);
		assert_int_equal(app.message_count, 2);
		assert_int_equal(nj_ack(app.kept[0]), 0);
		settle(&app.host, app.client);
		assert_int_equal(app.message_count, 3);
		for (uint32_t number = 1; number < 6; number++) {
			assert_int_equal(nj_ack(app.kept[number]), 0);
			settle(&app.host, app.client);
		}
		assert_int_equal(app.message_count, 6);
		assert_int_equal(app.disconnected_count, 0);
		app_end();
	}
}

/* Without manual_ack the callback's return is enough: nothing stands still. */
static void test_receive_maximum_of_one(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_3_1_1);
	app.options.receive_maximum = 1;
	app_open();
	for (uint32_t number = 0; number < 12; number++)
		assert_true(server_publish(&app.host.server, number, (uint8_t)(1 + number % 2)));
	settle(&app.host, app.client);
	assert_int_equal(app.message_count, 12);
	for (uint32_t number = 0; number < 12; number++)
		assert_int_equal(app.numbers[number], number);
	app_end();
}

/* A connection that is cut while packets wait to be looked at loses none of them. */
static void test_cut_while_full(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_3_1_1);
	app.options.receive_maximum = 1;
	app.options.manual_ack = true;
	app.keeps = true;
	app_open();
	for (uint32_t number = 0; number < 3; number++)
		assert_true(server_publish(&app.host.server, number, 2));
	settle(&app.host, app.client);
	assert_int_equal(app.message_count, 1);
	app_reconnect();
	for (uint32_t number = 0; number < 3; number++) {
		assert_int_equal(app.message_count, number + 1);
		assert_int_equal(app.numbers[number], number);
		assert_int_equal(nj_ack(app.kept[number]), 0);
		settle(&app.host, app.client);
	}
	app_end();
}

/* --- expiry --- */

static int publish_for(uint32_t seconds, void *tag)
{
	struct nj_property expiry[] = {NJ_NUMBER(NJ_MESSAGE_EXPIRY_INTERVAL, 0)};
	struct nj_message_out m = {.topic = "sensor/1", .payload = "x", .payload_len = 1, .qos = 1};
	expiry[0].number = seconds;
	m.properties = expiry;
	m.property_count = 1;
	m.tag = tag;
	return nj_publish(app.client, &m, NULL);
}

static void test_expiry_is_noticed_by_itself(void **state)
{
	(void)state;
	int one, two;
	app_prepare(NJ_MQTT_5);
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	/* nobody is connected; the second one lives longer, and behind it is one that does not */
	assert_int_equal(publish_for(1000, &one), 0);
	assert_int_equal(app_publish(1, 1, NULL), 0);
	assert_int_equal(publish_for(0, &two), 0);
	assert_true(step_until(&app.host, app.client, is_finished, NULL));
	assert_int_equal(app.published_count, 1);
	assert_int_equal(app.published[0].outcome, NJ_EXPIRED);
	assert_ptr_equal(app.published[0].tag, &two);
	assert_int_equal(nj_unfinished(app.client), 2);
	int timeout = nj_timeout_ms(app.client);
	assert_true(timeout > 900000 && timeout <= 1000001);
	app_end();
}

/* With the window full, what is behind it expires too; what is under way does not. */
static void test_expiry_behind_a_full_window(void **state)
{
	(void)state;
	int one, two;
	app_prepare(NJ_MQTT_5);
	app.options.inflight_max = 1;
	app_open();
	drop(false, NJ_PUBACK);
	assert_int_equal(publish_for(0, &one), 0);
	settle(&app.host, app.client);
	assert_int_equal(publish_for(0, &two), 0);
	assert_true(step_until(&app.host, app.client, is_finished, NULL));
	assert_int_equal(app.published_count, 1);
	assert_ptr_equal(app.published[0].tag, &two);
	assert_int_equal(app.published[0].outcome, NJ_EXPIRED);
	app_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_packets_go_again),
		cmocka_unit_test(test_nothing_goes_again_by_itself),
		cmocka_unit_test(test_retry_ends_with_the_last_answer),
		cmocka_unit_test(test_no_more_than_receive_maximum_is_given),
		cmocka_unit_test(test_receive_maximum_of_one),
		cmocka_unit_test(test_cut_while_full),
		cmocka_unit_test(test_expiry_is_noticed_by_itself),
		cmocka_unit_test(test_expiry_behind_a_full_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
