/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log, read from a position to its end.
 *
 * Each segment is walked frame by frame up to where block 0 of the next says that it ended. Where
 * nothing valid stands before that, all the rest is searched once for what it vouches for:
 *
 *     vouched for     damage: told; on with the next record that names its own position
 *     not             torn: here the log ends
 */
#include "journal/recovery.h"

#include "base/mem.h"

#define END_UNKNOWN UINT64_MAX
/* A frame up to so long is brought to memory in one piece, not read twice. */
#define FRAME_AT_ONCE ((uint32_t)16 << 20)

static uint64_t position_here(const struct replay *r, uint64_t offset)
{
	return position_of(r->segments[r->index].number, offset);
}

static bool is_empty(const struct replay_segment *s)
{
	return s->has_head && !s->head.is_begun;
}

static bool is_begun(const struct replay_segment *s)
{
	return s->has_head && s->head.is_begun;
}

/* --- what is vouched for --- */

static int scan_of(struct replay *r, uint32_t index, struct scan *out)
{
	const struct replay_segment *s = &r->segments[index];
	return scan_open(out, r->disk, r->store_id, s->number, s->name, false);
}

/* Length of the file as it is or, when it was cut, as it was made; positions reach no further. */
static uint64_t made_bytes(const struct replay *r, const struct replay_segment *s)
{
	uint64_t made = s->has_head ? s->head.file_bytes : r->file_bytes_min;
	made = made > s->len ? made : s->len;
	return made < UINT32_MAX ? made : UINT32_MAX;
}

/* Everything from here to the last file. A file that is shorter than it was made has lost what
 * once was there: nobody can say that it was not vouched for. */
static int learn_durable(struct replay *r, uint64_t offset)
{
	if (r->knows_durable)
		return 0;
	for (uint32_t i = r->index; i < r->count; i++) {
		struct scan scan;
		const struct replay_segment *s = &r->segments[i];
		if (is_empty(s))
			continue;
		int error = scan_of(r, i, &scan);
		if (error)
			return error;
		uint64_t durable = scan_durable(&scan, i == r->index ? offset : 0);
		scan_release(&scan);
		if (s->len < made_bytes(r, s))
			durable = position_of(s->number, UINT32_MAX);
		if (durable > r->durable)
			r->durable = durable;
	}
	r->knows_durable = true;
	return 0;
}

static bool is_vouched(const struct replay *r, uint64_t position)
{
	return r->durable > position;
}

/* --- records --- */

static int deliver(struct replay *r, uint64_t position, struct span body)
{
	if (position <= r->after)
		return 0;
	r->records++;
	return r->record(r->context, position, body);
}

static int set_aside(struct replay *r, uint64_t from, uint64_t to)
{
	if (to <= r->after + 1)
		return 0;
	if (from <= r->after)
		from = r->after + 1;
	if (r->refuses)
		return ERROR_DAMAGED;
	const char *file = r->segments[r->index].name;
	return damage_add(r->damage, &r->scan, file, from, to);
}

/* All that is valid between two offsets, and what is not as damage. */
static int salvage(struct replay *r, uint64_t from, uint64_t to)
{
	uint64_t bad = END_UNKNOWN;
	uint64_t at = from;
	int error = 0;
	while (at < to && !error) {
		struct span body;
		if (!scan_record(&r->scan, at, to, &body)) {
			if (bad == END_UNKNOWN)
				bad = at;
			/* What was cut off need not be looked through. */
			at = at + LOG_ALIGN < r->scan.window.len ? at + LOG_ALIGN : to;
			continue;
		}
		if (bad != END_UNKNOWN)
			error = set_aside(r, position_here(r, bad), position_here(r, at));
		bad = END_UNKNOWN;
		/* Its bytes may have been moved by what showed the damage. */
		if (!error && scan_record(&r->scan, at, to, &body))
			error = deliver(r, position_here(r, at), body);
		at = scan_behind(at, body);
	}
	if (!error && bad != END_UNKNOWN)
		error = set_aside(r, position_here(r, bad), position_here(r, to));
	return error;
}

static int deliver_frame(struct replay *r, uint64_t offset, const struct frame_head *frame)
{
	uint64_t end = offset + FRAME_HEAD_BYTES + frame->payload_len;
	uint64_t at = offset + FRAME_HEAD_BYTES;
	struct span body;
	int error = 0;
	while (at < end && !error && scan_record(&r->scan, at, end, &body)) {
		error = deliver(r, position_here(r, at), body);
		at = scan_behind(at, body);
	}
	return error;
}

