/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store.h"

#include "base/mem.h"
#include "broker/recover.h"
#include "broker/snapshot.h"
#include "daemon/clock.h"
#include "daemon/process.h"
#include "daemon/store_path.h"
#include "journal/page_file.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB(bytes) ((double)(bytes) / (1024.0 * 1024.0))
#define MS_PER_DAY 86400000.0

char *store_path(const struct config_store *options)
{
	struct store_surroundings around = {
		.is_root = geteuid() == 0,
		.state_directory = getenv("STATE_DIRECTORY"),
		.state_home = getenv("XDG_STATE_HOME"),
		.home = getenv("HOME"),
	};
	return options->path ? mem_copy_text(span_of_text(options->path))
			     : store_default_path(&around);
}

/* Where a service's unit keeps folders from it. */
static const char *hint_at(int error)
{
	return error == ERROR_READ_ONLY
		       ? " (ReadWritePaths= in a unit of systemd opens it: docs/SERVICE.md)"
		       : "";
}

static int refuse_place(const struct store *s, int error, char reason[STORE_REASON_MAX])
{
	snprintf(reason, STORE_REASON_MAX,
		 "cannot open the store in '%s': %s. Another directory is named by "
		 "persistence_location; persistence false does without one%s",
		 s->path, error == ERROR_SYSTEM ? strerror(errno) : error_text(error),
		 hint_at(error));
	return error;
}

int store_open(struct store *s, const struct config_store *options, const char *user,
	       struct logger *log, char reason[STORE_REASON_MAX])
{
	*s = (struct store){.log = log, .options = options, .failed_fd = -1};
	if (!options->is_wanted)
		return 0;
	s->path = store_path(options);
	if (!s->path) {
		snprintf(reason, STORE_REASON_MAX,
			 "there is no place for the store, since HOME is not set: name a directory "
			 "with persistence_location, or do without by persistence false");
		return ERROR_INVALID;
	}
	s->failed_fd = eventfd(0, EFD_CLOEXEC);
	if (s->failed_fd < 0)
		return refuse_place(s, ERROR_SYSTEM, reason);
	bool is_new = access(s->path, F_OK) != 0;
	int error = disk_system_open(s->path, true, &s->disk);
	if (error != 0)
		return refuse_place(s, error, reason);
	return is_new ? process_give_to_user(s->path, user, reason) : 0;
}

/* What the journal asks of this process. Any thread. */

static void committed(void *context, struct log_batch *batch)
{
	struct store *s = context;
	broker_committed(s->broker, batch);
}

static void checkpoint_wanted(void *context)
{
	struct store *s = context;
	broker_want_checkpoint(s->broker);
}

static void health_changed(void *context, enum log_health health, const char *text)
{
	static const unsigned types[] = {
		[LOG_GOOD] = LOG_TYPE_NOTICE,
		[LOG_FULL] = LOG_TYPE_WARNING,
		[LOG_FAILED] = LOG_TYPE_ERROR,
	};
	struct store *s = context;
	log_line(s->log, types[health], "Store %s: %s", s->path, text);
	broker_log_changed(s->broker);
	if (health == LOG_FAILED)
		eventfd_write(s->failed_fd, 1);
}

static bool references(void *context, struct span image,
		       void (*found)(void *found_context, uint64_t position), void *found_context)
{
	(void)context;
	return snapshot_references(image, found, found_context);
}

static void say(void *context, bool is_warning, const char *text)
{
	struct store *s = context;
	log_line(s->log, is_warning ? LOG_TYPE_WARNING : LOG_TYPE_INFORMATION, "Store %s: %s",
		 s->path, text);
}

static uint64_t now_ms(void *context)
{
	(void)context;
	return clock_steady_ms();
}

/* The journal's options, from ours and from what the disk is. */
static struct journal_options journal_options_of(const struct store *s)
{
	const struct config_store *from = s->options;
	struct journal_options o;
	if (s->is_flash)
		journal_options_flash(&o);
	else
		journal_options_server(&o);
	o.durability = from->durability;
	o.interval_ms = from->interval_ms;
	o.has_threads = true;
	o.refuse_damage = from->refuse_damage;
	if (from->segment_bytes > 0)
		o.segment_bytes = from->segment_bytes;
	o.bytes_max = from->bytes_max;
	if (from->budget_bytes_per_day >= 0)
		o.budget_bytes_per_day = (uint64_t)from->budget_bytes_per_day;
	return o;
}

