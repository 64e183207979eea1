/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file read front to back through a piece of memory, past the system's cache, so that what is
 * seen is what the device has. A block that the device cannot read is seen as zeros: nothing in
 * the journal's files is valid as zeros, so it is found like any other damage.
 */
#ifndef NIGHTJAR_JOURNAL_WINDOW_H
#define NIGHTJAR_JOURNAL_WINDOW_H

#include "journal/disk.h"

struct window {
	struct disk_file *file; /* owned */
	uint64_t len;           /* of the file */
	uint8_t *memory;
	uint8_t *bytes; /* `memory`, aligned */
	size_t capacity;
	uint64_t from; /* what stands in `bytes` */
	size_t filled;
	uint64_t unreadable; /* blocks */
};

/* Opens the file; with `sync` what was written to it earlier is on stable storage first. */
int window_open(struct window *w, struct disk *disk, const char *name, bool sync) MUST_USE;
void window_release(struct window *w);
/* The bytes there, valid until the next call; NULL: the file ends before (or no memory, see
 * below). */
const uint8_t *window_at(struct window *w, uint64_t offset, size_t len);
/* 0 or ERROR_NO_MEMORY: makes room for pieces of that length. */
int window_reserve(struct window *w, size_t len) MUST_USE;

#endif
