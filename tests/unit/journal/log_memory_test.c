/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/log.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>

#define THREADS 4
#define BATCHES 500
#define ENTRIES 3

struct entry {
	struct log_entry entry;
	unsigned origin;
	unsigned number;
};

struct batch {
	struct log_batch batch;
	struct entry entries[ENTRIES];
};

struct reader {
	uint64_t position;      /* of the last entry that came back */
	unsigned next[THREADS]; /* number of the entry that each origin gives next */
	unsigned batches;
	bool is_inside; /* one batch at a time */
};

static void fill(struct batch *b, unsigned origin, unsigned first)
{
	*b = (struct batch){.batch = {.origin = origin, .targets = 5}};
	for (unsigned i = 0; i < ENTRIES; i++) {
		b->entries[i] = (struct entry){
			.entry = {.targets = 1}, .origin = origin, .number = first + i};
		if (i > 0)
			b->entries[i - 1].entry.next = &b->entries[i].entry;
	}
	b->batch.first = &b->entries[0].entry;
	b->batch.last = &b->entries[ENTRIES - 1].entry;
}

static void committed(void *context, struct log_batch *batch)
{
	struct reader *r = context;
	assert_false(r->is_inside);
	r->is_inside = true;
	r->batches++;
	assert_int_equal(batch->targets, 5);
	for (struct log_entry *e = batch->first; e; e = e->next) {
		struct entry *mine = CONTAINER_OF(e, struct entry, entry);
		assert_int_equal(e->position, r->position + 1);
		assert_int_equal(mine->number, r->next[mine->origin]);
		assert_int_equal(mine->origin, batch->origin);
		r->position = e->position;
		r->next[mine->origin]++;
	}
	r->is_inside = false;
}

static void test_log_gives_back_in_order(void **state)
{
	struct reader r = {0};
	struct batch a, b;
	(void)state;
	mem_count_start();
	struct log *log = log_memory_new(committed, &r);
	assert_non_null(log);
	fill(&a, 0, 0);
	fill(&b, 1, 0);
	log->ops->append(log, &a.batch);
	assert_int_equal(r.batches, 1); /* durable at once */
	log->ops->append(log, &b.batch);
	fill(&a, 0, ENTRIES);
	log->ops->append(log, &a.batch);
	assert_int_equal(r.batches, 3);
	assert_int_equal(r.position, 3 * ENTRIES);
	log->ops->free(log);
	assert_int_equal(mem_count_live(), 0);
}

struct writer_thread {
	struct log *log;
	unsigned origin;
	struct batch batches[BATCHES];
};

static void *append_all(void *context)
{
	struct writer_thread *w = context;
	for (unsigned i = 0; i < BATCHES; i++) {
		fill(&w->batches[i], w->origin, i * ENTRIES);
		w->log->ops->append(w->log, &w->batches[i].batch);
	}
	return NULL;
}

/* One order for all, and each thread's own kept in it. */
static void test_log_orders_threads(void **state)
{
	static struct writer_thread writers[THREADS];
	pthread_t threads[THREADS];
	struct reader r = {0};
	(void)state;
	struct log *log = log_memory_new(committed, &r);
	for (unsigned i = 0; i < THREADS; i++) {
		writers[i].log = log;
		writers[i].origin = i;
		assert_int_equal(pthread_create(&threads[i], NULL, append_all, &writers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(r.batches, THREADS * BATCHES);
	assert_int_equal(r.position, THREADS * BATCHES * ENTRIES);
	log->ops->free(log);
}

static void test_log_without_memory(void **state)
{
	struct reader r = {0};
	(void)state;
	mem_count_start();
	mem_fail_after(1);
	assert_null(log_memory_new(committed, &r));
	mem_fail_after(0);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_gives_back_in_order),
		cmocka_unit_test(test_log_orders_threads),
		cmocka_unit_test(test_log_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
