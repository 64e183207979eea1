/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and responses ([5] 4.10): answered, late, foreign, refused, and bounded; and replies. */
#include "app.h"

#include <stdio.h>

#include "base/mem.h"
#include "mqtt/reason.h"

/* --- a responder behind the server --- */

static unsigned request_count, answers_due;
static bool is_silent, adds_foreign;
static char response_topic[128];
static uint8_t correlation[4][16];
static uint32_t expiry;
static bool subscription_came_before;

static void respond(struct server *s, const void *data, size_t len, const char *payload)
{
	struct publish p = {.topic = span_of_text(response_topic),
			    .payload = span_of_text(payload)};
	p.properties.present = UINT64_C(1) << PROPERTY_CORRELATION_DATA;
	p.properties.correlation_data = span_of(data, len);
	server_tell(s, &p);
}

static void on_request(struct server *s, const struct publish *p)
{
	const struct properties *found = &p->properties;
	assert_true(properties_has(found, PROPERTY_RESPONSE_TOPIC));
	assert_int_equal(found->correlation_data.len, 16);
	subscription_came_before = s->packet_count[PACKET_SUBSCRIBE] > 0;
	snprintf(response_topic, sizeof(response_topic), "%.*s", (int)found->response_topic.len,
		 (const char *)found->response_topic.ptr);
	memcpy(correlation[request_count % 4], found->correlation_data.ptr, 16);
	expiry = properties_has(found, PROPERTY_MESSAGE_EXPIRY_INTERVAL)
			 ? found->message_expiry_interval
			 : 0;
	request_count++;
	if (adds_foreign)
		respond(s, "another's", 9, "foreign");
	for (unsigned i = 0; !is_silent && i < answers_due; i++)
		respond(s, found->correlation_data.ptr, 16, "response");
}

static void prepare(void)
{
	request_count = 0;
	answers_due = 1;
	is_silent = adds_foreign = false;
	app_prepare(NJ_MQTT_5);
	app.host.server.published = on_request;
}

/* --- who asks --- */

static unsigned done_count;
static int last_error;
static char last_payload[32];

static void on_response(nj_client *c, void *context, int error, nj_message *m)
{
	(void)c;
	assert_ptr_equal(context, &done_count);
	done_count++;
	last_error = error;
	assert_int_equal(error == 0, m != NULL);
	snprintf(last_payload, sizeof(last_payload), "%s",
		 m ? (const char *)nj_message_payload(m).ptr : "");
}

static int ask(uint8_t qos, int64_t timeout_ms)
{
	struct nj_message_out m = {
		.topic = "service", .payload = "?", .payload_len = 1, .qos = qos};
	return nj_request_async(app.client, &m, timeout_ms, on_response, &done_count);
}

static struct nj_request_counts counts(void)
{
	struct nj_request_counts found;
	nj_count_requests(app.client, &found);
	return found;
}

static void test_each_request_has_its_response(void **state)
{
	(void)state;
	prepare();
	app_open();
	done_count = 0;
	for (uint8_t qos = 0; qos <= 2; qos++) {
		assert_int_equal(ask(qos, 5000), 0);
		settle(&app.host, app.client);
		assert_int_equal(done_count, qos + 1);
		assert_int_equal(last_error, 0);
		assert_string_equal(last_payload, "response");
		assert_int_equal(expiry, 5);
		assert_true(subscription_came_before);
	}
	assert_string_equal(response_topic, "nightjar/response/client");
	assert_memory_not_equal(correlation[0], correlation[1], 16);
	assert_memory_equal(correlation[0], correlation[1], 8);
	assert_int_equal(counts().answered, 3);
	assert_int_equal(counts().outstanding, 0);
	assert_int_equal(app.message_count, 0);
	assert_int_equal(app.host.server.packet_count[PACKET_SUBSCRIBE], 1);
	app_end();
}

static unsigned foreign_count;

static void on_foreign(nj_client *c, void *context, nj_message *m)
{
	(void)c;
	(void)context;
	foreign_count++;
	assert_string_equal(nj_message_payload(m).ptr, "foreign");
}

static void test_late_and_foreign_are_told_apart(void **state)
{
	(void)state;
	prepare();
	app.options.callbacks.message = on_foreign;
	app_open();
	answers_due = 3; /* the second and third come when it is over */
	adds_foreign = true;
	foreign_count = done_count = 0;
	assert_int_equal(ask(1, 5000), 0);
	settle(&app.host, app.client);
	assert_int_equal(done_count, 1);
	assert_int_equal(foreign_count, 1);
	assert_int_equal(counts().answered, 1);
	assert_int_equal(counts().late, 2);
	assert_int_equal(counts().foreign, 1);
	app_end();
}

