/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying what is still wanted of segments that are mostly garbage.
 *
 *     choose a run of neighbours -> their live positions, sorted -> copy, piece by piece ->
 *     index, head -> synced -> named -> names synced -> readers see it -> originals recycled
 *
 * What is live is judged by both checkpoints: too much at worst. A run in which a live record is
 * damaged is left alone, so that what is left of it can be looked at.
 */
#include "journal/compact.h"

#include "base/hash.h"
#include "base/mem.h"
#include "journal/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>

#define BUFFER_BYTES ((size_t)256 << 10) /* one write; also a step's work */
#define SEGMENTS_FEW 2                   /* so much garbage is left where it is */
#define RETRY_MS 1000

struct compaction {
	/* The run; all are below the previous checkpoint. */
	struct segment **run;
	struct compacted **olds; /* what they stood in before */
	uint32_t count;
	uint64_t *positions; /* ascending */
	uint64_t *offsets;   /* where each went */
	size_t position_count, position_capacity;
	size_t next; /* to be copied */
	int error;
	/* From. */
	struct scan scan;
	bool is_open;
	uint8_t *body;
	size_t body_capacity;
	/* To. */
	struct disk_file *file;
	char name[DISK_NAME_MAX];
	char tmp[DISK_NAME_MAX];
	uint8_t *buffer;
	size_t len;
	uint64_t offset;        /* of the buffer's start */
	struct compacted *made; /* named and synced, waits for readers to leave */
	uint64_t started_ms;
	uint64_t retry_ms;
};

static struct compaction *compaction_of(struct journal *j)
{
	if (!j->compaction)
		j->compaction = mem_zalloc(sizeof(*j->compaction));
	return j->compaction;
}

static void forget_run(struct compaction *c)
{
	uint64_t retry_ms = c->retry_ms;
	if (c->is_open)
		scan_release(&c->scan);
	if (c->file)
		c->file->ops->close(c->file);
	mem_free(c->run);
	mem_free(c->olds);
	mem_free(c->positions);
	mem_free(c->offsets);
	mem_free(c->body);
	mem_free(c->buffer);
	*c = (struct compaction){.retry_ms = retry_ms};
}

static void unuse_in_memory(struct compacted *c)
{
	if (c && --c->users == 0)
		compacted_free(c);
}

void compact_release(struct journal *j)
{
	struct compaction *c = j->compaction;
	for (uint32_t i = 0; i < j->segments.count; i++)
		unuse_in_memory(j->segments.all[i]->compacted);
	if (!c)
		return;
	compacted_free(c->made);
	forget_run(c);
	mem_free(c);
	j->compaction = NULL;
}

static void other_bytes(struct journal *j, uint64_t more, uint64_t less)
{
	pthread_mutex_lock(&j->lock);
	j->room.other_bytes += more;
	j->room.other_bytes -= less;
	pthread_mutex_unlock(&j->lock);
}

void compact_unuse(struct journal *j, struct compacted *c)
{
	char name[DISK_NAME_MAX];
	if (!c || --c->users > 0)
		return;
	file_name(name, FILE_COMPACTED, c->head.first);
	other_bytes(j, 0, c->bytes);
	if (!c->is_replaced && j->disk->ops->remove(j->disk, name) != 0)
		journal_say(j, true, "cannot remove %s, which is not needed any more", name);
	compacted_free(c);
}

/* --- which --- */

/* A copy is weighed as a whole: segments of it of which nothing is wanted are not in the table any
 * more, but take their room in it. */
static bool is_worth_it(const struct segment *s)
{
	const struct compacted *c = s->compacted;
	if (c)
		return c->live_bytes * 2 < c->head.records_end - COMPACTED_HEAD_BYTES;
	return s->live_bytes * 2 < s->end;
}

/* May it go along with `live` bytes of neighbours? A copy does not pay if it is much larger than
 * they are: it would be copied again and again. */
static bool may_join(const struct journal *j, const struct segment *s, uint64_t live)
{
	if (!weigh_is_old(j, s) || s->keeps_damage || live + s->live_bytes > j->store.segment_bytes)
		return false;
	return is_worth_it(s) || (s->state == SEGMENT_COMPACTED && s->live_bytes <= 2 * live);
}

/* A copy is named after its first segment. A removed copy that a power cut has brought back may
 * hold that segment beside another, which has the name and is the only one to hold its others. */
