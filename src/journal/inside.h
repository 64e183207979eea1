/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal from inside: what its parts share, and which part owns what.
 *
 *     journal.c      open, start, close; options        segments.c    table of segments, room
 *     commit.c       queue -> frames -> committed        ready.c       ready segments, room
 *     reader.c       records read back
 *     log_disk.c     struct log                          threads.c     three threads, or journal_step
 *     recover.c      what is there at the start          checkpoint.c  images
 *     compact.c      garbage, copies (.cmp)              survey.c      looking without changing
 *     weigh.c        how much is still wanted
 *
 * Threads. Batches belong to the committer; `lock` guards the table of segments, their fields and
 * `room`. It is never held over reading, writing or syncing. Counters are atomic. Before
 * journal_start there is one thread only.
 */
#ifndef NIGHTJAR_JOURNAL_INSIDE_H
#define NIGHTJAR_JOURNAL_INSIDE_H

#include "journal/format.h"
#include "journal/journal.h"

#include <pthread.h>
#include <stdatomic.h>

#define SPARES_MAX 8
#define READY_MIN 2

enum segment_state {
	SEGMENT_READY,     /* prepared under its final name, holds nothing */
	SEGMENT_OPEN,      /* the committer writes to it */
	SEGMENT_SEALED,    /* no more is written to it */
	SEGMENT_FAILED,    /* as SEALED, but a write or sync failed: its file is never used again */
	SEGMENT_COMPACTED, /* what is left of it stands in a .cmp file */
};

struct segment {
	uint32_t number;
	uint8_t state;    /* enum segment_state */
	bool has_head;    /* block 0 is whole and says "begun"; else only frames may tell */
	uint32_t readers; /* while not 0 its files are neither closed nor removed */
	uint64_t bytes;   /* of its file, 0 when it has none any more */
	uint64_t end;     /* offset behind the last frame that counts; set by recovery, then by
			     * the committer */
	uint64_t read_at; /* when `reading` was used last; segments.c */
	struct disk_file *writing; /* READY and OPEN: the committer's, else NULL */
	struct disk_file *reading; /* opened on demand: segment_reading_file */
	struct segment_head head;  /* when has_head */
	/* What was written to it: the committer's until it is sealed, then compact.c's; 0: to be
	 * counted. */
	uint64_t records;
	uint64_t record_bytes;
	/* The housekeeper's: as the two checkpoints know them. */
	uint64_t live_bytes;
	uint64_t live_records;       /* references of both images */
	bool keeps_damage;           /* a live record of it is damaged: it stays as it is */
	bool in_copy;                /* part of a compaction under way */
	struct compacted *compacted; /* state COMPACTED */
};

struct segments {
	struct segment **all; /* ascending by number, the compacted ones too */
	uint32_t count;
	uint32_t capacity;
	uint32_t next_number; /* above all that was ever used in this directory */
	uint32_t spares[SPARES_MAX];
	uint32_t spare_count;
	uint32_t next_spare;
	/* The committer waits for a segment of this length; 0: it does not. */
	uint64_t wanted_bytes;
	int wanted_error; /* why there will be none; 0 */
	unsigned reading; /* how many `reading` files are open */
	uint64_t reading_clock;
};

/* Of the disk, by segments_step. */
struct disk_room {
	uint64_t segment_bytes; /* of all segment files and spares */
	uint64_t other_bytes;   /* of checkpoints and .cmp files: whoever writes them counts them */
	uint64_t look_ms;       /* when to look again; 0: at once */
	uint64_t retry_ms;      /* making a segment failed: not before */
	bool cannot_make;       /* the last attempt failed, and not for want of room */
	bool is_scarce; /* over the soft watermark: compaction is not slowed down any more */
};

struct journal_counters {
	atomic_uint_fast64_t commits, batches, records, record_bytes, written_bytes;
	atomic_uint_fast64_t live_bytes, checkpoints, copied_bytes;
	atomic_uint_fast64_t damaged_records, write_errors;
	atomic_bool is_degraded;
};

struct journal {
	struct log log; /* first */
	struct disk *disk;
	struct journal_options options;
	struct journal_hooks hooks;
	struct disk_facts facts;
	struct store_facts store;
	uint32_t incarnation; /* of this run: above all that was found */
	bool is_new;          /* journal_open made the store */
	bool is_recovered;
	bool is_started;
	atomic_bool is_closing; /* nobody is asked for a checkpoint any more */
	/* Where the log ended: 0 in a new store. Set by recovery; then the committer's. */
	uint64_t recovered_end;
	uint64_t recovered_commit; /* highest number of a commit that was found */

