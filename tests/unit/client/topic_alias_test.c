/* SPDX-License-Identifier: Apache-2.0 */
/* Topic aliases over the public header ([5] 3.3.2.3.4): chosen by the library, the caller's own, and
 * those of the server. */
#include "app.h"

#include <stdio.h>

#define LONG_TOPIC "a/long/topic/that/is/used/again/and/again"

/* What the server makes of what comes: topics by alias, as it must. */
static char known[8][64], last_topic[64];
static uint16_t last_alias;
static size_t topic_bytes;

static void on_publish(struct server *s, const struct publish *p)
{
	(void)s;
	bool has_alias = properties_has(&p->properties, PROPERTY_TOPIC_ALIAS);
	last_alias = has_alias ? p->properties.topic_alias : 0;
	assert_true(last_alias < 8);
	topic_bytes = p->topic.len;
	if (p->topic.len > 0)
		snprintf(last_topic, sizeof(last_topic), "%.*s", (int)p->topic.len,
			 (const char *)p->topic.ptr);
	else
		snprintf(last_topic, sizeof(last_topic), "%s", known[last_alias]);
	if (has_alias)
		snprintf(known[last_alias], sizeof(known[0]), "%s", last_topic);
}

static char shown_topic[64];

static void on_packet(nj_client *c, void *context, const struct nj_packet *p)
{
	(void)c;
	(void)context;
	if (p->type == NJ_PUBLISH)
		snprintf(shown_topic, sizeof(shown_topic), "%s", p->topic);
}

static void prepare(uint16_t servers, uint16_t ours)
{
	memset(known, 0, sizeof(known));
	app_prepare(NJ_MQTT_5);
	app.host.server.published = on_publish;
	app.host.server.connack.properties.present = UINT64_C(1) << PROPERTY_TOPIC_ALIAS_MAXIMUM;
	app.host.server.connack.properties.topic_alias_maximum = servers;
	app.options.topic_aliases_max = ours;
	app.options.callbacks.packet = on_packet;
	app_open();
}

static void publish(const char *topic, uint8_t qos, const struct nj_property *property)
{
	static const struct nj_property user[] = {NJ_USER("name", "value")};
	struct nj_message_out m = {.topic = topic, .payload = "x", .payload_len = 1, .qos = qos};
	m.properties = property ? property : user;
	m.property_count = 1;
	assert_int_equal(nj_publish(app.client, &m, NULL), 0);
	settle(&app.host, app.client);
	assert_string_equal(last_topic, topic);
	assert_string_equal(shown_topic, topic);
}

static void expect(size_t bytes, uint16_t alias)
{
	assert_int_equal(topic_bytes, bytes);
	assert_int_equal(last_alias, alias);
}

static void test_chosen_by_the_library(void **state)
{
	(void)state;
	prepare(4, 64);
	publish(LONG_TOPIC, 0, NULL);
	expect(strlen(LONG_TOPIC), 0);
	publish(LONG_TOPIC, 1, NULL);
	expect(strlen(LONG_TOPIC), 1);
	for (uint8_t qos = 0; qos <= 2; qos++) {
		publish(LONG_TOPIC, qos, NULL);
		expect(0, 1);
	}
	publish("b", 1, NULL);
	expect(1, 0);
	/* a connection begins without aliases [MQTT-3.3.2-7] */
	memset(known, 0, sizeof(known));
	app_reconnect();
	publish(LONG_TOPIC, 1, NULL);
	expect(strlen(LONG_TOPIC), 0);
	app_end();
}

static void test_no_more_than_the_server_takes(void **state)
{
	(void)state;
	prepare(1, 64);
	for (int i = 0; i < 3; i++) {
		publish("a", 0, NULL);
		publish("b", 0, NULL);
		assert_true(last_alias <= 1); /* [MQTT-3.3.2-9] */
	}
	app_end();
	prepare(0, 64);
	for (int i = 0; i < 3; i++) {
		publish("a", 0, NULL);
		expect(1, 0);
	}
	app_end();
	prepare(4, 0);
	for (int i = 0; i < 3; i++) {
		publish("a", 0, NULL);
		expect(1, 0);
	}
	app_end();
}

static void test_beside_the_callers_own(void **state)
{
	(void)state;
	static const struct nj_property own[] = {NJ_NUMBER(NJ_TOPIC_ALIAS, 1)};
	prepare(4, 64);
	publish("a", 0, NULL);
	publish("a", 0, NULL);
	expect(1, 1);
	publish("other", 0, own);
	expect(5, 1);
	publish("a", 0, NULL); /* 1 is not "a" any more */
	expect(1, 2);
	publish("a", 0, NULL);
	expect(0, 2);
	app_end();
}

/* One that fits, and would not with an alias, goes without. */
static void test_packet_size_goes_first(void **state)
{
	(void)state;
	struct nj_message_out m = {.topic = "abcdefgh", .payload = "x", .payload_len = 1};
	app_prepare(NJ_MQTT_5);
	app.host.server.published = on_publish;
	app.host.server.connack.properties.present = UINT64_C(1) << PROPERTY_TOPIC_ALIAS_MAXIMUM |
						     UINT64_C(1) << PROPERTY_MAXIMUM_PACKET_SIZE;
	app.host.server.connack.properties.topic_alias_maximum = 4;
	app.host.server.connack.properties.maximum_packet_size = 2 + 2 + 8 + 1 + 1;
	app.options.topic_aliases_max = 4;
	app_open();
	for (int i = 0; i < 3; i++) {
		last_topic[0] = '\0';
		assert_int_equal(nj_publish(app.client, &m, NULL), 0);
		settle(&app.host, app.client);
		assert_string_equal(last_topic, "abcdefgh");
		expect(8, 0);
	}
	app_end();
}

static void test_of_the_server(void **state)
{
	(void)state;
	static const struct nj_property announced[] = {NJ_NUMBER(NJ_TOPIC_ALIAS_MAXIMUM, 2)};
	struct publish p = {.topic = SPAN_LITERAL("sensor/1"), .payload = SPAN_LITERAL("\0\0\0\1")};
	app_prepare(NJ_MQTT_5);
	app.options.properties = announced;
	app.options.property_count = 1;
	app_open();
	p.properties.present = UINT64_C(1) << PROPERTY_TOPIC_ALIAS;
	p.properties.topic_alias = 2;
	server_tell(&app.host.server, &p);
	p.topic = SPAN_NONE;
	server_tell(&app.host.server, &p);
	settle(&app.host, app.client);
	assert_int_equal(app.message_count, 2); /* whose topic the callback looks at */
	p.properties.topic_alias = 3;
	server_tell(&app.host.server, &p);
	settle(&app.host, app.client);
	assert_int_equal(app.disconnected.end, NJ_END_FLAW);
	app_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chosen_by_the_library),
		cmocka_unit_test(test_no_more_than_the_server_takes),
		cmocka_unit_test(test_beside_the_callers_own),
		cmocka_unit_test(test_packet_size_goes_first),
		cmocka_unit_test(test_of_the_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
