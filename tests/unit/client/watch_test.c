/* SPDX-License-Identifier: Apache-2.0 */
/* What a program sees of the packets and may choose of them: the `packet` and `answered` callbacks,
 * the reason of a DISCONNECT, holding QoS 2 messages until PUBREL, the address to come from. */
#include "app.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "mqtt/reason.h"

#define LINES 64

static char lines[LINES][128];
static unsigned line_count;

static void check_sizes(const struct nj_packet *p)
{
	assert_true(p->len >= 2);
	if (p->type == NJ_PUBLISH)
		assert_true(p->len >= 2 + 2 + strlen(p->topic) + p->payload_len);
	if (p->type == NJ_PINGREQ)
		assert_int_equal(p->len, 2);
}

static void on_packet(nj_client *c, void *context, const struct nj_packet *p)
{
	(void)c;
	(void)context;
	assert_true(line_count < LINES);
	check_sizes(p);
	snprintf(lines[line_count++], sizeof(lines[0]),
		 "%s %s id=%u rc=%u q%u d%u r%u '%s' %zu %zu", p->is_outgoing ? ">" : "<",
		 nj_packet_name(p->type), p->packet_id, p->reason_code, p->qos, p->dup, p->retain,
		 p->topic, p->payload_len, p->subscription_count + p->reason_codes.len);
}

static void expect(const char *const *wanted, unsigned count)
{
	for (unsigned i = 0; i < count && i < line_count; i++)
		assert_string_equal(lines[i], wanted[i]);
	assert_int_equal(line_count, count);
	line_count = 0;
}

static void begin(uint8_t version)
{
	line_count = 0;
	app_prepare(version);
	app.options.callbacks.packet = on_packet;
	app_open();
}

/* --- packets --- */

static void test_packets_in_and_out(void **state)
{
	(void)state;
	static const char *const connecting[] = {"> CONNECT id=0 rc=0 q0 d0 r0 '' 0 0",
						 "< CONNACK id=0 rc=0 q0 d0 r0 '' 0 0"};
	static const char *const talking[] = {"> PUBLISH id=0 rc=0 q0 d0 r0 'sensor/1' 4 0",
					      "> PUBLISH id=1 rc=0 q1 d0 r0 'sensor/1' 4 0",
					      "> PUBLISH id=2 rc=0 q2 d0 r0 'sensor/1' 4 0",
					      "< PUBACK id=1 rc=0 q0 d0 r0 '' 0 0",
					      "< PUBREC id=2 rc=0 q0 d0 r0 '' 0 0",
					      "> PUBREL id=2 rc=0 q0 d0 r0 '' 0 0",
					      "< PUBCOMP id=2 rc=0 q0 d0 r0 '' 0 0",
					      "< PUBLISH id=1 rc=0 q1 d0 r0 'sensor/1' 4 0",
					      "> PUBACK id=1 rc=0 q0 d0 r0 '' 0 0",
					      "> DISCONNECT id=0 rc=0 q0 d0 r0 '' 0 0"};
	const uint8_t versions[] = {NJ_MQTT_3_1, NJ_MQTT_3_1_1, NJ_MQTT_5};
	for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
		begin(versions[i]);
		expect(connecting, ARRAY_COUNT(connecting));
		for (uint32_t number = 0; number < 3; number++)
			assert_int_equal(app_publish(number, (uint8_t)number, NULL), 0);
		settle(&app.host, app.client);
		app_give(7, 1);
		assert_int_equal(nj_disconnect(app.client, 0), 0);
		settle(&app.host, app.client);
		expect(talking, ARRAY_COUNT(talking));
		app_end();
	}
}

static struct nj_subscription seen_subscriptions[2];
static char seen_filters[2][16];

static void note_subscriptions(nj_client *c, void *context, const struct nj_packet *p)
{
	struct nj_property found;
	(void)c;
	(void)context;
	if (p->type != NJ_SUBSCRIBE && p->type != NJ_UNSUBSCRIBE)
		return;
	assert_int_equal(p->subscription_count, 2);
	assert_string_equal(p->client_id, "client");
	assert_int_equal(nj_property_find(p->properties, NJ_SUBSCRIPTION_IDENTIFIER, &found),
			 p->type == NJ_SUBSCRIBE);
	for (size_t i = 0; i < 2; i++) {
		seen_subscriptions[i] = p->subscriptions[i];
		strncpy(seen_filters[i], p->subscriptions[i].filter, sizeof(seen_filters[i]) - 1);
	}
}

