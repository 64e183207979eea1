/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store looked at from outside: its files, its images, and its records, oldest first. It may be
 * in use meanwhile: what its journal has not finished writing looks like a torn tail and is passed
 * over.
 */
#include "base/mem.h"
#include "journal/compact.h"
#include "journal/recovery.h"

#include <stdio.h>
#include <stdlib.h>

struct file {
	enum file_kind kind;
	uint32_t number;
};

struct survey {
	struct disk *disk;
	const struct journal_survey *to;
	struct store_facts store;
	struct file *files; /* by number */
	uint32_t count, capacity;
	int error;
	uint64_t oldest_image; /* position of the oldest checkpoint that is whole */
	/* Records of copies, given between those of segments. */
	struct scan copy; /* of the one at `copy_index` */
	struct compacted_head copy_head;
	bool is_open;
	uint32_t copy_index;
	uint64_t copy_offset;
};

static void found(void *context, const char *name)
{
	struct survey *s = context;
	uint32_t number;
	enum file_kind kind = file_name_parse(name, &number);
	if (s->error || kind == FILE_OTHER)
		return;
	if (s->count == s->capacity) {
		uint32_t capacity = s->capacity ? 2 * s->capacity : 16;
		struct file *files = mem_realloc(s->files, capacity * sizeof(*files));
		if (!files) {
			s->error = ERROR_NO_MEMORY;
			return;
		}
		s->files = files;
		s->capacity = capacity;
	}
	s->files[s->count++] = (struct file){kind, number};
}

static int by_number(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	return (x->number > y->number) - (x->number < y->number);
}

static int read_facts(struct survey *s)
{
	struct window w;
	int error = window_open(&w, s->disk, FORMAT_FILE, false);
	if (error)
		return error;
	const uint8_t *text = w.len < FORMAT_TEXT_MAX ? window_at(&w, 0, (size_t)w.len) : NULL;
	error = text ? store_facts_decode(span_of(text, (size_t)w.len), &s->store) : ERROR_DAMAGED;
	window_release(&w);
	return error;
}

/* --- files --- */

static void weigh_frames(struct scan *scan, struct journal_segment *out)
{
	struct frame_head frame;
	uint64_t at = SEGMENT_HEAD_BYTES;
	while ((at = scan_next_frame(scan, at, scan->window.len, &frame)) < scan->window.len) {
		out->frames++;
		out->records += frame.records;
		out->record_bytes += frame.payload_len;
		at += frame_bytes(frame.payload_len);
		out->to = position_of(scan->number, at);
	}
}

static int show_copy(struct survey *s, const struct file *f, struct journal_segment *out)
{
	struct compacted *c;
	int error =
		compacted_open(s->disk, s->store.store_id, out->name, f->number, &c, NULL, NULL);
	out->is_compacted = true;
	if (error == ERROR_DAMAGED)
		return 0;
	if (error)
		return error;
	out->file_bytes = c->bytes;
	out->from = position_of(c->head.first, 0);
	out->to = position_of(c->head.last + 1, 0);
	out->records = c->head.count;
	out->record_bytes = c->head.records_end - COMPACTED_HEAD_BYTES;
	compacted_free(c);
	return 0;
}

static int show_file(struct survey *s, const struct file *f)
{
	struct journal_segment out = {.is_spare = f->kind == FILE_SPARE};
	struct scan scan;
	int error;
	if (f->kind == FILE_CHECKPOINT || !s->to->segment)
		return 0;
	file_name(out.name, f->kind, f->number);
	if (f->kind == FILE_COMPACTED) {
		error = show_copy(s, f, &out);
	} else {
		error = scan_open(&scan, s->disk, s->store.store_id, f->number, out.name, false);
		if (error)
			return error == ERROR_NOT_FOUND ? 0 : error;
		out.file_bytes = scan.window.len;
		out.from = out.to =
			f->kind == FILE_SEGMENT ? position_of(f->number, SEGMENT_HEAD_BYTES) : 0;
		if (f->kind == FILE_SEGMENT)
			weigh_frames(&scan, &out);
		scan_release(&scan);
	}
	if (error == ERROR_NOT_FOUND)
		return 0;
	if (!error)
		s->to->segment(s->to->context, &out);
	return error;
}

