/* SPDX-License-Identifier: Apache-2.0 */
/* The two delivery tables, cell by cell, against a copy written down from the standard. */
#include "session/delivery.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct cell {
	uint8_t state;
	uint8_t event;
	uint16_t steps;
	uint8_t next;
};

static const struct cell send_cells[] = {
	/* [MQTT-4.3.2-1, 4.3.2-2] and [MQTT-4.3.3-1, 4.3.3-2] */
	{SEND_NONE, SEND_EVENT_QOS_1, STEP_SEND_PUBLISH, SEND_WAIT_PUBACK},
	{SEND_NONE, SEND_EVENT_QOS_2, STEP_SEND_PUBLISH, SEND_WAIT_PUBREC},
	/* Late answers are harmless; PUBREC alone needs an answer ([5] 3.6.2.1, 0x92). */
	{SEND_NONE, SEND_EVENT_PUBACK, STEP_IGNORE, SEND_NONE},
	{SEND_NONE, SEND_EVENT_PUBREC, STEP_SEND_PUBREL_NOT_FOUND, SEND_NONE},
	{SEND_NONE, SEND_EVENT_PUBREC_ERROR, STEP_IGNORE, SEND_NONE},
	{SEND_NONE, SEND_EVENT_PUBCOMP, STEP_IGNORE, SEND_NONE},
	{SEND_NONE, SEND_EVENT_AGAIN, STEP_IGNORE, SEND_NONE},
	/* [MQTT-4.3.2-3] */
	{SEND_WAIT_PUBACK, SEND_EVENT_PUBACK, STEP_FORGET_MESSAGE | STEP_RELEASE_ID, SEND_NONE},
	{SEND_WAIT_PUBACK, SEND_EVENT_AGAIN, STEP_SEND_PUBLISH_DUP, SEND_WAIT_PUBACK},
	/* [MQTT-4.3.3-4, 4.3.3-6, 4.4.0-2] */
	{SEND_WAIT_PUBREC, SEND_EVENT_PUBREC, STEP_FORGET_MESSAGE | STEP_SEND_PUBREL,
	 SEND_WAIT_PUBCOMP},
	{SEND_WAIT_PUBREC, SEND_EVENT_PUBREC_ERROR, STEP_FORGET_MESSAGE | STEP_RELEASE_ID,
	 SEND_NONE},
	{SEND_WAIT_PUBREC, SEND_EVENT_AGAIN, STEP_SEND_PUBLISH_DUP, SEND_WAIT_PUBREC},
	/* [MQTT-4.3.3-5] */
	{SEND_WAIT_PUBCOMP, SEND_EVENT_PUBREC, STEP_SEND_PUBREL, SEND_WAIT_PUBCOMP},
	{SEND_WAIT_PUBCOMP, SEND_EVENT_PUBCOMP, STEP_RELEASE_ID, SEND_NONE},
	{SEND_WAIT_PUBCOMP, SEND_EVENT_AGAIN, STEP_SEND_PUBREL, SEND_WAIT_PUBCOMP},
};

static const struct cell receive_cells[] = {
	{RECEIVE_NONE, RECEIVE_EVENT_QOS_0, STEP_DELIVER, RECEIVE_NONE},
	{RECEIVE_NONE, RECEIVE_EVENT_QOS_1, STEP_DELIVER | STEP_SEND_PUBACK, RECEIVE_NONE},
	{RECEIVE_NONE, RECEIVE_EVENT_QOS_2, STEP_STORE_ID | STEP_DELIVER | STEP_SEND_PUBREC,
	 RECEIVE_WAIT_PUBREL},
	{RECEIVE_NONE, RECEIVE_EVENT_REFUSED, STEP_IGNORE, RECEIVE_NONE},
	{RECEIVE_NONE, RECEIVE_EVENT_PUBREL, STEP_SEND_PUBCOMP_NOT_FOUND, RECEIVE_NONE},
	{RECEIVE_WAIT_PUBREL, RECEIVE_EVENT_QOS_0, STEP_DELIVER, RECEIVE_WAIT_PUBREL},
	/* [MQTT-4.3.3-10, 4.3.3-9, 4.3.3-11] */
	{RECEIVE_WAIT_PUBREL, RECEIVE_EVENT_QOS_2, STEP_SEND_PUBREC, RECEIVE_WAIT_PUBREL},
	{RECEIVE_WAIT_PUBREL, RECEIVE_EVENT_REFUSED, STEP_RELEASE_ID, RECEIVE_NONE},
	{RECEIVE_WAIT_PUBREL, RECEIVE_EVENT_PUBREL, STEP_RELEASE_ID | STEP_SEND_PUBCOMP,
	 RECEIVE_NONE},
};

