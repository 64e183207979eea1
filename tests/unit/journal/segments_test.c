/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

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

static unsigned count_files(enum file_kind kind)
{
	const char *name;
	unsigned count = 0;
	uint32_t number;
	for (unsigned n = 0; (name = simdisk_name(rig.medium, n)); n++)
		count += file_name_parse(name, &number) == kind;
	return count;
}

/* As garbage collection does with a segment that nobody needs any more. */
static void throw_away(uint32_t number)
{
	struct segment *segment = segments_find(rig.journal, number);
	assert_non_null(segment);
	assert_true(segment_recycle(rig.journal, segment));
	assert_true(segment_forget(rig.journal, segment));
}

static void test_first_start_writes_segments_through(void **state)
{
	uint64_t len;
	(void)state;
	rig_open(&rig);
	rig_work(&rig);
	assert_int_equal(count_files(FILE_SEGMENT), 2);
	assert_int_equal(count_files(FILE_SPARE), 2);
	assert_int_equal(rig_status(&rig).log_bytes, 4 * RIG_SEGMENT_BYTES);
	/* It all stands on the medium. */
	simdisk_kill(rig.medium);
	simdisk_power_cut(rig.medium, 1);
	assert_int_equal(count_files(FILE_SEGMENT), 2);
	for (unsigned n = 0; simdisk_name(rig.medium, n); n++) {
		uint32_t number;
		const char *name = simdisk_name(rig.medium, n);
		if (file_name_parse(name, &number) != FILE_SEGMENT)
			continue;
		assert_true(simdisk_size(rig.medium, name, &len));
		assert_int_equal(len, RIG_SEGMENT_BYTES);
	}
}

static void test_two_segments_are_always_ready(void **state)
{
	(void)state;
	rig_open(&rig);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t position = rig_write(&rig, 50000);
		uint32_t ready = 0;
		for (uint32_t k = 0; k < rig.journal->segments.count; k++)
			ready += rig.journal->segments.all[k]->state == SEGMENT_READY;
		assert_int_equal(ready, 2);
		assert_int_equal(segments_find(rig.journal, position_segment(position))->state,
				 SEGMENT_OPEN);
	}
}

static void test_recycled_bytes_are_never_valid(void **state)
{
	char name[DISK_NAME_MAX];
	uint64_t len;
	(void)state;
	rig_open(&rig);
	for (unsigned i = 0; i < 60; i++)
		rig_write(&rig, 3000);
	uint32_t old = position_segment(rig.committed[0].first);
	throw_away(old);
	/* Its file comes back under another number. */
	uint64_t position = 0;
	for (unsigned i = 0; i < 35; i++)
		position = rig_write(&rig, 8);
	unsigned valid = 0, stale = 0;
	for (uint32_t number = old; number <= position_segment(position) + 2; number++) {
		file_name(name, FILE_SEGMENT, number);
		const uint8_t *bytes = simdisk_bytes(rig.medium, name, &len);
		for (uint64_t at = 0; bytes && at + RECORD_HEAD_BYTES <= len; at += LOG_ALIGN) {
			struct span rest = span_of(bytes + at, len - at);
			valid += record_is_valid(rest, 0x5eed, position_of(number, at));
			uint64_t there = load_le64(bytes + at + 8);
			stale += position_segment(there) == old &&
				 record_is_valid(rest, 0x5eed, there);
		}
	}
	/* 60 and 35, less those of the segment that is gone: some stand there, and do not count. */
	assert_true(stale > 0);
	assert_int_equal(valid, 60 + 35 - 15);
	assert_int_equal(rig_read(&rig, rig.committed[0].first, 0, 0, 3000), ERROR_DAMAGED);
}

