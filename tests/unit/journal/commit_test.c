/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "base/mem.h"
#include "journal/commit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>

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

/* Block 0 of a segment, as it stands on the disk. */
static struct segment_head head_of(uint32_t number)
{
	char name[DISK_NAME_MAX];
	struct segment_head head = {0};
	uint64_t len;
	file_name(name, FILE_SEGMENT, number);
	const uint8_t *bytes = simdisk_bytes(rig.medium, name, &len);
	assert_non_null(bytes);
	assert_true(segment_head_decode(bytes, &head));
	assert_int_equal(head.number, number);
	return head;
}

static struct frame_head frame_at(uint64_t position)
{
	char name[DISK_NAME_MAX];
	struct frame_head head = {0};
	uint64_t len;
	file_name(name, FILE_SEGMENT, position_segment(position));
	const uint8_t *bytes = simdisk_bytes(rig.medium, name, &len);
	assert_non_null(bytes);
	assert_true(frame_head_decode(bytes + position_offset(position), 0x5eed, position, &head));
	return head;
}

static uint64_t writes(void)
{
	return simdisk_calls(rig.medium, SIMDISK_WRITE);
}

static void assert_all_back_in_order(int error)
{
	uint64_t position = 0;
	assert_int_equal(rig.count, rig.appended);
	for (unsigned i = 0; i < rig.count; i++) {
		assert_int_equal(rig.committed[i].number, i);
		assert_int_equal(rig.committed[i].error, error);
		if (error)
			continue;
		assert_true(rig.committed[i].first > position);
		assert_true(rig.committed[i].last >= rig.committed[i].first);
		position = rig.committed[i].last;
	}
}

static void test_commit_takes_all_that_waits_in_one_write(void **state)
{
	(void)state;
	rig_open(&rig);
	rig_work(&rig);
	uint64_t before = writes();
	for (unsigned i = 0; i < 50; i++)
		rig_append(&rig, 3, 100 + i, RIG_EAGER);
	assert_true(journal_step(rig.journal));
	assert_int_equal(writes(), before + 1);
	assert_all_back_in_order(0);
	struct log_status status = rig_status(&rig);
	assert_int_equal(status.commits, 1);
	assert_int_equal(status.batches, 50);
	assert_int_equal(status.records, 150);
	assert_int_equal(status.position, rig.committed[49].last);
	for (unsigned i = 0; i < 50; i++) {
		uint64_t each = record_bytes(100 + i);
		assert_int_equal(rig_read(&rig, rig.committed[i].first, i, 0, 100 + i), 0);
		assert_int_equal(rig_read(&rig, rig.committed[i].first + each, i, 1, 100 + i), 0);
		assert_int_equal(rig_read(&rig, rig.committed[i].last, i, 2, 100 + i), 0);
	}
	assert_int_equal(rig_read(&rig, rig.committed[0].first + 8, 0, 0, 0), ERROR_DAMAGED);
	assert_int_equal(rig_status(&rig).damaged_records, 1);
}

static void test_frames_say_what_was_durable_before(void **state)
{
	(void)state;
	rig_open(&rig);
	uint64_t a = rig_write(&rig, 10), b = rig_write(&rig, 5000), c = rig_write(&rig, 10);
	assert_int_equal(position_offset(a), DISK_BLOCK + FRAME_HEAD_BYTES);
	assert_int_equal(b, a + DISK_BLOCK);
	assert_int_equal(c, b + 2 * DISK_BLOCK);
	assert_int_equal(frame_at(b - FRAME_HEAD_BYTES).durable, b - FRAME_HEAD_BYTES);
	assert_int_equal(frame_at(c - FRAME_HEAD_BYTES).durable, c - FRAME_HEAD_BYTES);
	assert_int_equal(frame_at(c - FRAME_HEAD_BYTES).commit,
			 frame_at(a - FRAME_HEAD_BYTES).commit + 2);
	assert_true(head_of(position_segment(a)).is_begun);
}

