/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One directory on some disk, as the journal uses it: the only door to files. Behind it stands the
 * system (disk_system.c) or, in tests, a disk that is cut off, filled up or damaged at will.
 *
 * What a file promises: after write() with DISK_SYNC, or sync(), the bytes stand on stable
 * storage. Names (create, rename, remove) do after sync_names(). Nothing else does.
 */
#ifndef NIGHTJAR_JOURNAL_DISK_H
#define NIGHTJAR_JOURNAL_DISK_H

#include "base/base.h"

#define DISK_BLOCK 4096 /* offsets, lengths and memory of DISK_SYNC writes are multiples of it */
#define DISK_PARTS_MAX 64
#define DISK_NAME_MAX 64

enum disk_mode {
	DISK_READ = 0,
	DISK_WRITE = 1 << 0,  /* create it when it is not there */
	DISK_SYNC = 1 << 1,   /* with DISK_WRITE: each write is on stable storage when it returns */
	DISK_DIRECT = 1 << 2, /* reads come from the device, not from the system's memory */
};

/* Functions return 0 or: ERROR_FULL (no space), ERROR_AGAIN (lock held by another process),
 * ERROR_NOT_FOUND, ERROR_READ_ONLY, ERROR_SYSTEM; errno says more. */
struct disk_file {
	const struct disk_ops *ops;
};
struct disk {
	const struct disk_ops *ops;
};

struct disk_facts {
	char file_system[32]; /* "ext4", "btrfs", "tmpfs", ...; "" when unknown */
	bool is_flash_card;   /* an mmc device, or one whose preset was asked for */
	bool is_rotational;
	bool is_network;
	bool is_direct; /* DISK_SYNC writes go past the system's memory */
};

struct disk_ops {
	/* Keeps other processes out as long as the disk is open; gives up at once. With
	 * ERROR_AGAIN `owner_out` is the holder's process id, 0 when unknown. */
	int (*lock)(struct disk *d, long *owner_out);
	int (*open)(struct disk *d, const char *name, unsigned mode, struct disk_file **out);
	void (*close)(struct disk_file *f);
	/* Number of bytes read, fewer only at the end of the file; or an error. Any thread. */
	long (*read)(struct disk_file *f, struct room to, uint64_t offset);
	/* All of it, or an error after which nothing is known of this range. */
	int (*write)(struct disk_file *f, const struct span *parts, unsigned count,
		     uint64_t offset);
	int (*sync)(struct disk_file *f);
	/* Space for so many bytes from the start, so that writing there meets no full disk. */
	int (*reserve)(struct disk_file *f, uint64_t len);
	int (*size)(struct disk_file *f, uint64_t *len_out);
	int (*rename)(struct disk *d, const char *from, const char *to);
	int (*remove)(struct disk *d, const char *name);
	int (*sync_names)(struct disk *d);
	/* Calls `found` for each file, in no order. */
	int (*list)(struct disk *d, void (*found)(void *context, const char *name), void *context);
	int (*space)(struct disk *d, uint64_t *free_out, uint64_t *total_out);
	void (*facts)(struct disk *d, struct disk_facts *out);
	void (*free)(struct disk *d);
};

/* The directory at `path`, created (with its parents, mode 0700) when `create`. Takes the lock only
 * when asked. 0 or an error as above. */
int disk_system_open(const char *path, bool create, struct disk **out) MUST_USE;

#endif
