/* SPDX-License-Identifier: Apache-2.0 */
/* The window of messages sent and not finished: rows, ids, quota, order. */
#include "session/send.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Messages are numbers here. */
static void *message_of(uintptr_t number)
{
	return (void *)number;
}

static uint16_t begin(struct send *s, uint8_t qos, uintptr_t number)
{
	struct sending entry = {.message = message_of(number),
				.note = (uint32_t)number,
				.short_note = (uint16_t)(number * 3),
				.flags = 7};
	uint16_t id = 0;
	assert_true(send_is_open(s));
	assert_int_equal(send_begin(s, qos, &entry, &id), 0);
	assert_int_not_equal(id, 0);
	return id;
}

static unsigned answer(struct send *s, enum send_event event, uint16_t id)
{
	struct sending ignored;
	return send_answer(s, event, id, &ignored);
}

static void ack(struct send *s, uint16_t id)
{
	assert_int_equal(answer(s, SEND_EVENT_PUBACK, id), STEP_FORGET_MESSAGE | STEP_RELEASE_ID);
}

static void release(struct send *s)
{
	send_release(s, (void (*)(void *, struct sending *))NULL, NULL);
}

static void drop_nothing(void *context, struct sending *entry)
{
	(void)entry;
	++*(unsigned *)context;
}

static unsigned release_counting(struct send *s)
{
	unsigned dropped = 0;
	send_release(s, drop_nothing, &dropped);
	return dropped;
}

/* A window with one entry in the given state; SEND_NONE: without it. */
static uint16_t bring_to(struct send *s, unsigned state)
{
	send_init(s, 10);
	if (state == SEND_NONE)
		return 5;
	uint16_t id = begin(s, state == SEND_WAIT_PUBACK ? 1 : 2, 42);
	if (state == SEND_WAIT_PUBCOMP)
		assert_int_equal(answer(s, SEND_EVENT_PUBREC, id),
				 STEP_FORGET_MESSAGE | STEP_SEND_PUBREL);
	return id;
}

static void check_entry(const struct sending *entry, unsigned state)
{
	assert_int_equal(entry->note, 42);
	assert_int_equal(entry->short_note, 126);
	assert_int_equal(entry->flags, 7);
	assert_int_equal(entry->state, state);
	assert_ptr_equal(entry->message, state == SEND_WAIT_PUBCOMP ? NULL : message_of(42));
}

static unsigned state_of(const struct send *s, uint16_t id)
{
	uint64_t position = 0;
	struct sending *entry;
	while ((entry = send_next(s, &position)))
		if (send_packet_id(position - 1) == id)
			return entry->state;
	return SEND_NONE;
}

/* Each row for an answer: steps, next state, what is handed back, whether the id is free. */
static void test_every_answer_in_every_state(void **state)
{
	(void)state;
	for (unsigned st = 0; st < SEND_STATE_COUNT; st++) {
		for (unsigned e = SEND_EVENT_PUBACK; e <= SEND_EVENT_PUBCOMP; e++) {
			struct send s;
			struct sending entry;
			uint16_t id = bring_to(&s, st);
			const struct transition *row = &send_table[st][e];
			unsigned used = s.quota_used;
			assert_int_equal(send_answer(&s, (enum send_event)e, id, &entry),
					 row->steps);
			unsigned next = row->steps ? row->next : st;
			assert_int_equal(state_of(&s, id), next);
			if (st != SEND_NONE && row->steps)
				check_entry(&entry, st);
			else
				assert_ptr_equal(entry.message, NULL);
			bool is_done = row->steps & STEP_RELEASE_ID;
			assert_int_equal(s.quota_used, used - is_done);
			assert_int_equal(send_is_idle(&s), is_done || st == SEND_NONE);
			bool holds = next == SEND_WAIT_PUBACK || next == SEND_WAIT_PUBREC;
			assert_int_equal(release_counting(&s), holds);
		}
	}
}

