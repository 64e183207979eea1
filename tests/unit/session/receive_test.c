/* SPDX-License-Identifier: Apache-2.0 */
/* The set of packet ids between PUBLISH and PUBREL. */
#include "session/receive.h"

#include "base/mem.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static unsigned run(struct receive *r, enum receive_event event, uint16_t packet_id)
{
	int error = 1;
	unsigned steps = receive_event(r, event, packet_id, &error);
	assert_int_equal(error, 0);
	return steps;
}

/* Each row, through the set. */
static void test_every_event_in_every_state(void **state)
{
	(void)state;
	for (unsigned s = 0; s < RECEIVE_STATE_COUNT; s++) {
		for (unsigned e = 0; e < RECEIVE_EVENT_COUNT; e++) {
			struct receive r;
			receive_init(&r);
			run(&r, RECEIVE_EVENT_QOS_2, 8); /* a neighbour with the same home slot */
			if (s == RECEIVE_WAIT_PUBREL)
				run(&r, RECEIVE_EVENT_QOS_2, 16);
			const struct transition *row = &receive_table[s][e];
			assert_int_equal(run(&r, (enum receive_event)e, 16), row->steps);
			unsigned next = row->steps ? row->next : s;
			assert_int_equal(receive_has(&r, 16), next == RECEIVE_WAIT_PUBREL);
			assert_true(receive_has(&r, 8));
			assert_int_equal(r.count, 1 + (next == RECEIVE_WAIT_PUBREL));
			receive_release(&r);
		}
	}
}

/* [MQTT-4.3.3-10, 4.3.3-12] */
static void test_duplicate_is_delivered_once_until_released(void **state)
{
	(void)state;
	struct receive r;
	receive_init(&r);
	assert_true(run(&r, RECEIVE_EVENT_QOS_2, 9) & STEP_DELIVER);
	for (int i = 0; i < 3; i++)
		assert_int_equal(run(&r, RECEIVE_EVENT_QOS_2, 9), STEP_SEND_PUBREC);
	assert_true(run(&r, RECEIVE_EVENT_PUBREL, 9) & STEP_SEND_PUBCOMP);
	assert_int_equal(run(&r, RECEIVE_EVENT_PUBREL, 9), STEP_SEND_PUBCOMP_NOT_FOUND);
	assert_true(run(&r, RECEIVE_EVENT_QOS_2, 9) & STEP_DELIVER);
	receive_release(&r);
}

static void test_id_of_open_qos_2_message_is_not_free_for_qos_1(void **state)
{
	(void)state;
	struct receive r;
	receive_init(&r);
	run(&r, RECEIVE_EVENT_QOS_2, 1);
	assert_int_equal(run(&r, RECEIVE_EVENT_QOS_1, 1), 0);
	assert_true(receive_has(&r, 1));
	assert_int_equal(run(&r, RECEIVE_EVENT_QOS_1, 2), STEP_DELIVER | STEP_SEND_PUBACK);
	assert_false(receive_has(&r, 2));
	receive_release(&r);
}

static void test_qos_0_has_no_id(void **state)
{
	(void)state;
	struct receive r;
	receive_init(&r);
	assert_false(receive_has(&r, 0));
	assert_int_equal(run(&r, RECEIVE_EVENT_QOS_0, 0), STEP_DELIVER);
	run(&r, RECEIVE_EVENT_QOS_2, 65535);
	assert_false(receive_has(&r, 0));
	assert_int_equal(run(&r, RECEIVE_EVENT_QOS_0, 0), STEP_DELIVER);
	receive_release(&r);
}

