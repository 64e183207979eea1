/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/kit_pages.h"

#include "journal/page_file.h"

#include <stdio.h>
#include <stdlib.h>

struct pages {
	struct page_file file; /* must be first */
	struct disk *disk;     /* NULL: in memory only */
	struct disk_file *on_disk;
	uint8_t *bytes; /* what was written, which a process without power still has */
	size_t len;
};

static uint64_t written;

static struct pages *of(struct page_file *file)
{
	return (struct pages *)file;
}

static int write_page(struct page_file *file, uint32_t page, struct span bytes)
{
	struct pages *p = of(file);
	size_t offset = (size_t)page * PAGE_BYTES;
	int error = p->disk ? p->disk->ops->write(p->on_disk, &bytes, 1, offset) : 0;
	if (error)
		return error;
	if (offset + PAGE_BYTES > p->len) {
		p->len = offset + PAGE_BYTES;
		p->bytes = realloc(p->bytes, p->len);
		ASSERT(p->bytes);
	}
	memcpy(p->bytes + offset, bytes.ptr, bytes.len);
	written++;
	return 0;
}

static int read_page(struct page_file *file, uint32_t page, struct room bytes)
{
	struct pages *p = of(file);
	size_t offset = (size_t)page * PAGE_BYTES;
	ASSERT(offset + bytes.len <= p->len);
	long n = p->disk ? p->disk->ops->read(p->on_disk, bytes, offset) : ERROR_SYSTEM;
	if (n < 0) /* no disk, or no power: the turn that it went in still ends */
		memcpy(bytes.ptr, p->bytes + offset, bytes.len);
	else
		ASSERT(n == (long)bytes.len &&
		       memcmp(bytes.ptr, p->bytes + offset, bytes.len) == 0);
	return 0;
}

static void close_pages(struct page_file *file)
{
	struct pages *p = of(file);
	if (p->disk) {
		p->disk->ops->close(p->on_disk);
		p->disk->ops->free(p->disk);
	}
	free(p->bytes);
	free(p);
}

/* As the system's: its name goes at once, and with the process the file. */
static bool open_on(struct simdisk *medium, unsigned shard, struct pages *p)
{
	char name[DISK_NAME_MAX];
	snprintf(name, sizeof(name), "pages-%u", shard);
	p->disk = simdisk_attach(medium);
	if (p->disk->ops->open(p->disk, name, DISK_WRITE, &p->on_disk)) {
		p->disk->ops->free(p->disk);
		return false;
	}
	(void)p->disk->ops->remove(p->disk, name);
	return true;
}

static struct page_file *pages_new(struct simdisk *medium, unsigned shard)
{
	static const struct page_file_ops ops = {write_page, read_page, close_pages};
	struct pages *p = calloc(1, sizeof(*p));
	ASSERT(p);
	p->file.ops = &ops;
	if (!medium || open_on(medium, shard, p))
		return &p->file;
	free(p);
	return NULL;
}

void kit_give_pages(struct kit *k, const struct settings *settings, struct simdisk *medium)
{
	uint64_t bytes_max = settings->queue_memory_bytes_max;
	for (unsigned i = 0; bytes_max && bytes_max < KIT_PAGES_BELOW && i < k->shard_count; i++) {
		struct page_file *file = pages_new(medium, i);
		if (file)
			broker_use_pages(k->broker, i, file);
	}
}

uint64_t kit_pages_written(void)
{
	return written;
}
