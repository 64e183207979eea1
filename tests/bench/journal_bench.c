/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the journal does on this machine: threads that each keep so many records outstanding, as
 * shards do; how many are durable per second, and how long each takes.
 *
 *     journal_bench --directory <path> [--threads 2] [--outstanding 100] [--bytes 100]
 *                   [--seconds 5] [--durability always|interval]
 *
 * A thread waits for what comes back and puts as many records into its next batch. Nothing is ever
 * thrown away: the directory should be on the disk in question, with room, and removed afterwards.
 */
#include "base/mem.h"
#include "journal/journal.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#define THREADS_MAX 64
#define BUCKETS 64u /* of one power of two */
#define POWERS 40u

struct bench;

struct batch {
	struct log_batch batch;
	struct batch *next_free;
	uint64_t since_ns;
	unsigned records;
	struct log_entry entries[];
};

struct sender {
	struct bench *bench;
	unsigned origin;
	pthread_t thread;
	sem_t returned;
	_Atomic(struct batch *) back; /* a stack, from the committer */
	struct batch *free;
};

struct bench {
	struct journal *journal;
	struct sender senders[THREADS_MAX];
	unsigned threads, outstanding, bytes, seconds;
	atomic_bool is_over;
	atomic_uint_fast64_t failed;
	uint64_t latencies[POWERS * BUCKETS]; /* of records, in ns; the committer's */
};

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t now_ms(void *context)
{
	(void)context;
	return now_ns() / 1000000;
}

/* Buckets of about 1.6 % each. */
static unsigned bucket_of(uint64_t ns)
{
	if (ns < BUCKETS)
		return (unsigned)ns;
	unsigned power = 63u - (unsigned)__builtin_clzll(ns) - 5u;
	unsigned bucket = power * (BUCKETS / 2) + (unsigned)(ns >> power);
	return bucket < POWERS * BUCKETS ? bucket : POWERS * BUCKETS - 1;
}

static uint64_t value_of(unsigned bucket)
{
	if (bucket < BUCKETS)
		return bucket;
	unsigned power = bucket / (BUCKETS / 2) - 1;
	return (uint64_t)(bucket - power * (BUCKETS / 2)) << power;
}

static uint64_t percentile(const struct bench *b, double part)
{
	uint64_t all = 0, seen = 0;
	for (unsigned i = 0; i < POWERS * BUCKETS; i++)
		all += b->latencies[i];
	for (unsigned i = 0; i < POWERS * BUCKETS; i++) {
		seen += b->latencies[i];
		if ((double)seen >= part * (double)all)
			return value_of(i);
	}
	return 0;
}

static void committed(void *context, struct log_batch *batch)
{
	struct bench *b = context;
	struct batch *mine = CONTAINER_OF(batch, struct batch, batch);
	struct sender *s = &b->senders[batch->origin];
	b->latencies[bucket_of(now_ns() - mine->since_ns)] += mine->records;
	if (batch->error)
		atomic_fetch_add(&b->failed, mine->records);
	struct batch *top = atomic_load(&s->back);
	do
		mine->next_free = top;
	while (!atomic_compare_exchange_weak(&s->back, &top, mine));
	if (!top)
		sem_post(&s->returned);
}

static void health(void *context, enum log_health state, const char *text)
{
	(void)context;
	(void)state;
	fprintf(stderr, "%s\n", text);
}

static void say(void *context, bool is_warning, const char *text)
{
	(void)context;
	(void)is_warning;
	fprintf(stderr, "%s\n", text);
}