static void test_pinned_segment_stays(void **state)
{
	(void)state;
	rig_open(&rig);
	uint64_t position = rig_write(&rig, 50000);
	rig_write(&rig, 50000);
	struct segment *segment = segment_pin(rig.journal, position_segment(position));
	assert_non_null(segment);
	assert_false(segment_recycle(rig.journal, segment));
	assert_false(segment_forget(rig.journal, segment));
	assert_int_equal(rig_read(&rig, position, 0, 0, 50000), 0);
	segment_unpin(rig.journal, segment);
	throw_away(position_segment(position));
	assert_null(segment_pin(rig.journal, position_segment(position)));
}

static void test_failed_segment_is_not_recycled(void **state)
{
	(void)state;
	rig_open(&rig);
	uint64_t position = rig_write(&rig, 100);
	simdisk_fail(rig.medium, SIMDISK_WRITE, 1, EIO, 0);
	rig_write(&rig, 100);
	struct segment *failed = segments_find(rig.journal, position_segment(position));
	assert_int_equal(failed->state, SEGMENT_FAILED);
	assert_int_equal(failed->end, 2 * DISK_BLOCK);
	unsigned spares = count_files(FILE_SPARE);
	throw_away(position_segment(position));
	assert_int_equal(count_files(FILE_SPARE), spares);
}

static void test_full_log_becomes_good_when_there_is_room(void **state)
{
	(void)state;
	rig.options.bytes_max = 6 * RIG_SEGMENT_BYTES;
	rig_open(&rig);
	rig_work(&rig);
	assert_int_equal(rig_status(&rig).health, LOG_GOOD);
	while (rig_status(&rig).health == LOG_GOOD) {
		rig_write(&rig, 50000);
		assert_true(rig.count < 10);
	}
	assert_int_equal(rig_status(&rig).health, LOG_FULL);
	assert_true(rig.count >= 4);
	/* What frees room is still taken, two segments of it. */
	rig_write(&rig, 50000);
	rig_write(&rig, 50000);
	assert_int_equal(rig_status(&rig).health, LOG_FULL);
	assert_int_equal(rig.health_changes, 1);
	for (unsigned i = 0; i < 4; i++)
		throw_away(position_segment(rig.committed[i].first));
	rig_work(&rig);
	assert_int_equal(rig_status(&rig).health, LOG_GOOD);
	assert_int_equal(rig.health_changes, 2);
	assert_true(rig_status(&rig).log_bytes <= rig.options.bytes_max + RIG_SEGMENT_BYTES);
	rig_write(&rig, 50000);
}

static void test_full_disk_is_full_until_somebody_makes_room(void **state)
{
	(void)state;
	rig_open(&rig);
	rig_work(&rig);
	simdisk_set_capacity(rig.medium, 6 * RIG_SEGMENT_BYTES);
	rig.now += 1000;
	rig_work(&rig);
	while (rig_status(&rig).health == LOG_GOOD) {
		rig_write(&rig, 50000);
		assert_true(rig.count < 10);
	}
	rig_write(&rig, 50000);
	assert_int_equal(rig_status(&rig).health, LOG_FULL);
	/* Others have removed something: nobody tells us, we look. */
	simdisk_set_capacity(rig.medium, 0);
	rig_work(&rig);
	assert_int_equal(rig_status(&rig).health, LOG_FULL);
	rig.now += 1000;
	rig_work(&rig);
	assert_int_equal(rig_status(&rig).health, LOG_GOOD);
	rig_write(&rig, 50000);
}

static void test_commit_waits_until_there_is_a_segment(void **state)
{
	(void)state;
	rig_open(&rig);
	rig_work(&rig);
	simdisk_set_capacity(rig.medium, 4 * RIG_SEGMENT_BYTES + 3 * DISK_BLOCK);
	for (unsigned i = 0; i < 5; i++)
		rig_append(&rig, 1, 50000, RIG_EAGER);
	rig_work(&rig);
	assert_int_equal(rig.count, 4);
	throw_away(position_segment(rig.committed[0].first));
	rig.now += 1000;
	rig_work(&rig);
	assert_int_equal(rig.count, 5);
	assert_int_equal(rig.committed[4].error, 0);
	assert_int_equal(rig_read(&rig, rig.committed[4].first, 4, 0, 50000), 0);
}

