/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/window.h"

#include "base/mem.h"

#define WINDOW_BYTES ((size_t)256 << 10) /* one read of the device */

int window_open(struct window *w, struct disk *disk, const char *name, bool sync)
{
	*w = (struct window){0};
	int error = disk->ops->open(disk, name, DISK_READ | DISK_DIRECT, &w->file);
	if (error)
		return error;
	if (sync)
		error = w->file->ops->sync(w->file);
	if (!error)
		error = w->file->ops->size(w->file, &w->len);
	if (!error)
		error = window_reserve(w, WINDOW_BYTES);
	if (error)
		window_release(w);
	return error;
}

void window_release(struct window *w)
{
	if (w->file)
		w->file->ops->close(w->file);
	mem_free(w->memory);
	*w = (struct window){0};
}

int window_reserve(struct window *w, size_t len)
{
	/* The piece may begin and end inside a block. */
	size_t capacity = (len + 3 * (size_t)DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
	if (capacity <= w->capacity)
		return 0;
	uint8_t *memory = mem_alloc(capacity + DISK_BLOCK);
	if (!memory)
		return ERROR_NO_MEMORY;
	mem_free(w->memory);
	w->memory = memory;
	w->bytes = memory + (DISK_BLOCK - (uintptr_t)memory % DISK_BLOCK) % DISK_BLOCK;
	w->capacity = capacity;
	w->filled = 0;
	return 0;
}

/* After a failed read: what can be had, block by block. */
static size_t read_blocks(struct window *w, uint64_t from, size_t len)
{
	size_t filled = 0;
	while (filled < len && from + filled < w->len) {
		size_t piece = DISK_BLOCK;
		if (piece > w->len - (from + filled))
			piece = (size_t)(w->len - (from + filled));
		struct room to = {w->bytes + filled, DISK_BLOCK};
		long got = w->file->ops->read(w->file, to, from + filled);
		if (got < (long)piece) {
			memset(to.ptr, 0, DISK_BLOCK);
			w->unreadable++;
		}
		filled += piece;
	}
	return filled;
}

static void fill(struct window *w, uint64_t offset, size_t len)
{
	uint64_t from = offset / DISK_BLOCK * DISK_BLOCK;
	size_t wanted = WINDOW_BYTES;
	if (wanted < offset + len - from)
		wanted = (size_t)(offset + len - from + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
	ASSERT(wanted <= w->capacity);
	size_t filled = 0;
	while (filled < wanted && from + filled < w->len) {
		struct room to = {w->bytes + filled, wanted - filled};
		long got = w->file->ops->read(w->file, to, from + filled);
		if (got <= 0 || (got % DISK_BLOCK && from + filled + (size_t)got < w->len)) {
			filled = read_blocks(w, from, wanted);
			break;
		}
		filled += (size_t)got;
	}
	w->from = from;
	w->filled = filled;
}

const uint8_t *window_at(struct window *w, uint64_t offset, size_t len)
{
	if (offset > w->len || len > w->len - offset)
		return NULL;
	if (w->filled > 0 && offset >= w->from && offset + len <= w->from + w->filled)
		return w->bytes + (offset - w->from);
	if (window_reserve(w, len) != 0)
		return NULL;
	fill(w, offset, len);
	if (offset + len > w->from + w->filled)
		return NULL;
	return w->bytes + (offset - w->from);
}
