/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of the public header from several threads and from callbacks, over a connection that
 * comes and goes: for the thread sanitizer above all. tests/release/test_library.py looks that none
 * is left out. */
#include "host.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "mqtt/reason.h"

#define PATIENCE_MS 20000
#define WORKERS 3
#define ROUNDS 30

static struct host host;
static atomic_bool is_over;
static atomic_uint event_count, message_count, answer_count;

/* --- the server: takes whoever comes, and answers requests --- */

static void authenticate(struct server *s, uint8_t type, const struct properties *p)
{
	(void)p;
	if (type == PACKET_CONNECT)
		server_accept(s, 0, "M", SPAN_LITERAL("data"));
	else
		server_auth(s, REASON_SUCCESS, "M", SPAN_LITERAL("data"));
}

static void respond(struct server *s, const struct publish *p)
{
	const struct properties *asked = &p->properties;
	struct publish answer = {.topic = asked->response_topic, .payload = SPAN_LITERAL("yes!")};
	if (!properties_has(asked, PROPERTY_RESPONSE_TOPIC))
		return;
	answer.properties.present = UINT64_C(1) << PROPERTY_CORRELATION_DATA;
	answer.properties.correlation_data = asked->correlation_data;
	server_tell(s, &answer);
}

static void *serve(void *context)
{
	(void)context;
	while (!atomic_load(&is_over)) {
		host.is_deaf = host.server.out_len > 0; /* what it has to say is bounded */
		host_step(&host);
		if (host.server.is_connected && host.server.out_len == 0 &&
		    host.server.send.quota_used < 4)
			(void)server_publish(&host.server, 1, 1);
		sched_yield();
	}
	return NULL;
}

/* --- calls --- */

static void look_at_message(nj_message *m)
{
	struct nj_bytes rest = nj_message_properties(m);
	struct nj_property p;
	while (nj_property_next(&rest, &p))
		;
	(void)nj_property_find(nj_message_properties(m), NJ_CONTENT_TYPE, &p);
	assert_true(strlen(nj_message_topic(m)) > 0);
	(void)nj_message_payload(m);
	(void)nj_message_qos(m);
	(void)nj_message_packet_id(m);
	(void)nj_message_retain(m);
	(void)nj_message_dup(m);
	(void)nj_message_mark(m);
}

static void answer_message(nj_client *c, nj_message *m)
{
	struct nj_message_out reply = {.payload = "x", .payload_len = 1};
	unsigned number = atomic_fetch_add(&message_count, 1);
	look_at_message(m);
	nj_message_ref(m);
	(void)nj_respond(c, m, &reply, NULL);
	if (number % 7 == 1)
		(void)nj_again(m, 1);
	else if (number % 31 == 2)
		(void)nj_give_back(m);
	else if (number % 5 == 3)
		(void)nj_refuse(m, REASON_QUOTA_EXCEEDED);
	else if (number % 11 == 4)
		(void)nj_skip(c, nj_message_mark(m));
	else
		(void)nj_ack(m);
	nj_message_unref(m);
}

static void use_texts(nj_client *c)
{
	char text[256];
	struct nj_options o = NJ_OPTIONS_INIT;
	assert_non_null(nj_error_text(NJ_ERROR_LIMIT));
	assert_non_null(nj_reason_text(REASON_NOT_AUTHORIZED));
	assert_non_null(nj_outcome_text(NJ_SENT));
	assert_non_null(nj_packet_name(NJ_PUBLISH));
	assert_null(nj_options_problem(&o));
	(void)nj_problem(c, text, sizeof(text));
}

static void use_delivery(nj_delivery *d, bool may_wait)
{
	if (!d)
		return;
	(void)nj_delivery_wait(d, may_wait ? 5 : 0);
	(void)nj_delivery_wait_stored(d, 0);
	(void)nj_delivery_outcome(d, NULL);
	(void)nj_delivery_reason_codes(d);
	nj_delivery_free(d);
}