static void test_commit_goes_on_in_the_next_segment(void **state)
{
	(void)state;
	rig_open(&rig);
	for (unsigned i = 0; i < 40; i++)
		rig_write(&rig, 20000);
	assert_all_back_in_order(0);
	/* Three of 20 KiB in each, behind block 0. */
	uint64_t first = rig.committed[2].first, second = rig.committed[3].first;
	assert_int_equal(position_segment(second), position_segment(first) + 1);
	assert_int_equal(position_offset(second), DISK_BLOCK + FRAME_HEAD_BYTES);
	assert_int_equal(head_of(position_segment(second)).previous_end,
			 first - FRAME_HEAD_BYTES + frame_bytes(record_bytes(20000)));
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(rig_read(&rig, rig.committed[i].first, i, 0, 20000), 0);
}

static void test_record_larger_than_a_segment_is_taken(void **state)
{
	static const uint32_t lens[] = {RIG_SEGMENT_BYTES - DISK_BLOCK - 64, RIG_SEGMENT_BYTES,
					1 << 20, (4 << 20) - 64, (5 << 20) + 3};
	(void)state;
	rig_open(&rig);
	for (unsigned i = 0; i < ARRAY_COUNT(lens); i++) {
		uint64_t position = rig_write(&rig, lens[i]);
		assert_int_equal(rig_read(&rig, position, 2 * i, 0, lens[i]), 0);
		position = rig_write(&rig, 100);
		assert_int_equal(rig_read(&rig, position, 2 * i + 1, 0, 100), 0);
	}
	assert_all_back_in_order(0);
}

static void test_record_for_which_there_is_no_room_comes_back(void **state)
{
	(void)state;
	simdisk_set_capacity(rig.medium, 1 << 20);
	rig_open(&rig);
	rig_work(&rig);
	rig_append(&rig, 1, 2 << 20, RIG_EAGER);
	rig_append(&rig, 1, 100, RIG_EAGER);
	rig_work(&rig);
	assert_int_equal(rig.count, 2);
	assert_int_equal(rig.committed[0].error, ERROR_FULL);
	assert_int_equal(rig.committed[1].error, 0);
	assert_int_not_equal(rig_status(&rig).health, LOG_FAILED);
}

/* What a usual segment holds is never refused by itself. */
static void test_longest_batch_needs_no_longer_segment(void **state)
{
	(void)state;
	rig_open(&rig);
	rig_work(&rig);
	uint32_t len = rig.log->batch_bytes_max - LOG_RECORD_ROOM;
	simdisk_fail(rig.medium, SIMDISK_RESERVE, 1, ENOSPC, SIMDISK_LASTING);
	rig_append(&rig, 1, len, RIG_EAGER);
	rig_append(&rig, 1, len + LOG_ALIGN, RIG_EAGER);
	rig_work(&rig);
	assert_int_equal(rig.count, 2);
	assert_int_equal(rig.committed[0].error, 0);
	assert_int_equal(rig.committed[1].error, ERROR_FULL);
}

static void test_failed_write_goes_to_the_next_segment(void **state)
{
	(void)state;
	rig_open(&rig);
	uint64_t before = rig_write(&rig, 100);
	rig_append(&rig, 2, 9000, RIG_EAGER);
	rig_append(&rig, 1, 100, RIG_EAGER);
	simdisk_fail(rig.medium, SIMDISK_WRITE, 1, EIO, 0);
	rig_work(&rig);
	assert_all_back_in_order(0);
	uint64_t after = rig.committed[1].first;
	assert_true(position_segment(after) > position_segment(before));
	/* Behind this nothing counts in the segment that failed. */
	assert_int_equal(head_of(position_segment(after)).previous_end,
			 before - FRAME_HEAD_BYTES + DISK_BLOCK);
	assert_int_equal(rig_read(&rig, before, 0, 0, 100), 0);
	assert_int_equal(rig_read(&rig, after, 1, 0, 9000), 0);
	struct log_status status = rig_status(&rig);
	assert_int_equal(status.health, LOG_GOOD);
	assert_int_equal(status.write_errors, 1);
	assert_int_equal(rig.warnings, 1);
	/* Never written to again. */
	rig_write(&rig, 100);
	assert_int_equal(position_segment(rig.committed[3].first), position_segment(after));
}

