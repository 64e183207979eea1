/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/journal.h"

#include "base/mem.h"
#include "journal/commit.h"
#include "journal/log_disk.h"
#include "journal/reader.h"
#include "journal/recovery.h"
#include "journal/threads.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#define MEBIBYTE ((uint32_t)1 << 20)
#define SEGMENT_BYTES_MIN ((uint32_t)64 << 10)
#define SEGMENTS_MIN 4 /* one written, two ready, one to be freed */
#define TEMPORARY ".tmp"

/* Options */

void journal_options_server(struct journal_options *o)
{
	*o = (struct journal_options){
		.durability = DURABILITY_ALWAYS,
		.has_threads = true,
		.interval_ms = 100,
		.segment_bytes = 64 * MEBIBYTE,
		.segments_min = SEGMENTS_MIN,
		.lazy_ms = 50,
		.copy_bytes_per_s = 20 * MEBIBYTE,
	};
}

void journal_options_flash(struct journal_options *o)
{
	journal_options_server(o);
	/* Four of a card's allocation units; fewer, larger writes; some years of a card's life. */
	o->segment_bytes = 16 * MEBIBYTE;
	o->gather_ms = 20;
	o->lazy_ms = 500;
	o->budget_bytes_per_day = 5000000000u;
	o->copy_bytes_per_s = MEBIBYTE;
}

/* Shared by the parts */

void journal_say(struct journal *j, bool is_warning, const char *format, ...)
{
	char text[JOURNAL_REASON_MAX];
	va_list arguments;
	if (!j->hooks.say)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	j->hooks.say(j->hooks.context, is_warning, text);
}

void journal_set_health(struct journal *j, enum log_health health, const char *text)
{
	unsigned before = atomic_load(&j->log.health);
	do
		if (before == LOG_FAILED || before == (unsigned)health)
			return;
	while (!atomic_compare_exchange_weak(&j->log.health, &before, health));
	if (j->hooks.health)
		j->hooks.health(j->hooks.context, health, text);
}

uint64_t journal_now(struct journal *j)
{
	return j->hooks.now_ms(j->hooks.context);
}

/* Open */

static PRINTF_LIKE(3, 4) int refuse(char reason[JOURNAL_REASON_MAX], int error, const char *format,
				    ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason, JOURNAL_REASON_MAX, format, arguments);
	va_end(arguments);
	return error;
}

/* The length of a segment is the store's, whatever the options say by now. */
static int check_room(uint64_t bytes_max, uint32_t segment_bytes, char reason[JOURNAL_REASON_MAX])
{
	if (bytes_max == 0 || bytes_max / segment_bytes >= SEGMENTS_MIN)
		return 0;
	return refuse(reason, ERROR_INVALID,
		      "The journal needs room for %d segments of %u bytes: allow it at least %llu "
		      "bytes.",
		      SEGMENTS_MIN, segment_bytes,
		      (unsigned long long)SEGMENTS_MIN * segment_bytes);
}

static int check_options(const struct journal_options *o, char reason[JOURNAL_REASON_MAX])
{
	if (o->segment_bytes % DISK_BLOCK || o->segment_bytes < SEGMENT_BYTES_MIN)
		return refuse(reason, ERROR_INVALID,
			      "The length of a segment must be a multiple of %u and at least %u "
			      "bytes, not %u.",
			      DISK_BLOCK, SEGMENT_BYTES_MIN, o->segment_bytes);
	return 0;
}

static int take_lock(struct journal *j, char reason[JOURNAL_REASON_MAX])
{
	long owner = 0;
	int error = j->disk->ops->lock(j->disk, &owner);
	if (error == ERROR_AGAIN && owner)
		return refuse(reason, error,
			      "Another process (%ld) uses this journal: end it first, or use "
			      "another directory.",
			      owner);
	if (error == ERROR_AGAIN)
		return refuse(reason, error,
			      "Another process uses this journal: end it first, or use another "
			      "directory.");
	if (error)
		return refuse(reason, error, "The journal cannot be locked: %s.", strerror(errno));
	return 0;
}

