/* SPDX-License-Identifier: Apache-2.0 */
/* The public header from several threads: a client's own thread, calls that wait and drive, and
 * every call from everywhere at once (for the thread sanitizer above all). */
#include "host.h"

#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client/client_state.h"
#include "mqtt/reason.h"

#define PATIENCE_MS 20000

static struct host host;

static struct nj_options begin(void)
{
	char path[64];
	struct nj_options o = NJ_OPTIONS_INIT;
	snprintf(path, sizeof(path), "/tmp/nightjar-threads-test-%d", (int)getpid());
	host_open_path(&host, NJ_MQTT_5, path);
	o.address = host.address;
	o.client_id = "client";
	o.clean_start = false;
	o.session_expiry = 3600;
	o.retry_base_ms = 5;
	return o;
}

static struct nj_message_out message(uint8_t qos)
{
	return (struct nj_message_out){
		.topic = "sensor/1", .payload = "\0\0\0\1", .payload_len = 4, .qos = qos};
}

/* --- calls that wait --- */

static void wait_for_deliveries(nj_client *c)
{
	for (uint8_t qos = 0; qos <= 2; qos++) {
		nj_delivery *d;
		struct nj_message_out m = message(qos);
		assert_int_equal(nj_publish(c, &m, &d), 0);
		assert_int_equal(nj_delivery_wait(d, PATIENCE_MS), 0);
		assert_int_equal(nj_delivery_outcome(d, NULL), qos ? NJ_ACKNOWLEDGED : NJ_SENT);
		nj_delivery_free(d);
	}
}

static void converse(bool has_thread)
{
	struct nj_options o = begin();
	struct nj_subscription s = {.filter = "sensor/#", .qos = 2};
	nj_client *c;
	nj_message *m;
	host_start(&host);
	assert_int_equal(nj_new(&o, &c), 0);
	if (has_thread) {
		assert_int_equal(nj_start(c), 0);
		assert_int_equal(nj_start(c), NJ_ERROR_INVALID);
	}
	assert_int_equal(nj_connect(c, PATIENCE_MS), 0);
	wait_for_deliveries(c);
	assert_int_equal(nj_subscribe(c, &s, 1, NULL, 0, NULL), 0);
	assert_int_equal(nj_drain(c, PATIENCE_MS), 0);
	assert_int_equal(nj_receive(c, 5, &m), NJ_ERROR_TIMED_OUT);
	assert_int_equal(nj_disconnect(c, PATIENCE_MS), 0);
	assert_int_equal(nj_receive(c, PATIENCE_MS, &m), NJ_ERROR_CLOSED);
	nj_free(c);
	host_close(&host);
}

static void test_blocking_calls_drive(void **state)
{
	(void)state;
	converse(false);
}

static void test_own_thread_drives(void **state)
{
	(void)state;
	converse(true);
}

static void count_one(nj_client *c, void *context, const struct nj_published *published)
{
	(void)c;
	atomic_fetch_add((atomic_uint *)context, published->outcome == NJ_SENT);
}

/* A program that ends after nj_drain must not miss what became of its last messages. */
static void test_drain_waits_for_callbacks(void **state)
{
	(void)state;
	for (int has_thread = 0; has_thread < 2; has_thread++) {
		struct nj_options o = begin();
		struct nj_message_out m = message(0);
		atomic_uint told = 0;
		nj_client *c;
		o.callbacks.published = count_one;
		o.context = &told;
		host_start(&host);
		assert_int_equal(nj_new(&o, &c), 0);
		if (has_thread)
			assert_int_equal(nj_start(c), 0);
		assert_int_equal(nj_connect(c, PATIENCE_MS), 0);
		for (unsigned i = 1; i <= 50; i++) {
			assert_int_equal(nj_publish(c, &m, NULL), 0);
			assert_int_equal(nj_drain(c, PATIENCE_MS), 0);
			assert_int_equal(told, i);
		}
		nj_free(c);
		host_close(&host);
	}
}

