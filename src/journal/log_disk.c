/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/log_disk.h"

#include "journal/commit.h"
#include "journal/reader.h"

static struct journal *of(struct log *log)
{
	return CONTAINER_OF(log, struct journal, log);
}

static void append(struct log *log, struct log_batch *batch)
{
	ASSERT(!batch->first || batch->bytes);
	commit_append(of(log), batch);
}

static void read_back(struct log *log, struct log_read *request)
{
	reader_append(of(log), request);
}

static void checkpoint(struct log *log, uint64_t position, struct log_image *image)
{
	checkpoint_take(of(log), position, image);
}

static uint64_t value(atomic_uint_fast64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void status(struct log *log, struct log_status *out)
{
	struct journal *j = of(log);
	struct journal_counters *n = &j->counters;
	pthread_mutex_lock(&j->lock);
	uint64_t bytes = j->room.segment_bytes + j->room.other_bytes;
	pthread_mutex_unlock(&j->lock);
	*out = (struct log_status){
		.health = (uint8_t)atomic_load(&log->health),
		.is_degraded = atomic_load(&n->is_degraded),
		.position = value(&j->durable_record),
		.commits = value(&n->commits),
		.batches = value(&n->batches),
		.records = value(&n->records),
		.record_bytes = value(&n->record_bytes),
		.written_bytes = value(&n->written_bytes),
		.log_bytes = bytes,
		.live_bytes = value(&n->live_bytes),
		.checkpoints = value(&n->checkpoints),
		.copied_bytes = value(&n->copied_bytes),
		.damaged_records = value(&n->damaged_records),
		.write_errors = value(&n->write_errors),
	};
}

static void release(struct log *log)
{
	journal_close(of(log));
}

const struct log_ops log_disk_ops = {
	.append = append,
	.read = read_back,
	.checkpoint = checkpoint,
	.status = status,
	.free = release,
};
