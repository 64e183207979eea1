/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of a simulated disk, and what goes wrong with them. */
#include "disk/disk_simulated.h"

#include "disk/medium.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct fault {
	uint64_t countdown; /* 1 = the next call fails; 0 = none */
	int error_number;
	unsigned flags;
};

struct simdisk {
	struct medium medium;
	pthread_mutex_t lock;
	uint64_t capacity;
	unsigned process; /* handles of an older one are dead */
	bool is_locked;
	bool is_cut;
	uint64_t cut_countdown;
	uint64_t changes;
	uint64_t calls[SIMDISK_CALLS];
	struct fault faults[SIMDISK_CALLS];
};

struct attached {
	struct disk disk;
	struct simdisk *s;
	unsigned process;
	bool has_lock;
};

struct opened {
	struct disk_file file;
	struct simdisk *s;
	struct inode *inode;
	unsigned process;
	unsigned mode;
};

/* What becomes of a call. */
enum fate {
	FATE_GOOD,
	FATE_NOTHING, /* fails, and has done nothing */
	FATE_PART,    /* fails, and has done a part */
};

static int fail(int error_number)
{
	errno = error_number;
	switch (error_number) {
	case ENOSPC: return ERROR_FULL;
	case ENOENT: return ERROR_NOT_FOUND;
	case EROFS: return ERROR_READ_ONLY;
	default: return ERROR_SYSTEM;
	}
}

static bool is_due(uint64_t *countdown)
{
	return *countdown > 0 && --*countdown == 0;
}

static enum fate cut_fate(struct simdisk *s, bool changes)
{
	if (!changes)
		return FATE_GOOD;
	s->changes++;
	if (!is_due(&s->cut_countdown))
		return FATE_GOOD;
	s->is_cut = true;
	errno = EIO;
	return FATE_PART;
}

/* Decides on a call; sets errno for one that fails. */
static enum fate decide(struct simdisk *s, unsigned process, enum simdisk_call call, bool changes)
{
	if (s->is_cut || process != s->process) {
		errno = EIO;
		return FATE_NOTHING;
	}
	s->calls[call]++;
	struct fault *f = &s->faults[call];
	if (is_due(&f->countdown)) {
		if (f->flags & SIMDISK_LASTING)
			f->countdown = 1;
		errno = f->error_number;
		return FATE_PART;
	}
	return cut_fate(s, changes);
}

static int sim_lock(struct disk *d, long *owner_out)
{
	struct attached *a = CONTAINER_OF(d, struct attached, disk);
	struct simdisk *s = a->s;
	pthread_mutex_lock(&s->lock);
	int error = 0;
	if (s->is_cut || a->process != s->process) {
		error = fail(EIO);
	} else if (s->is_locked && !a->has_lock) {
		*owner_out = 1;
		error = ERROR_AGAIN;
	} else {
		s->is_locked = a->has_lock = true;
	}
	pthread_mutex_unlock(&s->lock);
	return error;
}

static const struct disk_ops ops;

static int open_inode(struct simdisk *s, const char *name, unsigned mode, unsigned process,
		      struct inode **out)
{
	struct inode *i = medium_find(&s->medium, name);
	bool creates = !i && (mode & DISK_WRITE);
	enum fate fate = decide(s, process, SIMDISK_OPEN, creates);
	if (fate != FATE_NOTHING && creates && (fate == FATE_GOOD || s->is_cut))
		i = medium_create(&s->medium, name);
	if (fate != FATE_GOOD)
		return fail(errno);
	if (!i)
		return fail(ENOENT);
	i->open_count++;
	*out = i;
	return 0;
}

static int sim_open(struct disk *d, const char *name, unsigned mode, struct disk_file **out)
{
	struct attached *a = CONTAINER_OF(d, struct attached, disk);
	struct opened *o = calloc(1, sizeof(*o));
	ASSERT(o);
	*o = (struct opened){.file.ops = &ops, .s = a->s, .process = a->process, .mode = mode};
	pthread_mutex_lock(&a->s->lock);
	int error = open_inode(a->s, name, mode, a->process, &o->inode);
	pthread_mutex_unlock(&a->s->lock);
	if (error)
		free(o);
	else
		*out = &o->file;
	return error;
}

static void sim_close(struct disk_file *f)
{
	struct opened *o = CONTAINER_OF(f, struct opened, file);
	pthread_mutex_lock(&o->s->lock);
	if (o->process == o->s->process) {
		o->inode->open_count--;
		medium_collect(&o->s->medium);
	}
	pthread_mutex_unlock(&o->s->lock);
	free(o);
}