static void test_every_state_again(void **state)
{
	(void)state;
	for (unsigned st = 0; st < SEND_STATE_COUNT; st++) {
		struct send s;
		struct sending *entry = NULL;
		uint16_t again_id = 0, id = bring_to(&s, st);
		assert_int_equal(send_again(&s, &entry, &again_id), 0); /* not without restart */
		send_restart(&s, 10);
		assert_int_equal(s.quota_used, 0);
		unsigned steps = send_again(&s, &entry, &again_id);
		assert_int_equal(send_again(&s, &entry, &again_id), 0);
		if (st == SEND_NONE) {
			assert_int_equal(steps, 0);
			release(&s);
			continue;
		}
		assert_int_equal(steps, send_table[st][SEND_EVENT_AGAIN].steps);
		assert_int_equal(again_id, id);
		check_entry(entry, st);
		assert_int_equal(s.quota_used, 1);
		assert_int_equal(state_of(&s, id), st);
		release_counting(&s);
	}
}

static void test_ids_follow_each_other(void **state)
{
	(void)state;
	struct send s;
	send_init(&s, 65535);
	for (uint16_t i = 1; i <= 100; i++)
		assert_int_equal(begin(&s, 1 + i % 2, i), i);
	assert_int_equal(release_counting(&s), 100);
	assert_true(send_is_idle(&s));
	assert_int_equal(begin(&s, 1, 1), 1);
	release_counting(&s);
}

/* Puts `count` messages through, one at a time. */
static void pass(struct send *s, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		ack(s, begin(s, 1, i + 1));
}

static void test_ids_wrap_behind_65535(void **state)
{
	(void)state;
	struct send s;
	send_init(&s, 100);
	pass(&s, 65530);
	uint16_t ids[10];
	static const uint16_t wanted[10] = {65531, 65532, 65533, 65534, 65535, 1, 2, 3, 4, 5};
	for (unsigned i = 0; i < 10; i++)
		ids[i] = begin(&s, 1, 1000 + i);
	assert_memory_equal(ids, wanted, sizeof(ids));
	/* out of order, over the wrap */
	static const unsigned order[10] = {9, 4, 5, 0, 6, 3, 8, 1, 7, 2};
	for (unsigned i = 0; i < 10; i++) {
		struct sending entry;
		send_answer(&s, SEND_EVENT_PUBACK, ids[order[i]], &entry);
		assert_ptr_equal(entry.message, message_of(1000 + order[i]));
		assert_int_equal(answer(&s, SEND_EVENT_PUBACK, ids[order[i]]), STEP_IGNORE);
		assert_int_equal(s.quota_used, 9 - i);
	}
	assert_true(send_is_idle(&s));
	release(&s);
}

static void test_ids_outside_the_window_are_unknown(void **state)
{
	(void)state;
	struct send s;
	send_init(&s, 100);
	assert_int_equal(answer(&s, SEND_EVENT_PUBACK, 1), STEP_IGNORE);
	assert_int_equal(answer(&s, SEND_EVENT_PUBREC, 1), STEP_SEND_PUBREL_NOT_FOUND);
	pass(&s, 7);
	uint16_t id = begin(&s, 1, 1);
	assert_int_equal(answer(&s, SEND_EVENT_PUBACK, (uint16_t)(id - 1)), STEP_IGNORE);
	assert_int_equal(answer(&s, SEND_EVENT_PUBACK, (uint16_t)(id + 1)), STEP_IGNORE);
	assert_int_equal(answer(&s, SEND_EVENT_PUBACK, 0), STEP_IGNORE);
	assert_int_equal(answer(&s, SEND_EVENT_PUBACK, 65535), STEP_IGNORE);
	assert_int_equal(s.quota_used, 1);
	ack(&s, id);
	release(&s);
}

/* One message that is never answered stops the window one id before its own comes again. */
static void test_id_is_not_reused_while_it_is_in_flight(void **state)
{
	(void)state;
	struct send s;
	send_init(&s, 65535);
	pass(&s, 12345);
	uint16_t stuck = begin(&s, 2, 77);
	uint32_t passed = 0;
	while (send_is_open(&s)) {
		uint16_t id = begin(&s, 1, 1);
		assert_int_not_equal(id, stuck);
		ack(&s, id);
		passed++;
	}
	assert_int_equal(passed, 65534);
	assert_int_equal(s.quota_used, 1);
	struct sending entry;
	assert_int_equal(send_answer(&s, SEND_EVENT_PUBREC_ERROR, stuck, &entry),
			 STEP_FORGET_MESSAGE | STEP_RELEASE_ID);
	assert_ptr_equal(entry.message, message_of(77));
	assert_true(send_is_idle(&s));
	assert_int_equal(begin(&s, 1, 1), stuck);
	release_counting(&s);
}

