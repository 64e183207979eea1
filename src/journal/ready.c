/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Housekeeping of segments: there are always READY_MIN of them ready, under their final names, so
 * that the committer changes over without asking the file system; and there is a reserve.
 *
 *     | data of the log | rest of the disk, or of bytes_max | reserve |
 *                             LOG_GOOD                      | LOG_FULL: only what frees room
 *
 * The first segments are written through, so that a commit overwrites; later ones are only reserved
 * (written through they would cost a growing backlog twice) and are recycled when they are empty.
 */
#include "journal/checkpoint.h"
#include "journal/inside.h"

#include <errno.h>

#define LOOK_MS 1000
#define RETRY_MS 1000
#define RESERVE_SEGMENTS 2
/* A tenth of the disk is kept free, but of a large one no more than this. */
#define HARD_SEGMENTS_MAX 16

/* Making a file */

static int write_through(struct journal *j, struct disk_file *file, uint64_t len)
{
	/* never written, and not const: so it takes no place in the program's file */
	static uint8_t zeros[64 << 10] __attribute__((aligned(DISK_BLOCK)));
	int error = 0;
	for (uint64_t at = 0; !error && at < len;) {
		struct span parts[16];
		unsigned count = 0;
		uint64_t from = at;
		for (; count < ARRAY_COUNT(parts) && at < len; count++) {
			uint64_t part = len - at < sizeof(zeros) ? len - at : sizeof(zeros);
			parts[count] = span_of(zeros, part);
			at += part;
		}
		error = file->ops->write(file, parts, count, from);
	}
	atomic_fetch_add_explicit(&j->counters.written_bytes, len, memory_order_relaxed);
	return error ? error : file->ops->sync(file);
}

static bool is_allowed(struct journal *j, uint64_t len, uint32_t *files_out)
{
	pthread_mutex_lock(&j->lock);
	uint64_t bytes = j->room.segment_bytes + j->room.other_bytes;
	uint32_t ready = 0;
	*files_out = j->segments.spare_count;
	for (uint32_t i = 0; i < j->segments.count; i++) {
		*files_out += j->segments.all[i]->bytes > 0;
		ready += j->segments.all[i]->state == SEGMENT_READY;
	}
	pthread_mutex_unlock(&j->lock);
	/* Without any segment nothing could ever be freed: then the limit gives way. */
	return ready == 0 || j->options.bytes_max == 0 || bytes + len <= j->options.bytes_max;
}

/* A new spare. */
static int make_file(struct journal *j, uint32_t *spare_out)
{
	char name[DISK_NAME_MAX];
	struct disk_file *file = NULL;
	uint32_t files;
	uint64_t len = j->store.segment_bytes;
	if (!is_allowed(j, len, &files))
		return ERROR_FULL;
	uint32_t spare = j->segments.next_spare++;
	file_name(name, FILE_SPARE, spare);
	int error = j->disk->ops->open(j->disk, name, DISK_WRITE, &file);
	if (error)
		return error;
	error = file->ops->reserve(file, len);
	if (!error && files < j->options.segments_min)
		error = write_through(j, file, len);
	file->ops->close(file);
	if (error) {
		int saved = errno;
		(void)!j->disk->ops->remove(j->disk, name);
		errno = saved;
		return error;
	}
	pthread_mutex_lock(&j->lock);
	j->room.segment_bytes += len;
	pthread_mutex_unlock(&j->lock);
	*spare_out = spare;
	return 0;
}

/* Making it ready */

static int write_head(struct journal *j, struct disk_file *file, uint32_t number)
{
	uint8_t memory[SEGMENT_HEAD_BYTES + DISK_BLOCK];
	uint8_t *block = memory + (-(uintptr_t)memory & (DISK_BLOCK - 1));
	struct segment_head head = {
		.store_id = j->store.store_id,
		.number = number,
		.incarnation = j->incarnation,
		.file_bytes = j->store.segment_bytes,
	};
	struct span part = span_of(block, SEGMENT_HEAD_BYTES);
	segment_head_encode(block, &head);
	int error = file->ops->write(file, &part, 1, 0);
	atomic_fetch_add_explicit(&j->counters.written_bytes, part.len, memory_order_relaxed);
	return error ? error : file->ops->sync(file);
}

static int name_finally(struct journal *j, const char *from, uint32_t number)
{
	char name[DISK_NAME_MAX];
	file_name(name, FILE_SEGMENT, number);
	int error = j->disk->ops->rename(j->disk, from, name);
	return error ? error : j->disk->ops->sync_names(j->disk);
}

