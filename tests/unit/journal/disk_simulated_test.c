/* SPDX-License-Identifier: Apache-2.0 */
/* The disk that the journal's tests stand on must itself lose what it should, and nothing else. */
#include "disk/disk_simulated.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SEEDS 200

static uint8_t blocks[4 * DISK_BLOCK] __attribute__((aligned(DISK_BLOCK)));

static void fill_from(struct disk_file *f, uint8_t byte, uint64_t offset, size_t len)
{
	memset(blocks, byte, len);
	struct span part = span_of(blocks, len);
	assert_int_equal(f->ops->write(f, &part, 1, offset), 0);
}

static struct disk_file *open_file(struct disk *d, const char *name, unsigned mode)
{
	struct disk_file *f = NULL;
	assert_int_equal(d->ops->open(d, name, mode, &f), 0);
	return f;
}

/* How many sectors of the file hold this byte. */
static unsigned sectors_of(struct simdisk *s, const char *name, uint8_t byte)
{
	uint64_t len;
	unsigned count = 0;
	const uint8_t *bytes = simdisk_bytes(s, name, &len);
	assert_non_null(bytes);
	for (uint64_t at = 0; at < len; at += SIMDISK_SECTOR) {
		count += bytes[at] == byte;
		for (uint64_t k = at; k < at + SIMDISK_SECTOR && k < len; k++)
			assert_int_equal(bytes[k], bytes[at]); /* sectors are never torn */
	}
	return count;
}

static void test_synced_bytes_survive_a_cut(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct simdisk *s = simdisk_new(seed, 0);
		struct disk *d = simdisk_attach(s);
		struct disk_file *direct = open_file(d, "a", DISK_WRITE | DISK_SYNC);
		struct disk_file *cached = open_file(d, "b", DISK_WRITE);
		assert_int_equal(d->ops->sync_names(d), 0);
		fill_from(direct, 1, 0, sizeof(blocks));
		fill_from(cached, 2, 0, sizeof(blocks));
		assert_int_equal(cached->ops->sync(cached), 0);
		simdisk_power_cut(s, seed);
		assert_int_equal(sectors_of(s, "a", 1), sizeof(blocks) / SIMDISK_SECTOR);
		assert_int_equal(sectors_of(s, "b", 2), sizeof(blocks) / SIMDISK_SECTOR);
		direct->ops->close(direct);
		cached->ops->close(cached);
		d->ops->free(d);
		simdisk_free(s);
	}
}

/* Old bytes, the first version or the second: each is met. */
static void test_unsynced_sectors_are_any_version(void **state)
{
	unsigned met[4] = {0};
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct simdisk *s = simdisk_new(seed, 0);
		struct disk *d = simdisk_attach(s);
		struct disk_file *f = open_file(d, "a", DISK_WRITE);
		assert_int_equal(d->ops->sync_names(d), 0);
		fill_from(f, 1, 0, DISK_BLOCK);
		assert_int_equal(f->ops->sync(f), 0);
		fill_from(f, 2, 0, DISK_BLOCK);
		fill_from(f, 3, 0, DISK_BLOCK);
		simdisk_power_cut(s, seed);
		unsigned total = 0;
		for (uint8_t byte = 1; byte <= 3; byte++) {
			unsigned count = sectors_of(s, "a", byte);
			met[byte] += count > 0 && count < 8;
			total += count;
		}
		assert_int_equal(total, DISK_BLOCK / SIMDISK_SECTOR);
		f->ops->close(f);
		d->ops->free(d);
		simdisk_free(s);
	}
	for (unsigned version = 1; version <= 3; version++)
		assert_true(met[version] > SEEDS / 4);
}

static void test_unsynced_names_come_and_go(void **state)
{
	unsigned created = 0, renamed = 0, removed = 0;
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		uint64_t len;
		struct simdisk *s = simdisk_new(seed, 0);
		struct disk *d = simdisk_attach(s);
		const char *const before[] = {"from", "gone"};
		for (unsigned n = 0; n < 2; n++) {
			struct disk_file *f = open_file(d, before[n], DISK_WRITE);
			f->ops->close(f);
		}
		assert_int_equal(d->ops->sync_names(d), 0);
		struct disk_file *f = open_file(d, "new", DISK_WRITE);
		f->ops->close(f);
		assert_int_equal(d->ops->rename(d, "from", "to"), 0);
		assert_int_equal(d->ops->remove(d, "gone"), 0);
		assert_false(simdisk_size(s, "from", &len));
		simdisk_power_cut(s, seed);
		created += simdisk_size(s, "new", &len);
		renamed += simdisk_size(s, "to", &len);
		removed += !simdisk_size(s, "gone", &len);
		assert_true(simdisk_size(s, "to", &len) != simdisk_size(s, "from", &len));
		d->ops->free(d);
		simdisk_free(s);
	}
	assert_in_range(created, SEEDS / 4, SEEDS - SEEDS / 4);
	assert_in_range(renamed, SEEDS / 4, SEEDS - SEEDS / 4);
	assert_in_range(removed, SEEDS / 4, SEEDS - SEEDS / 4);
}

