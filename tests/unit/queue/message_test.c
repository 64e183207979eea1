/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/message.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>

static const struct message_parts whole = {
	.topic = {(const uint8_t *)"a/b", 3},
	.properties = {(const uint8_t *)"\x01\x01", 2},
	.payload = {(const uint8_t *)"hello", 5},
	.publisher = 0x123456789abcdef0,
	.expires_ms = 99,
	.has_expiry = true,
	.qos = 2,
	.retain = true,
};

static void test_message_holds_its_parts(void **state)
{
	(void)state;
	mem_count_start();
	struct message *m = message_new(&whole);
	assert_non_null(m);
	assert_true(span_is_equal(message_topic(m), whole.topic));
	assert_true(span_is_equal(message_properties(m), whole.properties));
	assert_true(span_is_equal(message_payload(m), whole.payload));
	assert_true(m->publisher == whole.publisher);
	assert_int_equal(m->expires_ms, 99);
	assert_true(m->has_expiry && m->retain && !m->is_shared);
	assert_int_equal(m->qos, 2);
	assert_int_equal(message_bytes(m), sizeof(*m) + 10);
	message_unref(m);
	assert_int_equal(mem_count_live(), 0);
}

static void test_message_of_nothing(void **state)
{
	(void)state;
	struct message *m = message_new(&(struct message_parts){.topic = SPAN_LITERAL("t")});
	assert_non_null(m);
	assert_int_equal(message_properties(m).len + message_payload(m).len, 0);
	assert_false(m->has_expiry || m->retain);
	message_unref(m);
}

static void test_message_lives_as_long_as_it_is_referred_to(void **state)
{
	(void)state;
	mem_count_start();
	struct message *m = message_new(&whole);
	for (int i = 0; i < 100; i++)
		assert_ptr_equal(message_ref(m), m);
	message_share(m);
	for (int i = 0; i < 100; i++) {
		message_ref(m);
		message_unref(m);
	}
	for (int i = 0; i < 100; i++)
		message_unref(m);
	assert_int_equal(mem_count_live(), 1);
	message_unref(m);
	assert_int_equal(mem_count_live(), 0);
}

#define ROUNDS 20000

static void *refer(void *context)
{
	struct message *m = context;
	for (int i = 0; i < ROUNDS; i++) {
		message_ref(m);
		message_unref(m);
	}
	message_unref(m);
	return NULL;
}

static void test_message_is_shared_by_threads(void **state)
{
	pthread_t threads[3];
	(void)state;
	mem_count_start();
	struct message *m = message_new(&whole);
	message_share(m);
	for (size_t i = 0; i < ARRAY_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, refer, message_ref(m)), 0);
	refer(m);
	for (size_t i = 0; i < ARRAY_COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(mem_count_live(), 0);
}

static void test_message_without_memory(void **state)
{
	(void)state;
	mem_count_start();
	mem_fail_after(1);
	assert_null(message_new(&whole));
	assert_true(mem_has_failed());
	mem_fail_after(0);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_holds_its_parts),
		cmocka_unit_test(test_message_of_nothing),
		cmocka_unit_test(test_message_lives_as_long_as_it_is_referred_to),
		cmocka_unit_test(test_message_is_shared_by_threads),
		cmocka_unit_test(test_message_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
