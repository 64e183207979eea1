/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit without a timer: while one write is on its way, the next batches gather.
 *
 *     append, any thread -> stack --take--> waiting, in order --one write--> committed, in order
 *
 * A position is given when a batch goes into a frame, and seen by others only when the frame is
 * written. So a failed write costs nobody anything: its segment is given up for good, and the same
 * batches go into another one, with other positions.
 */
#include "journal/commit.h"

#include "base/mem.h"
#include "journal/committer.h"

#include <errno.h>

#define SEAL_AFTER_MS 1000
#define DAY_MS 86400000u
#define CANNOT_MAKE_MS 30000
/* What a wear budget stretches the commits to, and how much of a day may be spent in advance. */
#define GATHER_MAX_MS 500
#define BUDGET_BURST 24

static uint64_t payload_of(const struct log_batch *batch)
{
	return round_up(batch->bytes_len, LOG_ALIGN);
}

/* The queue */

void commit_append(struct journal *j, struct log_batch *batch)
{
	struct committer *c = j->committer;
	/* Read now: once it is on the stack it may be gone. */
	bool is_lazy = batch->is_lazy;
	struct log_batch *newest = atomic_load_explicit(&c->newest, memory_order_relaxed);
	do
		batch->next = newest;
	while (!atomic_compare_exchange_weak(&c->newest, &newest, batch));
	unsigned sleep = atomic_load(&c->sleep);
	if (LIKELY(sleep == COMMIT_AWAKE) || (sleep == COMMIT_ASLEEP_LAZY && is_lazy))
		return;
	if (atomic_exchange(&c->sleep, COMMIT_AWAKE) != COMMIT_AWAKE)
		journal_wake_committer(j);
}

bool commit_fall_asleep(struct journal *j)
{
	struct committer *c = j->committer;
	atomic_store(&c->sleep, c->first ? COMMIT_ASLEEP_LAZY : COMMIT_ASLEEP);
	if (!atomic_load(&c->newest))
		return true;
	atomic_store(&c->sleep, COMMIT_AWAKE);
	return false;
}

void commit_wake_up(struct journal *j)
{
	atomic_store(&j->committer->sleep, COMMIT_AWAKE);
}

