/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start: the newest whole checkpoint, the log behind it, and what is to be said about both.
 *
 * Nothing is believed that may stand in the system's memory only: names are synced, files are
 * synced, and then read from the device.
 */
#include "journal/recovery.h"

#include "base/mem.h"
#include "journal/checkpoint.h"
#include "journal/compact.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHECKPOINTS_MAX 64 /* files; two are normal, three after a crash */

struct recovery {
	uint32_t checkpoints[CHECKPOINTS_MAX]; /* descending */
	uint32_t count;
	struct damage_log damage;
	struct checkpoint_head newest; /* the one that is used; number 0: none */
	/* journal_recover_read */
	struct scan scan;
	bool is_open;
	uint8_t *body;
	size_t body_capacity;
};

struct listing {
	struct recovery *r;
	bool is_degraded;
};

static void found(void *context, const char *name)
{
	struct listing *l = context;
	struct recovery *r = l->r;
	uint32_t number;
	if (strcmp(name, DAMAGED_FILE) == 0)
		l->is_degraded = true;
	if (file_name_parse(name, &number) != FILE_CHECKPOINT)
		return;
	if (r->count == CHECKPOINTS_MAX && r->checkpoints[r->count - 1] > number)
		return;
	/* The oldest makes way. */
	uint32_t at = r->count == CHECKPOINTS_MAX ? r->count - 1 : r->count++;
	for (; at > 0 && r->checkpoints[at - 1] < number; at--)
		r->checkpoints[at] = r->checkpoints[at - 1];
	r->checkpoints[at] = number;
}

static int list_files(struct journal *j)
{
	struct listing l = {.r = j->recovery};
	int error = j->disk->ops->list(j->disk, found, &l);
	if (l.is_degraded)
		atomic_store(&j->counters.is_degraded, true);
	return error;
}

/* Numbers that no segment may show any more. */
static int learn_numbers(struct journal *j)
{
	struct recovery *r = j->recovery;
	for (uint32_t i = 0; i < r->count; i++) {
		struct window w;
		struct checkpoint_head head;
		char name[DISK_NAME_MAX];
		file_name(name, FILE_CHECKPOINT, r->checkpoints[i]);
		int error = window_open(&w, j->disk, name, true);
		if (error)
			return error;
		const uint8_t *bytes = window_at(&w, 0, CHECKPOINT_HEAD_BYTES);
		bool is_whole = bytes && checkpoint_head_decode(bytes, j->store.store_id,
								r->checkpoints[i], &head);
		j->room.other_bytes += w.len;
		window_release(&w);
		if (r->checkpoints[i] >= j->checkpoints->next_number)
			j->checkpoints->next_number = r->checkpoints[i] + 1;
		if (!is_whole)
			continue;
		if (head.incarnation >= j->incarnation)
			j->incarnation = head.incarnation + 1;
		if (head.next_segment > j->segments.next_number)
			j->segments.next_number = head.next_segment;
	}
	return 0;
}

int recovery_load(struct journal *j, char reason[JOURNAL_REASON_MAX])
{
	j->recovery = mem_zalloc(sizeof(*j->recovery));
	j->checkpoints = checkpoints_new();
	int error = j->recovery && j->checkpoints ? 0 : ERROR_NO_MEMORY;
	if (!error)
		error = j->disk->ops->sync_names(j->disk);
	if (!error)
		error = list_files(j);
	if (!error)
		error = learn_numbers(j);
	if (!error) {
		j->recovery->damage.disk = j->disk;
		j->recovery->damage.keeps = true;
		error = compact_load(j, &j->recovery->damage);
	}
	if (error)
		snprintf(reason, JOURNAL_REASON_MAX, "the store's files cannot be read: %s",
			 error == ERROR_SYSTEM ? strerror(errno) : error_text(error));
	return error;
}

void recovery_release(struct journal *j)
{
	struct recovery *r = j->recovery;
	if (!r)
		return;
	if (r->is_open)
		scan_release(&r->scan);
	buffer_release(&r->damage.lines);
	mem_free(r->body);
	mem_free(r);
	j->recovery = NULL;
}

/* --- which checkpoint --- */

