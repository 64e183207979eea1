/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct rig_batch {
	struct log_batch batch;
	unsigned number;
	struct log_entry entries[];
};

static uint8_t byte_of(unsigned number, unsigned index, uint32_t i)
{
	return (uint8_t)(number * 31 + index * 7 + i + 1);
}

static void committed(void *context, struct log_batch *batch)
{
	struct rig *r = context;
	struct rig_batch *mine = CONTAINER_OF(batch, struct rig_batch, batch);
	assert_true(r->count < RIG_COMMITTED_MAX);
	struct committed *c = &r->committed[r->count++];
	*c = (struct committed){.number = mine->number, .error = batch->error};
	if (batch->first) {
		c->first = batch->first->position;
		c->last = batch->last->position;
	}
	mem_free(batch->bytes);
	mem_free(mine);
}

static void health(void *context, enum log_health health, const char *text)
{
	struct rig *r = context;
	(void)health;
	assert_true(strlen(text) > 0);
	r->health_changes++;
}

static void say(void *context, bool is_warning, const char *text)
{
	struct rig *r = context;
	(void)text;
	r->warnings += is_warning;
}

static uint64_t now_ms(void *context)
{
	const struct rig *r = context;
	return r->now;
}

static void checkpoint_wanted(void *context)
{
	struct rig *r = context;
	r->wanted++;
}

static bool references(void *context, struct span image,
		       void (*found)(void *found_context, uint64_t position), void *found_context)
{
	(void)context;
	for (size_t at = 0; at + 8 <= image.len; at += 8)
		if (load_le64(image.ptr + at) != 0)
			found(found_context, load_le64(image.ptr + at));
	return true;
}

void rig_init(struct rig *r)
{
	*r = (struct rig){.now = 1000};
	journal_options_server(&r->options);
	r->options.has_threads = false;
	r->options.segment_bytes = RIG_SEGMENT_BYTES;
	r->options.store_id = 0x5eed;
	r->medium = simdisk_new(7, 0);
}

static int recover_image(void *context, uint64_t position, struct span image)
{
	struct rig *r = context;
	(void)position;
	(void)image;
	r->recovered_images++;
	return 0;
}

static int recover_record(void *context, uint64_t position, struct span body)
{
	struct rig *r = context;
	(void)position;
	(void)body;
	r->recovered_records++;
	return 0;
}

static int note_damage(void *context, const struct journal_damage *damage)
{
	struct rig *r = context;
	(void)damage;
	r->damages++;
	return 0;
}

int rig_try(struct rig *r, struct disk *disk, char reason[JOURNAL_REASON_MAX])
{
	struct journal_hooks hooks = {.context = r,
				      .committed = committed,
				      .checkpoint_wanted = checkpoint_wanted,
				      .health = health,
				      .references = references,
				      .say = say,
				      .now_ms = now_ms};
	struct journal_recovery recovery = {.context = r,
					    .image = recover_image,
					    .record = recover_record,
					    .damage = note_damage};
	r->recovered_images = r->recovered_records = r->damages = 0;
	int error = journal_open(disk, &r->options, &hooks, &r->journal, reason);
	if (!error)
		error = journal_recover(r->journal, &recovery, reason);
	if (!error)
		error = journal_start(r->journal, reason);
	if (!error)
		r->log = journal_log(r->journal);
	return error;
}

void rig_open(struct rig *r)
{
	char reason[JOURNAL_REASON_MAX] = "";
	int error = rig_try(r, simdisk_attach(r->medium), reason);
	if (error)
		fail_msg("%s", reason);
}

void rig_close(struct rig *r)
{
	journal_close(r->journal);
	r->journal = NULL;
}

void rig_release(struct rig *r)
{
	if (r->journal)
		rig_close(r);
	simdisk_free(r->medium);
}

void rig_append(struct rig *r, unsigned records, uint32_t len, enum rig_kind kind)
{
	uint64_t each = record_bytes(len);
	struct rig_batch *b = mem_zalloc(sizeof(*b) + records * sizeof(struct log_entry));
	assert_non_null(b);
	b->number = r->appended++;
	b->batch.is_lazy = kind == RIG_LAZY;
	b->batch.wants_sync = kind == RIG_SYNC;
	b->batch.bytes_len = (uint32_t)(records * each);
	b->batch.bytes = mem_zalloc(records * each + 1);
	assert_non_null(b->batch.bytes);
	for (unsigned i = 0; i < records; i++) {
		struct log_entry *e = &b->entries[i];
		*e = (struct log_entry){.offset = (uint32_t)(i * each), .len = len};
		for (uint32_t at = 0; at < len; at++)
			b->batch.bytes[e->offset + LOG_RECORD_ROOM + at] =
				byte_of(b->number, i, at);
		if (b->batch.last)
			b->batch.last->next = e;
		else
			b->batch.first = e;
		b->batch.last = e;
	}
	r->log->ops->append(r->log, &b->batch);
}

void rig_work(struct rig *r)
{
	while (journal_step(r->journal))
		;
}

uint64_t rig_write(struct rig *r, uint32_t len)
{
	rig_append(r, 1, len, RIG_EAGER);
	rig_work(r);
	assert_int_equal(r->count, r->appended);
	assert_int_equal(r->committed[r->count - 1].error, 0);
	return r->committed[r->count - 1].first;
}

static void done(struct log_read *request)
{
	request->next = request;
}

int rig_read(struct rig *r, uint64_t position, unsigned number, unsigned index, uint32_t len)
{
	struct log_read *request = mem_zalloc(sizeof(*request));
	assert_non_null(request);
	request->done = done;
	request->count = 1;
	request->positions[0] = position;
	r->log->ops->read(r->log, request);
	rig_work(r);
	assert_ptr_equal(request->next, request); /* answered */
	int error = request->records[0].error;
	if (!error) {
		struct span body = request->records[0].body;
		assert_int_equal(body.len, len);
		for (uint32_t at = 0; at < len; at++)
			if (body.ptr[at] != byte_of(number, index, at))
				fail_msg("byte %u is another", at);
	}
	log_read_release(request);
	mem_free(request);
	return error;
}

void rig_checkpoint(struct rig *r, const uint64_t *positions, unsigned count)
{
	size_t len = (size_t)8 * count;
	struct log_image *image = mem_zalloc(sizeof(*image) + sizeof(struct room));
	assert_non_null(image);
	image->count = 1;
	image->parts[0] = (struct room){mem_alloc(len + 1), len};
	assert_non_null(image->parts[0].ptr);
	for (unsigned i = 0; i < count; i++)
		store_le64(image->parts[0].ptr + (size_t)8 * i, positions[i]);
	rig_append(r, 1, 10, RIG_EAGER);
	rig_work(r);
	r->log->ops->checkpoint(r->log, r->committed[r->count - 1].first, image);
	rig_work(r);
}

struct log_status rig_status(struct rig *r)
{
	struct log_status status;
	r->log->ops->status(r->log, &status);
	return status;
}