static void test_all_ids_at_once(void **state)
{
	(void)state;
	struct receive r;
	receive_init(&r);
	for (uint32_t id = 65535; id > 0; id--)
		assert_true(run(&r, RECEIVE_EVENT_QOS_2, (uint16_t)id) & STEP_STORE_ID);
	assert_int_equal(r.count, 65535);
	for (uint32_t id = 1; id <= 65535; id++)
		assert_int_equal(run(&r, RECEIVE_EVENT_QOS_2, (uint16_t)id), STEP_SEND_PUBREC);
	for (uint32_t id = 1; id <= 65535; id += 2)
		run(&r, RECEIVE_EVENT_PUBREL, (uint16_t)id);
	for (uint32_t id = 1; id <= 65535; id++)
		assert_int_equal(receive_has(&r, (uint16_t)id), id % 2 == 0);
	receive_release(&r);
	assert_int_equal(r.count, 0);
	assert_false(receive_has(&r, 2));
}

static void check_walk(const struct receive *r, const bool *is_open, uint32_t open_count)
{
	static bool seen[65536];
	memset(seen, 0, sizeof(seen));
	uint32_t cursor = 0, count = 0;
	uint16_t id;
	while ((id = receive_next(r, &cursor))) {
		assert_false(seen[id]);
		assert_true(is_open[id]);
		seen[id] = true;
		count++;
	}
	assert_int_equal(count, open_count);
	assert_int_equal(r->count, open_count);
}

/* Random ids of a range that makes probe chains long, against a plain array. */
static void run_model(uint64_t seed, uint32_t id_range, unsigned step_count)
{
	static bool is_open[65536];
	memset(is_open, 0, sizeof(is_open));
	struct receive r;
	uint32_t open_count = 0;
	receive_init(&r);
	for (unsigned i = 0; i < step_count; i++) {
		/* Ids that share low bits collide. */
		uint16_t id = (uint16_t)(1 + random_below(&seed, id_range) * 64 % 65535);
		bool adds = random_below(&seed, 100) < (i / 2000 % 2 ? 40 : 60);
		unsigned steps = run(&r, adds ? RECEIVE_EVENT_QOS_2 : RECEIVE_EVENT_PUBREL, id);
		assert_int_equal(!!(steps & STEP_STORE_ID), adds && !is_open[id]);
		assert_int_equal(!!(steps & STEP_RELEASE_ID), !adds && is_open[id]);
		open_count += (adds && !is_open[id]) - (uint32_t)(!adds && is_open[id]);
		is_open[id] = adds;
		assert_int_equal(receive_has(&r, id), adds);
		if (i % 500 == 0)
			check_walk(&r, is_open, open_count);
	}
	check_walk(&r, is_open, open_count);
	receive_release(&r);
}

static void test_random_ids_against_a_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		run_model(seed, 5 + (uint32_t)seed * seed * 20, 10000);
	run_model(99, 65535, 200000);
}

/* Without memory nothing has changed, and the id can be stored later. */
static void test_each_allocation_fails(void **state)
{
	(void)state;
	mem_count_start();
	for (unsigned long countdown = 1;; countdown++) {
		struct receive r;
		uint16_t id = 0;
		int error = 0;
		receive_init(&r);
		mem_fail_after(countdown);
		while (!mem_has_failed() && id < 1000)
			receive_event(&r, RECEIVE_EVENT_QOS_2, ++id, &error);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		if (has_failed) {
			assert_int_equal(error, ERROR_NO_MEMORY);
			assert_false(receive_has(&r, id));
			assert_int_equal(r.count, id - 1u);
			for (uint16_t earlier = 1; earlier < id; earlier++)
				assert_true(receive_has(&r, earlier));
			assert_true(run(&r, RECEIVE_EVENT_QOS_2, id) & STEP_STORE_ID);
		}
		receive_release(&r);
		assert_int_equal(mem_count_live(), 0);
		if (!has_failed)
			break;
		assert_true(countdown < 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event_in_every_state),
		cmocka_unit_test(test_duplicate_is_delivered_once_until_released),
		cmocka_unit_test(test_id_of_open_qos_2_message_is_not_free_for_qos_1),
		cmocka_unit_test(test_qos_0_has_no_id),
		cmocka_unit_test(test_all_ids_at_once),
		cmocka_unit_test(test_random_ids_against_a_model),
		cmocka_unit_test(test_each_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
