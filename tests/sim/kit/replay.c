/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/replay.h"

#include "base/mem.h"
#include "broker/snapshot.h"

#include <stdio.h>

struct source {
	struct kept_store *store;
	const struct kept_checkpoint *checkpoint;
	uint64_t wanted;
	bool is_referred;
};

static void compare(void *context, uint64_t position)
{
	struct source *s = context;
	s->is_referred |= position == s->wanted;
}

static int read_body(void *context, uint64_t position, struct span *body_out)
{
	struct source *s = context;
	const struct kept_record *r = kept_find(s->store, position);
	ASSERT(r && s->checkpoint);
	s->wanted = position;
	s->is_referred = false;
	bool is_image = snapshot_references(s->checkpoint->image, compare, s);
	ASSERT(is_image && s->is_referred);
	if (r->is_damaged)
		return ERROR_DAMAGED;
	*body_out = r->body;
	return 0;
}

static void replay_records(struct broker *b, struct kept_store *store, size_t checkpoint,
			   struct moment now)
{
	(void)now;
	struct source *source = mem_zalloc(sizeof(*source)); /* until recovery ends */
	ASSERT(source);
	source->store = store;
	uint64_t from = 0;
	int error = recover_begin(b, &(struct recovery_source){source, read_body});
	if (checkpoint != REPLAY_FROM_START) {
		source->checkpoint = kept_checkpoint(store, checkpoint);
		from = source->checkpoint->position;
		error |= recover_image(b, from, source->checkpoint->image);
	}
	ASSERT(!error);
	for (size_t i = 0; i < kept_record_count(store); i++) {
		const struct kept_record *r = kept_record(store, i);
		if (r->position > from)
			error |= recover_record(b, r->position, r->body);
	}
	ASSERT(!error);
	mem_free(source);
}

void replay_into(struct broker *b, struct kept_store *store, size_t checkpoint, struct moment now,
		 struct recovery_report *report)
{
	replay_records(b, store, checkpoint, now);
	int error = recover_end(b, now, report);
	ASSERT(!error);
}

static void no_wake(void *context, unsigned shard)
{
	(void)context;
	(void)shard;
}

char *replay_state(struct kept_store *store, const struct settings *settings, unsigned shards,
		   size_t checkpoint, struct moment now)
{
	struct broker_hooks hooks = {.wake = no_wake};
	struct broker *b = broker_new(settings, &hooks, shards, 4711 + shards, now);
	struct kept_store *none = kept_store_new();
	ASSERT(b);
	broker_use_log(b, log_kept_log(log_kept_new(none, 1 << 16, NULL, broker_committed, b)));
	replay_records(b, store, checkpoint, now);
	char *text = state_text(b);
	ASSERT(text);
	broker_free(b);
	kept_store_free(none);
	return text;
}

/* The first line that is not the same. */
static void print_difference(const char *expected, const char *got)
{
	size_t at = 0, line = 0;
	for (; expected[at] && expected[at] == got[at]; at++)
		if (expected[at] == '\n')
			line = at + 1;
	fprintf(stderr, "  expected: %.*s\n", (int)strcspn(expected + line, "\n"), expected + line);
	fprintf(stderr, "  replayed: %.*s\n", (int)strcspn(got + line, "\n"), got + line);
}

static void check_one(struct kept_store *store, const struct settings *settings, struct moment now,
		      const char *expected, unsigned shards, size_t checkpoint)
{
	char *text = replay_state(store, settings, shards, checkpoint, now);
	bool is_same = strcmp(text, expected) == 0;
	if (!is_same) {
		fprintf(stderr, "replay of %zu records, checkpoint %zd of %zu, %u shards:\n",
			kept_record_count(store), (ssize_t)checkpoint, kept_checkpoint_count(store),
			shards);
		print_difference(expected, text);
	}
	mem_free(text);
	ASSERT(is_same);
}

void replay_check(struct kept_store *store, const struct settings *settings, struct moment now,
		  const char *live)
{
	static const unsigned shard_counts[] = {1, 2, 5};
	char *first = live ? NULL : replay_state(store, settings, 1, REPLAY_FROM_START, now);
	const char *expected = live ? live : first;
	for (unsigned n = 0; n < ARRAY_COUNT(shard_counts); n++) {
		check_one(store, settings, now, expected, shard_counts[n], REPLAY_FROM_START);
		for (size_t i = 0; i < kept_checkpoint_count(store); i++)
			check_one(store, settings, now, expected, shard_counts[n], i);
	}
	mem_free(first);
}

void replay_check_some(struct kept_store *store, const struct settings *settings, struct moment now,
		       const char *live, struct random *r)
{
	size_t checkpoints = kept_checkpoint_count(store);
	unsigned shards = 1 + random_below(r, 5);
	char *first = live ? NULL : replay_state(store, settings, shards, REPLAY_FROM_START, now);
	const char *expected = live ? live : first;
	shards = 1 + random_below(r, 5);
	if (live)
		check_one(store, settings, now, expected, shards, REPLAY_FROM_START);
	if (checkpoints > 0)
		check_one(store, settings, now, expected, shards,
			  random_below(r, (uint32_t)checkpoints));
	mem_free(first);
}
