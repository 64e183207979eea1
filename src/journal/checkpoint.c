/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images taken over and written, a piece at a time:
 *
 *     ckpt-<n>.tmp written -> synced -> named ckpt-<n> -> names synced -> the one before the
 *     previous removed
 *
 * From then on the log below the previous checkpoint is redundant, but for what the two images
 * refer to.
 */
#include "journal/checkpoint.h"

#include "base/hash.h"
#include "base/mem.h"
#include "journal/compact.h"

#include <stdio.h>

#define PIECE_BYTES ((size_t)1 << 20) /* per step: between them segments are made ready */
#define WANTED_SEGMENTS 4
#define WANTED_IMAGES 4
#define RETRY_MS 1000
/* Who was asked could not, then: it is not heard of again. */
#define ASKED_MS 60000

/* One that is being written. */
struct checkpoint_write {
	struct disk_file *file;
	uint8_t *block;
	uint64_t *table;
	uint64_t blocks;
	uint64_t block_count;
	unsigned part; /* of the image; and how much of it went */
	size_t part_done;
	struct checkpoint_head head;
	char name[DISK_NAME_MAX];
	char tmp[DISK_NAME_MAX];
};

struct checkpoints *checkpoints_new(void)
{
	struct checkpoints *c = mem_zalloc(sizeof(*c));
	if (c)
		c->next_number = 1;
	return c;
}

uint64_t checkpoint_floor(const struct journal *j)
{
	return j->checkpoints->previous.position;
}

static void write_free(struct checkpoint_write *w)
{
	if (!w)
		return;
	if (w->file)
		w->file->ops->close(w->file);
	mem_free(w->block);
	mem_free(w->table);
	mem_free(w);
}

void checkpoint_release(struct journal *j)
{
	struct checkpoints *c = j->checkpoints;
	if (!c)
		return;
	write_free(c->write);
	if (c->image)
		log_image_free(c->image);
	if (c->waiting)
		log_image_free(c->waiting);
	mem_free(c);
	j->checkpoints = NULL;
}

void checkpoint_take(struct journal *j, uint64_t position, struct log_image *image)
{
	struct checkpoints *c = j->checkpoints;
	pthread_mutex_lock(&j->lock);
	struct log_image *old = c->waiting;
	c->waiting = image;
	c->waiting_position = position;
	pthread_mutex_unlock(&j->lock);
	if (old)
		log_image_free(old);
	journal_wake_housekeeper(j);
}

/* --- writing --- */

static uint64_t image_len(const struct log_image *image)
{
	uint64_t len = 0;
	for (unsigned i = 0; i < image->count; i++)
		len += image->parts[i].len;
	return len;
}

static int begin(struct journal *j, struct checkpoint_write *w)
{
	struct checkpoints *c = j->checkpoints;
	w->head = (struct checkpoint_head){
		.store_id = j->store.store_id,
		.position = c->image_position,
		.image_len = image_len(c->image),
		.number = c->next_number,
		.parts = c->image->count,
		.incarnation = j->incarnation,
		.next_segment = position_segment(c->image_position) + 1,
	};
	w->blocks = checkpoint_blocks(w->head.image_len);
	w->block = mem_alloc(CHECKPOINT_BLOCK_BYTES);
	w->table = mem_zalloc((w->blocks + 1) * sizeof(*w->table));
	if (!w->block || !w->table)
		return ERROR_NO_MEMORY;
	file_name(w->name, FILE_CHECKPOINT, w->head.number);
	snprintf(w->tmp, sizeof(w->tmp), "%.48s.tmp", w->name);
	return j->disk->ops->open(j->disk, w->tmp, DISK_WRITE, &w->file);
}

/* The next bytes of the image, over the borders of its parts. */
static size_t next_block(struct checkpoint_write *w, const struct log_image *image)
{
	size_t len = 0;
	while (len < CHECKPOINT_BLOCK_BYTES && w->part < image->count) {
		const struct room *part = &image->parts[w->part];
		size_t piece = CHECKPOINT_BLOCK_BYTES - len;
		if (piece > part->len - w->part_done)
			piece = part->len - w->part_done;
		if (piece > 0)
			memcpy(w->block + len, part->ptr + w->part_done, piece);
		len += piece;
		w->part_done += piece;
		if (w->part_done == part->len) {
			w->part++;
			w->part_done = 0;
		}
	}
	return len;
}

