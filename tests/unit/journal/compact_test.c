/* SPDX-License-Identifier: Apache-2.0 */
/* What is given up, and what is copied before: nothing that anybody may still ask for is lost. */
#include "rig.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

#define LEN 3000
#define PER_SEGMENT 15 /* such records: each has a block of its own */
#define PINS_MAX 24

static struct rig rig;
/* The first record of each segment is wanted. */
static uint64_t pins[PINS_MAX];
static unsigned numbers[PINS_MAX];
static unsigned pin_count;
static bool is_short[RIG_COMMITTED_MAX]; /* records of checkpoints */

static int set_up(void **state)
{
	(void)state;
	mem_count_start();
	rig_init(&rig);
	pin_count = 0;
	memset(is_short, 0, sizeof(is_short));
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
	for (unsigned i = 0; i < segments * PER_SEGMENT; i++) {
		unsigned number = rig.appended;
		uint64_t position = rig_write(&rig, LEN);
		if (i % PER_SEGMENT > 0)
			continue;
		assert_true(pin_count < PINS_MAX);
		numbers[pin_count] = number;
		pins[pin_count++] = position;
	}
}

static int read_pin(unsigned i)
{
	return rig_read(&rig, pins[i], numbers[i], 0, LEN);
}

static bool is_there(uint32_t number, enum file_kind kind)
{
	char name[DISK_NAME_MAX];
	uint64_t len;
	file_name(name, kind, number);
	return simdisk_size(rig.medium, name, &len);
}

static bool is_copied(uint32_t number)
{
	return segments_find(rig.journal, number)->state == SEGMENT_COMPACTED;
}

/* Six segments lie below the previous checkpoint then: more than is left as it is. */
static void fill_and_checkpoint(void)
{
	fill(6);
	rig_checkpoint(&rig, pins, pin_count);
	fill(2);
	rig_checkpoint(&rig, pins, pin_count);
}

static void test_wanted_records_are_copied(void **state)
{
	(void)state;
	rig_open(&rig);
	fill_and_checkpoint();
	assert_true(is_copied(position_segment(pins[0])));
	assert_false(is_there(position_segment(pins[0]), FILE_SEGMENT));
	for (unsigned i = 0; i < pin_count; i++)
		assert_int_equal(read_pin(i), 0);
}

/* What is left of a damaged one can be looked at: its segment stays as it is. */
static void test_damaged_record_is_not_copied(void **state)
{
	char name[DISK_NAME_MAX];
	(void)state;
	rig_open(&rig);
	fill(6);
	file_name(name, FILE_SEGMENT, position_segment(pins[2]));
	assert_true(simdisk_flip(rig.medium, name, position_offset(pins[2]) + 100, 3));
	rig_checkpoint(&rig, pins, pin_count);
	fill(2);
	rig_checkpoint(&rig, pins, pin_count);
	rig.now += 5000;
	rig_work(&rig);
	assert_true(is_there(position_segment(pins[2]), FILE_SEGMENT));
	assert_true(rig_status(&rig).damaged_records > 0);
	for (unsigned i = 0; i < pin_count; i++)
		assert_int_equal(read_pin(i), i == 2 ? ERROR_DAMAGED : 0);
}

/* Whichever of the two checkpoints the next start takes, what it refers to is there. */
static void test_previous_checkpoint_still_wants_it(void **state)
{
	(void)state;
	rig_open(&rig);
	fill_and_checkpoint();
	rig_checkpoint(&rig, NULL, 0);
	for (unsigned i = 0; i < pin_count; i++)
		assert_int_equal(read_pin(i), 0);
	rig_checkpoint(&rig, NULL, 0);
	assert_int_not_equal(read_pin(0), 0);
}

static void test_copy_waits_for_readers(void **state)
{
	(void)state;
	rig_open(&rig);
	fill(6);
	struct segment *s = segment_pin(rig.journal, position_segment(pins[1]));
	assert_non_null(s);
	rig_checkpoint(&rig, pins, pin_count);
	fill(2);
	rig_checkpoint(&rig, pins, pin_count);
	assert_int_not_equal(s->state, SEGMENT_COMPACTED);
	assert_true(is_there(s->number, FILE_SEGMENT));
	segment_unpin(rig.journal, s);
	rig_work(&rig);
	assert_int_equal(s->state, SEGMENT_COMPACTED);
	assert_int_equal(read_pin(1), 0);
}

/* --- a copy that was removed is back --- */

/* Of all that stands in that segment, so many are wanted. */
static void want(uint32_t segment, unsigned count)
{
	for (unsigned i = 0; i < rig.count && count > 0; i++) {
		if (position_segment(rig.committed[i].first) != segment || is_short[i])
			continue;
		assert_true(pin_count < PINS_MAX);
		numbers[pin_count] = i;
		pins[pin_count++] = rig.committed[i].first;
		count--;
	}
	assert_int_equal(count, 0);
}

static void checkpoint(void)
{
	is_short[rig.appended] = true;
	rig_checkpoint(&rig, pins, pin_count);
}

static uint8_t *save(const char *name, uint64_t *len)
{
	const uint8_t *bytes = simdisk_bytes(rig.medium, name, len);
	assert_non_null(bytes);
	uint8_t *copy = mem_alloc(*len);
	assert_non_null(copy);
	memcpy(copy, bytes, *len);
	return copy;
}

