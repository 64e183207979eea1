/* SPDX-License-Identifier: Apache-2.0 */
/* include/nightjar/client.h in the caller's loop: connections and what goes out. */
#include "app.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mqtt/reason.h"

/* --- connect --- */

static void test_connect_and_disconnect(void **state)
{
	(void)state;
	const uint8_t versions[] = {NJ_MQTT_3_1, NJ_MQTT_3_1_1, NJ_MQTT_5};
	for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
		app_begin(versions[i]);
		assert_int_equal(app.connected_count, 1);
		assert_false(app.session_lost);
		assert_string_equal(app.host.server.client_id, "client");
		assert_int_equal(nj_disconnect(app.client, 0), 0);
		settle(&app.host, app.client);
		assert_int_equal(app.disconnected_count, 1);
		assert_int_equal(app.disconnected.end, NJ_END_DISCONNECTED);
		assert_int_equal(app.disconnected.retry_ms, -1);
		assert_int_equal(app.host.server.packet_count[PACKET_DISCONNECT], 1);
		assert_int_equal(nj_timeout_ms(app.client), -1);
		/* and once more */
		assert_int_equal(nj_connect(app.client, 0), 0);
		assert_true(step_until(&app.host, app.client, app_is_connected, NULL));
		app_end();
	}
}

static void test_refusal_is_told(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.host.server.connack.code = REASON_NOT_AUTHORIZED;
	app.options.stays_down = true;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.disconnected.end, NJ_END_REFUSED);
	assert_int_equal(app.disconnected.reason_code, REASON_NOT_AUTHORIZED);
	assert_int_equal(app.connected_count, 0);
	app_end();
}

static void test_options_that_cannot_be(void **state)
{
	(void)state;
	struct nj_options good = NJ_OPTIONS_INIT, bad;
	static const struct nj_property misplaced[] = {NJ_NUMBER(NJ_TOPIC_ALIAS, 1)};
	static const char *const addresses[] = {"",          "ftp://host",   "host:0", "host:65536",
						"host:1x",   "[::1",         "[::1]1", "mqtt://",
						"user@host", "mqtt://:1883", "unix://"};
	nj_client *c = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(addresses); i++) {
		bad = good;
		bad.address = addresses[i];
		assert_int_equal(nj_new(&bad, &c), NJ_ERROR_INVALID);
	}
	bad = good;
	bad.version = 6;
	assert_int_equal(nj_new(&bad, &c), NJ_ERROR_INVALID);
	bad = good;
	bad.size = sizeof(bad) + 1;
	assert_int_equal(nj_new(&bad, &c), NJ_ERROR_INVALID);
	bad = good;
	bad.properties = misplaced;
	bad.property_count = 1;
	assert_int_equal(nj_new(&bad, &c), NJ_ERROR_INVALID);
	bad = good;
	bad.version = NJ_MQTT_3_1_1;
	bad.clean_start = false; /* without a client id [3.1.1 MQTT-3.1.3-8] */
	assert_int_equal(nj_new(&bad, &c), NJ_ERROR_INVALID);
	assert_null(c);
}

/* A program that was compiled when the struct was smaller: what it does not know has its default. */
static void test_options_of_an_older_header(void **state)
{
	(void)state;
	struct nj_options old;
	nj_client *c;
	memset(&old, 0xff, sizeof(old));
	old.size = offsetof(struct nj_options, connect_timeout_ms);
	old.address = "127.0.0.1";
	old.more_addresses = NULL;
	old.more_address_count = 0;
	assert_int_equal(nj_new(&old, &c), 0);
	nj_free(c);
}

/* A port where nobody listens: its socket is bound, so that nobody else comes to listen there. */
static int take_dead_port(char *address, size_t len)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t a_len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, a_len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &a_len), 0);
	snprintf(address, len, "127.0.0.1:%u", ntohs(a.sin_port));
	return fd;
}