static void test_subscriptions_are_shown(void **state)
{
	(void)state;
	static const struct nj_property properties[] = {NJ_NUMBER(NJ_SUBSCRIPTION_IDENTIFIER, 300)};
	static const struct nj_subscription list[] = {{"a/#", 1, true, false, 2},
						      {"b", 2, false, true, 0}};
	static const char *const ended[] = {"b", "c"};
	app_prepare(NJ_MQTT_5);
	app.options.callbacks.packet = note_subscriptions;
	app_open();
	assert_int_equal(nj_subscribe(app.client, list, 2, properties, 1, NULL), 0);
	settle(&app.host, app.client);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(seen_filters[i], list[i].filter);
		assert_int_equal(seen_subscriptions[i].qos, list[i].qos);
		assert_int_equal(seen_subscriptions[i].no_local, list[i].no_local);
		assert_int_equal(seen_subscriptions[i].retain_handling, list[i].retain_handling);
		assert_int_equal(seen_subscriptions[i].retain_as_published,
				 list[i].retain_as_published);
	}
	assert_int_equal(nj_unsubscribe(app.client, ended, 2, NULL), 0);
	settle(&app.host, app.client);
	assert_string_equal(seen_filters[0], "b");
	assert_string_equal(seen_filters[1], "c");
	app_end();
}

/* --- answers to subscriptions --- */

static nj_delivery *answered[4];
static uint8_t answered_codes[4];
static unsigned answered_count;

static void on_answered(nj_client *c, void *context, nj_delivery *d)
{
	(void)c;
	(void)context;
	struct nj_bytes codes = nj_delivery_reason_codes(d);
	answered_codes[answered_count] = codes.len > 0 ? *(const uint8_t *)codes.ptr : 0xff;
	answered[answered_count++] = d;
}

static void test_answers_are_told_once(void **state)
{
	(void)state;
	struct nj_subscription s = {.filter = "a", .qos = 2};
	static const char *const ended[] = {"a"};
	nj_delivery *first, *second;
	answered_count = 0;
	app_prepare(NJ_MQTT_5);
	app.options.callbacks.answered = on_answered;
	app_open();
	assert_int_equal(nj_subscribe(app.client, &s, 1, NULL, 0, &first), 0);
	assert_int_equal(nj_unsubscribe(app.client, ended, 1, &second), 0);
	settle(&app.host, app.client);
	assert_int_equal(answered_count, 2);
	assert_ptr_equal(answered[0], first);
	assert_int_equal(answered_codes[0], 2);
	assert_ptr_equal(answered[1], second);
	/* a subscription that the library makes again is its own affair */
	assert_int_equal(nj_subscribe(app.client, &s, 1, NULL, 0, NULL), 0);
	settle(&app.host, app.client);
	app.host.server.loses_session = true;
	app_reconnect();
	assert_int_equal(app.host.server.packet_count[PACKET_SUBSCRIBE], 3);
	assert_int_equal(answered_count, 3);
	nj_delivery_free(first);
	nj_delivery_free(second);
	app_end();
}

/* --- published --- */

static void test_published_says_what_was_sent(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.host.server.connack.properties.present = UINT64_C(1) << PROPERTY_MAXIMUM_QOS;
	app.host.server.connack.properties.maximum_qos = 1;
	app_open();
	assert_int_equal(app_publish(0, 1, NULL), 0);
	assert_int_equal(app_publish(1, 2, NULL), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.published_count, 2);
	const struct nj_published *refused = &app.published[0], *taken = &app.published[1];
	if (refused->outcome != NJ_REFUSED) {
		refused = &app.published[1];
		taken = &app.published[0];
	}
	assert_int_equal(refused->outcome, NJ_REFUSED);
	assert_int_equal(refused->reason_code, REASON_QOS_NOT_SUPPORTED);
	assert_false(refused->was_sent);
	assert_int_equal(refused->packet_id, 0);
	assert_int_equal(taken->outcome, NJ_ACKNOWLEDGED);
	assert_true(taken->was_sent);
	assert_int_equal(taken->packet_id, 1);
	app_end();
}

/* --- disconnect --- */

static void test_disconnect_with_reason(void **state)
{
	(void)state;
	static const struct nj_property wanted[] = {NJ_NUMBER(NJ_SESSION_EXPIRY_INTERVAL, 5),
						    NJ_USER("why", "done")};
	static const struct nj_property misplaced[] = {NJ_NUMBER(NJ_TOPIC_ALIAS, 1)};
	app_begin(NJ_MQTT_5);
	assert_int_equal(
		nj_disconnect_with(app.client, REASON_DISCONNECT_WITH_WILL, misplaced, 1, 0),
		NJ_ERROR_INVALID);
	assert_int_equal(nj_disconnect_with(app.client, REASON_GRANTED_QOS_1, NULL, 0, 0),
			 NJ_ERROR_INVALID);
	assert_true(nj_is_connected(app.client));
	assert_int_equal(nj_disconnect_with(app.client, REASON_DISCONNECT_WITH_WILL, wanted, 2, 0),
			 0);
	settle(&app.host, app.client);
	assert_int_equal(app.host.server.disconnect.reason_code, REASON_DISCONNECT_WITH_WILL);
	assert_int_equal(app.host.server.disconnect.properties.session_expiry_interval, 5);
	assert_int_equal(app.disconnected.end, NJ_END_DISCONNECTED);
	assert_int_equal(app.disconnected.reason_code, REASON_DISCONNECT_WITH_WILL);
	app_end();
	/* [5] 3.14.2.2.2 */
	app_prepare(NJ_MQTT_5);
	app.options.session_expiry = 0;
	app_open();
	assert_int_equal(nj_disconnect_with(app.client, 0, wanted, 2, 0), NJ_ERROR_INVALID);
	app_end();
}