static void test_two_segments_that_fail_are_the_end(void **state)
{
	(void)state;
	rig_open(&rig);
	rig_work(&rig);
	simdisk_fail(rig.medium, SIMDISK_WRITE, 1, EIO, SIMDISK_LASTING);
	for (unsigned i = 0; i < 5; i++)
		rig_append(&rig, 1, 100, i == 4 ? RIG_LAZY : RIG_EAGER);
	rig_work(&rig);
	assert_all_back_in_order(ERROR_SYSTEM);
	assert_int_equal(rig_status(&rig).health, LOG_FAILED);
	assert_int_equal(rig.health_changes, 1);
	/* For good, even when the disk has recovered. */
	simdisk_fail(rig.medium, SIMDISK_WRITE, 0, 0, 0);
	rig_append(&rig, 1, 100, RIG_EAGER);
	rig_work(&rig);
	assert_all_back_in_order(ERROR_SYSTEM);
}

static void test_lazy_batch_waits_for_company(void **state)
{
	(void)state;
	rig_open(&rig);
	rig_append(&rig, 1, 100, RIG_LAZY);
	rig_work(&rig);
	assert_int_equal(rig.count, 0);
	rig_append(&rig, 1, 100, RIG_EAGER);
	rig_work(&rig);
	assert_all_back_in_order(0);
	assert_int_equal(rig_status(&rig).commits, 1);
	/* Without company it goes when its time is over. */
	rig_append(&rig, 1, 100, RIG_LAZY);
	rig_work(&rig);
	rig.now += rig.options.lazy_ms - 1;
	rig_work(&rig);
	assert_int_equal(rig.count, 2);
	rig.now++;
	rig_work(&rig);
	assert_all_back_in_order(0);
	/* Or at the end. */
	rig_append(&rig, 1, 100, RIG_LAZY);
	rig_close(&rig);
	assert_all_back_in_order(0);
}

static void test_gathering_waits(void **state)
{
	(void)state;
	rig.options.gather_ms = 20;
	rig_open(&rig);
	rig_append(&rig, 1, 100, RIG_EAGER);
	rig_work(&rig);
	rig.now += 19;
	rig_append(&rig, 1, 100, RIG_EAGER);
	rig_work(&rig);
	assert_int_equal(rig.count, 0);
	rig.now++;
	rig_work(&rig);
	assert_all_back_in_order(0);
	assert_int_equal(rig_status(&rig).commits, 1);
}

static void test_budget_stretches_commits(void **state)
{
	(void)state;
	rig.options.budget_bytes_per_day = 24 * 2 * DISK_BLOCK; /* two blocks at once */
	rig_open(&rig);
	for (unsigned i = 0; i < 2; i++)
		rig_write(&rig, 100);
	/* The head of the segment was one too many. */
	rig_append(&rig, 1, 100, RIG_EAGER);
	rig_work(&rig);
	assert_int_equal(rig.count, 2);
	rig.now += 500;
	rig_work(&rig);
	assert_all_back_in_order(0);
}

static void test_interval_syncs_in_time(void **state)
{
	(void)state;
	rig.options.durability = DURABILITY_INTERVAL;
	rig.options.interval_ms = 100;
	rig_open(&rig);
	uint64_t begun = rig_write(&rig, 100);
	rig.now += 100;
	rig_work(&rig);
	assert_int_equal(rig_status(&rig).position, begun);
	uint64_t syncs = simdisk_calls(rig.medium, SIMDISK_SYNC);
	uint64_t position = rig_write(&rig, 100);
	rig.now += 60;
	rig_write(&rig, 100);
	assert_int_equal(simdisk_calls(rig.medium, SIMDISK_SYNC), syncs);
	assert_int_equal(rig_status(&rig).position, begun);
	rig.now += 40;
	rig_work(&rig);
	assert_int_equal(simdisk_calls(rig.medium, SIMDISK_SYNC), syncs + 1);
	assert_true(rig_status(&rig).position > position);
	/* Whoever asks for it has it at once, and with it all that came before. */
	rig_write(&rig, 100);
	rig_append(&rig, 1, 100, RIG_SYNC);
	rig_work(&rig);
	assert_int_equal(simdisk_calls(rig.medium, SIMDISK_SYNC), syncs + 2);
	assert_int_equal(rig_status(&rig).position, rig.committed[4].first);
	assert_all_back_in_order(0);
}