static const struct cell *find(const struct cell *cells, size_t count, unsigned state,
			       unsigned event)
{
	for (size_t i = 0; i < count; i++)
		if (cells[i].state == state && cells[i].event == event)
			return &cells[i];
	return NULL;
}

static void check_cell(const struct transition *row, const struct cell *wanted)
{
	/* What is not listed is a protocol error. */
	assert_int_equal(row->steps, wanted ? wanted->steps : STEP_NONE);
	if (wanted)
		assert_int_equal(row->next, wanted->next);
}

static void test_send_table_every_cell(void **state)
{
	(void)state;
	for (unsigned s = 0; s < SEND_STATE_COUNT; s++)
		for (unsigned e = 0; e < SEND_EVENT_COUNT; e++)
			check_cell(&send_table[s][e],
				   find(send_cells, ARRAY_COUNT(send_cells), s, e));
}

static void test_receive_table_every_cell(void **state)
{
	(void)state;
	for (unsigned s = 0; s < RECEIVE_STATE_COUNT; s++)
		for (unsigned e = 0; e < RECEIVE_EVENT_COUNT; e++)
			check_cell(&receive_table[s][e],
				   find(receive_cells, ARRAY_COUNT(receive_cells), s, e));
}

/* Whatever is stored is released, and what is forgotten is acknowledged or answered. */
static void test_tables_hang_together(void **state)
{
	(void)state;
	for (unsigned s = 0; s < SEND_STATE_COUNT; s++) {
		for (unsigned e = 0; e < SEND_EVENT_COUNT; e++) {
			const struct transition *t = &send_table[s][e];
			bool ends = s != SEND_NONE && t->steps && t->next == SEND_NONE;
			assert_int_equal(!!(t->steps & STEP_RELEASE_ID), ends);
			assert_int_equal(!!(t->steps & STEP_FORGET_MESSAGE),
					 t->steps &&
						 (s == SEND_WAIT_PUBACK || s == SEND_WAIT_PUBREC) &&
						 t->next != s);
		}
	}
	for (unsigned s = 0; s < RECEIVE_STATE_COUNT; s++) {
		for (unsigned e = 0; e < RECEIVE_EVENT_COUNT; e++) {
			const struct transition *t = &receive_table[s][e];
			assert_int_equal(!!(t->steps & STEP_STORE_ID), t->steps && t->next > s);
			assert_int_equal(!!(t->steps & STEP_RELEASE_ID), t->steps && t->next < s);
		}
	}
}

static void test_names_are_there_and_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SEND_STATE_COUNT; i++)
		assert_true(send_state_name(i)[0] != '\0');
	for (unsigned i = 0; i < SEND_EVENT_COUNT; i++)
		assert_true(send_event_name(i)[0] != '\0');
	for (unsigned i = 0; i < RECEIVE_STATE_COUNT; i++)
		assert_true(receive_state_name(i)[0] != '\0');
	for (unsigned i = 0; i < RECEIVE_EVENT_COUNT; i++)
		assert_true(receive_event_name(i)[0] != '\0');
	assert_string_equal(send_state_name(SEND_STATE_COUNT), "");
	assert_string_equal(send_event_name(SEND_EVENT_COUNT), "");
	assert_string_equal(receive_state_name(RECEIVE_STATE_COUNT), "");
	assert_string_equal(receive_event_name(RECEIVE_EVENT_COUNT), "");
}

static void test_step_names_follow_the_bits(void **state)
{
	(void)state;
	assert_string_equal(delivery_step_name(STEP_NONE), "");
	assert_string_equal(delivery_step_name(STEP_IGNORE), "ignore");
	assert_string_equal(delivery_step_name(STEP_SEND_PUBLISH_DUP), "send PUBLISH with DUP");
	assert_string_equal(delivery_step_name(STEP_STORE_ID | STEP_SEND_PUBREC),
			    "store packet id");
	assert_string_equal(delivery_step_name(STEP_SEND_PUBCOMP), "send PUBCOMP");
	assert_string_equal(delivery_step_name(STEP_SEND_PUBCOMP_NOT_FOUND),
			    "send PUBCOMP (packet id not found)");
	assert_string_equal(delivery_step_name(STEP_SEND_PUBCOMP_NOT_FOUND << 1), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_send_table_every_cell),
		cmocka_unit_test(test_receive_table_every_cell),
		cmocka_unit_test(test_tables_hang_together),
		cmocka_unit_test(test_names_are_there_and_end),
		cmocka_unit_test(test_step_names_follow_the_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
