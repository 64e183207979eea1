/* SPDX-License-Identifier: Apache-2.0 */
/* Faults on purpose over the public header: whatever is dropped, repeated, held up or cut, QoS 1
 * comes, and QoS 2 comes once, in both directions. */
#include "app.h"

#include <stdio.h>

static void add(enum nj_fault_kind kind, bool is_outgoing, uint8_t type, uint32_t more)
{
	struct nj_fault fault = {.kind = kind, .is_outgoing = is_outgoing, .type = type};
	fault.delay_ms = fault.after_bytes = more;
	assert_int_equal(nj_fault_add(app.client, &fault), 0);
}

static void begin(void)
{
	app_prepare(NJ_MQTT_5);
	app.options.retry_base_ms = 0;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
}

static bool is_finished(void *context)
{
	(void)context;
	return app.published_count > 0;
}

static bool has_message(void *context)
{
	(void)context;
	return app.message_count > 0;
}

static bool has_cut(void *context)
{
	(void)context;
	return app.disconnected_count > 0;
}

static void test_dropped_puback_comes_with_the_next_connection(void **state)
{
	(void)state;
	begin();
	assert_true(step_until(&app.host, app.client, app_is_connected, NULL));
	add(NJ_FAULT_DROP, false, NJ_PUBACK, 0);
	assert_int_equal(app_publish(1, 1, NULL), 0);
	settle(&app.host, app.client);
	assert_int_equal(nj_fault_count(app.client), 1);
	assert_int_equal(app.published_count, 0);
	app_reconnect();
	assert_int_equal(app.published_count, 1);
	assert_int_equal(app.host.server.dup_count, 1);
	app_end();
}

static void test_delay_is_waited_for(void **state)
{
	(void)state;
	begin();
	assert_true(step_until(&app.host, app.client, app_is_connected, NULL));
	add(NJ_FAULT_DELAY, true, NJ_PUBLISH, 20);
	add(NJ_FAULT_DELAY, false, NJ_PUBACK, 20);
	assert_int_equal(app_publish(1, 1, NULL), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.host.server.packet_count[PACKET_PUBLISH], 0);
	assert_true(step_until(&app.host, app.client, is_finished, NULL));
	assert_int_equal(nj_fault_count(app.client), 2);
	app_end();
}

/* Each kind of fault, to each packet of a QoS 2 message and of a connection, in each direction. */
static void live(enum nj_fault_kind kind, bool is_outgoing, uint8_t type, uint32_t more)
{
	begin();
	add(kind, is_outgoing, type, more);
	if (type != NJ_CONNECT && type != NJ_CONNACK) {
		assert_true(step_until(&app.host, app.client, app_is_connected, NULL));
		assert_true(server_publish(&app.host.server, 2, 2));
	}
	assert_int_equal(app_publish(1, 2, NULL), 0);
	settle(&app.host, app.client);
	if (kind == NJ_FAULT_DROP && type != NJ_CONNECT && type != NJ_CONNACK)
		app_reconnect();
	assert_true(step_until(&app.host, app.client, is_finished, NULL));
	if (type != NJ_CONNECT && type != NJ_CONNACK)
		assert_true(step_until(&app.host, app.client, has_message, NULL));
	settle(&app.host, app.client);
	assert_true(nj_fault_count(app.client) > 0);
	assert_int_equal(app.published[0].outcome, NJ_ACKNOWLEDGED);
	assert_int_equal(app.host.server.arrived[1], 1);
	assert_true(app.message_count <= 1);
	app_end();
}

static void test_exactly_once_over_cuts(void **state)
{
	(void)state;
	static const uint8_t ours[] = {NJ_CONNECT, NJ_PUBLISH, NJ_PUBREL, NJ_PUBREC, NJ_PUBCOMP};
	static const uint8_t theirs[] = {NJ_CONNACK, NJ_PUBLISH, NJ_PUBREL, NJ_PUBREC, NJ_PUBCOMP};
	for (uint32_t bytes = 0; bytes <= 8; bytes += 2) {
		for (size_t i = 0; i < ARRAY_COUNT(ours); i++) {
			live(NJ_FAULT_CUT, true, ours[i], bytes);
			live(NJ_FAULT_CUT, false, theirs[i], bytes);
		}
	}
}

static void test_exactly_once_over_lost_packets(void **state)
{
	(void)state;
	static const uint8_t types[] = {NJ_PUBLISH, NJ_PUBREL, NJ_PUBREC, NJ_PUBCOMP};
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		live(NJ_FAULT_DROP, true, types[i], 0);
		live(NJ_FAULT_DROP, false, types[i], 0);
		live(NJ_FAULT_DELAY, true, types[i], 2);
		live(NJ_FAULT_DELAY, false, types[i], 2);
	}
	live(NJ_FAULT_DUPLICATE, false, NJ_PUBREC, 0);
	live(NJ_FAULT_DUPLICATE, false, NJ_PUBREL, 0);
}

static void test_disconnect_waits_for_what_is_held_up(void **state)
{
	(void)state;
	begin();
	assert_true(step_until(&app.host, app.client, app_is_connected, NULL));
	add(NJ_FAULT_DELAY, true, NJ_DISCONNECT, 10);
	assert_int_equal(nj_disconnect(app.client, 0), 0);
	assert_true(step_until(&app.host, app.client, has_cut, NULL));
	assert_int_equal(app.disconnected.end, NJ_END_DISCONNECTED);
	assert_int_equal(app.host.server.packet_count[PACKET_DISCONNECT], 1);
	app_end();
}

static void test_rules_can_be_cleared(void **state)
{
	(void)state;
	struct nj_fault bad = {.kind = NJ_FAULT_DROP, .type = 16};
	begin();
	assert_int_equal(nj_fault_add(app.client, &bad), NJ_ERROR_INVALID);
	assert_true(step_until(&app.host, app.client, app_is_connected, NULL));
	add(NJ_FAULT_CUT, true, NJ_PUBLISH, 0);
	nj_fault_clear(app.client);
	assert_int_equal(app_publish(1, 1, NULL), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.published_count, 1);
	assert_int_equal(nj_fault_count(app.client), 0);
	app_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dropped_puback_comes_with_the_next_connection),
		cmocka_unit_test(test_delay_is_waited_for),
		cmocka_unit_test(test_exactly_once_over_cuts),
		cmocka_unit_test(test_exactly_once_over_lost_packets),
		cmocka_unit_test(test_disconnect_waits_for_what_is_held_up),
		cmocka_unit_test(test_rules_can_be_cleared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