static void test_interval_that_cannot_sync_is_the_end(void **state)
{
	(void)state;
	rig.options.durability = DURABILITY_INTERVAL;
	rig_open(&rig);
	rig_write(&rig, 100);
	simdisk_fail(rig.medium, SIMDISK_SYNC, 1, EIO, SIMDISK_DROPS);
	rig.now += rig.options.interval_ms;
	rig_work(&rig);
	assert_int_equal(rig_status(&rig).health, LOG_FAILED);
	rig_append(&rig, 1, 100, RIG_EAGER);
	rig_work(&rig);
	assert_int_equal(rig.count, 2);
	assert_int_equal(rig.committed[1].error, ERROR_SYSTEM);
}

static void test_failed_sync_of_one_that_asked_goes_elsewhere(void **state)
{
	(void)state;
	rig.options.durability = DURABILITY_INTERVAL;
	rig_open(&rig);
	rig_work(&rig);
	simdisk_fail(rig.medium, SIMDISK_SYNC, 1, EIO, SIMDISK_DROPS);
	rig_append(&rig, 1, 100, RIG_SYNC);
	rig_work(&rig);
	assert_all_back_in_order(0);
	assert_int_equal(rig_status(&rig).health, LOG_GOOD);
	assert_int_equal(rig_read(&rig, rig.committed[0].first, 0, 0, 100), 0);
	assert_int_equal(rig_status(&rig).position, rig.committed[0].first);
}

static void test_idle_log_is_sealed_once(void **state)
{
	(void)state;
	rig_open(&rig);
	uint64_t position = rig_write(&rig, 100);
	uint64_t before = writes();
	rig.now += 999;
	rig_work(&rig);
	assert_int_equal(writes(), before);
	rig.now++;
	rig_work(&rig);
	rig.now += 5000;
	rig_work(&rig);
	assert_int_equal(writes(), before + 1);
	struct frame_head seal = frame_at(position - FRAME_HEAD_BYTES + DISK_BLOCK);
	assert_int_equal(seal.flags, FRAME_SEAL);
	assert_int_equal(seal.durable, seal.position);
	/* Closing adds none. */
	rig_close(&rig);
	assert_int_equal(writes(), before + 1);
}

static void test_flash_is_sealed_at_the_end_only(void **state)
{
	(void)state;
	rig.options.gather_ms = 1;
	rig_open(&rig);
	rig_append(&rig, 1, 100, RIG_EAGER);
	rig.now++;
	rig_work(&rig);
	rig.now++;
	rig_work(&rig);
	assert_int_equal(rig.count, 1);
	uint64_t before = writes();
	rig.now += 5000;
	rig_work(&rig);
	assert_int_equal(writes(), before);
	rig_close(&rig);
	assert_int_equal(writes(), before + 1);
	uint64_t position = rig.committed[0].first - FRAME_HEAD_BYTES + DISK_BLOCK;
	assert_int_equal(frame_at(position).flags, FRAME_SEAL);
}

static void test_batch_without_records_keeps_its_turn(void **state)
{
	(void)state;
	rig_open(&rig);
	rig_write(&rig, 10);
	uint64_t before = writes();
	rig_append(&rig, 0, 0, RIG_EAGER);
	rig_work(&rig);
	assert_int_equal(rig.count, 2);
	assert_int_equal(writes(), before);
	rig_append(&rig, 1, 10, RIG_EAGER);
	rig_append(&rig, 0, 0, RIG_EAGER);
	rig_append(&rig, 1, 0, RIG_EAGER);
	rig_work(&rig);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(rig.committed[i].number, i);
	assert_int_equal(rig_read(&rig, rig.committed[4].first, 4, 0, 0), 0);
	assert_int_equal(rig_status(&rig).commits, 2);
}