static bool is_done(void *context)
{
	return done_count >= *(unsigned *)context;
}

static void test_time_is_over(void **state)
{
	(void)state;
	unsigned one = 1;
	prepare();
	app_open();
	is_silent = true;
	done_count = 0;
	assert_int_equal(ask(1, 20), 0);
	assert_int_equal(counts().outstanding, 1);
	assert_true(step_until(&app.host, app.client, is_done, &one));
	assert_int_equal(last_error, NJ_ERROR_TIMED_OUT);
	/* what comes now is late */
	respond(&app.host.server, correlation[0], 16, "response");
	settle(&app.host, app.client);
	assert_int_equal(counts().late, 1);
	assert_int_equal(done_count, 1);
	app_end();
}

static void test_refusals(void **state)
{
	(void)state;
	prepare();
	app_open();
	is_silent = true;
	done_count = 0;
	app.host.server.puback_code = REASON_NO_MATCHING_SUBSCRIBERS;
	assert_int_equal(ask(1, -1), 0);
	settle(&app.host, app.client);
	assert_int_equal(last_error, NJ_ERROR_NOT_FOUND);
	assert_int_equal(expiry, 0);
	app.host.server.puback_code = REASON_NOT_AUTHORIZED;
	assert_int_equal(ask(1, 5000), 0);
	settle(&app.host, app.client);
	assert_int_equal(last_error, NJ_ERROR_REFUSED);
	assert_int_equal(done_count, 2);
	app_end();
	/* the topic for responses is */
	prepare();
	is_silent = true;
	app.host.server.suback_code = REASON_NOT_AUTHORIZED;
	app_open();
	done_count = 0;
	assert_int_equal(ask(0, 5000), 0);
	settle(&app.host, app.client);
	assert_int_equal(done_count, 1);
	assert_int_equal(last_error, NJ_ERROR_REFUSED);
	app_end();
}

static void test_requests_are_bounded(void **state)
{
	(void)state;
	prepare();
	app.options.requests_max = 2;
	app_open();
	is_silent = true;
	done_count = 0;
	assert_int_equal(ask(0, 5000), 0);
	assert_int_equal(ask(0, 5000), 0);
	assert_int_equal(ask(0, 5000), NJ_ERROR_LIMIT);
	settle(&app.host, app.client);
	respond(&app.host.server, correlation[0], 16, "response");
	settle(&app.host, app.client);
	assert_int_equal(done_count, 1);
	assert_int_equal(ask(0, 5000), 0);
	app_end(); /* with two of them outstanding: they are not told */
	assert_int_equal(done_count, 1);
}

static void test_topic_is_the_servers_or_the_callers(void **state)
{
	(void)state;
	prepare();
	app.host.server.connack.properties.present = UINT64_C(1) << PROPERTY_RESPONSE_INFORMATION;
	app.host.server.connack.properties.response_information = SPAN_LITERAL("reserved/7");
	app_open();
	assert_int_equal(ask(0, 5000), 0);
	settle(&app.host, app.client);
	assert_string_equal(response_topic, "reserved/7/response");
	app_end();
	prepare();
	app.options.response_topic = "mine";
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(ask(1, 5000), 0); /* before there is a connection */
	done_count = 0;
	assert_int_equal(nj_connect(app.client, 0), 0);
	unsigned one = 1;
	assert_true(step_until(&app.host, app.client, is_done, &one));
	assert_string_equal(response_topic, "mine");
	assert_int_equal(last_error, 0);
	app_end();
}

static void test_requests_that_cannot_be(void **state)
{
	(void)state;
	static const struct nj_property mine[] = {NJ_TEXT(NJ_CORRELATION_DATA, "x")};
	struct nj_message_out m = {.topic = "service"};
	nj_message *response;
	prepare();
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(ask(1, 5000), NJ_ERROR_CLOSED);
	nj_free(app.client);
	app_open();
	assert_int_equal(ask(1, 0), NJ_ERROR_INVALID);
	assert_int_equal(ask(3, 5000), NJ_ERROR_INVALID);
	assert_int_equal(nj_request_async(app.client, &m, 5000, NULL, NULL), NJ_ERROR_INVALID);
	m.properties = mine;
	m.property_count = 1;
	assert_int_equal(nj_request_async(app.client, &m, 5000, on_response, NULL),
			 NJ_ERROR_INVALID);
	m.topic = NULL;
	assert_int_equal(nj_request(app.client, &m, 5000, &response), NJ_ERROR_INVALID);
	assert_int_equal(counts().outstanding, 0);
	app_end();
	app_begin(NJ_MQTT_3_1_1);
	assert_int_equal(ask(1, 5000), NJ_ERROR_INVALID);
	app_end();
}

