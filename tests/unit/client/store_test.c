/* SPDX-License-Identifier: Apache-2.0 */
/* A client with a store, and the one after it: what is in there is sent, given, skipped and told
 * as the header says. */
#include "host.h"

#include <stdio.h>
#include <unistd.h>

#include "client/kept.h"
#include "disk/disk_simulated.h"
#include "mqtt/reason.h"

#define STORE_ID 0x5eed

static struct host host;
static struct simdisk *medium;
static struct nj_options options;
static nj_client *client;
static char said[4 * STORE_REASON_MAX]; /* all of it */
static unsigned stored_count, published_count;
static struct nj_published published;
static uint64_t stored_mark;
static bool session_lost;

static void on_connected(nj_client *c, void *context, const struct nj_connected *connected)
{
	(void)c;
	(void)context;
	session_lost = connected->session_lost;
}

static void on_published(nj_client *c, void *context, const struct nj_published *p)
{
	(void)c;
	(void)context;
	published = *p;
	published_count++;
}

static void on_stored(nj_client *c, void *context, const struct nj_stored *stored)
{
	(void)c;
	(void)context;
	stored_count++;
	stored_mark = stored->mark;
}

static void says(void *context, const char *text)
{
	(void)context;
	strncat(said, text, sizeof(said) - strlen(said) - 1);
}

static void prepare(uint8_t version)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/nightjar-store-test-%d", (int)getpid());
	host_open_path(&host, version, path);
	medium = simdisk_new(1, 0);
	options = (struct nj_options)NJ_OPTIONS_INIT;
	options.address = host.address;
	options.version = version;
	options.client_id = "client";
	options.retry_base_ms = 0;
	options.manual_ack = true;
	options.store_path = "simulated";
	options.store_bytes_max = STORE_BYTES_MIN;
	options.store_says = says;
	options.stored = on_stored;
	options.callbacks.published = on_published;
	options.callbacks.connected = on_connected;
	stored_count = published_count = 0;
	session_lost = false;
	said[0] = '\0';
}

static void settle_all(void)
{
	do
		settle(&host, client);
	while (client_store_step(&client->kept->store));
	settle(&host, client);
}

static void begin(void)
{
	assert_int_equal(client_new_on_disk(&options, simdisk_attach(medium), STORE_ID, &client),
			 0);
}

static bool is_connected(void *context)
{
	(void)context;
	return nj_is_connected(client);
}

static void connect_now(void)
{
	host.server.order_count = 0;
	assert_int_equal(nj_connect(client, 0), 0);
	assert_true(step_until(&host, client, is_connected, NULL));
	settle_all();
}

static void follow(void)
{
	if (host.fd >= 0)
		host_cut(&host);
	begin();
}

/* The process is killed, and another one begins. */
static void begin_anew(void)
{
	simdisk_kill(medium);
	nj_free(client);
	follow();
}

/* It ends by itself, so that what may be written late is written. */
static void begin_in_peace(void)
{
	nj_free(client);
	simdisk_kill(medium);
	follow();
}

static void end(void)
{
	nj_free(client);
	simdisk_free(medium);
	host_close(&host);
}

static int publish(uint32_t number, uint8_t qos, uint64_t mark, nj_delivery **delivery_out)
{
	uint8_t payload[4];
	store_u32(payload, number);
	struct nj_message_out m = {.topic = "sensor/1",
				   .payload = payload,
				   .payload_len = 4,
				   .qos = qos,
				   .mark = mark,
				   .tag = &medium};
	return nj_publish(client, &m, delivery_out);
}

/* --- out --- */

static void test_publish_offline_and_send_later(void **state)
{
	(void)state;
	const uint8_t versions[] = {NJ_MQTT_3_1, NJ_MQTT_3_1_1, NJ_MQTT_5};
	for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
		prepare(versions[i]);
		begin();
		assert_int_equal(publish(1, 1, 0, NULL), 0);
		assert_int_equal(publish(2, 2, 0, NULL), 0);
		settle_all();
		begin_anew();
		assert_int_equal(nj_unfinished(client), 2);
		connect_now();
		assert_int_equal(host.server.arrived[1], 1);
		assert_int_equal(host.server.arrived[2], 1);
		assert_int_equal(nj_unfinished(client), 0);
		assert_int_equal(host.server.dup_count, 0);
		begin_in_peace();
		assert_int_equal(nj_unfinished(client), 0);
		connect_now();
		assert_int_equal(host.server.packet_count[PACKET_PUBLISH], 2);
		end();
	}
}

