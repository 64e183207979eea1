/* SPDX-License-Identifier: Apache-2.0 */
/* A .cmp file: opened, looked up, read. compact.c writes it. */
#include "base/hash.h"
#include "base/mem.h"
#include "journal/compact.h"

#define COMPACTED_MAGIC 0x31504d43524a544eull /* "NTJRCMP1" */
#define HEAD_CHECK_AT (COMPACTED_HEAD_BYTES - 8)
#define FOUND_MIN 64 /* a power of two, as all capacities are */

void compacted_head_encode(uint8_t to[COMPACTED_HEAD_BYTES], const struct compacted_head *head)
{
	memset(to, 0, COMPACTED_HEAD_BYTES);
	store_le64(to, COMPACTED_MAGIC);
	store_le32(to + 8, FORMAT_VERSION);
	store_le32(to + 16, head->first);
	store_le32(to + 20, head->last);
	store_le64(to + 24, head->store_id);
	store_le64(to + 32, head->count);
	store_le64(to + 40, head->records_end);
	store_le64(to + 48, head->index_at);
	store_le64(to + 56, head->index_hash);
	store_le64(to + HEAD_CHECK_AT, hash_bytes(span_of(to, HEAD_CHECK_AT), 0));
}

bool compacted_head_decode(const uint8_t from[COMPACTED_HEAD_BYTES], uint64_t store_id,
			   uint32_t first, struct compacted_head *out)
{
	if (load_le64(from) != COMPACTED_MAGIC || load_le32(from + 8) != FORMAT_VERSION)
		return false;
	if (load_le64(from + HEAD_CHECK_AT) != hash_bytes(span_of(from, HEAD_CHECK_AT), 0))
		return false;
	*out = (struct compacted_head){
		.first = load_le32(from + 16),
		.last = load_le32(from + 20),
		.store_id = load_le64(from + 24),
		.count = load_le64(from + 32),
		.records_end = load_le64(from + 40),
		.index_at = load_le64(from + 48),
		.index_hash = load_le64(from + 56),
	};
	return out->store_id == store_id && out->first == first && out->last >= first;
}

/* The hash of the index is one over those of its blocks, so that it needs no second memory. */
static int read_index(struct window *w, struct compacted *c,
		      int (*each)(void *context, uint64_t position), void *context)
{
	uint64_t hash = 0;
	uint64_t left = c->head.count;
	for (uint32_t block = 0; block < c->blocks; block++) {
		uint64_t entries = left > INDEX_BLOCK_ENTRIES ? INDEX_BLOCK_ENTRIES : left;
		const uint8_t *bytes = window_at(w, c->head.index_at + (uint64_t)block * DISK_BLOCK,
						 (size_t)entries * INDEX_ENTRY_BYTES);
		if (!bytes)
			return ERROR_DAMAGED;
		hash = hash_bytes(span_of(bytes, (size_t)entries * INDEX_ENTRY_BYTES), hash);
		c->tops[block] = load_le64(bytes);
		for (uint64_t i = 0; each && i < entries; i++) {
			int error = each(context, load_le64(bytes + i * INDEX_ENTRY_BYTES));
			if (error)
				return error;
		}
		left -= entries;
	}
	return hash == c->head.index_hash ? 0 : ERROR_DAMAGED;
}

static int verify(struct window *w, struct compacted *c, uint64_t store_id, uint32_t first,
		  int (*each)(void *context, uint64_t position), void *context)
{
	const uint8_t *bytes = window_at(w, 0, COMPACTED_HEAD_BYTES);
	if (!bytes || !compacted_head_decode(bytes, store_id, first, &c->head))
		return ERROR_DAMAGED;
	uint64_t blocks = (c->head.count + INDEX_BLOCK_ENTRIES - 1) / INDEX_BLOCK_ENTRIES;
	if (blocks > w->len / INDEX_ENTRY_BYTES)
		return ERROR_DAMAGED;
	c->blocks = (uint32_t)blocks;
	c->bytes = w->len;
	c->tops = mem_zalloc((blocks + 1) * sizeof(*c->tops));
	if (!c->tops)
		return ERROR_NO_MEMORY;
	int error = read_index(w, c, NULL, NULL);
	/* What a damaged one says is given to nobody. */
	return error || !each ? error : read_index(w, c, each, context);
}

