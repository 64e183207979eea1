/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which segments nobody wants any more.
 *
 * A segment goes when it lies below the previous checkpoint, so that whichever of the two is used
 * at the next start, no record of it is replayed; and when neither image refers to a record of it.
 */
#include "journal/checkpoint.h"
#include "journal/compact.h"

/* --- counting --- */

struct counting {
	struct journal *j;
	struct segment *last; /* references come in runs */
};

static void count_one(void *context, uint64_t position)
{
	struct counting *c = context;
	uint32_t number = position_segment(position);
	if (!c->last || c->last->number != number)
		c->last = segments_find(c->j, number);
	if (c->last)
		c->last->live_records++;
}

/* Both images count: a record that both refer to counts twice. That only matters for the estimate,
 * which compact.c halves. */
static bool count(struct journal *j)
{
	struct checkpoints *c = j->checkpoints;
	struct counting counting = {.j = j};
	for (uint32_t i = 0; i < j->segments.count; i++)
		j->segments.all[i]->live_records = 0;
	c->is_counted = true;
	int error = checkpoint_references(j, count_one, &counting);
	c->is_known = !error;
	if (error)
		journal_say(j, true,
			    "a checkpoint cannot be read back (%s); no segment is given "
			    "up until the next one",
			    error_text(error));
	if (error == ERROR_DAMAGED)
		checkpoint_ask(j);
	return !error;
}

/* --- giving up --- */

static bool is_unwanted(const struct journal *j, const struct segment *s)
{
	if (s->state == SEGMENT_READY || s->state == SEGMENT_OPEN || s->in_copy)
		return false;
	return j->checkpoints->is_known && s->live_records == 0 &&
	       s->number < position_segment(checkpoint_floor(j));
}

/* The highest number stays until there is a higher one. */
static bool is_highest(const struct journal *j, const struct segment *s)
{
	return j->segments.all[j->segments.count - 1] == s;
}

static bool drop_segment(struct journal *j, struct segment *s)
{
	struct compacted *c = s->compacted;
	if (s->bytes > 0 && !segment_recycle(j, s))
		return false;
	if (!segment_forget(j, s))
		return false;
	compact_unuse(j, c);
	return true;
}

/* The original of a copy that stands. */
static bool is_original(const struct segment *s)
{
	return s->state == SEGMENT_COMPACTED && s->bytes > 0;
}

/* The next one from `*at` on that is to go, and that nobody reads; NULL: none. */
static struct segment *next_to_go(struct journal *j, uint32_t *at)
{
	struct segment *found = NULL;
	pthread_mutex_lock(&j->lock);
	for (; *at < j->segments.count && !found; ++*at) {
		struct segment *s = j->segments.all[*at];
		if (s->readers == 0 && (is_original(s) || (is_unwanted(j, s) && !is_highest(j, s))))
			found = s;
	}
	pthread_mutex_unlock(&j->lock);
	return found;
}

/* One of them; false: there is none. */
static bool drop_one(struct journal *j)
{
	struct segment *s;
	for (uint32_t at = 0; (s = next_to_go(j, &at));) {
		bool is_gone = is_unwanted(j, s) ? drop_segment(j, s) : segment_recycle(j, s);
		if (is_gone)
			return true;
	}
	return false;
}

bool reclaim_step(struct journal *j)
{
	struct checkpoints *c = j->checkpoints;
	if (!c->is_counted && c->newest.number > 0) {
		count(j);
		return true;
	}
	return drop_one(j);
}

bool segments_drop_spare(struct journal *j)
{
	char name[DISK_NAME_MAX];
	pthread_mutex_lock(&j->lock);
	uint32_t spare = 0;
	if (j->segments.spare_count > 0) {
		spare = j->segments.spares[--j->segments.spare_count];
		j->room.segment_bytes -= j->store.segment_bytes;
	}
	pthread_mutex_unlock(&j->lock);
	if (spare == 0)
		return false;
	file_name(name, FILE_SPARE, spare);
	return j->disk->ops->remove(j->disk, name) == 0;
}
