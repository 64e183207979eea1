/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/fetch.h"

#include "base/mem.h"
#include "broker/deliver.h"
#include "broker/record.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/waiting.h"

/* A session has at most so many requests under way, a shard so many together. */
#define SESSION_FETCHES_MAX 4
#define SHARD_FETCHES_MAX 64
/* So far ahead of what is sent next: all requests of a session together. */
#define AHEAD (SESSION_FETCHES_MAX * LOG_READ_MAX)
/* One request asks for about so many bytes, as far as sizes are known. */
#define FETCH_BYTES (256u << 10)
/* Answers taken in within one turn: 2,048 messages, about a millisecond. */
#define ANSWERS_PER_TURN 8

struct fetch {
	struct log_read read; /* must be first */
	struct shard *shard;
	struct parcel *parcel; /* in which the answer travels */
	uint64_t session;      /* number */
};

static struct fetch *fetch_of(struct log_read *read)
{
	return CONTAINER_OF(read, struct fetch, read);
}

/* On the log's thread. The parcel may be gone with the next instruction of the shard. */
static void answered(struct log_read *read)
{
	struct fetch *f = fetch_of(read);
	mailbox_post(&f->shard->mailbox, &f->parcel->mail);
}

static struct fetch *fetch_new(struct shard *s, const struct session *session)
{
	struct fetch *f = mem_alloc(sizeof(*f));
	struct parcel *parcel = f ? mem_zalloc(offsetof(struct parcel, letters)) : NULL;
	if (!parcel) {
		mem_free(f);
		return NULL;
	}
	parcel->read = &f->read;
	parcel->from = (uint16_t)s->index;
	f->read.next = NULL;
	f->read.done = answered;
	f->read.bytes = NULL;
	f->read.count = 0;
	f->shard = s;
	f->parcel = parcel;
	f->session = session->number;
	return f;
}

void fetch_discard(struct log_read *read)
{
	log_read_release(read);
	mem_free(fetch_of(read));
}

/* How many at once: large messages come a few at a time. */
static uint32_t request_size(const struct queue *q)
{
	uint64_t average = q->bytes / q->count + 1;
	uint64_t count = FETCH_BYTES / average;
	return count < 1 ? 1 : count > LOG_READ_MAX ? LOG_READ_MAX : (uint32_t)count;
}

/* One that can't be noted asks again when its client acknowledges something, or never: so it does
 * not wait at all. */
static bool must_wait(struct shard *s, struct session *session)
{
	struct fetching *f = &s->fetching;
	if (f->under_way < SHARD_FETCHES_MAX)
		return false;
	if (session->is_waiting_to_fetch)
		return true;
	if (f->waiting_count == f->waiting_capacity) {
		uint32_t capacity = f->waiting_capacity ? f->waiting_capacity * 2 : 64;
		uint64_t *ring = mem_alloc(capacity * sizeof(*ring));
		if (!ring)
			return false;
		for (uint32_t i = 0; i < f->waiting_count; i++)
			ring[i] = f->waiting[(f->waiting_first + i) & (f->waiting_capacity - 1)];
		mem_free(f->waiting);
		f->waiting = ring;
		f->waiting_capacity = capacity;
		f->waiting_first = 0;
	}
	f->waiting[(f->waiting_first + f->waiting_count++) & (f->waiting_capacity - 1)] =
		session->number;
	session->is_waiting_to_fetch = true;
	return true;
}

static bool wants_more(const struct session *session, uint32_t size)
{
	const struct queue *q = session->queue;
	if (session->fetch_count == SESSION_FETCHES_MAX || !queue_wants_fetch(q, AHEAD, size))
		return false;
	return q->covered == 0 || q->resident_bytes < RESIDENT_BYTES_MAX;
}

void fetch_ahead(struct shard *s, struct session *session)
{
	struct log *log = s->broker->log;
	struct queue *q = session->queue;
	while (q->absent > 0 && log->ops->read && session->connection) {
		uint32_t size = request_size(q);
		if (!wants_more(session, size) || must_wait(s, session))
			return;
		struct fetch *f = fetch_new(s, session);
		if (!f) {
			s->has_work |= session->fetch_count == 0; /* nothing else would try again */
			return;
		}
		f->read.count = queue_fetch(q, AHEAD, f->read.positions, size);
		if (f->read.count == 0) {
			mem_free(f->parcel);
			fetch_discard(&f->read);
			return;
		}
		session->fetch_count++;
		s->fetching.under_way++;
		log->ops->read(log, &f->read);
	}
}

void fetch_arrived(struct shard *s, struct log_read *read)
{
	struct fetching *f = &s->fetching;
	read->next = NULL;
	if (f->oldest)
		f->newest->next = read;
	else
		f->oldest = read;
	f->newest = read;
}

/* What can't be read back is lost to this client, and the operator hears whose it was. */
static void give_up(struct shard *s, struct session *session, uint64_t stored)
{
	struct queued q;
	s->memory_bytes -= session->queue->resident_bytes;
	bool is_found = queue_take_stored(session->queue, stored, &q);
	s->memory_bytes += session->queue->resident_bytes;
	if (!is_found)
		return;
	s->status.queued_messages--;
	s->status.dropped_damaged++;
	deliver_give_up(s, session, &q, "damaged in the log");
}

static void take_in(struct shard *s, struct session *session, const struct log_read *read)
{
	struct queue *q = session->queue;
	uint32_t hint = 0;
	for (uint32_t i = 0; i < read->count; i++) {
		const struct log_record *record = &read->records[i];
		struct message *m = NULL;
		int error = record->error;
		if (!error)
			error = record_decode_message(record->body, read->positions[i], &m);
		if (error == ERROR_NO_MEMORY)
			queue_unfetch(q, read->positions[i]);
		else if (error)
			give_up(s, session, read->positions[i]);
		else if (queue_fill(q, read->positions[i], m, &hint))
			s->memory_bytes += message_bytes(m);
		else
			message_unref(m);
	}
}

static void wake_next(struct shard *s)
{
	struct fetching *f = &s->fetching;
	while (f->waiting_count > 0 && f->under_way < SHARD_FETCHES_MAX) {
		uint64_t number = f->waiting[f->waiting_first];
		f->waiting_first = (f->waiting_first + 1) & (f->waiting_capacity - 1);
		f->waiting_count--;
		struct session *session = session_by_number(s, number);
		if (!session)
			continue;
		session->is_waiting_to_fetch = false;
		fetch_ahead(s, session);
	}
}

static void take_answer(struct shard *s)
{
	struct fetching *f = &s->fetching;
	struct log_read *read = f->oldest;
	f->oldest = read->next;
	f->under_way--;
	struct session *session = session_by_number(s, fetch_of(read)->session);
	if (session) {
		session->fetch_count--;
		/* who went away meanwhile lets everything go again */
		if (session->connection)
			take_in(s, session, read);
	}
	fetch_discard(read);
	if (session)
		deliver_pump(s, session);
}

bool fetch_turn(struct shard *s)
{
	for (int i = 0; s->fetching.oldest && i < ANSWERS_PER_TURN; i++) {
		take_answer(s);
		wake_next(s);
	}
	return s->fetching.oldest != NULL;
}

void fetch_release(struct shard *s)
{
	struct fetching *f = &s->fetching;
	while (f->oldest) {
		struct log_read *next = f->oldest->next;
		fetch_discard(f->oldest);
		f->oldest = next;
	}
	mem_free(f->waiting);
	f->waiting = NULL;
	f->waiting_count = f->waiting_capacity = 0;
}