/* What the journal thinks of such a disk, it says itself. */
static void announce(const struct store *s, const struct disk_facts *facts,
		     const struct journal_options *o)
{
	char durability[64] = "always";
	if (o->durability == DURABILITY_INTERVAL)
		snprintf(durability, sizeof(durability), "interval %u ms", o->interval_ms);
	log_line(s->log, LOG_TYPE_INFORMATION,
		 "Store %s on %s%s: durability %s, storage profile %s.", s->path,
		 facts->file_system[0] ? facts->file_system : "an unknown file system",
		 facts->is_direct ? "" : " (through the system's memory)", durability,
		 s->is_flash ? "flash" : "server");
}

static const char *name_of(uid_t id)
{
	const struct passwd *entry = getpwuid(id);
	return entry ? entry->pw_name : "nobody known";
}

/* Who was root once, or another user, finds a store that he may not enter. Root may. */
static void say_whose(const struct store *s, int cause, char reason[STORE_REASON_MAX])
{
	struct stat st;
	char owner[LOGIN_NAME_MAX + 1], self[LOGIN_NAME_MAX + 1];
	size_t len = strlen(reason);
	if (geteuid() == 0 || stat(s->path, &st) != 0)
		return;
	snprintf(self, sizeof(self), "%s", name_of(geteuid()));
	if (st.st_uid == geteuid() && cause != EACCES)
		return;
	if (st.st_uid == geteuid()) {
		snprintf(reason + len, STORE_REASON_MAX - len,
			 " If a broker of another user has written there, chown -R %s '%s' gives "
			 "it back",
			 self, s->path);
		return;
	}
	snprintf(owner, sizeof(owner), "%s", name_of(st.st_uid));
	snprintf(reason + len, STORE_REASON_MAX - len,
		 " It belongs to user '%s', and the broker runs as '%s': set \"user %s\", or run "
		 "chown -R %s '%s'",
		 owner, self, owner, self, s->path);
}

/* Who comes from mosquitto and names its folder would think that everything has come along. */
static void tell_of_mosquitto(const struct store *s)
{
	char path[PATH_MAX], own[PATH_MAX];
	snprintf(path, sizeof(path), "%s/mosquitto.db", s->path);
	snprintf(own, sizeof(own), "%s/FORMAT", s->path);
	if (access(path, F_OK) == 0 && access(own, F_OK) != 0)
		log_line(s->log, LOG_TYPE_NOTICE,
			 "Store %s: mosquitto.db is not read, so mosquitto's sessions and retained "
			 "messages are not there; docs/MIGRATING.md says how to fetch the latter.",
			 s->path);
}

static int open_journal(struct store *s, char reason[STORE_REASON_MAX])
{
	char words[JOURNAL_REASON_MAX];
	struct journal_hooks hooks = {
		.context = s,
		.committed = committed,
		.checkpoint_wanted = checkpoint_wanted,
		.health = health_changed,
		.references = references,
		.say = say,
		.now_ms = now_ms,
	};
	struct disk_facts facts;
	s->disk->ops->facts(s->disk, &facts);
	s->is_flash = s->options->profile == STORAGE_FLASH ||
		      (s->options->profile == STORAGE_AUTO && facts.is_flash_card);
	struct journal_options options = journal_options_of(s);
	announce(s, &facts, &options);
	tell_of_mosquitto(s);
	errno = 0;
	int error = journal_open(s->disk, &options, &hooks, &s->journal, words);
	int cause = errno;
	s->disk = NULL;
	if (error != 0) {
		snprintf(reason, STORE_REASON_MAX, "cannot use the store in '%s': %s%s", s->path,
			 words, hint_at(error));
		if (error == ERROR_SYSTEM)
			say_whose(s, cause, reason);
	}
	return error;
}

/* Lines of text, each as a line of the log. */
static void warn_lines(const struct store *s, struct span text)
{
	while (text.len > 0) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;
		log_line(s->log, LOG_TYPE_WARNING, "Store %s: %.*s", s->path, (int)len,
			 (const char *)text.ptr);
		size_t used = end ? len + 1 : len;
		text = span_of(text.ptr + used, text.len - used);
	}
}

