/* SPDX-License-Identifier: Apache-2.0 */
/* The tests' own kept log: order, delay, loss, reading back, checkpoints. */
#include "log/log_kept.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BATCH_RECORDS 3

struct batch {
	struct log_batch log;
	struct log_entry entries[BATCH_RECORDS];
	uint8_t bytes[BATCH_RECORDS * 64];
};

struct fixture {
	struct kept_store *store;
	struct log_kept *log;
	unsigned returned;
	unsigned failed;
	uint64_t positions[100];
};

static void committed(void *context, struct log_batch *log)
{
	struct fixture *f = context;
	struct batch *b = CONTAINER_OF(log, struct batch, log);
	for (unsigned i = 0; i < BATCH_RECORDS && !log->error; i++)
		f->positions[f->returned++] = b->entries[i].position;
	f->failed += log->error != 0;
	mem_free(b);
}

/* Records of 1, 2 and 3 bytes. */
static void append(struct fixture *f, char letter)
{
	struct batch *b = mem_zalloc(sizeof(*b));
	assert_non_null(b);
	b->log.first = &b->entries[0];
	b->log.last = &b->entries[BATCH_RECORDS - 1];
	b->log.bytes = b->bytes;
	b->log.bytes_len = sizeof(b->bytes);
	for (unsigned i = 0; i < BATCH_RECORDS; i++) {
		b->entries[i].offset = 64 * i;
		b->entries[i].len = i + 1;
		b->entries[i].next = i + 1 < BATCH_RECORDS ? &b->entries[i + 1] : NULL;
		memset(b->bytes + 64 * (size_t)i + LOG_RECORD_ROOM, letter, i + 1);
	}
	struct log *log = log_kept_log(f->log);
	log->ops->append(log, &b->log);
}

static bool refers_to_all(struct span image, void (*found)(void *context, uint64_t position),
			  void *context)
{
	for (size_t at = 0; at + sizeof(uint64_t) <= image.len; at += sizeof(uint64_t)) {
		uint64_t position;
		memcpy(&position, image.ptr + at, sizeof(position));
		found(context, position);
	}
	return image.len % sizeof(uint64_t) == 0;
}

static int setup(void **state)
{
	static struct fixture f;
	mem_count_start();
	f = (struct fixture){.store = kept_store_new()};
	f.log = log_kept_new(f.store, 4096 + 100, refers_to_all, committed, &f);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct log *log = log_kept_log(f->log);
	log->ops->free(log);
	kept_store_free(f->store);
	return mem_count_live() != 0;
}

static void test_kept_positions_rise_over_segments(void **state)
{
	struct fixture *f = *state;
	for (char c = 'a'; c <= 'e'; c++)
		append(f, c);
	assert_int_equal(f->returned, 15);
	for (unsigned i = 0; i < 15; i++) {
		assert_int_equal(f->positions[i] % LOG_ALIGN, 0);
		assert_true(i == 0 || f->positions[i] > f->positions[i - 1]);
		assert_int_equal(kept_record(f->store, i)->position, f->positions[i]);
	}
	assert_true(f->positions[14] >> 32 > f->positions[0] >> 32);
	assert_memory_equal(kept_record(f->store, 14)->body.ptr, "eee", 3);
}

static void test_kept_delayed_and_lost(void **state)
{
	struct fixture *f = *state;
	log_kept_delay(f->log, true, false);
	append(f, 'a');
	append(f, 'b');
	assert_int_equal(f->returned, 0);
	assert_true(log_kept_step(f->log, false));
	assert_int_equal(f->returned, 3);
	log_kept_lose(f->log);
	assert_int_equal(f->failed, 1);
	assert_int_equal(kept_record_count(f->store), 3);
	assert_false(log_kept_step(f->log, true));
}

static void test_kept_cut_keeps_whole_batches(void **state)
{
	struct fixture *f = *state;
	append(f, 'a');
	append(f, 'b');
	kept_cut(f->store, 1);
	assert_int_equal(kept_record_count(f->store), 3);
	kept_cut(f->store, 0);
	assert_int_equal(kept_record_count(f->store), 0);
}

static void test_kept_failed(void **state)
{
	struct fixture *f = *state;
	log_kept_set_health(f->log, LOG_FAILED);
	append(f, 'a');
	assert_int_equal(f->failed, 1);
	assert_int_equal(kept_record_count(f->store), 0);
}

static unsigned reads_done;

static void done(struct log_read *request)
{
	(void)request;
	reads_done++;
}

static void test_kept_read(void **state)
{
	struct fixture *f = *state;
	struct log *log = log_kept_log(f->log);
	struct log_read request = {.done = done, .count = 2};
	append(f, 'a');
	request.positions[0] = f->positions[1];
	request.positions[1] = f->positions[2];
	kept_find(f->store, f->positions[2])->is_damaged = true;
	log_kept_delay(f->log, false, true);
	reads_done = 0;
	log->ops->read(log, &request);
	assert_int_equal(reads_done, 0);
	assert_false(log_kept_is_idle(f->log));
	assert_true(log_kept_step(f->log, true));
	assert_int_equal(reads_done, 1);
	assert_true(span_is_equal(request.records[0].body, SPAN_LITERAL("aa")));
	assert_int_equal(request.records[0].error, 0);
	assert_int_equal(request.records[1].error, ERROR_DAMAGED);
	log_read_release(&request);
}

static void test_kept_checkpoint_trims(void **state)
{
	struct fixture *f = *state;
	struct log *log = log_kept_log(f->log);
	append(f, 'a');
	append(f, 'b');
	struct log_image *image = mem_alloc(sizeof(*image) + sizeof(image->parts[0]));
	image->count = 1;
	image->parts[0] = (struct room){mem_alloc(8), 8};
	memcpy(image->parts[0].ptr, &f->positions[1], 8);
	log->ops->checkpoint(log, f->positions[3], image);
	assert_int_equal(kept_checkpoint_count(f->store), 1);
	assert_int_equal(kept_checkpoint(f->store, 0)->position, f->positions[3]);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(kept_record(f->store, i)->is_trimmed, i == 0 || i == 2 || i == 3);
	kept_cut(f->store, 3); /* it was not there yet */
	assert_int_equal(kept_checkpoint_count(f->store), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kept_positions_rise_over_segments, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_kept_delayed_and_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept_cut_keeps_whole_batches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept_checkpoint_trims, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
