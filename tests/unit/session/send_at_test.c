/* SPDX-License-Identifier: Apache-2.0 */
/* The window with positions from outside: holes, span, PUBREL first, another beginning. */
#include "session/send.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct sending entry_of(uint64_t position)
{
	return (struct sending){.message = (void *)(uintptr_t)(position + 1),
				.note = (uint32_t)position};
}

static void begin_at(struct send *s, uint64_t position, uint8_t qos)
{
	struct sending entry = entry_of(position);
	assert_true(send_is_open_at(s, position));
	assert_int_equal(send_begin_at(s, position, qos, &entry), 0);
}

static unsigned answer(struct send *s, enum send_event event, uint64_t position)
{
	struct sending entry;
	unsigned steps = send_answer(s, event, send_packet_id(position), &entry);
	if (entry.message)
		assert_ptr_equal(entry.message, (void *)(uintptr_t)(position + 1));
	return steps;
}

#define DONE (STEP_FORGET_MESSAGE | STEP_RELEASE_ID)

static void count(void *context, struct sending *entry)
{
	(void)entry;
	++*(unsigned *)context;
}

static unsigned release(struct send *s)
{
	unsigned dropped = 0;
	send_release(s, count, &dropped);
	return dropped;
}

static void test_positions_with_holes(void **state)
{
	static const uint64_t positions[] = {70000, 70001, 70005, 70040, 70300};
	struct send s;
	(void)state;
	send_init(&s, 10);
	for (size_t i = 0; i < ARRAY_COUNT(positions); i++)
		begin_at(&s, positions[i], 1);
	assert_int_equal(s.quota_used, ARRAY_COUNT(positions));
	assert_true(s.oldest == 70000 && s.next == 70301);
	uint64_t position = 0;
	for (size_t i = 0; i < ARRAY_COUNT(positions); i++) {
		assert_int_equal(send_next(&s, &position)->note, positions[i]);
		assert_true(position == positions[i] + 1);
		assert_non_null(send_at(&s, positions[i]));
	}
	assert_null(send_next(&s, &position));
	assert_null(send_at(&s, 70002));
	assert_true(send_find(&s, send_packet_id(70040), &position) && position == 70040);
	assert_false(send_find(&s, send_packet_id(70301), &position));
	assert_false(send_find(&s, 0, &position));
	/* a hole is an id like any that is not in use */
	assert_int_equal(answer(&s, SEND_EVENT_PUBACK, 70002),
			 send_table[SEND_NONE][SEND_EVENT_PUBACK].steps);
	for (size_t i = ARRAY_COUNT(positions); i-- > 0;)
		assert_int_equal(answer(&s, SEND_EVENT_PUBACK, positions[i]), DONE);
	assert_true(send_is_idle(&s));
	assert_int_equal(s.quota_used, 0);
	assert_int_equal(release(&s), 0);
}

static void test_position_too_far_ahead_waits(void **state)
{
	struct send s;
	(void)state;
	send_init(&s, 10);
	begin_at(&s, 5, 1);
	assert_true(send_is_open_at(&s, 5 + SEND_SPAN_MAX - 1));
	assert_false(send_is_open_at(&s, 5 + SEND_SPAN_MAX));
	assert_false(send_has_room_at(&s, 5 + SEND_SPAN_MAX));
	begin_at(&s, 7, 1);
	assert_int_equal(answer(&s, SEND_EVENT_PUBACK, 5), DONE);
	begin_at(&s, 5 + SEND_SPAN_MAX, 2);
	assert_int_equal(answer(&s, SEND_EVENT_PUBREC, 5 + SEND_SPAN_MAX),
			 STEP_FORGET_MESSAGE | STEP_SEND_PUBREL);
	assert_int_equal(answer(&s, SEND_EVENT_PUBACK, 7), DONE);
	assert_int_equal(answer(&s, SEND_EVENT_PUBCOMP, 5 + SEND_SPAN_MAX), STEP_RELEASE_ID);
	assert_int_equal(release(&s), 0);
}

