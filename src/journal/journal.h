/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: the log (log.h) on a local disk.
 *
 *     journal_open      takes the directory's lock, looks at what is there
 *     journal_recover   gives the newest checkpoint and every record behind it
 *     journal_start     a fresh segment; from here on batches are taken
 *     ...               journal_log(j)->ops
 *     journal_close     all that was appended is durable, or said not to be
 *
 * With `has_threads` three threads work: the committer (one write for all batches that are there),
 * the housekeeper (segments, checkpoints, compaction) and the reader. Without, a test calls
 * journal_step, and everything happens in it.
 *
 * Files and formats: docs/JOURNAL.md.
 */
#ifndef NIGHTJAR_JOURNAL_JOURNAL_H
#define NIGHTJAR_JOURNAL_JOURNAL_H

#include "journal/disk.h"
#include "journal/log.h"

#define JOURNAL_REASON_MAX 512

struct journal;

enum durability {
	DURABILITY_ALWAYS,   /* a batch comes back when it is on stable storage */
	DURABILITY_INTERVAL, /* when it is written; on stable storage within interval_ms */
	DURABILITY_OFF,      /* no journal at all: the log is in memory */
};

struct journal_options {
	uint8_t durability; /* enum durability, never OFF here */
	bool has_threads;
	bool refuse_damage;   /* on_damage refuse: journal_open fails where it would set aside */
	uint32_t interval_ms; /* DURABILITY_INTERVAL */
	uint32_t
		segment_bytes; /* multiple of DISK_BLOCK, at least 64 KiB; fixed by the first start */
	uint32_t segments_min; /* created and written through at the first start */
	uint32_t gather_ms;    /* a commit waits so long for company; 0 = never (flash preset) */
	uint32_t lazy_ms;      /* longest wait of a lazy batch */
	uint64_t bytes_max;    /* of all files together; 0 = what the disk has */
	uint64_t budget_bytes_per_day; /* written to the device; 0 = any. Over it gather_ms grows */
	uint32_t copy_bytes_per_s;     /* of compaction; 0 = any */
	uint64_t store_id;             /* of a new store; 0 = drawn (tests give one) */
	bool keeps_priority; /* the committer's thread runs as its maker's, not before it */
};
/* Presets: 64 MiB segments for servers; smaller and slower ones for flash cards. */
void journal_options_server(struct journal_options *o);
void journal_options_flash(struct journal_options *o);

struct journal_hooks {
	void *context;
	log_committed *committed;
	/* Time for a checkpoint: append one. Any thread. */
	void (*checkpoint_wanted)(void *context);
	/* Health has changed (log.h). Any thread; `text` is one sentence for the operator. */
	void (*health)(void *context, enum log_health health, const char *text);
	/* Calls `found` for each position that an image refers to. Any thread; false: the image is
	 * not understood. */
	bool (*references)(void *context, struct span image,
			   void (*found)(void *found_context, uint64_t position),
			   void *found_context);
	/* A line for the operator's log. Any thread. */
	void (*say)(void *context, bool is_warning, const char *text);
	/* Milliseconds, never going back: the journal's own clock. */
	uint64_t (*now_ms)(void *context);
};

/* Takes the disk over, also when it fails. On failure one sentence that says what is wrong and
 * what to do; ERROR_AGAIN: another process has the lock; ERROR_INVALID: not a store, or of a newer
 * format; ERROR_DAMAGED: with refuse_damage, or when no checkpoint is whole. */
int journal_open(struct disk *disk, const struct journal_options *options,
		 const struct journal_hooks *hooks, struct journal **out,
		 char reason[JOURNAL_REASON_MAX]) MUST_USE;

/* A stretch of the log that cannot be trusted and was set aside. */
struct journal_damage {
	uint64_t from; /* positions; records that begin in [from, to) */
	uint64_t to;
	struct span
		remains; /* the bytes as they are now, for guessing what they were; may be empty */
	const char *file;
};

struct journal_recovery {
	void *context;
	/* The newest image that is whole, before any record; not called for a new store. */
	int (*image)(void *context, uint64_t position, struct span image);
	/* Each record behind it, in log order. */
	int (*record)(void *context, uint64_t position, struct span body);
	/* In between, where it stands in log order. */
	int (*damage)(void *context, const struct journal_damage *damage);
};
/* Once, before journal_start. 0, an error of a callback, or of the disk. */
int journal_recover(struct journal *j, const struct journal_recovery *recovery,
		    char reason[JOURNAL_REASON_MAX]) MUST_USE;
/* Reads a record during recovery, on the caller's thread; the body is valid until the next call.
 * 0, ERROR_DAMAGED or ERROR_SYSTEM. */
int journal_recover_read(struct journal *j, uint64_t position, struct span *body_out) MUST_USE;

int journal_start(struct journal *j, char reason[JOURNAL_REASON_MAX]) MUST_USE;
struct log *journal_log(struct journal *j);
/* Does one piece of waiting work of any of the three; false when there is none (lazy batches and
 * intervals that are not due yet included). Only without threads. */
bool journal_step(struct journal *j);
/* The same of this one: as threads would, in whatever order the caller chooses. */
enum journal_worker { JOURNAL_COMMITTER, JOURNAL_READER, JOURNAL_HOUSEKEEPER, JOURNAL_WORKERS };
bool journal_step_of(struct journal *j, enum journal_worker worker);
/* Writes out what waits (lazy too), ends the threads, closes all files. */
void journal_close(struct journal *j);

/* A closed store, or a running one, looked at without changing it (`nightjar journal`). */
struct journal_segment {
	char name[DISK_NAME_MAX];
	uint64_t from, to; /* positions of records it may hold */
	uint64_t file_bytes, record_bytes;
	uint64_t records, frames;
	bool is_compacted, is_spare;
};
struct journal_survey {
	void *context;
	void (*segment)(void *context, const struct journal_segment *segment);
	void (*image)(void *context, const char *file, uint64_t position, struct span image,
		      bool is_whole);
	void (*record)(void *context, uint64_t position, struct span body);
	void (*damage)(void *context, const struct journal_damage *damage);
};
/* Every file, every record, oldest first. Takes no lock, writes nothing. 0 or an error with the
 * reason; damage is reported, not an error. */
int journal_survey(struct disk *disk, const struct journal_survey *survey,
		   char reason[JOURNAL_REASON_MAX]) MUST_USE;

#endif
