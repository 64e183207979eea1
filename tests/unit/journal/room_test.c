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

int main(void)
{
#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ON_RIG(test_smallest_store_goes_on),
		ON_RIG(test_small_stores_go_on),
		ON_RIG(test_small_disks_go_on),
		ON_RIG(test_room_is_kept_for_a_checkpoint),
		ON_RIG(test_checkpoint_that_never_came_is_asked_for_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
