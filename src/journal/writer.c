/* SPDX-License-Identifier: Apache-2.0 */
/* A frame's bytes on their way to the file, through one piece of aligned memory. */
#include "journal/committer.h"

static void spend(struct committer *c, uint64_t bytes)
{
	struct journal *j = c->j;
	atomic_fetch_add_explicit(&j->counters.written_bytes, bytes, memory_order_relaxed);
	c->budget_bytes -= (int64_t)bytes;
}

void writer_flush(struct writer *w)
{
	struct span part = span_of(w->c->buffer, w->len);
	struct disk_file *file = w->c->segment->writing;
	if (w->error || w->len == 0)
		return;
	w->error = file->ops->write(file, &part, 1, w->offset);
	spend(w->c, w->len);
	w->offset += w->len;
	w->len = 0;
}

void writer_put(struct writer *w, struct span bytes)
{
	while (bytes.len && !w->error) {
		size_t len = COMMIT_BUFFER_BYTES - w->len;
		if (len > bytes.len)
			len = bytes.len;
		memcpy(w->c->buffer + w->len, bytes.ptr, len);
		bytes = span_of(bytes.ptr + len, bytes.len - len);
		w->len += len;
		if (w->len == COMMIT_BUFFER_BYTES)
			writer_flush(w);
	}
}

void writer_pad(struct writer *w, size_t to)
{
	/* The buffer's length is a multiple too. */
	size_t len = (size_t)(round_up(w->len, to) - w->len);
	memset(w->c->buffer + w->len, 0, len);
	w->len += len;
}

static void put_head(struct writer *w)
{
	struct committer *c = w->c;
	struct segment *segment = c->segment;
	segment->head = (struct segment_head){
		.store_id = c->j->store.store_id,
		.number = segment->number,
		.incarnation = c->j->incarnation,
		.previous_end = c->log_end,
		.file_bytes = segment->bytes,
		.is_begun = true,
	};
	segment_head_encode(c->buffer, &segment->head);
	w->len = SEGMENT_HEAD_BYTES;
	w->offset = 0;
}

struct writer writer_begin(struct committer *c, uint64_t payload_len, uint32_t records,
			   uint32_t flags)
{
	struct writer w = {.c = c, .offset = c->at};
	struct frame_head head = {
		.position = position_of(c->segment->number, c->at),
		.durable = atomic_load_explicit(&c->j->durable_end, memory_order_relaxed),
		.commit = c->commit + 1,
		.incarnation = c->j->incarnation,
		.payload_len = (uint32_t)payload_len,
		.records = records,
		.flags = flags,
	};
	if (!c->segment->has_head)
		put_head(&w);
	frame_head_encode(c->buffer + w.len, c->j->store.store_id, &head);
	w.len += FRAME_HEAD_BYTES;
	return w;
}