static void try_addresses_in_turn(bool stays_down)
{
	struct host tcp;
	char dead[64];
	app_prepare(NJ_MQTT_5);
	host_open(&tcp, NJ_MQTT_5);
	int fd = take_dead_port(dead, sizeof(dead));
	const char *more[] = {"unix:///nonexistent/socket", tcp.address};
	app.options.address = dead;
	app.options.more_addresses = more;
	app.options.more_address_count = 2;
	app.options.stays_down = stays_down;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
	assert_true(step_until(&tcp, app.client, app_is_connected, NULL));
	assert_int_equal(app.disconnected_count, 2);
	assert_int_equal(app.disconnected.end, NJ_END_UNREACHABLE);
	assert_int_equal(app.disconnected.system_error, ENOENT);
	assert_int_equal(app.disconnected.retry_ms, 0); /* the other one, at once */
	app_end();
	host_close(&tcp);
	close(fd);
}

static void test_addresses_in_turn(void **state)
{
	(void)state;
	try_addresses_in_turn(false);
	try_addresses_in_turn(true);
}

/* One round, not more. */
static void test_all_addresses_fail(void **state)
{
	(void)state;
	static const char *const more[] = {"unix:///nonexistent/other"};
	app_prepare(NJ_MQTT_5);
	app.options.address = "unix:///nonexistent/socket";
	app.options.more_addresses = more;
	app.options.more_address_count = 1;
	app.options.stays_down = true;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, -1), NJ_ERROR_CLOSED);
	assert_int_equal(app.disconnected_count, 2);
	assert_int_equal(app.disconnected.retry_ms, -1);
	app_end();
}

/* Waits are from 0 to base * 2^n, and never beyond the maximum. */
static void test_back_off(void **state)
{
	(void)state;
	int64_t longest = 0;
	char dead[64];
	app_prepare(NJ_MQTT_5);
	int fd = take_dead_port(dead, sizeof(dead));
	app.options.address = dead;
	app.options.retry_base_ms = 4;
	app.options.retry_max_ms = 20;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
	for (unsigned i = 0; i < 6; i++) {
		unsigned before = app.disconnected_count;
		while (app.disconnected_count == before)
			assert_int_equal(nj_step(app.client), 0);
		assert_true(app.disconnected.retry_ms >= 0);
		assert_true(app.disconnected.retry_ms <= (i < 2 ? 4 << i : 20));
		longest = app.disconnected.retry_ms > longest ? app.disconnected.retry_ms : longest;
	}
	assert_true(longest > 0);
	app_end();
	close(fd);
}

/* --- publish --- */

static void test_deliveries_have_outcomes(void **state)
{
	(void)state;
	nj_delivery *d[3];
	uint8_t reason_code = 0xff;
	app_begin(NJ_MQTT_5);
	for (uint8_t qos = 0; qos <= 2; qos++) {
		assert_int_equal(app_publish(qos + 1u, qos, &d[qos]), 0);
		assert_int_equal(nj_delivery_outcome(d[qos], &reason_code), NJ_PENDING);
	}
	assert_int_equal(reason_code, 0xff);
	settle(&app.host, app.client);
	assert_int_equal(nj_delivery_outcome(d[0], NULL), NJ_SENT);
	for (uint8_t qos = 1; qos <= 2; qos++) {
		assert_int_equal(nj_delivery_outcome(d[qos], &reason_code), NJ_ACKNOWLEDGED);
		assert_int_equal(reason_code, 0);
		assert_int_equal(app.host.server.arrived[qos + 1], 1);
		assert_int_equal(nj_delivery_wait(d[qos], 0), 0);
	}
	assert_int_equal(app.published_count, 3);
	assert_int_equal(nj_unfinished(app.client), 0);
	for (unsigned i = 0; i < 3; i++)
		nj_delivery_free(d[i]);
	app_end();
}

static void test_published_without_a_delivery(void **state)
{
	(void)state;
	app_begin(NJ_MQTT_3_1_1);
	assert_int_equal(app_publish(7, 1, NULL), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.published_count, 1);
	assert_ptr_equal(app.published[0].tag, &app.numbers[7]);
	assert_int_equal(app.published[0].outcome, NJ_ACKNOWLEDGED);
	app_end();
}