/* A file whose write failed is never tried again. */
static void drop_spare(struct journal *j, const char *name, struct disk_file *file)
{
	int saved = errno;
	if (file)
		file->ops->close(file);
	(void)!j->disk->ops->remove(j->disk, name);
	pthread_mutex_lock(&j->lock);
	j->room.segment_bytes -= j->store.segment_bytes;
	pthread_mutex_unlock(&j->lock);
	errno = saved;
}

static int prepare(struct journal *j, uint32_t spare)
{
	char name[DISK_NAME_MAX];
	struct disk_file *file = NULL;
	unsigned mode =
		DISK_WRITE | (j->options.durability == DURABILITY_ALWAYS ? (unsigned)DISK_SYNC : 0);
	/* No store lives so long, but its files may say so. */
	if (j->segments.next_number == UINT32_MAX)
		return ERROR_LIMIT;
	uint32_t number = j->segments.next_number++;
	file_name(name, FILE_SPARE, spare);
	int error = j->disk->ops->open(j->disk, name, mode, &file);
	if (!error)
		error = write_head(j, file, number);
	if (!error)
		error = name_finally(j, name, number);
	struct segment *segment = error ? NULL : segments_add(j, number);
	if (!segment) {
		/* Renamed or not: one of the names goes. */
		char final[DISK_NAME_MAX];
		file_name(final, FILE_SEGMENT, number);
		(void)!j->disk->ops->remove(j->disk, final);
		drop_spare(j, name, file);
		return error ? error : ERROR_NO_MEMORY;
	}
	pthread_mutex_lock(&j->lock);
	segment->bytes = j->store.segment_bytes;
	segment->writing = file;
	segment->state = SEGMENT_READY;
	pthread_mutex_unlock(&j->lock);
	return 0;
}

int segments_make_ready(struct journal *j)
{
	uint32_t spare = 0;
	pthread_mutex_lock(&j->lock);
	if (j->segments.spare_count > 0)
		spare = j->segments.spares[--j->segments.spare_count];
	pthread_mutex_unlock(&j->lock);
	int error = spare ? 0 : make_file(j, &spare);
	return error ? error : prepare(j, spare);
}

/* With the lock held. */
static struct segment *first_ready(struct journal *j, uint32_t *count_out)
{
	struct segment *first = NULL;
	*count_out = 0;
	for (uint32_t i = j->segments.count; i-- > 0;) {
		if (j->segments.all[i]->state != SEGMENT_READY)
			continue;
		first = j->segments.all[i];
		++*count_out;
	}
	return first;
}

struct segment *segments_take(struct journal *j, uint64_t bytes, int *error_out)
{
	uint32_t count;
	pthread_mutex_lock(&j->lock);
	struct segments *s = &j->segments;
	struct segment *segment = first_ready(j, &count);
	*error_out = s->wanted_error;
	if (segment && segment->bytes >= bytes) {
		segment->state = SEGMENT_OPEN;
		s->wanted_bytes = 0;
	} else {
		s->wanted_bytes = *error_out ? 0 : bytes;
		segment = NULL;
	}
	s->wanted_error = 0;
	j->room.look_ms = 0;
	pthread_mutex_unlock(&j->lock);
	journal_wake_housekeeper(j);
	return segment;
}

bool segments_cannot_make(struct journal *j)
{
	pthread_mutex_lock(&j->lock);
	bool cannot = j->room.cannot_make;
	pthread_mutex_unlock(&j->lock);
	return cannot;
}

/* Makes the next segment longer, for a batch that no usual one holds. */
static bool grow(struct journal *j)
{
	uint32_t count;
	pthread_mutex_lock(&j->lock);
	struct segment *segment = first_ready(j, &count);
	uint64_t wanted = j->segments.wanted_bytes;
	pthread_mutex_unlock(&j->lock);
	if (!segment || segment->bytes >= wanted)
		return false;
	/* The committer waits: nobody else uses this file. */
	int error = segment->writing->ops->reserve(segment->writing, wanted);
	/* Block 0 will say how long the file is: a shorter one is taken for cut off. */
	if (!error)
		error = segment->writing->ops->sync(segment->writing);
	pthread_mutex_lock(&j->lock);
	if (error) {
		j->segments.wanted_error = error;
	} else {
		j->room.segment_bytes += wanted - segment->bytes;
		segment->bytes = wanted;
	}
	j->segments.wanted_bytes = 0;
	pthread_mutex_unlock(&j->lock);
	journal_wake_committer(j);
	return true;
}

/* The room */

