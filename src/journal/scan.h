/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in a segment's file: frames and records looked for and verified. Decides nothing.
 */
#ifndef NIGHTJAR_JOURNAL_SCAN_H
#define NIGHTJAR_JOURNAL_SCAN_H

#include "journal/format.h"
#include "journal/window.h"

/* One segment's file, open. */
struct scan {
	struct window window;
	uint64_t store_id;
	uint32_t number;
	bool has_head; /* block 0 is whole, of this store and number */
	struct segment_head head;
};

/* Opens the file and reads block 0. */
int scan_open(struct scan *s, struct disk *disk, uint64_t store_id, uint32_t number,
	      const char *name, bool sync) MUST_USE;
void scan_release(struct scan *s);

/* The frame that begins there, whole in the file as far as its header says; false: none. */
bool scan_frame(struct scan *s, uint64_t offset, struct frame_head *out);
/* Offset of the first frame at or behind `offset`, at most `end`; `end` when there is none. */
uint64_t scan_next_frame(struct scan *s, uint64_t offset, uint64_t end, struct frame_head *out);
/* The body of the record that begins there and ends before `end`; false: none is valid. Valid
 * until the next call. */
bool scan_record(struct scan *s, uint64_t offset, uint64_t end, struct span *body_out);
/* All records of a frame are valid, and as many as its header says. */
bool scan_frame_is_whole(struct scan *s, uint64_t offset, const struct frame_head *frame);
/* The highest `durable` that anything from `offset` on vouches for; 0: nothing there. */
uint64_t scan_durable(struct scan *s, uint64_t offset);
/* Offset of the record behind the one at `offset`. */
static inline uint64_t scan_behind(uint64_t offset, struct span body)
{
	return offset + record_bytes(body.len);
}

#endif