	pthread_mutex_t lock;
	struct segments segments;
	struct disk_room room;

	/* Positions: behind the last byte written, behind the last durable one, of the newest
	 * durable record. */
	atomic_uint_fast64_t written_end, durable_end, durable_record;
	struct journal_counters counters;

	struct committer *committer;     /* commit.c */
	struct reader *reader;           /* reader.c */
	struct threads *threads;         /* threads.c; NULL without threads */
	struct recovery *recovery;       /* recover.c; NULL from journal_start on */
	struct checkpoints *checkpoints; /* checkpoint.c */
	struct compaction *compaction;   /* compact.c */
};

/* journal.c */

/* For the operator, through hooks.say. */
void journal_say(struct journal *j, bool is_warning, const char *format, ...) PRINTF_LIKE(3, 4);
/* LOG_FAILED is for good. */
void journal_set_health(struct journal *j, enum log_health health, const char *text);
uint64_t journal_now(struct journal *j);
/* Any thread: there is work for the housekeeper. */
void journal_wake_housekeeper(struct journal *j);
/* There is a segment for it, or none will come. */
void journal_wake_committer(struct journal *j);

/* segments.c */

/* Before recovery: the files that are there, block 0 of each, spares; next_number, incarnation. */
int segments_load(struct journal *j) MUST_USE;
void segments_release(struct journal *j);
/* The segment of that number or NULL. With the lock held. */
struct segment *segments_find(struct journal *j, uint32_t number);
/* The same without the lock, and it stays as it is until segment_unpin: neither its file nor its
 * .cmp goes away. NULL: there is none. */
struct segment *segment_pin(struct journal *j, uint32_t number);
void segment_unpin(struct journal *j, struct segment *segment);
/* Its .log file for reading; the segment is pinned. */
int segment_reading_file(struct journal *j, struct segment *segment,
			 struct disk_file **out) MUST_USE;
/* Its .log file is not wanted any more: becomes a spare or is removed. False: somebody reads it,
 * later. The segment itself stays in the table; SEALED or FAILED before. Housekeeper only. */
bool segment_recycle(struct journal *j, struct segment *segment);
/* Nothing of it is wanted, and its file was recycled: out of the table, freed. False: pinned. */
bool segment_forget(struct journal *j, struct segment *segment);
/* A segment that recovery or compaction found: into the table, at its place. NULL: no memory. */
struct segment *segments_add(struct journal *j, uint32_t number) MUST_USE;

/* ready.c */

/* Housekeeping: one piece (a ready segment, a look at the room). False: nothing to do. */
bool segments_step(struct journal *j);
/* Makes one ready segment: 0 or why not. In journal_start, then by segments_step. */
int segments_make_ready(struct journal *j) MUST_USE;
/* Committer: the next segment, of at least so many bytes, OPEN from now on. NULL: none yet, the
 * housekeeper was told; *error_out: there will be none. */
struct segment *segments_take(struct journal *j, uint64_t bytes, int *error_out);
/* The last attempt to make one failed, and not for want of room. */
bool segments_cannot_make(struct journal *j);

/* recover.c: journal_recover, journal_recover_read and: */

/* In journal_open, behind segments_load: checkpoints and compacted files, incarnation. */
int recovery_load(struct journal *j, char reason[JOURNAL_REASON_MAX]) MUST_USE;
void recovery_release(struct journal *j);

/* checkpoint.c, compact.c */

/* Any thread: takes the image over, the housekeeper writes it. */
void checkpoint_take(struct journal *j, uint64_t position, struct log_image *image);
/* Housekeeper: one piece of work each; false: nothing to do now. */
bool checkpoint_step(struct journal *j);
bool compact_step(struct journal *j);
void checkpoint_release(struct journal *j);
void compact_release(struct journal *j);
/* Where the record stands now; `segment` is pinned and COMPACTED. The file is borrowed while it is
 * pinned. ERROR_NOT_FOUND: it was thrown away. */
int compact_locate(struct journal *j, struct segment *segment, uint64_t position,
		   struct disk_file **file_out, uint64_t *offset_out) MUST_USE;

#endif