static void take_answer(struct log_read *request)
{
	request->next = request;
}

/* Positions in the order given, neighbours with one read of the disk. */
static void test_neighbours_are_read_together(void **state)
{
	struct log_read *request = mem_zalloc(sizeof(*request));
	(void)state;
	assert_non_null(request);
	rig_open(&rig);
	rig_append(&rig, 200, 100, RIG_EAGER);
	rig_append(&rig, 1, 30000, RIG_EAGER);
	rig_work(&rig);
	request->done = take_answer;
	for (unsigned i = 0; i < 200; i++)
		request->positions[i] = rig.committed[0].first + i * record_bytes(100);
	request->positions[200] = rig.committed[1].first;
	request->positions[201] = rig.committed[0].first;       /* going back */
	request->positions[202] = position_of(1000, 4096 + 48); /* never was */
	request->count = 203;
	uint64_t before = simdisk_calls(rig.medium, SIMDISK_READ);
	rig.log->ops->read(rig.log, request);
	rig_work(&rig);
	assert_ptr_equal(request->next, request);
	assert_in_range(simdisk_calls(rig.medium, SIMDISK_READ) - before, 1, 3);
	for (unsigned i = 0; i < 202; i++) {
		assert_int_equal(request->records[i].error, 0);
		assert_int_equal(request->records[i].body.len, i == 200 ? 30000 : 100);
	}
	assert_int_equal(request->records[202].error, ERROR_DAMAGED);
	assert_memory_equal(request->records[201].body.ptr, request->records[0].body.ptr, 100);
	assert_memory_not_equal(request->records[1].body.ptr, request->records[0].body.ptr, 100);
	log_read_release(request);
	mem_free(request);
}

static void test_damaged_record_is_not_given_out(void **state)
{
	char name[DISK_NAME_MAX];
	(void)state;
	rig_open(&rig);
	rig_append(&rig, 3, 100, RIG_EAGER);
	rig_work(&rig);
	uint64_t first = rig.committed[0].first;
	file_name(name, FILE_SEGMENT, position_segment(first));
	uint64_t offset = position_offset(first) + record_bytes(100) + RECORD_HEAD_BYTES + 50;
	assert_true(simdisk_flip(rig.medium, name, offset, 3));
	assert_int_equal(rig_read(&rig, first, 0, 0, 100), 0);
	assert_int_equal(rig_read(&rig, first + record_bytes(100), 0, 1, 100), ERROR_DAMAGED);
	assert_int_equal(rig_read(&rig, rig.committed[0].last, 0, 2, 100), 0);
	assert_int_equal(rig_status(&rig).damaged_records, 1);
	assert_true(rig_status(&rig).is_degraded);
}

/* A read that fails once, or what the system has in memory, is no reason to lose a message. */
static void test_record_is_read_again_from_the_device(void **state)
{
	(void)state;
	rig_open(&rig);
	uint64_t position = rig_write(&rig, 100);
	for (unsigned n = 1; n <= 2; n++) {
		simdisk_fail(rig.medium, SIMDISK_READ, n, EIO, 0);
		assert_int_equal(rig_read(&rig, position, 0, 0, 100), 0);
		simdisk_fail(rig.medium, SIMDISK_READ, 0, 0, 0);
	}
	assert_false(rig_status(&rig).is_degraded);
}

