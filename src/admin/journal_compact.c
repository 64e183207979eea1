/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that no broker uses: its state is restored into a broker without threads or connections,
 * written down in one piece, and what that makes superfluous is given back.
 */
#include "admin/journal_tool.h"

#include "broker/recover.h"
#include "broker/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* Segments are freed below the checkpoint before the last one. */
#define CHECKPOINTS 2
/* Turns without any work after which a checkpoint will not come any more. */
#define IDLE_TURNS_MAX 1000

struct compact {
	struct journal_tool *tool;
	struct journal *journal;
	struct broker *broker;
	bool has_failed;
};

static uint64_t clock_ms(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct moment now(void)
{
	return (struct moment){clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_REALTIME)};
}

static uint64_t now_ms(void *context)
{
	(void)context;
	return clock_ms(CLOCK_MONOTONIC);
}

static void committed(void *context, struct log_batch *batch)
{
	struct compact *c = context;
	broker_committed(c->broker, batch);
}

static void checkpoint_wanted(void *context)
{
	struct compact *c = context;
	broker_want_checkpoint(c->broker);
}

static void health_changed(void *context, enum log_health health, const char *text)
{
	struct compact *c = context;
	c->has_failed |= health == LOG_FAILED;
	broker_log_changed(c->broker);
	fprintf(stderr, "nightjar journal: %s\n", text);
}

static bool references(void *context, struct span image,
		       void (*found)(void *found_context, uint64_t position), void *found_context)
{
	(void)context;
	return snapshot_references(image, found, found_context);
}

static void say(void *context, bool is_warning, const char *text)
{
	(void)context;
	if (is_warning)
		fprintf(stderr, "nightjar journal: %s\n", text);
}

/* Nobody connects here. */
static int attach(void *context, unsigned shard, struct stream *stream)
{
	(void)context;
	(void)shard;
	(void)stream;
	return ERROR_INVALID;
}

static void wake(void *context, unsigned shard)
{
	(void)context;
	(void)shard;
}

static int restore(struct compact *c, char reason[JOURNAL_REASON_MAX])
{
	struct recovery_report report = {0};
	int error = recover_journal(c->broker, c->journal, now(), &report, reason);
	fwrite(buffer_content(&report.lines).ptr, 1, buffer_len(&report.lines), stderr);
	buffer_release(&report.lines);
	return error ? error : journal_start(c->journal, reason);
}

static struct log_status status_of(struct compact *c)
{
	struct log *log = journal_log(c->journal);
	struct log_status status;
	log->ops->status(log, &status);
	return status;
}

static bool take_turn(struct compact *c)
{
	struct shard *s = broker_shard(c->broker, 0);
	bool has_worked = false;
	shard_turn_begin(s, now());
	shard_turn_end(s);
	while (journal_step(c->journal))
		has_worked = true;
	return has_worked;
}

static bool write_down(struct compact *c)
{
	for (unsigned i = 1; i <= CHECKPOINTS; i++) {
		unsigned idle = 0;
		uint64_t goal = status_of(c).checkpoints + 1;
		broker_want_checkpoint(c->broker);
		while (status_of(c).checkpoints < goal) {
			idle = take_turn(c) ? 0 : idle + 1;
			if (c->has_failed || idle > IDLE_TURNS_MAX)
				return false;
		}
	}
	while (take_turn(c) && !c->has_failed)
		;
	return !c->has_failed;
}

static int compact(struct compact *c)
{
	char reason[JOURNAL_REASON_MAX];
	if (restore(c, reason) != 0)
		return journal_complain("cannot restore '%s': %s", c->tool->path, reason);
	uint64_t before = status_of(c).log_bytes;
	if (!write_down(c))
		return journal_complain("cannot write down the state of '%s'", c->tool->path);
	uint64_t after = status_of(c).log_bytes;
	if (c->tool->is_json)
		return journal_print(json_pack("{s:s, s:I, s:I}", "directory", c->tool->path,
					       "bytes_before", (json_int_t)before, "bytes_after",
					       (json_int_t)after),
				     false)
			       ? JOURNAL_SOUND
			       : journal_complain("cannot print the result");
	printf("%s: %" PRIu64 " bytes, %" PRIu64 " before\n", c->tool->path, after, before);
	return JOURNAL_SOUND;
}

static int open_journal(struct compact *c)
{
	char reason[JOURNAL_REASON_MAX];
	struct journal_options options;
	struct journal_hooks hooks = {
		.context = c,
		.committed = committed,
		.checkpoint_wanted = checkpoint_wanted,
		.health = health_changed,
		.references = references,
		.say = say,
		.now_ms = now_ms,
	};
	journal_options_server(&options);
	options.has_threads = false;
	options.copy_bytes_per_s = 0;
	struct disk *disk = c->tool->disk;
	c->tool->disk = NULL;
	if (journal_open(disk, &options, &hooks, &c->journal, reason) == 0)
		return JOURNAL_SOUND;
	return journal_complain("cannot use the store in '%s': %s", c->tool->path, reason);
}

int journal_compact(struct journal_tool *t)
{
	struct compact c = {.tool = t};
	struct broker_hooks hooks = {.context = &c, .attach = attach, .wake = wake};
	struct settings settings;
	int status = open_journal(&c);
	if (status != JOURNAL_SOUND)
		return status;
	settings_init(&settings);
	c.broker = broker_new(&settings, &hooks, 1, clock_ms(CLOCK_REALTIME), now());
	if (!c.broker) {
		journal_close(c.journal);
		return journal_complain("not enough memory");
	}
	broker_use_log(c.broker, journal_log(c.journal));
	status = compact(&c);
	broker_free(c.broker); /* and its log with it */
	return status;
}
