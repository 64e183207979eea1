/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start of a journal from inside.
 *
 *     recover.c    which checkpoint, which segments; the whole course
 *     replay.c     frames and records in order; torn or damaged
 *     damage.c     what is set aside: told, written down, copied
 */
#ifndef NIGHTJAR_JOURNAL_RECOVERY_H
#define NIGHTJAR_JOURNAL_RECOVERY_H

#include "base/buffer.h"
#include "journal/checkpoint_file.h"
#include "journal/inside.h"
#include "journal/scan.h"

#define DAMAGED_FILE "DAMAGED"

/* Damage, as it is met. */
struct damage_log {
	struct disk *disk;
	/* One of the two, or none. */
	int (*tell)(void *context, const struct journal_damage *damage);
	void *context;
	bool keeps;          /* report and copies are written */
	struct buffer lines; /* of the report, met this time */
	uint64_t count;
};
/* `scan` may be NULL: then there are no bytes to show. 0 or what the callback says. */
int damage_add(struct damage_log *d, struct scan *scan, const char *file, uint64_t from,
	       uint64_t to) MUST_USE;
/* A line for a whole file that is not used. */
int damage_add_line(struct damage_log *d, const char *format, ...) MUST_USE PRINTF_LIKE(2, 3);
/* The report is on the disk. 0; a full disk is no error. */
int damage_write(struct damage_log *d) MUST_USE;

/* One segment of those that replay looks at. */
struct replay_segment {
	uint32_t number;
	char name[DISK_NAME_MAX];
	uint64_t len; /* of its file */
	bool has_head;
	struct segment_head head;
};

struct replay {
	struct disk *disk;
	uint64_t store_id;
	uint64_t file_bytes_min; /* a shorter segment file was cut */
	bool refuses;            /* stops at damage */
	bool sync;
	uint64_t after; /* records behind this position are wanted */
	/* Behind this one no segment was ever given up: one that is missing is damage. */
	uint64_t complete_from;

	void *context;
	int (*record)(void *context, uint64_t position, struct span body);
	struct damage_log *damage;

	struct replay_segment *segments; /* ascending */
	uint32_t count;

	/* State. */
	uint32_t index; /* of the segment that is open in `scan` */
	struct scan scan;
	bool knows_durable;
	uint64_t durable; /* what stands below was on stable storage */
	uint64_t end;     /* behind the last frame that counts; 0: none yet */
	uint64_t commit;
	uint64_t records;
	bool is_over; /* the log ends at `end` */
};
/* All records in order. 0, ERROR_DAMAGED when it refuses, a callback's error, or the disk's. */
int replay_run(struct replay *r) MUST_USE;
void replay_release(struct replay *r);
/* Frames that stand behind the end do not count: their write failed, or what came before them is
 * torn. They are made invalid, so that no later start takes them for the log's. */
int replay_wipe(struct replay *r) MUST_USE;

#endif