static long sim_read(struct disk_file *f, struct room to, uint64_t offset)
{
	struct opened *o = CONTAINER_OF(f, struct opened, file);
	long result;
	pthread_mutex_lock(&o->s->lock);
	if (decide(o->s, o->process, SIMDISK_READ, false) != FATE_GOOD)
		result = fail(errno);
	else
		result = (long)inode_read(o->inode, offset, to, o->mode & DISK_DIRECT);
	pthread_mutex_unlock(&o->s->lock);
	return result;
}

static bool has_room(struct simdisk *s, struct inode *i, uint64_t end)
{
	uint64_t len = i->len > i->reserved ? i->len : i->reserved;
	uint64_t now = (len + DISK_BLOCK - 1) / DISK_BLOCK;
	uint64_t then = (end + DISK_BLOCK - 1) / DISK_BLOCK;
	if (s->capacity == 0 || then <= now)
		return true;
	return medium_used(&s->medium) + (then - now) * DISK_BLOCK <= s->capacity;
}

static uint64_t parts_len(const struct span *parts, unsigned count)
{
	uint64_t len = 0;
	for (unsigned n = 0; n < count; n++)
		len += parts[n].len;
	return len;
}

static bool is_aligned(const struct span *parts, unsigned count, uint64_t offset)
{
	uintptr_t all = (uintptr_t)offset;
	for (unsigned n = 0; n < count; n++)
		all |= (uintptr_t)parts[n].ptr | (uintptr_t)parts[n].len;
	return all % DISK_BLOCK == 0;
}

static int write_decided(struct opened *o, const struct span *parts, unsigned count,
			 uint64_t offset)
{
	struct simdisk *s = o->s;
	enum fate fate = decide(s, o->process, SIMDISK_WRITE, true);
	if (fate == FATE_NOTHING)
		return fail(errno);
	int error_number = fate == FATE_PART ? errno : 0;
	if (!has_room(s, o->inode, offset + parts_len(parts, count)))
		return fail(ENOSPC);
	enum inode_write how = error_number          ? INODE_TORN
			       : o->mode & DISK_SYNC ? INODE_SYNCED
						     : INODE_CACHED;
	for (unsigned n = 0; n < count; n++) {
		inode_write(&s->medium, o->inode, offset, parts[n], how);
		offset += parts[n].len;
	}
	return error_number ? fail(error_number) : 0;
}

static int sim_write(struct disk_file *f, const struct span *parts, unsigned count, uint64_t offset)
{
	struct opened *o = CONTAINER_OF(f, struct opened, file);
	ASSERT(o->mode & DISK_WRITE);
	ASSERT(count <= DISK_PARTS_MAX);
	ASSERT(!(o->mode & DISK_SYNC) || is_aligned(parts, count, offset));
	pthread_mutex_lock(&o->s->lock);
	int error = write_decided(o, parts, count, offset);
	pthread_mutex_unlock(&o->s->lock);
	return error;
}

static int sync_decided(struct opened *o)
{
	struct simdisk *s = o->s;
	enum fate fate = decide(s, o->process, SIMDISK_SYNC, true);
	if (fate == FATE_GOOD) {
		inode_sync(o->inode);
		return 0;
	}
	int error_number = errno;
	if (!s->is_cut && (s->faults[SIMDISK_SYNC].flags & SIMDISK_DROPS))
		inode_drop(&s->medium, o->inode);
	return fail(error_number);
}

static int sim_sync(struct disk_file *f)
{
	struct opened *o = CONTAINER_OF(f, struct opened, file);
	pthread_mutex_lock(&o->s->lock);
	int error = sync_decided(o);
	pthread_mutex_unlock(&o->s->lock);
	return error;
}

static int sim_reserve(struct disk_file *f, uint64_t len)
{
	struct opened *o = CONTAINER_OF(f, struct opened, file);
	struct simdisk *s = o->s;
	int error = 0;
	pthread_mutex_lock(&s->lock);
	enum fate fate = decide(s, o->process, SIMDISK_RESERVE, true);
	if (fate != FATE_GOOD)
		error = fail(errno);
	else if (!has_room(s, o->inode, len))
		error = fail(ENOSPC);
	if (!error || s->is_cut)
		inode_reserve(o->inode, len);
	pthread_mutex_unlock(&s->lock);
	return error;
}

static int sim_size(struct disk_file *f, uint64_t *len_out)
{
	struct opened *o = CONTAINER_OF(f, struct opened, file);
	int error = 0;
	pthread_mutex_lock(&o->s->lock);
	if (o->s->is_cut || o->process != o->s->process)
		error = fail(EIO);
	else
		*len_out = o->inode->len;
	pthread_mutex_unlock(&o->s->lock);
	return error;
}