static void test_publish_leaves_when_it_is_durable(void **state)
{
	(void)state;
	nj_delivery *d;
	prepare(NJ_MQTT_5);
	begin();
	connect_now();
	assert_int_equal(publish(1, 1, 7, &d), 0);
	settle(&host, client);
	assert_int_equal(host.server.arrived[1], 0);
	assert_int_equal(stored_count, 0);
	assert_int_equal(nj_delivery_wait_stored(d, 0), NJ_ERROR_TIMED_OUT);
	assert_int_equal(nj_store_mark(client), 0);
	settle_all();
	assert_int_equal(host.server.arrived[1], 1);
	assert_int_equal(stored_count, 1);
	assert_int_equal(stored_mark, 7);
	assert_int_equal(nj_store_mark(client), 7);
	assert_int_equal(nj_delivery_wait_stored(d, 0), 0);
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_ACKNOWLEDGED);
	assert_int_equal(published_count, 1);
	assert_int_equal(published.mark, 7);
	assert_ptr_equal(published.tag, &medium);
	nj_delivery_free(d);
	end();
}

/* The second process knows the mark, not the tag. */
static void test_outcomes_of_a_former_process(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	begin();
	assert_int_equal(publish(1, 1, 7, NULL), 0);
	settle_all();
	begin_anew();
	assert_int_equal(nj_store_mark(client), 7);
	assert_int_equal(publish(2, 1, 7, NULL), NJ_ERROR_INVALID);
	assert_int_equal(publish(2, 1, 8, NULL), 0);
	connect_now();
	assert_int_equal(published_count, 2);
	assert_int_equal(published.mark, 8);
	assert_int_equal(published.outcome, NJ_ACKNOWLEDGED);
	end();
}

/* Cut between PUBLISH and PUBREC: the same id, and DUP. */
static void test_qos_2_goes_on_with_its_packet_id(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	begin();
	connect_now();
	host.is_deaf = true;
	assert_int_equal(publish(1, 2, 0, NULL), 0);
	settle_all();
	begin_anew();
	host.is_deaf = false;
	connect_now();
	assert_int_equal(host.server.arrived[1], 1);
	assert_int_equal(host.server.dup_count, 1);
	uint16_t id = host.server.ids[1];
	assert_int_equal(publish(2, 2, 0, NULL), 0);
	settle_all();
	assert_int_equal(host.server.arrived[2], 1);
	assert_true(id != 0);
	end();
}

static bool has_come(uint8_t type)
{
	return host.server.packet_count[type] > 0;
}

/* Cut between PUBREC and PUBCOMP, on either side of the record. */
static void test_qos_2_goes_on_with_pubrel(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		prepare(NJ_MQTT_5);
		begin();
		connect_now();
		assert_int_equal(publish(1, 2, 0, NULL), 0);
		settle(&host, client);
		while (!has_come(PACKET_PUBLISH)) {
			(void)client_store_step(&client->kept->store);
			settle(&host, client);
		}
		assert_false(has_come(PACKET_PUBREL)); /* PUBREC is not durable */
		host.is_deaf = true;
		for (unsigned steps = 0; i == 1 && steps < 3; steps++)
			(void)client_store_step(&client->kept->store);
		begin_anew();
		host.is_deaf = false;
		unsigned before = host.server.packet_count[PACKET_PUBLISH];
		connect_now();
		assert_int_equal(host.server.arrived[1], 1);
		assert_int_equal(host.server.packet_count[PACKET_PUBLISH] - before, i == 0);
		assert_int_equal(nj_unfinished(client), 0);
		end();
	}
}

