/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/pager.h"

#include "base/mem.h"

#define FREE_MIN 64

void pager_init(struct queue_pager *pager, struct page_file *file, uint64_t budget)
{
	*pager = (struct queue_pager){.file = file, .budget = budget};
}

void pager_release(struct queue_pager *pager)
{
	if (pager->file)
		pager->file->ops->close(pager->file);
	mem_free(pager->free);
	*pager = (struct queue_pager){0};
}

int pager_write(struct queue_pager *pager, struct span bytes, uint32_t *page_out)
{
	bool is_reused = pager->free_count > 0;
	uint32_t page = is_reused ? pager->free[pager->free_count - 1] : pager->page_count;
	ASSERT(bytes.len <= PAGE_BYTES);
	int error = pager->file->ops->write(pager->file, page, bytes);
	if (error)
		return error;
	if (is_reused)
		pager->free_count--;
	else
		pager->page_count++;
	pager->pages_used++;
	*page_out = page;
	return 0;
}

void pager_read(struct queue_pager *pager, uint32_t page, struct room bytes)
{
	int error = pager->file->ops->read(pager->file, page, bytes);
	ASSERT(!error);
}

/* Without memory to note it a page is not used again: the file is larger than it need be. */
void pager_free_page(struct queue_pager *pager, uint32_t page)
{
	if (--pager->pages_used == 0) {
		pager->free_count = 0;
		pager->page_count = 0;
		return;
	}
	if (pager->free_count == pager->free_capacity) {
		uint32_t capacity = pager->free_capacity ? pager->free_capacity * 2 : FREE_MIN;
		uint32_t *free = mem_realloc(pager->free, capacity * sizeof(*free));
		if (!free)
			return;
		pager->free = free;
		pager->free_capacity = capacity;
	}
	pager->free[pager->free_count++] = page;
}