struct view {
	uint64_t available; /* for data to come */
	uint64_t limit;     /* all that the log may ever have */
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The next ones will be about as long as the last, and must stand before anything goes: two are
 * kept, and a third while it is written. */
static uint64_t room_for_checkpoints(const struct journal *j)
{
	const struct checkpoints *c = j->checkpoints;
	return c->newest.bytes * (c->previous.number > 0 ? 1 : 2);
}

static struct view look(struct journal *j)
{
	uint64_t free = UINT64_MAX / 4, total;
	(void)!j->disk->ops->space(j->disk, &free, &total);
	free -= smaller(free, room_for_checkpoints(j));
	pthread_mutex_lock(&j->lock);
	uint64_t used = j->room.segment_bytes + j->room.other_bytes;
	uint64_t idle = (uint64_t)j->segments.spare_count * j->store.segment_bytes;
	for (uint32_t i = 0; i < j->segments.count; i++)
		if (j->segments.all[i]->state == SEGMENT_READY)
			idle += j->segments.all[i]->bytes;
	pthread_mutex_unlock(&j->lock);
	if (j->options.bytes_max)
		free = smaller(free, j->options.bytes_max - smaller(used, j->options.bytes_max));
	return (struct view){.available = idle + free, .limit = used + free};
}

/* Health and is_scarce as the room is now. True when something has changed. */
static bool look_at_room(struct journal *j)
{
	struct view v = look(j);
	uint64_t one = j->store.segment_bytes;
	uint64_t hard =
		larger(RESERVE_SEGMENTS * one, smaller(v.limit / 10, HARD_SEGMENTS_MAX * one));
	bool was_full = atomic_load(&j->log.health) == LOG_FULL;
	/* Once full, a segment more must be there: no flutter. */
	bool is_full = was_full ? v.available < hard + one : v.available <= hard;
	pthread_mutex_lock(&j->lock);
	j->room.is_scarce = v.available < larger(hard + one, smaller(v.limit / 5, 2 * hard));
	pthread_mutex_unlock(&j->lock);
	if (is_full == was_full || atomic_load(&j->log.health) == LOG_FAILED)
		return false;
	journal_set_health(j, is_full ? LOG_FULL : LOG_GOOD,
			   is_full ? "The journal is full: durable messages are refused until "
				     "subscribers have taken some, or there is more room."
				   : "The journal has room again.");
	return true;
}

static bool is_time_to_look(struct journal *j)
{
	uint64_t now = journal_now(j);
	pthread_mutex_lock(&j->lock);
	bool is_time = j->room.look_ms == 0 || now >= j->room.look_ms;
	if (is_time)
		j->room.look_ms = now + LOOK_MS;
	pthread_mutex_unlock(&j->lock);
	return is_time;
}

/* Whether one more segment is to be made; those of the first start, too. */
static bool wants_more(struct journal *j)
{
	uint32_t ready;
	uint64_t now = journal_now(j);
	pthread_mutex_lock(&j->lock);
	(void)first_ready(j, &ready);
	bool wants = ready < READY_MIN && now >= j->room.retry_ms;
	pthread_mutex_unlock(&j->lock);
	return wants;
}

static bool wants_spare(struct journal *j)
{
	uint32_t files;
	uint64_t now = journal_now(j);
	bool is_room = is_allowed(j, j->store.segment_bytes, &files);
	pthread_mutex_lock(&j->lock);
	bool wants = is_room && files < j->options.segments_min &&
		     j->segments.spare_count < SPARES_MAX && now >= j->room.retry_ms;
	pthread_mutex_unlock(&j->lock);
	return wants;
}

/* What comes of an attempt to make something. */
static bool settle(struct journal *j, int error)
{
	if (error && error != ERROR_FULL)
		journal_say(j, true, "the journal cannot make a segment: %s", strerror(errno));
	pthread_mutex_lock(&j->lock);
	j->room.cannot_make = error && error != ERROR_FULL;
	if (error)
		j->room.retry_ms = journal_now(j) + RETRY_MS;
	pthread_mutex_unlock(&j->lock);
	/* also when it failed: perhaps the committer waits for nothing */
	journal_wake_committer(j);
	return !error;
}

static int make_spare(struct journal *j)
{
	uint32_t spare;
	int error = make_file(j, &spare);
	if (error)
		return error;
	pthread_mutex_lock(&j->lock);
	j->segments.spares[j->segments.spare_count++] = spare;
	pthread_mutex_unlock(&j->lock);
	return 0;
}

bool segments_step(struct journal *j)
{
	bool has_changed = is_time_to_look(j) && look_at_room(j);
	if (grow(j))
		return true;
	if (wants_more(j))
		return settle(j, segments_make_ready(j)) || has_changed;
	if (wants_spare(j))
		return settle(j, make_spare(j)) || has_changed;
	return has_changed;
}
