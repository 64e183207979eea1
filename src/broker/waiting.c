/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/waiting.h"

#include "broker/shard.h"

bool waiting_is_kept(const struct shard *s, const struct session *session)
{
	return session->log_id && s->broker->log->is_kept;
}

/* What the shard counts of a queue, around a change of it. */
struct counted {
	uint64_t bytes;
	uint32_t count;
};

static struct counted count_before(const struct session *session)
{
	return (struct counted){session->queue->resident_bytes, session->queue->count};
}

static void count_change(struct shard *s, const struct session *session, struct counted before)
{
	s->memory_bytes += session->queue->resident_bytes - before.bytes;
	s->status.queued_messages += (uint64_t)session->queue->count - before.count;
}

/* As it stands in the window; flags and QoS share a byte there. */
static struct queued unsent(const struct sending *entry, uint64_t position)
{
	struct message *m = entry->message;
	bool is_released = entry->state == SEND_WAIT_PUBCOMP;
	uint8_t flags =
		entry->flags & (QUEUED_RETAIN | QUEUED_DUP | QUEUED_IDENTIFIERS | QUEUED_WAS_QOS_2);
	return (struct queued){.message = m,
			       .stored = m ? m->position : 0,
			       .position = position,
			       .identifier = entry->note,
			       .membership = entry->short_note,
			       .qos = entry->flags >> 4 & 3,
			       .flags = flags | (is_released ? QUEUED_RELEASED : 0)};
}

static uint32_t count_unfinished(const struct send *send)
{
	uint64_t position = 0;
	uint32_t count = 0;
	while (send_next(send, &position))
		count++;
	return count;
}

static int reserve_front(struct shard *s, struct session *session)
{
	struct queue *queue = session_queue(s, session);
	return queue ? queue_reserve_front(queue, count_unfinished(&session->send))
		     : ERROR_NO_MEMORY;
}

static void return_unfinished(struct shard *s, struct session *session)
{
	struct send *send = &session->send;
	for (uint64_t position = send->next; position-- > send->oldest;) {
		const struct sending *entry = send_at(send, position);
		if (!entry)
			continue;
		struct queued q = unsent(entry, position);
		if (q.message)
			s->memory_bytes -= message_bytes(q.message);
		int error = queue_push_front(session->queue, &q);
		ASSERT(!error); /* there was room for all */
	}
	send_clear(send);
}

void waiting_return(struct shard *s, struct session *session)
{
	struct counted before = count_before(session);
	if (!waiting_is_kept(s, session))
		return;
	if (!send_is_idle(&session->send) && reserve_front(s, session) == 0)
		return_unfinished(s, session);
	queue_store_all(session->queue);
	count_change(s, session, before);
}

static void drop(void *context, const struct queued *q)
{
	(void)context;
	if (q->message)
		message_unref(q->message);
}

void waiting_finish(struct shard *s, struct session *session, uint64_t from, uint64_t to)
{
	struct counted before = count_before(session);
	queue_finish(session->queue, from, to, drop, NULL);
	count_change(s, session, before);
}

void waiting_mark_released(struct shard *s, struct session *session, uint64_t position)
{
	struct counted before = count_before(session);
	queue_mark_released(session->queue, position);
	count_change(s, session, before);
}

int waiting_push(struct shard *s, struct session *session, const struct queued *q)
{
	struct counted before = count_before(session);
	struct queue *queue = session_queue(s, session);
	int error = queue ? queue_push(queue, q) : ERROR_NO_MEMORY;
	count_change(s, session, before);
	return error;
}

void waiting_put_back(struct shard *s, struct session *session, const struct queued *q)
{
	struct counted before = count_before(session);
	struct queue *queue = session_queue(s, session);
	if (!queue || queue_push_front(queue, q))
		drop(NULL, q);
	count_change(s, session, before);
}

bool waiting_pop(struct shard *s, struct session *session, struct queued *out)
{
	struct counted before = count_before(session);
	bool is_there = queue_pop(session->queue, out);
	count_change(s, session, before);
	return is_there;
}

void waiting_walk_start(struct waiting_walk *w, const struct session *session)
{
	w->send = &session->send;
	w->position = 0;
	queue_walk_start(&w->queue, session->queue);
}

bool waiting_walk_next(struct waiting_walk *w, struct queued *out)
{
	const struct sending *entry = send_next(w->send, &w->position);
	if (!entry)
		return queue_walk_next(&w->queue, out);
	*out = unsent(entry, w->position - 1);
	return true;
}