static int show_image(struct survey *s, const struct file *f)
{
	struct checkpoint_head head = {0};
	struct room image = {NULL, 0};
	char name[DISK_NAME_MAX];
	if (f->kind != FILE_CHECKPOINT)
		return 0;
	file_name(name, FILE_CHECKPOINT, f->number);
	int error = checkpoint_load(s->disk, s->store.store_id, f->number, false, &head, &image);
	if (error == ERROR_NOT_FOUND)
		return 0;
	if (error && error != ERROR_DAMAGED)
		return error;
	if (!error && (s->oldest_image == 0 || head.position < s->oldest_image))
		s->oldest_image = head.position;
	if (s->to->image)
		s->to->image(s->to->context, name, head.position, span_of(image.ptr, image.len),
			     !error);
	mem_free(image.ptr);
	return 0;
}

/* --- records --- */

static bool open_copy(struct survey *s)
{
	char name[DISK_NAME_MAX];
	const struct file *f = &s->files[s->copy_index];
	if (f->kind != FILE_COMPACTED)
		return false;
	file_name(name, FILE_COMPACTED, f->number);
	if (scan_open(&s->copy, s->disk, s->store.store_id, f->number, name, false) != 0)
		return false;
	const uint8_t *head = window_at(&s->copy.window, 0, COMPACTED_HEAD_BYTES);
	s->is_open =
		head && compacted_head_decode(head, s->store.store_id, f->number, &s->copy_head);
	s->copy_offset = COMPACTED_HEAD_BYTES;
	if (!s->is_open)
		scan_release(&s->copy);
	return s->is_open;
}

/* The record at the offset says itself which position it has. */
static bool copied_record(struct survey *s, uint64_t *position_out, struct span *body_out)
{
	uint32_t len;
	struct window *w = &s->copy.window;
	const uint8_t *bytes = window_at(w, s->copy_offset, RECORD_HEAD_BYTES);
	if (!bytes)
		return false;
	uint64_t position = load_le64(bytes + 8);
	if (!record_head_peek(bytes, position, &len))
		return false;
	bytes = window_at(w, s->copy_offset, RECORD_HEAD_BYTES + (size_t)len);
	if (!bytes || !record_is_valid(span_of(bytes, RECORD_HEAD_BYTES + (size_t)len),
				       s->store.store_id, position))
		return false;
	*position_out = position;
	*body_out = span_of(bytes + RECORD_HEAD_BYTES, len);
	return true;
}

static void tell_copy_damage(struct survey *s, uint64_t from_offset)
{
	char name[DISK_NAME_MAX];
	struct journal_damage damage = {.from = position_of(s->copy_head.first, 0),
					.to = position_of(s->copy_head.last + 1, 0),
					.file = name};
	size_t len = (size_t)(s->copy_offset - from_offset);
	const uint8_t *bytes = window_at(&s->copy.window, from_offset, len);
	file_name(name, FILE_COMPACTED, s->copy_head.first);
	damage.remains = bytes ? span_of(bytes, len) : SPAN_NONE;
	if (s->to->damage)
		s->to->damage(s->to->context, &damage);
}

/* Records of the open copy that stand before `position`. False: it has no more. */
static bool give_copied(struct survey *s, uint64_t position)
{
	uint64_t bad = 0, end = s->copy_head.records_end;
	end = end < s->copy.window.len ? end : s->copy.window.len;
	while (s->copy_offset < end) {
		uint64_t at;
		struct span body;
		if (!copied_record(s, &at, &body)) {
			bad = bad ? bad : s->copy_offset;
			s->copy_offset += LOG_ALIGN;
			continue;
		}
		if (bad) {
			tell_copy_damage(s, bad);
			bad = 0;
			continue;
		}
		if (at >= position)
			return true;
		if (s->to->record)
			s->to->record(s->to->context, at, body);
		s->copy_offset += record_bytes(body.len);
	}
	if (bad)
		tell_copy_damage(s, bad);
	return false;
}

