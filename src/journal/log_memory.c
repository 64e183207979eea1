/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log in memory. What makes it a log is the order: every shard is handed the same sequence.
 * A lock, taken once per shard and turn, is that order; a committer thread takes its place where
 * there is a disk to wait for.
 */
#include "journal/log.h"

#include "base/mem.h"

#include <pthread.h>

struct log_memory {
	struct log log;
	pthread_mutex_t lock;
	uint64_t position;
	log_committed *committed;
	void *context;
};

static void append(struct log *log, struct log_batch *batch)
{
	struct log_memory *m = CONTAINER_OF(log, struct log_memory, log);
	pthread_mutex_lock(&m->lock);
	for (struct log_entry *entry = batch->first; entry; entry = entry->next)
		entry->position = ++m->position;
	m->committed(m->context, batch);
	pthread_mutex_unlock(&m->lock);
}

static void status(struct log *log, struct log_status *out)
{
	struct log_memory *m = CONTAINER_OF(log, struct log_memory, log);
	pthread_mutex_lock(&m->lock);
	*out = (struct log_status){.position = m->position};
	pthread_mutex_unlock(&m->lock);
}

static void release(struct log *log)
{
	struct log_memory *m = CONTAINER_OF(log, struct log_memory, log);
	pthread_mutex_destroy(&m->lock);
	mem_free(m);
}

static const struct log_ops memory_ops = {.append = append, .status = status, .free = release};

struct log *log_memory_new(log_committed *committed, void *context)
{
	struct log_memory *m = mem_zalloc(sizeof(*m));
	if (!m)
		return NULL;
	m->log.ops = &memory_ops;
	m->committed = committed;
	m->context = context;
	pthread_mutex_init(&m->lock, NULL);
	return &m->log;
}