static void restore(const char *name, uint8_t *bytes, uint64_t len)
{
	struct disk *disk = simdisk_attach(rig.medium);
	struct disk_file *file = NULL;
	struct span part = span_of(bytes, len);
	assert_int_equal(disk->ops->open(disk, name, DISK_WRITE, &file), 0);
	assert_int_equal(file->ops->write(file, &part, 1, 0), 0);
	file->ops->close(file);
	disk->ops->free(disk);
	mem_free(bytes);
}

/*
 *     1 2 3 4 5 6 7 8 9 10 11 12 13
 *     [------- first -------]          removed, and back after a power cut
 *             [------ second ------]   the only one to hold what is wanted of 11 to 13
 *
 * The first is the wider one. When what is left of it is copied once more, that begins with 5: the
 * second one has that name.
 */
static void test_copy_leaves_another_its_name(void **state)
{
	char first[DISK_NAME_MAX];
	uint64_t len;
	(void)state;
	rig_open(&rig);
	fill(10);
	pin_count = 0;
	uint32_t at = position_segment(rig.committed[0].first);
	for (uint32_t i = 0; i < 10; i++)
		want(at + i, 1);
	checkpoint();
	fill(1);
	pin_count = 10;
	checkpoint();
	file_name(first, FILE_COMPACTED, at);
	uint8_t *bytes = save(first, &len);
	assert_true(is_copied(at + 9));

	fill(3);
	pin_count = 0;
	want(at + 4, 1);
	want(at + 10, 7);
	want(at + 11, 1);
	want(at + 12, 1);
	checkpoint();
	checkpoint();
	assert_true(is_there(at + 4, FILE_COMPACTED));
	assert_true(is_copied(at + 12));
	assert_false(is_there(at, FILE_COMPACTED));
	rig_close(&rig);
	restore(first, bytes, len);

	rig_open(&rig);
	unsigned kept = pin_count;
	fill(6);
	pin_count = kept;
	uint32_t next = position_segment(rig.committed[rig.count - 1].first) - 5;
	for (uint32_t i = 0; i < 5; i++)
		want(next + i, 1);
	checkpoint();
	checkpoint();
	assert_true(is_copied(next + 1));
	rig_close(&rig); /* who has it open still reads a file whose name is gone */
	rig_open(&rig);
	for (unsigned i = 0; i < pin_count; i++)
		assert_int_equal(read_pin(i), 0);
}

/* --- the power goes --- */

/* As rig_checkpoint, whose work ends where there is no power any more. */
static void checkpoint_until_dark(void)
{
	size_t len = (size_t)8 * pin_count;
	unsigned before = rig.count;
	rig_append(&rig, 1, 10, RIG_EAGER);
	while (!simdisk_is_cut(rig.medium) && journal_step(rig.journal))
		;
	if (rig.count == before || rig.committed[before].error)
		return;
	struct log_image *image = mem_zalloc(sizeof(*image) + sizeof(struct room));
	assert_non_null(image);
	image->count = 1;
	image->parts[0] = (struct room){mem_zalloc(len + 1), len};
	assert_non_null(image->parts[0].ptr);
	for (unsigned i = 0; i < pin_count; i++)
		store_le64(image->parts[0].ptr + (size_t)8 * i, pins[i]);
	rig.log->ops->checkpoint(rig.log, rig.committed[before].first, image);
	while (!simdisk_is_cut(rig.medium) && journal_step(rig.journal))
		;
}

/* At the n-th change from here on; false: there were not so many. No cut is damage, and whatever is
 * wanted is there. */
static bool cut_at_change(uint64_t n, uint64_t seed)
{
	simdisk_settle(rig.medium);
	simdisk_cut_at(rig.medium, n);
	for (unsigned i = 0; i < 3; i++)
		checkpoint_until_dark();
	bool is_cut = simdisk_is_cut(rig.medium);
	simdisk_cut_at(rig.medium, 0);
	simdisk_power_cut(rig.medium, seed);
	rig_close(&rig);
	rig.warnings = 0;
	rig_open(&rig);
	if (rig.warnings || rig.damages)
		fail_msg("a cut at change %llu is told as damage", (unsigned long long)n);
	for (unsigned i = 0; i < pin_count; i++)
		if (read_pin(i) != 0)
			fail_msg("record %u is lost by a cut at change %llu, seed %llu", i,
				 (unsigned long long)n, (unsigned long long)seed);
	return is_cut;
}

/* With copies to be made, and with nothing but garbage. */
static void test_power_goes_at_any_change(void **state)
{
	for (unsigned wanted = 0; wanted <= 1; wanted++) {
		bool is_cut = true;
		uint64_t n;
		for (n = 1; is_cut; n++)
			for (uint64_t seed = 1; seed <= 6; seed++) {
				rig_open(&rig);
				fill(6);
				pin_count *= wanted;
				is_cut = cut_at_change(n, seed);
				tear_down(state);
				set_up(state);
			}
		assert_true(n > 10);
	}
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ON_RIG(test_wanted_records_are_copied),
		ON_RIG(test_damaged_record_is_not_copied),
		ON_RIG(test_previous_checkpoint_still_wants_it),
		ON_RIG(test_copy_waits_for_readers),
		ON_RIG(test_copy_leaves_another_its_name),
		ON_RIG(test_power_goes_at_any_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
