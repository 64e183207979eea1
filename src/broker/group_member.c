/* SPDX-License-Identifier: Apache-2.0 */
/* A group's member on its own shard: what it has joined, and what it gives back. */
#include "base/mem.h"
#include "broker/deliver.h"
#include "broker/give.h"
#include "broker/group_inside.h"
#include "broker/hold.h"
#include "broker/waiting.h"

/* Of one session: more than any application has groups; they are searched one by one. */
#define MEMBERSHIPS_MAX 4096

struct membership *group_slot(struct session *session, struct span filter)
{
	struct memberships *all = session->memberships;
	for (uint32_t i = 0; all && i < all->count; i++) {
		struct membership *m = &all->slots[i];
		if (m->owner != MEMBERSHIP_FREE &&
		    span_is_equal(span_of(m->filter, m->filter_len), filter))
			return m;
	}
	return NULL;
}

static struct membership *slot_free(struct session *session)
{
	struct memberships *all = session->memberships;
	uint32_t count = all ? all->count : 0;
	for (uint32_t i = 0; i < count; i++)
		if (all->slots[i].owner == MEMBERSHIP_FREE)
			return &all->slots[i];
	if (count == MEMBERSHIPS_MAX)
		return NULL;
	all = mem_realloc(all, sizeof(*all) + (count + 1) * sizeof(all->slots[0]));
	if (!all)
		return NULL;
	if (count == 0)
		all->is_sated = false;
	session->memberships = all;
	all->count = count + 1;
	all->slots[count] = (struct membership){.owner = MEMBERSHIP_FREE};
	return &all->slots[count];
}

bool group_has(struct session *session, struct span filter)
{
	return group_slot(session, filter) != NULL;
}

uint32_t group_count(const struct session *session)
{
	uint32_t count = 0;
	for (uint32_t i = 0; session->memberships && i < session->memberships->count; i++)
		count += session->memberships->slots[i].owner != MEMBERSHIP_FREE;
	return count;
}

static struct span filter_of(const struct membership *m)
{
	return span_of(m->filter, m->filter_len);
}

struct share_member group_member_of(const struct shard *s, const struct session *session,
				    const struct membership *m)
{
	return (struct share_member){
		.session = session->number,
		.log_id = waiting_is_kept(s, session) ? session->log_id : 0,
		.identifier = m->identifier,
		.shard = (uint16_t)s->index,
		.membership = (uint16_t)(m - session->memberships->slots),
		.qos = m->qos,
		.retain_as_published = m->retain_as_published,
		.is_connected = session->connection != NULL,
		.is_sated = session->memberships->is_sated,
		.survives = session->subscriber.survives,
	};
}

static struct membership *slot_make(struct shard *s, struct session *session, struct span filter)
{
	char *text = mem_copy_text(filter);
	struct membership *m = text ? slot_free(session) : NULL;
	if (!m) {
		mem_free(text);
		return NULL;
	}
	m->filter = text;
	m->filter_len = (uint16_t)filter.len;
	m->owner = (uint16_t)shard_of(s->broker, filter);
	return m;
}

/* Returns how many delegated verdicts will come. */
static int tell_owner(struct shard *s, struct session *session, const struct membership *m,
		      const struct origin *origin)
{
	struct share_member member = group_member_of(s, session, m);
	if (m->owner == s->index || s->is_recovering)
		return group_owner_join(shard_at(s, m->owner), filter_of(m), &member);
	if (member.log_id)
		return 0; /* it reads the command itself */
	group_send(s, m->owner, LETTER_GROUP_JOIN, filter_of(m), &member, origin);
	return 1;
}

int group_join(struct shard *s, struct session *session, struct span filter,
	       const struct subscription_options *o, uint32_t identifier,
	       const struct origin *origin)
{
	struct membership *m = group_slot(session, filter);
	if (!m)
		m = slot_make(s, session, filter);
	if (!m)
		return ERROR_NO_MEMORY;
	m->identifier = identifier;
	m->qos = o->qos;
	m->retain_as_published = o->retain_as_published;
	return tell_owner(s, session, m, origin);
}

