/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues in a file when memory has been used up: full chunks are written to pages of equal size
 * and read back when their turn comes. What is there is derived from the log: nothing is synced,
 * and a new process starts with an empty file.
 *
 * One pager per shard, for all its queues.
 */
#ifndef NIGHTJAR_QUEUE_PAGER_H
#define NIGHTJAR_QUEUE_PAGER_H

#include "journal/page_file.h"

struct queue_pager {
	struct page_file *file; /* owned */
	uint64_t budget;        /* bytes of chunks that may be in memory */
	uint64_t bytes;         /* that are */
	uint32_t *free;         /* a stack of pages that are not in use */
	uint32_t free_count;
	uint32_t free_capacity;
	uint32_t page_count;
	uint32_t pages_used;
};

/* Takes the file over. */
void pager_init(struct queue_pager *pager, struct page_file *file, uint64_t budget);
void pager_release(struct queue_pager *pager);
static inline bool pager_is_over(const struct queue_pager *pager)
{
	return pager && pager->file && pager->bytes > pager->budget;
}
/* 0 or an error: then nothing was written. */
int pager_write(struct queue_pager *pager, struct span bytes, uint32_t *page_out) MUST_USE;
/* A page that can't be read back ends the process: what stood there is still in the log, and the
 * next start builds it anew. */
void pager_read(struct queue_pager *pager, uint32_t page, struct room bytes);
void pager_free_page(struct queue_pager *pager, uint32_t page);

#endif