/* --- when header or index are damaged --- */

/* Each record says itself which position it has. */
static bool record_at(struct window *w, uint64_t store_id, uint64_t offset, uint64_t *position_out,
		      uint64_t *behind_out)
{
	uint32_t len;
	const uint8_t *bytes = window_at(w, offset, RECORD_HEAD_BYTES);
	uint64_t position = bytes ? load_le64(bytes + 8) : 0;
	if (position == 0 || !record_head_peek(bytes, position, &len))
		return false;
	bytes = window_at(w, offset, RECORD_HEAD_BYTES + (size_t)len);
	if (!bytes ||
	    !record_is_valid(span_of(bytes, RECORD_HEAD_BYTES + (size_t)len), store_id, position))
		return false;
	*position_out = position;
	*behind_out = offset + record_bytes(len);
	return true;
}

static int note_found(struct compacted *c, uint64_t position, uint64_t offset)
{
	uint64_t count = c->head.count;
	bool is_full = count == 0 || (count >= FOUND_MIN && (count & (count - 1)) == 0);
	if (is_full) {
		uint64_t capacity = count ? 2 * count : FOUND_MIN;
		struct index_entry *more = mem_realloc(c->found, capacity * sizeof(*more));
		if (!more)
			return ERROR_NO_MEMORY;
		c->found = more;
	}
	c->found[c->head.count++] = (struct index_entry){position, offset};
	c->head.last = position_segment(position);
	return 0;
}

/* Records ascend; what does not is a leftover. */
static int rebuild(struct window *w, struct compacted *c, uint64_t store_id, uint32_t first,
		   int (*each)(void *context, uint64_t position), void *context)
{
	uint64_t newest = position_of(first, 0);
	int error = 0;
	c->bytes = w->len;
	c->blocks = 0;
	c->head = (struct compacted_head){.store_id = store_id, .first = first, .last = first};
	for (uint64_t at = COMPACTED_HEAD_BYTES; at < w->len && !error;) {
		uint64_t position, behind;
		if (!record_at(w, store_id, at, &position, &behind) || position <= newest) {
			at += LOG_ALIGN;
			continue;
		}
		error = note_found(c, position, at);
		newest = position;
		c->head.records_end = at = behind;
	}
	for (uint64_t i = 0; i < c->head.count && !error; i++)
		error = each(context, c->found[i].position);
	return !error && c->head.count == 0 ? ERROR_DAMAGED : error;
}

static int find_found(const struct compacted *c, uint64_t position, uint64_t *offset_out)
{
	uint64_t low = 0, high = c->head.count;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (c->found[middle].position < position)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == c->head.count || c->found[low].position != position)
		return ERROR_NOT_FOUND;
	*offset_out = c->found[low].offset;
	return 0;
}

int compacted_open(struct disk *disk, uint64_t store_id, const char *name, uint32_t first,
		   struct compacted **out, int (*each)(void *context, uint64_t position),
		   void *context)
{
	struct window w;
	int error = window_open(&w, disk, name, true);
	if (error)
		return error;
	struct compacted *c = mem_zalloc(sizeof(*c));
	error = c ? verify(&w, c, store_id, first, each, context) : ERROR_NO_MEMORY;
	if (error == ERROR_DAMAGED && each)
		error = rebuild(&w, c, store_id, first, each, context);
	window_release(&w);
	if (!error)
		error = disk->ops->open(disk, name, DISK_READ, &c->file);
	if (error)
		compacted_free(c);
	else
		*out = c;
	return error;
}