static bool is_name_taken(const struct journal *j, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < j->segments.count; i++) {
		const struct compacted *c = j->segments.all[i]->compacted;
		if ((i < from || i >= to) && c && c->head.first == j->segments.all[from]->number)
			return true;
	}
	return false;
}

/* The first run of neighbours of which one is worth it: [*from, *to) of the table. */
static bool find_run(const struct journal *j, uint32_t *from, uint32_t *to)
{
	for (uint32_t i = 0; i < j->segments.count; i++) {
		const struct segment *s = j->segments.all[i];
		/* In this order: what is not old may be the committer's. */
		if (!may_join(j, s, 0) || !is_worth_it(s) || weigh_is_inside_copy(j, i))
			continue;
		uint64_t live = 0;
		uint32_t end = i;
		while (end < j->segments.count &&
		       (may_join(j, j->segments.all[end], live) || weigh_is_inside_copy(j, end)))
			live += j->segments.all[end++]->live_bytes;
		/* Not half of a copy. */
		while (end > i && end < j->segments.count && weigh_is_inside_copy(j, end))
			end--;
		if (end == i || is_name_taken(j, i, end))
			continue;
		*from = i;
		*to = end;
		return true;
	}
	return false;
}

/* --- what is live in it --- */

static void note_position(void *context, uint64_t position)
{
	struct compaction *c = context;
	uint32_t number = position_segment(position);
	if (c->error || number < c->run[0]->number || number > c->run[c->count - 1]->number)
		return;
	if (c->position_count == c->position_capacity) {
		size_t capacity = c->position_capacity ? 2 * c->position_capacity : 1024;
		uint64_t *more = mem_realloc(c->positions, capacity * sizeof(*more));
		if (!more) {
			c->error = ERROR_NO_MEMORY;
			return;
		}
		c->positions = more;
		c->position_capacity = capacity;
	}
	c->positions[c->position_count++] = position;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static int collect(struct journal *j, struct compaction *c)
{
	int error = checkpoint_references(j, note_position, c);
	if (!error)
		error = c->error;
	if (error)
		return error;
	size_t kept = 0;
	if (c->position_count > 0)
		qsort(c->positions, c->position_count, sizeof(*c->positions), compare);
	for (size_t i = 0; i < c->position_count; i++)
		if (kept == 0 || c->positions[kept - 1] != c->positions[i])
			c->positions[kept++] = c->positions[i];
	c->position_count = kept;
	c->offsets = mem_alloc((kept + 1) * sizeof(*c->offsets));
	return c->offsets ? 0 : ERROR_NO_MEMORY;
}

static int begin(struct journal *j, struct compaction *c, uint32_t from, uint32_t to)
{
	uint32_t count = to - from;
	c->run = mem_alloc(count * sizeof(struct segment *));
	c->olds = mem_zalloc(count * sizeof(struct compacted *));
	c->buffer = mem_alloc(BUFFER_BYTES);
	if (!c->run || !c->olds || !c->buffer)
		return ERROR_NO_MEMORY;
	memcpy(c->run, j->segments.all + from, count * sizeof(struct segment *));
	c->count = count;
	int error = collect(j, c);
	if (error)
		return error;
	c->started_ms = journal_now(j);
	c->offset = COMPACTED_HEAD_BYTES;
	file_name(c->name, FILE_COMPACTED, c->run[0]->number);
	snprintf(c->tmp, sizeof(c->tmp), "%.48s.tmp", c->name);
	return j->disk->ops->open(j->disk, c->tmp, DISK_WRITE, &c->file);
}

/* --- copying --- */

static int flush(struct journal *j, struct compaction *c)
{
	struct span part = span_of(c->buffer, c->len);
	if (c->len == 0)
		return 0;
	int error = c->file->ops->write(c->file, &part, 1, c->offset);
	atomic_fetch_add_explicit(&j->counters.written_bytes, c->len, memory_order_relaxed);
	c->offset += c->len;
	c->len = 0;
	return error;
}

static int put(struct journal *j, struct compaction *c, struct span bytes)
{
	int error = 0;
	while (bytes.len > 0 && !error) {
		size_t piece = BUFFER_BYTES - c->len;
		piece = piece > bytes.len ? bytes.len : piece;
		memcpy(c->buffer + c->len, bytes.ptr, piece);
		c->len += piece;
		bytes = span_of(bytes.ptr + piece, bytes.len - piece);
		if (c->len == BUFFER_BYTES)
			error = flush(j, c);
	}
	return error;
}

static int put_zeros(struct journal *j, struct compaction *c, size_t len)
{
	static const uint8_t zeros[DISK_BLOCK];
	ASSERT(len <= sizeof(zeros));
	return put(j, c, span_of(zeros, len));
}

static int read_body(struct journal *j, struct compaction *c, uint64_t position, struct span *out)
{
	struct segment *s = segments_find(j, position_segment(position));
	if (!s)
		return ERROR_DAMAGED;
	if (s->state == SEGMENT_COMPACTED)
		return compact_read(j, s, position, &c->body, &c->body_capacity, out);
	if (!c->is_open || c->scan.number != s->number) {
		char name[DISK_NAME_MAX];
		if (c->is_open)
			scan_release(&c->scan);
		file_name(name, FILE_SEGMENT, s->number);
		int error = scan_open(&c->scan, j->disk, j->store.store_id, s->number, name, false);
		c->is_open = !error;
		if (error)
			return error;
	}
	return scan_record(&c->scan, position_offset(position), s->end, out) ? 0 : ERROR_DAMAGED;
}

static int copy_record(struct journal *j, struct compaction *c)
{
	uint8_t head[RECORD_HEAD_BYTES];
	struct span body;
	uint64_t position = c->positions[c->next];
	int error = read_body(j, c, position, &body);
	if (error)
		return error;
	record_head_encode(head, j->store.store_id, position, body);
	c->offsets[c->next++] = c->offset + c->len;
	error = put(j, c, span_of(head, sizeof(head)));
	if (!error)
		error = put(j, c, body);
	size_t padding = (size_t)(record_bytes(body.len) - RECORD_HEAD_BYTES - body.len);
	if (!error)
		error = put_zeros(j, c, padding);
	atomic_fetch_add(&j->counters.copied_bytes, record_bytes(body.len));
	return error;
}

static int copy_piece(struct journal *j, struct compaction *c)
{
	uint64_t end = c->offset + BUFFER_BYTES;
	int error = 0;
	while (c->next < c->position_count && c->offset < end && !error)
		error = copy_record(j, c);
	return error;
}

static int put_index(struct journal *j, struct compaction *c, uint64_t *hash_out)
{
	uint8_t block[DISK_BLOCK];
	uint64_t hash = 0;
	int error = 0;
	for (size_t i = 0; i < c->position_count && !error;) {
		size_t len = 0;
		for (; len < sizeof(block) && i < c->position_count; i++) {
			store_le64(block + len, c->positions[i]);
			store_le64(block + len + 8, c->offsets[i]);
			len += INDEX_ENTRY_BYTES;
		}
		hash = hash_bytes(span_of(block, len), hash);
		error = put(j, c, span_of(block, len));
	}
	*hash_out = hash;
	return error;
}

static int write_end(struct journal *j, struct compaction *c)
{
	uint8_t block[COMPACTED_HEAD_BYTES];
	struct compacted_head head = {
		.store_id = j->store.store_id,
		.first = c->run[0]->number,
		.last = c->run[c->count - 1]->number,
		.count = c->position_count,
		.records_end = c->offset + c->len,
		.index_at = round_up(c->offset + c->len, DISK_BLOCK),
	};
	int error = put_zeros(j, c, (size_t)(head.index_at - head.records_end));
	if (!error)
		error = put_index(j, c, &head.index_hash);
	if (!error)
		error = flush(j, c);
	compacted_head_encode(block, &head);
	struct span part = span_of(block, sizeof(block));
	if (!error)
		error = c->file->ops->write(c->file, &part, 1, 0);
	return error ? error : c->file->ops->sync(c->file);
}

/* --- in the place of the originals --- */

/* Read back and verified before any original goes. */
static int finish(struct journal *j, struct compaction *c)
{
	int error = write_end(j, c);
	if (!error)
		error = compacted_open(j->disk, j->store.store_id, c->tmp, c->run[0]->number,
				       &c->made, NULL, NULL);
	if (!error)
		error = j->disk->ops->rename(j->disk, c->tmp, c->name);
	if (!error)
		error = j->disk->ops->sync_names(j->disk);
	if (error)
		return error;
	other_bytes(j, c->made->bytes, 0);
	return 0;
}

static bool has_readers(const struct compaction *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (c->run[i]->readers > 0)
			return true;
	return false;
}

static void count_copy(struct compaction *c, struct segment *s)
{
	s->records = s->record_bytes = 0;
	for (size_t i = 0; i < c->position_count; i++) {
		if (position_segment(c->positions[i]) != s->number)
			continue;
		uint64_t end =
			i + 1 < c->position_count ? c->offsets[i + 1] : c->made->head.records_end;
		s->records++;
		s->record_bytes += end - c->offsets[i];
	}
}

/* From now on readers find the copy. False: somebody reads an original. */
static bool replace(struct journal *j, struct compaction *c)
{
	pthread_mutex_lock(&j->lock);
	if (has_readers(c)) {
		pthread_mutex_unlock(&j->lock);
		return false;
	}
	for (uint32_t i = 0; i < c->count; i++) {
		struct segment *s = c->run[i];
		c->olds[i] = s->compacted;
		s->compacted = c->made;
		s->state = SEGMENT_COMPACTED;
		s->in_copy = false;
		c->made->users++;
	}
	pthread_mutex_unlock(&j->lock);
	return true;
}

/* The originals go; those that are being read already go with a later reclaim_step. */
static bool step_replace(struct journal *j, struct compaction *c)
{
	if (!replace(j, c))
		return false;
	for (uint32_t i = 0; i < c->count; i++) {
		count_copy(c, c->run[i]);
		if (c->olds[i])
			c->olds[i]->is_replaced |= c->olds[i]->head.first == c->made->head.first;
		compact_unuse(j, c->olds[i]);
		if (c->run[i]->bytes > 0)
			(void)segment_recycle(j, c->run[i]);
	}
	c->made = NULL;
	forget_run(c);
	return true;
}

static void give_up(struct journal *j, struct compaction *c, int error)
{
	for (uint32_t i = 0; i < c->count; i++) {
		c->run[i]->in_copy = false;
		c->run[i]->keeps_damage |= error == ERROR_DAMAGED;
	}
	if (error == ERROR_DAMAGED) {
		atomic_fetch_add(&j->counters.damaged_records, 1);
		journal_say(j, true,
			    "a record that is still wanted is damaged in segment %u or up "
			    "to %u; they are kept as they are",
			    c->run[0]->number, c->run[c->count - 1]->number);
	} else {
		atomic_fetch_add(&j->counters.write_errors, 1);
		journal_say(j, true, "segments could not be compacted: %s", error_text(error));
	}
	if (c->tmp[0])
		(void)!j->disk->ops->remove(j->disk, c->tmp);
	compacted_free(c->made);
	c->made = NULL;
	c->retry_ms = journal_now(j) + RETRY_MS;
	if (error == ERROR_FULL && segments_drop_spare(j))
		c->retry_ms = 0;
	forget_run(c);
}

static bool start(struct journal *j, struct compaction *c)
{
	uint64_t old, live;
	uint32_t from, to;
	uint64_t few = SEGMENTS_FEW * (uint64_t)j->store.segment_bytes;
	if (!j->checkpoints->is_known || c->retry_ms > journal_now(j))
		return false;
	if (weigh_step(j))
		return true;
	weigh(j, &old, &live);
	bool is_wanted = old > 2 * live + few || j->room.is_scarce;
	if (!is_wanted || !find_run(j, &from, &to))
		return false;
	int error = begin(j, c, from, to);
	for (uint32_t i = 0; i < c->count && !error; i++)
		c->run[i]->in_copy = true;
	if (error)
		give_up(j, c, error);
	return true;
}

static bool is_throttled(struct journal *j, const struct compaction *c)
{
	uint64_t rate = j->options.copy_bytes_per_s;
	if (rate == 0 || j->room.is_scarce)
		return false;
	uint64_t passed_ms = journal_now(j) - c->started_ms;
	return c->offset > rate * passed_ms / 1000 + BUFFER_BYTES;
}

bool compact_step(struct journal *j)
{
	if (reclaim_step(j))
		return true;
	struct compaction *c = compaction_of(j);
	if (!c)
		return false;
	if (c->count == 0)
		return start(j, c);
	if (c->made)
		return step_replace(j, c);
	if (is_throttled(j, c))
		return false;
	int error = copy_piece(j, c);
	if (!error && c->next == c->position_count)
		error = finish(j, c);
	if (error)
		give_up(j, c, error);
	return true;
}