static void tell_presence(struct shard *s, const struct membership *m,
			  const struct share_member *member)
{
	if (s->is_recovering)
		return; /* nobody is there */
	if (m->owner == s->index)
		group_owner_presence(s, filter_of(m), member);
	else
		group_send(s, m->owner, LETTER_GROUP_PRESENCE, filter_of(m), member, NULL);
}

/* Giving back, of sessions that no log keeps. */

struct taking {
	struct shard *shard;
	struct session *session;
	struct membership *membership;
	uint16_t index; /* + 1, as in queues */
};

static void give_back(struct taking *t, struct message *m, uint8_t flags)
{
	struct shard *s = t->shard;
	struct span filter = filter_of(t->membership);
	if (t->membership->owner == s->index) {
		group_owner_return(s, filter, m, flags);
		message_unref(m);
		return;
	}
	struct share_member member = group_member_of(s, t->session, t->membership);
	struct group_news *news =
		group_send(s, t->membership->owner, LETTER_GROUP_RETURN, filter, &member, NULL);
	group_enclose(s, t->membership->owner, news, m, flags);
}

static bool is_of_group(void *context, const struct queued *q)
{
	return q->membership == ((struct taking *)context)->index;
}

static void take_queued(void *context, const struct queued *q)
{
	struct taking *t = context;
	t->shard->status.queued_messages--;
	if (!q->message)
		return; /* the log had kept it for a session that it knew */
	t->shard->memory_bytes -= message_bytes(q->message);
	give_back(t, q->message, q->flags & QUEUED_DUP);
}

/* In the order in which they came: first what was sent and not acknowledged, then what waits. */
static void give_back_sent(struct taking *t)
{
	uint64_t position = 0;
	struct sending *entry;
	while ((entry = send_next(&t->session->send, &position))) {
		if (entry->short_note != t->index)
			continue;
		struct message *m = entry->message;
		if (entry->state == SEND_WAIT_PUBREC)
			group_finished(t->shard, t->session, t->index, m);
		if (entry->state != SEND_WAIT_PUBACK)
			continue;
		t->shard->memory_bytes -= message_bytes(m);
		send_cancel(&t->session->send, position - 1);
		give_back(t, m, QUEUED_DUP);
	}
}

/* What has been started stays and is finished [MQTT-3.10.4-3], as no group's business. */
static void keep_sent(struct taking *t)
{
	uint64_t position = 0;
	struct sending *entry;
	while ((entry = send_next(&t->session->send, &position))) {
		if (entry->short_note != t->index)
			continue;
		if (entry->message && !waiting_is_kept(t->shard, t->session))
			group_finished(t->shard, t->session, t->index, entry->message);
		entry->short_note = 0;
	}
}

static void give_back_waiting(struct taking *t)
{
	queue_extract(t->session->queue, is_of_group, take_queued, t);
}

/* Giving back, of sessions that the log keeps: by RETURN. */

struct returning {
	struct shard *shard;
	struct session *session;
	uint16_t index; /* of a membership, + 1; 0 = all of them */
	bool only_unsent;
	struct queue rest; /* what stays with the session, as no group's business any more */
};

static bool goes_back(void *context, const struct queued *q)
{
	const struct returning *r = context;
	bool is_sent = q->position < session_sent_to(r->session);
	if (q->membership == 0 || (r->index && q->membership != r->index) ||
	    q->flags & QUEUED_RELEASED)
		return false;
	return !is_sent || (q->qos == 1 && !r->only_unsent);
}

static void take_returned(void *context, const struct queued *q)
{
	struct returning *r = context;
	const struct membership *m = &r->session->memberships->slots[q->membership - 1];
	struct queued e = *q;
	e.flags |= q->position < session_sent_to(r->session) ? QUEUED_DUP : 0;
	give_return(r->shard, r->session, filter_of(m), &e);
	if (q->message)
		message_unref(q->message);
}

static void return_some(struct returning *r)
{
	struct shard *s = r->shard;
	struct queue *queue = r->session->queue;
	s->memory_bytes -= queue->resident_bytes;
	s->status.queued_messages -= queue->count;
	queue_extract(queue, goes_back, take_returned, r);
	s->memory_bytes += queue->resident_bytes;
	s->status.queued_messages += queue->count;
}