/* A frame whose header is valid. */
static int take_frame(struct replay *r, uint64_t offset, const struct frame_head *frame)
{
	int error;
	if (frame->payload_len <= FRAME_AT_ONCE)
		(void)window_at(&r->scan.window, offset, FRAME_HEAD_BYTES + frame->payload_len);
	if (scan_frame_is_whole(&r->scan, offset, frame)) {
		error = deliver_frame(r, offset, frame);
	} else {
		error = learn_durable(r, offset);
		if (!error && !is_vouched(r, position_here(r, offset))) {
			r->is_over = true;
			return 0;
		}
		if (!error)
			error = salvage(r, offset + FRAME_HEAD_BYTES,
					offset + FRAME_HEAD_BYTES + frame->payload_len);
	}
	if (frame->commit > r->commit)
		r->commit = frame->commit;
	r->end = position_here(r, offset + frame_bytes(frame->payload_len));
	return error;
}

/* --- segments --- */

/* Where a segment ended, by the next one's block 0; END_UNKNOWN: none says. */
static uint64_t known_end(const struct replay *r)
{
	uint32_t number = r->segments[r->index].number;
	for (uint32_t i = r->index + 1; i < r->count; i++) {
		if (!is_begun(&r->segments[i]))
			continue;
		uint64_t end = r->segments[i].head.previous_end;
		if (position_segment(end) == number)
			return position_offset(end);
		return position_segment(end) < number ? 0 : END_UNKNOWN;
	}
	return END_UNKNOWN;
}

/* The number of the first commit in a later segment; 0: none. */
static int next_commit(struct replay *r, uint64_t *out)
{
	*out = 0;
	for (uint32_t i = r->index + 1; i < r->count && *out == 0; i++) {
		struct scan scan;
		struct frame_head frame;
		if (is_empty(&r->segments[i]))
			continue;
		int error = scan_of(r, i, &scan);
		if (error)
			return error;
		uint64_t end = scan.window.len;
		if (scan_next_frame(&scan, SEGMENT_HEAD_BYTES, end, &frame) < end)
			*out = frame.commit;
		scan_release(&scan);
	}
	return 0;
}

/* Nothing valid at `offset`, and none to follow in this segment up to `end`; something later was
 * vouched for. Each commit has the next number: so it is known whether one is missing. */
static int rest_of_segment(struct replay *r, uint64_t offset, uint64_t end, uint64_t later_commit)
{
	if (later_commit == r->commit + 1)
		return 0;
	/* What came behind it was given up since. */
	if (later_commit > 0 && position_here(r, offset) < r->complete_from)
		return 0;
	r->end = position_here(r, end);
	return salvage(r, offset, end);
}

/* No frame begins at `offset`. Moves on to where the next one does, or ends the segment. */
static int step_over(struct replay *r, uint64_t *offset, uint64_t limit, uint64_t later_commit)
{
	struct frame_head frame;
	int error = learn_durable(r, *offset);
	if (error)
		return error;
	if (!is_vouched(r, position_here(r, *offset))) {
		r->is_over = true;
		return 0;
	}
	uint64_t next = scan_next_frame(&r->scan, *offset + DISK_BLOCK, limit, &frame);
	if (next >= limit)
		error = rest_of_segment(r, *offset, limit, later_commit);
	else
		error = salvage(r, *offset, next);
	*offset = next;
	return error;
}

/* The frame that holds the first wanted record, or the block where it should be. */
static uint64_t first_offset(struct replay *r, uint64_t limit)
{
	struct frame_head frame;
	uint64_t at = SEGMENT_HEAD_BYTES;
	if (position_segment(r->after) != r->segments[r->index].number)
		return at;
	uint64_t wanted = position_offset(r->after) / DISK_BLOCK * DISK_BLOCK;
	while (at < wanted && at < limit) {
		at = scan_next_frame(&r->scan, at, limit, &frame);
		if (at >= limit || at + frame_bytes(frame.payload_len) > wanted)
			break;
		r->commit = frame.commit;
		r->end = position_here(r, at + frame_bytes(frame.payload_len));
		at += frame_bytes(frame.payload_len);
	}
	return at > wanted || at >= limit ? wanted : at;
}

static int walk_segment(struct replay *r)
{
	uint64_t limit = known_end(r);
	bool is_known = limit != END_UNKNOWN;
	struct frame_head frame;
	int error = 0;
	uint64_t later_commit = 0;
	if (!is_known) {
		limit = made_bytes(r, &r->segments[r->index]);
		error = next_commit(r, &later_commit);
	}
	uint64_t at = first_offset(r, limit);
	while (at < limit && !r->is_over && !error) {
		if (!scan_frame(&r->scan, at, &frame)) {
			error = step_over(r, &at, limit, later_commit);
			continue;
		}
		/* It failed or was torn, and was done again elsewhere. */
		if (later_commit > 0 && frame.commit >= later_commit)
			return 0;
		error = take_frame(r, at, &frame);
		at += frame_bytes(frame.payload_len);
	}
	return error;
}