static int read_facts(struct journal *j, char reason[JOURNAL_REASON_MAX])
{
	uint8_t text[FORMAT_TEXT_MAX];
	struct disk_file *file = NULL;
	int error = j->disk->ops->open(j->disk, FORMAT_FILE, DISK_READ, &file);
	if (error == ERROR_NOT_FOUND)
		return error;
	long n = error ? error : file->ops->read(file, (struct room){text, sizeof(text)}, 0);
	if (file)
		file->ops->close(file);
	if (n < 0)
		return refuse(reason, (int)n, "The file " FORMAT_FILE " cannot be read: %s.",
			      strerror(errno));
	error = store_facts_decode(span_of(text, (size_t)n), &j->store);
	if (error == ERROR_LIMIT)
		return refuse(reason, ERROR_INVALID,
			      "This journal was written by a newer version (format %u; this one "
			      "knows %u): start that version again.",
			      j->store.version, FORMAT_VERSION);
	if (error)
		return refuse(reason, ERROR_INVALID,
			      "The file " FORMAT_FILE " is damaged or not of a journal: restore it "
			      "from a copy, or give another directory.");
	return 0;
}

struct names {
	bool has_journal; /* files that only a journal has */
	struct journal *j;
};

/* Not finished, and ours: the directory may be somebody's by mistake. */
static bool is_temporary(const char *name)
{
	char stem[DISK_NAME_MAX];
	uint32_t number;
	size_t len = strlen(name);
	if (len <= strlen(TEMPORARY) || len - strlen(TEMPORARY) >= sizeof(stem) ||
	    strcmp(name + len - strlen(TEMPORARY), TEMPORARY) != 0)
		return false;
	memcpy(stem, name, len - strlen(TEMPORARY));
	stem[len - strlen(TEMPORARY)] = '\0';
	return file_name_parse(stem, &number) != FILE_OTHER || strcmp(stem, FORMAT_FILE) == 0 ||
	       strcmp(stem, DAMAGED_FILE) == 0 || strncmp(stem, "damaged-", 8) == 0;
}

static void found(void *context, const char *name)
{
	struct names *names = context;
	uint32_t number;
	if (file_name_parse(name, &number) != FILE_OTHER)
		names->has_journal = true;
	if (is_temporary(name))
		(void)!names->j->disk->ops->remove(names->j->disk, name);
}

static int write_facts(struct journal *j)
{
	char text[FORMAT_TEXT_MAX];
	struct disk *disk = j->disk;
	struct disk_file *file = NULL;
	struct span part = span_of(text, store_facts_encode(text, &j->store));
	int error = disk->ops->open(disk, FORMAT_FILE TEMPORARY, DISK_WRITE, &file);
	if (error)
		return error;
	error = file->ops->write(file, &part, 1, 0);
	if (!error)
		error = file->ops->sync(file);
	file->ops->close(file);
	if (!error)
		error = disk->ops->rename(disk, FORMAT_FILE TEMPORARY, FORMAT_FILE);
	return error ? error : disk->ops->sync_names(disk);
}

static int make_store(struct journal *j, const struct names *names, char reason[JOURNAL_REASON_MAX])
{
	if (names->has_journal)
		return refuse(reason, ERROR_INVALID,
			      "There are segments of a journal, but no file " FORMAT_FILE
			      ": restore it from a copy, or give another directory.");
	j->store = (struct store_facts){
		.version = FORMAT_VERSION,
		.segment_bytes = j->options.segment_bytes,
		.store_id = j->options.store_id,
	};
	if (j->store.store_id == 0 && getrandom(&j->store.store_id, sizeof(j->store.store_id), 0) !=
					      (ssize_t)sizeof(j->store.store_id))
		return refuse(reason, ERROR_SYSTEM, "No random numbers: %s.", strerror(errno));
	j->is_new = true;
	int error = write_facts(j);
	if (error)
		return refuse(reason, error, "The journal cannot be made: %s.", strerror(errno));
	return 0;
}

static void warn(struct journal *j)
{
	const struct disk_facts *f = &j->facts;
	if (strcmp(f->file_system, "tmpfs") == 0 || strcmp(f->file_system, "ramfs") == 0)
		journal_say(j, true,
			    "The journal stands in memory (%s): nothing survives a restart of this "
			    "machine. Give a directory on a disk.",
			    f->file_system);
	if (f->is_network)
		journal_say(
			j, true,
			"The journal stands on a network file system (%s): whether it is durable "
			"depends on its server. A local disk is safer and faster.",
			f->file_system);
	if (strcmp(f->file_system, "btrfs") == 0 || strcmp(f->file_system, "zfs") == 0)
		journal_say(
			j, true,
			"The journal stands on %s, which writes about 40 times as much for each "
			"commit: ext4 or XFS are better here.",
			f->file_system);
}