void group_return(struct shard *s, struct session *session)
{
	struct returning r = {.shard = s, .session = session};
	if (!session->memberships || !waiting_is_kept(s, session))
		return;
	/* should the session end now, who reads the log must know what it has finished before */
	if (session->finish_slot)
		finish_append(s);
	return_some(&r);
}

void group_start(struct shard *s)
{
	uint32_t cursor = 0;
	struct session *session;
	while ((session = map_next(&s->sessions, &cursor)))
		group_return(s, session);
}

static bool is_of_membership(void *context, const struct queued *q)
{
	return q->membership == ((struct returning *)context)->index;
}

static void take_rest(void *context, const struct queued *q)
{
	struct returning *r = context;
	struct queued e = *q;
	e.membership = 0;
	int error = queue_push(&r->rest, &e);
	ASSERT(!error); /* it would be lost */
}

/* The slot's index may come to mean another group. */
static void free_rest(struct returning *r)
{
	struct queued q;
	queue_extract(r->session->queue, is_of_membership, take_rest, r);
	while (queue_pop(&r->rest, &q)) {
		int error = queue_insert(r->session->queue, &q);
		ASSERT(!error);
	}
	queue_release(&r->rest);
}

/* What it has of the group goes back, or stays as no group's business. */
static void part_kept(struct shard *s, struct session *session, struct membership *m,
		      bool is_ending)
{
	uint16_t index = (uint16_t)(m - session->memberships->slots + 1);
	struct returning r = {
		.shard = s, .session = session, .index = index, .only_unsent = !is_ending};
	struct taking taking = {s, session, m, index};
	if (is_ending || !s->is_recovering) /* else RETURN says which */
		return_some(&r);
	keep_sent(&taking);
	free_rest(&r);
}

static void leave_kept(struct shard *s, struct session *session, struct membership *m,
		       bool is_ending)
{
	struct share_member member = group_member_of(s, session, m);
	member.is_connected = false;
	tell_presence(s, m, &member);
	part_kept(s, session, m, is_ending);
	if (m->owner == s->index || s->is_recovering)
		group_owner_leave(shard_at(s, m->owner), filter_of(m), session->number,
				  session->log_id);
	else if (is_ending)
		give_leave(s, session, filter_of(m));
}

static void leave_unknown(struct shard *s, struct session *session, struct membership *m,
			  bool is_ending)
{
	struct share_member member = group_member_of(s, session, m);
	struct taking taking = {s, session, m, (uint16_t)(member.membership + 1)};
	member.is_connected = false;
	/* first out of the turn, so that nothing comes back to it */
	tell_presence(s, m, &member);
	if (is_ending)
		give_back_sent(&taking);
	else
		keep_sent(&taking);
	give_back_waiting(&taking);
	if (m->owner == s->index)
		group_owner_leave(s, filter_of(m), session->number, 0);
	else
		group_send(s, m->owner, LETTER_GROUP_LEAVE, filter_of(m), &member, NULL);
}

static void leave(struct shard *s, struct session *session, struct membership *m, bool is_ending)
{
	if (waiting_is_kept(s, session))
		leave_kept(s, session, m, is_ending);
	else
		leave_unknown(s, session, m, is_ending);
	mem_free(m->filter);
	*m = (struct membership){.owner = MEMBERSHIP_FREE};
}

bool group_leave(struct shard *s, struct session *session, struct span filter)
{
	struct membership *m = group_slot(session, filter);
	if (m)
		leave(s, session, m, false);
	return m != NULL;
}

void group_leave_all(struct shard *s, struct session *session)
{
	struct memberships *all = session->memberships;
	for (uint32_t i = 0; all && i < all->count; i++)
		if (all->slots[i].owner != MEMBERSHIP_FREE)
			leave(s, session, &all->slots[i], true);
	mem_free(all);
	session->memberships = NULL;
}

void group_forget(struct session *session)
{
	struct memberships *all = session->memberships;
	for (uint32_t i = 0; all && i < all->count; i++)
		mem_free(all->slots[i].filter);
	mem_free(all);
	session->memberships = NULL;
}

