/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log that keeps its records in this process's memory, for tests: to the broker it looks like one
 * on a disk. What was committed stands in a store, which outlives the log, as a disk outlives the
 * process; what was appended and not yet committed is lost with the log.
 *
 *     store = kept_store_new()
 *     log = log_kept_new(store, ...)   broker_use_log(broker, log_kept_log(log))
 *     ...
 *     broker_free(broker)     a crash
 *     kept_record(store, i), kept_checkpoint(store, i)   what is there after it
 *
 * One thread. By itself everything happens at once; told to, it happens when stepped.
 */
#ifndef NIGHTJAR_TESTS_LOG_KEPT_H
#define NIGHTJAR_TESTS_LOG_KEPT_H

#include "journal/log.h"

struct kept_record {
	uint64_t position;
	struct span body;
	unsigned batch;  /* which commit it came with: a crash leaves whole ones */
	bool is_damaged; /* cannot be read any more */
	bool is_trimmed; /* may be gone: the newest checkpoint does not refer to it */
	bool is_referred;
};

struct kept_checkpoint {
	uint64_t position;
	struct span image; /* all parts in one piece */
	size_t records;    /* how many stood in the store when it was taken */
};

struct kept_store;
struct kept_store *kept_store_new(void);
void kept_store_free(struct kept_store *store);
size_t kept_record_count(const struct kept_store *store);
const struct kept_record *kept_record(const struct kept_store *store, size_t i);
/* By position; NULL when there is none. */
struct kept_record *kept_find(struct kept_store *store, uint64_t position);
size_t kept_checkpoint_count(const struct kept_store *store);
const struct kept_checkpoint *kept_checkpoint(const struct kept_store *store, size_t i);
/* Only the first `count` records are left, and checkpoints that were taken with no more. What a
 * crash at that moment would have left: `count` is rounded up to the end of its batch. */
void kept_cut(struct kept_store *store, size_t count);

/* Calls `found` for each position that an image refers to; false: it is none. */
typedef bool kept_references(struct span image, void (*found)(void *context, uint64_t position),
			     void *context);

struct log_kept;
/* New records stand in segments of their own, of so many bytes (small ones make for many).
 * `references` decides which records a checkpoint lets go; NULL = none. */
struct log_kept *log_kept_new(struct kept_store *store, uint32_t segment_bytes,
			      kept_references *references, log_committed *committed, void *context);
/* Freed through its ops, by the broker: what waits in it then is lost. */
struct log *log_kept_log(struct log_kept *k);

/* From now on batches and reads wait to be stepped. */
void log_kept_delay(struct log_kept *k, bool batches, bool reads);
/* The next batch is committed, or the next read answered, whichever `prefer_read` says when both
 * wait; false when nothing waits. */
bool log_kept_step(struct log_kept *k, bool prefer_read);
bool log_kept_is_idle(const struct log_kept *k);
/* The oldest batch that waits, others by its `next`; NULL: none. To look at only. */
const struct log_batch *log_kept_waiting(const struct log_kept *k);
/* A crash: what waits comes back with an error and is in no store. */
void log_kept_lose(struct log_kept *k);
/* From now on longer batches are refused with ERROR_FULL, as when the disk has no room to make a
 * segment longer; those of several records must not be. */
void log_kept_bound_batches(struct log_kept *k, uint32_t bytes_max);
/* The broker must be told (broker_log_changed). */
void log_kept_set_health(struct log_kept *k, enum log_health health);

#endif