static void test_messages_wait_for_the_connection_and_survive_it(void **state)
{
	(void)state;
	nj_delivery *d;
	app_prepare(NJ_MQTT_5);
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(app_publish(1, 1, &d), 0);
	assert_int_equal(nj_delivery_wait(d, 0), NJ_ERROR_TIMED_OUT);
	nj_connect(app.client, 0);
	settle(&app.host, app.client);
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_ACKNOWLEDGED);
	nj_delivery_free(d);
	app.host.is_deaf = true;
	assert_int_equal(app_publish(2, 2, &d), 0);
	settle(&app.host, app.client);
	app.host.is_deaf = false;
	app_reconnect();
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_ACKNOWLEDGED);
	assert_int_equal(app.host.server.arrived[2], 1);
	assert_int_equal(app.disconnected.end, NJ_END_LOST);
	nj_delivery_free(d);
	app_end();
}

static void test_a_message_that_waits_too_long(void **state)
{
	(void)state;
	static const struct nj_property at_once[] = {NJ_NUMBER(NJ_MESSAGE_EXPIRY_INTERVAL, 0)};
	struct nj_message_out m = {.topic = "a", .qos = 1};
	nj_delivery *d;
	m.properties = at_once;
	m.property_count = 1;
	app_prepare(NJ_MQTT_5);
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_publish(app.client, &m, &d), 0);
	assert_int_equal(nj_delivery_wait(d, 20000), 0);
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_EXPIRED);
	nj_connect(app.client, 0);
	settle(&app.host, app.client);
	assert_int_equal(app.published[0].outcome, NJ_EXPIRED);
	assert_int_equal(app.host.server.packet_count[PACKET_PUBLISH], 0);
	nj_delivery_free(d);
	app_end();
}

static void test_messages_that_cannot_be(void **state)
{
	(void)state;
	static const struct nj_property misplaced[] = {NJ_NUMBER(NJ_SERVER_KEEP_ALIVE, 1)};
	static const struct nj_property unknown[] = {NJ_NUMBER(99, 1)};
	static const struct nj_property too_big[] = {NJ_NUMBER(NJ_TOPIC_ALIAS, 65536)};
	static const struct nj_property twice[] = {NJ_TEXT(NJ_CONTENT_TYPE, "a"),
						   NJ_TEXT(NJ_CONTENT_TYPE, "b")};
	static const struct nj_property *const lists[] = {misplaced, unknown, too_big, twice};
	app_begin(NJ_MQTT_5);
	struct nj_message_out m = {.topic = NULL};
	assert_int_equal(nj_publish(app.client, &m, NULL), NJ_ERROR_INVALID);
	m.topic = "a/+";
	assert_int_equal(nj_publish(app.client, &m, NULL), NJ_ERROR_INVALID);
	m.topic = "a";
	m.qos = 3;
	assert_int_equal(nj_publish(app.client, &m, NULL), NJ_ERROR_INVALID);
	m.qos = 0;
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
		m.properties = lists[i];
		m.property_count = i == 3 ? 2 : 1;
		assert_int_equal(nj_publish(app.client, &m, NULL), NJ_ERROR_INVALID);
	}
	assert_int_equal(app.published_count, 0);
	app_end();
}

static void test_full_outbox_fails(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.outbox_messages_max = 3;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(app_publish(i, 1, NULL), 0);
	assert_int_equal(app_publish(4, 1, NULL), NJ_ERROR_FULL);
	app_end();
}

/* QoS 0 first; what was sent never. */
static void test_full_outbox_drops_the_oldest(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.outbox_messages_max = 3;
	app.options.when_full = NJ_FULL_DROP_OLDEST;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	app_publish(1, 1, NULL);
	app_publish(2, 0, NULL);
	app_publish(3, 1, NULL);
	assert_int_equal(app_publish(4, 1, NULL), 0);
	assert_int_equal(app_publish(5, 1, NULL), 0);
	nj_connect(app.client, 0);
	settle(&app.host, app.client);
	const unsigned arrived[] = {0, 0, 0, 1, 1, 1};
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(app.host.server.arrived[i], arrived[i]);
	assert_int_equal(app.published[0].outcome, NJ_DROPPED);
	assert_ptr_equal(app.published[0].tag, &app.numbers[2]);
	assert_ptr_equal(app.published[1].tag, &app.numbers[1]);
	/* under way, and so not to be dropped */
	app.host.is_deaf = true;
	for (uint32_t i = 6; i <= 8; i++)
		assert_int_equal(app_publish(i, 1, NULL), 0);
	assert_int_equal(app_publish(9, 1, NULL), NJ_ERROR_FULL);
	app_end();
}