/* The newest that is whole, its image and, if there is one, the one before. */
static int choose(struct journal *j, struct room *image_out, uint64_t *vouched_out)
{
	struct recovery *r = j->recovery;
	struct checkpoint_head head = {0};
	for (uint32_t i = 0; i < r->count; i++) {
		bool is_first = r->newest.number == 0;
		head = (struct checkpoint_head){0};
		int error = checkpoint_load(j->disk, j->store.store_id, r->checkpoints[i], true,
					    &head, is_first ? image_out : NULL);
		if (error == ERROR_DAMAGED) {
			journal_say(j, true, "checkpoint ckpt-%u is damaged", r->checkpoints[i]);
			if (head.number == r->checkpoints[i] && head.position > *vouched_out)
				*vouched_out = head.position;
			error = damage_add_line(&r->damage, "ckpt-%u: damaged, not used\n",
						r->checkpoints[i]);
			if (error)
				return error;
			continue;
		}
		if (error)
			return error;
		struct checkpoint_facts facts = {r->checkpoints[i], head.position,
						 checkpoint_bytes(head.image_len), head.image_len};
		if (is_first) {
			r->newest = head;
			j->checkpoints->newest = facts;
		} else if (j->checkpoints->previous.number == 0) {
			j->checkpoints->previous = facts;
		}
	}
	return 0;
}

/* Without a checkpoint the log must be there from its beginning, or what comes first is damaged and
 * nobody can tell. */
static bool begins_at_the_beginning(struct journal *j)
{
	for (uint32_t i = 0; i < j->segments.count; i++) {
		const struct segment *s = j->segments.all[i];
		if (s->number == 1)
			return true;
		if (s->has_head)
			return s->head.previous_end == 0 ||
			       segments_find(j, position_segment(s->head.previous_end));
	}
	return true;
}

static int refuse(char reason[JOURNAL_REASON_MAX], const char *text)
{
	snprintf(reason, JOURNAL_REASON_MAX, "%s", text);
	return ERROR_DAMAGED;
}

/* --- the log --- */

static int collect_segments(struct journal *j, struct replay *replay)
{
	replay->segments = mem_zalloc((j->segments.count + 1) * sizeof(*replay->segments));
	if (!replay->segments)
		return ERROR_NO_MEMORY;
	for (uint32_t i = 0; i < j->segments.count; i++) {
		const struct segment *s = j->segments.all[i];
		if (s->state == SEGMENT_COMPACTED || s->number < position_segment(replay->after))
			continue;
		replay->segments[replay->count++].number = s->number;
	}
	return 0;
}

/* Where each segment ended, as far as block 0 of a later one tells. */
static void set_ends(struct journal *j)
{
	uint32_t last = position_segment(j->recovered_end);
	for (uint32_t i = 0; i < j->segments.count; i++) {
		struct segment *s = j->segments.all[i];
		bool is_empty = !s->has_head && s->head.number == s->number;
		/* One that was cut off held as much as the others: it stands for what is lost. */
		s->end = s->bytes < j->store.segment_bytes ? j->store.segment_bytes : s->bytes;
		if (is_empty || s->number > last)
			s->end = SEGMENT_HEAD_BYTES;
		else if (s->number == last)
			s->end = position_offset(j->recovered_end);
	}
	for (uint32_t i = 0; i < j->segments.count; i++) {
		const struct segment *s = j->segments.all[i];
		struct segment *before = segments_find(j, position_segment(s->head.previous_end));
		if (s->has_head && before && before->state != SEGMENT_COMPACTED)
			before->end = position_offset(s->head.previous_end);
	}
}

static int run_replay(struct journal *j, const struct journal_recovery *to, uint64_t vouched)
{
	struct replay replay = {
		.disk = j->disk,
		.store_id = j->store.store_id,
		.file_bytes_min = j->store.segment_bytes,
		.refuses = j->options.refuse_damage,
		.sync = true,
		.after = j->recovery->newest.position,
		.complete_from = j->recovery->newest.position,
		.durable = vouched,
		.context = to->context,
		.record = to->record,
		.damage = &j->recovery->damage,
	};
	int error = collect_segments(j, &replay);
	if (!error)
		error = replay_run(&replay);
	if (!error)
		error = replay_wipe(&replay);
	if (!error) {
		j->recovered_end = replay.end;
		j->recovered_commit = replay.commit;
		set_ends(j);
	}
	replay_release(&replay);
	return error;
}