/* --- held until PUBREL --- */

static void begin_holding(void)
{
	app_prepare(NJ_MQTT_5);
	app.options.holds_until_release = true;
	app_open();
}

/* Sends PUBLISH at QoS 2 and sees PUBREC, but keeps its PUBREL back. */
static void give_half(uint32_t number, uint16_t id)
{
	uint8_t payload[4], packet[64];
	store_u32(payload, number);
	struct publish p = {.qos = 2,
			    .packet_id = id,
			    .topic = SPAN_LITERAL("sensor/1"),
			    .payload = span_of(payload, 4)};
	size_t len = publish_encode(&p, MQTT_5, (struct room){packet, sizeof(packet)});
	assert_true(send(app.host.fd, packet, len, MSG_NOSIGNAL) == (ssize_t)len);
	while (nj_step(app.client) == 0 && app.host.server.packet_count[PACKET_PUBREC] < number) {
		uint8_t in[64];
		ssize_t got = recv(app.host.fd, in, sizeof(in), MSG_DONTWAIT);
		if (got > 0)
			app.host.server.packet_count[PACKET_PUBREC] += in[0] >> 4 == PACKET_PUBREC;
	}
}

static void release(uint16_t id)
{
	uint8_t packet[8];
	struct ack p = {.type = PACKET_PUBREL, .packet_id = id};
	size_t len = ack_encode(&p, MQTT_5, (struct room){packet, sizeof(packet)});
	assert_true(send(app.host.fd, packet, len, MSG_NOSIGNAL) == (ssize_t)len);
	assert_int_equal(nj_step(app.client), 0);
}

static void test_held_until_release(void **state)
{
	(void)state;
	begin_holding();
	give_half(1, 10);
	give_half(2, 11);
	assert_int_equal(app.message_count, 0);
	release(11);
	assert_int_equal(app.message_count, 1);
	assert_int_equal(app.numbers[0], 2);
	release(10);
	assert_int_equal(app.message_count, 2);
	assert_int_equal(app.numbers[1], 1);
	app_end();
}

static void test_held_are_given_when_nobody_will_release_them(void **state)
{
	(void)state;
	begin_holding();
	give_half(1, 10);
	app.host.server.loses_session = true;
	app_reconnect();
	assert_int_equal(app.message_count, 1);
	app.host.server.packet_count[PACKET_PUBREC] = 0;
	give_half(1, 10);
	assert_int_equal(nj_disconnect(app.client, 0), 0);
	assert_int_equal(nj_step(app.client), 0);
	assert_int_equal(app.message_count, 2);
	app_end();
}

static void test_held_are_bounded(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.holds_until_release = true;
	app.options.inbox_bytes_max = 1; /* whatever comes fills it */
	app_open();
	give_half(1, 10);
	assert_int_equal(app.message_count, 1);
	release(10);
	assert_int_equal(app.message_count, 1);
	app_end();
}

static void test_holding_excludes_manual_acknowledgement(void **state)
{
	(void)state;
	struct nj_options o = NJ_OPTIONS_INIT;
	nj_client *c = NULL;
	o.holds_until_release = o.manual_ack = true;
	assert_int_equal(nj_new(&o, &c), NJ_ERROR_INVALID);
	assert_null(c);
}

/* --- the address to come from --- */

static void test_bind_address(void **state)
{
	(void)state;
	struct host tcp;
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	app_prepare(NJ_MQTT_5);
	host_open(&tcp, NJ_MQTT_5);
	app.options.address = tcp.address;
	app.options.bind_address = "127.0.0.2";
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
	assert_true(step_until(&tcp, app.client, app_is_connected, NULL));
	assert_int_equal(getpeername(tcp.fd, (struct sockaddr *)&peer, &len), 0);
	assert_string_equal(inet_ntoa(peer.sin_addr), "127.0.0.2");
	app_end();
	host_close(&tcp);
}

static void test_bind_address_of_another_family(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.address = "127.0.0.1:1";
	app.options.bind_address = "::1";
	app.options.stays_down = true;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.disconnected.end, NJ_END_UNREACHABLE);
	assert_int_equal(app.disconnected.system_error, EADDRNOTAVAIL);
	app_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets_in_and_out),
		cmocka_unit_test(test_subscriptions_are_shown),
		cmocka_unit_test(test_answers_are_told_once),
		cmocka_unit_test(test_published_says_what_was_sent),
		cmocka_unit_test(test_disconnect_with_reason),
		cmocka_unit_test(test_held_until_release),
		cmocka_unit_test(test_held_are_given_when_nobody_will_release_them),
		cmocka_unit_test(test_held_are_bounded),
		cmocka_unit_test(test_holding_excludes_manual_acknowledgement),
		cmocka_unit_test(test_bind_address),
		cmocka_unit_test(test_bind_address_of_another_family),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