static void test_ring_grows_around_a_moved_start(void **state)
{
	(void)state;
	struct send s;
	send_init(&s, 65535);
	for (uint32_t shift = 0; shift < 20; shift++) {
		pass(&s, 3);
		uint16_t ids[200];
		for (unsigned i = 0; i < 200; i++)
			ids[i] = begin(&s, 1, 5000 + i);
		for (unsigned i = 0; i < 200; i++) {
			struct sending entry;
			send_answer(&s, SEND_EVENT_PUBACK, ids[i], &entry);
			assert_ptr_equal(entry.message, message_of(5000 + i));
		}
		send_trim(&s);
		assert_ptr_equal(s.ring, NULL);
	}
	release(&s);
}

static void test_trim_keeps_what_is_in_flight(void **state)
{
	(void)state;
	struct send s;
	send_init(&s, 10);
	uint16_t id = begin(&s, 1, 9);
	send_trim(&s);
	assert_int_equal(state_of(&s, id), SEND_WAIT_PUBACK);
	ack(&s, id);
	send_trim(&s);
	assert_int_equal(begin(&s, 1, 10), id + 1);
	release_counting(&s);
}

/* [MQTT-4.9.0-2] */
static void test_quota_closes_and_opens_the_window(void **state)
{
	(void)state;
	struct send s;
	send_init(&s, 2);
	uint16_t one = begin(&s, 2, 1), two = begin(&s, 1, 2);
	assert_false(send_is_open(&s));
	assert_int_equal(answer(&s, SEND_EVENT_PUBREC, one),
			 STEP_FORGET_MESSAGE | STEP_SEND_PUBREL);
	assert_false(send_is_open(&s)); /* PUBREC alone frees nothing */
	assert_int_equal(answer(&s, SEND_EVENT_PUBCOMP, one), STEP_RELEASE_ID);
	assert_true(send_is_open(&s));
	uint16_t three = begin(&s, 2, 3);
	assert_false(send_is_open(&s));
	answer(&s, SEND_EVENT_PUBREC_ERROR, three);
	assert_true(send_is_open(&s));
	ack(&s, two);
	assert_int_equal(s.quota_used, 0);
	release(&s);
}

static void test_quota_begins_anew_with_a_connection(void **state)
{
	(void)state;
	struct send s;
	struct sending *entry;
	uint16_t id, ids[6];
	send_init(&s, 6);
	for (unsigned i = 0; i < 6; i++)
		ids[i] = begin(&s, 1, i + 1);
	send_restart(&s, 2);
	assert_false(send_is_open(&s));
	assert_int_equal(send_again(&s, &entry, &id), STEP_SEND_PUBLISH_DUP);
	assert_int_equal(send_again(&s, &entry, &id), STEP_SEND_PUBLISH_DUP);
	assert_int_equal(id, ids[1]);
	assert_int_equal(send_again(&s, &entry, &id), 0);
	assert_int_equal(s.quota_used, 2);
	/* A late answer to what was not sent on this connection gives no quota back. */
	ack(&s, ids[4]);
	assert_int_equal(s.quota_used, 2);
	assert_int_equal(send_again(&s, &entry, &id), 0);
	ack(&s, ids[0]);
	assert_int_equal(s.quota_used, 1);
	assert_int_equal(send_again(&s, &entry, &id), STEP_SEND_PUBLISH_DUP);
	assert_int_equal(id, ids[2]);
	assert_false(send_is_open(&s)); /* the rest comes before anything new */
	ack(&s, ids[1]);
	ack(&s, ids[2]);
	assert_int_equal(send_again(&s, &entry, &id), STEP_SEND_PUBLISH_DUP);
	assert_int_equal(id, ids[3]);
	assert_int_equal(send_again(&s, &entry, &id), STEP_SEND_PUBLISH_DUP);
	assert_int_equal(id, ids[5]); /* 4 is done */
	ack(&s, ids[3]);
	ack(&s, ids[5]);
	assert_true(send_is_idle(&s));
	assert_int_equal(s.quota_used, 0);
	assert_true(send_is_open(&s));
	release(&s);
}

