/* SPDX-License-Identifier: Apache-2.0 */
/* What is published with a store: when it leaves, as what, and what becomes of it in the process
 * after. */
#include "rig.h"

/* --- out --- */

static void test_publish_offline_and_send_later(void **state)
{
	(void)state;
	const uint8_t versions[] = {NJ_MQTT_3_1, NJ_MQTT_3_1_1, NJ_MQTT_5};
	for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
		rig_prepare(versions[i]);
		rig_begin();
		assert_int_equal(rig_publish(1, 1, 0, NULL), 0);
		assert_int_equal(rig_publish(2, 2, 0, NULL), 0);
		rig_settle();
		rig_begin_anew();
		assert_int_equal(nj_unfinished(rig.client), 2);
		rig_connect();
		assert_int_equal(rig.host.server.arrived[1], 1);
		assert_int_equal(rig.host.server.arrived[2], 1);
		assert_int_equal(nj_unfinished(rig.client), 0);
		assert_int_equal(rig.host.server.dup_count, 0);
		rig_begin_in_peace();
		assert_int_equal(nj_unfinished(rig.client), 0);
		rig_connect();
		assert_int_equal(rig.host.server.packet_count[PACKET_PUBLISH], 2);
		rig_end();
	}
}

static void test_publish_leaves_when_it_is_durable(void **state)
{
	(void)state;
	nj_delivery *d;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	rig_connect();
	assert_int_equal(rig_publish(1, 1, 7, &d), 0);
	settle(&rig.host, rig.client);
	assert_int_equal(rig.host.server.arrived[1], 0);
	assert_int_equal(rig.stored_count, 0);
	assert_int_equal(nj_delivery_wait_stored(d, 0), NJ_ERROR_TIMED_OUT);
	assert_int_equal(nj_store_mark(rig.client), 0);
	rig_settle();
	assert_int_equal(rig.host.server.arrived[1], 1);
	assert_int_equal(rig.stored_count, 1);
	assert_int_equal(rig.stored_mark, 7);
	assert_int_equal(nj_store_mark(rig.client), 7);
	assert_int_equal(nj_delivery_wait_stored(d, 0), 0);
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_ACKNOWLEDGED);
	assert_int_equal(rig.published_count, 1);
	assert_int_equal(rig.published.mark, 7);
	assert_ptr_equal(rig.published.tag, &rig.medium);
	nj_delivery_free(d);
	rig_end();
}

/* The second process knows the mark, not the tag. */
static void test_outcomes_of_a_former_process(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	assert_int_equal(rig_publish(1, 1, 7, NULL), 0);
	rig_settle();
	rig_begin_anew();
	assert_int_equal(nj_store_mark(rig.client), 7);
	assert_int_equal(rig_publish(2, 1, 7, NULL), NJ_ERROR_INVALID);
	assert_int_equal(rig_publish(2, 1, 8, NULL), 0);
	rig_connect();
	assert_int_equal(rig.published_count, 2);
	assert_int_equal(rig.published.mark, 8);
	assert_int_equal(rig.published.outcome, NJ_ACKNOWLEDGED);
	rig_end();
}

/* Cut between PUBLISH and PUBREC: the same id, and DUP. */
static void test_qos_2_goes_on_with_its_packet_id(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	rig_connect();
	rig.host.is_deaf = true;
	assert_int_equal(rig_publish(1, 2, 0, NULL), 0);
	rig_settle();
	rig_begin_anew();
	rig.host.is_deaf = false;
	rig_connect();
	assert_int_equal(rig.host.server.arrived[1], 1);
	assert_int_equal(rig.host.server.dup_count, 1);
	uint16_t id = rig.host.server.ids[1];
	assert_int_equal(rig_publish(2, 2, 0, NULL), 0);
	rig_settle();
	assert_int_equal(rig.host.server.arrived[2], 1);
	assert_true(id != 0);
	rig_end();
}