/* Waking costs two system calls for each message: only a loop that may sleep is woken, and it is,
 * also for what was given before it asked for the descriptor. */
static void test_only_a_loop_is_woken(void **state)
{
	(void)state;
	struct nj_options o = begin();
	nj_client *c;
	host_start(&host);
	assert_int_equal(nj_new(&o, &c), 0);
	assert_int_equal(nj_connect(c, PATIENCE_MS), 0);
	wait_for_deliveries(c);
	struct nj_message_out m = message(1);
	assert_int_equal(nj_publish(c, &m, NULL), 0);
	assert_false(c->has_wake);
	struct epoll_event event;
	assert_int_equal(epoll_wait(nj_descriptor(c), &event, 1, 0), 1);
	assert_int_equal(nj_drain(c, PATIENCE_MS), 0);
	assert_false(c->has_wake);
	assert_int_equal(nj_publish(c, &m, NULL), 0);
	assert_true(c->has_wake);
	nj_free(c);
	host_close(&host);
}

static void test_refused_connection_ends_the_wait(void **state)
{
	(void)state;
	struct nj_options o = begin();
	nj_client *c;
	host.server.connack.code = REASON_BAD_USER_NAME_OR_PASSWORD;
	host_start(&host);
	assert_int_equal(nj_new(&o, &c), 0);
	assert_int_equal(nj_connect(c, PATIENCE_MS), NJ_ERROR_REFUSED);
	nj_free(c);
	o.stays_down = true;
	o.address = "unix:///nonexistent/socket";
	assert_int_equal(nj_new(&o, &c), 0);
	assert_int_equal(nj_connect(c, PATIENCE_MS), NJ_ERROR_CLOSED);
	nj_free(c);
	host_close(&host);
}

/* --- freed meanwhile --- */

static unsigned waiting(nj_client *c)
{
	pthread_mutex_lock(&c->mutex);
	unsigned count = c->wait_count;
	pthread_mutex_unlock(&c->mutex);
	return count;
}

static void *wait_for_a_message(void *context)
{
	nj_message *m;
	return (void *)(intptr_t)nj_receive(context, PATIENCE_MS, &m);
}

static void test_free_ends_calls_that_wait(void **state)
{
	(void)state;
	for (int has_thread = 0; has_thread < 2; has_thread++) {
		struct nj_options o = begin();
		nj_client *c;
		pthread_t threads[2];
		void *result;
		host_start(&host);
		assert_int_equal(nj_new(&o, &c), 0);
		if (has_thread)
			assert_int_equal(nj_start(c), 0);
		assert_int_equal(nj_connect(c, PATIENCE_MS), 0);
		for (size_t i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, wait_for_a_message, c);
		/* both are inside when they have taken their turns: one drives, or both wait */
		while (waiting(c) < 2)
			sched_yield();
		nj_free(c);
		for (size_t i = 0; i < 2; i++) {
			pthread_join(threads[i], &result);
			assert_int_equal((intptr_t)result, NJ_ERROR_CLOSED);
		}
		host_close(&host);
	}
}

/* --- everything from everywhere --- */

#define WORKERS 3
#define ROUNDS 60

struct storm {
	nj_client *client;
	atomic_uint published, connected, received;
	atomic_bool is_over;
};