/* [MQTT-3.3.4-8]: a full window delays a PUBLISH, and no PUBREL. */
static void test_full_quota_holds_back_no_pubrel(void **state)
{
	(void)state;
	struct send s;
	struct sending *entry;
	uint16_t id, ids[4];
	send_init(&s, 10);
	for (unsigned i = 0; i < 4; i++)
		ids[i] = begin(&s, 2, i + 1);
	for (unsigned i = 0; i < 3; i++)
		answer(&s, SEND_EVENT_PUBREC, ids[i]);
	send_restart(&s, 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(send_again(&s, &entry, &id), STEP_SEND_PUBREL);
		assert_int_equal(id, ids[i]); /* [MQTT-4.6.0-4] */
	}
	assert_int_equal(send_again(&s, &entry, &id), 0); /* a PUBLISH */
	for (unsigned i = 0; i < 3; i++)
		answer(&s, SEND_EVENT_PUBCOMP, ids[i]);
	assert_int_equal(s.quota_used, 0);
	assert_int_equal(send_again(&s, &entry, &id), STEP_SEND_PUBLISH_DUP);
	assert_int_equal(id, ids[3]);
	release_counting(&s);
}

/* [MQTT-4.4.0-1, 4.6.0-1] */
static void test_resend_keeps_the_order_and_skips_the_done(void **state)
{
	(void)state;
	struct send s;
	struct sending *entry;
	uint16_t id, ids[8];
	send_init(&s, 100);
	pass(&s, 65531);
	for (unsigned i = 0; i < 8; i++)
		ids[i] = begin(&s, i % 2 ? 1 : 2, i + 1);
	answer(&s, SEND_EVENT_PUBREC, ids[4]);
	ack(&s, ids[3]);
	ack(&s, ids[7]);
	static const unsigned left[] = {0, 1, 2, 4, 5, 6};
	for (int connection = 0; connection < 3; connection++) {
		send_restart(&s, 100);
		for (unsigned i = 0; i < ARRAY_COUNT(left); i++) {
			unsigned wanted = left[i] == 4 ? STEP_SEND_PUBREL : STEP_SEND_PUBLISH_DUP;
			assert_int_equal(send_again(&s, &entry, &id), wanted);
			assert_int_equal(id, ids[left[i]]);
			assert_int_equal(entry->note, left[i] + 1);
		}
		assert_int_equal(send_again(&s, &entry, &id), 0);
		assert_true(send_is_open(&s));
	}
	release_counting(&s);
}

static void test_pubrec_before_its_resend_turns_it_into_pubrel(void **state)
{
	(void)state;
	struct send s;
	struct sending *entry;
	uint16_t id, mine;
	send_init(&s, 10);
	mine = begin(&s, 2, 1);
	send_restart(&s, 10);
	/* [MQTT-4.3.3-6] no second PUBLISH, however the PUBREC got here */
	answer(&s, SEND_EVENT_PUBREC, mine);
	assert_int_equal(send_again(&s, &entry, &id), STEP_SEND_PUBREL);
	assert_int_equal(answer(&s, SEND_EVENT_PUBCOMP, mine), STEP_RELEASE_ID);
	assert_int_equal(s.quota_used, 0);
	release(&s);
}

static void test_cancel_removes_single_entries(void **state)
{
	(void)state;
	struct send s;
	uint64_t position = 0;
	struct sending *entry;
	send_init(&s, 10);
	pass(&s, 3);
	for (unsigned i = 0; i < 5; i++)
		begin(&s, 1, i + 1);
	while ((entry = send_next(&s, &position)))
		if (entry->note % 2 == 0)
			send_cancel(&s, position - 1);
	assert_int_equal(s.quota_used, 3);
	position = 0;
	for (unsigned wanted = 1; wanted <= 5; wanted += 2)
		assert_int_equal(send_next(&s, &position)->note, wanted);
	assert_ptr_equal(send_next(&s, &position), NULL);
	assert_int_equal(release_counting(&s), 3);
}

/* SUBSCRIBE and UNSUBSCRIBE take ids of the same sequence. */
static void test_skip_takes_an_id_out_of_the_sequence(void **state)
{
	(void)state;
	struct send s;
	uint16_t id;
	send_init(&s, 2);
	assert_int_equal(send_skip(&s, &id), 0);
	assert_int_equal(id, 1);
	assert_true(send_is_idle(&s));
	assert_true(send_is_open(&s));
	uint16_t two = begin(&s, 1, 2);
	assert_int_equal(two, 2);
	assert_int_equal(send_skip(&s, &id), 0);
	assert_int_equal(id, 3);
	uint16_t four = begin(&s, 1, 4);
	assert_int_equal(four, 4);
	assert_false(send_is_open(&s));
	assert_int_equal(send_skip(&s, &id), 0); /* needs no quota [MQTT-3.3.4-8] */
	assert_int_equal(id, 5);
	assert_int_equal(answer(&s, SEND_EVENT_PUBACK, 3), STEP_IGNORE);
	assert_int_equal(answer(&s, SEND_EVENT_PUBREC, 3), STEP_SEND_PUBREL_NOT_FOUND);
	ack(&s, two);
	ack(&s, four);
	assert_true(send_is_idle(&s));
	assert_int_equal(begin(&s, 1, 6), 6);
	release_counting(&s);
}