/* Nobody waits for ever for an answer. */
static void test_no_file_can_be_made_is_the_end(void **state)
{
	(void)state;
	rig_open(&rig);
	rig_work(&rig);
	simdisk_fail(rig.medium, SIMDISK_OPEN, 1, EMFILE, SIMDISK_LASTING);
	for (unsigned i = 0; i < 6; i++)
		rig_append(&rig, 1, 50000, RIG_EAGER);
	unsigned seconds = 0;
	for (; rig.count < 6 && seconds < 100; seconds++) {
		rig_work(&rig);
		if (seconds < 20)
			assert_int_equal(rig_status(&rig).health, LOG_GOOD);
		rig.now += 1000;
	}
	assert_int_equal(rig_status(&rig).health, LOG_FAILED);
	assert_int_equal(rig.count, 6);
	assert_int_equal(rig.committed[0].error, 0);
	assert_int_equal(rig.committed[5].error, ERROR_SYSTEM);
	simdisk_fail(rig.medium, SIMDISK_OPEN, 0, 0, 0);
}

/* --- who wakes the committer; here it has no thread --- */

static unsigned wakes;

void __real_journal_wake_committer(struct journal *j);
void __wrap_journal_wake_committer(struct journal *j);
void __wrap_journal_wake_committer(struct journal *j)
{
	wakes++;
	__real_journal_wake_committer(j);
}

static unsigned wakes_of(enum rig_kind kind)
{
	unsigned before = wakes;
	rig_append(&rig, 1, 10, kind);
	return wakes - before;
}

static void test_batch_wakes_a_committer_that_sleeps(void **state)
{
	(void)state;
	rig_open(&rig);
	rig_work(&rig);
	assert_int_equal(wakes_of(RIG_EAGER), 0);      /* it is awake */
	assert_false(commit_fall_asleep(rig.journal)); /* and stays so: there is work */
	rig_work(&rig);
	assert_true(commit_fall_asleep(rig.journal));
	assert_int_equal(wakes_of(RIG_EAGER), 1);
	assert_int_equal(wakes_of(RIG_EAGER), 0);
	rig_work(&rig);
	assert_true(commit_fall_asleep(rig.journal));
	assert_int_equal(wakes_of(RIG_LAZY), 1); /* when to sleep until is not known yet */
}

/* It has a lazy one, and sleeps until that has waited long enough. */
static void test_eager_batch_wakes_from_lazy_sleep(void **state)
{
	(void)state;
	rig_open(&rig);
	rig_work(&rig);
	rig_append(&rig, 1, 10, RIG_LAZY);
	rig_work(&rig);
	assert_int_equal(rig.count, 0);
	assert_true(commit_fall_asleep(rig.journal));
	assert_int_equal(wakes_of(RIG_LAZY), 0);
	assert_int_equal(wakes_of(RIG_EAGER), 1);
	rig_work(&rig);
	assert_int_equal(rig.count, 3);
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ON_RIG(test_commit_takes_all_that_waits_in_one_write),
		ON_RIG(test_frames_say_what_was_durable_before),
		ON_RIG(test_commit_goes_on_in_the_next_segment),
		ON_RIG(test_record_larger_than_a_segment_is_taken),
		ON_RIG(test_record_for_which_there_is_no_room_comes_back),
		ON_RIG(test_longest_batch_needs_no_longer_segment),
		ON_RIG(test_failed_write_goes_to_the_next_segment),
		ON_RIG(test_two_segments_that_fail_are_the_end),
		ON_RIG(test_lazy_batch_waits_for_company),
		ON_RIG(test_gathering_waits),
		ON_RIG(test_budget_stretches_commits),
		ON_RIG(test_interval_syncs_in_time),
		ON_RIG(test_interval_that_cannot_sync_is_the_end),
		ON_RIG(test_failed_sync_of_one_that_asked_goes_elsewhere),
		ON_RIG(test_idle_log_is_sealed_once),
		ON_RIG(test_flash_is_sealed_at_the_end_only),
		ON_RIG(test_batch_without_records_keeps_its_turn),
		ON_RIG(test_neighbours_are_read_together),
		ON_RIG(test_damaged_record_is_not_given_out),
		ON_RIG(test_record_is_read_again_from_the_device),
		ON_RIG(test_no_file_can_be_made_is_the_end),
		ON_RIG(test_batch_wakes_a_committer_that_sleeps),
		ON_RIG(test_eager_batch_wakes_from_lazy_sleep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
