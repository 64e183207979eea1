/* SPDX-License-Identifier: Apache-2.0 */
/* What comes with a store: given until it is let go, acknowledged when that is durable; and whose
 * store it is. */
#include "rig.h"

#include <stdio.h>

#include "mqtt/reason.h"

/* --- in --- */

static nj_message *receive(void)
{
	nj_message *m = NULL;
	rig_settle();
	assert_int_equal(nj_receive(rig.client, 0, &m), 0);
	return m;
}

static void ack(nj_message *m)
{
	assert_int_equal(nj_ack(m), 0);
	assert_int_equal(nj_ack(m), NJ_ERROR_NOT_FOUND);
	nj_message_unref(m);
	rig_settle();
}

static void assert_none(void)
{
	nj_message *m;
	rig_settle();
	int error = nj_receive(rig.client, 0, &m);
	assert_true(error == NJ_ERROR_TIMED_OUT || error == NJ_ERROR_CLOSED);
}

static void test_in_is_given_again_until_it_is_let_go(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	rig_connect();
	for (uint8_t qos = 1; qos <= 2; qos++)
		assert_true(server_publish(&rig.host.server, qos, qos));
	nj_message *first = receive(), *second = receive();
	uint64_t mark = nj_message_mark(first);
	assert_true(nj_message_mark(second) > mark);
	nj_message_unref(second);
	nj_message_unref(first);
	assert_false(rig_has_come(PACKET_PUBACK));
	rig_begin_anew(); /* given before there is a connection */
	first = receive();
	second = receive();
	assert_int_equal(nj_message_mark(first), mark);
	assert_int_equal(load_u32(nj_message_payload(second).ptr), 2);
	rig_connect(); /* and the server's copies are known */
	assert_none();
	ack(second);
	ack(first);
	assert_int_equal(rig.host.server.packet_count[PACKET_PUBACK], 1);
	assert_int_equal(rig.host.server.packet_count[PACKET_PUBCOMP], 1);
	rig_begin_anew();
	rig_connect();
	assert_none();
	rig_end();
}

static void test_acknowledgement_leaves_when_it_is_durable(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	rig_connect();
	assert_true(server_publish(&rig.host.server, 1, 2));
	nj_message *m = receive();
	assert_int_equal(nj_ack(m), 0);
	settle(&rig.host, rig.client);
	assert_false(rig_has_come(PACKET_PUBREC));
	while (!rig_has_come(PACKET_PUBREC)) {
		(void)client_store_step(&rig.client->kept->store);
		settle(&rig.host, rig.client);
	}
	settle(&rig.host, rig.client); /* PUBREL has come */
	assert_false(rig_has_come(PACKET_PUBCOMP));
	rig_settle();
	assert_true(rig_has_come(PACKET_PUBCOMP));
	nj_message_unref(m);
	rig_end();
}

/* Also when the application leaves at once. */
static void test_acknowledgement_leaves_before_disconnect(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	rig_connect();
	assert_true(server_publish(&rig.host.server, 1, 1));
	nj_message *m = receive();
	assert_int_equal(nj_ack(m), 0);
	assert_int_equal(nj_disconnect(rig.client, 0), 0);
	settle(&rig.host, rig.client);
	assert_false(rig_has_come(PACKET_DISCONNECT));
	rig_settle();
	assert_true(rig_has_come(PACKET_PUBACK));
	assert_int_equal(rig.host.server.order[rig.host.server.order_count - 1], PACKET_DISCONNECT);
	nj_message_unref(m);
	rig_end();
}

static void test_skip(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	rig_connect();
	for (uint32_t i = 1; i <= 3; i++)
		assert_true(server_publish(&rig.host.server, i, 2));
	uint64_t marks[3];
	for (unsigned i = 0; i < 3; i++) {
		nj_message *m = receive();
		marks[i] = nj_message_mark(m);
		nj_message_unref(m);
	}
	rig_begin_anew();
	assert_int_equal(nj_skip(rig.client, marks[1]), 0);
	nj_message *m = receive();
	assert_int_equal(nj_message_mark(m), marks[2]);
	rig_connect();
	assert_none();
	assert_int_equal(rig.host.server.packet_count[PACKET_PUBCOMP], 2);
	ack(m);
	assert_int_equal(rig.host.server.packet_count[PACKET_PUBCOMP], 3);
	rig_end();
}