static void nothing(void *context)
{
	(void)context;
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

static int ignore_damage(void *context, const struct journal_damage *damage)
{
	(void)context;
	(void)damage;
	return 0;
}

static struct batch *take_free(struct sender *s)
{
	struct bench *b = s->bench;
	struct batch *batch = s->free;
	size_t each = (LOG_RECORD_ROOM + b->bytes + LOG_ALIGN - 1) / LOG_ALIGN * LOG_ALIGN;
	if (batch) {
		s->free = batch->next_free;
		return batch;
	}
	batch = mem_zalloc(sizeof(*batch) + b->outstanding * sizeof(struct log_entry));
	uint8_t *bytes = mem_zalloc(each * b->outstanding);
	ASSERT(batch && bytes);
	batch->batch = (struct log_batch){.origin = s->origin, .bytes = bytes};
	return batch;
}

static void send_batch(struct sender *s, unsigned records)
{
	struct bench *b = s->bench;
	struct log *log = journal_log(b->journal);
	struct batch *batch = take_free(s);
	uint32_t each = (LOG_RECORD_ROOM + b->bytes + LOG_ALIGN - 1) / LOG_ALIGN * LOG_ALIGN;
	for (unsigned i = 0; i < records; i++) {
		batch->entries[i] =
			(struct log_entry){.next = i + 1 < records ? &batch->entries[i + 1] : NULL,
					   .offset = i * each,
					   .len = b->bytes};
		memset(batch->batch.bytes + i * each + LOG_RECORD_ROOM, (int)i, b->bytes);
	}
	batch->records = records;
	batch->batch.first = &batch->entries[0];
	batch->batch.last = &batch->entries[records - 1];
	batch->batch.bytes_len = each * records;
	batch->since_ns = now_ns();
	log->ops->append(log, &batch->batch);
}

/* Records that came back since the last call. */
static unsigned take_back(struct sender *s)
{
	unsigned records = 0;
	struct batch *batch = atomic_exchange(&s->back, NULL);
	while (batch) {
		struct batch *next = batch->next_free;
		records += batch->records;
		batch->next_free = s->free;
		s->free = batch;
		batch = next;
	}
	return records;
}

static void *run_sender(void *context)
{
	struct sender *s = context;
	unsigned outstanding = s->bench->outstanding;
	send_batch(s, outstanding);
	while (!atomic_load_explicit(&s->bench->is_over, memory_order_relaxed)) {
		while (sem_wait(&s->returned) != 0)
			;
		unsigned records = take_back(s);
		if (records)
			send_batch(s, records);
	}
	return NULL;
}

/* Bytes that the directory's device has written since it is there; 0: not known. */
static uint64_t device_bytes(const char *directory)
{
	struct stat facts;
	unsigned of_major, of_minor;
	unsigned long long sectors, found = 0;
	char line[512];
	FILE *file = fopen("/proc/diskstats", "r");
	if (!file)
		return 0;
	if (stat(directory, &facts) == 0)
		while (fgets(line, sizeof(line), file))
			if (sscanf(line, "%u %u %*s %*u %*u %*u %*u %*u %*u %llu", &of_major,
				   &of_minor, &sectors) == 3 &&
			    of_major == major(facts.st_dev) && of_minor == minor(facts.st_dev))
				found = sectors * 512;
	fclose(file);
	return found;
}

static int open_journal(struct bench *b, const char *directory, bool has_interval)
{
	char reason[JOURNAL_REASON_MAX] = "";
	struct journal_hooks hooks = {.context = b,
				      .committed = committed,
				      .checkpoint_wanted = nothing,
				      .health = health,
				      .references = references,
				      .say = say,
				      .now_ms = now_ms};
	struct journal_recovery recovery = {.context = b,
					    .image = ignore_record,
					    .record = ignore_record,
					    .damage = ignore_damage};
	struct journal_options options;
	struct disk *disk = NULL;
	journal_options_server(&options);
	options.durability = has_interval ? DURABILITY_INTERVAL : DURABILITY_ALWAYS;
	if (disk_system_open(directory, true, &disk) != 0) {
		perror(directory);
		return -1;
	}
	int error = journal_open(disk, &options, &hooks, &b->journal, reason);
	if (!error)
		error = journal_recover(b->journal, &recovery, reason);
	if (!error)
		error = journal_start(b->journal, reason);
	if (error)
		fprintf(stderr, "%s\n", reason);
	return error;
}

static void report(struct bench *b, const struct log_status *before, double seconds,
		   uint64_t device)
{
	struct log_status now;
	journal_log(b->journal)->ops->status(journal_log(b->journal), &now);
	double commits = (double)(now.commits - before->commits);
	double records = (double)(now.records - before->records);
	printf("%u threads, %u outstanding each, %u bytes: %.0f records/s, %.0f commits/s, "
	       "%.1f records per commit\n",
	       b->threads, b->outstanding, b->bytes, records / seconds, commits / seconds,
	       records / commits);
	printf("append to committed: p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms\n",
	       (double)percentile(b, 0.5) / 1e6, (double)percentile(b, 0.99) / 1e6,
	       (double)percentile(b, 0.999) / 1e6);
	printf("bytes per commit: %.0f of the journal",
	       (double)(now.written_bytes - before->written_bytes) / commits);
	if (device)
		printf(", %.0f of the device (everybody's)", (double)device / commits);
	printf("\n%llu failed\n", (unsigned long long)atomic_load(&b->failed));
}

static void sleep_seconds(unsigned seconds)
{
	struct timespec rest = {.tv_sec = (time_t)seconds};
	while (nanosleep(&rest, &rest) != 0)
		;
}

static void measure(struct bench *b, const char *directory)
{
	struct log_status before;
	struct log *log = journal_log(b->journal);
	/* The first segments are written through meanwhile. */
	sleep_seconds(2);
	for (unsigned i = 0; i < b->threads; i++) {
		struct sender *s = &b->senders[i];
		*s = (struct sender){.bench = b, .origin = i};
		sem_init(&s->returned, 0, 0);
	}
	log->ops->status(log, &before);
	uint64_t device = device_bytes(directory), since = now_ns();
	for (unsigned i = 0; i < b->threads; i++)
		if (pthread_create(&b->senders[i].thread, NULL, run_sender, &b->senders[i]) != 0)
			abort();
	sleep_seconds(b->seconds);
	report(b, &before, (double)(now_ns() - since) / 1e9, device_bytes(directory) - device);
	atomic_store(&b->is_over, true);
	for (unsigned i = 0; i < b->threads; i++) {
		sem_post(&b->senders[i].returned);
		pthread_join(b->senders[i].thread, NULL);
	}
}

static unsigned number_of(const char *text, unsigned most)
{
	unsigned long number = strtoul(text, NULL, 10);
	return number < 1 ? 1 : number > most ? most : (unsigned)number;
}

int main(int count, char **words)
{
	static struct bench b = {.threads = 2, .outstanding = 100, .bytes = 100, .seconds = 5};
	const char *directory = NULL;
	bool has_interval = false;
	for (int i = 1; i + 1 < count; i += 2) {
		if (strcmp(words[i], "--directory") == 0)
			directory = words[i + 1];
		else if (strcmp(words[i], "--threads") == 0)
			b.threads = number_of(words[i + 1], THREADS_MAX);
		else if (strcmp(words[i], "--outstanding") == 0)
			b.outstanding = number_of(words[i + 1], 1000000);
		else if (strcmp(words[i], "--bytes") == 0)
			b.bytes = number_of(words[i + 1], 1 << 20);
		else if (strcmp(words[i], "--seconds") == 0)
			b.seconds = number_of(words[i + 1], 3600);
		else if (strcmp(words[i], "--durability") == 0)
			has_interval = strcmp(words[i + 1], "interval") == 0;
	}
	if (!directory || count % 2 == 0) {
		fprintf(stderr,
			"usage: %s --directory <path> [--threads n] [--outstanding n] "
			"[--bytes n] [--seconds n] [--durability always|interval]\n",
			words[0]);
		return 2;
	}
	if (open_journal(&b, directory, has_interval) != 0)
		return 1;
	measure(&b, directory);
	journal_close(b.journal);
	return 0;
}
