/* SPDX-License-Identifier: Apache-2.0 */
#include "disk/medium.h"

#include <stdlib.h>

static void *grown(void *old, size_t len)
{
	void *ptr = realloc(old, len);
	ASSERT(ptr);
	return ptr;
}

/* splitmix64 (Steele, Lea, Flood 2014) */
uint64_t medium_random(struct medium *m)
{
	uint64_t z = m->random += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t medium_draw(struct medium *m, uint64_t limit)
{
	return medium_random(m) % limit;
}

/* --- files --- */

static void inode_grow(struct inode *i, uint64_t len)
{
	uint64_t sectors = (len + SIMDISK_SECTOR - 1) / SIMDISK_SECTOR;
	uint64_t old = i->capacity;
	if (sectors <= old)
		return;
	uint64_t capacity = old ? old : 16;
	while (capacity < sectors)
		capacity *= 2;
	size_t more = (capacity - old) * SIMDISK_SECTOR;
	i->cache = grown(i->cache, capacity * SIMDISK_SECTOR);
	i->durable = grown(i->durable, capacity * SIMDISK_SECTOR);
	i->is_lost = grown(i->is_lost, capacity * sizeof(bool));
	memset(i->cache + old * SIMDISK_SECTOR, 0, more);
	memset(i->durable + old * SIMDISK_SECTOR, 0, more);
	memset(i->is_lost + old, 0, (capacity - old) * sizeof(bool));
	i->capacity = capacity;
}

static void inode_free(struct inode *i)
{
	free(i->cache);
	free(i->durable);
	free(i->is_lost);
	free(i->pending);
	free(i);
}

static void pend(struct inode *i, uint64_t number)
{
	if (i->pending_count == i->pending_capacity) {
		i->pending_capacity = i->pending_capacity ? 2 * i->pending_capacity : 16;
		i->pending = grown(i->pending, i->pending_capacity * sizeof(*i->pending));
	}
	struct pending_sector *p = &i->pending[i->pending_count++];
	p->number = number;
	memcpy(p->bytes, i->cache + number * SIMDISK_SECTOR, SIMDISK_SECTOR);
}

static void settle_sector(struct inode *i, uint64_t number)
{
	memcpy(i->durable + number * SIMDISK_SECTOR, i->cache + number * SIMDISK_SECTOR,
	       SIMDISK_SECTOR);
}

static void forget_pending(struct inode *i, uint64_t first, uint64_t end)
{
	size_t kept = 0;
	for (size_t k = 0; k < i->pending_count; k++) {
		uint64_t number = i->pending[k].number;
		if (number < first || number >= end)
			i->pending[kept++] = i->pending[k];
	}
	i->pending_count = kept;
}

/* Of a sector whose cached bytes the medium never got, the rest is not to be taken for known. */
static void write_sector(struct inode *i, uint64_t number, enum inode_write how)
{
	i->is_lost[number] = false;
	if (how == INODE_SYNCED)
		settle_sector(i, number);
	else
		pend(i, number);
}

void inode_write(struct medium *m, struct inode *i, uint64_t offset, struct span bytes,
		 enum inode_write how)
{
	uint64_t end = offset + bytes.len;
	if (bytes.len == 0)
		return;
	inode_grow(i, end);
	uint64_t first = offset / SIMDISK_SECTOR;
	uint64_t behind = (end + SIMDISK_SECTOR - 1) / SIMDISK_SECTOR;
	if (how == INODE_SYNCED && i->pending_count > 0)
		forget_pending(i, first, behind);
	for (uint64_t number = first; number < behind; number++) {
		uint64_t from = number * SIMDISK_SECTOR;
		uint64_t to = from + SIMDISK_SECTOR;
		from = from < offset ? offset : from;
		to = to > end ? end : to;
		if (how == INODE_TORN && medium_draw(m, 4) == 0)
			continue;
		memcpy(i->cache + from, bytes.ptr + (from - offset), to - from);
		write_sector(i, number, how);
	}
	if (end > i->len)
		i->len = end;
	if (how == INODE_SYNCED && end > i->len_durable)
		i->len_durable = end;
}

size_t inode_read(const struct inode *i, uint64_t offset, struct room to, bool is_direct)
{
	if (offset >= i->len)
		return 0;
	size_t len = to.len;
	if (len > i->len - offset)
		len = (size_t)(i->len - offset);
	if (len > 0)
		memcpy(to.ptr, i->cache + offset, len);
	for (uint64_t at = offset; is_direct && at < offset + len;) {
		uint64_t number = at / SIMDISK_SECTOR;
		uint64_t end = (number + 1) * SIMDISK_SECTOR;
		end = end > offset + len ? offset + len : end;
		if (i->is_lost[number])
			memcpy(to.ptr + (at - offset), i->durable + at, end - at);
		at = end;
	}
	return len;
}

void inode_reserve(struct inode *i, uint64_t len)
{
	inode_grow(i, len);
	if (len > i->len)
		i->len = len;
	if (len > i->reserved)
		i->reserved = len;
}

void inode_sync(struct inode *i)
{
	for (size_t k = 0; k < i->pending_count; k++)
		if (i->pending[k].number < i->capacity && !i->is_lost[i->pending[k].number])
			settle_sector(i, i->pending[k].number);
	i->pending_count = 0;
	i->len_durable = i->len;
}

void inode_drop(struct medium *m, struct inode *i)
{
	for (size_t k = 0; k < i->pending_count; k++) {
		uint64_t number = i->pending[k].number;
		if (medium_draw(m, 2))
			memcpy(i->durable + number * SIMDISK_SECTOR, i->pending[k].bytes,
			       SIMDISK_SECTOR);
		i->is_lost[number] = true;
	}
	i->pending_count = 0;
	i->len_durable = i->len;
}

void inode_truncate(struct inode *i, uint64_t len)
{
	if (len < i->len) {
		size_t gone = (size_t)(i->capacity * SIMDISK_SECTOR - len);
		memset(i->cache + len, 0, gone);
		memset(i->durable + len, 0, gone);
		forget_pending(i, (len + SIMDISK_SECTOR - 1) / SIMDISK_SECTOR, UINT64_MAX);
	}
	i->len = len;
	i->len_durable = len;
	i->reserved = 0;
	inode_grow(i, len);
}

enum cut_style { CUT_ANY, CUT_NOTHING_KEPT, CUT_ALL_KEPT, CUT_STYLES };

/* Each sector's versions and its old bytes are equally likely: the k-th takes the place of those
 * before with one in k + 1. */
static void cut_sectors(struct medium *m, struct inode *i, enum cut_style style)
{
	uint16_t *seen = calloc(i->capacity + 1, sizeof(*seen));
	ASSERT(seen);
	for (size_t k = 0; k < i->pending_count && style != CUT_NOTHING_KEPT; k++) {
		uint64_t number = i->pending[k].number;
		bool is_kept = medium_draw(m, ++seen[number] + 1u) == 0;
		if (is_kept || style == CUT_ALL_KEPT)
			memcpy(i->durable + number * SIMDISK_SECTOR, i->pending[k].bytes,
			       SIMDISK_SECTOR);
	}
	free(seen);
}

static uint64_t cut_len(struct medium *m, const struct inode *i, enum cut_style style)
{
	if (style == CUT_NOTHING_KEPT || i->len <= i->len_durable)
		return i->len_durable;
	if (style == CUT_ALL_KEPT)
		return i->len;
	switch (medium_draw(m, 3)) {
	case 0: return i->len_durable;
	case 1: return i->len;
	default: return i->len_durable + medium_draw(m, i->len - i->len_durable);
	}
}

static void inode_cut(struct medium *m, struct inode *i, enum cut_style style)
{
	cut_sectors(m, i, style);
	uint64_t len = cut_len(m, i, style);
	i->pending_count = 0;
	i->len = len;
	inode_truncate(i, len);
	if (i->capacity > 0) {
		memset(i->durable + len, 0, (size_t)(i->capacity * SIMDISK_SECTOR - len));
		memcpy(i->cache, i->durable, (size_t)i->capacity * SIMDISK_SECTOR);
		memset(i->is_lost, 0, i->capacity * sizeof(bool));
	}
	i->open_count = 0;
}

/* --- names --- */

static struct name *name_find(struct names *names, const char *text)
{
	for (unsigned n = 0; n < names->count; n++)
		if (strcmp(names->names[n].text, text) == 0)
			return &names->names[n];
	return NULL;
}

static void text_copy(char to[DISK_NAME_MAX], const char *from)
{
	size_t len = strlen(from);
	ASSERT(len < DISK_NAME_MAX);
	memcpy(to, from, len + 1);
}

static void names_set(struct names *names, const char *text, struct inode *inode)
{
	struct name *n = name_find(names, text);
	if (!n) {
		ASSERT(names->count < NAMES_MAX);
		n = &names->names[names->count++];
		text_copy(n->text, text);
	}
	n->inode = inode;
}

static void names_remove(struct names *names, const char *text)
{
	struct name *n = name_find(names, text);
	if (n)
		*n = names->names[--names->count];
}

static void names_change(struct names *names, const struct name_change *c)
{
	struct name *from;
	switch (c->kind) {
	case NAME_CREATE: names_set(names, c->name, c->inode); break;
	case NAME_RENAME:
		from = name_find(names, c->from);
		if (from && from->inode == c->inode)
			names_remove(names, c->from);
		names_set(names, c->name, c->inode);
		break;
	case NAME_REMOVE: names_remove(names, c->name); break;
	}
}

static void change(struct medium *m, enum name_change_kind kind, const char *from, const char *name,
		   struct inode *inode)
{
	if (m->change_count == m->change_capacity) {
		m->change_capacity = m->change_capacity ? 2 * m->change_capacity : 16;
		m->changes = grown(m->changes, m->change_capacity * sizeof(*m->changes));
	}
	struct name_change *c = &m->changes[m->change_count++];
	*c = (struct name_change){.kind = kind, .inode = inode};
	text_copy(c->from, from);
	text_copy(c->name, name);
	names_change(&m->names, c);
}

struct inode *medium_find(struct medium *m, const char *name)
{
	struct name *n = name_find(&m->names, name);
	return n ? n->inode : NULL;
}

struct inode *medium_create(struct medium *m, const char *name)
{
	struct inode *i = calloc(1, sizeof(*i));
	ASSERT(i);
	i->next = m->inodes;
	m->inodes = i;
	change(m, NAME_CREATE, "", name, i);
	return i;
}

bool medium_rename(struct medium *m, const char *from, const char *to)
{
	struct inode *i = medium_find(m, from);
	if (i)
		change(m, NAME_RENAME, from, to, i);
	return i != NULL;
}

bool medium_remove(struct medium *m, const char *name)
{
	struct inode *i = medium_find(m, name);
	if (i)
		change(m, NAME_REMOVE, "", name, i);
	return i != NULL;
}

void medium_sync_names(struct medium *m)
{
	m->durable_names = m->names;
	m->change_count = 0;
	medium_collect(m);
}

static void mark_named(struct medium *m)
{
	for (struct inode *i = m->inodes; i; i = i->next)
		i->is_named = i->open_count > 0;
	for (unsigned n = 0; n < m->names.count; n++)
		m->names.names[n].inode->is_named = true;
}

uint64_t medium_used(struct medium *m)
{
	uint64_t used = 0;
	mark_named(m);
	for (struct inode *i = m->inodes; i; i = i->next) {
		uint64_t len = i->len > i->reserved ? i->len : i->reserved;
		if (i->is_named)
			used += (len + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
	}
	return used;
}

void medium_collect(struct medium *m)
{
	mark_named(m);
	for (unsigned n = 0; n < m->durable_names.count; n++)
		m->durable_names.names[n].inode->is_named = true;
	for (size_t k = 0; k < m->change_count; k++)
		m->changes[k].inode->is_named = true;
	for (struct inode **at = &m->inodes; *at;) {
		struct inode *i = *at;
		if (i->is_named) {
			at = &i->next;
			continue;
		}
		*at = i->next;
		inode_free(i);
	}
}

/* Changes of different files come in any order. Of one file a later one never stands without the
 * earlier: a file that was renamed twice has one name, not two. */
static void cut_names(struct medium *m, enum cut_style style)
{
	for (struct inode *i = m->inodes; i; i = i->next)
		i->is_undone = false;
	for (size_t k = 0; k < m->change_count; k++) {
		struct inode *i = m->changes[k].inode;
		bool is_kept = medium_draw(m, 2) == 0;
		if (style == CUT_NOTHING_KEPT || (style == CUT_ANY && !is_kept))
			i->is_undone = true;
		if (!i->is_undone)
			names_change(&m->durable_names, &m->changes[k]);
	}
}

/* --- both --- */

void medium_cut(struct medium *m)
{
	enum cut_style style = (enum cut_style)medium_draw(m, CUT_STYLES + 2);
	if (style >= CUT_STYLES)
		style = CUT_ANY;
	cut_names(m, style);
	m->change_count = 0;
	m->names = m->durable_names;
	for (struct inode *i = m->inodes; i; i = i->next)
		inode_cut(m, i, style);
	medium_collect(m);
}

void medium_settle(struct medium *m)
{
	for (struct inode *i = m->inodes; i; i = i->next)
		inode_sync(i);
	medium_sync_names(m);
}

void medium_release(struct medium *m)
{
	while (m->inodes) {
		struct inode *i = m->inodes;
		m->inodes = i->next;
		inode_free(i);
	}
	free(m->changes);
}
