/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of what lies below the previous checkpoint is still wanted: references are known from
 * the two images, lengths only on average.
 */
#include "journal/checkpoint.h"
#include "journal/compact.h"

/* Of each segment's beginning, to know what its records are like. */
#define SAMPLE_BYTES ((uint64_t)1 << 20)

/* Frames of a segment that recovery did not read, from its beginning: enough to know what its records
 * are like. */
static uint64_t sample(struct scan *scan, struct segment *s)
{
	struct frame_head frame;
	uint64_t at = SEGMENT_HEAD_BYTES;
	while (at - SEGMENT_HEAD_BYTES < SAMPLE_BYTES &&
	       (at = scan_next_frame(scan, at, s->end, &frame)) < s->end) {
		s->records += frame.records;
		s->record_bytes += frame.payload_len;
		at += frame_bytes(frame.payload_len);
	}
	return at - SEGMENT_HEAD_BYTES;
}

static void measure(struct journal *j, struct segment *s)
{
	char name[DISK_NAME_MAX];
	struct scan scan;
	file_name(name, FILE_SEGMENT, s->number);
	if (s->end > SEGMENT_HEAD_BYTES &&
	    scan_open(&scan, j->disk, j->store.store_id, s->number, name, false) == 0) {
		uint64_t seen = sample(&scan, s), all = s->end - SEGMENT_HEAD_BYTES;
		scan_release(&scan);
		if (seen > 0 && seen < all) {
			s->records = s->records * all / seen;
			s->record_bytes = s->record_bytes * all / seen;
		}
	}
	/* Nobody knows: all of it is wanted, if anything is. */
	if (s->records == 0) {
		s->records = 1;
		s->record_bytes = s->end + 1;
	}
}

/* Estimated: references are known, lengths only on average. Each is counted for both images. */
static uint64_t live_bytes(const struct segment *s)
{
	uint64_t records = (s->live_records + 1) / 2;
	if (s->records == 0 || records >= s->records)
		return s->record_bytes;
	return records * (s->record_bytes / s->records + 1);
}

bool weigh_is_old(const struct journal *j, const struct segment *s)
{
	return s->number < position_segment(checkpoint_floor(j)) &&
	       (s->state == SEGMENT_SEALED || s->state == SEGMENT_FAILED ||
		s->state == SEGMENT_COMPACTED);
}

bool weigh_is_inside_copy(const struct journal *j, uint32_t index)
{
	const struct segment *s = j->segments.all[index];
	return index > 0 && s->compacted && j->segments.all[index - 1]->compacted == s->compacted;
}

static struct segment *unmeasured(const struct journal *j)
{
	for (uint32_t i = 0; i < j->segments.count; i++) {
		struct segment *s = j->segments.all[i];
		if (weigh_is_old(j, s) && s->state != SEGMENT_COMPACTED && s->records == 0)
			return s;
	}
	return NULL;
}

void weigh(struct journal *j, uint64_t *old_out, uint64_t *live_out)
{
	uint64_t behind = 0;
	*old_out = *live_out = 0;
	for (uint32_t i = 0; i < j->segments.count; i++)
		if (j->segments.all[i]->compacted)
			j->segments.all[i]->compacted->live_bytes = 0;
	for (uint32_t i = 0; i < j->segments.count; i++) {
		struct segment *s = j->segments.all[i];
		bool is_ready = s->number > position_segment(atomic_load(&j->written_end));
		if (is_ready)
			continue;
		if (!weigh_is_old(j, s)) {
			behind += s->bytes;
			continue;
		}
		*old_out += s->bytes;
		if (s->compacted && !weigh_is_inside_copy(j, i))
			*old_out += s->compacted->bytes;
		s->live_bytes = live_bytes(s);
		if (s->compacted)
			s->compacted->live_bytes += s->live_bytes;
		*live_out += s->live_bytes;
	}
	atomic_store(&j->counters.live_bytes, *live_out + behind);
}

bool weigh_step(struct journal *j)
{
	struct segment *s = unmeasured(j);
	if (s)
		measure(j, s);
	return s != NULL;
}
