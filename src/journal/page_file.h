/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of equal size in a file without a name, for what can be made again: nothing is synced, and
 * it is gone with the process. Who uses it has its own idea of what stands on a page.
 */
#ifndef NIGHTJAR_JOURNAL_PAGE_FILE_H
#define NIGHTJAR_JOURNAL_PAGE_FILE_H

#include "base/base.h"

/* 256 entries of a queue at 5 bytes, and 32 options of 8 (queue/chunk.c); smaller things fit. */
#define PAGE_BYTES 1536

struct page_file;

struct page_file_ops {
	/* At most PAGE_BYTES. 0, ERROR_FULL or ERROR_SYSTEM; errno says more. */
	int (*write)(struct page_file *file, uint32_t page, struct span bytes);
	/* As many bytes as were written there, or fewer. */
	int (*read)(struct page_file *file, uint32_t page, struct room bytes);
	void (*close)(struct page_file *file);
};

/* Stands at the start of whatever holds the pages. */
struct page_file {
	const struct page_file_ops *ops;
};

/* A new one in that directory. 0, ERROR_NO_MEMORY or ERROR_SYSTEM. */
int page_file_open(const char *directory, struct page_file **out) MUST_USE;

#endif
