/* SPDX-License-Identifier: Apache-2.0 */
/* Little room: the journal frees what it can by itself, in time, and stays within its bounds. */
#include "rig.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

static struct rig rig;
static unsigned answered; /* checkpoints */
static size_t image_len;

static int set_up(void **state)
{
	(void)state;
	mem_count_start();
	rig_init(&rig);
	answered = 0;
	image_len = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_release(&rig);
	assert_int_equal(mem_count_live(), 0);
	return 0;
}

/* As the broker does when it is asked: a record, then the state behind it. Nothing is wanted any
 * more, but the image may be long. */
static void answer(void)
{
	while (answered < rig.wanted) {
		answered = rig.wanted;
		uint64_t position = rig_write(&rig, 10);
		struct log_image *image = mem_zalloc(sizeof(*image) + sizeof(struct room));
		assert_non_null(image);
		image->count = 1;
		image->parts[0] = (struct room){mem_zalloc(image_len + 1), image_len};
		assert_non_null(image->parts[0].ptr);
		rig.log->ops->checkpoint(rig.log, position, image);
		rig_work(&rig);
	}
}

/* Messages as long as they are taken; seconds pass while they are not. */
static void load(unsigned messages)
{
	unsigned waits = 0;
	for (unsigned i = 0; i < messages;) {
		rig.count = rig.appended = 0;
		rig_work(&rig);
		answer();
		if (rig_status(&rig).health == LOG_GOOD) {
			rig_write(&rig, 10000);
			i++;
			waits = 0;
			continue;
		}
		rig.now += 1000;
		if (++waits == 100)
			fail_msg("full for good, after %u messages", i);
	}
}

static void test_smallest_store_goes_on(void **state)
{
	(void)state;
	rig.options.bytes_max = (uint64_t)4 * RIG_SEGMENT_BYTES;
	rig_open(&rig);
	load(200);
	assert_true(rig_status(&rig).log_bytes <= rig.options.bytes_max + RIG_SEGMENT_BYTES);
}

static void test_small_stores_go_on(void **state)
{
	(void)state;
	for (unsigned segments = 5; segments < 20; segments++) {
		rig.options.bytes_max = (uint64_t)segments * RIG_SEGMENT_BYTES;
		rig_open(&rig);
		load(200);
		assert_true(rig_status(&rig).log_bytes <=
			    rig.options.bytes_max + RIG_SEGMENT_BYTES);
		tear_down(state);
		set_up(state);
	}
}

static void test_small_disks_go_on(void **state)
{
	(void)state;
	for (unsigned segments = 6; segments < 20; segments++) {
		simdisk_set_capacity(rig.medium, (uint64_t)segments * RIG_SEGMENT_BYTES);
		rig_open(&rig);
		load(200);
		tear_down(state);
		set_up(state);
	}
}

/* A checkpoint needs room as well, else nothing would ever be freed. */
static void test_room_is_kept_for_a_checkpoint(void **state)
{
	(void)state;
	image_len = 5 * RIG_SEGMENT_BYTES;
	simdisk_set_capacity(rig.medium, (uint64_t)32 * RIG_SEGMENT_BYTES);
	rig_open(&rig);
	load(600);
}

/* The one who was asked had no memory for it, say. */
static void test_checkpoint_that_never_came_is_asked_for_again(void **state)
{
	(void)state;
	rig_open(&rig);
	for (unsigned i = 0; i < 60; i++)
		rig_write(&rig, 10000);
	assert_int_equal(rig.wanted, 1);
	rig.now += 61000;
	for (unsigned i = 0; i < 6; i++)
		rig_write(&rig, 10000);
	assert_int_equal(rig.wanted, 2);
}

/* --- bounds --- */

#define PINS_MAX 400
static uint64_t pins[PINS_MAX];
static unsigned pin_numbers[PINS_MAX];
static unsigned pin_count;

static void answer_with_pins(void)
{
	while (answered < rig.wanted) {
		answered = rig.wanted;
		rig_checkpoint(&rig, pins, pin_count);
	}
}

static uint64_t live_bytes(uint32_t len)
{
	return pin_count * record_bytes(len);
}

/* Behind the previous checkpoint are eight segments, one of them open, and two are ready; two are
 * garbage that is not worth a copy, and there may be spares for the next. */
