/* SPDX-License-Identifier: Apache-2.0 */
/* What a start makes of a store from which something is missing: it is said, and nothing old comes
 * back under a number that is given anew. */
#include "rig.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>

#define LEN 3000
#define PER_SEGMENT 15 /* such records: each has a block of its own */

static struct rig rig;

static int set_up(void **state)
{
	(void)state;
	mem_count_start();
	rig_init(&rig);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_release(&rig);
	assert_int_equal(mem_count_live(), 0);
	return 0;
}

static void fill(unsigned segments)
{
	for (unsigned i = 0; i < segments * PER_SEGMENT; i++)
		rig_write(&rig, LEN);
}

static uint64_t first_position(void)
{
	return rig.committed[0].first;
}

static uint64_t last_position(void)
{
	return rig.committed[rig.count - 1].first;
}

static bool remove_segment(uint32_t number)
{
	char name[DISK_NAME_MAX];
	file_name(name, FILE_SEGMENT, number);
	return simdisk_remove(rig.medium, name);
}

/* --- checkpoints --- */

/* The log goes back to the checkpoint before. */
static void test_damaged_checkpoint_costs_nothing(void **state)
{
	(void)state;
	rig_open(&rig);
	fill(3);
	rig_checkpoint(&rig, NULL, 0);
	fill(3);
	rig_checkpoint(&rig, NULL, 0);
	fill(1);
	rig_close(&rig);
	assert_true(simdisk_flip(rig.medium, "ckpt-2", 100, 2));
	rig_open(&rig);
	assert_int_equal(rig.recovered_images, 1);
	/* with the record that the second one stands behind */
	assert_int_equal(rig.recovered_records, 4 * PER_SEGMENT + 1);
	assert_int_equal(rig.damages, 0);
}

static void assert_refused(const char *word)
{
	char reason[JOURNAL_REASON_MAX] = "";
	assert_int_equal(rig_try(&rig, simdisk_attach(rig.medium), reason), ERROR_DAMAGED);
	if (!strstr(reason, word))
		fail_msg("\"%s\" does not say \"%s\"", reason, word);
}

/* Though all of the log is there, the state that it began with is not. */
static void test_without_a_whole_checkpoint_it_does_not_start(void **state)
{
	(void)state;
	rig_open(&rig);
	fill(1);
	rig_checkpoint(&rig, NULL, 0);
	rig_close(&rig);
	assert_true(simdisk_flip(rig.medium, "ckpt-1", 100, 2));
	assert_refused("no checkpoint of the store is whole");
}

/* --- files that are missing --- */

static void test_missing_segment_is_said(void **state)
{
	(void)state;
	rig_open(&rig);
	fill(5);
	rig_close(&rig);
	assert_true(remove_segment(position_segment(first_position()) + 2));
	rig_open(&rig);
	assert_int_equal(rig.damages, 1);
	assert_int_equal(rig.recovered_records, 4 * PER_SEGMENT);
	assert_true(rig_status(&rig).is_degraded);
}

static void remove_segments(uint32_t from, uint32_t to)
{
	for (uint32_t number = from; number <= to; number++)
		(void)remove_segment(number);
}

static void test_log_that_ends_before_its_checkpoint_is_said(void **state)
{
	(void)state;
	rig_open(&rig);
	fill(5);
	rig_checkpoint(&rig, NULL, 0);
	uint32_t last = position_segment(last_position());
	rig_close(&rig);
	remove_segments(last, last + 2);
	rig_open(&rig);
	assert_int_equal(rig.damages, 1);
	assert_true(rig_status(&rig).is_degraded);
}

/* What a checkpoint refers to must not turn into something else. */
static void test_numbers_below_a_checkpoint_are_not_given_again(void **state)
{
	(void)state;
	rig_open(&rig);
	fill(5);
	rig_checkpoint(&rig, NULL, 0);
	uint32_t last = position_segment(last_position());
	rig_close(&rig);
	remove_segments(2, last + 2);
	rig_open(&rig);
	assert_true(position_segment(rig_write(&rig, LEN)) > last);
}

/* Its old frames would be valid. */
static void test_number_of_a_spare_is_not_given_again(void **state)
{
	(void)state;
	rig_open(&rig);
	fill(5);
	uint32_t first = position_segment(first_position());
	uint32_t last = position_segment(last_position());
	for (uint32_t number = first; number < last; number++) {
		struct segment *segment = segments_find(rig.journal, number);
		assert_true(segment_recycle(rig.journal, segment));
		assert_true(segment_forget(rig.journal, segment));
	}
	simdisk_settle(rig.medium);
	simdisk_kill(rig.medium);
	rig_close(&rig);
	remove_segments(first, last + 4);
	rig_open(&rig);
	assert_true(position_segment(rig_write(&rig, LEN)) >= last);
}

/* --- frames that do not count --- */