void compacted_free(struct compacted *c)
{
	if (!c)
		return;
	if (c->file)
		c->file->ops->close(c->file);
	mem_free(c->tops);
	mem_free(c->found);
	mem_free(c);
}

/* The last block whose first position is not above; -1: all are. */
static int64_t block_of(const struct compacted *c, uint64_t position)
{
	int64_t low = -1, high = (int64_t)c->blocks;
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;
		if (c->tops[middle] <= position)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int compacted_find(const struct compacted *c, uint64_t position, uint64_t *offset_out)
{
	uint8_t bytes[DISK_BLOCK] __attribute__((aligned(DISK_BLOCK)));
	if (c->found)
		return find_found(c, position, offset_out);
	int64_t block = block_of(c, position);
	if (block < 0)
		return ERROR_NOT_FOUND;
	uint64_t first = (uint64_t)block * INDEX_BLOCK_ENTRIES;
	uint64_t entries = c->head.count - first;
	entries = entries > INDEX_BLOCK_ENTRIES ? INDEX_BLOCK_ENTRIES : entries;
	struct room to = {bytes, sizeof(bytes)};
	long got = c->file->ops->read(c->file, to, c->head.index_at + (uint64_t)block * DISK_BLOCK);
	if (got < (long)(entries * INDEX_ENTRY_BYTES))
		return got < 0 ? (int)got : ERROR_DAMAGED;
	uint64_t low = 0, high = entries;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (load_le64(bytes + middle * INDEX_ENTRY_BYTES) < position)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == entries || load_le64(bytes + low * INDEX_ENTRY_BYTES) != position)
		return ERROR_NOT_FOUND;
	*offset_out = load_le64(bytes + low * INDEX_ENTRY_BYTES + 8);
	return 0;
}

/* --- at the start --- */

struct loading {
	struct journal *j;
	uint32_t *numbers;
	uint32_t count;
	uint32_t capacity;
	int error;
	/* While one file is read: segments, and how many records of each it holds. */
	struct segment **segments;
	uint64_t *counts;
	uint32_t segment_count;
	uint32_t last;
};

static void found(void *context, const char *name)
{
	struct loading *l = context;
	uint32_t number;
	if (l->error || file_name_parse(name, &number) != FILE_COMPACTED)
		return;
	if (l->count == l->capacity) {
		uint32_t capacity = l->capacity ? 2 * l->capacity : 16;
		uint32_t *numbers = mem_realloc(l->numbers, capacity * sizeof(*numbers));
		if (!numbers) {
			l->error = ERROR_NO_MEMORY;
			return;
		}
		l->numbers = numbers;
		l->capacity = capacity;
	}
	l->numbers[l->count++] = number;
}

/* The segments that a file stands for come out of its index. */
static int note_segment(void *context, uint64_t position)
{
	struct loading *l = context;
	uint32_t number = position_segment(position);
	if (number == l->last) {
		l->counts[l->segment_count - 1]++;
		return 0;
	}
	l->last = number;
	struct segment *s = segments_find(l->j, number);
	if (!s)
		s = segments_add(l->j, number);
	if (!s)
		return ERROR_NO_MEMORY;
	uint32_t count = l->segment_count + 1;
	struct segment **segments = mem_realloc(l->segments, count * sizeof(*segments));
	l->segments = segments ? segments : l->segments;
	uint64_t *counts = mem_realloc(l->counts, count * sizeof(*counts));
	l->counts = counts ? counts : l->counts;
	if (!segments || !counts)
		return ERROR_NO_MEMORY;
	l->segments[l->segment_count] = s;
	l->counts[l->segment_count++] = 1;
	return 0;
}

static void drop_user(struct compacted *c)
{
	if (c && --c->users == 0)
		compacted_free(c);
}

/* Is it to be read instead of what stands for the segment already? A file that holds its records in
 * a wider range is the newer one; what was found without an index is the last resort. */
