/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that the journal does at once, with its threads, on the disk of this machine: appends,
 * checkpoints, segments given up, copies made, and reads of what is still wanted. Small segments,
 * so that a second of it is the day of a server.
 */
#include "base/mem.h"
#include "journal/format.h"
#include "journal/journal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "folder.h"

#define APPENDERS 3
#define READERS 2
#define BATCHES 700
#define ENTRIES 4
#define LEN 1000
#define ROOM_OF_RECORD 1016
#define WINDOW 8         /* batches of an appender under way */
#define WANTED_OF 60     /* one message of so many is wanted for long */
#define WANTED_MAX 1000  /* at a time; then the oldest is done with */
#define LAST_REQUESTS 50 /* under way when the journal is closed */

struct batch {
	struct log_batch batch;
	bool is_checkpoint;
	struct log_entry entries[ENTRIES];
	uint8_t bytes[ENTRIES * ROOM_OF_RECORD];
};

struct test {
	struct journal *journal;
	struct log *log;
	pthread_mutex_t lock;
	/* With the lock: positions, oldest first. */
	uint64_t wanted[WANTED_MAX];
	unsigned count;
	uint64_t messages;
	atomic_bool wants_checkpoint, is_over;
	sem_t room[APPENDERS];
	atomic_uint damaged, reads;
};

