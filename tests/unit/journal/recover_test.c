/* SPDX-License-Identifier: Apache-2.0 */
/* Degraded until an operator says otherwise; refused when that is what was asked for. */
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

/* A store with one damaged record among many; its name in the report. */
static void make_damaged(struct model *m)
{
	char reason[JOURNAL_REASON_MAX];
	model_init(m, 3, 0);
	assert_int_equal(model_open(m, reason), 0);
	for (unsigned turn = 0; turn < 20; turn++) {
		model_append(m);
		model_work(m, 1000);
	}
	model_close(m);
	uint64_t position = m->entries[m->count / 2].position;
	char name[DISK_NAME_MAX];
	file_name(name, FILE_SEGMENT, position_segment(position));
	assert_true(simdisk_flip(m->disk, name, position_offset(position) + 20, 3));
	m->has_gap_allowed = true;
}

static bool is_degraded(struct model *m)
{
	struct log_status status;
	m->log->ops->status(m->log, &status);
	return status.is_degraded;
}

static void test_damage_stays_reported_until_removed(void **state)
{
	char reason[JOURNAL_REASON_MAX];
	struct model m;
	uint64_t len, again;
	(void)state;
	make_damaged(&m);
	assert_int_equal(model_open(&m, reason), 0);
	assert_int_equal(m.missing, 1);
	assert_true(is_degraded(&m));
	model_checkpoint(&m);
	model_work(&m, 1000);
	model_checkpoint(&m);
	model_work(&m, 1000);
	model_close(&m);
	assert_true(simdisk_size(m.disk, "DAMAGED", &len));

	/* The log in question is not read any more; it is still said. */
	assert_int_equal(model_open(&m, reason), 0);
	assert_int_equal(m.stretch_count, 0);
	assert_true(is_degraded(&m));
	model_close(&m);
	assert_true(simdisk_size(m.disk, "DAMAGED", &again));
	assert_int_equal(again, len);

	assert_true(simdisk_remove(m.disk, "DAMAGED"));
	assert_int_equal(model_open(&m, reason), 0);
	assert_false(is_degraded(&m));
	model_close(&m);
	model_release(&m);
}

static void test_damage_met_again_is_reported_once(void **state)
{
	char reason[JOURNAL_REASON_MAX];
	struct model m;
	uint64_t len, again;
	(void)state;
	make_damaged(&m);
	assert_int_equal(model_open(&m, reason), 0);
	assert_int_equal(m.stretch_count, 1);
	model_close(&m);
	assert_true(simdisk_size(m.disk, "DAMAGED", &len));
	char copy[DISK_NAME_MAX];
	snprintf(copy, sizeof(copy), "damaged-%016llx.bin",
		 (unsigned long long)m.stretches[0].from);
	assert_true(simdisk_size(m.disk, copy, &again));
	assert_true(again > 0);
	m.has_gap_allowed = true;
	assert_int_equal(model_open(&m, reason), 0);
	assert_int_equal(m.stretch_count, 1);
	model_close(&m);
	assert_true(simdisk_size(m.disk, "DAMAGED", &again));
	assert_int_equal(again, len);
	model_release(&m);
}

static void test_damage_is_refused_when_asked(void **state)
{
	char reason[JOURNAL_REASON_MAX] = "";
	struct model m;
	(void)state;
	make_damaged(&m);
	m.options.refuse_damage = true;
	assert_int_equal(model_open(&m, reason), ERROR_DAMAGED);
	assert_true(reason[0] != '\0');
	model_release(&m);
}

/* Its position says how far the log went, though its image is of no use. */
static void test_damaged_checkpoint_vouches_for_the_log(void **state)
{
	char reason[JOURNAL_REASON_MAX], name[DISK_NAME_MAX];
	static const uint8_t zeros[DISK_BLOCK];
	struct model m;
	uint64_t len;
	(void)state;
	model_init(&m, 3, 0);
	assert_int_equal(model_open(&m, reason), 0);
	for (unsigned turn = 0; turn < 3; turn++) {
		model_append(&m);
		model_checkpoint(&m);
		model_work(&m, 1000);
	}
	uint64_t position = 0;
	for (size_t i = 0; i < m.count; i++)
		if (m.entries[i].kind == MODEL_CHECKPOINT)
			position = m.entries[i].position;
	model_close(&m);
	/* All of its segment that stands behind the checkpoint before. */
	file_name(name, FILE_SEGMENT, position_segment(position));
	assert_true(simdisk_size(m.disk, name, &len));
	for (uint64_t at = position_offset(position) / DISK_BLOCK * DISK_BLOCK; at < len;
	     at += DISK_BLOCK)
		assert_true(simdisk_overwrite(m.disk, name, at, span_of(zeros, DISK_BLOCK)));
	assert_true(simdisk_flip(m.disk, "ckpt-3", DISK_BLOCK + 1, 2));
	m.has_gap_allowed = true;
	assert_int_equal(model_open(&m, reason), 0);
	assert_true(m.missing > 0);
	assert_true(m.stretch_count > 0);
	model_close(&m);
	model_release(&m);
}

/* The first copy that is there; false: none. */
static bool find_copy(struct model *m, char name[DISK_NAME_MAX])
{
	const char *text;
	uint32_t number;
	for (unsigned n = 0; (text = simdisk_name(m->disk, n)); n++) {
		if (file_name_parse(text, &number) != FILE_COMPACTED)
			continue;
		memcpy(name, text, strlen(text) + 1);
		return true;
	}
	return false;
}

/* Records say themselves which they are: without header or index no more is lost. */
static void run_with_damaged_copy(bool is_header)
{
	char reason[JOURNAL_REASON_MAX], name[DISK_NAME_MAX];
	struct model m;
	uint64_t len;
	model_init(&m, 5, 0);
	assert_int_equal(model_open(&m, reason), 0);
	for (unsigned turn = 0; turn < 2000 && !find_copy(&m, name); turn++) {
		model_append(&m);
		if (m.wants_checkpoint)
			model_checkpoint(&m);
		model_work(&m, 1000);
		m.now += 10;
	}
	model_close(&m);
	assert_true(find_copy(&m, name));
	assert_true(simdisk_size(m.disk, name, &len));
	assert_true(simdisk_flip(m.disk, name, is_header ? 40 : len - 8, 1));
	m.has_gap_allowed = true;
	assert_int_equal(model_open(&m, reason), 0);
	assert_true(is_degraded(&m));
	assert_int_equal(m.missing, 0);
	assert_int_equal(model_read_all(&m), 0);
	model_close(&m);
	model_release(&m);
}

static void test_copy_is_read_without_its_index(void **state)
{
	(void)state;
	run_with_damaged_copy(false);
}

static void test_copy_is_read_without_its_header(void **state)
{
	(void)state;
	run_with_damaged_copy(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damage_stays_reported_until_removed),
		cmocka_unit_test(test_damage_met_again_is_reported_once),
		cmocka_unit_test(test_damage_is_refused_when_asked),
		cmocka_unit_test(test_damaged_checkpoint_vouches_for_the_log),
		cmocka_unit_test(test_copy_is_read_without_its_index),
		cmocka_unit_test(test_copy_is_read_without_its_header),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