static void assert_bounds(uint32_t len)
{
	uint64_t bytes = rig_status(&rig).log_bytes;
	uint64_t checkpoints = 2 * (2 * DISK_BLOCK + 8 * (uint64_t)pin_count);
	uint64_t most = 2 * live_bytes(len) + 14 * (uint64_t)RIG_SEGMENT_BYTES + checkpoints;
	if (bytes > most)
		fail_msg("%llu bytes are used, %llu are the most", (unsigned long long)bytes,
			 (unsigned long long)most);
}

static void pass(unsigned messages, uint32_t len)
{
	for (unsigned i = 0; i < messages; i++) {
		rig.count = 0;
		unsigned number = rig.appended;
		uint64_t position;
		rig_append(&rig, 1, len, RIG_EAGER);
		rig_work(&rig);
		position = rig.committed[rig.count - 1].first;
		if (i % 100 == 0 && pin_count < PINS_MAX) {
			pin_numbers[pin_count] = number;
			pins[pin_count++] = position;
		}
		answer_with_pins();
		rig_work(&rig);
		rig.now += 5;
		if (i > 500 && i % 10 == 0)
			assert_bounds(len);
	}
}

/* One message of a hundred is wanted for ever. */
static void test_disk_use_is_bounded(void **state)
{
	const uint32_t len = 4000;
	(void)state;
	pin_count = 0;
	rig_open(&rig);
	for (unsigned run = 0; run < 4; run++) {
		pass(10000, len);
		struct log_status status = rig_status(&rig);
		assert_true(status.written_bytes < status.record_bytes * 3 / 2);
		rig_close(&rig);
		rig_open(&rig);
		answered = rig.wanted;
	}
	for (unsigned i = 0; i < pin_count; i++)
		assert_int_equal(rig_read(&rig, pins[i], pin_numbers[i], 0, len), 0);
	assert_true(pin_count > 300);
}

/* Copies that were made before a restart are made smaller after it. */
static void test_old_copies_shrink(void **state)
{
	const uint32_t len = 4000;
	(void)state;
	pin_count = 0;
	rig_open(&rig);
	pass(20000, len);
	rig_close(&rig);
	rig_open(&rig);
	answered = rig.wanted;
	/* Every tenth of them is still wanted. */
	unsigned left = 0;
	for (unsigned i = 0; i < pin_count; i += 10) {
		pin_numbers[left] = pin_numbers[i];
		pins[left++] = pins[i];
	}
	pin_count = left;
	pass(2000, len);
	rig_close(&rig); /* who has it open still reads a file whose name is gone */
	rig_open(&rig);
	for (unsigned i = 0; i < pin_count; i++)
		assert_int_equal(rig_read(&rig, pins[i], pin_numbers[i], 0, len), 0);
}

/* No room for a segment, but for copies; of those that are there all is wanted, so that nothing is
 * gained by copying them again. The start fails, and succeeds where there is room. */
static void test_start_without_room_ends(void **state)
{
	const uint32_t len = 4000;
	char reason[JOURNAL_REASON_MAX] = "";
	(void)state;
	pin_count = 0;
	rig_open(&rig);
	pass(1000, len);
	simdisk_set_capacity(rig.medium, simdisk_used(rig.medium));
	do {
		rig.count = 0;
		rig_append(&rig, 1, len, RIG_EAGER);
		rig_work(&rig);
	} while (rig.count > 0);
	rig_close(&rig);
	simdisk_set_capacity(rig.medium, simdisk_used(rig.medium) + RIG_SEGMENT_BYTES - DISK_BLOCK);
	assert_int_equal(rig_try(&rig, simdisk_attach(rig.medium), reason), ERROR_FULL);
	assert_non_null(strstr(reason, "full"));
	rig_close(&rig);
	simdisk_set_capacity(rig.medium, 0);
	rig_open(&rig);
	for (unsigned i = 0; i < pin_count; i++)
		assert_int_equal(rig_read(&rig, pins[i], pin_numbers[i], 0, len), 0);
}

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ON_RIG(test_smallest_store_goes_on),
		ON_RIG(test_small_stores_go_on),
		ON_RIG(test_small_disks_go_on),
		ON_RIG(test_room_is_kept_for_a_checkpoint),
		ON_RIG(test_checkpoint_that_never_came_is_asked_for_again),
		ON_RIG(test_disk_use_is_bounded),
		ON_RIG(test_old_copies_shrink),
		ON_RIG(test_start_without_room_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
