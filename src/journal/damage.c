/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be trusted: told in log order, kept as bytes beside the store, and written down in a
 * report that stays until an operator removes it. */
#include "journal/recovery.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

#define REMAINS_MAX ((size_t)1 << 20) /* shown to whoever guesses what it was */
#define COPY_BYTES ((size_t)64 << 10)
#define LINE_MAX_BYTES 512

static int write_file(struct disk *disk, const char *name, struct span bytes)
{
	struct disk_file *file;
	char tmp[DISK_NAME_MAX + 8];
	snprintf(tmp, sizeof(tmp), "%s.tmp", name);
	int error = disk->ops->open(disk, tmp, DISK_WRITE, &file);
	if (error)
		return error;
	error = file->ops->write(file, &bytes, 1, 0);
	if (!error)
		error = file->ops->sync(file);
	file->ops->close(file);
	return error ? error : disk->ops->rename(disk, tmp, name);
}

static bool is_there(struct disk *disk, const char *name)
{
	struct disk_file *file;
	if (disk->ops->open(disk, name, DISK_READ, &file) != 0)
		return false;
	file->ops->close(file);
	return true;
}

static int copy_into(struct disk_file *file, struct scan *scan, uint64_t from, uint64_t to)
{
	int error = 0;
	for (uint64_t at = from; at < to && !error;) {
		size_t len = to - at > COPY_BYTES ? COPY_BYTES : (size_t)(to - at);
		const uint8_t *bytes = window_at(&scan->window, at, len);
		if (!bytes)
			return ERROR_DAMAGED;
		struct span part = span_of(bytes, len);
		error = file->ops->write(file, &part, 1, at - from);
		at += len;
	}
	return error ? error : file->ops->sync(file);
}

/* The bytes under a name of their own, unless they were kept before: their segment may be used
 * again one day. */
static void keep_copy(struct disk *disk, struct scan *scan, uint64_t position, uint64_t to)
{
	struct disk_file *file;
	char name[DISK_NAME_MAX], tmp[DISK_NAME_MAX];
	snprintf(name, sizeof(name), "damaged-%016llx.bin", (unsigned long long)position);
	snprintf(tmp, sizeof(tmp), "%.48s.tmp", name);
	if (is_there(disk, name) || disk->ops->open(disk, tmp, DISK_WRITE, &file) != 0)
		return;
	int error = copy_into(file, scan, position_offset(position), to);
	file->ops->close(file);
	if (error)
		(void)disk->ops->remove(disk, tmp);
	else
		(void)disk->ops->rename(disk, tmp, name);
}

int damage_add_line(struct damage_log *d, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	ASSERT(len > 0 && (size_t)len < sizeof(line));
	d->count++;
	return buffer_append(&d->lines, span_of(line, (size_t)len));
}

static struct span remains_of(struct scan *scan, uint64_t from, uint64_t to)
{
	size_t len = to - from > REMAINS_MAX ? REMAINS_MAX : (size_t)(to - from);
	const uint8_t *bytes = window_at(&scan->window, from, len);
	return bytes ? span_of(bytes, len) : SPAN_NONE;
}

int damage_add(struct damage_log *d, struct scan *scan, const char *file, uint64_t from,
	       uint64_t to)
{
	struct journal_damage damage = {.from = from, .to = to, .file = file};
	uint64_t begin = position_offset(from);
	uint64_t end = begin;
	if (scan && position_segment(from) == scan->number) {
		end = position_segment(to) == scan->number ? position_offset(to) : UINT64_MAX;
		end = end > scan->window.len ? scan->window.len : end;
	}
	int error = damage_add_line(
		d, "%s: records that began at %016llx or behind it, before %016llx, are lost\n",
		file, (unsigned long long)from, (unsigned long long)to);
	if (error)
		return error;
	if (d->keeps && end > begin)
		keep_copy(d->disk, scan, from, end);
	if (end > begin)
		damage.remains = remains_of(scan, begin, end);
	return d->tell ? d->tell(d->context, &damage) : 0;
}

/* What the report says already, as text; empty when there is none. */
static int read_report(struct disk *disk, struct buffer *out)
{
	struct disk_file *file;
	uint64_t len = 0;
	int error = disk->ops->open(disk, DAMAGED_FILE, DISK_READ, &file);
	if (error)
		return error == ERROR_NOT_FOUND ? 0 : error;
	error = file->ops->size(file, &len);
	if (!error)
		error = buffer_reserve(out, (size_t)len + 1);
	if (!error) {
		struct room to = {buffer_room(out).ptr, (size_t)len};
		long got = len > 0 ? file->ops->read(file, to, 0) : 0;
		if (got < 0)
			error = (int)got;
		else
			buffer_commit(out, (size_t)got);
	}
	file->ops->close(file);
	return error;
}

static bool contains(const struct buffer *text, struct span line)
{
	struct span all = buffer_content(text);
	return all.len >= line.len && memmem(all.ptr, all.len, line.ptr, line.len) != NULL;
}

/* Adds the lines that are not there yet: each start meets old damage anew until two checkpoints
 * have left it behind. */
static int merge(struct buffer *report, const struct buffer *lines, bool *is_new_out)
{
	struct span rest = buffer_content(lines);
	while (rest.len > 0) {
		const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.ptr) + 1 : rest.len;
		struct span line = span_of(rest.ptr, len);
		rest = span_of(rest.ptr + len, rest.len - len);
		if (contains(report, line))
			continue;
		*is_new_out = true;
		int error = buffer_append(report, line);
		if (error)
			return error;
	}
	return 0;
}

int damage_write(struct damage_log *d)
{
	struct buffer report = {0};
	bool is_new = false;
	if (d->count == 0 || !d->keeps)
		return 0;
	int error = read_report(d->disk, &report);
	if (!error)
		error = merge(&report, &d->lines, &is_new);
	if (!error && is_new)
		error = write_file(d->disk, DAMAGED_FILE, buffer_content(&report));
	if (!error && is_new)
		error = d->disk->ops->sync_names(d->disk);
	buffer_release(&report);
	return error == ERROR_FULL ? 0 : error;
}
