/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group that a log keeps, on its owner. What it still is to get stands in two queues:
 *
 *     waiting   nobody has it; in log order, mostly without the messages
 *     out       it is on its way to a member: a GIVE is in the log, or a member that the log does
 *               not know has it and has not acknowledged it
 *
 * For the log both wait: only GIVE takes a message out. Whom to give it to is decided here, by who
 * is connected and in what order they come; the log hears of the decision, and what it has heard is
 * what a restart knows.
 */
#include "base/mem.h"
#include "broker/deliver.h"
#include "broker/give.h"
#include "broker/group_inside.h"
#include "broker/hold.h"
#include "broker/record.h"
#include "broker/shard.h"

#define GIVES_MAX 256 /* of one group in the log and not applied: about a turn's worth */
#define READ_MAX 64   /* messages read at once for members that the log does not know */

/* Sent before, to a member that the log does not know: so it does not know of that either. */
#define DUP_HERE 0x20
/* Out by a GIVE. */
#define OUT_BY_LOG 0x80

bool group_is_kept(const struct shard *s, const struct share *share)
{
	return share->is_surviving && s->broker->log->is_kept;
}

static struct queue *queue_of(void **slot)
{
	if (!*slot)
		*slot = mem_zalloc(sizeof(struct queue));
	ASSERT(*slot); /* the group would lose its messages */
	return *slot;
}

static uint32_t count_of(const void *queue)
{
	return queue ? ((const struct queue *)queue)->count : 0;
}

static void drop_message(const struct queued *q)
{
	if (q->message)
		message_unref(q->message);
}

static void mark_out(struct share *share, const struct queued *q)
{
	struct queued e = *q;
	e.message = NULL;
	int error = queue_insert(queue_of(&share->out), &e);
	ASSERT(!error);
}

/* It is not out any more; false: it was not. */
static bool unmark(struct share *share, uint64_t stored, struct queued *q)
{
	return share->out && queue_take_stored(share->out, stored, q);
}

/* Does this member get it by GIVE? */
static bool gets_by_log(const struct share_member *member, const struct queued *q)
{
	return member->log_id && member->qos > 0 && q->qos > 0;
}

static bool has_appetite(const void *context, const struct share_member *member)
{
	(void)context;
	return member->is_connected && !member->is_sated;
}

static bool may_get(const void *context, const struct share_member *member)
{
	const struct queued *q = context;
	return has_appetite(NULL, member) && (q->message || gets_by_log(member, q));
}

/* A publisher waits with a slow reader that lives here. */
static struct session *slow_one(struct shard *s, const struct share_member *member)
{
	struct session *session = session_by_number(s, member->session);
	return session && session->connection && session_is_slow(s, session) ? session : NULL;
}

static bool give(struct shard *s, struct share *share, const struct share_member *member,
		 const struct queued *q, struct outcome *o)
{
	char room[GROUP_FILTER_MAX];
	if (give_to_member(s, group_filter(share, room), member, q))
		return false;
	share->given++;
	o->slow = slow_one(s, member);
	return true;
}

static bool hand_over(struct shard *s, struct share *share, const struct share_member *member,
		      const struct queued *q, struct outcome *o)
{
	struct publication p;
	publication_of_message(&p, q->message);
	*o = group_hand_over(s, share, member, &p, (q->flags & QUEUED_DUP) | DELIVER_ACCEPTED,
			     NULL);
	publication_release(&p);
	bool is_there = o->reason_code == REASON_SUCCESS;
	o->reason_code = REASON_SUCCESS;
	return is_there;
}

/* To that member; the message, if there is one, is borrowed. False for want of memory: then it
 * waits. */
static bool take_out(struct shard *s, struct share *share, struct share_member *chosen,
		     const struct queued *q, struct outcome *o)
{
	struct share_member member = *chosen; /* may move or go meanwhile */
	struct queued e, as_sent = *q, as_out = *q;
	as_sent.flags |= q->flags & DUP_HERE ? QUEUED_DUP : 0;
	as_out.flags &= (uint8_t)~OUT_BY_LOG;
	as_out.flags |= gets_by_log(&member, q) ? OUT_BY_LOG : 0;
	mark_out(share, &as_out);
	bool is_gone = gets_by_log(&member, q) ? give(s, share, &member, &as_sent, o)
					       : hand_over(s, share, &member, &as_sent, o);
	if (is_gone)
		return true;
	if (unmark(share, q->stored, &e)) {
		int error = queue_insert(queue_of(&share->waiting), &e);
		ASSERT(!error);
	}
	return false;
}