static void test_give_back_and_refuse(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	rig_connect();
	assert_true(server_publish(&rig.host.server, 1, 2));
	nj_message *m = receive();
	assert_int_equal(nj_give_back(m), 0);
	nj_message_unref(m);
	rig_settle();
	assert_true(step_until(&rig.host, rig.client, rig_is_connected, NULL));
	m = receive(); /* from the server */
	assert_int_equal(nj_refuse(m, 0x10), NJ_ERROR_INVALID);
	assert_int_equal(nj_refuse(m, REASON_NOT_AUTHORIZED), 0);
	nj_message_unref(m);
	rig_settle();
	rig_begin_anew();
	assert_none();
	rig_end();
}

/* The server forgets the session; what it had sent is ours all the same. */
static void test_in_survives_a_lost_session(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	rig_connect();
	assert_true(server_publish(&rig.host.server, 1, 2));
	nj_message *m = receive();
	rig.host.server.has_session = false;
	host_cut(&rig.host);
	rig_connect();
	assert_int_equal(nj_give_back(m), NJ_ERROR_NOT_FOUND);
	assert_true(server_publish(&rig.host.server, 2, 2)); /* under the same id */
	nj_message *other = receive();
	assert_int_equal(load_u32(nj_message_payload(other).ptr), 2);
	ack(m);
	ack(other);
	assert_int_equal(rig.host.server.packet_count[PACKET_PUBCOMP], 1);
	rig_begin_anew();
	assert_none();
	rig_end();
}

static void test_automatic_acknowledgement(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig.options.manual_ack = false;
	rig_begin();
	rig_connect();
	assert_true(server_publish(&rig.host.server, 1, 1));
	nj_message *m = receive();
	assert_false(rig_has_come(PACKET_PUBACK));
	nj_message_unref(m);
	rig_settle();
	assert_true(rig_has_come(PACKET_PUBACK));
	rig_begin_anew();
	assert_none();
	rig_end();
}

/* --- life --- */

static int open_another(const char *client_id)
{
	nj_client *c = NULL;
	struct nj_options o = rig.options;
	o.client_id = client_id;
	int error = client_new_on_disk(&o, simdisk_attach(rig.medium), STORE_ID, &c);
	nj_free(c);
	return error;
}

static void test_one_client_one_process(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	assert_int_equal(open_another("client"), NJ_ERROR_STORE);
	assert_non_null(strstr(rig.said, "Another process"));
	nj_free(rig.client);
	assert_int_equal(open_another("other"), NJ_ERROR_INVALID);
	assert_non_null(strstr(rig.said,
			       "The store is of the client id 'client', not 'other': give each "
			       "client a directory of its own."));
	rig_begin();
	rig_end();
}

static void test_a_client_id_is_made_and_kept(void **state)
{
	(void)state;
	char id[64];
	rig_prepare(NJ_MQTT_3_1_1);
	rig.options.client_id = NULL;
	assert_null(nj_options_problem(&rig.options));
	rig_begin();
	rig_connect();
	snprintf(id, sizeof(id), "%s", rig.host.server.client_id);
	assert_int_equal(strlen(id), 18);
	rig_begin_anew();
	rig_connect();
	assert_string_equal(rig.host.server.client_id, id);
	rig_end();
}

static void test_options_that_cannot_be(void **state)
{
	(void)state;
	nj_client *c;
	rig_prepare(NJ_MQTT_5);
	rig.options.store_bytes_max = STORE_BYTES_MIN - 1;
	assert_non_null(nj_options_problem(&rig.options));
	rig.options.store_bytes_max = STORE_BYTES_MIN;
	rig.options.holds_until_release = true;
	rig.options.manual_ack = false;
	assert_non_null(nj_options_problem(&rig.options));
	rig.options.holds_until_release = false;
	rig.options.store_path = "/proc/no/such/place";
	assert_int_equal(nj_new(&rig.options, &c), NJ_ERROR_STORE);
	assert_non_null(strstr(rig.said, "/proc/no/such/place"));
	simdisk_free(rig.medium);
	host_close(&rig.host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_is_given_again_until_it_is_let_go),
		cmocka_unit_test(test_acknowledgement_leaves_when_it_is_durable),
		cmocka_unit_test(test_acknowledgement_leaves_before_disconnect),
		cmocka_unit_test(test_skip),
		cmocka_unit_test(test_give_back_and_refuse),
		cmocka_unit_test(test_in_survives_a_lost_session),
		cmocka_unit_test(test_automatic_acknowledgement),
		cmocka_unit_test(test_one_client_one_process),
		cmocka_unit_test(test_a_client_id_is_made_and_kept),
		cmocka_unit_test(test_options_that_cannot_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
