/* SPDX-License-Identifier: Apache-2.0 */
/* The journal with its threads, on the disk of this machine. */
#include "base/mem.h"
#include "journal/committer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "folder.h"

#define THREADS 4
#define BATCHES 300
#define ENTRIES 5
#define WINDOW 8 /* batches of a thread under way */
#define LEN 100
#define ROOM_OF_RECORD 120

struct batch {
	struct log_batch batch;
	unsigned number;
	struct log_entry entries[ENTRIES];
	uint8_t bytes[ENTRIES * ROOM_OF_RECORD];
};

struct test {
	struct journal *journal;
	uint64_t newest; /* the committing thread only */
	unsigned next[THREADS];
	sem_t room[THREADS];
	atomic_bool is_inside;
	uint64_t positions[THREADS][BATCHES];
	sem_t answered;
	unsigned damages;
};

/* A batch that comes when the committer has decided to sleep. */
static struct {
	_Atomic(struct journal *) journal;
	_Atomic(struct batch *) batch; /* NULL: it was appended, or there is none */
	atomic_bool is_under_way, is_slept_over;
} late;
/* The thread that gives batches back. */
static _Thread_local bool is_committer_here;

static uint64_t now_ms(void *context)
{
	struct timespec now;
	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void committed(void *context, struct log_batch *batch)
{
	struct test *t = context;
	struct batch *mine = CONTAINER_OF(batch, struct batch, batch);
	ASSERT(!atomic_exchange(&t->is_inside, true));
	ASSERT(batch->error == 0);
	ASSERT(mine->number == t->next[batch->origin]++);
	for (struct log_entry *e = batch->first; e; e = e->next) {
		ASSERT(e->position > t->newest);
		t->newest = e->position;
	}
	t->positions[batch->origin][mine->number] = batch->first->position;
	is_committer_here = true;
	atomic_store(&late.is_under_way, false);
	unsigned origin = batch->origin;
	mem_free(mine);
	atomic_store(&t->is_inside, false);
	sem_post(&t->room[origin]);
}

static void nothing(void *context)
{
	(void)context;
}

static void health(void *context, enum log_health state, const char *text)
{
	(void)context;
	(void)state;
	(void)text;
}

static bool references(void *context, struct span image,
		       void (*found)(void *found_context, uint64_t position), void *found_context)
{
	(void)context;
	(void)image;
	(void)found;
	(void)found_context;
	return true;
}

static int ignore_record(void *context, uint64_t position, struct span body)
{
	(void)context;
	(void)position;
	(void)body;
	return 0;
}

static int note_damage(void *context, const struct journal_damage *damage)
{
	struct test *t = context;
	(void)damage;
	t->damages++;
	return 0;
}

static struct batch *make_batch(unsigned origin, unsigned number)
{
	struct batch *b = mem_zalloc(sizeof(*b));
	ASSERT(b);
	b->number = number;
	b->batch.origin = origin;
	b->batch.is_lazy = number % 7 == 0;
	b->batch.bytes = b->bytes;
	b->batch.bytes_len = sizeof(b->bytes);
	for (unsigned i = 0; i < ENTRIES; i++) {
		b->entries[i] = (struct log_entry){.offset = i * ROOM_OF_RECORD, .len = LEN};
		memset(b->bytes + i * ROOM_OF_RECORD + LOG_RECORD_ROOM,
		       (int)(origin * 100 + number + i), LEN);
		if (i > 0)
			b->entries[i - 1].next = &b->entries[i];
	}
	b->batch.first = &b->entries[0];
	b->batch.last = &b->entries[ENTRIES - 1];
	return b;
}

struct appender {
	struct test *test;
	unsigned origin;
};

static void *append_all(void *context)
{
	struct appender *a = context;
	struct log *log = journal_log(a->test->journal);
	for (unsigned i = 0; i < BATCHES; i++) {
		struct log_status status;
		while (sem_wait(&a->test->room[a->origin]) != 0)
			;
		log->ops->append(log, &make_batch(a->origin, i)->batch);
		log->ops->status(log, &status);
		ASSERT(status.health == LOG_GOOD);
	}
	return NULL;
}

static void open_journal(struct test *t, enum durability durability)
{
	char reason[JOURNAL_REASON_MAX] = "";
	struct journal_hooks hooks = {.context = t,
				      .committed = committed,
				      .checkpoint_wanted = nothing,
				      .health = health,
				      .references = references,
				      .now_ms = now_ms};
	struct journal_recovery recovery = {.context = t,
					    .image = ignore_record,
					    .record = ignore_record,
					    .damage = note_damage};
	struct journal_options options;
	struct disk *disk = NULL;
	journal_options_server(&options);
	options.durability = (uint8_t)durability;
	options.interval_ms = 5;
	options.lazy_ms = 5;
	options.segment_bytes = 256 << 10;
	assert_int_equal(disk_system_open(folder, true, &disk), 0);
	assert_int_equal(journal_open(disk, &options, &hooks, &t->journal, reason), 0);
	assert_int_equal(journal_recover(t->journal, &recovery, reason), 0);
	assert_int_equal(journal_start(t->journal, reason), 0);
}

struct request {
	struct log_read read;
	struct test *test;
};

static void done(struct log_read *read)
{
	sem_post(&CONTAINER_OF(read, struct request, read)->test->answered);
}

static void read_some_back(struct test *t, unsigned origin)
{
	struct request *r = mem_zalloc(sizeof(*r));
	struct log *log = journal_log(t->journal);
	assert_non_null(r);
	r->test = t;
	r->read.done = done;
	r->read.count = LOG_READ_MAX;
	for (unsigned i = 0; i < LOG_READ_MAX; i++)
		r->read.positions[i] = t->positions[origin][i];
	log->ops->read(log, &r->read);
	while (sem_wait(&t->answered) != 0)
		;
	for (unsigned i = 0; i < LOG_READ_MAX; i++) {
		assert_int_equal(r->read.records[i].error, 0);
		assert_int_equal(r->read.records[i].body.len, LEN);
		assert_int_equal(r->read.records[i].body.ptr[LEN - 1], (uint8_t)(origin * 100 + i));
	}
	log_read_release(&r->read);
	mem_free(r);
}

static void run(enum durability durability)
{
	static struct test t;
	struct appender appenders[THREADS];
	pthread_t threads[THREADS];
	t = (struct test){0};
	mem_count_start();
	sem_init(&t.answered, 0, 0);
	for (unsigned i = 0; i < THREADS; i++)
		sem_init(&t.room[i], 0, WINDOW);
	open_journal(&t, durability);
	for (unsigned i = 0; i < THREADS; i++) {
		appenders[i] = (struct appender){&t, i};
		assert_int_equal(pthread_create(&threads[i], NULL, append_all, &appenders[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* All that was appended is back: every place in the window is free again. */
	for (unsigned i = 0; i < THREADS; i++) {
		for (unsigned k = 0; k < WINDOW; k++)
			while (sem_wait(&t.room[i]) != 0)
				;
		read_some_back(&t, i);
	}
	struct log_status status;
	journal_log(t.journal)->ops->status(journal_log(t.journal), &status);
	assert_int_equal(status.batches, THREADS * BATCHES);
	assert_int_equal(status.records, THREADS * BATCHES * ENTRIES);
	assert_true(status.commits <= status.batches);
	journal_close(t.journal);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(t.next[i], BATCHES);
		sem_destroy(&t.room[i]);
	}
	sem_destroy(&t.answered);
	assert_int_equal(mem_count_live(), 0);
}

static void test_threads_append_and_each_keeps_its_order(void **state)
{
	(void)state;
	run(DURABILITY_ALWAYS);
}

static void test_threads_append_with_an_interval(void **state)
{
	(void)state;
	run(DURABILITY_INTERVAL);
}

/* What was appended before the end is written, though nobody waits for it. */
static void test_close_writes_what_waits(void **state)
{
	static struct test t;
	(void)state;
	t = (struct test){0};
	sem_init(&t.room[0], 0, 0);
	open_journal(&t, DURABILITY_ALWAYS);
	struct log *log = journal_log(t.journal);
	for (unsigned i = 0; i < 20; i++)
		log->ops->append(log, &make_batch(0, i)->batch);
	journal_close(t.journal);
	assert_int_equal(t.next[0], 20);
	sem_destroy(&t.room[0]);
}

static void flip_byte(uint64_t position)
{
	char path[200], name[DISK_NAME_MAX];
	uint8_t byte;
	file_name(name, FILE_SEGMENT, position_segment(position));
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_RDWR);
	off_t offset = (off_t)position_offset(position) + LOG_RECORD_ROOM;
	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
	close(fd);
}

/* The end says that the last batch was written: what is wrong with it later is no torn write. */
static void test_close_vouches_for_the_last_batch(void **state)
{
	static struct test t;
	(void)state;
	t = (struct test){0};
	sem_init(&t.room[0], 0, 0);
	open_journal(&t, DURABILITY_ALWAYS);
	journal_log(t.journal)->ops->append(journal_log(t.journal), &make_batch(0, 0)->batch);
	journal_close(t.journal);
	flip_byte(t.positions[0][0]);
	open_journal(&t, DURABILITY_ALWAYS);
	journal_close(t.journal);
	assert_int_equal(t.damages, 1);
	sem_destroy(&t.room[0]);
}

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __real_pthread_cond_timedwait(pthread_cond_t *changed, pthread_mutex_t *lock,
				  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *changed, pthread_mutex_t *lock,
				  const struct timespec *until);
int __real_pthread_cond_wait(pthread_cond_t *changed, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *changed, pthread_mutex_t *lock);

static bool is_committer(void)
{
	return is_committer_here && atomic_load(&late.journal);
}

/* It asks the time before it sleeps. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
	struct journal *j = is_committer() ? atomic_load(&late.journal) : NULL;
	struct batch *b = NULL;
	if (j && atomic_load(&j->committer->sleep) != COMMIT_AWAKE)
		b = atomic_exchange(&late.batch, NULL);
	if (b) {
		struct log *log = journal_log(j);
		atomic_store(&late.is_under_way, true);
		log->ops->append(log, &b->batch);
	}
	return __real_clock_gettime(clock, out);
}

static void note_sleep(void)
{
	if (is_committer() && atomic_load(&late.is_under_way))
		atomic_store(&late.is_slept_over, true);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *changed, pthread_mutex_t *lock,
				  const struct timespec *until)
{
	note_sleep();
	return __real_pthread_cond_timedwait(changed, lock, until);
}

int __wrap_pthread_cond_wait(pthread_cond_t *changed, pthread_mutex_t *lock)
{
	note_sleep();
	return __real_pthread_cond_wait(changed, lock);
}

static void test_committer_does_not_sleep_over_a_batch(void **state)
{
	static struct test t;
	(void)state;
	t = (struct test){0};
	sem_init(&t.room[0], 0, 0);
	open_journal(&t, DURABILITY_ALWAYS);
	atomic_store(&late.journal, t.journal);
	for (unsigned i = 0; i < 40; i += 2) {
		struct batch *b = make_batch(0, i + 1);
		b->batch.is_lazy = false; /* that one it may sleep over */
		atomic_store(&late.batch, b);
		journal_log(t.journal)->ops->append(journal_log(t.journal),
						    &make_batch(0, i)->batch);
		for (unsigned back = 0; back < 2; back++)
			while (sem_wait(&t.room[0]) != 0)
				;
	}
	atomic_store(&late.journal, NULL);
	journal_close(t.journal);
	assert_false(atomic_load(&late.is_slept_over));
	sem_destroy(&t.room[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_threads_append_and_each_keeps_its_order),
		IN_FOLDER(test_threads_append_with_an_interval),
		IN_FOLDER(test_close_writes_what_waits),
		IN_FOLDER(test_close_vouches_for_the_last_batch),
		IN_FOLDER(test_committer_does_not_sleep_over_a_batch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