static bool is_better(const struct segment *s, const struct compacted *c)
{
	const struct compacted *old = s->compacted;
	if (c->found)
		return !old && s->bytes == 0;
	return !old || old->found ||
	       old->head.last - old->head.first <= c->head.last - c->head.first;
}

static void adopt(struct segment *s, struct compacted *c, uint64_t records)
{
	if (!is_better(s, c))
		return;
	drop_user(s->compacted);
	s->compacted = c;
	s->state = SEGMENT_COMPACTED;
	s->records = records;
	/* On average, as good as what is live of it is known. */
	s->record_bytes = records * ((c->head.records_end - COMPACTED_HEAD_BYTES) / c->head.count);
	c->users++;
}

static int load_one(struct loading *l, uint32_t number, struct damage_log *damage)
{
	struct journal *j = l->j;
	struct compacted *c = NULL;
	char name[DISK_NAME_MAX];
	file_name(name, FILE_COMPACTED, number);
	l->segment_count = 0;
	l->last = 0;
	int error = compacted_open(j->disk, j->store.store_id, name, number, &c, note_segment, l);
	if (error == ERROR_DAMAGED)
		return damage_add_line(damage, "%s: header or index damaged, not used\n", name);
	if (!error && c->found)
		error = damage_add_line(
			damage, "%s: header or index damaged, %llu records found without them\n",
			name, (unsigned long long)c->head.count);
	if (error) {
		compacted_free(c);
		return error;
	}
	for (uint32_t i = 0; i < l->segment_count; i++)
		adopt(l->segments[i], c, l->counts[i]);
	j->room.other_bytes += c->bytes;
	if (c->users > 0)
		return 0;
	/* A wider one holds the same, or it holds nothing. */
	j->room.other_bytes -= c->bytes;
	compacted_free(c);
	return j->disk->ops->remove(j->disk, name);
}

int compact_load(struct journal *j, struct damage_log *damage)
{
	struct loading l = {.j = j};
	int error = j->disk->ops->list(j->disk, found, &l);
	if (!error)
		error = l.error;
	for (uint32_t i = 0; i < l.count && !error; i++)
		error = load_one(&l, l.numbers[i], damage);
	mem_free(l.numbers);
	mem_free(l.segments);
	mem_free(l.counts);
	return error;
}

int compact_locate(struct journal *j, struct segment *segment, uint64_t position,
		   struct disk_file **file_out, uint64_t *offset_out)
{
	(void)j;
	int error = compacted_find(segment->compacted, position, offset_out);
	if (!error)
		*file_out = segment->compacted->file;
	return error;
}

static int grow(uint8_t **memory, size_t *capacity, size_t len)
{
	if (len <= *capacity)
		return 0;
	uint8_t *more = mem_realloc(*memory, len);
	if (!more)
		return ERROR_NO_MEMORY;
	*memory = more;
	*capacity = len;
	return 0;
}

int compact_read(struct journal *j, const struct segment *segment, uint64_t position,
		 uint8_t **memory, size_t *capacity, struct span *body_out)
{
	const struct compacted *c = segment->compacted;
	uint8_t head[RECORD_HEAD_BYTES];
	uint64_t offset;
	uint32_t len;
	int error = compacted_find(c, position, &offset);
	if (error)
		return error == ERROR_NOT_FOUND ? ERROR_DAMAGED : error;
	struct room to = {head, sizeof(head)};
	if (c->file->ops->read(c->file, to, offset) != (long)sizeof(head) ||
	    !record_head_peek(head, position, &len))
		return ERROR_DAMAGED;
	size_t all = RECORD_HEAD_BYTES + (size_t)len;
	error = grow(memory, capacity, all);
	if (error)
		return error;
	to = (struct room){*memory, all};
	if (c->file->ops->read(c->file, to, offset) != (long)all ||
	    !record_is_valid(span_of(*memory, all), j->store.store_id, position))
		return ERROR_DAMAGED;
	*body_out = span_of(*memory + RECORD_HEAD_BYTES, len);
	return 0;
}