static int open_store(struct journal *j, char reason[JOURNAL_REASON_MAX])
{
	struct names names = {.j = j};
	int error = check_options(&j->options, reason);
	if (!error)
		error = take_lock(j, reason);
	if (error)
		return error;
	error = j->disk->ops->list(j->disk, found, &names);
	if (error)
		return refuse(reason, error, "The journal's directory cannot be read: %s.",
			      strerror(errno));
	error = read_facts(j, reason);
	bool is_missing = error == ERROR_NOT_FOUND;
	uint32_t segment_bytes = is_missing ? j->options.segment_bytes : j->store.segment_bytes;
	if (is_missing || !error)
		error = check_room(j->options.bytes_max, segment_bytes, reason);
	if (!error && is_missing)
		error = make_store(j, &names, reason);
	if (error)
		return error;
	j->disk->ops->facts(j->disk, &j->facts);
	j->log.batch_bytes_max = j->store.segment_bytes - SEGMENT_HEAD_BYTES - FRAME_HEAD_BYTES;
	warn(j);
	error = segments_load(j);
	if (error)
		return refuse(reason, error, "The journal's segments cannot be read: %s.",
			      strerror(errno));
	return recovery_load(j, reason);
}

/* What does not depend on how far the opening came. */
static void release(struct journal *j)
{
	recovery_release(j);
	checkpoint_release(j);
	compact_release(j);
	reader_release(j);
	commit_release(j);
	segments_release(j);
	j->disk->ops->free(j->disk);
	pthread_mutex_destroy(&j->lock);
	mem_free(j);
}

int journal_open(struct disk *disk, const struct journal_options *options,
		 const struct journal_hooks *hooks, struct journal **out,
		 char reason[JOURNAL_REASON_MAX])
{
	struct journal *j = mem_zalloc(sizeof(*j));
	if (!j) {
		disk->ops->free(disk);
		return refuse(reason, ERROR_NO_MEMORY, "No memory for the journal.");
	}
	j->log.ops = &log_disk_ops;
	j->log.is_kept = true;
	j->disk = disk;
	j->options = *options;
	j->hooks = *hooks;
	pthread_mutex_init(&j->lock, NULL);
	int error = open_store(j, reason);
	if (error) {
		release(j);
		return error;
	}
	*out = j;
	return 0;
}

/* Start */

static struct segment *next_empty(struct journal *j, uint32_t below)
{
	struct segment *empty = NULL;
	pthread_mutex_lock(&j->lock);
	for (uint32_t i = 0; i < j->segments.count && !empty; i++) {
		struct segment *segment = j->segments.all[i];
		bool has_ended =
			segment->state == SEGMENT_SEALED || segment->state == SEGMENT_FAILED;
		if (has_ended && segment->end <= SEGMENT_HEAD_BYTES && segment->number < below)
			empty = segment;
	}
	pthread_mutex_unlock(&j->lock);
	return empty;
}

/* Segments of which nothing counts, behind a higher number that is there for good. */
static void drop_empty(struct journal *j, uint32_t below)
{
	struct segment *segment;
	while ((segment = next_empty(j, below))) {
		bool is_gone = segment_recycle(j, segment) && segment_forget(j, segment);
		ASSERT(is_gone); /* nobody reads yet */
	}
}

/* The last runs ended before they had freed anything: done now. */
static int start_without_room(struct journal *j)
{
	int error = ERROR_FULL;
	if (j->segments.count > 0)
		drop_empty(j, j->segments.all[j->segments.count - 1]->number);
	j->room.is_scarce = true;
	/* What lies above is nothing but prepared, and not weighed. */
	atomic_store(&j->written_end, j->recovered_end);
	do
		error = segments_make_ready(j);
	while (error == ERROR_FULL && compact_step(j));
	return error;
}

int journal_start(struct journal *j, char reason[JOURNAL_REASON_MAX])
{
	ASSERT(j->is_recovered && !j->is_started);
	recovery_release(j);
	int error = segments_make_ready(j);
	if (error == ERROR_FULL)
		error = start_without_room(j);
	if (error)
		return refuse(reason, error, "The journal cannot make a segment to write to: %s.",
			      error == ERROR_FULL ? "the disk, or what it may use of it, is full"
						  : strerror(errno));
	drop_empty(j, UINT32_MAX);
	error = commit_open(j);
	if (!error)
		error = reader_open(j);
	if (error)
		return refuse(reason, error, "No memory for the journal.");
	j->is_started = true;
	error = threads_start(j);
	if (error) {
		j->is_started = false;
		return refuse(reason, error, "The journal's threads cannot be started: %s.",
			      strerror(errno));
	}
	return 0;
}

struct log *journal_log(struct journal *j)
{
	return &j->log;
}

void journal_close(struct journal *j)
{
	/* What it would append comes too late. */
	atomic_store(&j->is_closing, true);
	if (j->is_started)
		threads_stop(j);
	release(j);
}
