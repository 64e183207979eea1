/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/command.h"

#include "base/mem.h"
#include "broker/record.h"
#include "broker/see.h"
#include "broker/shard.h"

#define BATCH_BYTES_MIN 4096
#define BATCH_BYTES_KEPT (1u << 20) /* what a busy turn brings: larger ones are large messages */
#define BATCH_BYTES_MAX (32u << 20) /* then it goes before the turn ends */

struct command *command_new(uint8_t kind, struct span text)
{
	struct command *c = mem_zalloc(sizeof(*c) + text.len);
	if (!c)
		return NULL;
	c->kind = kind;
	if (kind == COMMAND_CONNECT) {
		c->connect = mem_zalloc(sizeof(*c->connect));
		if (!c->connect) {
			mem_free(c);
			return NULL;
		}
	}
	c->text_len = (uint32_t)text.len;
	if (text.len > 0)
		memcpy(c->text, text.ptr, text.len);
	return c;
}

void command_free(struct command *c)
{
	if (!c)
		return;
	if (c->message)
		message_unref(c->message);
	if (c->connect && c->connect->will) {
		message_unref(c->connect->will->message);
		mem_free(c->connect->will);
	}
	mem_free(c->connect);
	mem_free(c);
}

/* A batch is a turn's commands; when there is no memory for one, nothing can be promised any more,
 * and the process ends as it would for a broken disk. */
static struct batch *batch_of(struct shard *s)
{
	if (!s->batch) {
		struct batch *batch = mem_zalloc(sizeof(*batch));
		ASSERT(batch);
		batch->log.origin = s->index;
		batch->log.is_lazy = true;
		s->batch = &batch->log;
	}
	return CONTAINER_OF(s->batch, struct batch, log);
}

void batch_want_sync(struct shard *s)
{
	batch_of(s)->log.wants_sync = true;
}

/* Room for so many more bytes; a turn is likely to need as much as the one before. */
static int reserve(struct shard *s, struct batch *batch, size_t len)
{
	size_t needed = batch->log.bytes_len + len;
	size_t capacity = batch->capacity ? batch->capacity : s->batch_bytes;
	if (needed <= batch->capacity)
		return 0;
	if (capacity < BATCH_BYTES_MIN)
		capacity = BATCH_BYTES_MIN;
	while (capacity < needed)
		capacity *= 2;
	if (needed > BATCH_BYTES_MAX) /* it goes with this one */
		capacity = needed;
	uint8_t *bytes = mem_realloc(batch->log.bytes, capacity);
	if (!bytes)
		return ERROR_NO_MEMORY;
	batch->log.bytes = bytes;
	batch->capacity = (uint32_t)capacity;
	return 0;
}

static size_t padded_size(size_t len)
{
	return (LOG_RECORD_ROOM + len + LOG_ALIGN - 1) & ~(size_t)(LOG_ALIGN - 1);
}

/* What was appended goes first, where the log might refuse all of it together for want of room:
 * then only what a peer hears the fate of can be refused. */
static void part_with_others(struct shard *s, size_t padded)
{
	struct log_batch *log = s->batch;
	uint32_t bytes_max = s->broker->log->batch_bytes_max;
	if (LIKELY(!log || !log->first || !bytes_max || log->bytes_len + padded <= bytes_max))
		return;
	bool wants_sync = log->wants_sync;
	bus_flush(s, false); /* what was said before must not be overtaken by the log */
	batch_submit(s);
	batch_of(s)->log.wants_sync = wants_sync;
}

int command_reserve(struct shard *s, const struct command *c)
{
	if (!s->broker->log->is_kept)
		return 0;
	size_t padded = padded_size(record_size(c));
	part_with_others(s, padded);
	return reserve(s, batch_of(s), padded);
}

/* While the message is still near: what it was made from has just been read. */
static void encode(struct shard *s, struct batch *batch, struct command *c, size_t len)
{
	size_t padded = padded_size(len);
	int error = reserve(s, batch, padded);
	ASSERT(error == 0);
	uint8_t *record = batch->log.bytes + batch->log.bytes_len;
	memset(record, 0, LOG_RECORD_ROOM);
	memset(record + padded - LOG_ALIGN, 0, LOG_ALIGN);
	size_t written = record_encode(c, (struct room){record + LOG_RECORD_ROOM, len});
	ASSERT(written == len);
	c->entry.offset = batch->log.bytes_len;
	c->entry.len = (uint32_t)len;
	batch->log.bytes_len += (uint32_t)padded;
}

/* What it counts for until it is durable; a log in memory gives it back at once. */
static size_t weight_of(const struct log_batch *batch)
{
	return batch->bytes_len;
}

void batch_submit(struct shard *s)
{
	struct log_batch *log_batch = s->batch;
	if (!log_batch || !log_batch->first) /* room was reserved, and not used */
		return;
	struct batch *batch = CONTAINER_OF(log_batch, struct batch, log);
	atomic_init(&batch->refs, (unsigned)__builtin_popcountll(log_batch->targets));
	s->batch = NULL;
	s->batch_bytes = batch->capacity < BATCH_BYTES_KEPT ? batch->capacity : BATCH_BYTES_KEPT;
	s->undurable_bytes += weight_of(log_batch);
	shard_settle(s);
	s->broker->log->ops->append(s->broker->log, log_batch);
}

void batch_returned(struct shard *s, const struct log_batch *batch)
{
	s->undurable_bytes -= weight_of(batch);
}

void batch_discard(struct shard *s)
{
	struct log_batch *log_batch = s->batch;
	if (!log_batch)
		return;
	atomic_init(&CONTAINER_OF(log_batch, struct batch, log)->refs, 1);
	s->batch = NULL;
	batch_unref(log_batch);
}

void batch_unref(struct log_batch *log_batch)
{
	struct batch *batch = CONTAINER_OF(log_batch, struct batch, log);
	if (atomic_fetch_sub_explicit(&batch->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct log_entry *entry = log_batch->first;
	while (entry) {
		struct log_entry *next = entry->next;
		command_free(CONTAINER_OF(entry, struct command, entry));
		entry = next;
	}
	mem_free(log_batch->bytes);
	mem_free(batch);
}

void command_append(struct shard *s, struct command *c, uint64_t targets)
{
	size_t len = s->broker->log->is_kept ? record_size(c) : 0;
	if (len > 0)
		part_with_others(s, padded_size(len));
	struct batch *batch = batch_of(s);
	struct log_batch *log = &batch->log;
	targets |= shard_bit(s);
	if (c->message)
		batch->bytes += message_bytes(c->message);
	/* nobody waits for these */
	log->is_lazy &= c->kind == COMMAND_FINISH || c->kind == COMMAND_REPLAYED ||
			(c->kind == COMMAND_GIVE && c->session_id == 0);
	c->sequence = ++s->appended;
	c->entry.targets = targets;
	if (log->last)
		log->last->next = &c->entry;
	else
		log->first = &c->entry;
	log->last = &c->entry;
	log->targets |= targets;
	if (!s->broker->log->is_kept)
		return;
	encode(s, batch, c, len);
	if (log->bytes_len >= BATCH_BYTES_MAX) {
		bus_flush(s, false); /* what was said before must not be overtaken by the log */
		batch_submit(s);
	}
}

bool command_is_pending(const struct shard *s, const struct session *session)
{
	return session->logged > s->applied;
}