/* Cut between PUBREC and PUBCOMP, on either side of the record. */
static void test_qos_2_goes_on_with_pubrel(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		rig_prepare(NJ_MQTT_5);
		rig_begin();
		rig_connect();
		assert_int_equal(rig_publish(1, 2, 0, NULL), 0);
		settle(&rig.host, rig.client);
		while (!rig_has_come(PACKET_PUBLISH)) {
			(void)client_store_step(&rig.client->kept->store);
			settle(&rig.host, rig.client);
		}
		assert_false(rig_has_come(PACKET_PUBREL)); /* PUBREC is not durable */
		rig.host.is_deaf = true;
		for (unsigned steps = 0; i == 1 && steps < 3; steps++)
			(void)client_store_step(&rig.client->kept->store);
		rig_begin_anew();
		rig.host.is_deaf = false;
		unsigned before = rig.host.server.packet_count[PACKET_PUBLISH];
		rig_connect();
		assert_int_equal(rig.host.server.arrived[1], 1);
		assert_int_equal(rig.host.server.packet_count[PACKET_PUBLISH] - before, i == 0);
		assert_int_equal(nj_unfinished(rig.client), 0);
		rig_end();
	}
}

static void test_lost_session_sends_as_new(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	rig_connect();
	assert_false(rig.session_lost);
	rig.host.is_deaf = true;
	assert_int_equal(rig_publish(1, 1, 0, NULL), 0);
	rig_settle();
	rig.host.server.has_session = false;
	rig_begin_anew();
	rig.host.is_deaf = false;
	rig_connect();
	assert_true(rig.session_lost); /* also in a new process */
	assert_int_equal(rig.host.server.arrived[1], 1);
	assert_int_equal(rig.host.server.dup_count, 0);
	rig_end();
}

static void test_clean_start_once(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig.host.server.has_session = true; /* somebody's */
	rig_begin();
	rig_connect();
	assert_true(rig.host.server.connect.clean_start);
	rig_begin_anew();
	rig_connect();
	assert_false(rig.host.server.connect.clean_start);
	rig_end();
}

static void test_requests_take_other_ids(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	rig_connect();
	assert_int_equal(nj_subscribe_to(rig.client, "sensor/#", 1), 0);
	rig_settle();
	uint16_t id = rig.host.server.ids[rig.host.server.order_count - 1];
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(rig_publish(i, 1, 0, NULL), 0);
	rig_settle();
	for (unsigned i = rig.host.server.order_count - 3; i < rig.host.server.order_count; i++)
		assert_true((uint16_t)(id - rig.host.server.ids[i]) > 1000);
	assert_int_equal(rig.host.server.arrived[3], 1);
	rig_end();
}

/* --- bounds --- */

static int publish_large(enum nj_full when_full, size_t len)
{
	static const uint8_t payload[64 << 10];
	struct nj_message_out m = {
		.topic = "sensor/1", .payload = payload, .payload_len = len, .qos = 1};
	rig.client->when_full = when_full;
	int error = nj_publish(rig.client, &m, NULL);
	rig_settle();
	return error;
}

static void test_a_full_store(void **state)
{
	(void)state;
	unsigned count = 0;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	while (publish_large(NJ_FULL_FAIL, 10000) == 0)
		assert_true(++count < 200);
	/* (2 MiB - 16 segments of 64 KiB) / 2 */
	assert_in_range(count, 49, 55);
	assert_int_equal(publish_large(NJ_FULL_FAIL, 10000), NJ_ERROR_FULL);
	assert_int_equal(publish_large(NJ_FULL_DROP_OLDEST, 10000), 0);
	assert_int_equal(rig.published.outcome, NJ_DROPPED);
	assert_int_equal(rig.published_count, 1);
	/* what was taken is there, and there is room when it is sent */
	rig_begin_anew();
	assert_int_equal(nj_unfinished(rig.client), count);
	rig_connect();
	assert_int_equal(nj_unfinished(rig.client), 0);
	assert_int_equal(publish_large(NJ_FULL_FAIL, 10000), 0);
	assert_true(simdisk_used(rig.medium) <= STORE_BYTES_MIN);
	rig_end();
}