static void test_released_needs_no_quota(void **state)
{
	struct send s;
	struct sending none = {0};
	(void)state;
	send_init(&s, 2);
	begin_at(&s, 1, 2);
	begin_at(&s, 2, 2);
	assert_false(send_is_open_at(&s, 3));
	assert_true(send_has_room_at(&s, 3));
	assert_int_equal(send_begin_released(&s, 3, &none), 0);
	assert_int_equal(s.quota_used, 3);
	/* it counts nevertheless, until PUBCOMP [MQTT-4.9.0-2] */
	assert_int_equal(answer(&s, SEND_EVENT_PUBREC_ERROR, 1), DONE);
	assert_false(send_is_open_at(&s, 4));
	assert_int_equal(answer(&s, SEND_EVENT_PUBCOMP, 3), STEP_RELEASE_ID);
	assert_true(send_is_open_at(&s, 4));
	assert_int_equal(release(&s), 1);
}

/* All goes back to where it came from, and comes again with the same ids. */
static void test_clear_and_begin_again_further_back(void **state)
{
	struct send s;
	struct sending none = {0};
	(void)state;
	mem_count_start();
	send_init(&s, 10);
	for (uint64_t position = 100; position < 109; position++)
		begin_at(&s, position, 1 + position % 2);
	assert_int_equal(answer(&s, SEND_EVENT_PUBREC, 103),
			 STEP_FORGET_MESSAGE | STEP_SEND_PUBREL);
	send_clear(&s);
	assert_true(send_is_idle(&s));
	assert_int_equal(mem_count_live(), 0);
	send_restart(&s, 4);
	begin_at(&s, 101, 2);
	assert_int_equal(send_begin_released(&s, 103, &none), 0);
	begin_at(&s, 104, 1);
	assert_int_equal(answer(&s, SEND_EVENT_PUBACK, 104), DONE);
	assert_int_equal(answer(&s, SEND_EVENT_PUBCOMP, 103), STEP_RELEASE_ID);
	assert_int_equal(release(&s), 1);
	assert_int_equal(mem_count_live(), 0);
}

/* The retry interval of 3.x sends again what has holes between. */
static void test_holes_are_passed_over_when_sending_again(void **state)
{
	struct send s;
	struct sending *entry;
	uint16_t id;
	(void)state;
	send_init(&s, 10);
	begin_at(&s, 3, 1);
	begin_at(&s, 9, 2);
	send_restart(&s, 10);
	assert_false(send_is_open_at(&s, 10));
	assert_int_equal(send_again(&s, &entry, &id), STEP_SEND_PUBLISH_DUP);
	assert_int_equal(id, send_packet_id(3));
	assert_int_equal(send_again(&s, &entry, &id), STEP_SEND_PUBLISH_DUP);
	assert_int_equal(id, send_packet_id(9));
	assert_int_equal(send_again(&s, &entry, &id), 0);
	assert_true(send_is_open_at(&s, 10));
	assert_int_equal(release(&s), 2);
}

/* Each allocation fails in turn: what could not begin left no trace. */
static void test_each_allocation_fails(void **state)
{
	(void)state;
	for (unsigned long n = 1;; n++) {
		struct send s;
		unsigned begun = 0;
		mem_count_start();
		send_init(&s, 100);
		mem_fail_after(n);
		for (uint64_t position = 1; position < 2000; position += 1 + position % 90) {
			struct sending entry = entry_of(position);
			int error = position % 3 ? send_begin_at(&s, position, 1, &entry)
						 : send_begin_released(&s, position, &entry);
			if (error)
				assert_true(mem_has_failed());
			else
				begun++;
			assert_true(s.resend == s.next);
		}
		assert_int_equal(s.quota_used, begun);
		uint64_t position = 0;
		while (send_next(&s, &position))
			begun--;
		assert_int_equal(begun, 0);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		release(&s);
		assert_int_equal(mem_count_live(), 0);
		if (!has_failed)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_positions_with_holes),
		cmocka_unit_test(test_position_too_far_ahead_waits),
		cmocka_unit_test(test_released_needs_no_quota),
		cmocka_unit_test(test_clear_and_begin_again_further_back),
		cmocka_unit_test(test_holes_are_passed_over_when_sending_again),
		cmocka_unit_test(test_each_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