static void publish_and_wait(struct app *a, nj_message *m)
{
	nj_message *other;
	nj_delivery *d;
	(void)m;
	assert_int_equal(app_publish(21, 1, &d), 0);
	assert_int_equal(nj_delivery_wait(d, 1000), NJ_ERROR_WOULD_WAIT);
	nj_delivery_free(d);
	assert_int_equal(app_publish(22, 1, NULL), NJ_ERROR_WOULD_WAIT); /* full */
	assert_int_equal(nj_drain(a->client, 1000), NJ_ERROR_WOULD_WAIT);
	assert_int_equal(nj_connect(a->client, 1000), 0);
	assert_int_equal(nj_receive(a->client, 0, &other), NJ_ERROR_INVALID);
	assert_int_equal(nj_step(a->client), NJ_ERROR_WOULD_WAIT);
	assert_int_equal(nj_timeout_ms(a->client) >= 0, 1);
	assert_int_equal(nj_unfinished(a->client), 1);
	assert_true(nj_is_connected(a->client));
	assert_int_equal(nj_unsubscribe(a->client, &(const char *){"x"}, 1, NULL), 0);
}

static void test_callbacks_may_call_everything(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.outbox_messages_max = 1;
	app.options.when_full = NJ_FULL_WAIT;
	app.in_message = publish_and_wait;
	app_open();
	app_give(1, 1);
	assert_int_equal(app.message_count, 1);
	assert_int_equal(app.host.server.arrived[21], 1);
	assert_int_equal(app.host.server.packet_count[PACKET_UNSUBSCRIBE], 1);
	app_end();
}

static void free_client(struct app *a, nj_message *m)
{
	(void)m;
	nj_free(a->client);
}

static void test_a_callback_may_free_the_client(void **state)
{
	(void)state;
	nj_delivery *d;
	app_begin(NJ_MQTT_5);
	app.in_message = free_client;
	app.keeps = true;
	app.host.is_deaf = true;
	assert_int_equal(app_publish(5, 1, &d), 0);
	server_publish(&app.host.server, 1, 1);
	server_publish(&app.host.server, 2, 1);
	int error = 0;
	while (!error) {
		host_step(&app.host);
		error = nj_step(app.client);
	}
	assert_int_equal(error, NJ_ERROR_CLOSED);
	assert_int_equal(app.message_count, 1);
	/* what the application holds stays valid */
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_GIVEN_UP);
	assert_int_equal(nj_delivery_wait(d, -1), 0);
	nj_delivery_free(d);
	assert_string_equal(nj_message_topic(app.kept[0]), "sensor/1");
	assert_int_equal(nj_ack(app.kept[0]), NJ_ERROR_INVALID); /* not manual */
	nj_message_unref(app.kept[0]);
	host_close(&app.host);
}

static void disconnect_client(struct app *a, nj_message *m)
{
	(void)m;
	assert_int_equal(nj_disconnect(a->client, 0), 0);
}

static void test_disconnect_in_a_callback_acknowledges_first(void **state)
{
	(void)state;
	app_begin(NJ_MQTT_5);
	app.in_message = disconnect_client;
	app_give(1, 1);
	const struct server *s = &app.host.server;
	assert_int_equal(s->packet_count[PACKET_PUBACK], 1);
	assert_int_equal(s->order[s->order_count - 1], PACKET_DISCONNECT);
	app_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect_and_disconnect),
		cmocka_unit_test(test_refusal_is_told),
		cmocka_unit_test(test_options_that_cannot_be),
		cmocka_unit_test(test_options_of_an_older_header),
		cmocka_unit_test(test_addresses_in_turn),
		cmocka_unit_test(test_all_addresses_fail),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_deliveries_have_outcomes),
		cmocka_unit_test(test_published_without_a_delivery),
		cmocka_unit_test(test_messages_wait_for_the_connection_and_survive_it),
		cmocka_unit_test(test_a_message_that_waits_too_long),
		cmocka_unit_test(test_messages_that_cannot_be),
		cmocka_unit_test(test_full_outbox_fails),
		cmocka_unit_test(test_full_outbox_drops_the_oldest),
		cmocka_unit_test(test_callbacks_may_call_everything),
		cmocka_unit_test(test_a_callback_may_free_the_client),
		cmocka_unit_test(test_disconnect_in_a_callback_acknowledges_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