/* --- waiting --- */

static void test_request_waits(void **state)
{
	(void)state;
	struct nj_message_out m = {.topic = "service", .payload = "?", .payload_len = 1, .qos = 1};
	nj_message *response;
	prepare();
	app.options.callbacks.message = NULL;
	app.options.manual_ack = true; /* responses are acknowledged by themselves */
	host_start(&app.host);
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, 20000), 0);
	assert_int_equal(nj_request(app.client, &m, 20000, &response), 0);
	assert_string_equal(nj_message_payload(response).ptr, "response");
	nj_message_unref(response);
	assert_int_equal(nj_start(app.client), 0);
	assert_int_equal(nj_request(app.client, &m, 20000, &response), 0);
	nj_message_unref(response);
	app_end();
}

/* --- a reply --- */

static int respond_error;

static void reply(struct app *a, nj_message *m)
{
	static const struct nj_property unit[] = {NJ_USER("unit", "C")};
	struct nj_message_out out = {.payload = "21", .payload_len = 2, .qos = 1};
	out.properties = unit;
	out.property_count = 1;
	respond_error = nj_respond(a->client, m, &out, NULL);
}

static struct span replied_correlation;
static uint8_t replied[64];

static void on_reply(struct server *s, const struct publish *p)
{
	(void)s;
	assert_true(span_is_equal(p->topic, SPAN_LITERAL("back/here")));
	assert_true(span_is_equal(p->payload, SPAN_LITERAL("21")));
	assert_true(properties_has(&p->properties, PROPERTY_USER_PROPERTY));
	replied_correlation = SPAN_NONE;
	if (!properties_has(&p->properties, PROPERTY_CORRELATION_DATA))
		return;
	memcpy(replied, p->properties.correlation_data.ptr, p->properties.correlation_data.len);
	replied_correlation = span_of(replied, p->properties.correlation_data.len);
}

static void send_request(const char *topic, const char *data)
{
	struct publish p = {.topic = SPAN_LITERAL("sensor/1"), .payload = SPAN_LITERAL("\0\0\0\1")};
	if (topic) {
		p.properties.present |= UINT64_C(1) << PROPERTY_RESPONSE_TOPIC;
		p.properties.response_topic = span_of_text(topic);
	}
	if (data) {
		p.properties.present |= UINT64_C(1) << PROPERTY_CORRELATION_DATA;
		p.properties.correlation_data = span_of_text(data);
	}
	server_tell(&app.host.server, &p);
	settle(&app.host, app.client);
}

static void test_respond(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.in_message = reply;
	app.host.server.published = on_reply;
	app_open();
	send_request("back/here", "42");
	assert_int_equal(respond_error, 0);
	assert_true(span_is_equal(replied_correlation, SPAN_LITERAL("42")));
	send_request("back/here", NULL);
	assert_int_equal(respond_error, 0);
	assert_int_equal(replied_correlation.len, 0);
	send_request(NULL, "42");
	assert_int_equal(respond_error, NJ_ERROR_NOT_FOUND);
	app_end();
}

/* --- memory --- */

static bool ask_with(unsigned long countdown)
{
	struct nj_message_out m = {.topic = "service", .payload = "?", .payload_len = 1, .qos = 1};
	nj_message *response = NULL;
	prepare();
	app.options.callbacks = (struct nj_callbacks){.message = NULL};
	app.options.retry_base_ms = 0;
	host_start(&app.host);
	mem_fail_after(countdown);
	if (nj_new(&app.options, &app.client) == 0) {
		assert_int_equal(nj_connect(app.client, 20000), 0);
		int error = nj_request(app.client, &m, 200, &response);
		assert_true(error == 0 || error == NJ_ERROR_NO_MEMORY ||
			    error == NJ_ERROR_TIMED_OUT || error == NJ_ERROR_CLOSED);
		if (error == 0)
			nj_message_unref(response);
	}
	bool has_failed = mem_has_failed();
	mem_fail_after(0);
	app_end();
	assert_int_equal(mem_count_live(), 0);
	return has_failed;
}

static void test_each_allocation_fails(void **state)
{
	(void)state;
	unsigned long countdown = 1;
	mem_count_start();
	while (ask_with(countdown))
		countdown++;
	assert_in_range(countdown, 16, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_request_has_its_response),
		cmocka_unit_test(test_late_and_foreign_are_told_apart),
		cmocka_unit_test(test_time_is_over),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_requests_are_bounded),
		cmocka_unit_test(test_topic_is_the_servers_or_the_callers),
		cmocka_unit_test(test_requests_that_cannot_be),
		cmocka_unit_test(test_request_waits),
		cmocka_unit_test(test_respond),
		cmocka_unit_test(test_each_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