/* A damaged checkpoint must not stand in the way of the next ones. */
static int move_away_damaged(struct journal *j)
{
	struct recovery *r = j->recovery;
	bool is_moved = false;
	for (uint32_t i = 0; i < r->count; i++) {
		char name[DISK_NAME_MAX], away[DISK_NAME_MAX];
		uint32_t number = r->checkpoints[i];
		if (number == j->checkpoints->newest.number ||
		    number == j->checkpoints->previous.number)
			continue;
		file_name(name, FILE_CHECKPOINT, number);
		snprintf(away, sizeof(away), "damaged-ckpt-%u.bin", number);
		bool is_old = j->checkpoints->previous.number > number;
		int error = is_old ? j->disk->ops->remove(j->disk, name)
				   : j->disk->ops->rename(j->disk, name, away);
		if (error)
			return error;
		is_moved = true;
	}
	return is_moved ? j->disk->ops->sync_names(j->disk) : 0;
}

static int course(struct journal *j, const struct journal_recovery *to,
		  char reason[JOURNAL_REASON_MAX])
{
	struct recovery *r = j->recovery;
	struct room image = {NULL, 0};
	uint64_t vouched = 0;
	int error = choose(j, &image, &vouched);
	if (!error && j->options.refuse_damage && r->damage.count > 0)
		error = refuse(reason, "the store is damaged and on_damage is refuse: look at it "
				       "with `nightjar journal`, or set on_damage to set-aside");
	else if (!error && r->newest.number == 0 && r->count > 0)
		error = refuse(reason, "no checkpoint of the store is whole: restore the "
				       "directory from a copy, or begin with an empty one");
	else if (!error && r->newest.number == 0 && !begins_at_the_beginning(j))
		error = refuse(reason, "the store's checkpoints are missing, and its log no "
				       "longer goes back to its beginning: restore the directory "
				       "from a copy, or begin with an empty one");
	if (!error && r->newest.number > 0)
		error = to->image(to->context, r->newest.position, span_of(image.ptr, image.len));
	mem_free(image.ptr);
	if (!error)
		error = run_replay(j, to, vouched);
	if (!error)
		error = damage_write(&r->damage);
	if (!error)
		error = move_away_damaged(j);
	return error;
}

int journal_recover(struct journal *j, const struct journal_recovery *recovery,
		    char reason[JOURNAL_REASON_MAX])
{
	struct recovery *r = j->recovery;
	ASSERT(r && !j->is_recovered);
	reason[0] = '\0';
	r->damage.tell = recovery->damage;
	r->damage.context = recovery->context;
	int error = course(j, recovery, reason);
	if (error == ERROR_DAMAGED && j->options.refuse_damage && reason[0] == '\0')
		(void)refuse(reason, "the log is damaged and on_damage is refuse: look at it with "
				     "`nightjar journal`, or set on_damage to set-aside");
	if (error && reason[0] == '\0')
		snprintf(reason, JOURNAL_REASON_MAX, "the store cannot be read: %s",
			 error_text(error));
	if (error)
		return error;
	if (r->damage.count > 0) {
		atomic_store(&j->counters.is_degraded, true);
		atomic_fetch_add(&j->counters.damaged_records, r->damage.count);
		journal_say(j, true, "the store is damaged; what was lost is listed in the file %s",
			    DAMAGED_FILE);
	}
	j->is_recovered = true;
	return 0;
}

/* --- reading by position --- */

static int open_log(struct journal *j, const struct segment *segment)
{
	struct recovery *r = j->recovery;
	char name[DISK_NAME_MAX];
	if (r->is_open && r->scan.number == segment->number)
		return 0;
	if (r->is_open)
		scan_release(&r->scan);
	file_name(name, FILE_SEGMENT, segment->number);
	int error = scan_open(&r->scan, j->disk, j->store.store_id, segment->number, name, true);
	r->is_open = !error;
	return error;
}

int journal_recover_read(struct journal *j, uint64_t position, struct span *body_out)
{
	struct recovery *r = j->recovery;
	struct segment *segment = segments_find(j, position_segment(position));
	if (!segment)
		return ERROR_DAMAGED;
	if (segment->state == SEGMENT_COMPACTED)
		return compact_read(j, segment, position, &r->body, &r->body_capacity, body_out);
	int error = open_log(j, segment);
	if (error)
		return error == ERROR_NO_MEMORY ? error : ERROR_SYSTEM;
	uint64_t offset = position_offset(position);
	return scan_record(&r->scan, offset, r->scan.window.len, body_out) ? 0 : ERROR_DAMAGED;
}