static void tell_recovery(const struct store *s, const struct recovery_report *report,
			  uint64_t took_ms)
{
	log_line(s->log, LOG_TYPE_INFORMATION,
		 "Store %s: found %" PRIu64 " sessions with %" PRIu64 " subscriptions and %" PRIu64
		 " waiting messages, and %" PRIu64 " retained messages, in %" PRIu64 " ms.",
		 s->path, report->sessions, report->subscriptions, report->queued_messages,
		 report->retained_messages, took_ms);
	warn_lines(s, buffer_content(&report->lines));
	if (report->lost > 0)
		log_line(s->log, LOG_TYPE_WARNING,
			 "Store %s: %" PRIu64 " things were lost to damage, see the lines above.",
			 s->path, report->lost);
}

/* Without such a file, entries of long queues stay in memory: no reason not to start. */
static void give_pages(const struct store *s, unsigned shard_count)
{
	for (unsigned i = 0; i < shard_count; i++) {
		struct page_file *file;
		if (page_file_open(s->path, &file) != 0) {
			log_line(s->log, LOG_TYPE_WARNING,
				 "Store %s: cannot make a file for long queues (%s); they stay in "
				 "memory, whatever queue_memory says.",
				 s->path, strerror(errno));
			return;
		}
		broker_use_pages(s->broker, i, file);
	}
}

int store_start(struct store *s, struct broker *broker, unsigned shard_count,
		char reason[STORE_REASON_MAX])
{
	char words[JOURNAL_REASON_MAX];
	struct recovery_report report = {0};
	struct clock clock = {0};
	s->broker = broker;
	s->started_ms = clock_steady_ms();
	if (!s->path) {
		log_line(
			s->log, LOG_TYPE_NOTICE,
			"Nothing is stored: sessions and messages are in memory only, and end with "
			"the broker.");
		return 0;
	}
	int error = open_journal(s, reason);
	if (error != 0)
		return error;
	broker_use_log(broker, journal_log(s->journal));
	s->is_brokers = true;
	give_pages(s, shard_count);
	error = recover_journal(broker, s->journal, clock_now(&clock), &report, words);
	if (error == 0) {
		tell_recovery(s, &report, clock_steady_ms() - s->started_ms);
		error = journal_start(s->journal, words);
	}
	buffer_release(&report.lines);
	if (error != 0)
		snprintf(reason, STORE_REASON_MAX, "cannot use the store in '%s': %s", s->path,
			 words);
	return error;
}

static void status_of(struct store *s, struct log_status *out)
{
	struct log *log = journal_log(s->journal);
	log->ops->status(log, out);
}

void store_log_status(struct store *s)
{
	static const char *const healths[] = {
		[LOG_GOOD] = "good", [LOG_FULL] = "full", [LOG_FAILED] = "failed"};
	struct log_status st;
	if (!s->journal) {
		log_line(s->log, LOG_TYPE_NOTICE, "Nothing is stored.");
		return;
	}
	status_of(s, &st);
	double ms = (double)(clock_steady_ms() - s->started_ms) + 1;
	log_line(s->log, LOG_TYPE_NOTICE,
		 "Store %s: %s%s, %.1f MiB on disk, %.1f MiB of them in use; since the start "
		 "%" PRIu64 " records in %" PRIu64 " commits (%.1f each), %" PRIu64
		 " bytes written to the device, %.2f GB a day at this rate; %" PRIu64
		 " checkpoints, %" PRIu64 " damaged records, %" PRIu64 " failed writes.",
		 s->path, healths[st.health], st.is_degraded ? ", degraded" : "", MIB(st.log_bytes),
		 MIB(st.live_bytes), st.records, st.commits,
		 st.commits > 0 ? (double)st.records / (double)st.commits : 0, st.written_bytes,
		 (double)st.written_bytes / ms * MS_PER_DAY / 1e9, st.checkpoints,
		 st.damaged_records, st.write_errors);
}

uint64_t store_checkpoint_count(struct store *s)
{
	struct log_status st;
	if (!s->journal)
		return 0;
	status_of(s, &st);
	return st.checkpoints;
}

bool store_is_usable(struct store *s)
{
	return s->journal && atomic_load(&journal_log(s->journal)->health) != LOG_FAILED;
}

void store_close(struct store *s)
{
	if (s->journal && !s->is_brokers)
		journal_close(s->journal);
	if (s->disk)
		s->disk->ops->free(s->disk);
	if (s->failed_fd >= 0)
		close(s->failed_fd);
	mem_free(s->path);
	*s = (struct store){.failed_fd = -1};
}
