/* SPDX-License-Identifier: Apache-2.0 */
/* --assert: what is missing, twice, or out of order. */
#include "cli/sequence_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static enum sequence_result note(struct sequence_check *c, const char *topic, const char *payload,
				 bool may_be_repeated)
{
	return sequence_note(c, span_of_text(topic), span_of_text(payload), may_be_repeated);
}

static bool is_right(const struct sequence_check *c, uint64_t wanted)
{
	FILE *to = fopen("/dev/null", "w");
	assert_non_null(to);
	bool is_right = sequence_report(c, wanted, to);
	fclose(to);
	return is_right;
}

static void note_all(struct sequence_check *c, const char *const *payloads)
{
	for (; *payloads; payloads++)
		assert_int_not_equal(note(c, "a", *payloads, false), SEQUENCE_NO_ROOM);
}

static void test_in_order(void **state)
{
	(void)state;
	struct sequence_check c = {0};
	note_all(&c, (const char *const[]){"7 hello", "8", "9,x", "10", "11", NULL});
	assert_int_equal(c.distinct_count, 5);
	assert_true(is_right(&c, 0));
	assert_true(is_right(&c, 5));
	assert_false(is_right(&c, 6));
	assert_false(is_right(&c, 4));
	sequence_release(&c);
}

static void test_faults(void **state)
{
	(void)state;
	struct sequence_check c = {0};
	note_all(&c, (const char *const[]){"1", "2", "3", "5", "4", "4", "7", NULL});
	assert_int_equal(c.out_of_order_count, 1);
	assert_int_equal(c.duplicate_count, 1);
	assert_int_equal(sequence_missing(&c), 1);
	assert_int_equal(c.distinct_count, 6);
	assert_false(is_right(&c, 0));
	sequence_release(&c);
	static const char *const wrong[][4] = {{"1", "3", NULL},      /* missing */
					       {"1", "2", "2", NULL}, /* twice */
					       {"2", "1", NULL},      /* order */
					       {"x", NULL},           /* no number */
					       {"", NULL}};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		struct sequence_check d = {0};
		note_all(&d, wrong[i]);
		assert_false(is_right(&d, 0));
		sequence_release(&d);
	}
}

static void test_topics_count_by_themselves(void **state)
{
	(void)state;
	struct sequence_check c = {0};
	assert_int_equal(note(&c, "a", "1", false), SEQUENCE_NEW);
	assert_int_equal(note(&c, "b", "1", false), SEQUENCE_NEW);
	assert_int_equal(note(&c, "b", "2", false), SEQUENCE_NEW);
	assert_int_equal(note(&c, "a", "2", false), SEQUENCE_NEW);
	assert_true(is_right(&c, 4));
	assert_int_equal(note(&c, "a", "2", false), SEQUENCE_REPEATED);
	assert_false(is_right(&c, 4));
	sequence_release(&c);
}

/* At QoS 1 the standard allows it. */
static void test_allowed_duplicates(void **state)
{
	(void)state;
	struct sequence_check c = {0};
	assert_int_equal(note(&c, "a", "1", false), SEQUENCE_NEW);
	assert_int_equal(note(&c, "a", "2", false), SEQUENCE_NEW);
	assert_int_equal(note(&c, "a", "1", true), SEQUENCE_REPEATED);
	assert_true(is_right(&c, 2));
	assert_int_equal(note(&c, "a", "3", true), SEQUENCE_NEW); /* the first was lost */
	assert_true(is_right(&c, 3));
	sequence_release(&c);
}

static void test_bounds(void **state)
{
	(void)state;
	struct sequence_check c = {0};
	char number[16];
	snprintf(number, sizeof(number), "%u", SEQUENCE_NUMBER_MAX);
	assert_int_equal(note(&c, "a", number, false), SEQUENCE_NEW);
	assert_int_equal(c.distinct_count, 1);
	snprintf(number, sizeof(number), "%u", SEQUENCE_NUMBER_MAX + 1);
	assert_int_equal(note(&c, "a", number, false), SEQUENCE_NEW);
	assert_int_equal(note(&c, "a", "99999999999999999999999", false), SEQUENCE_NEW);
	assert_int_equal(c.unnumbered_count, 2);
	enum sequence_result result = SEQUENCE_NEW;
	snprintf(number, sizeof(number), "%u", SEQUENCE_NUMBER_MAX);
	for (int i = 0; i < 20; i++) {
		char topic[8];
		snprintf(topic, sizeof(topic), "%d", i);
		result = note(&c, topic, number, false);
	}
	assert_int_equal(result, SEQUENCE_NO_ROOM);
	assert_true(c.bytes <= SEQUENCE_BYTES_MAX);
	sequence_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_topics_count_by_themselves),
		cmocka_unit_test(test_allowed_duplicates),
		cmocka_unit_test(test_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
