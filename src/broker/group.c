/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared subscriptions ([5] 4.8.2). A group belongs to the shard that `$share/name/filter` hashes
 * to: there its messages arrive, there the next member is chosen, there waits what nobody
 * connected can take. Members live anywhere; their shards and the owner speak by letters.
 *
 * A member that leaves gives back what it has not acknowledged, in order, for the others; but not
 * QoS 2 messages whose exchange has begun [MQTT-4.8.2-4, -5].
 */
#include "broker/group.h"

#include "base/mem.h"
#include "broker/deliver.h"
#include "broker/hold.h"
#include "broker/interest.h"
#include "broker/packet.h"
#include "broker/publish.h"
#include "broker/shard.h"
#include "mqtt/topic.h"

/* Of one session: more than any application has groups; they are searched one by one. */
#define MEMBERSHIPS_MAX 4096

struct group_news {
	struct share_member member;
	struct message *message; /* LETTER_GROUP_DELIVER, LETTER_GROUP_RETURN */
	uint8_t flags;           /* QUEUED_... of the message */
	uint16_t filter_len;
	char filter[]; /* the whole `$share/name/filter` */
};

static struct group_news *send_news(struct shard *s, unsigned to, uint8_t kind, struct span filter,
				    const struct share_member *member, const struct origin *origin)
{
	struct group_news *news = mem_zalloc(sizeof(*news) + filter.len);
	ASSERT(news);
	news->member = *member;
	news->filter_len = (uint16_t)filter.len;
	memcpy(news->filter, filter.ptr, filter.len);
	struct letter *letter = bus_letter(s, to, sizeof(*news) + filter.len);
	*letter = (struct letter){.kind = kind, .origin = (uint16_t)s->index, .object = news};
	if (origin) {
		letter->session = origin->session;
		letter->ticket = origin->ticket;
		letter->origin = origin->shard;
	}
	return news;
}

/* Takes over a reference; the message counts for the receiver's congestion. */
static void enclose(struct shard *s, unsigned to, struct group_news *news, struct message *m,
		    uint8_t flags)
{
	message_share(m);
	news->message = m;
	news->flags = flags;
	s->parcels[to]->bytes += message_bytes(m);
}

/* The group of a whole filter; NULL when there is none (or, with create, no memory). */
static struct share *find_share(struct shard *s, struct span filter, bool create)
{
	struct span name, inner;
	if (!topic_filter_split_share(filter, &name, &inner))
		return NULL;
	return routes_share(s->routes, name, inner, create);
}

static enum delivered give(struct shard *s, struct session *session,
			   const struct share_member *member, struct publication *p, uint8_t flags)
{
	struct delivery d = {
		.publication = p,
		.identifier = member->identifier,
		.membership = (uint16_t)(member->membership + 1),
		.qos = p->parts.qos < member->qos ? p->parts.qos : member->qos, /* [MQTT-4.8.2-3] */
		.flags = flags |
			 (member->retain_as_published && p->parts.retain ? QUEUED_RETAIN : 0),
	};
	return deliver(s, session, &d);
}

static void note(struct outcome *o, struct session *session, enum delivered result)
{
	o->reason_code = result == DELIVERY_REFUSED ? REASON_QUOTA_EXCEEDED : REASON_SUCCESS;
	if (result == DELIVERED_SLOWLY)
		o->slow = session;
}

static bool has_surviving(const struct share *share)
{
	for (uint32_t i = 0; i < share->member_count; i++)
		if (share->members[i].survives)
			return true;
	return false;
}

/* Nobody is connected, but a member's session can come back: it waits for the group. */
static bool keep_for_group(struct shard *s, struct share *share, struct publication *p,
			   uint8_t flags)
{
	if (!share->waiting)
		share->waiting = mem_zalloc(sizeof(struct queue));
	struct queue *queue = share->waiting;
	struct message *m = queue ? publication_message(p) : NULL;
	struct queued q = {.message = m, .qos = p->parts.qos, .flags = flags};
	if (!m)
		return false;
	if (!(flags & DELIVER_ACCEPTED) &&
	    !queue_has_room(queue, message_bytes(m), s->settings->absent_queue_messages_max,
			    s->settings->absent_queue_bytes_max))
		return false;
	if (queue_push(queue, &q))
		return false;
	message_ref(m);
	return true;
}

