/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/file_watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"

#define HASHED_BYTES 65536u
/* The longest tick of a file system's clock, and one second for clocks that differ. */
#define TICK_S_MAX 3

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
	uint64_t hash; /* of what was in it */
	bool may_hide; /* it was written so lately that its times need not tell of more */
	bool is_wanted;
};

/* Of what is in it; 0 for what cannot be read, and for what is no file. */
static uint64_t hash_content(const char *path)
{
	uint8_t bytes[HASHED_BYTES];
	struct stat found;
	uint64_t hash = 0;
	ssize_t len;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return 0;
	if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode))
		while ((len = read(fd, bytes, sizeof(bytes))) > 0)
			hash = hash_bytes(span_of(bytes, (size_t)len), hash);
	close(fd);
	return hash;
}

static bool is_recent(const struct state *s)
{
	time_t now = time(NULL);
	return s->modified.tv_sec + TICK_S_MAX >= now || s->changed.tv_sec + TICK_S_MAX >= now;
}

static struct state look_at(const struct file_watch *w, const char *path)
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
	if (w->is_coarse)
		state.modified.tv_nsec = state.changed.tv_nsec = 0;
	return state;
}

/* Is it another one than it was? */
static bool look_again(const struct file_watch *w, struct watched *f)
{
	struct state now = look_at(w, f->path);
	bool is_other = memcmp(&now, &f->state, sizeof(now)) != 0;
	if (!is_other && !f->may_hide)
		return false;
	uint64_t hash = hash_content(f->path);
	/* one more look when it is older: what was written in the last tick is seen by then */
	f->may_hide = is_recent(&now);
	is_other |= hash != f->hash;
	f->state = now;
	f->hash = hash;
	return is_other;
}

static struct watched *find(struct file_watch *w, const char *path)
{
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->files[i].path, path) == 0)
			return &w->files[i];
	return NULL;
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
	struct watched *known = path ? find(w, path) : NULL;
	if (known)
		known->is_wanted = true;
	if (!path || known || w->count == WATCH_FILES_MAX || !make_room(w))
		return;
	char *copy = mem_copy_text(span_of_text(path));
	if (!copy)
		return;
	struct watched *f = &w->files[w->count++];
	*f = (struct watched){.path = copy, .is_wanted = true};
	(void)look_again(w, f);
}

void file_watch_restart(struct file_watch *w)
{
	for (size_t i = 0; i < w->count; i++)
		w->files[i].is_wanted = false;
}

void file_watch_sweep(struct file_watch *w)
{
	size_t kept = 0;
	for (size_t i = 0; i < w->count; i++) {
		if (w->files[i].is_wanted)
			w->files[kept++] = w->files[i];
		else
			mem_free(w->files[i].path);
	}
	w->count = kept;
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
	for (size_t i = 0; i < w->count; i++)
		is_moving |= look_again(w, &w->files[i]);
	bool has_settled = w->has_changed && !is_moving;
	w->has_changed = is_moving;
	return has_settled;
}