static int write_bytes(struct journal *j, struct checkpoint_write *w, const void *ptr, size_t len,
		       uint64_t offset)
{
	struct span part = span_of(ptr, len);
	atomic_fetch_add_explicit(&j->counters.written_bytes, len, memory_order_relaxed);
	return w->file->ops->write(w->file, &part, 1, offset);
}

static int write_piece(struct journal *j, struct checkpoint_write *w)
{
	const struct log_image *image = j->checkpoints->image;
	for (size_t done = 0; done < PIECE_BYTES && w->block_count < w->blocks;) {
		uint64_t at = w->block_count * CHECKPOINT_BLOCK_BYTES;
		size_t len = next_block(w, image);
		uint64_t hash = hash_bytes(span_of(w->block, len), w->block_count);
		store_le64((uint8_t *)&w->table[w->block_count], hash);
		int error = write_bytes(j, w, w->block, len, CHECKPOINT_HEAD_BYTES + at);
		if (error)
			return error;
		w->block_count++;
		done += len;
	}
	return 0;
}

static int finish(struct journal *j, struct checkpoint_write *w)
{
	uint8_t head[CHECKPOINT_HEAD_BYTES];
	size_t len = (size_t)(8 * w->blocks);
	w->head.table_hash = hash_bytes(span_of(w->table, len), 0);
	checkpoint_head_encode(head, &w->head);
	int error = 0;
	if (len > 0)
		error = write_bytes(j, w, w->table, len, CHECKPOINT_HEAD_BYTES + w->head.image_len);
	if (!error)
		error = write_bytes(j, w, head, sizeof(head), 0);
	if (!error)
		error = w->file->ops->sync(w->file);
	if (!error)
		error = j->disk->ops->rename(j->disk, w->tmp, w->name);
	if (!error)
		error = j->disk->ops->sync_names(j->disk);
	return error;
}

static void count_other(struct journal *j, uint64_t more, uint64_t less)
{
	pthread_mutex_lock(&j->lock);
	j->room.other_bytes += more;
	j->room.other_bytes -= less;
	pthread_mutex_unlock(&j->lock);
}

/* It stands: what was newest is the previous one now, what was previous is not needed. */
static void complete(struct journal *j)
{
	struct checkpoints *c = j->checkpoints;
	const struct checkpoint_head *head = &c->write->head;
	struct checkpoint_facts facts = {head->number, head->position,
					 checkpoint_bytes(head->image_len), head->image_len};
	struct checkpoint_facts gone = c->previous;
	c->previous = c->newest;
	c->newest = facts;
	c->next_number++;
	c->is_counted = c->is_known = false;
	count_other(j, facts.bytes, gone.bytes);
	atomic_fetch_add(&j->counters.checkpoints, 1);
	if (gone.number > 0) {
		char name[DISK_NAME_MAX];
		file_name(name, FILE_CHECKPOINT, gone.number);
		if (j->disk->ops->remove(j->disk, name) != 0)
			journal_say(j, true, "cannot remove %s, which is not needed any more",
				    name);
	}
	write_free(c->write);
	c->write = NULL;
	log_image_free(c->image);
	c->image = NULL;
}

/* The log is whole without it: it is tried again, or a newer one is taken instead. */
static void give_up(struct journal *j, int error)
{
	struct checkpoints *c = j->checkpoints;
	char tmp[DISK_NAME_MAX] = "";
	if (c->write)
		snprintf(tmp, sizeof(tmp), "%s", c->write->tmp);
	bool is_named = c->write && c->write->head.table_hash != 0;
	write_free(c->write);
	c->write = NULL;
	/* Renamed or not is not known: that number is not used again. */
	if (is_named)
		c->next_number++;
	if (tmp[0])
		(void)!j->disk->ops->remove(j->disk, tmp);
	c->retry_ms = journal_now(j) + RETRY_MS;
	if (error == ERROR_FULL && segments_drop_spare(j))
		c->retry_ms = 0;
	else
		atomic_fetch_add(&j->counters.write_errors, 1);
	journal_say(j, true, "a checkpoint could not be written: %s", error_text(error));
}

static bool step_write(struct journal *j)
{
	struct checkpoints *c = j->checkpoints;
	int error = 0;
	if (!c->write) {
		c->write = mem_zalloc(sizeof(*c->write));
		error = c->write ? begin(j, c->write) : ERROR_NO_MEMORY;
	}
	if (!error)
		error = write_piece(j, c->write);
	if (!error && c->write->block_count == c->write->blocks) {
		error = finish(j, c->write);
		if (!error)
			complete(j);
	}
	if (error)
		give_up(j, error);
	return true;
}

/* --- when --- */