/* A change of names is done whole or not at all; whether one that a cut has met is done, the cut
 * decides as for any that was not synced. */
static int change_names(struct disk *d, enum simdisk_call call, const char *from, const char *to)
{
	struct attached *a = CONTAINER_OF(d, struct attached, disk);
	struct simdisk *s = a->s;
	int error = 0;
	pthread_mutex_lock(&s->lock);
	enum fate fate = decide(s, a->process, call, true);
	if (fate != FATE_GOOD)
		error = fail(errno);
	if (fate == FATE_GOOD || (fate == FATE_PART && s->is_cut)) {
		bool is_found =
			to ? medium_rename(&s->medium, from, to) : medium_remove(&s->medium, from);
		if (!is_found)
			error = fail(ENOENT);
		medium_collect(&s->medium);
	}
	pthread_mutex_unlock(&s->lock);
	return error;
}

static int sim_rename(struct disk *d, const char *from, const char *to)
{
	return change_names(d, SIMDISK_RENAME, from, to);
}

static int sim_remove(struct disk *d, const char *name)
{
	return change_names(d, SIMDISK_REMOVE, name, NULL);
}

static int sim_sync_names(struct disk *d)
{
	struct attached *a = CONTAINER_OF(d, struct attached, disk);
	int error = 0;
	pthread_mutex_lock(&a->s->lock);
	if (decide(a->s, a->process, SIMDISK_SYNC_NAMES, true) != FATE_GOOD)
		error = fail(errno);
	else
		medium_sync_names(&a->s->medium);
	pthread_mutex_unlock(&a->s->lock);
	return error;
}

static int sim_list(struct disk *d, void (*found)(void *context, const char *name), void *context)
{
	struct attached *a = CONTAINER_OF(d, struct attached, disk);
	struct names names;
	pthread_mutex_lock(&a->s->lock);
	bool is_dead = a->s->is_cut || a->process != a->s->process;
	if (!is_dead) {
		names.count = a->s->medium.names.count;
		memcpy(names.names, a->s->medium.names.names, names.count * sizeof(names.names[0]));
	}
	pthread_mutex_unlock(&a->s->lock);
	if (is_dead)
		return fail(EIO);
	for (unsigned n = 0; n < names.count; n++)
		found(context, names.names[n].text);
	return 0;
}

static int sim_space(struct disk *d, uint64_t *free_out, uint64_t *total_out)
{
	struct attached *a = CONTAINER_OF(d, struct attached, disk);
	pthread_mutex_lock(&a->s->lock);
	uint64_t total = a->s->capacity ? a->s->capacity : (uint64_t)1 << 40;
	uint64_t used = medium_used(&a->s->medium);
	pthread_mutex_unlock(&a->s->lock);
	*total_out = total;
	*free_out = used < total ? total - used : 0;
	return 0;
}

static void sim_facts(struct disk *d, struct disk_facts *out)
{
	(void)d;
	*out = (struct disk_facts){.file_system = "simulated", .is_direct = true};
}

static void sim_free(struct disk *d)
{
	struct attached *a = CONTAINER_OF(d, struct attached, disk);
	pthread_mutex_lock(&a->s->lock);
	if (a->has_lock && a->process == a->s->process)
		a->s->is_locked = false;
	pthread_mutex_unlock(&a->s->lock);
	free(a);
}

static const struct disk_ops ops = {
	.lock = sim_lock,
	.open = sim_open,
	.close = sim_close,
	.read = sim_read,
	.write = sim_write,
	.sync = sim_sync,
	.reserve = sim_reserve,
	.size = sim_size,
	.rename = sim_rename,
	.remove = sim_remove,
	.sync_names = sim_sync_names,
	.list = sim_list,
	.space = sim_space,
	.facts = sim_facts,
	.free = sim_free,
};

