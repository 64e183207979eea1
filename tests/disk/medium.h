/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands on a simulated disk: files of sectors, names, and what has happened to both since
 * they were last synced. Knows no calls and no faults.
 *
 *     cache     what a process sees
 *     durable   what stands on the medium for sure
 *     pending   versions of sectors in between, oldest first
 *     is_lost   per sector: the cache shows bytes that the medium will never get
 */
#ifndef NIGHTJAR_TESTS_DISK_MEDIUM_H
#define NIGHTJAR_TESTS_DISK_MEDIUM_H

#include "disk/disk_simulated.h"

#define NAMES_MAX 512

struct pending_sector {
	uint64_t number;
	uint8_t bytes[SIMDISK_SECTOR];
};

struct inode {
	struct inode *next;
	uint64_t len;         /* as a process sees it */
	uint64_t len_durable; /* files only grow: after a cut it is something in between */
	uint64_t reserved;
	uint64_t capacity; /* of the three below, in sectors */
	uint8_t *cache;
	uint8_t *durable;
	bool *is_lost;
	struct pending_sector *pending;
	size_t pending_count;
	size_t pending_capacity;
	unsigned open_count;
	bool is_named;  /* for medium_used */
	bool is_undone; /* while a cut is made: a change of its name */
};

struct name {
	char text[DISK_NAME_MAX];
	struct inode *inode;
};

struct names {
	unsigned count;
	struct name names[NAMES_MAX];
};

enum name_change_kind { NAME_CREATE, NAME_RENAME, NAME_REMOVE };

struct name_change {
	enum name_change_kind kind;
	char from[DISK_NAME_MAX]; /* of a rename */
	char name[DISK_NAME_MAX];
	struct inode *inode;
};

struct medium {
	struct inode *inodes; /* all that ever were, until none can come back */
	struct names names;
	struct names durable_names;
	struct name_change *changes;
	size_t change_count;
	size_t change_capacity;
	uint64_t random;
};

uint64_t medium_random(struct medium *m);
/* Below `limit`, which is not 0. */
uint64_t medium_draw(struct medium *m, uint64_t limit);

void medium_release(struct medium *m);
struct inode *medium_find(struct medium *m, const char *name);
struct inode *medium_create(struct medium *m, const char *name);
bool medium_rename(struct medium *m, const char *from, const char *to);
bool medium_remove(struct medium *m, const char *name);
void medium_sync_names(struct medium *m);
/* Bytes of all files that are there, in whole blocks. */
uint64_t medium_used(struct medium *m);

enum inode_write {
	INODE_CACHED, /* seen at once, on the medium some day */
	INODE_SYNCED, /* on the medium */
	INODE_TORN,   /* any part of it: the bytes of some sectors never went anywhere */
};
void inode_write(struct medium *m, struct inode *i, uint64_t offset, struct span bytes,
		 enum inode_write how);
/* Number of bytes; fewer at the end of the file. */
size_t inode_read(const struct inode *i, uint64_t offset, struct room to, bool is_direct);
void inode_reserve(struct inode *i, uint64_t len);
void inode_sync(struct inode *i);
/* A failed sync that forgets what it should have written. */
void inode_drop(struct medium *m, struct inode *i);
void inode_truncate(struct inode *i, uint64_t len);
/* What a power cut leaves. */
void medium_cut(struct medium *m);
void medium_settle(struct medium *m);
/* Files that no name and no process leads to any more are forgotten. */
void medium_collect(struct medium *m);

#endif