/* A number is used once, also when nothing of its segment counted. */
static void test_numbers_are_never_used_again(void **state)
{
	uint32_t highest = 0;
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		rig_open(&rig);
		rig_work(&rig);
		const struct segments *s = &rig.journal->segments;
		uint32_t lowest = s->all[s->count - 2]->number;
		assert_true(lowest > highest);
		highest = s->all[s->count - 1]->number;
		assert_int_equal(count_files(FILE_SEGMENT) + count_files(FILE_SPARE), 4);
		simdisk_kill(rig.medium);
		rig_close(&rig);
	}
}

static void assert_open_fails(int error, const char *word)
{
	char reason[JOURNAL_REASON_MAX] = "";
	struct journal_hooks hooks = {0};
	struct journal *j = NULL;
	assert_int_equal(journal_open(simdisk_attach(rig.medium), &rig.options, &hooks, &j, reason),
			 error);
	if (!strstr(reason, word))
		fail_msg("\"%s\" does not say \"%s\"", reason, word);
}

static void test_open_says_what_is_wrong(void **state)
{
	(void)state;
	rig.options.segment_bytes = 1000;
	assert_open_fails(ERROR_INVALID, "multiple");
	rig.options.segment_bytes = RIG_SEGMENT_BYTES;
	rig.options.bytes_max = 3 * RIG_SEGMENT_BYTES;
	assert_open_fails(ERROR_INVALID, "262144 bytes");
	rig.options.bytes_max = 0;
	rig_open(&rig);
	assert_open_fails(ERROR_AGAIN, "Another process");
	rig_close(&rig);
	assert_true(simdisk_overwrite(rig.medium, FORMAT_FILE, 24, SPAN_LITERAL("7")));
	assert_open_fails(ERROR_INVALID, "newer version (format 7");
	assert_true(simdisk_overwrite(rig.medium, FORMAT_FILE, 24, SPAN_LITERAL("x")));
	assert_open_fails(ERROR_INVALID, "damaged");
	assert_true(simdisk_remove(rig.medium, FORMAT_FILE));
	assert_open_fails(ERROR_INVALID, "no file FORMAT");
}

/* What is appended because of it would never come back. */
static void test_closing_asks_for_no_checkpoint(void **state)
{
	(void)state;
	rig_open(&rig);
	rig_work(&rig);
	for (unsigned i = 0; i < 10; i++)
		rig_append(&rig, 1, 50000, RIG_LAZY);
	assert_int_equal(rig.wanted, 0);
	rig_close(&rig);
	assert_int_equal(rig.count, 10);
	assert_int_equal(rig.wanted, 0);
	/* It is due all the same. */
	rig_open(&rig);
	rig_write(&rig, 50000);
	rig_work(&rig);
	assert_int_equal(rig.wanted, 1);
}

/* The room must be enough for the segments that the store has, not for those of the options. */
static void test_room_is_compared_with_the_stores_segments(void **state)
{
	(void)state;
	rig.options.segment_bytes = 2 * RIG_SEGMENT_BYTES;
	rig_open(&rig);
	rig_close(&rig);
	rig.options.segment_bytes = RIG_SEGMENT_BYTES;
	rig.options.bytes_max = 4 * RIG_SEGMENT_BYTES;
	assert_open_fails(ERROR_INVALID, "524288 bytes");
}

static void make_file(const char *name)
{
	struct disk *disk = simdisk_attach(rig.medium);
	struct disk_file *file = NULL;
	assert_int_equal(disk->ops->open(disk, name, DISK_WRITE, &file), 0);
	file->ops->close(file);
	disk->ops->free(disk);
}