static struct log_batch *turned_round(struct log_batch *newest)
{
	struct log_batch *oldest = NULL;
	while (newest) {
		struct log_batch *next = newest->next;
		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

/* Everything that was appended goes behind what waits. */
static void take(struct committer *c, uint64_t now)
{
	if (!atomic_load_explicit(&c->newest, memory_order_relaxed))
		return;
	struct log_batch *batch = turned_round(atomic_exchange(&c->newest, NULL));
	if (c->last)
		c->last->next = batch;
	else
		c->first = batch;
	for (; batch; batch = batch->next) {
		if (!batch->is_lazy && c->eager++ == 0)
			c->eager_since_ms = now;
		if (batch->is_lazy && c->lazy++ == 0)
			c->lazy_since_ms = now;
		c->waiting_bytes += payload_of(batch);
		c->last = batch;
	}
}

static struct log_batch *pop(struct committer *c)
{
	struct log_batch *batch = c->first;
	c->first = batch->next;
	if (!c->first)
		c->last = NULL;
	c->waiting_bytes -= payload_of(batch);
	if (batch->is_lazy)
		c->lazy--;
	else
		c->eager--;
	batch->next = NULL;
	return batch;
}

/* When */

static uint32_t gather_ms(struct committer *c, uint64_t now)
{
	uint64_t a_day = c->j->options.budget_bytes_per_day;
	if (a_day) {
		int64_t most = (int64_t)(a_day / BUDGET_BURST);
		uint64_t passed = now - c->budget_ms;
		passed = passed < DAY_MS ? passed : DAY_MS;
		/* Small steps would be rounded away. */
		uint64_t earned = (uint64_t)((double)a_day * (double)passed / DAY_MS);
		if (earned) {
			c->budget_bytes += (int64_t)earned;
			c->budget_ms = now;
		}
		if (c->budget_bytes > most)
			c->budget_bytes = most;
		if (c->budget_bytes < 0 && c->j->options.gather_ms < GATHER_MAX_MS)
			return GATHER_MAX_MS;
	}
	return c->j->options.gather_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When what waits is to be written; UINT64_MAX: nothing waits. */
static uint64_t commit_due(struct committer *c, uint64_t now)
{
	uint64_t due = UINT64_MAX;
	if (c->is_hurried && c->first)
		return 0;
	if (c->waiting_bytes >= COMMIT_BYTES_MAX)
		return 0;
	if (c->eager)
		due = c->eager_since_ms + gather_ms(c, now);
	if (c->lazy)
		due = earlier(due, c->lazy_since_ms + c->j->options.lazy_ms);
	return due;
}

/* Writing */

/* The first batches that go into one frame of the open segment. */
struct group {
	unsigned batches;
	uint64_t payload;
	uint32_t records;
	uint64_t bodies;
	uint64_t newest; /* position of the last record, or 0 */
	bool wants_sync;
};

/* Gives the records of a batch their positions and writes their headers. */
static void stamp(struct committer *c, struct log_batch *batch, uint64_t offset, struct group *g)
{
	uint64_t store_id = c->j->store.store_id;
	for (struct log_entry *e = batch->first; e; e = e->next) {
		uint8_t *head = batch->bytes + e->offset;
		e->position = position_of(c->segment->number, offset + e->offset);
		record_head_encode(head, store_id, e->position,
				   span_of(head + RECORD_HEAD_BYTES, e->len));
		g->records++;
		g->bodies += e->len;
		g->newest = e->position;
	}
}

static struct group gather(struct committer *c)
{
	struct group g = {0};
	uint64_t most = earlier(COMMIT_BYTES_MAX, c->segment->bytes - c->at) - FRAME_HEAD_BYTES;
	for (struct log_batch *batch = c->first; batch; batch = batch->next) {
		uint64_t len = payload_of(batch);
		if (g.batches && g.payload + len > most)
			break;
		stamp(c, batch, c->at + FRAME_HEAD_BYTES + g.payload, &g);
		g.batches++;
		g.payload += len;
		g.wants_sync |= batch->wants_sync;
	}
	return g;
}

static int write_group(struct committer *c, const struct group *g)
{
	const struct log_batch *batch = c->first;
	struct writer w = writer_begin(c, g->payload, g->records, 0);
	for (unsigned i = 0; i < g->batches; i++, batch = batch->next) {
		writer_put(&w, span_of(batch->bytes, batch->bytes_len));
		writer_pad(&w, LOG_ALIGN);
	}
	writer_pad(&w, DISK_BLOCK);
	writer_flush(&w);
	return w.error;
}

/* Ends of segments */

static void end_segment(struct committer *c, enum segment_state state)
{
	struct segment *segment = c->segment;
	pthread_mutex_lock(&c->j->lock);
	struct disk_file *file = segment->writing;
	segment->writing = NULL;
	segment->end = segment->has_head ? c->at : 0;
	segment->state = (uint8_t)state;
	c->j->room.look_ms = 0;
	pthread_mutex_unlock(&c->j->lock);
	file->ops->close(file);
	c->segment = NULL;
}

static void fail(struct committer *c, const char *text)
{
	if (c->has_failed)
		return;
	c->has_failed = true;
	journal_set_health(c->j, LOG_FAILED, text);
}

static void set_durable(struct committer *c)
{
	struct journal *j = c->j;
	atomic_store_explicit(&j->durable_end, c->log_end, memory_order_relaxed);
	atomic_store_explicit(&j->durable_record, c->newest_record, memory_order_release);
	c->has_unsynced = false;
}

/* What was reported as written is not on stable storage, and cannot be written again: its
 * positions are known. */
static void lose(struct committer *c)
{
	atomic_fetch_add(&c->j->counters.write_errors, 1);
	c->has_unsynced = false;
	fail(c, "The journal could not be synced: the newest messages may be lost if this "
		"machine stops now. Nothing durable is taken any more.");
}

/* True: all that was written is durable. */
static bool sync_written(struct committer *c)
{
	struct disk_file *file = c->segment->writing;
	if (!c->has_unsynced)
		return true;
	if (file->ops->sync(file) != 0) {
		lose(c);
		end_segment(c, SEGMENT_FAILED);
		return false;
	}
	set_durable(c);
	return true;
}

/* The open segment failed at c->at: nothing is written to it again. */
static void give_up_segment(struct committer *c)
{
	int saved = errno;
	uint32_t number = c->segment->number;
	atomic_fetch_add(&c->j->counters.write_errors, 1);
	if (!sync_written(c))
		return;
	end_segment(c, SEGMENT_FAILED);
	journal_say(c->j, true, "writing to segment %u of the journal failed: %s", number,
		    strerror(saved));
	if (++c->failures >= 2)
		fail(c, "The journal cannot be written: two segments failed one after the other. "
			"Nothing durable is taken any more.");
}

/* Room may come; a disk on which no file can be made at all is broken, though perhaps not for good. */
static void wait_for_segment(struct committer *c)
{
	uint64_t now = journal_now(c->j);
	if (c->waits_since_ms == 0 || !segments_cannot_make(c->j))
		c->waits_since_ms = now;
	bool is_over = c->failures > 0 || now - c->waits_since_ms >= CANNOT_MAKE_MS;
	if (is_over && segments_cannot_make(c->j))
		fail(c, "The journal cannot be written: no segment can be made. Nothing durable is "
			"taken any more.");
}

/* Makes room for a frame with such a payload. False: not yet, or never (*error_out, or failed). */
static bool has_segment(struct committer *c, uint64_t payload, int *error_out)
{
	uint64_t len = frame_bytes(payload);
	/* More than positions can say. */
	*error_out = SEGMENT_HEAD_BYTES + len > UINT32_MAX ? ERROR_LIMIT : 0;
	if (*error_out)
		return false;
	if (c->segment && c->at + len <= c->segment->bytes)
		return true;
	if (c->segment) {
		/* The next one's head says that all before is on stable storage. */
		if (!sync_written(c))
			return false;
		end_segment(c, SEGMENT_SEALED);
	}
	c->segment = segments_take(c->j, SEGMENT_HEAD_BYTES + len, error_out);
	c->at = SEGMENT_HEAD_BYTES;
	if (!c->segment)
		wait_for_segment(c);
	else
		c->waits_since_ms = 0;
	return c->segment != NULL;
}

/* The frame at c->at is written. */
static void advance(struct committer *c, uint64_t payload)
{
	c->segment->has_head = true;
	c->failures = 0;
	c->commit++;
	c->at += frame_bytes(payload);
	c->log_end = position_of(c->segment->number, c->at);
	atomic_store_explicit(&c->j->written_end, c->log_end, memory_order_relaxed);
}

/* One commit */

static void count(struct committer *c, const struct group *g)
{
	struct journal_counters *n = &c->j->counters;
	atomic_fetch_add_explicit(&n->commits, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&n->batches, g->batches, memory_order_relaxed);
	atomic_fetch_add_explicit(&n->records, g->records, memory_order_relaxed);
	atomic_fetch_add_explicit(&n->record_bytes, g->bodies, memory_order_relaxed);
	c->segment->records += g->records;
	c->segment->record_bytes += g->payload;
}

static void give_back(struct committer *c, unsigned batches, int error)
{
	const struct journal_hooks *hooks = &c->j->hooks;
	while (batches-- > 0) {
		struct log_batch *batch = pop(c);
		batch->error = error;
		hooks->committed(hooks->context, batch);
	}
}

void commit_give_back(struct journal *j, int error)
{
	struct committer *c = j->committer;
	take(c, 0);
	while (c->first)
		give_back(c, 1, error);
}

/* The group is written, and if it must be synced it is: false when it is neither. */
static bool make_durable(struct committer *c, const struct group *g, uint64_t now)
{
	bool had_unsynced = c->has_unsynced;
	if (write_group(c, g) != 0)
		return false;
	if (c->j->options.durability == DURABILITY_ALWAYS)
		return true;
	struct disk_file *file = c->segment->writing;
	if (!g->wants_sync) {
		if (!had_unsynced)
			c->unsynced_since_ms = now;
		c->has_unsynced = true;
		return true;
	}
	c->has_unsynced = false;
	if (file->ops->sync(file) == 0)
		return true;
	/* A second sync would lie: what others believe in is lost. */
	if (had_unsynced)
		lose(c);
	return false;
}

static enum commit_result commit_group(struct committer *c, uint64_t now)
{
	int error;
	if (!has_segment(c, payload_of(c->first), &error)) {
		if (error)
			give_back(c, 1, error);
		return error || c->has_failed ? COMMIT_DONE : COMMIT_WAITING;
	}
	struct group g = gather(c);
	if (g.payload && !make_durable(c, &g, now)) {
		give_up_segment(c);
		return COMMIT_DONE;
	}
	if (g.payload) {
		advance(c, g.payload);
		if (g.newest)
			c->newest_record = g.newest;
		if (!c->has_unsynced)
			set_durable(c);
		count(c, &g);
		c->is_unsealed = true;
		c->committed_ms = now;
	}
	give_back(c, g.batches, 0);
	return COMMIT_DONE;
}

/* Says that the last commit is durable. Not worth a segment of its own. */
static void seal(struct committer *c)
{
	struct segment *segment = c->segment;
	c->is_unsealed = false;
	if (!segment || !segment->has_head || c->at + DISK_BLOCK > segment->bytes)
		return;
	struct writer w = writer_begin(c, 0, 0, FRAME_SEAL);
	writer_pad(&w, DISK_BLOCK);
	writer_flush(&w);
	/* The next segment's head will say that all of this one is on stable storage. */
	if (!w.error && c->j->options.durability != DURABILITY_ALWAYS)
		w.error = segment->writing->ops->sync(segment->writing);
	if (w.error) {
		give_up_segment(c);
		return;
	}
	advance(c, 0);
	set_durable(c);
}

static bool is_due(uint64_t due, uint64_t now, uint64_t *next)
{
	if (due <= now)
		return true;
	*next = earlier(*next, due);
	return false;
}

enum commit_result commit_step(struct journal *j, uint64_t *due_out)
{
	struct committer *c = j->committer;
	uint64_t now = journal_now(j);
	*due_out = UINT64_MAX;
	take(c, now);
	if (c->has_failed) {
		bool has_some = c->first != NULL;
		commit_give_back(j, ERROR_SYSTEM);
		return has_some ? COMMIT_DONE : COMMIT_IDLE;
	}
	if (c->has_unsynced &&
	    is_due(c->unsynced_since_ms + j->options.interval_ms, now, due_out)) {
		sync_written(c);
		return COMMIT_DONE;
	}
	if (c->first && is_due(commit_due(c, now), now, due_out))
		return commit_group(c, now);
	/* Not on flash: each seal is a block written. */
	if (c->is_unsealed && !c->has_unsynced && !c->first && j->options.gather_ms == 0 &&
	    is_due(c->committed_ms + SEAL_AFTER_MS, now, due_out)) {
		seal(c);
		return COMMIT_DONE;
	}
	return COMMIT_IDLE;
}

/* Life */

int commit_open(struct journal *j)
{
	struct committer *c = mem_zalloc(sizeof(*c));
	if (!c)
		return ERROR_NO_MEMORY;
	c->memory = mem_alloc(COMMIT_BUFFER_BYTES + DISK_BLOCK);
	if (!c->memory) {
		mem_free(c);
		return ERROR_NO_MEMORY;
	}
	c->buffer = c->memory + (-(uintptr_t)c->memory & (DISK_BLOCK - 1));
	c->j = j;
	c->log_end = j->recovered_end;
	c->newest_record = atomic_load(&j->durable_record);
	c->commit = j->recovered_commit;
	c->budget_ms = journal_now(j);
	c->budget_bytes = (int64_t)(j->options.budget_bytes_per_day / BUDGET_BURST);
	atomic_init(&j->durable_end, c->log_end);
	atomic_init(&j->written_end, c->log_end);
	j->committer = c;
	return 0;
}

void commit_hurry(struct journal *j)
{
	j->committer->is_hurried = true;
}

void commit_finish(struct journal *j)
{
	struct committer *c = j->committer;
	if (!c->segment)
		return;
	if (!sync_written(c))
		return;
	if (c->is_unsealed)
		seal(c);
	if (!c->segment)
		return;
	end_segment(c, SEGMENT_SEALED);
}

void commit_release(struct journal *j)
{
	struct committer *c = j->committer;
	if (!c)
		return;
	mem_free(c->memory);
	mem_free(c);
	j->committer = NULL;
}