static void test_lost_session_sends_as_new(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	begin();
	connect_now();
	assert_false(session_lost);
	host.is_deaf = true;
	assert_int_equal(publish(1, 1, 0, NULL), 0);
	settle_all();
	host.server.has_session = false;
	begin_anew();
	host.is_deaf = false;
	connect_now();
	assert_true(session_lost); /* also in a new process */
	assert_int_equal(host.server.arrived[1], 1);
	assert_int_equal(host.server.dup_count, 0);
	end();
}

static void test_clean_start_once(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	host.server.has_session = true; /* somebody's */
	begin();
	connect_now();
	assert_true(host.server.connect.clean_start);
	begin_anew();
	connect_now();
	assert_false(host.server.connect.clean_start);
	end();
}

static void test_requests_take_other_ids(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	begin();
	connect_now();
	assert_int_equal(nj_subscribe_to(client, "sensor/#", 1), 0);
	settle_all();
	uint16_t id = host.server.ids[host.server.order_count - 1];
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(publish(i, 1, 0, NULL), 0);
	settle_all();
	for (unsigned i = host.server.order_count - 3; i < host.server.order_count; i++)
		assert_true((uint16_t)(id - host.server.ids[i]) > 1000);
	assert_int_equal(host.server.arrived[3], 1);
	end();
}

/* --- bounds --- */

static int publish_large(enum nj_full when_full, size_t len)
{
	static const uint8_t payload[64 << 10];
	struct nj_message_out m = {
		.topic = "sensor/1", .payload = payload, .payload_len = len, .qos = 1};
	client->when_full = when_full;
	int error = nj_publish(client, &m, NULL);
	settle_all();
	return error;
}

static void test_a_full_store(void **state)
{
	(void)state;
	unsigned count = 0;
	prepare(NJ_MQTT_5);
	begin();
	while (publish_large(NJ_FULL_FAIL, 10000) == 0)
		assert_true(++count < 200);
	/* (2 MiB - 16 segments of 64 KiB) / 2 */
	assert_in_range(count, 49, 55);
	assert_int_equal(publish_large(NJ_FULL_FAIL, 10000), NJ_ERROR_FULL);
	assert_int_equal(publish_large(NJ_FULL_DROP_OLDEST, 10000), 0);
	assert_int_equal(published.outcome, NJ_DROPPED);
	assert_int_equal(published_count, 1);
	/* what was taken is there, and there is room when it is sent */
	begin_anew();
	assert_int_equal(nj_unfinished(client), count);
	connect_now();
	assert_int_equal(nj_unfinished(client), 0);
	assert_int_equal(publish_large(NJ_FULL_FAIL, 10000), 0);
	assert_true(simdisk_used(medium) <= STORE_BYTES_MIN);
	end();
}

static void test_a_full_disk(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	begin();
	assert_int_equal(publish_large(NJ_FULL_FAIL, 10), 0);
	simdisk_set_capacity(medium, simdisk_used(medium));
	int error = 0;
	for (unsigned i = 0; i < 100 && !error; i++)
		error = publish_large(NJ_FULL_FAIL, 4000);
	assert_int_equal(error, NJ_ERROR_FULL);
	assert_int_equal(publish_large(NJ_FULL_DROP_OLDEST, 4000), NJ_ERROR_FULL);
	assert_non_null(strstr(said, "The store is full"));
	uint32_t taken = nj_unfinished(client);
	simdisk_set_capacity(medium, 0);
	begin_anew();
	assert_int_equal(nj_unfinished(client), taken);
	assert_int_equal(publish_large(NJ_FULL_FAIL, 4000), 0);
	assert_int_equal(nj_unfinished(client), taken + 1);
	end();
}

static void test_a_broken_disk(void **state)
{
	(void)state;
	nj_delivery *d;
	prepare(NJ_MQTT_5);
	begin();
	assert_int_equal(publish(1, 1, 0, NULL), 0);
	settle_all();
	simdisk_fail(medium, SIMDISK_WRITE, 1, 5, SIMDISK_LASTING);
	assert_int_equal(publish(2, 1, 0, &d), 0);
	settle_all();
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_NOT_STORED);
	assert_int_equal(nj_delivery_wait_stored(d, 0), NJ_ERROR_STORE);
	assert_int_equal(publish(3, 1, 0, NULL), NJ_ERROR_STORE);
	settle_all();
	assert_non_null(strstr(said, "cannot be written any more"));
	nj_delivery_free(d);
	simdisk_fail(medium, SIMDISK_WRITE, 0, 0, 0);
	begin_anew();
	assert_int_equal(nj_unfinished(client), 1);
	end();
}