static void give_copies(struct survey *s, uint64_t position)
{
	while (s->copy_index < s->count) {
		if (!s->is_open && s->files[s->copy_index].number > position_segment(position))
			return;
		if ((s->is_open || open_copy(s)) && give_copied(s, position))
			return;
		if (s->is_open)
			scan_release(&s->copy);
		s->is_open = false;
		s->copy_index++;
	}
}

static int give_record(void *context, uint64_t position, struct span body)
{
	struct survey *s = context;
	give_copies(s, position);
	if (s->to->record)
		s->to->record(s->to->context, position, body);
	return 0;
}

static int give_damage(void *context, const struct journal_damage *damage)
{
	struct survey *s = context;
	if (s->to->damage)
		s->to->damage(s->to->context, damage);
	return 0;
}

/* Not one whose name came back after its file had become another's. */
static bool is_segment(struct survey *s, const struct file *f)
{
	struct scan scan;
	struct segment_head head;
	char name[DISK_NAME_MAX];
	if (f->kind != FILE_SEGMENT)
		return false;
	file_name(name, FILE_SEGMENT, f->number);
	if (scan_open(&scan, s->disk, s->store.store_id, f->number, name, false) != 0)
		return false;
	const uint8_t *block = window_at(&scan.window, 0, SEGMENT_HEAD_BYTES);
	bool is_other = block && segment_head_decode(block, &head) && head.number != f->number;
	scan_release(&scan);
	return !is_other;
}

static int give_records(struct survey *s)
{
	struct damage_log damage = {.disk = s->disk, .tell = give_damage, .context = s};
	struct replay replay = {
		.disk = s->disk,
		.store_id = s->store.store_id,
		.file_bytes_min = s->store.segment_bytes,
		.complete_from = s->oldest_image,
		.context = s,
		.record = give_record,
		.damage = &damage,
	};
	replay.segments = mem_zalloc((s->count + 1) * sizeof(*replay.segments));
	if (!replay.segments)
		return ERROR_NO_MEMORY;
	for (uint32_t i = 0; i < s->count; i++)
		if (is_segment(s, &s->files[i]))
			replay.segments[replay.count++].number = s->files[i].number;
	int error = replay_run(&replay);
	replay_release(&replay);
	buffer_release(&damage.lines);
	give_copies(s, UINT64_MAX);
	if (s->is_open) /* a record in it calls itself the last of all */
		scan_release(&s->copy);
	return error;
}

static int survey_all(struct survey *s)
{
	int error = read_facts(s);
	if (!error)
		error = s->disk->ops->list(s->disk, found, s);
	if (!error)
		error = s->error;
	if (!error && s->count > 0)
		qsort(s->files, s->count, sizeof(*s->files), by_number);
	for (uint32_t i = 0; i < s->count && !error; i++)
		error = show_file(s, &s->files[i]);
	for (uint32_t i = 0; i < s->count && !error; i++)
		error = show_image(s, &s->files[i]);
	return error ? error : give_records(s);
}

int journal_survey(struct disk *disk, const struct journal_survey *survey,
		   char reason[JOURNAL_REASON_MAX])
{
	struct survey s = {.disk = disk, .to = survey};
	int error = survey_all(&s);
	if (error == ERROR_NOT_FOUND)
		snprintf(reason, JOURNAL_REASON_MAX,
			 "This is not a journal: there is no file " FORMAT_FILE ".");
	else if (error == ERROR_LIMIT)
		snprintf(reason, JOURNAL_REASON_MAX,
			 "This journal was written by a newer version (format %u).",
			 s.store.version);
	else if (error)
		snprintf(reason, JOURNAL_REASON_MAX, "The journal cannot be read: %s.",
			 error_text(error));
	mem_free(s.files);
	return error;
}