static struct outcome dispatch(struct shard *s, struct share *share, struct publication *p,
			       uint8_t flags, const struct origin *origin)
{
	struct outcome o = {.reason_code = REASON_NO_MATCHING_SUBSCRIBERS};
	char whole[7 + UINT16_MAX];
	struct share_member *member = share_next(share);
	if (!member) {
		if (p->parts.qos > 0 && has_surviving(share))
			o.reason_code = keep_for_group(s, share, p, flags) ? REASON_SUCCESS
									   : REASON_QUOTA_EXCEEDED;
		return o;
	}
	if (member->shard == s->index) {
		struct session *session = session_by_number(s, member->session);
		if (session)
			note(&o, session, give(s, session, member, p, flags));
		return o;
	}
	struct span name = share_name(share), inner = share_filter(share);
	struct message *m = publication_message(p);
	struct writer w = writer_of((struct room){(uint8_t *)whole, sizeof(whole)});
	write_bytes(&w, SPAN_LITERAL("$share/"));
	write_bytes(&w, name);
	write_u8(&w, '/');
	write_bytes(&w, inner);
	if (!m || w.is_overflown) {
		o.reason_code = REASON_QUOTA_EXCEEDED;
		return o;
	}
	struct span filter = span_of(whole, (size_t)((char *)w.ptr - whole));
	struct group_news *news =
		send_news(s, member->shard, LETTER_GROUP_DELIVER, filter, member, origin);
	enclose(s, member->shard, news, message_ref(m), flags);
	o.reason_code = REASON_SUCCESS;
	o.delegates = origin && origin->session ? 1 : 0;
	return o;
}

struct outcome group_publish(struct shard *s, struct share *share, struct publication *p,
			     const struct origin *origin)
{
	return dispatch(s, share, p, 0, origin);
}

static bool has_connected(const struct share *share)
{
	for (uint32_t i = 0; i < share->member_count; i++)
		if (share->members[i].is_connected)
			return true;
	return false;
}

struct draining {
	struct shard *shard;
	struct share *share;
};

static bool was_given_back(void *context, const struct queued *q)
{
	(void)context;
	return q->flags & DELIVER_ACCEPTED;
}

static void dispatch_waiting(void *context, const struct queued *q)
{
	struct draining *d = context;
	struct publication p;
	publication_of_message(&p, q->message);
	dispatch(d->shard, d->share, &p, q->flags | DELIVER_ACCEPTED, NULL);
	publication_release(&p);
	message_unref(q->message);
}

/* First what a member had and gave back: what waits otherwise came after it. */
static void drain(struct shard *s, struct share *share)
{
	struct draining draining = {s, share};
	struct queue *queue = share->waiting;
	struct queued q;
	if (!queue || !has_connected(share))
		return;
	queue_extract(queue, was_given_back, dispatch_waiting, &draining);
	while (queue_pop(queue, &q))
		dispatch_waiting(&draining, &q);
}

static void waiting_free(struct share *share)
{
	struct queue *queue = share->waiting;
	if (!queue)
		return;
	queue_release(queue);
	mem_free(queue);
	share->waiting = NULL;
}

/* On the owner: interest is compared around each change of membership. */
static int owner_join(struct shard *s, struct span filter, const struct share_member *member)
{
	struct span name, inner;
	bool existed;
	topic_filter_split_share(filter, &name, &inner);
	struct interest before = routes_interest(s->routes, inner);
	struct share *share = routes_share(s->routes, name, inner, true);
	if (!share)
		return ERROR_NO_MEMORY;
	int error = share_join(share, member, &existed);
	if (error && share->member_count == 0) {
		routes_share_free(s->routes, share);
		return error;
	}
	routes_share_changed(s->routes, share);
	interest_changed(s, inner, before);
	drain(s, share);
	return error;
}

static void owner_leave(struct shard *s, struct span filter, uint64_t session)
{
	struct span name, inner;
	struct share *share = find_share(s, filter, false);
	if (!share || !topic_filter_split_share(filter, &name, &inner))
		return;
	struct interest before = routes_interest(s->routes, inner);
	share_leave(share, session);
	routes_share_changed(s->routes, share);
	if (share->member_count == 0) {
		waiting_free(share);
		routes_share_free(s->routes, share);
	}
	interest_changed(s, inner, before);
}

