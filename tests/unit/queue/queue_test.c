/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/queue.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct message *message_of(uint32_t number)
{
	uint8_t payload[4];
	store_u32(payload, number);
	return message_new(&(struct message_parts){.topic = SPAN_LITERAL("t"),
						   .payload = span_of(payload, sizeof(payload))});
}

static uint32_t number_of(const struct message *m)
{
	return load_u32(message_payload(m).ptr);
}

static void push(struct queue *q, uint32_t number)
{
	struct queued element = {.message = message_of(number),
				 .identifier = number * 3,
				 .membership = (uint16_t)(number % 4),
				 .qos = 1,
				 .flags = QUEUED_RETAIN};
	assert_int_equal(queue_push(q, &element), 0);
}

static uint32_t pop(struct queue *q)
{
	struct queued element;
	assert_true(queue_pop(q, &element));
	uint32_t number = number_of(element.message);
	assert_int_equal(element.identifier, number * 3);
	assert_int_equal(element.membership, number % 4);
	assert_int_equal(element.qos, 1);
	assert_int_equal(element.flags, QUEUED_RETAIN);
	message_unref(element.message);
	return number;
}

static void test_queue_empty(void **state)
{
	struct queue q;
	struct queued element;
	(void)state;
	queue_init(&q);
	assert_null(queue_peek(&q));
	assert_false(queue_pop(&q, &element));
	assert_true(queue_has_room(&q, 1, 1, 1));
	assert_false(queue_has_room(&q, 2, 1, 1));
	queue_release(&q);
}

/* Through every fill of the ring and wherever it begins. */
static void test_queue_keeps_order_and_gives_memory_back(void **state)
{
	struct queue q;
	(void)state;
	mem_count_start();
	queue_init(&q);
	uint32_t in = 0, out = 0;
	for (uint32_t step = 0; step < 400; step++) {
		for (uint32_t i = 0; i < step % 37; i++)
			push(&q, ++in);
		assert_int_equal(q.count, in - out);
		for (uint32_t i = 0; q.count > 0 && i < step % 29; i++)
			assert_int_equal(pop(&q), ++out);
		if (q.count > 0) {
			assert_int_equal(number_of(queue_peek(&q)->message), out + 1);
			assert_int_equal(number_of(queue_at(&q, q.count - 1)->message), in);
		}
	}
	assert_true(q.capacity >= 1024);
	while (q.count > 0)
		assert_int_equal(pop(&q), ++out);
	assert_int_equal(out, in);
	assert_int_equal(q.bytes, 0);
	assert_in_range(q.capacity, 0, 16); /* a small ring may stay for what comes next */
	queue_release(&q);
	assert_int_equal(mem_count_live(), 0);
}

static void test_queue_counts_bytes(void **state)
{
	struct queue q;
	(void)state;
	queue_init(&q);
	push(&q, 1);
	size_t one = message_bytes(queue_peek(&q)->message);
	push(&q, 2);
	assert_int_equal(q.bytes, 2 * one);
	assert_true(queue_has_room(&q, one, 3, 3 * one));
	assert_false(queue_has_room(&q, one, 2, 3 * one));
	assert_false(queue_has_room(&q, one, 3, 3 * one - 1));
	assert_true(queue_has_room(&q, one, 0, 0));
	pop(&q);
	assert_int_equal(q.bytes, one);
	queue_release(&q);
	assert_int_equal(q.count, 0);
}

struct taken {
	uint32_t numbers[64];
	uint32_t count;
};

static bool is_of_group_2(void *context, const struct queued *element)
{
	(void)context;
	return element->membership == 2;
}

static void take(void *context, const struct queued *element)
{
	struct taken *t = context;
	t->numbers[t->count++] = number_of(element->message);
	message_unref(element->message);
}

/* With the ring beginning anywhere, also where it wraps. */
static void test_queue_extract(void **state)
{
	(void)state;
	for (uint32_t offset = 0; offset < 40; offset++) {
		struct queue q;
		struct taken t = {.count = 0};
		mem_count_start();
		queue_init(&q);
		for (uint32_t i = 0; i < offset; i++) {
			push(&q, 0);
			push(&q, 0);
			pop(&q);
		}
		while (q.count > 0)
			pop(&q);
		for (uint32_t i = 0; i < 20; i++)
			push(&q, i);
		queue_extract(&q, is_of_group_2, take, &t);
		assert_int_equal(t.count, 5);
		for (uint32_t i = 0; i < t.count; i++)
			assert_int_equal(t.numbers[i], 2 + 4 * i);
		assert_int_equal(q.count, 15);
		for (uint32_t i = 0; i < 20; i++)
			if (i % 4 != 2)
				assert_int_equal(pop(&q), i);
		assert_int_equal(q.bytes, 0);
		queue_release(&q);
		assert_int_equal(mem_count_live(), 0);
	}
}

static void test_queue_extract_all(void **state)
{
	struct queue q;
	struct taken t = {.count = 0};
	(void)state;
	queue_init(&q);
	push(&q, 2);
	push(&q, 6);
	queue_extract(&q, is_of_group_2, take, &t);
	assert_int_equal(t.count, 2);
	assert_int_equal(q.count + q.bytes, 0);
	push(&q, 7);
	assert_int_equal(pop(&q), 7);
	queue_release(&q);
}

/* Each allocation fails in turn: nothing is lost, nothing is kept twice. */
static void test_queue_without_memory(void **state)
{
	(void)state;
	for (unsigned long n = 1;; n++) {
		struct queue q;
		struct queued element = {.qos = 1};
		uint32_t kept = 0, seen = 0;
		mem_count_start();
		queue_init(&q);
		mem_fail_after(n);
		for (uint32_t i = 1; i <= 100; i++) {
			element.message = message_of(i);
			if (!element.message)
				continue;
			if (queue_push(&q, &element))
				message_unref(element.message);
			else
				kept++;
		}
		assert_int_equal(q.count, kept);
		while (queue_pop(&q, &element)) {
			assert_true(number_of(element.message) > seen);
			seen = number_of(element.message);
			message_unref(element.message);
			kept--;
		}
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		queue_release(&q);
		assert_int_equal(kept, 0);
		assert_int_equal(mem_count_live(), 0);
		if (!has_failed)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_empty),
		cmocka_unit_test(test_queue_keeps_order_and_gives_memory_back),
		cmocka_unit_test(test_queue_counts_bytes),
		cmocka_unit_test(test_queue_extract),
		cmocka_unit_test(test_queue_extract_all),
		cmocka_unit_test(test_queue_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