struct simdisk *simdisk_new(uint64_t seed, uint64_t capacity)
{
	struct simdisk *s = calloc(1, sizeof(*s));
	ASSERT(s);
	s->medium.random = seed;
	s->capacity = capacity;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void simdisk_free(struct simdisk *s)
{
	medium_release(&s->medium);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct simdisk *simdisk_clone(struct simdisk *s, uint64_t seed)
{
	struct simdisk *copy = simdisk_new(seed, s->capacity);
	for (unsigned n = 0; n < s->medium.names.count; n++) {
		const struct name *name = &s->medium.names.names[n];
		struct inode *i = medium_create(&copy->medium, name->text);
		inode_write(&copy->medium, i, 0, span_of(name->inode->cache, name->inode->len),
			    INODE_SYNCED);
	}
	medium_settle(&copy->medium);
	return copy;
}

struct disk *simdisk_attach(struct simdisk *s)
{
	struct attached *a = calloc(1, sizeof(*a));
	ASSERT(a);
	*a = (struct attached){.disk.ops = &ops, .s = s, .process = s->process};
	return &a->disk;
}

/* A process with its handles ends; those that are open stay safe to close. */
static void end_process(struct simdisk *s)
{
	s->process++;
	s->is_locked = s->is_cut = false;
	s->cut_countdown = 0;
	memset(s->faults, 0, sizeof(s->faults));
	for (struct inode *i = s->medium.inodes; i; i = i->next)
		i->open_count = 0;
	medium_collect(&s->medium);
}

void simdisk_kill(struct simdisk *s)
{
	pthread_mutex_lock(&s->lock);
	end_process(s);
	pthread_mutex_unlock(&s->lock);
}

void simdisk_power_cut(struct simdisk *s, uint64_t seed)
{
	pthread_mutex_lock(&s->lock);
	s->medium.random += (seed + 1) * 0xd1342543de82ef95u; /* any odd number */
	medium_cut(&s->medium);
	end_process(s);
	pthread_mutex_unlock(&s->lock);
}

void simdisk_settle(struct simdisk *s)
{
	pthread_mutex_lock(&s->lock);
	medium_settle(&s->medium);
	pthread_mutex_unlock(&s->lock);
}

void simdisk_fail(struct simdisk *s, enum simdisk_call call, uint64_t n, int error_number,
		  unsigned flags)
{
	pthread_mutex_lock(&s->lock);
	s->faults[call] = (struct fault){n, error_number, flags};
	pthread_mutex_unlock(&s->lock);
}

void simdisk_cut_at(struct simdisk *s, uint64_t n)
{
	pthread_mutex_lock(&s->lock);
	s->cut_countdown = n;
	pthread_mutex_unlock(&s->lock);
}

bool simdisk_is_cut(const struct simdisk *s)
{
	return s->is_cut;
}

uint64_t simdisk_changes(const struct simdisk *s)
{
	return s->changes;
}

uint64_t simdisk_calls(const struct simdisk *s, enum simdisk_call call)
{
	return s->calls[call];
}

void simdisk_set_capacity(struct simdisk *s, uint64_t capacity)
{
	pthread_mutex_lock(&s->lock);
	s->capacity = capacity;
	pthread_mutex_unlock(&s->lock);
}

uint64_t simdisk_used(struct simdisk *s)
{
	pthread_mutex_lock(&s->lock);
	uint64_t used = medium_used(&s->medium);
	pthread_mutex_unlock(&s->lock);
	return used;
}

bool simdisk_overwrite(struct simdisk *s, const char *name, uint64_t offset, struct span bytes)
{
	struct inode *i = medium_find(&s->medium, name);
	if (!i || offset + bytes.len > i->len)
		return false;
	inode_write(&s->medium, i, offset, bytes, INODE_SYNCED);
	return true;
}

bool simdisk_flip(struct simdisk *s, const char *name, uint64_t offset, unsigned bit)
{
	struct inode *i = medium_find(&s->medium, name);
	if (!i || offset >= i->len)
		return false;
	uint8_t byte = i->cache[offset] ^ (uint8_t)(1u << bit);
	return simdisk_overwrite(s, name, offset, span_of(&byte, 1));
}

bool simdisk_truncate(struct simdisk *s, const char *name, uint64_t len)
{
	struct inode *i = medium_find(&s->medium, name);
	if (!i || len > i->len)
		return false;
	inode_truncate(i, len);
	return true;
}

bool simdisk_remove(struct simdisk *s, const char *name)
{
	bool is_found = medium_remove(&s->medium, name);
	medium_sync_names(&s->medium);
	return is_found;
}

const uint8_t *simdisk_bytes(struct simdisk *s, const char *name, uint64_t *len_out)
{
	struct inode *i = medium_find(&s->medium, name);
	if (!i)
		return NULL;
	*len_out = i->len;
	return i->cache;
}

bool simdisk_size(struct simdisk *s, const char *name, uint64_t *len_out)
{
	struct inode *i = medium_find(&s->medium, name);
	if (i)
		*len_out = i->len;
	return i != NULL;
}

const char *simdisk_name(struct simdisk *s, unsigned n)
{
	const struct names *names = &s->medium.names;
	for (unsigned k = 0; k < names->count; k++) {
		unsigned before = 0;
		for (unsigned other = 0; other < names->count; other++)
			before += strcmp(names->names[other].text, names->names[k].text) < 0;
		if (before == n)
			return names->names[k].text;
	}
	return NULL;
}
