/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal on a simulated disk, its user, and what that user knows: which records were appended,
 * in which order they came back, which messages are still wanted. After any crash the journal must
 * give back what it promised, and the model says what that is.
 */
#ifndef NIGHTJAR_TESTS_JOURNAL_MODEL_H
#define NIGHTJAR_TESTS_JOURNAL_MODEL_H

#include "disk/disk_simulated.h"
#include "journal/inside.h"

enum model_kind {
	MODEL_MESSAGE, /* wanted until it is finished */
	MODEL_FINISH,
	MODEL_CHECKPOINT, /* state is written down at its place */
	MODEL_MARKER,     /* behind it; when it is durable the image is handed over */
};

struct model_entry {
	uint64_t id;
	uint64_t position; /* 0: not known yet */
	uint64_t refers;   /* index of the entry that it finishes */
	uint32_t len;
	uint8_t kind;
	bool is_committed;
	bool is_finished;
	bool is_void; /* came back with an error: it is not in the log, or at its end */
};

struct model_stretch {
	uint64_t from, to;
};

struct model {
	uint64_t seed;
	struct simdisk *disk;
	struct journal *journal;
	struct log *log;
	struct journal_options options;
	uint64_t now;
	uint64_t random;
	/* All that was appended and is not known to be lost, in order. */
	struct model_entry *entries;
	size_t count, capacity;
	size_t committed; /* came back, those with an error too */
	uint64_t newest_position;
	uint64_t next_id;
	bool is_failing; /* batches came back with an error */
	bool wants_checkpoint;
	bool has_little_room; /* short records only */
	struct log_image *image;
	uint64_t image_position;
	uint64_t durable; /* newest record that the journal called durable */
	/* While it recovers. */
	size_t recovered;
	bool has_gap_allowed; /* damage was done on purpose */
	struct model_stretch *stretches;
	size_t stretch_count;
	size_t missing; /* committed records that were not given back */
	/* All runs together. */
	uint64_t warnings;
	uint64_t checked;
};

/* Says what is wrong and with which seed, and ends the program. */
NORETURN void model_fail(const struct model *m, const char *format, ...) PRINTF_LIKE(2, 3);
uint64_t model_draw(struct model *m, uint64_t limit);

void model_init(struct model *m, uint64_t seed, uint64_t capacity);
void model_release(struct model *m);
/* 0 or what the journal says; then it is closed. All that is given back is checked. */
int model_open(struct model *m, char reason[JOURNAL_REASON_MAX]) MUST_USE;
void model_close(struct model *m);
/* A batch of random messages and acknowledgements. */
void model_append(struct model *m);
void model_checkpoint(struct model *m);
/* Up to so many steps of the journal. */
void model_work(struct model *m, unsigned steps);
/* Every message that is still wanted can be read and is what it was. Number of those that are
 * said to be damaged. */
size_t model_read_all(struct model *m);
/* The messages that are wanted, read back while the journal is not started yet. */
size_t model_recover_read_all(struct model *m);

#endif
