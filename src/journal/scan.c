/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/scan.h"

int scan_open(struct scan *s, struct disk *disk, uint64_t store_id, uint32_t number,
	      const char *name, bool sync)
{
	*s = (struct scan){.store_id = store_id, .number = number};
	int error = window_open(&s->window, disk, name, sync);
	if (error)
		return error;
	/* No position says what lies behind. */
	if (s->window.len > UINT32_MAX)
		s->window.len = UINT32_MAX / DISK_BLOCK * DISK_BLOCK;
	const uint8_t *block = window_at(&s->window, 0, SEGMENT_HEAD_BYTES);
	s->has_head = block && segment_head_decode(block, &s->head) &&
		      s->head.store_id == store_id && s->head.number == number;
	return 0;
}

void scan_release(struct scan *s)
{
	window_release(&s->window);
}

bool scan_frame(struct scan *s, uint64_t offset, struct frame_head *out)
{
	const uint8_t *bytes = window_at(&s->window, offset, FRAME_HEAD_BYTES);
	if (!bytes || !frame_head_decode(bytes, s->store_id, position_of(s->number, offset), out))
		return false;
	return offset + FRAME_HEAD_BYTES + out->payload_len <= s->window.len;
}

uint64_t scan_next_frame(struct scan *s, uint64_t offset, uint64_t end, struct frame_head *out)
{
	for (offset = round_up(offset, DISK_BLOCK); offset < end; offset += DISK_BLOCK)
		if (scan_frame(s, offset, out))
			return offset;
	return end;
}

bool scan_record(struct scan *s, uint64_t offset, uint64_t end, struct span *body_out)
{
	uint32_t len;
	uint64_t position = position_of(s->number, offset);
	if (end < offset || end - offset < RECORD_HEAD_BYTES)
		return false;
	const uint8_t *bytes = window_at(&s->window, offset, RECORD_HEAD_BYTES);
	if (!bytes || !record_head_peek(bytes, position, &len))
		return false;
	if (len > end - offset - RECORD_HEAD_BYTES)
		return false;
	bytes = window_at(&s->window, offset, RECORD_HEAD_BYTES + (size_t)len);
	if (!bytes)
		return false;
	struct span record = span_of(bytes, RECORD_HEAD_BYTES + (size_t)len);
	if (!record_is_valid(record, s->store_id, position))
		return false;
	*body_out = span_of(bytes + RECORD_HEAD_BYTES, len);
	return true;
}

bool scan_frame_is_whole(struct scan *s, uint64_t offset, const struct frame_head *frame)
{
	uint64_t end = offset + FRAME_HEAD_BYTES + frame->payload_len;
	uint64_t at = offset + FRAME_HEAD_BYTES;
	struct span body;
	uint32_t records = 0;
	while (at < end && scan_record(s, at, end, &body)) {
		at = scan_behind(at, body);
		records++;
	}
	return at >= end && records == frame->records;
}

uint64_t scan_durable(struct scan *s, uint64_t offset)
{
	struct frame_head frame;
	uint64_t durable = 0;
	uint64_t end = s->window.len;
	if (s->has_head && s->head.is_begun && offset < SEGMENT_HEAD_BYTES)
		durable = s->head.previous_end;
	if (offset < SEGMENT_HEAD_BYTES)
		offset = SEGMENT_HEAD_BYTES;
	for (;;) {
		offset = scan_next_frame(s, offset, end, &frame);
		if (offset >= end)
			return durable;
		if (frame.durable > durable)
			durable = frame.durable;
		offset += frame_bytes(frame.payload_len);
	}
}
