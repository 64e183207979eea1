/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishes numbered messages to itself at each QoS and checks what comes: once, in order, as sent.
 *
 *	library ADDRESS calls|thread|loop 3|4|5
 *
 * Only the public header is used.
 */
#include <nightjar/client.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT 200
#define PATIENCE_MS 30000

enum driver { CALLS, THREAD, LOOP };

struct test {
	nj_client *client;
	enum driver driver;
	bool is_5;
	unsigned next[3];
	unsigned count;
	char topic[64];
};

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail(#condition);                                                          \
	} while (0)

static void step(struct test *t)
{
	struct pollfd fd = {nj_descriptor(t->client), POLLIN, 0};
	poll(&fd, 1, nj_timeout_ms(t->client));
	CHECK(nj_step(t->client) == 0);
}

static void wait_for(struct test *t, nj_delivery *d)
{
	uint8_t reason_code;
	while (t->driver == LOOP && nj_delivery_outcome(d, NULL) == NJ_PENDING)
		step(t);
	CHECK(nj_delivery_wait(d, PATIENCE_MS) == 0);
	CHECK(nj_delivery_outcome(d, &reason_code) == NJ_ACKNOWLEDGED && reason_code < 0x80);
	nj_delivery_free(d);
}

static void connect_client(struct test *t)
{
	if (t->driver == THREAD)
		CHECK(nj_start(t->client) == 0);
	CHECK(nj_connect(t->client, t->driver == LOOP ? 0 : PATIENCE_MS) == 0);
	while (!nj_is_connected(t->client))
		step(t);
}

static void subscribe(struct test *t)
{
	static const struct nj_property identifier[] = {NJ_NUMBER(NJ_SUBSCRIPTION_IDENTIFIER, 7)};
	struct nj_subscription s = {0};
	nj_delivery *d;
	s.filter = t->topic;
	s.qos = 2;
	CHECK(nj_subscribe(t->client, &s, 1, identifier, t->is_5, &d) == 0);
	wait_for(t, d);
}

static void publish(struct test *t)
{
	static const struct nj_property properties[] = {NJ_TEXT(NJ_CONTENT_TYPE, "number"),
							NJ_USER("unit", "none")};
	for (unsigned i = 0; i < 3 * COUNT; i++) {
		char text[16];
		struct nj_message_out m = {0};
		snprintf(text, sizeof(text), "%u", i / 3);
		m.topic = t->topic;
		m.payload = text;
		m.payload_len = strlen(text);
		m.qos = (uint8_t)(i % 3);
		m.properties = properties;
		m.property_count = t->is_5 ? 2 : 0;
		CHECK(nj_publish(t->client, &m, NULL) == 0);
	}
}

static void check_properties(const struct test *t, const nj_message *m)
{
	struct nj_property p;
	struct nj_bytes properties = nj_message_properties(m);
	if (!t->is_5) {
		CHECK(properties.len == 0);
		return;
	}
	CHECK(nj_property_find(properties, NJ_CONTENT_TYPE, &p));
	CHECK(p.text.len == 6 && memcmp(p.text.ptr, "number", 6) == 0);
	CHECK(nj_property_find(properties, NJ_USER_PROPERTY, &p));
	CHECK(p.value.len == 4 && memcmp(p.value.ptr, "none", 4) == 0);
	CHECK(nj_property_find(properties, NJ_SUBSCRIPTION_IDENTIFIER, &p) && p.number == 7);
}

static void take(struct test *t, nj_message *m)
{
	uint8_t qos = nj_message_qos(m);
	CHECK(strcmp(nj_message_topic(m), t->topic) == 0);
	CHECK(!nj_message_dup(m));
	CHECK((unsigned)atoi((const char *)nj_message_payload(m).ptr) == t->next[qos]);
	check_properties(t, m);
	CHECK(nj_ack(m) == (qos ? 0 : NJ_ERROR_NOT_FOUND));
	t->next[qos]++;
	t->count++;
}

static void receive(struct test *t)
{
	while (t->count < 3 * COUNT) {
		nj_message *m;
		int error = nj_receive(t->client, t->driver == LOOP ? 0 : PATIENCE_MS, &m);
		if (error == NJ_ERROR_TIMED_OUT && t->driver == LOOP) {
			step(t);
			continue;
		}
		CHECK(error == 0);
		take(t, m);
		nj_message_unref(m);
	}
}

int main(int argc, char **argv)
{
	static const char *const drivers[] = {"calls", "thread", "loop"};
	struct nj_options options = NJ_OPTIONS_INIT;
	struct test t = {0};
	CHECK(argc == 4);
	while (strcmp(drivers[t.driver], argv[2]) != 0)
		t.driver = (enum driver)(t.driver + 1);
	options.address = argv[1];
	options.version = (uint8_t)atoi(argv[3]);
	options.client_id = options.version == NJ_MQTT_3_1 ? argv[2] : NULL;
	options.manual_ack = true;
	t.is_5 = options.version == NJ_MQTT_5;
	snprintf(t.topic, sizeof(t.topic), "library/%s/%s", argv[2], argv[3]);
	CHECK(nj_new(&options, &t.client) == 0);
	connect_client(&t);
	subscribe(&t);
	publish(&t);
	receive(&t);
	CHECK(nj_drain(t.client, PATIENCE_MS) == 0);
	CHECK(nj_disconnect(t.client, PATIENCE_MS) == 0);
	nj_free(t.client);
	puts("all is well");
	return 0;
}