static void test_files_of_others_stay(void **state)
{
	uint64_t len;
	(void)state;
	make_file("letter.tmp");
	make_file("ckpt-3.tmp");
	make_file("seg-0000000000000007.cmp.tmp");
	rig_open(&rig);
	assert_true(simdisk_size(rig.medium, "letter.tmp", &len));
	assert_false(simdisk_size(rig.medium, "ckpt-3.tmp", &len));
	assert_false(simdisk_size(rig.medium, "seg-0000000000000007.cmp.tmp", &len));
}

/* Each call of one kind fails in turn: no batch is lost, doubled or out of order, and what came
 * back without an error can be read. */
static void run_with_fault(enum simdisk_call call, uint64_t n, int error_number)
{
	rig_open(&rig);
	simdisk_fail(rig.medium, call, n, error_number, 0);
	for (unsigned i = 0; i < 30; i++) {
		rig_append(&rig, 1 + i % 3, 7000, RIG_EAGER);
		if (i % 4)
			rig_work(&rig);
		rig.now += 400;
	}
	rig_work(&rig);
	rig.now += 2000;
	rig_work(&rig);
	simdisk_fail(rig.medium, call, 0, 0, 0);
	assert_int_equal(rig.count, 30);
	for (unsigned i = 0; i < 30; i++) {
		assert_int_equal(rig.committed[i].number, i);
		assert_int_equal(rig.committed[i].error, 0);
		assert_int_equal(rig_read(&rig, rig.committed[i].first, i, 0, 7000), 0);
	}
	assert_int_equal(rig_status(&rig).health, LOG_GOOD);
}

static void test_each_call_fails_in_turn(void **state)
{
	static const enum simdisk_call calls[] = {SIMDISK_OPEN,   SIMDISK_WRITE,
						  SIMDISK_SYNC,   SIMDISK_RESERVE,
						  SIMDISK_RENAME, SIMDISK_SYNC_NAMES};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(calls); i++)
		for (uint64_t n = 1; n <= 24; n++) {
			run_with_fault(calls[i], n, n % 2 ? EIO : ENOSPC);
			rig_release(&rig);
			rig_init(&rig);
		}
}

static int open_and_start(char reason[JOURNAL_REASON_MAX])
{
	struct disk *disk = simdisk_attach(rig.medium);
	int error = rig_try(&rig, disk, reason);
	if (error && rig.journal)
		rig_close(&rig);
	return error;
}

static void test_start_without_memory(void **state)
{
	char reason[JOURNAL_REASON_MAX];
	bool has_failed = true;
	(void)state;
	for (unsigned long n = 1; has_failed; n++) {
		assert_true(n < 200);
		reason[0] = '\0';
		mem_fail_after(n);
		int error = open_and_start(reason);
		has_failed = mem_has_failed();
		mem_fail_after(0);
		if (error)
			assert_int_not_equal(reason[0], '\0');
		else
			rig_write(&rig, 100);
		if (!error)
			rig_close(&rig);
		simdisk_kill(rig.medium);
		if (!has_failed)
			assert_int_equal(error, 0);
	}
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ON_RIG(test_first_start_writes_segments_through),
		ON_RIG(test_two_segments_are_always_ready),
		ON_RIG(test_recycled_bytes_are_never_valid),
		ON_RIG(test_pinned_segment_stays),
		ON_RIG(test_failed_segment_is_not_recycled),
		ON_RIG(test_full_log_becomes_good_when_there_is_room),
		ON_RIG(test_full_disk_is_full_until_somebody_makes_room),
		ON_RIG(test_commit_waits_until_there_is_a_segment),
		ON_RIG(test_numbers_are_never_used_again),
		ON_RIG(test_open_says_what_is_wrong),
		ON_RIG(test_closing_asks_for_no_checkpoint),
		ON_RIG(test_room_is_compared_with_the_stores_segments),
		ON_RIG(test_files_of_others_stay),
		ON_RIG(test_each_call_fails_in_turn),
		ON_RIG(test_start_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
