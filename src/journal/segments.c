/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of segments: which are there, who reads them, what becomes of their files.
 *
 *     ready.c: spare or new file -> READY -> OPEN -> SEALED or FAILED -> recycled -> forgotten
 *
 * A number is never used twice, not even for a segment that holds nothing: what a commit that
 * nobody heard of left there would be valid again. The file with the highest number is therefore
 * always there: it goes only when a higher one stands.
 */
#include "base/mem.h"
#include "journal/inside.h"

#include <errno.h>

#define READING_MAX 64 /* descriptors; a queue is read from few segments at a time */

/* The table */

/* Index of the first segment whose number is not below. */
static uint32_t place_of(const struct segments *s, uint32_t number)
{
	uint32_t low = 0, high = s->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (s->all[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct segment *segments_find(struct journal *j, uint32_t number)
{
	const struct segments *s = &j->segments;
	uint32_t place = place_of(s, number);
	return place < s->count && s->all[place]->number == number ? s->all[place] : NULL;
}

static bool has_place(struct segments *s)
{
	if (s->count < s->capacity)
		return true;
	uint32_t capacity = s->capacity ? 2 * s->capacity : 16;
	struct segment **all = mem_realloc(s->all, capacity * sizeof(struct segment *));
	if (!all)
		return false;
	s->all = all;
	s->capacity = capacity;
	return true;
}

struct segment *segments_add(struct journal *j, uint32_t number)
{
	struct segments *s = &j->segments;
	struct segment *segment = mem_zalloc(sizeof(*segment));
	if (!segment)
		return NULL;
	segment->number = number;
	pthread_mutex_lock(&j->lock);
	if (!has_place(s)) {
		pthread_mutex_unlock(&j->lock);
		mem_free(segment);
		return NULL;
	}
	uint32_t place = place_of(s, number);
	ASSERT(place == s->count || s->all[place]->number != number);
	memmove(s->all + place + 1, s->all + place, (s->count - place) * sizeof(struct segment *));
	s->all[place] = segment;
	s->count++;
	if (number >= s->next_number)
		s->next_number = number + 1;
	pthread_mutex_unlock(&j->lock);
	return segment;
}

static void close_files(struct journal *j, struct segment *segment)
{
	if (segment->reading) {
		segment->reading->ops->close(segment->reading);
		j->segments.reading--;
	}
	if (segment->writing)
		segment->writing->ops->close(segment->writing);
	segment->reading = segment->writing = NULL;
}

bool segment_forget(struct journal *j, struct segment *segment)
{
	struct segments *s = &j->segments;
	pthread_mutex_lock(&j->lock);
	bool is_free = segment->readers == 0;
	if (is_free) {
		uint32_t place = place_of(s, segment->number);
		ASSERT(place < s->count && s->all[place] == segment);
		s->count--;
		memmove(s->all + place, s->all + place + 1,
			(s->count - place) * sizeof(struct segment *));
		close_files(j, segment);
	}
	pthread_mutex_unlock(&j->lock);
	if (is_free)
		mem_free(segment);
	return is_free;
}

void segments_release(struct journal *j)
{
	struct segments *s = &j->segments;
	for (uint32_t i = 0; i < s->count; i++) {
		close_files(j, s->all[i]);
		mem_free(s->all[i]);
	}
	mem_free(s->all);
	*s = (struct segments){0};
}

/* Reading */

struct segment *segment_pin(struct journal *j, uint32_t number)
{
	pthread_mutex_lock(&j->lock);
	struct segment *segment = segments_find(j, number);
	if (segment)
		segment->readers++;
	pthread_mutex_unlock(&j->lock);
	return segment;
}

void segment_unpin(struct journal *j, struct segment *segment)
{
	pthread_mutex_lock(&j->lock);
	ASSERT(segment->readers > 0);
	segment->readers--;
	pthread_mutex_unlock(&j->lock);
}

/* Closes the file that was read longest ago, if too many are open. With the lock held. */
static void close_longest_unread(struct journal *j)
{
	struct segments *s = &j->segments;
	struct segment *oldest = NULL;
	if (s->reading < READING_MAX)
		return;
	for (uint32_t i = 0; i < s->count; i++) {
		struct segment *segment = s->all[i];
		if (segment->reading && segment->readers == 0 &&
		    (!oldest || segment->read_at < oldest->read_at))
			oldest = segment;
	}
	if (!oldest)
		return;
	oldest->reading->ops->close(oldest->reading);
	oldest->reading = NULL;
	s->reading--;
}

int segment_reading_file(struct journal *j, struct segment *segment, struct disk_file **out)
{
	char name[DISK_NAME_MAX];
	struct disk_file *opened = NULL;
	pthread_mutex_lock(&j->lock);
	segment->read_at = ++j->segments.reading_clock;
	struct disk_file *file = segment->reading;
	pthread_mutex_unlock(&j->lock);
	if (!file) {
		file_name(name, FILE_SEGMENT, segment->number);
		int error = j->disk->ops->open(j->disk, name, DISK_READ, &opened);
		if (error)
			return error;
		pthread_mutex_lock(&j->lock);
		if (!segment->reading) {
			close_longest_unread(j);
			segment->reading = opened;
			j->segments.reading++;
			opened = NULL;
		}
		file = segment->reading;
		pthread_mutex_unlock(&j->lock);
		if (opened)
			opened->ops->close(opened);
	}
	*out = file;
	return 0;
}

/* What becomes of files */

/* A number for a spare, or 0: it is not wanted. With the lock held. */
static uint32_t spare_number(struct journal *j, const struct segment *segment)
{
	struct segments *s = &j->segments;
	bool is_wanted = segment->state != SEGMENT_FAILED &&
			 segment->bytes == j->store.segment_bytes && s->spare_count < SPARES_MAX;
	return is_wanted ? s->next_spare++ : 0;
}

bool segment_recycle(struct journal *j, struct segment *segment)
{
	char name[DISK_NAME_MAX], spare_name[DISK_NAME_MAX];
	pthread_mutex_lock(&j->lock);
	if (segment->readers > 0) {
		pthread_mutex_unlock(&j->lock);
		return false;
	}
	close_files(j, segment);
	uint32_t spare = spare_number(j, segment);
	pthread_mutex_unlock(&j->lock);

	file_name(name, FILE_SEGMENT, segment->number);
	if (spare) {
		file_name(spare_name, FILE_SPARE, spare);
		if (j->disk->ops->rename(j->disk, name, spare_name) != 0)
			spare = 0;
	}
	if (!spare && j->disk->ops->remove(j->disk, name) == ERROR_SYSTEM)
		journal_say(j, true, "cannot remove %s, which is not needed any more", name);

	pthread_mutex_lock(&j->lock);
	if (spare)
		j->segments.spares[j->segments.spare_count++] = spare;
	else
		j->room.segment_bytes -= segment->bytes;
	segment->bytes = 0;
	j->room.look_ms = j->room.retry_ms = 0;
	pthread_mutex_unlock(&j->lock);
	journal_wake_housekeeper(j);
	return true;
}

/* What is there at the start */

struct loading {
	struct journal *j;
	int error;
	int cause; /* errno of that */
};

/* Length of the file, and block 0 when it is whole and of this store. */
static int look_at(struct journal *j, const char *name, uint64_t *len_out,
		   struct segment_head *head_out)
{
	uint8_t block[SEGMENT_HEAD_BYTES];
	struct disk_file *file = NULL;
	int error = j->disk->ops->open(j->disk, name, DISK_READ | DISK_DIRECT, &file);
	if (error)
		return error;
	error = file->ops->size(file, len_out);
	long n = error ? error : file->ops->read(file, (struct room){block, sizeof(block)}, 0);
	file->ops->close(file);
	/* A block that cannot be read is as one that is damaged: the frames tell. */
	if (n != (long)sizeof(block) || !segment_head_decode(block, head_out) ||
	    head_out->store_id != j->store.store_id)
		*head_out = (struct segment_head){0};
	return error;
}

static int load_segment(struct journal *j, const char *name, uint32_t number)
{
	struct segment *segment = segments_add(j, number);
	if (!segment)
		return ERROR_NO_MEMORY;
	segment->state = SEGMENT_SEALED;
	int error = look_at(j, name, &segment->bytes, &segment->head);
	segment->has_head = segment->head.number == number && segment->head.is_begun;
	j->room.segment_bytes += segment->bytes;
	if (segment->head.incarnation >= j->incarnation)
		j->incarnation = segment->head.incarnation + 1;
	return error;
}

static int load_spare(struct journal *j, const char *name, uint32_t number)
{
	struct segments *s = &j->segments;
	struct segment_head head = {0};
	uint64_t len = 0;
	int error = look_at(j, name, &len, &head);
	if (error)
		return error;
	if (head.number >= s->next_number)
		s->next_number = head.number + 1;
	if (number >= s->next_spare)
		s->next_spare = number + 1;
	if (len != j->store.segment_bytes || s->spare_count == SPARES_MAX) {
		(void)!j->disk->ops->remove(j->disk, name);
		return 0;
	}
	s->spares[s->spare_count++] = number;
	j->room.segment_bytes += len;
	return 0;
}

static void found(void *context, const char *name)
{
	struct loading *l = context;
	uint32_t number;
	enum file_kind kind = file_name_parse(name, &number);
	if (l->error)
		return;
	if (kind == FILE_SEGMENT && number > 0 && number < UINT32_MAX)
		l->error = load_segment(l->j, name, number);
	else if (kind == FILE_SPARE)
		l->error = load_spare(l->j, name, number);
	l->cause = errno;
}

int segments_load(struct journal *j)
{
	struct loading l = {.j = j};
	j->segments.next_number = 1;
	j->segments.next_spare = 1;
	if (j->incarnation == 0)
		j->incarnation = 1;
	int error = j->disk->ops->list(j->disk, found, &l);
	if (error)
		return error;
	errno = l.cause; /* listing has gone on since */
	return l.error;
}
