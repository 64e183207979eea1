/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a folder, with the threads that it has in a program: publishing from several threads
 * and from callbacks, waiting for the disk without a connection, and the folder's next user. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/store.h"

#define THREADS 4
#define EACH 50
#define PATIENCE_MS 20000

static struct host host;
static char folder[64];
static struct nj_options options;
static nj_client *client;
static atomic_uint stored_count, published_count, given_count;

static void on_stored(nj_client *c, void *context, const struct nj_stored *stored)
{
	(void)c;
	(void)context;
	(void)stored;
	atomic_fetch_add(&stored_count, 1);
}

static void on_published(nj_client *c, void *context, const struct nj_published *published)
{
	(void)c;
	(void)context;
	if (published->outcome == NJ_ACKNOWLEDGED)
		atomic_fetch_add(&published_count, 1);
}

/* Each that comes is answered by one, from inside. */
static void on_message(nj_client *c, void *context, nj_message *m)
{
	(void)context;
	assert_true(nj_message_mark(m) > 0);
	assert_int_equal(nj_publish_text(c, "answer", "", 2, false), 0);
	assert_int_equal(nj_ack(m), 0);
	atomic_fetch_add(&given_count, 1);
}

static void remove_folder(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

static void prepare(void)
{
	snprintf(folder, sizeof(folder), "/tmp/nightjar-store-XXXXXX");
	assert_non_null(mkdtemp(folder));
	host_open(&host, NJ_MQTT_5);
	options = (struct nj_options)NJ_OPTIONS_INIT;
	options.address = host.address;
	options.client_id = "client";
	options.store_path = folder;
	options.store_bytes_max = 4 << 20;
	options.manual_ack = true;
	options.retry_base_ms = 10;
	options.stored = on_stored;
	options.callbacks.published = on_published;
	options.callbacks.message = on_message;
	atomic_store(&stored_count, 0);
	atomic_store(&published_count, 0);
	atomic_store(&given_count, 0);
}

static void *publish_many(void *context)
{
	static char not_taken[] = "not taken", not_stored[] = "not stored";
	(void)context;
	for (unsigned i = 0; i < EACH; i++) {
		nj_delivery *d;
		struct nj_message_out m = {.topic = "a", .qos = (uint8_t)(1 + i % 2)};
		if (nj_publish(client, &m, &d) != 0)
			return not_taken;
		if (i % 10 == 0 && nj_delivery_wait_stored(d, PATIENCE_MS) != 0)
			return not_stored;
		nj_delivery_free(d);
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	prepare();
	assert_int_equal(nj_new(&options, &client), 0);
	assert_int_equal(nj_start(client), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, publish_many, NULL), 0);
	host_start(&host);
	assert_int_equal(nj_connect(client, PATIENCE_MS), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		void *problem;
		pthread_join(threads[i], &problem);
		assert_null(problem);
	}
	assert_int_equal(nj_drain(client, PATIENCE_MS), 0);
	assert_int_equal(atomic_load(&published_count), THREADS * EACH);
	assert_int_equal(atomic_load(&stored_count), THREADS * EACH);
	nj_free(client);
	host_close(&host);
	remove_folder();
}

static bool has_answered(void *context)
{
	(void)context;
	return atomic_load(&published_count) >= 8;
}

static bool is_connected(void *context)
{
	(void)context;
	return nj_is_connected(client);
}

static void test_publish_from_callbacks(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(nj_new(&options, &client), 0);
	assert_int_equal(nj_connect(client, 0), 0);
	assert_true(step_until(&host, client, is_connected, NULL));
	for (uint32_t i = 1; i <= 8; i++)
		assert_true(server_publish(&host.server, i, (uint8_t)(1 + i % 2)));
	assert_true(step_until(&host, client, has_answered, NULL));
	assert_int_equal(atomic_load(&given_count), 8);
	nj_free(client);
	host_close(&host);
	remove_folder();
}

/* Nobody else drives, and there is no server: the call does. */
static void test_wait_for_the_disk_offline(void **state)
{
	(void)state;
	nj_delivery *d;
	struct nj_message_out m = {.topic = "a", .qos = 1};
	prepare();
	assert_int_equal(nj_new(&options, &client), 0);
	assert_int_equal(nj_publish(client, &m, &d), 0);
	assert_int_equal(nj_delivery_wait_stored(d, PATIENCE_MS), 0);
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_PENDING);
	nj_client *other;
	assert_int_equal(nj_new(&options, &other), NJ_ERROR_STORE);
	nj_free(client);
	assert_int_equal(nj_delivery_wait_stored(d, 0), 0);
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_GIVEN_UP);
	nj_delivery_free(d);
	assert_int_equal(nj_new(&options, &client), 0);
	assert_int_equal(nj_unfinished(client), 1);
	nj_free(client);
	host_close(&host);
	remove_folder();
}

/* What was taken and not waited for is written when the client is freed. */
static void test_free_writes_what_was_taken(void **state)
{
	(void)state;
	struct nj_message_out m = {.topic = "a", .qos = 2};
	prepare();
	assert_int_equal(nj_new(&options, &client), 0);
	for (unsigned i = 0; i < EACH; i++)
		assert_int_equal(nj_publish(client, &m, NULL), 0);
	nj_free(client);
	assert_int_equal(nj_new(&options, &client), 0);
	assert_int_equal(nj_unfinished(client), EACH);
	nj_free(client);
	host_close(&host);
	remove_folder();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_publish_from_callbacks),
		cmocka_unit_test(test_wait_for_the_disk_offline),
		cmocka_unit_test(test_free_writes_what_was_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
