/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/command.h"

#include "base/mem.h"
#include "broker/see.h"
#include "broker/shard.h"

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
static struct log_batch *batch_of(struct shard *s)
{
	if (!s->batch) {
		struct batch *batch = mem_zalloc(sizeof(*batch));
		ASSERT(batch);
		batch->log.origin = s->index;
		s->batch = &batch->log;
	}
	return s->batch;
}

void batch_submit(struct shard *s)
{
	struct log_batch *log_batch = s->batch;
	if (!log_batch)
		return;
	struct batch *batch = CONTAINER_OF(log_batch, struct batch, log);
	atomic_init(&batch->refs, (unsigned)__builtin_popcountll(log_batch->targets));
	s->batch = NULL;
	shard_settle(s);
	s->broker->log->ops->append(s->broker->log, log_batch);
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
	mem_free(batch);
}

void command_append(struct shard *s, struct command *c, uint64_t targets)
{
	struct log_batch *batch = batch_of(s);
	targets |= shard_bit(s);
	if (c->message)
		CONTAINER_OF(batch, struct batch, log)->bytes += message_bytes(c->message);
	c->sequence = ++s->appended;
	c->entry.targets = targets;
	if (batch->last)
		batch->last->next = &c->entry;
	else
		batch->first = &c->entry;
	batch->last = &c->entry;
	batch->targets |= targets;
}

bool command_is_pending(const struct shard *s, const struct session *session)
{
	return session->logged > s->applied;
}