void group_presence(struct shard *s, struct session *session, bool is_connected)
{
	struct memberships *all = session->memberships;
	for (uint32_t i = 0; all && i < all->count; i++) {
		struct membership *m = &all->slots[i];
		if (m->owner == MEMBERSHIP_FREE)
			continue;
		struct share_member member = group_member_of(s, session, m);
		member.is_connected = is_connected;
		tell_presence(s, m, &member);
		struct taking taking = {s, session, m, (uint16_t)(i + 1)};
		if (is_connected || member.log_id)
			continue; /* group_return */
		give_back_sent(&taking);
		give_back_waiting(&taking);
	}
}

void group_note(struct outcome *o, struct session *session, int delivered)
{
	o->reason_code = delivered == DELIVERY_REFUSED ? REASON_QUOTA_EXCEEDED : REASON_SUCCESS;
	if (delivered == DELIVERED_SLOWLY)
		o->slow = session;
}

enum delivered group_deliver(struct shard *s, struct session *session,
			     const struct share_member *member, struct publication *p,
			     uint8_t flags)
{
	uint16_t index = (uint16_t)(member->membership + 1);
	struct delivery d = {
		.publication = p,
		.identifier = member->identifier, /* a copy of its own [MQTT-3.3.4-5] */
		.membership = index,
		.qos = p->parts.qos < member->qos ? p->parts.qos : member->qos, /* [MQTT-4.8.2-3] */
		.flags = flags |
			 (member->retain_as_published && p->parts.retain ? QUEUED_RETAIN : 0),
	};
	enum delivered result = deliver(s, session, &d);
	if (d.qos == 0 && p->parts.qos > 0 && p->message) /* no acknowledgement will come */
		group_finished(s, session, index, p->message);
	group_appetite(s, session);
	return result;
}

void group_member_deliver(struct shard *s, const struct letter *letter, struct group_news *news)
{
	struct origin origin = {letter->session, letter->ticket, letter->origin};
	struct verdict v = {.is_delegate = true, .reason_code = REASON_SUCCESS};
	struct session *session = session_by_number(s, news->member.session);
	struct span filter = span_of(news->filter, news->filter_len);
	struct membership *m = session ? group_slot(session, filter) : NULL;
	struct outcome o = {.reason_code = REASON_SUCCESS};
	struct publication p;
	publication_of_message(&p, news->message);
	if (m && session->connection) {
		struct share_member member = group_member_of(s, session, m);
		group_note(&o, session, group_deliver(s, session, &member, &p, news->flags));
	} else {
		unsigned owner = shard_of(s->broker, filter);
		struct group_news *back =
			group_send(s, owner, LETTER_GROUP_RETURN, filter, &news->member, NULL);
		group_enclose(s, owner, back, message_ref(news->message), news->flags);
	}
	publication_release(&p);
	v.reason_code = o.reason_code;
	if (o.slow)
		hold_verdict(s, o.slow, &v, &origin);
	else
		verdict_give(s, &origin, v);
}

void group_finished(struct shard *s, struct session *session, uint16_t membership,
		    const struct message *m)
{
	if (membership == 0 || m->position == 0 || !s->broker->log->is_kept)
		return;
	const struct membership *slot = &session->memberships->slots[membership - 1];
	if (slot->owner == s->index) {
		group_kept_done(s, filter_of(slot), m->position);
		return;
	}
	struct share_member member = group_member_of(s, session, slot);
	struct group_news *news =
		group_send(s, slot->owner, LETTER_GROUP_DONE, filter_of(slot), &member, NULL);
	news->position = m->position;
}

#define SATED_COUNT 512  /* a member with so many messages waiting gets no more from its groups */
#define HUNGRY_COUNT 128 /* until so few are left: what is on its way meanwhile comes on top */

void group_appetite(struct shard *s, struct session *session)
{
	struct memberships *all = session->memberships;
	uint32_t count = session->queue->count;
	if (!s->broker->log->is_kept || s->is_recovering)
		return;
	if (all->is_sated ? count > HUNGRY_COUNT : count < SATED_COUNT)
		return;
	all->is_sated = !all->is_sated;
	for (uint32_t i = 0; i < all->count; i++) {
		struct membership *m = &all->slots[i];
		if (m->owner == MEMBERSHIP_FREE)
			continue;
		struct share_member member = group_member_of(s, session, m);
		tell_presence(s, m, &member);
	}
}