static struct test t;
static uint64_t now_ms(void *context)
{
	struct timespec now;
	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- what the journal calls --- */

/* State behind the record there: the positions that are wanted. */
static void hand_over_image(uint64_t position)
{
	struct log_image *image = mem_zalloc(sizeof(*image) + sizeof(struct room));
	ASSERT(image);
	image->count = 1;
	image->parts[0] = (struct room){mem_alloc(8 * t.count + 1), 8 * t.count};
	ASSERT(image->parts[0].ptr);
	for (unsigned i = 0; i < t.count; i++)
		store_le64(image->parts[0].ptr + (size_t)8 * i, t.wanted[i]);
	t.log->ops->checkpoint(t.log, position, image);
}

static void want(uint64_t position)
{
	if (t.count == WANTED_MAX)
		memmove(t.wanted, t.wanted + 1, --t.count * sizeof(t.wanted[0]));
	t.wanted[t.count++] = position;
}

static void committed(void *context, struct log_batch *batch)
{
	struct batch *mine = CONTAINER_OF(batch, struct batch, batch);
	(void)context;
	ASSERT(batch->error == 0);
	pthread_mutex_lock(&t.lock);
	for (struct log_entry *e = batch->first; e && !mine->is_checkpoint; e = e->next)
		if (t.messages++ % WANTED_OF == 0)
			want(e->position);
	if (mine->is_checkpoint)
		hand_over_image(batch->first->position);
	pthread_mutex_unlock(&t.lock);
	unsigned origin = batch->origin;
	bool is_counted = !mine->is_checkpoint;
	mem_free(mine);
	if (is_counted)
		sem_post(&t.room[origin]);
}

static void checkpoint_wanted(void *context)
{
	(void)context;
	atomic_store(&t.wants_checkpoint, true);
}

static void health(void *context, enum log_health state, const char *text)
{
	(void)context;
	(void)text;
	ASSERT(state == LOG_GOOD);
}

static bool references(void *context, struct span image,
		       void (*found)(void *found_context, uint64_t position), void *found_context)
{
	(void)context;
	for (size_t at = 0; at + 8 <= image.len; at += 8)
		found(found_context, load_le64(image.ptr + at));
	return true;
}

static int ignore_record(void *context, uint64_t position, struct span body)
{
	(void)context;
	(void)position;
	(void)body;
	return 0;
}

static int no_damage(void *context, const struct journal_damage *damage)
{
	(void)context;
	(void)damage;
	return ERROR_DAMAGED;
}

/* --- those who use it --- */

/* Each body says its own number again and again. */
static void fill(uint8_t *to, uint64_t number)
{
	for (unsigned i = 0; i < LEN / 8; i++)
		store_le64(to + (size_t)8 * i, number + i);
}

static bool is_filled(struct span body)
{
	uint64_t number = load_le64(body.ptr);
	for (unsigned i = 0; i < LEN / 8; i++)
		if (load_le64(body.ptr + (size_t)8 * i) != number + i)
			return false;
	return body.len == LEN;
}

static struct batch *make_batch(unsigned origin, unsigned number, unsigned entries)
{
	struct batch *b = mem_zalloc(sizeof(*b));
	ASSERT(b);
	b->batch.origin = origin;
	b->batch.is_lazy = number % 9 == 0;
	b->batch.wants_sync = number % 50 == 0;
	b->batch.bytes = b->bytes;
	b->batch.bytes_len = entries * ROOM_OF_RECORD;
	for (unsigned i = 0; i < entries; i++) {
		b->entries[i] = (struct log_entry){.offset = i * ROOM_OF_RECORD, .len = LEN};
		fill(b->bytes + i * ROOM_OF_RECORD + LOG_RECORD_ROOM,
		     (uint64_t)origin << 40 | (uint64_t)number << 20 | (uint64_t)i << 16);
		if (i > 0)
			b->entries[i - 1].next = &b->entries[i];
	}
	b->batch.first = &b->entries[0];
	b->batch.last = &b->entries[entries - 1];
	return b;
}

static void checkpoint_if_wanted(void)
{
	if (!atomic_exchange(&t.wants_checkpoint, false))
		return;
	struct batch *b = make_batch(0, 1, 1);
	b->is_checkpoint = true;
	t.log->ops->append(t.log, &b->batch);
}

static void *append_all(void *context)
{
	unsigned origin = (unsigned)(uintptr_t)context;
	for (unsigned i = 0; i < BATCHES; i++) {
		while (sem_wait(&t.room[origin]) != 0)
			;
		t.log->ops->append(t.log, &make_batch(origin, i, 1 + i % ENTRIES)->batch);
		checkpoint_if_wanted();
	}
	return NULL;
}

struct request {
	struct log_read read;
	sem_t answered;
};

static void done(struct log_read *read)
{
	sem_post(&CONTAINER_OF(read, struct request, read)->answered);
}

/* Of those that are wanted: the oldest (in copies), or the newest (in the open segment). The very
 * oldest are left out: they may be given up before they are read. */
static void choose(struct request *r, bool is_newest)
{
	pthread_mutex_lock(&t.lock);
	unsigned count = t.count > 32 ? 32 : t.count;
	unsigned from = is_newest ? t.count - count : t.count / 4;
	count = from + count > t.count ? t.count - from : count;
	for (unsigned i = 0; i < count; i++)
		r->read.positions[i] = t.wanted[from + i];
	r->read.count = count;
	pthread_mutex_unlock(&t.lock);
}

static void check(struct request *r)
{
	while (sem_wait(&r->answered) != 0)
		;
	for (unsigned i = 0; i < r->read.count; i++) {
		struct log_record *record = &r->read.records[i];
		if (record->error || !is_filled(record->body))
			atomic_fetch_add(&t.damaged, 1);
		atomic_fetch_add(&t.reads, 1);
	}
	log_read_release(&r->read);
}

static void *read_on(void *context)
{
	struct request *r = mem_zalloc(sizeof(*r));
	ASSERT(r);
	sem_init(&r->answered, 0, 0);
	while (!atomic_load(&t.is_over)) {
		r->read.done = done;
		choose(r, (uintptr_t)context == 0);
		t.log->ops->read(t.log, &r->read);
		check(r);
	}
	sem_destroy(&r->answered);
	mem_free(r);
	return NULL;
}

/* --- one after the other --- */

static int open_journal(enum durability durability)
{
	char reason[JOURNAL_REASON_MAX] = "";
	struct journal_hooks hooks = {.committed = committed,
				      .checkpoint_wanted = checkpoint_wanted,
				      .health = health,
				      .references = references,
				      .now_ms = now_ms};
	struct journal_recovery recovery = {
		.image = ignore_record, .record = ignore_record, .damage = no_damage};
	struct journal_options options;
	struct disk *disk = NULL;
	journal_options_server(&options);
	options.durability = (uint8_t)durability;
	options.interval_ms = 3;
	options.lazy_ms = 3;
	options.segment_bytes = 64 << 10;
	options.copy_bytes_per_s = 0;
	int error = disk_system_open(folder, true, &disk);
	if (!error)
		error = journal_open(disk, &options, &hooks, &t.journal, reason);
	if (!error)
		error = journal_recover(t.journal, &recovery, reason);
	return error;
}

static void start_journal(void)
{
	char reason[JOURNAL_REASON_MAX] = "";
	if (journal_start(t.journal, reason) != 0)
		fail_msg("%s", reason);
	t.log = journal_log(t.journal);
}

static void use_journal(void)
{
	pthread_t appenders[APPENDERS], readers[READERS];
	for (uintptr_t i = 0; i < APPENDERS; i++)
		assert_int_equal(pthread_create(&appenders[i], NULL, append_all, (void *)i), 0);
	for (uintptr_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_on, (void *)i), 0);
	for (unsigned i = 0; i < APPENDERS; i++)
		pthread_join(appenders[i], NULL);
	atomic_store(&t.is_over, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
}

/* Closed while requests wait: all are answered. */
static void close_in_the_middle(void)
{
	struct request *requests = mem_zalloc(LAST_REQUESTS * sizeof(*requests));
	assert_non_null(requests);
	for (unsigned i = 0; i < LAST_REQUESTS; i++) {
		sem_init(&requests[i].answered, 0, 0);
		requests[i].read.done = done;
		choose(&requests[i], i % 2);
		t.log->ops->read(t.log, &requests[i].read);
	}
	journal_close(t.journal);
	for (unsigned i = 0; i < LAST_REQUESTS; i++) {
		check(&requests[i]);
		sem_destroy(&requests[i].answered);
	}
	mem_free(requests);
}

static void check_what_is_left(enum durability durability)
{
	assert_int_equal(open_journal(durability), 0);
	for (unsigned i = 0; i < t.count; i++) {
		struct span body;
		assert_int_equal(journal_recover_read(t.journal, t.wanted[i], &body), 0);
		assert_true(is_filled(body));
	}
	journal_close(t.journal);
}

static void run(enum durability durability)
{
	struct log_status status;
	t = (struct test){0};
	mem_count_start();
	pthread_mutex_init(&t.lock, NULL);
	for (unsigned i = 0; i < APPENDERS; i++)
		sem_init(&t.room[i], 0, WINDOW);
	assert_int_equal(open_journal(durability), 0);
	start_journal();
	use_journal();
	t.log->ops->status(t.log, &status);
	close_in_the_middle();
	assert_int_equal(atomic_load(&t.damaged), 0);
	assert_true(atomic_load(&t.reads) > 0);
	assert_false(status.is_degraded);
	/* A run that met none of it has tested nothing. */
	assert_true(status.checkpoints > 2);
	assert_true(status.copied_bytes > 0);
	check_what_is_left(durability);
	for (unsigned i = 0; i < APPENDERS; i++)
		sem_destroy(&t.room[i]);
	pthread_mutex_destroy(&t.lock);
	assert_int_equal(mem_count_live(), 0);
}

static void test_everything_at_once(void **state)
{
	(void)state;
	run(DURABILITY_ALWAYS);
}

static void test_everything_at_once_with_an_interval(void **state)
{
	(void)state;
	run(DURABILITY_INTERVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_everything_at_once),
		IN_FOLDER(test_everything_at_once_with_an_interval),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