/* The first of them is torn and nothing vouched for it: the log ends there, and what stands behind
 * it is never to be believed again. */
static void test_frames_behind_the_end_are_wiped(void **state)
{
	char name[DISK_NAME_MAX];
	uint64_t len;
	(void)state;
	rig.options.durability = DURABILITY_INTERVAL;
	rig.options.interval_ms = 60000;
	rig_open(&rig);
	for (unsigned i = 0; i < 4; i++)
		rig_write(&rig, LEN);
	uint64_t torn = rig.committed[2].first, stale = rig.committed[3].first;
	file_name(name, FILE_SEGMENT, position_segment(torn));
	simdisk_kill(rig.medium);
	rig_close(&rig);
	assert_true(simdisk_flip(rig.medium, name, position_offset(torn) + 100, 1));
	rig_open(&rig);
	assert_int_equal(rig.recovered_records, 2);
	assert_int_equal(rig.damages, 0);
	const uint8_t *bytes = simdisk_bytes(rig.medium, name, &len);
	struct frame_head frame;
	uint64_t at = position_offset(stale) / DISK_BLOCK * DISK_BLOCK;
	assert_false(frame_head_decode(bytes + at, rig.options.store_id,
				       position_of(position_segment(stale), at), &frame));
}

/* Where the write of a frame fails it is done again in the next segment; what stands of the first
 * one may be whole, and block 0 of the next one, which tells where this one ended, damaged. */
static bool fail_and_write_again(uint64_t seed)
{
	char name[DISK_NAME_MAX];
	uint64_t len;
	simdisk_free(rig.medium);
	rig.medium = simdisk_new(seed, 0);
	rig_open(&rig);
	uint64_t before = rig_write(&rig, LEN);
	simdisk_fail(rig.medium, SIMDISK_WRITE, 1, EIO, 0);
	uint64_t again = rig_write(&rig, LEN);
	assert_int_not_equal(position_segment(before), position_segment(again));
	rig_write(&rig, LEN); /* which vouches for it */
	simdisk_kill(rig.medium);
	rig_close(&rig);
	file_name(name, FILE_SEGMENT, position_segment(before));
	const uint8_t *bytes = simdisk_bytes(rig.medium, name, &len);
	uint64_t failed = position_offset(before) + DISK_BLOCK;
	bool is_whole = record_is_valid(span_of(bytes + failed, len - failed), rig.options.store_id,
					position_of(position_segment(before), failed));
	file_name(name, FILE_SEGMENT, position_segment(again));
	assert_true(simdisk_flip(rig.medium, name, 100, 1));
	rig_open(&rig);
	assert_int_equal(rig.recovered_records, 3);
	return is_whole;
}

static void test_failed_frame_is_given_back_once(void **state)
{
	unsigned whole = 0;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		whole += fail_and_write_again(seed);
		tear_down(state);
		set_up(state);
	}
	assert_true(whole > 0);
}

/* --- reading --- */

/* The n-th read of the start fails, once: what stands around that block is there all the same. False:
 * there were not so many. A start that cannot be says why. */
static bool start_with_failing_read(unsigned n, unsigned *started)
{
	char reason[JOURNAL_REASON_MAX] = "";
	uint64_t before = simdisk_calls(rig.medium, SIMDISK_READ);
	simdisk_fail(rig.medium, SIMDISK_READ, n, EIO, 0);
	int error = rig_try(&rig, simdisk_attach(rig.medium), reason);
	bool has_failed = simdisk_calls(rig.medium, SIMDISK_READ) >= before + n;
	simdisk_fail(rig.medium, SIMDISK_READ, 0, 0, 0);
	if (error)
		assert_int_not_equal(reason[0], '\0');
	else if (rig.recovered_records != 2 * PER_SEGMENT || rig.damages > 0)
		fail_msg("%u records when read %u fails", rig.recovered_records, n);
	*started += !error && has_failed;
	if (rig.journal)
		rig_close(&rig);
	return has_failed;
}

static void test_read_that_fails_once_costs_nothing(void **state)
{
	unsigned started = 0;
	(void)state;
	rig_open(&rig);
	fill(2);
	rig_close(&rig);
	for (unsigned n = 1; start_with_failing_read(n, &started); n++)
		;
	assert_true(started >= 3);
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ON_RIG(test_damaged_checkpoint_costs_nothing),
		ON_RIG(test_without_a_whole_checkpoint_it_does_not_start),
		ON_RIG(test_missing_segment_is_said),
		ON_RIG(test_log_that_ends_before_its_checkpoint_is_said),
		ON_RIG(test_numbers_below_a_checkpoint_are_not_given_again),
		ON_RIG(test_number_of_a_spare_is_not_given_again),
		ON_RIG(test_frames_behind_the_end_are_wiped),
		ON_RIG(test_failed_frame_is_given_back_once),
		ON_RIG(test_read_that_fails_once_costs_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