static void use_all(struct storm *s, bool may_wait)
{
	static const struct nj_property expiry[] = {NJ_NUMBER(NJ_MESSAGE_EXPIRY_INTERVAL, 60)};
	static const char *const filters[] = {"x/1", "x/2"};
	struct nj_subscription list[] = {{.filter = filters[0], .qos = 1}, {.filter = filters[1]}};
	nj_client *c = s->client;
	nj_delivery *d[2] = {NULL, NULL};
	struct nj_message_out m = message((uint8_t)(atomic_load(&s->published) % 3));
	m.properties = expiry;
	m.property_count = 1;
	(void)nj_publish(c, &m, &d[0]);
	(void)nj_publish(c, &m, NULL);
	(void)nj_subscribe(c, list, 2, NULL, 0, &d[1]);
	(void)nj_unsubscribe(c, filters, 2, NULL);
	(void)nj_connect(c, may_wait ? PATIENCE_MS : 0);
	for (size_t i = 0; i < 2; i++) {
		if (!d[i])
			continue;
		int error = nj_delivery_wait(d[i], may_wait ? PATIENCE_MS : 1);
		assert_true(error == 0 || (error == NJ_ERROR_WOULD_WAIT && !may_wait) ||
			    error == NJ_ERROR_CLOSED);
		(void)nj_delivery_outcome(d[i], NULL);
		(void)nj_delivery_reason_codes(d[i]);
		nj_delivery_free(d[i]);
	}
	(void)nj_is_connected(c);
	(void)nj_unfinished(c);
	(void)nj_timeout_ms(c);
	(void)nj_step(c);
	(void)nj_descriptor(c);
	(void)nj_drain(c, 0);
}

static void on_connected(nj_client *c, void *context, const struct nj_connected *connected)
{
	struct storm *s = context;
	(void)c;
	(void)connected;
	if (atomic_fetch_add(&s->connected, 1) % 4 == 0)
		use_all(s, false);
}

static void on_published(nj_client *c, void *context, const struct nj_published *published)
{
	struct storm *s = context;
	(void)c;
	(void)published;
	if (atomic_fetch_add(&s->published, 1) % 16 == 0)
		use_all(s, false);
}

static void on_message(nj_client *c, void *context, nj_message *m)
{
	struct storm *s = context;
	(void)c;
	nj_message_ref(m);
	(void)nj_ack(m);
	if (atomic_fetch_add(&s->received, 1) % 5 == 0)
		(void)nj_give_back(m);
	nj_message_unref(m);
}

static void *work(void *context)
{
	struct storm *s = context;
	for (unsigned i = 0; i < ROUNDS; i++) {
		use_all(s, true);
		if (i % 20 != 19)
			continue;
		(void)nj_disconnect(s->client, 0);
		(void)nj_connect(s->client, 0); /* the others wait for it */
	}
	return NULL;
}

/* Room for the fake server's notes is bounded: it counts packets, and here nobody looks. */
static void *serve(void *context)
{
	struct storm *s = context;
	while (!atomic_load(&s->is_over)) {
		host_step(&host);
		host.server.order_count = 0;
		if (host.server.is_connected && host.server.send.quota_used < 4)
			(void)server_publish(&host.server, 1, 1);
		sched_yield();
	}
	return NULL;
}

static void test_every_call_from_everywhere(void **state)
{
	(void)state;
	for (int has_thread = 0; has_thread < 2; has_thread++) {
		struct storm s = {0};
		struct nj_options o = begin();
		pthread_t server, workers[WORKERS];
		o.manual_ack = true;
		o.callbacks.connected = on_connected;
		o.callbacks.published = on_published;
		o.callbacks.message = on_message;
		o.context = &s;
		o.retry_base_ms = 1;
		assert_int_equal(nj_new(&o, &s.client), 0);
		pthread_create(&server, NULL, serve, &s);
		if (has_thread)
			assert_int_equal(nj_start(s.client), 0);
		for (size_t i = 0; i < WORKERS; i++)
			pthread_create(&workers[i], NULL, work, &s);
		for (size_t i = 0; i < WORKERS; i++)
			pthread_join(workers[i], NULL);
		assert_true(atomic_load(&s.published) > WORKERS * ROUNDS);
		nj_free(s.client);
		atomic_store(&s.is_over, true);
		pthread_join(server, NULL);
		host_close(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocking_calls_drive),
		cmocka_unit_test(test_own_thread_drives),
		cmocka_unit_test(test_drain_waits_for_callbacks),
		cmocka_unit_test(test_only_a_loop_is_woken),
		cmocka_unit_test(test_refused_connection_ends_the_wait),
		cmocka_unit_test(test_free_ends_calls_that_wait),
		cmocka_unit_test(test_every_call_from_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