static void on_response(nj_client *c, void *context, int error, nj_message *m)
{
	(void)context;
	(void)c;
	assert_int_equal(error == 0, m != NULL);
	atomic_fetch_add(&answer_count, 1);
}

static void use_outbox(nj_client *c, bool may_wait)
{
	static const struct nj_property type[] = {NJ_TEXT(NJ_CONTENT_TYPE, "text/plain")};
	static const char *const filters[] = {"x/1", "x/2"};
	struct nj_subscription list[] = {{.filter = filters[0], .qos = 1}, {.filter = filters[1]}};
	struct nj_message_out m = {.topic = "sensor/1", .payload = "\0\0\0\1", .payload_len = 4};
	nj_delivery *d[3] = {NULL, NULL, NULL};
	uint64_t mark;
	m.qos = (uint8_t)(atomic_load(&event_count) % 3);
	m.properties = type;
	m.property_count = 1;
	(void)nj_publish(c, &m, &d[0]);
	(void)nj_publish_text(c, "sensor/1", "text", 1, false);
	(void)nj_subscribe(c, list, 2, NULL, 0, &d[1]);
	(void)nj_subscribe_to(c, "x/3", 1);
	(void)nj_unsubscribe(c, filters, 2, &d[2]);
	(void)nj_unsubscribe_with(c, filters, 2, NULL, 0, NULL);
	for (size_t i = 0; i < 3; i++)
		use_delivery(d[i], may_wait);
	(void)nj_unfinished(c);
	(void)nj_drain(c, may_wait ? 1 : 0);
	mark = nj_store_mark(c);
	(void)mark;
}

static void use_requests(nj_client *c, bool may_wait)
{
	struct nj_message_out m = {.topic = "service", .payload = "?", .payload_len = 1};
	struct nj_request_counts counts;
	nj_message *response;
	(void)nj_request_async(c, &m, 20, on_response, NULL);
	if (nj_request(c, &m, may_wait ? 20 : 1, &response) == 0) {
		look_at_message(response);
		nj_message_unref(response);
	}
	nj_count_requests(c, &counts);
}

static void use_drivers(nj_client *c)
{
	nj_message *m;
	assert_true(nj_descriptor(c) >= 0);
	(void)nj_timeout_ms(c);
	(void)nj_step(c);
	(void)nj_run(c, 1);
	if (nj_receive(c, 0, &m) == 0) {
		answer_message(c, m);
		nj_message_unref(m);
	}
}

static void use_authentication(nj_client *c)
{
	(void)nj_authenticate(c, 0);
	(void)nj_auth_answer(c, "x", 1);
	if (atomic_fetch_add(&event_count, 1) % 64 == 63)
		(void)nj_auth_reject(c);
}

static void use_faults(nj_client *c)
{
	struct nj_fault fault = {.kind = NJ_FAULT_DUPLICATE, .type = NJ_PUBACK};
	(void)nj_fault_add(c, &fault);
	fault = (struct nj_fault){.kind = NJ_FAULT_CUT, .skip = 40, .after_bytes = 1};
	(void)nj_fault_add(c, &fault);
	(void)nj_fault_count(c);
	if (nj_fault_count(c) % 8 == 7)
		nj_fault_clear(c);
}

/* A life of its own, to nowhere. */
static void use_life(void)
{
	struct nj_options o = NJ_OPTIONS_INIT;
	nj_client *c;
	o.address = "unix:///nonexistent/socket";
	assert_int_equal(nj_new(&o, &c), 0);
	(void)nj_start(c);
	(void)nj_connect(c, 0);
	nj_free(c);
}

static void use_all(nj_client *c, bool may_wait)
{
	use_texts(c);
	use_outbox(c, may_wait);
	use_requests(c, may_wait);
	use_drivers(c);
	use_authentication(c);
	use_faults(c);
	(void)nj_is_connected(c);
	(void)nj_connect(c, may_wait ? 5 : 0);
}

/* --- callbacks --- */