/* Bytes of log behind the newest checkpoint. */
static uint64_t log_since(struct journal *j, uint64_t end)
{
	uint64_t position = j->checkpoints->newest.position;
	uint32_t first = position_segment(position);
	uint64_t len = 0;
	pthread_mutex_lock(&j->lock);
	for (uint32_t i = j->segments.count; i-- > 0;) {
		const struct segment *s = j->segments.all[i];
		if (s->number < first)
			break;
		if (s->number == position_segment(end))
			len += position_offset(end);
		else if (s->number < position_segment(end) && s->state != SEGMENT_COMPACTED)
			len += s->end;
		if (s->number == first && len > position_offset(position))
			len -= position_offset(position);
	}
	pthread_mutex_unlock(&j->lock);
	return len;
}

static bool is_asked(struct journal *j)
{
	struct checkpoints *c = j->checkpoints;
	return c->is_asked && journal_now(j) - c->asked_ms < ASKED_MS;
}

void checkpoint_ask(struct journal *j)
{
	if (is_asked(j) || !j->hooks.checkpoint_wanted || atomic_load(&j->is_closing))
		return;
	j->checkpoints->is_asked = true;
	j->checkpoints->asked_ms = journal_now(j);
	j->hooks.checkpoint_wanted(j->hooks.context);
}

/* So much log makes a checkpoint worth its bytes; where room is scarce it is worth more. */
static uint64_t limit_of(struct journal *j)
{
	pthread_mutex_lock(&j->lock);
	bool is_scarce = j->room.is_scarce;
	pthread_mutex_unlock(&j->lock);
	uint64_t log = (is_scarce ? 1 : WANTED_SEGMENTS) * (uint64_t)j->store.segment_bytes;
	uint64_t images = (is_scarce ? 1 : WANTED_IMAGES) * j->checkpoints->newest.image_len;
	return log > images ? log : images;
}

/* Would one more give up a segment? Only those go that lie below the previous one. */
static bool would_free(const struct checkpoints *c, uint64_t end)
{
	uint32_t newest = position_segment(c->newest.position);
	return position_segment(c->previous.position) < newest || newest < position_segment(end);
}

static void ask(struct journal *j)
{
	struct checkpoints *c = j->checkpoints;
	uint64_t end = atomic_load(&j->written_end);
	if (is_asked(j))
		return;
	/* The log does not grow by much any more: this may be the only way to room. */
	if (atomic_load(&j->log.health) == LOG_FULL && would_free(c, end)) {
		checkpoint_ask(j);
		return;
	}
	/* Looked at again after a sixteenth of a segment. */
	if (end >= c->asked_end && end - c->asked_end < j->store.segment_bytes / 16)
		return;
	c->asked_end = end;
	if (log_since(j, end) >= limit_of(j))
		checkpoint_ask(j);
}

/* The image that came last; one that could not be written yet makes way for it. */
static bool take_waiting(struct journal *j)
{
	struct checkpoints *c = j->checkpoints;
	pthread_mutex_lock(&j->lock);
	struct log_image *image = c->waiting;
	uint64_t position = c->waiting_position;
	c->waiting = NULL;
	pthread_mutex_unlock(&j->lock);
	if (!image)
		return c->image != NULL;
	if (c->image)
		log_image_free(c->image);
	c->image = image;
	c->image_position = position;
	c->is_asked = false;
	c->retry_ms = 0;
	return true;
}

bool checkpoint_step(struct journal *j)
{
	struct checkpoints *c = j->checkpoints;
	if (c->write)
		return step_write(j);
	if (!take_waiting(j)) {
		ask(j);
		return false;
	}
	if (c->retry_ms > journal_now(j))
		return false;
	return step_write(j);
}

/* --- what the two refer to --- */

static int references_of(struct journal *j, uint32_t number,
			 void (*found)(void *found_context, uint64_t position), void *context)
{
	struct checkpoint_head head;
	struct room image;
	if (number == 0)
		return 0;
	int error = checkpoint_load(j->disk, j->store.store_id, number, true, &head, &image);
	if (error)
		return error;
	bool is_understood = j->hooks.references(j->hooks.context, span_of(image.ptr, image.len),
						 found, context);
	mem_free(image.ptr);
	return is_understood ? 0 : ERROR_DAMAGED;
}

int checkpoint_references(struct journal *j, void (*found)(void *found_context, uint64_t position),
			  void *found_context)
{
	int error = references_of(j, j->checkpoints->previous.number, found, found_context);
	return error ? error
		     : references_of(j, j->checkpoints->newest.number, found, found_context);
}
