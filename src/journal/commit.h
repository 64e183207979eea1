/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commit engine: takes all batches that are there, writes them at once, gives them back.
 * It has no thread of its own; whoever calls commit_step is the committer.
 */
#ifndef NIGHTJAR_JOURNAL_COMMIT_H
#define NIGHTJAR_JOURNAL_COMMIT_H

#include "journal/inside.h"

/* What one write takes at most, unless a single batch is larger. */
#define COMMIT_BYTES_MAX ((uint32_t)4 << 20)

enum commit_result {
	COMMIT_DONE,    /* did something */
	COMMIT_IDLE,    /* nothing to do before *due_out */
	COMMIT_WAITING, /* there is work, but no segment for it yet */
};

/* The log begins at j->recovered_end. 0 or ERROR_NO_MEMORY. */
int commit_open(struct journal *j) MUST_USE;
/* Any thread; makes no system call while the committer is awake. */
void commit_append(struct journal *j, struct log_batch *batch);
/* `due_out`: UINT64_MAX when only an append can change that. */
enum commit_result commit_step(struct journal *j, uint64_t *due_out);
/* From now on nothing waits for company or for laziness. Committer, or nobody else is there. */
void commit_hurry(struct journal *j);
/* No segment will come any more: everything waiting comes back with the error. */
void commit_give_back(struct journal *j, int error);
/* Committer, when nothing is waiting: syncs, writes the last SEAL, ends the segment. */
void commit_finish(struct journal *j);
void commit_release(struct journal *j);

/* How the committer sleeps: an append wakes it only when that would change something. */
enum commit_sleep {
	COMMIT_AWAKE,
	COMMIT_ASLEEP,
	COMMIT_ASLEEP_LAZY, /* has lazy batches and will look in time: more of them wake nobody */
};
/* Committer: announces sleep; false: something has come, do not sleep. */
bool commit_fall_asleep(struct journal *j) MUST_USE;
void commit_wake_up(struct journal *j);

#endif