static void test_skip_during_resend_is_passed_over(void **state)
{
	(void)state;
	struct send s;
	struct sending *entry;
	uint16_t id, one;
	send_init(&s, 10);
	one = begin(&s, 1, 1);
	send_restart(&s, 10);
	assert_int_equal(send_skip(&s, &id), 0);
	assert_false(send_is_open(&s));
	assert_int_equal(send_again(&s, &entry, &id), STEP_SEND_PUBLISH_DUP);
	assert_int_equal(id, one);
	assert_int_equal(send_again(&s, &entry, &id), 0);
	assert_true(send_is_open(&s));
	assert_int_equal(begin(&s, 1, 3), 3);
	release_counting(&s);
}

static void test_skip_stops_at_a_full_span(void **state)
{
	(void)state;
	struct send s;
	uint16_t id, stuck;
	send_init(&s, 10);
	pass(&s, 500);
	stuck = begin(&s, 1, 1);
	for (unsigned i = 0; i < SEND_SPAN_MAX - 1; i++) {
		assert_int_equal(send_skip(&s, &id), 0);
		assert_int_not_equal(id, stuck);
	}
	assert_int_equal(send_skip(&s, &id), ERROR_LIMIT);
	assert_false(send_is_open(&s));
	ack(&s, stuck);
	assert_true(send_is_idle(&s));
	assert_int_equal(send_skip(&s, &id), 0);
	assert_int_equal(id, stuck);
	release(&s);
}

/* Without memory the window is as it was. */
static void test_each_allocation_fails(void **state)
{
	(void)state;
	mem_count_start();
	for (unsigned long countdown = 1;; countdown++) {
		struct send s;
		struct sending entry = {.message = message_of(1)};
		uint16_t id = 0, last = 0;
		int error = 0;
		unsigned count = 0;
		send_init(&s, 65535);
		mem_fail_after(countdown);
		while (!error && count < 1000) {
			error = count % 3 == 2 ? send_skip(&s, &id)
					       : send_begin(&s, 1, &entry, &id);
			count += !error;
			last = error ? last : id;
		}
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		assert_int_equal(has_failed, error == ERROR_NO_MEMORY);
		assert_int_equal(last, count);
		assert_int_equal(s.quota_used, count - count / 3);
		assert_int_equal(begin(&s, 1, 1), count + 1); /* and goes on */
		assert_int_equal(release_counting(&s), count - count / 3 + 1);
		assert_int_equal(mem_count_live(), 0);
		if (!has_failed)
			break;
		assert_true(countdown < 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_answer_in_every_state),
		cmocka_unit_test(test_every_state_again),
		cmocka_unit_test(test_ids_follow_each_other),
		cmocka_unit_test(test_ids_wrap_behind_65535),
		cmocka_unit_test(test_ids_outside_the_window_are_unknown),
		cmocka_unit_test(test_id_is_not_reused_while_it_is_in_flight),
		cmocka_unit_test(test_ring_grows_around_a_moved_start),
		cmocka_unit_test(test_trim_keeps_what_is_in_flight),
		cmocka_unit_test(test_quota_closes_and_opens_the_window),
		cmocka_unit_test(test_quota_begins_anew_with_a_connection),
		cmocka_unit_test(test_full_quota_holds_back_no_pubrel),
		cmocka_unit_test(test_resend_keeps_the_order_and_skips_the_done),
		cmocka_unit_test(test_pubrec_before_its_resend_turns_it_into_pubrel),
		cmocka_unit_test(test_cancel_removes_single_entries),
		cmocka_unit_test(test_skip_takes_an_id_out_of_the_sequence),
		cmocka_unit_test(test_skip_during_resend_is_passed_over),
		cmocka_unit_test(test_skip_stops_at_a_full_span),
		cmocka_unit_test(test_each_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