/* Block 0 is not there as it should be. Torn together with the first frame, or damaged. */
static int walk_headless(struct replay *r)
{
	int error = learn_durable(r, 0);
	if (error)
		return error;
	if (!is_vouched(r, position_here(r, 0))) {
		r->is_over = true;
		return 0;
	}
	error = set_aside(r, position_here(r, 0), position_here(r, SEGMENT_HEAD_BYTES));
	return error ? error : walk_segment(r);
}

/* A segment that the next one names as the one before it is not there. */
static int check_chain(struct replay *r)
{
	const struct replay_segment *s = &r->segments[r->index];
	char name[DISK_NAME_MAX];
	uint64_t from = r->end > r->complete_from ? r->end : r->complete_from + 1;
	if (!is_begun(s) || s->head.previous_end <= from)
		return 0;
	for (uint32_t i = 0; i < r->index; i++)
		if (r->segments[i].number == position_segment(s->head.previous_end))
			return 0;
	if (r->refuses)
		return ERROR_DAMAGED;
	file_name(name, FILE_SEGMENT, position_segment(s->head.previous_end));
	return damage_add(r->damage, NULL, name, from, position_of(s->number, 0));
}

static int replay_segment(struct replay *r)
{
	const struct replay_segment *s = &r->segments[r->index];
	if (is_empty(s) || known_end(r) == 0)
		return 0;
	int error = check_chain(r);
	if (error)
		return error;
	error = scan_open(&r->scan, r->disk, r->store_id, s->number, s->name, false);
	if (error)
		return error;
	error = is_begun(s) ? walk_segment(r) : walk_headless(r);
	scan_release(&r->scan);
	return error;
}

/* Lengths and block 0 of each, as they stand on the medium. */
static int look_at_segments(struct replay *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		struct replay_segment *s = &r->segments[i];
		struct scan scan;
		file_name(s->name, FILE_SEGMENT, s->number);
		int error = scan_open(&scan, r->disk, r->store_id, s->number, s->name, r->sync);
		if (error)
			return error;
		s->len = scan.window.len;
		s->has_head = scan.has_head;
		s->head = scan.head;
		scan_release(&scan);
	}
	return 0;
}

/* The checkpoint vouches for its own record; if no file goes so far, all of it is gone. */
static int check_reach(struct replay *r)
{
	char name[DISK_NAME_MAX];
	if (r->after == 0 || r->end > r->after)
		return 0;
	if (r->refuses)
		return ERROR_DAMAGED;
	uint32_t segment = position_segment(r->after);
	file_name(name, FILE_SEGMENT, segment);
	r->end = round_up(r->after + RECORD_HEAD_BYTES, DISK_BLOCK);
	return damage_add(r->damage, NULL, name, r->after + 1, position_of(segment, UINT32_MAX));
}

int replay_run(struct replay *r)
{
	int error = look_at_segments(r);
	if (r->durable <= r->after && r->after > 0)
		r->durable = r->after + 1;
	for (r->index = 0; r->index < r->count && !error && !r->is_over; r->index++)
		error = replay_segment(r);
	return error ? error : check_reach(r);
}

void replay_release(struct replay *r)
{
	mem_free(r->segments);
	r->segments = NULL;
	r->count = 0;
}

/* --- behind the end --- */

/* The header's block with zeros in it: the rest of the frame says nothing without it. */
static int wipe_frame(struct disk_file *file, uint64_t offset)
{
	static const uint8_t zeros[DISK_BLOCK] __attribute__((aligned(DISK_BLOCK)));
	struct span part = span_of(zeros, sizeof(zeros));
	return file->ops->write(file, &part, 1, offset);
}

static int wipe_frames(struct scan *scan, struct disk_file *file, uint64_t offset)
{
	struct frame_head frame;
	uint64_t end = scan->window.len;
	bool has_wiped = false;
	while ((offset = scan_next_frame(scan, offset, end, &frame)) < end) {
		int error = wipe_frame(file, offset);
		if (error)
			return error;
		has_wiped = true;
		offset += DISK_BLOCK;
	}
	return has_wiped ? file->ops->sync(file) : 0;
}

int replay_wipe(struct replay *r)
{
	struct disk_file *file;
	struct scan scan;
	for (r->index = 0; r->index < r->count; r->index++)
		if (r->segments[r->index].number == position_segment(r->end))
			break;
	if (r->index == r->count)
		return 0;
	int error = scan_of(r, r->index, &scan);
	if (error)
		return error;
	error = r->disk->ops->open(r->disk, r->segments[r->index].name, DISK_WRITE, &file);
	if (!error) {
		error = wipe_frames(&scan, file, position_offset(r->end));
		file->ops->close(file);
	}
	scan_release(&scan);
	return error;
}
