/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positions that are asked for together mostly stand together: one read of up to WINDOW_BYTES
 * serves many records.
 *
 *     file:    ...|r|r|r|other|r|r|...............|r|
 *                 [------- window ------]         [-- next --]
 *
 * Bodies are copied into one piece of memory, which goes with the request.
 */
#include "journal/reader.h"

#include "base/mem.h"
#include "journal/compact.h"

#define WINDOW_BYTES ((size_t)256 << 10)
#define WINDOW_BYTES_MIN ((size_t)8 << 10) /* most records fit: no second read */

struct reader {
	pthread_mutex_t lock;
	pthread_cond_t has_some;
	struct log_read *first;
	struct log_read *last;
	bool is_stopped;

	/* What the request under way has; the reader's thread only. */
	struct journal *j;
	struct segment *segment; /* pinned, or NULL */
	struct disk_file *file;  /* that the window shows */
	uint64_t window_from;
	size_t window_len;
	uint8_t *window;
	uint8_t *bodies;
	size_t bodies_len;
	size_t bodies_capacity;
	size_t body_at[LOG_READ_MAX];
};

/* The queue */

void reader_append(struct journal *j, struct log_read *request)
{
	struct reader *r = j->reader;
	request->next = NULL;
	pthread_mutex_lock(&r->lock);
	if (r->last)
		r->last->next = request;
	else
		r->first = request;
	r->last = request;
	pthread_cond_signal(&r->has_some);
	pthread_mutex_unlock(&r->lock);
}

static struct log_read *pop(struct reader *r)
{
	pthread_mutex_lock(&r->lock);
	struct log_read *request = r->first;
	if (request)
		r->first = request->next;
	if (!r->first)
		r->last = NULL;
	pthread_mutex_unlock(&r->lock);
	return request;
}

bool reader_wait(struct journal *j)
{
	struct reader *r = j->reader;
	pthread_mutex_lock(&r->lock);
	while (!r->first && !r->is_stopped)
		pthread_cond_wait(&r->has_some, &r->lock);
	bool has_some = r->first != NULL;
	pthread_mutex_unlock(&r->lock);
	return has_some;
}

void reader_stop(struct journal *j)
{
	pthread_mutex_lock(&j->reader->lock);
	j->reader->is_stopped = true;
	pthread_cond_signal(&j->reader->has_some);
	pthread_mutex_unlock(&j->reader->lock);
}

/* Where a record stands */

static void leave_segment(struct reader *r)
{
	if (r->segment)
		segment_unpin(r->j, r->segment);
	r->segment = NULL;
	r->file = NULL;
}

static int enter_segment(struct reader *r, uint32_t number)
{
	if (r->segment && r->segment->number == number)
		return 0;
	leave_segment(r);
	r->segment = segment_pin(r->j, number);
	return r->segment ? 0 : ERROR_NOT_FOUND;
}

static int locate(struct reader *r, uint64_t position, struct disk_file **file_out,
		  uint64_t *offset_out)
{
	int error = enter_segment(r, position_segment(position));
	if (error)
		return error;
	pthread_mutex_lock(&r->j->lock);
	bool is_compacted = r->segment->state == SEGMENT_COMPACTED;
	pthread_mutex_unlock(&r->j->lock);
	if (is_compacted)
		return compact_locate(r->j, r->segment, position, file_out, offset_out);
	*offset_out = position_offset(position);
	return segment_reading_file(r->j, r->segment, file_out);
}

/* Bytes of a file */

/* The window shows [offset, offset + len), and more when `reach` says that more is wanted. */
static bool show(struct reader *r, struct disk_file *file, uint64_t offset, size_t len,
		 uint64_t reach)
{
	if (r->file == file && offset >= r->window_from &&
	    offset + len <= r->window_from + r->window_len)
		return true;
	uint64_t from = offset / DISK_BLOCK * DISK_BLOCK;
	uint64_t to = round_up(offset + len, DISK_BLOCK);
	if (to < from + WINDOW_BYTES_MIN)
		to = from + WINDOW_BYTES_MIN;
	if (to < reach)
		to = round_up(reach, DISK_BLOCK);
	if (to > from + WINDOW_BYTES)
		to = from + WINDOW_BYTES;
	long n = file->ops->read(file, (struct room){r->window, to - from}, from);
	r->file = n > 0 ? file : NULL;
	r->window_from = from;
	r->window_len = n > 0 ? (size_t)n : 0;
	return r->file && offset + len <= from + r->window_len;
}

/* Room for a body in the answer; NULL: no memory. */
static uint8_t *body_room(struct reader *r, size_t len)
{
	if (!r->bodies || r->bodies_len + len > r->bodies_capacity) {
		size_t capacity = 2 * r->bodies_capacity + len + 1; /* never 0 */
		uint8_t *bodies = mem_realloc(r->bodies, capacity);
		if (!bodies)
			return NULL;
		r->bodies = bodies;
		r->bodies_capacity = capacity;
	}
	return r->bodies + r->bodies_len;
}

