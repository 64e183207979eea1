/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints as the rest of the journal sees them: two are kept, the newest and the one before. */
#ifndef NIGHTJAR_JOURNAL_CHECKPOINT_H
#define NIGHTJAR_JOURNAL_CHECKPOINT_H

#include "journal/checkpoint_file.h"
#include "journal/inside.h"

struct checkpoint_facts {
	uint32_t number; /* of its file; 0: there is none */
	uint64_t position;
	uint64_t bytes; /* of its file */
	uint64_t image_len;
};

struct checkpoints {
	/* Housekeeper's, and recovery's before it. */
	struct checkpoint_facts newest;
	struct checkpoint_facts previous;
	uint32_t next_number;
	bool is_counted; /* live_records of the segments were counted for these two */
	bool is_known;   /* and are right */
	bool is_asked;   /* checkpoint_wanted was called, no image came yet */
	uint64_t asked_ms;
	uint64_t asked_end;
	uint64_t retry_ms;
	struct checkpoint_write *write;
	struct log_image *image; /* being written */
	uint64_t image_position;
	/* With the journal's lock. */
	struct log_image *waiting;
	uint64_t waiting_position;
};

/* NULL: no memory. */
struct checkpoints *checkpoints_new(void) MUST_USE;
/* Positions below it are redundant but for what images refer to: the previous checkpoint's. 0:
 * nothing is. */
uint64_t checkpoint_floor(const struct journal *j);
/* Wants one, unless one is on its way. */
void checkpoint_ask(struct journal *j);
/* Calls `found` for each position that one of the two images refers to; some twice. 0; an error of
 * the disk; ERROR_DAMAGED: an image is not whole or not understood, then nobody knows. */
int checkpoint_references(struct journal *j, void (*found)(void *found_context, uint64_t position),
			  void *found_context) MUST_USE;

#endif