/* Reading, for members that the log does not know: others read for themselves. */

struct group_read {
	struct log_read read; /* must be first */
	struct shard *shard;
	struct parcel *parcel; /* in which the answer travels */
	uint16_t filter_len;
	char filter[];
};

static struct group_read *read_of(struct log_read *read)
{
	return CONTAINER_OF(read, struct group_read, read);
}

/* On the log's thread. */
static void answered(struct log_read *read)
{
	struct group_read *r = read_of(read);
	mailbox_post(&r->shard->mailbox, &r->parcel->mail);
}

static struct group_read *read_new(struct shard *s, struct span filter)
{
	struct group_read *r = mem_zalloc(sizeof(*r) + filter.len);
	struct parcel *parcel = r ? mem_zalloc(sizeof(*parcel)) : NULL;
	if (!parcel) {
		mem_free(r);
		return NULL;
	}
	parcel->from = (uint16_t)s->index;
	parcel->count = 1;
	parcel->letters[0] = (struct letter){.kind = LETTER_GROUP_READ, .object = &r->read};
	r->read.done = answered;
	r->shard = s;
	r->parcel = parcel;
	r->filter_len = (uint16_t)filter.len;
	memcpy(r->filter, filter.ptr, filter.len);
	return r;
}

static void read_ahead(struct shard *s, struct share *share)
{
	char room[GROUP_FILTER_MAX];
	struct log *log = s->broker->log;
	if (share->is_reading || !log->ops->read)
		return;
	struct group_read *r = read_new(s, group_filter(share, room));
	if (!r)
		return; /* with the next message, then */
	r->read.count = queue_fetch(share->waiting, READ_MAX, r->read.positions, READ_MAX);
	if (r->read.count == 0) {
		mem_free(r->parcel);
		mem_free(r);
		return;
	}
	share->is_reading = true;
	log->ops->read(log, &r->read);
}

void group_kept_read_discard(struct log_read *read)
{
	log_read_release(read);
	mem_free(read_of(read));
}

static void finish(struct shard *s, struct share *share, const struct queued *q)
{
	char room[GROUP_FILTER_MAX];
	mark_out(share, q);
	/* without memory it comes back with the next start */
	(void)!give_to_nobody(s, group_filter(share, room), q->stored);
}

static void take_in(struct shard *s, struct share *share, const struct log_read *read)
{
	uint32_t hint = 0;
	struct queued q;
	for (uint32_t i = 0; i < read->count; i++) {
		struct message *m = NULL;
		int error = read->records[i].error;
		if (!error)
			error = record_decode_message(read->records[i].body, read->positions[i],
						      &m);
		if (error == ERROR_NO_MEMORY)
			queue_unfetch(share->waiting, read->positions[i]);
		else if (error && queue_take_stored(share->waiting, read->positions[i], &q))
			finish(s, share, &q); /* damaged */
		else if (!error && !queue_fill(share->waiting, read->positions[i], m, &hint))
			message_unref(m);
	}
}

void group_kept_read(struct shard *s, struct log_read *read)
{
	struct group_read *r = read_of(read);
	struct share *share = group_find(s, span_of(r->filter, r->filter_len));
	if (share)
		share->is_reading = false;
	if (share && share->waiting) {
		take_in(s, share, read);
		group_drain(s, share);
	}
	group_kept_read_discard(read);
}

/* Giving. */

void group_kept_dispatch(struct shard *s, struct share *share)
{
	const struct queued *next;
	struct share_member *member;
	struct outcome ignored;
	struct queued q;
	bool goes_on = !s->is_recovering && share->waiting;
	while (goes_on && share->given < GIVES_MAX && (next = queue_peek(share->waiting))) {
		member = share_choose(share, may_get, next);
		if (!member) {
			if (share_choose(share, has_appetite, NULL))
				read_ahead(s, share);
			return;
		}
		if (!queue_pop(share->waiting, &q))
			return;
		goes_on = take_out(s, share, member, &q, &ignored);
		drop_message(&q);
	}
}

static bool has_room(const struct shard *s, const struct share *share, const struct queued *q)
{
	return !share->waiting ||
	       queue_has_room(share->waiting, q->bytes, s->settings->absent_queue_messages_max,
			      s->settings->absent_queue_bytes_max);
}

static void wait(struct share *share, const struct queued *q)
{
	struct queued e = *q;
	e.message = NULL;
	int error = queue_push(queue_of(&share->waiting), &e);
	ASSERT(!error);
}