/* A record that no window holds goes into the answer with its header, and is moved over it. */
static int read_large(struct reader *r, struct disk_file *file, uint64_t offset, uint64_t position,
		      uint32_t len)
{
	size_t all = RECORD_HEAD_BYTES + (size_t)len;
	uint8_t *to = body_room(r, all);
	if (!to)
		return ERROR_NO_MEMORY;
	if (file->ops->read(file, (struct room){to, all}, offset) != (long)all ||
	    !record_is_valid(span_of(to, all), r->j->store.store_id, position))
		return ERROR_DAMAGED;
	memmove(to, to + RECORD_HEAD_BYTES, len);
	return 0;
}

static int read_record(struct reader *r, uint64_t position, uint64_t reach, uint32_t *len_out)
{
	struct disk_file *file;
	uint64_t offset;
	uint32_t len;
	int error = locate(r, position, &file, &offset);
	if (error)
		return error == ERROR_NO_MEMORY ? error : ERROR_DAMAGED;
	reach = offset == position_offset(position) ? reach : 0;
	if (!show(r, file, offset, RECORD_HEAD_BYTES, reach) ||
	    !record_head_peek(r->window + (offset - r->window_from), position, &len))
		return ERROR_DAMAGED;
	size_t all = RECORD_HEAD_BYTES + (size_t)len;
	if (all > WINDOW_BYTES - DISK_BLOCK) {
		error = read_large(r, file, offset, position, len);
	} else {
		if (!show(r, file, offset, all, reach))
			return ERROR_DAMAGED;
		struct span record = span_of(r->window + (offset - r->window_from), all);
		if (!record_is_valid(record, r->j->store.store_id, position))
			return ERROR_DAMAGED;
		uint8_t *to = body_room(r, len);
		if (!to)
			return ERROR_NO_MEMORY;
		memcpy(to, record.ptr + RECORD_HEAD_BYTES, len);
	}
	*len_out = len;
	return error;
}

/* Once more, from the device: what the system has in memory, or a read that failed, is no reason to
 * call a message lost. */
static int read_again(struct reader *r, uint64_t position, uint32_t *len_out)
{
	char name[DISK_NAME_MAX];
	uint8_t head[RECORD_HEAD_BYTES];
	struct room to = {head, sizeof(head)};
	struct disk_file *file;
	uint64_t offset;
	if (locate(r, position, &file, &offset) != 0)
		return ERROR_DAMAGED;
	if (r->segment->compacted)
		file_name(name, FILE_COMPACTED, r->segment->compacted->head.first);
	else
		file_name(name, FILE_SEGMENT, r->segment->number);
	if (r->j->disk->ops->open(r->j->disk, name, DISK_READ | DISK_DIRECT, &file) != 0)
		return ERROR_DAMAGED;
	int error = ERROR_DAMAGED;
	if (file->ops->read(file, to, offset) == (long)sizeof(head) &&
	    record_head_peek(head, position, len_out))
		error = read_large(r, file, offset, position, *len_out);
	file->ops->close(file);
	return error;
}

/* How far it is worth reading for those that come next. */
static uint64_t reach_of(const struct log_read *request, uint32_t i)
{
	uint64_t from = request->positions[i];
	uint64_t reach = from;
	for (; i < request->count && request->positions[i] >= reach &&
	       request->positions[i] - from < WINDOW_BYTES;
	     i++)
		reach = request->positions[i];
	return position_segment(reach) == position_segment(from)
		       ? (uint64_t)position_offset(reach) + DISK_BLOCK
		       : 0;
}

static void answer(struct reader *r, struct log_read *request)
{
	r->bodies = NULL;
	r->bodies_len = r->bodies_capacity = 0;
	/* What stands in an open segment was perhaps not there when the window was filled. */
	r->file = NULL;
	for (uint32_t i = 0; i < request->count; i++) {
		struct log_record *record = &request->records[i];
		uint32_t len = 0;
		record->error = read_record(r, request->positions[i], reach_of(request, i), &len);
		if (record->error == ERROR_DAMAGED)
			record->error = read_again(r, request->positions[i], &len);
		record->body.len = record->error ? 0 : len;
		r->body_at[i] = r->bodies_len;
		r->bodies_len += record->body.len;
		if (record->error == ERROR_DAMAGED) {
			atomic_fetch_add(&r->j->counters.damaged_records, 1);
			atomic_store(&r->j->counters.is_degraded, true);
		}
	}
	leave_segment(r);
	request->bytes = r->bodies;
	for (uint32_t i = 0; i < request->count; i++) {
		struct log_record *record = &request->records[i];
		record->body.ptr = record->error || !r->bodies ? NULL : r->bodies + r->body_at[i];
	}
}

bool reader_step(struct journal *j)
{
	struct log_read *request = pop(j->reader);
	if (!request)
		return false;
	ASSERT(request->count <= LOG_READ_MAX);
	answer(j->reader, request);
	request->done(request);
	return true;
}

/* Life */

int reader_open(struct journal *j)
{
	struct reader *r = mem_zalloc(sizeof(*r));
	if (!r)
		return ERROR_NO_MEMORY;
	r->window = mem_alloc(WINDOW_BYTES);
	if (!r->window) {
		mem_free(r);
		return ERROR_NO_MEMORY;
	}
	r->j = j;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->has_some, NULL);
	j->reader = r;
	return 0;
}

void reader_release(struct journal *j)
{
	struct reader *r = j->reader;
	if (!r)
		return;
	pthread_cond_destroy(&r->has_some);
	pthread_mutex_destroy(&r->lock);
	mem_free(r->window);
	mem_free(r);
	j->reader = NULL;
}
