/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/checkpoint.h"

#include "base/mem.h"
#include "broker/shard.h"
#include "broker/snapshot.h"

void checkpoint_turn(struct shard *s)
{
	struct broker *b = s->broker;
	struct checkpoint *k = &b->checkpoint;
	if (s->index != 0 || !atomic_load_explicit(&b->wants_checkpoint, memory_order_relaxed) ||
	    atomic_load(&k->is_under_way) || !b->log->is_kept)
		return;
	struct command *c = command_new(COMMAND_CHECKPOINT, SPAN_NONE);
	if (!c)
		return; /* at the next turn */
	atomic_store(&b->wants_checkpoint, false);
	atomic_store(&k->is_under_way, true);
	atomic_store(&k->has_failed, false);
	atomic_store(&k->missing, b->shard_count);
	command_append(s, c, ~0ULL >> (64 - b->shard_count));
}

void checkpoint_discard(struct broker *b)
{
	for (unsigned i = 0; i < b->shard_count; i++) {
		mem_free(b->checkpoint.parts[i].ptr);
		b->checkpoint.parts[i] = (struct room){0};
	}
}

static struct log_image *collect(struct broker *b)
{
	struct log_image *image =
		mem_alloc(sizeof(*image) + b->shard_count * sizeof(image->parts[0]));
	if (!image)
		return NULL;
	image->count = b->shard_count;
	for (unsigned i = 0; i < b->shard_count; i++) {
		image->parts[i] = b->checkpoint.parts[i];
		b->checkpoint.parts[i] = (struct room){0};
	}
	return image;
}

/* One shard's part is done, or will never be. The last one's thread goes on with it. */
static void part_is_done(struct shard *s)
{
	struct broker *b = s->broker;
	struct checkpoint *k = &b->checkpoint;
	if (atomic_fetch_sub(&k->missing, 1) != 1)
		return;
	struct log_image *image = atomic_load(&k->has_failed) ? NULL : collect(b);
	if (image)
		b->log->ops->checkpoint(b->log, k->position, image);
	else
		checkpoint_discard(b);
	atomic_store(&k->is_under_way, false);
	/* one that was asked for meanwhile */
	if (atomic_load(&b->wants_checkpoint))
		b->hooks.wake(b->hooks.context, 0);
}

void checkpoint_write(struct shard *s, const struct command *command)
{
	struct checkpoint *k = &s->broker->checkpoint;
	if (s->is_recovering)
		return;
	if (s->index == 0)
		k->position = command->entry.position;
	finish_append(s);
	struct command *marker = command_new(COMMAND_NOTHING, SPAN_NONE);
	if (!marker || snapshot_write(s, command->entry.position, &k->parts[s->index])) {
		command_free(marker);
		atomic_store(&k->has_failed, true);
		part_is_done(s);
		return;
	}
	marker->flags = COMMAND_NOTHING_MARKER;
	command_append(s, marker, shard_bit(s));
}

void checkpoint_mark(struct shard *s)
{
	if (!s->is_recovering)
		part_is_done(s);
}

void checkpoint_failed(struct shard *s, const struct command *command)
{
	struct checkpoint *k = &s->broker->checkpoint;
	atomic_store(&k->has_failed, true);
	if (command->kind == COMMAND_CHECKPOINT)
		atomic_store(&k->missing, 1);
	part_is_done(s);
}
