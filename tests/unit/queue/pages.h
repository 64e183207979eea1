/* SPDX-License-Identifier: Apache-2.0 */
/* A page file in memory. */
#ifndef NIGHTJAR_TESTS_QUEUE_PAGES_H
#define NIGHTJAR_TESTS_QUEUE_PAGES_H

#include "queue/pager.h"

#define PAGES_MAX 8192

struct pages {
	struct page_file file;
	uint8_t *at[PAGES_MAX];
	unsigned writes;
	bool is_full; /* writes fail */
};

static int pages_write(struct page_file *file, uint32_t page, struct span bytes)
{
	struct pages *p = (struct pages *)file;
	if (p->is_full || page >= PAGES_MAX)
		return ERROR_FULL;
	if (!p->at[page])
		p->at[page] = malloc(PAGE_BYTES);
	memcpy(p->at[page], bytes.ptr, bytes.len);
	p->writes++;
	return 0;
}

static int pages_read(struct page_file *file, uint32_t page, struct room bytes)
{
	struct pages *p = (struct pages *)file;
	if (!p->at[page])
		return ERROR_SYSTEM;
	memcpy(bytes.ptr, p->at[page], bytes.len);
	return 0;
}

static void pages_close(struct page_file *file)
{
	struct pages *p = (struct pages *)file;
	for (unsigned i = 0; i < PAGES_MAX; i++)
		free(p->at[i]);
	free(p);
}

static struct pages *pages_new(void)
{
	static const struct page_file_ops ops = {pages_write, pages_read, pages_close};
	struct pages *p = calloc(1, sizeof(*p));
	p->file.ops = &ops;
	return p;
}

#endif
