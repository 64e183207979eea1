/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/kit_disk.h"

#include "base/mem.h"
#include "broker/recover.h"
#include "broker/snapshot.h"
#include "kit/kit_pages.h"

#include <stdio.h>
#include <stdlib.h>

#define SEGMENT_BYTES (64u << 10) /* the smallest: many of them */
#define SEGMENTS_MIN 2
#define COMMITS_LATE 70 /* per cent: housekeeping comes first */

struct kit_disk *kit_disk_new(uint64_t seed)
{
	struct kit_disk *d = calloc(1, sizeof(*d));
	ASSERT(d);
	journal_options_server(&d->options);
	d->options.has_threads = false;
	d->options.segment_bytes = SEGMENT_BYTES;
	d->options.segments_min = SEGMENTS_MIN;
	d->options.copy_bytes_per_s = 0;
	d->options.store_id = seed | 1;
	d->medium = simdisk_new(seed, 0);
	return d;
}

void kit_disk_free(struct kit_disk *d)
{
	simdisk_free(d->medium);
	free(d);
}

/* What the journal calls. */

static void committed(void *context, struct log_batch *batch)
{
	struct kit_disk *d = context;
	broker_committed(d->kit->broker, batch);
}

static void checkpoint_wanted(void *context)
{
	struct kit_disk *d = context;
	broker_want_checkpoint(d->kit->broker);
}

static void health_changed(void *context, enum log_health health, const char *text)
{
	struct kit_disk *d = context;
	d->health = (uint8_t)health;
	if (d->say)
		d->say(d->say_context, text);
	broker_log_changed(d->kit->broker);
}

static bool references(void *context, struct span image,
		       void (*found)(void *found_context, uint64_t position), void *found_context)
{
	(void)context;
	return snapshot_references(image, found, found_context);
}

static void say(void *context, bool is_warning, const char *text)
{
	struct kit_disk *d = context;
	(void)is_warning;
	if (d->say)
		d->say(d->say_context, text);
}

static uint64_t now_ms(void *context)
{
	struct kit_disk *d = context;
	return d->kit->now.steady_ms;
}

static int open_journal(struct kit_disk *d)
{
	const struct journal_hooks hooks = {.context = d,
					    .committed = committed,
					    .checkpoint_wanted = checkpoint_wanted,
					    .health = health_changed,
					    .references = references,
					    .say = say,
					    .now_ms = now_ms};
	d->health = LOG_GOOD;
	int error = journal_open(simdisk_attach(d->medium), &d->options, &hooks, &d->journal,
				 d->reason);
	if (error)
		d->journal = NULL;
	else
		broker_use_log(d->kit->broker, journal_log(d->journal));
	return error;
}

/* As a rule no disk here alters what it has: whatever is taken for damage was a crash. But a cut is
 * a reason of its own: what could not be read is not lost. */
static int check_report(struct kit_disk *d, const struct recovery_report *report)
{
	struct span lines = buffer_content(&report->lines);
	if (report->lost == 0 || kit_disk_is_dark(d) || d->takes_damage)
		return 0;
	snprintf(d->reason, sizeof(d->reason), "%llu things are lost: %.*s",
		 (unsigned long long)report->lost, (int)lines.len, (const char *)lines.ptr);
	return ERROR_INVALID;
}

/* The broker gets what the disk has. */
static int recover(struct kit_disk *d)
{
	struct recovery_report report = {0};
	int error = recover_journal(d->kit->broker, d->journal, d->kit->now, &report, d->reason);
	if (!error)
		error = check_report(d, &report);
	buffer_release(&report.lines);
	return error;
}

int kit_start_on_disk(struct kit *k, const struct settings *settings, unsigned shard_count,
		      uint64_t seed, struct kit_disk *d, struct moment now)
{
	kit_start_at(k, settings, shard_count, seed, now);
	k->disk = d;
	d->kit = k;
	d->reason[0] = '\0';
	int error = open_journal(d);
	if (!error) {
		kit_give_pages(k, settings, d->medium);
		error = recover(d);
	}
	if (!error)
		error = journal_start(d->journal, d->reason);
	if (!error && kit_disk_is_dark(d))
		error = ERROR_SYSTEM;
	if (error)
		kit_crash(k);
	return error;
}

static uint64_t checkpoint_count(const struct kit_disk *d)
{
	struct log_status status;
	struct log *log = journal_log(d->journal);
	log->ops->status(log, &status);
	return status.checkpoints;
}

static bool housekeep(struct kit_disk *d)
{
	uint64_t before = checkpoint_count(d);
	bool has_worked = journal_step_of(d->journal, JOURNAL_HOUSEKEEPER);
	if (checkpoint_count(d) > before && random_chance(&d->kit->random, d->image_cuts))
		simdisk_cut_at(d->medium, 1);
	return has_worked;
}

/* The journal's threads are as fast as they like: an image may be written before what was appended
 * before it. */
bool kit_disk_step(struct kit_disk *d)
{
	bool is_late = random_chance(&d->kit->random, COMMITS_LATE);
	if (kit_disk_is_dark(d))
		return false;
	return (is_late && housekeep(d)) || kit_disk_is_dark(d) || journal_step(d->journal);
}

bool kit_disk_is_dark(const struct kit_disk *d)
{
	return simdisk_is_cut(d->medium);
}

void kit_disk_count(struct kit_disk *d)
{
	struct log_status status;
	struct log *log = journal_log(d->journal);
	log->ops->status(log, &status);
	d->checkpoints += status.checkpoints;
	d->copied_bytes += status.copied_bytes;
	d->commits += status.commits;
}

char *kit_disk_state(struct kit_disk *d, const struct settings *settings, unsigned shard_count,
		     struct moment now)
{
	struct kit_disk copy = {.medium = simdisk_clone(d->medium, 1), .options = d->options};
	static struct kit k;
	kit_start_at(&k, settings, shard_count, shard_count, now);
	k.disk = &copy;
	copy.kit = &k;
	int error = open_journal(&copy);
	if (!error)
		error = recover_journal_unended(k.broker, copy.journal, copy.reason);
	char *text = error ? NULL : state_text(k.broker);
	if (error)
		fprintf(stderr, "a copy of the disk: %s\n", copy.reason);
	ASSERT(text);
	kit_crash(&k);
	simdisk_free(copy.medium);
	return text;
}