struct outcome group_kept_publish(struct shard *s, struct share *share, struct publication *p)
{
	struct outcome o = {.reason_code = REASON_SUCCESS};
	struct message *m = p->message;
	size_t bytes = message_bytes(m);
	struct queued q = {.message = m,
			   .stored = m->position,
			   .bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX,
			   .qos = m->qos,
			   .flags = m->retain ? QUEUED_RETAIN : 0};
	struct share_member *member = NULL;
	if (s->is_recovering) {
		wait(share, &q);
		return o;
	}
	if (!has_room(s, share, &q)) {
		finish(s, share, &q);
		o.reason_code = REASON_QUOTA_EXCEEDED;
		return o;
	}
	if (count_of(share->waiting) == 0 && share->given < GIVES_MAX)
		member = share_choose(share, may_get, &q);
	if (!member)
		wait(share, &q);
	else
		(void)take_out(s, share, member, &q, &o);
	group_kept_dispatch(s, share);
	return o;
}

/* Coming back. */

void group_kept_take(struct shard *s, struct span filter, uint64_t given)
{
	struct queued q;
	struct share *share = group_find(s, filter);
	if (!share)
		return;
	if (unmark(share, given, &q) ||
	    (share->waiting && queue_take_stored(share->waiting, given, &q)))
		drop_message(&q);
}

void group_kept_forsake(struct shard *s, const struct share *share)
{
	char room[GROUP_FILTER_MAX];
	struct span filter = group_filter(share, room);
	struct queue_walk walk;
	struct queued q;
	if (!share->out)
		return;
	queue_walk_start(&walk, share->out);
	while (queue_walk_next(&walk, &q))
		if (q.flags & OUT_BY_LOG)
			give_hold(s, filter, &q);
}

void group_kept_gave(struct shard *s, struct span filter)
{
	struct share *share = group_find(s, filter);
	if (!share)
		return;
	share->given -= share->given > 0;
	group_drain(s, share);
}

void group_kept_failed(struct shard *s, struct span filter, uint64_t given)
{
	struct queued q;
	struct share *share = group_find(s, filter);
	if (!share)
		return;
	share->given -= share->given > 0;
	if (unmark(share, given, &q)) {
		int error = queue_insert(queue_of(&share->waiting), &q);
		ASSERT(!error);
	}
}

void group_kept_put_back(struct shard *s, struct span filter, const struct queued *q)
{
	struct queued old, e = *q;
	struct share *share = group_find(s, filter);
	if (!share || !group_is_kept(s, share))
		return;
	e.message = NULL;
	if (s->is_recovering && share->waiting &&
	    queue_take_stored(share->waiting, q->stored, &old))
		drop_message(&old);
	int error = queue_insert(queue_of(&share->waiting), &e);
	ASSERT(!error);
	group_drain(s, share);
}

bool group_kept_unfinished(struct shard *s, struct share *share, uint64_t position, uint8_t dup)
{
	struct queued q;
	if (!unmark(share, position, &q))
		return false;
	q.flags |= dup ? DUP_HERE : 0;
	int error = queue_insert(queue_of(&share->waiting), &q);
	ASSERT(!error);
	group_drain(s, share);
	return true;
}

void group_kept_done(struct shard *s, struct span filter, uint64_t position)
{
	struct queued q;
	struct share *share = group_find(s, filter);
	if (!share || !unmark(share, position, &q))
		return;
	if (group_is_kept(s, share))
		finish(s, share, &q);
}

/* Walking. */

static bool walk_next(struct queue_walk *w, struct queued *out)
{
	return w->queue && queue_walk_next(w, out);
}

void group_walk_start(struct group_walk *w, const struct share *share)
{
	w->waiting.queue = w->out.queue = NULL;
	if (share->waiting)
		queue_walk_start(&w->waiting, share->waiting);
	if (share->out)
		queue_walk_start(&w->out, share->out);
	w->has_waiting = walk_next(&w->waiting, &w->next_waiting);
	w->has_out = walk_next(&w->out, &w->next_out);
}

bool group_walk_next(struct group_walk *w, struct queued *out)
{
	if (!w->has_waiting && !w->has_out)
		return false;
	if (w->has_out && (!w->has_waiting || w->next_out.stored < w->next_waiting.stored)) {
		*out = w->next_out;
		w->has_out = walk_next(&w->out, &w->next_out);
	} else {
		*out = w->next_waiting;
		w->has_waiting = walk_next(&w->waiting, &w->next_waiting);
	}
	return true;
}