/* The interval is over before the second process can connect; the clock of the wall goes on. */
static void test_expiry_goes_on_over_restarts(void **state)
{
	(void)state;
	static const struct nj_property expiry[] = {NJ_NUMBER(NJ_MESSAGE_EXPIRY_INTERVAL, 0)};
	struct nj_message_out m = {
		.topic = "sensor/1", .qos = 1, .properties = expiry, .property_count = 1};
	prepare(NJ_MQTT_5);
	begin();
	uint64_t taken_ms = kept_wall_ms();
	assert_int_equal(nj_publish(client, &m, NULL), 0);
	settle_all();
	while (kept_wall_ms() <= taken_ms + 1)
		;
	begin_anew();
	connect_now();
	assert_int_equal(published_count, 1);
	assert_int_equal(published.outcome, NJ_EXPIRED);
	assert_int_equal(host.server.packet_count[PACKET_PUBLISH], 0);
	end();
}

/* --- in --- */

static nj_message *receive(void)
{
	nj_message *m = NULL;
	settle_all();
	assert_int_equal(nj_receive(client, 0, &m), 0);
	return m;
}

static void ack(nj_message *m)
{
	assert_int_equal(nj_ack(m), 0);
	assert_int_equal(nj_ack(m), NJ_ERROR_NOT_FOUND);
	nj_message_unref(m);
	settle_all();
}

static void assert_none(void)
{
	nj_message *m;
	settle_all();
	int error = nj_receive(client, 0, &m);
	assert_true(error == NJ_ERROR_TIMED_OUT || error == NJ_ERROR_CLOSED);
}

static void test_in_is_given_again_until_it_is_let_go(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	begin();
	connect_now();
	for (uint8_t qos = 1; qos <= 2; qos++)
		assert_true(server_publish(&host.server, qos, qos));
	nj_message *first = receive(), *second = receive();
	uint64_t mark = nj_message_mark(first);
	assert_true(nj_message_mark(second) > mark);
	nj_message_unref(second);
	nj_message_unref(first);
	assert_false(has_come(PACKET_PUBACK));
	begin_anew(); /* given before there is a connection */
	first = receive();
	second = receive();
	assert_int_equal(nj_message_mark(first), mark);
	assert_int_equal(load_u32(nj_message_payload(second).ptr), 2);
	connect_now(); /* and the server's copies are known */
	assert_none();
	ack(second);
	ack(first);
	assert_int_equal(host.server.packet_count[PACKET_PUBACK], 1);
	assert_int_equal(host.server.packet_count[PACKET_PUBCOMP], 1);
	begin_anew();
	connect_now();
	assert_none();
	end();
}

static void test_acknowledgement_leaves_when_it_is_durable(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	begin();
	connect_now();
	assert_true(server_publish(&host.server, 1, 2));
	nj_message *m = receive();
	assert_int_equal(nj_ack(m), 0);
	settle(&host, client);
	assert_false(has_come(PACKET_PUBREC));
	while (!has_come(PACKET_PUBREC)) {
		(void)client_store_step(&client->kept->store);
		settle(&host, client);
	}
	settle(&host, client); /* PUBREL has come */
	assert_false(has_come(PACKET_PUBCOMP));
	settle_all();
	assert_true(has_come(PACKET_PUBCOMP));
	nj_message_unref(m);
	end();
}

static void test_skip(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	begin();
	connect_now();
	for (uint32_t i = 1; i <= 3; i++)
		assert_true(server_publish(&host.server, i, 2));
	uint64_t marks[3];
	for (unsigned i = 0; i < 3; i++) {
		nj_message *m = receive();
		marks[i] = nj_message_mark(m);
		nj_message_unref(m);
	}
	begin_anew();
	assert_int_equal(nj_skip(client, marks[1]), 0);
	nj_message *m = receive();
	assert_int_equal(nj_message_mark(m), marks[2]);
	connect_now();
	assert_none();
	assert_int_equal(host.server.packet_count[PACKET_PUBCOMP], 2);
	ack(m);
	assert_int_equal(host.server.packet_count[PACKET_PUBCOMP], 3);
	end();
}