static void come_back(nj_client *c)
{
	static _Thread_local bool is_inside;
	if (is_inside || atomic_fetch_add(&event_count, 1) % 16 != 0)
		return;
	is_inside = true;
	use_all(c, false);
	is_inside = false;
}

static void on_connected(nj_client *c, void *context, const struct nj_connected *connected)
{
	(void)context;
	assert_non_null(connected->client_id);
	come_back(c);
}

static void on_disconnected(nj_client *c, void *context, const struct nj_disconnected *d)
{
	(void)context;
	(void)d;
	come_back(c);
}

static void on_message(nj_client *c, void *context, nj_message *m)
{
	(void)context;
	answer_message(c, m);
	come_back(c);
}

static void on_published(nj_client *c, void *context, const struct nj_published *published)
{
	(void)context;
	assert_true(published->outcome != NJ_PENDING);
	come_back(c);
}

static void on_answered(nj_client *c, void *context, nj_delivery *d)
{
	(void)context;
	assert_true(nj_delivery_outcome(d, NULL) != NJ_PENDING);
	come_back(c);
}

static void on_packet(nj_client *c, void *context, const struct nj_packet *p)
{
	(void)context;
	assert_true(p->len > 0);
	come_back(c);
}

static void on_auth(nj_client *c, void *context, const struct nj_auth *auth)
{
	(void)context;
	if (auth->step != NJ_AUTH_DONE)
		(void)nj_auth_answer(c, "answer", 6);
	come_back(c);
}

/* --- all at once --- */

static void *work(void *context)
{
	nj_client *c = context;
	for (unsigned i = 0; i < ROUNDS; i++) {
		use_all(c, true);
		if (i % 10 == 4)
			(void)nj_disconnect(c, 0);
		if (i % 10 == 9)
			(void)nj_disconnect_with(c, REASON_DISCONNECT_WITH_WILL, NULL, 0, 1);
		use_life();
	}
	return NULL;
}

static void storm(bool has_thread, bool has_callback)
{
	char path[64];
	struct nj_options o = NJ_OPTIONS_INIT;
	pthread_t server, workers[WORKERS];
	nj_client *c;
	snprintf(path, sizeof(path), "/tmp/nightjar-every-call-test-%d", (int)getpid());
	host_open_path(&host, NJ_MQTT_5, path);
	host.server.authenticate = authenticate;
	host.server.published = respond;
	host.server.forgets_order = true;
	o.address = host.address;
	o.client_id = "client";
	o.clean_start = false;
	o.session_expiry = 3600;
	o.retry_base_ms = 1;
	o.manual_ack = true;
	o.auth_method = "M";
	o.topic_aliases_max = 8;
	o.callbacks = (struct nj_callbacks){.connected = on_connected,
					    .disconnected = on_disconnected,
					    .message = has_callback ? on_message : NULL,
					    .published = on_published,
					    .answered = on_answered,
					    .packet = on_packet,
					    .auth = on_auth};
	atomic_store(&is_over, false);
	atomic_store(&message_count, 0);
	atomic_store(&answer_count, 0);
	assert_int_equal(nj_new(&o, &c), 0);
	pthread_create(&server, NULL, serve, NULL);
	if (has_thread)
		assert_int_equal(nj_start(c), 0);
	assert_int_equal(nj_connect(c, PATIENCE_MS), 0);
	for (size_t i = 0; i < WORKERS; i++)
		pthread_create(&workers[i], NULL, work, c);
	for (size_t i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	assert_true(atomic_load(&message_count) > 0);
	assert_true(atomic_load(&answer_count) > 0);
	nj_free(c);
	atomic_store(&is_over, true);
	pthread_join(server, NULL);
	host_close(&host);
}

static void test_with_a_thread_and_callbacks(void **state)
{
	(void)state;
	storm(true, true);
}

static void test_driven_by_calls_that_wait(void **state)
{
	(void)state;
	storm(false, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_a_thread_and_callbacks),
		cmocka_unit_test(test_driven_by_calls_that_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