static void owner_presence(struct shard *s, struct span filter, const struct share_member *news)
{
	struct span name, inner;
	struct share *share = find_share(s, filter, false);
	struct share_member *member = share ? share_find(share, news->session) : NULL;
	if (!member || !topic_filter_split_share(filter, &name, &inner))
		return;
	struct interest before = routes_interest(s->routes, inner);
	member->is_connected = news->is_connected;
	member->survives = news->survives;
	routes_share_changed(s->routes, share);
	interest_changed(s, inner, before);
	if (member->is_connected)
		drain(s, share);
}

static void owner_return(struct shard *s, struct span filter, struct message *m, uint8_t flags)
{
	struct publication p;
	struct share *share = find_share(s, filter, false);
	if (!share)
		return;
	publication_of_message(&p, m);
	dispatch(s, share, &p, flags | DELIVER_ACCEPTED, NULL);
	publication_release(&p);
}

/* The member's side. */

static struct membership *slot_of(struct session *session, struct span filter)
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
	session->memberships = all;
	all->count = count + 1;
	all->slots[count] = (struct membership){.owner = MEMBERSHIP_FREE};
	return &all->slots[count];
}

bool group_has(struct session *session, struct span filter)
{
	return slot_of(session, filter) != NULL;
}

uint32_t group_count(const struct session *session)
{
	uint32_t count = 0;
	for (uint32_t i = 0; session->memberships && i < session->memberships->count; i++)
		count += session->memberships->slots[i].owner != MEMBERSHIP_FREE;
	return count;
}

