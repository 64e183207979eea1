/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/file_watch.h"

#include <sys/stat.h>

#include "base/mem.h"

/* What tells one state of a file from another; all zero: there is none. */
struct state {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct watched {
	char *path;
	struct state state;
};

static struct state look_at(const char *path)
{
	struct stat found;
	struct state state;
	memset(&state, 0, sizeof(state)); /* compared as bytes */
	if (stat(path, &found) != 0)
		return state;
	state.device = found.st_dev;
	state.inode = found.st_ino;
	state.size = found.st_size;
	state.modified = found.st_mtim;
	state.changed = found.st_ctim;
	return state;
}

static bool is_watched(const struct file_watch *w, const char *path)
{
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->files[i].path, path) == 0)
			return true;
	return false;
}

static bool make_room(struct file_watch *w)
{
	if (w->count < w->capacity)
		return true;
	size_t capacity = w->capacity ? w->capacity * 2 : 8;
	struct watched *files = mem_realloc(w->files, capacity * sizeof(*files));
	if (!files)
		return false;
	w->files = files;
	w->capacity = capacity;
	return true;
}

void file_watch_add(struct file_watch *w, const char *path)
{
	if (!path || is_watched(w, path) || w->count == WATCH_FILES_MAX || !make_room(w))
		return;
	char *copy = mem_copy_text(span_of_text(path));
	if (copy)
		w->files[w->count++] = (struct watched){copy, look_at(path)};
}

void file_watch_release(struct file_watch *w)
{
	for (size_t i = 0; i < w->count; i++)
		mem_free(w->files[i].path);
	mem_free(w->files);
	*w = (struct file_watch){0};
}

bool file_watch_look(struct file_watch *w)
{
	bool is_moving = false;
	for (size_t i = 0; i < w->count; i++) {
		struct state now = look_at(w->files[i].path);
		if (memcmp(&now, &w->files[i].state, sizeof(now)) == 0)
			continue;
		w->files[i].state = now;
		is_moving = true;
	}
	bool has_settled = w->has_changed && !is_moving;
	w->has_changed = is_moving;
	return has_settled;
}