static void test_a_full_disk(void **state)
{
	(void)state;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	assert_int_equal(publish_large(NJ_FULL_FAIL, 10), 0);
	simdisk_set_capacity(rig.medium, simdisk_used(rig.medium));
	int error = 0;
	for (unsigned i = 0; i < 100 && !error; i++)
		error = publish_large(NJ_FULL_FAIL, 4000);
	assert_int_equal(error, NJ_ERROR_FULL);
	assert_int_equal(publish_large(NJ_FULL_DROP_OLDEST, 4000), NJ_ERROR_FULL);
	assert_non_null(strstr(rig.said, "The store is full"));
	uint32_t taken = nj_unfinished(rig.client);
	simdisk_set_capacity(rig.medium, 0);
	rig_begin_anew();
	assert_int_equal(nj_unfinished(rig.client), taken);
	assert_int_equal(publish_large(NJ_FULL_FAIL, 4000), 0);
	assert_int_equal(nj_unfinished(rig.client), taken + 1);
	rig_end();
}

static void test_a_broken_disk(void **state)
{
	(void)state;
	nj_delivery *d;
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	assert_int_equal(rig_publish(1, 1, 0, NULL), 0);
	rig_settle();
	simdisk_fail(rig.medium, SIMDISK_WRITE, 1, 5, SIMDISK_LASTING);
	assert_int_equal(rig_publish(2, 1, 0, &d), 0);
	rig_settle();
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_NOT_STORED);
	assert_int_equal(nj_delivery_wait_stored(d, 0), NJ_ERROR_STORE);
	assert_int_equal(rig_publish(3, 1, 0, NULL), NJ_ERROR_STORE);
	rig_settle();
	assert_non_null(strstr(rig.said, "cannot be written any more"));
	nj_delivery_free(d);
	simdisk_fail(rig.medium, SIMDISK_WRITE, 0, 0, 0);
	rig_begin_anew();
	assert_int_equal(nj_unfinished(rig.client), 1);
	rig_end();
}

/* The interval is over before the second process can connect; the clock of the wall goes on. */
static void test_expiry_goes_on_over_restarts(void **state)
{
	(void)state;
	static const struct nj_property expiry[] = {NJ_NUMBER(NJ_MESSAGE_EXPIRY_INTERVAL, 0)};
	struct nj_message_out m = {
		.topic = "sensor/1", .qos = 1, .properties = expiry, .property_count = 1};
	rig_prepare(NJ_MQTT_5);
	rig_begin();
	uint64_t taken_ms = kept_wall_ms();
	assert_int_equal(nj_publish(rig.client, &m, NULL), 0);
	rig_settle();
	while (kept_wall_ms() <= taken_ms + 1)
		;
	rig_begin_anew();
	rig_connect();
	assert_true(rig.published_count >= 1); /* the first process may have seen it too */
	assert_int_equal(rig.published.outcome, NJ_EXPIRED);
	assert_int_equal(rig.host.server.packet_count[PACKET_PUBLISH], 0);
	rig_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publish_offline_and_send_later),
		cmocka_unit_test(test_publish_leaves_when_it_is_durable),
		cmocka_unit_test(test_outcomes_of_a_former_process),
		cmocka_unit_test(test_qos_2_goes_on_with_its_packet_id),
		cmocka_unit_test(test_qos_2_goes_on_with_pubrel),
		cmocka_unit_test(test_lost_session_sends_as_new),
		cmocka_unit_test(test_clean_start_once),
		cmocka_unit_test(test_requests_take_other_ids),
		cmocka_unit_test(test_a_full_store),
		cmocka_unit_test(test_a_full_disk),
		cmocka_unit_test(test_a_broken_disk),
		cmocka_unit_test(test_expiry_goes_on_over_restarts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