static void test_cut_in_the_middle_of_a_write(void **state)
{
	unsigned torn = 0;
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct simdisk *s = simdisk_new(seed, 0);
		struct disk *d = simdisk_attach(s);
		struct disk_file *f = open_file(d, "a", DISK_WRITE | DISK_SYNC);
		assert_int_equal(d->ops->sync_names(d), 0);
		fill_from(f, 1, 0, sizeof(blocks));
		simdisk_cut_at(s, 1);
		memset(blocks, 2, sizeof(blocks));
		struct span part = span_of(blocks, sizeof(blocks));
		assert_int_equal(f->ops->write(f, &part, 1, 0), ERROR_SYSTEM);
		assert_true(simdisk_is_cut(s));
		assert_int_equal(f->ops->sync(f), ERROR_SYSTEM);
		assert_int_equal(d->ops->sync_names(d), ERROR_SYSTEM);
		simdisk_power_cut(s, seed);
		unsigned new = sectors_of(s, "a", 2);
		assert_int_equal(new + sectors_of(s, "a", 1), sizeof(blocks) / SIMDISK_SECTOR);
		torn += new > 0 && new < sizeof(blocks) / SIMDISK_SECTOR;
		f->ops->close(f);
		d->ops->free(d);
		simdisk_free(s);
	}
	assert_true(torn > SEEDS / 4);
}

/* After a failed sync that drops: the next one succeeds, the cache shows it, the medium has not
 * got it. */
static void test_dropped_sync_shows_in_direct_reads(void **state)
{
	uint8_t byte;
	(void)state;
	struct simdisk *s = simdisk_new(7, 0);
	struct disk *d = simdisk_attach(s);
	struct disk_file *f = open_file(d, "a", DISK_WRITE);
	struct disk_file *direct = open_file(d, "a", DISK_DIRECT);
	fill_from(f, 1, 0, sizeof(blocks));
	simdisk_fail(s, SIMDISK_SYNC, 1, EIO, SIMDISK_DROPS);
	assert_int_equal(f->ops->sync(f), ERROR_SYSTEM);
	assert_int_equal(f->ops->sync(f), 0);
	unsigned lost = 0;
	for (uint64_t at = 0; at < sizeof(blocks); at += SIMDISK_SECTOR) {
		struct room to = {&byte, 1};
		assert_int_equal(f->ops->read(f, to, at), 1);
		assert_int_equal(byte, 1);
		assert_int_equal(direct->ops->read(direct, to, at), 1);
		lost += byte == 0;
	}
	assert_true(lost > 0);
	f->ops->close(f);
	direct->ops->close(direct);
	d->ops->free(d);
	simdisk_free(s);
}

static void test_full_disk_and_more_room(void **state)
{
	(void)state;
	struct simdisk *s = simdisk_new(7, 2 * DISK_BLOCK);
	struct disk *d = simdisk_attach(s);
	struct disk_file *f = open_file(d, "a", DISK_WRITE);
	fill_from(f, 1, 0, 2 * DISK_BLOCK);
	struct span part = span_of(blocks, DISK_BLOCK);
	assert_int_equal(f->ops->write(f, &part, 1, (uint64_t)2 * DISK_BLOCK), ERROR_FULL);
	assert_int_equal(f->ops->write(f, &part, 1, 0), 0);
	simdisk_set_capacity(s, 3 * DISK_BLOCK);
	assert_int_equal(f->ops->reserve(f, 3 * DISK_BLOCK), 0);
	assert_int_equal(f->ops->reserve(f, 4 * DISK_BLOCK), ERROR_FULL);
	assert_int_equal(d->ops->remove(d, "a"), 0);
	assert_int_equal(simdisk_used(s), 3 * DISK_BLOCK); /* still open */
	f->ops->close(f);
	assert_int_equal(simdisk_used(s), 0);
	d->ops->free(d);
	simdisk_free(s);
}

static void test_lock_lives_as_long_as_its_process(void **state)
{
	long owner = 0;
	(void)state;
	struct simdisk *s = simdisk_new(7, 0);
	struct disk *d = simdisk_attach(s);
	struct disk *other = simdisk_attach(s);
	assert_int_equal(d->ops->lock(d, &owner), 0);
	assert_int_equal(other->ops->lock(other, &owner), ERROR_AGAIN);
	assert_int_equal(owner, 1);
	simdisk_kill(s);
	other->ops->free(other);
	other = simdisk_attach(s);
	assert_int_equal(other->ops->lock(other, &owner), 0);
	assert_int_equal(d->ops->lock(d, &owner), ERROR_SYSTEM);
	d->ops->free(d);
	other->ops->free(other);
	simdisk_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_synced_bytes_survive_a_cut),
		cmocka_unit_test(test_unsynced_sectors_are_any_version),
		cmocka_unit_test(test_unsynced_names_come_and_go),
		cmocka_unit_test(test_cut_in_the_middle_of_a_write),
		cmocka_unit_test(test_dropped_sync_shows_in_direct_reads),
		cmocka_unit_test(test_full_disk_and_more_room),
		cmocka_unit_test(test_lock_lives_as_long_as_its_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