static void test_give_back_and_refuse(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	begin();
	connect_now();
	assert_true(server_publish(&host.server, 1, 2));
	nj_message *m = receive();
	assert_int_equal(nj_give_back(m), 0);
	nj_message_unref(m);
	settle_all();
	assert_true(step_until(&host, client, is_connected, NULL));
	m = receive(); /* from the server */
	assert_int_equal(nj_refuse(m, 0x10), NJ_ERROR_INVALID);
	assert_int_equal(nj_refuse(m, REASON_NOT_AUTHORIZED), 0);
	nj_message_unref(m);
	settle_all();
	begin_anew();
	assert_none();
	end();
}

/* The server forgets the session; what it had sent is ours all the same. */
static void test_in_survives_a_lost_session(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	begin();
	connect_now();
	assert_true(server_publish(&host.server, 1, 2));
	nj_message *m = receive();
	host.server.has_session = false;
	host_cut(&host);
	connect_now();
	assert_int_equal(nj_give_back(m), NJ_ERROR_NOT_FOUND);
	assert_true(server_publish(&host.server, 2, 2)); /* under the same id */
	nj_message *other = receive();
	assert_int_equal(load_u32(nj_message_payload(other).ptr), 2);
	ack(m);
	ack(other);
	assert_int_equal(host.server.packet_count[PACKET_PUBCOMP], 1);
	begin_anew();
	assert_none();
	end();
}

static void test_automatic_acknowledgement(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	options.manual_ack = false;
	begin();
	connect_now();
	assert_true(server_publish(&host.server, 1, 1));
	nj_message *m = receive();
	assert_false(has_come(PACKET_PUBACK));
	nj_message_unref(m);
	settle_all();
	assert_true(has_come(PACKET_PUBACK));
	begin_anew();
	assert_none();
	end();
}

/* --- life --- */

static int open_another(const char *client_id)
{
	nj_client *c = NULL;
	struct nj_options o = options;
	o.client_id = client_id;
	int error = client_new_on_disk(&o, simdisk_attach(medium), STORE_ID, &c);
	nj_free(c);
	return error;
}

static void test_one_client_one_process(void **state)
{
	(void)state;
	prepare(NJ_MQTT_5);
	begin();
	assert_int_equal(open_another("client"), NJ_ERROR_STORE);
	assert_non_null(strstr(said, "Another process"));
	nj_free(client);
	assert_int_equal(open_another("other"), NJ_ERROR_INVALID);
	assert_non_null(strstr(said,
			       "The store is of the client id 'client', not 'other': give each "
			       "client a directory of its own."));
	begin();
	end();
}

static void test_a_client_id_is_made_and_kept(void **state)
{
	(void)state;
	char id[64];
	prepare(NJ_MQTT_3_1_1);
	options.client_id = NULL;
	assert_null(nj_options_problem(&options));
	begin();
	connect_now();
	snprintf(id, sizeof(id), "%s", host.server.client_id);
	assert_int_equal(strlen(id), 18);
	begin_anew();
	connect_now();
	assert_string_equal(host.server.client_id, id);
	end();
}

static void test_options_that_cannot_be(void **state)
{
	(void)state;
	nj_client *c;
	prepare(NJ_MQTT_5);
	options.store_bytes_max = STORE_BYTES_MIN - 1;
	assert_non_null(nj_options_problem(&options));
	options.store_bytes_max = STORE_BYTES_MIN;
	options.holds_until_release = true;
	options.manual_ack = false;
	assert_non_null(nj_options_problem(&options));
	options.holds_until_release = false;
	options.store_path = "/proc/no/such/place";
	assert_int_equal(nj_new(&options, &c), NJ_ERROR_STORE);
	assert_non_null(strstr(said, "/proc/no/such/place"));
	simdisk_free(medium);
	host_close(&host);
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
		cmocka_unit_test(test_in_is_given_again_until_it_is_let_go),
		cmocka_unit_test(test_acknowledgement_leaves_when_it_is_durable),
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