static struct share_member member_of(const struct shard *s, const struct session *session,
				     const struct membership *m)
{
	return (struct share_member){
		.session = session->number,
		.identifier = m->identifier,
		.shard = (uint16_t)s->index,
		.membership = (uint16_t)(m - session->memberships->slots),
		.qos = m->qos,
		.retain_as_published = m->retain_as_published,
		.is_connected = session->connection != NULL,
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

int group_join(struct shard *s, struct session *session, struct span filter,
	       const struct subscription_options *o, uint32_t identifier,
	       const struct origin *origin)
{
	struct membership *m = slot_of(session, filter);
	if (!m)
		m = slot_make(s, session, filter);
	if (!m)
		return ERROR_NO_MEMORY;
	m->identifier = identifier;
	m->qos = o->qos;
	m->retain_as_published = o->retain_as_published;
	struct share_member member = member_of(s, session, m);
	if (m->owner == s->index)
		return owner_join(s, filter, &member);
	send_news(s, m->owner, LETTER_GROUP_JOIN, filter, &member, origin);
	return 1;
}

struct taking {
	struct shard *shard;
	struct session *session;
	struct membership *membership;
	uint16_t index; /* + 1, as in queues */
};

static void give_back(struct taking *t, struct message *m, uint8_t flags)
{
	struct shard *s = t->shard;
	struct span filter = span_of(t->membership->filter, t->membership->filter_len);
	if (t->membership->owner == s->index) {
		owner_return(s, filter, m, flags);
		message_unref(m);
		return;
	}
	struct share_member member = member_of(s, t->session, t->membership);
	struct group_news *news =
		send_news(s, t->membership->owner, LETTER_GROUP_RETURN, filter, &member, NULL);
	enclose(s, t->membership->owner, news, m, flags);
}

static bool is_of_group(void *context, const struct queued *q)
{
	return q->membership == ((struct taking *)context)->index;
}

static void take_queued(void *context, const struct queued *q)
{
	struct taking *t = context;
	t->shard->memory_bytes -= message_bytes(q->message);
	t->shard->status.queued_messages--;
	give_back(t, q->message, q->flags & QUEUED_DUP);
}

/* In the order in which they came: first what was sent and not acknowledged, then what waits. */
static void give_back_sent(struct taking *t)
{
	uint64_t position = 0;
	struct sending *entry;
	while ((entry = send_next(&t->session->send, &position))) {
		if (entry->short_note != t->index || entry->state != SEND_WAIT_PUBACK)
			continue;
		struct message *m = entry->message;
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
	while ((entry = send_next(&t->session->send, &position)))
		if (entry->short_note == t->index)
			entry->short_note = 0;
}

static void give_back_waiting(struct taking *t)
{
	queue_extract(&t->session->queue, is_of_group, take_queued, t);
}

static void leave(struct shard *s, struct session *session, struct membership *m, bool is_ending)
{
	struct span filter = span_of(m->filter, m->filter_len);
	struct share_member member = member_of(s, session, m);
	struct taking taking = {s, session, m, (uint16_t)(member.membership + 1)};
	member.is_connected = false;
	/* first out of the turn, so that nothing comes back to it */
	if (m->owner == s->index)
		owner_presence(s, filter, &member);
	else
		send_news(s, m->owner, LETTER_GROUP_PRESENCE, filter, &member, NULL);
	if (is_ending)
		give_back_sent(&taking);
	else
		keep_sent(&taking);
	give_back_waiting(&taking);
	if (m->owner == s->index)
		owner_leave(s, filter, session->number);
	else
		send_news(s, m->owner, LETTER_GROUP_LEAVE, filter, &member, NULL);
	mem_free(m->filter);
	*m = (struct membership){.owner = MEMBERSHIP_FREE};
}

bool group_leave(struct shard *s, struct session *session, struct span filter)
{
	struct membership *m = slot_of(session, filter);
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

void group_forget_all(struct shard *s)
{
	struct share *share;
	while ((share = routes_any_share(s->routes))) {
		while (share->member_count > 0)
			share_leave(share, share->members[0].session);
		routes_share_changed(s->routes, share);
		waiting_free(share);
		routes_share_free(s->routes, share);
	}
}

void group_presence(struct shard *s, struct session *session, bool is_connected)
{
	struct memberships *all = session->memberships;
	for (uint32_t i = 0; all && i < all->count; i++) {
		struct membership *m = &all->slots[i];
		if (m->owner == MEMBERSHIP_FREE)
			continue;
		struct span filter = span_of(m->filter, m->filter_len);
		struct share_member member = member_of(s, session, m);
		member.is_connected = is_connected;
		if (m->owner == s->index)
			owner_presence(s, filter, &member);
		else
			send_news(s, m->owner, LETTER_GROUP_PRESENCE, filter, &member, NULL);
		struct taking taking = {s, session, m, (uint16_t)(i + 1)};
		if (is_connected)
			continue;
		give_back_sent(&taking);
		give_back_waiting(&taking);
	}
}

/* A message for a member here; one that has left meanwhile returns it. */
static void member_deliver(struct shard *s, const struct letter *letter, struct group_news *news)
{
	struct origin origin = {letter->session, letter->ticket, letter->origin};
	struct verdict v = {.is_delegate = true, .reason_code = REASON_SUCCESS};
	struct session *session = session_by_number(s, news->member.session);
	struct span filter = span_of(news->filter, news->filter_len);
	struct membership *m = session ? slot_of(session, filter) : NULL;
	struct outcome o = {.reason_code = REASON_SUCCESS};
	struct publication p;
	publication_of_message(&p, news->message);
	if (m && session->connection) {
		struct share_member member = member_of(s, session, m);
		note(&o, session, give(s, session, &member, &p, news->flags));
	} else {
		unsigned owner = shard_of(s->broker, filter);
		struct group_news *back =
			send_news(s, owner, LETTER_GROUP_RETURN, filter, &news->member, NULL);
		enclose(s, owner, back, message_ref(news->message), news->flags);
	}
	publication_release(&p);
	v.reason_code = o.reason_code;
	if (o.slow)
		hold_verdict(s, o.slow, &v, &origin);
	else
		verdict_give(s, &origin, v);
}

static void joined(struct shard *s, const struct letter *letter, int error)
{
	struct origin origin = {letter->session, letter->ticket, letter->origin};
	struct verdict v = {.is_delegate = true,
			    .reason_code = error ? REASON_QUOTA_EXCEEDED : REASON_SUCCESS};
	if (error || !interest_wait(s, &origin))
		verdict_give(s, &origin, v);
}

void group_letter(struct shard *s, const struct letter *letter)
{
	struct group_news *news = letter->object;
	struct span filter = span_of(news->filter, news->filter_len);
	switch (letter->kind) {
	case LETTER_GROUP_JOIN: joined(s, letter, owner_join(s, filter, &news->member)); break;
	case LETTER_GROUP_LEAVE: owner_leave(s, filter, news->member.session); break;
	case LETTER_GROUP_PRESENCE: owner_presence(s, filter, &news->member); break;
	case LETTER_GROUP_DELIVER: member_deliver(s, letter, news); break;
	default: owner_return(s, filter, news->message, news->flags); break;
	}
	group_letter_discard(letter);
}

void group_letter_discard(const struct letter *letter)
{
	struct group_news *news = letter->object;
	if (news->message)
		message_unref(news->message);
	mem_free(news);
}
