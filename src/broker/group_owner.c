/* SPDX-License-Identifier: Apache-2.0 */
/* A group on its owner: members, whose turn it is, what waits while nobody is connected. */
#include "base/mem.h"
#include "broker/deliver.h"
#include "broker/group_inside.h"
#include "broker/interest.h"
#include "broker/shard.h"
#include "mqtt/topic.h"

struct share *group_find(struct shard *s, struct span filter)
{
	struct span name, inner;
	if (!topic_filter_split_share(filter, &name, &inner))
		return NULL;
	return routes_share(s->routes, name, inner, false);
}

struct span group_filter(const struct share *share, char room[static GROUP_FILTER_MAX])
{
	struct writer w = writer_of((struct room){(uint8_t *)room, GROUP_FILTER_MAX});
	write_bytes(&w, SPAN_LITERAL("$share/"));
	write_bytes(&w, share_name(share));
	write_u8(&w, '/');
	write_bytes(&w, share_filter(share));
	ASSERT(!w.is_overflown);
	return span_of(room, (size_t)((char *)w.ptr - room));
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

struct outcome group_hand_over(struct shard *s, struct share *share,
			       const struct share_member *member, struct publication *p,
			       uint8_t flags, const struct origin *origin)
{
	char room[GROUP_FILTER_MAX];
	struct outcome o = {.reason_code = REASON_NO_MATCHING_SUBSCRIBERS};
	if (member->shard == s->index) {
		struct session *session = session_by_number(s, member->session);
		if (session)
			group_note(&o, session, group_deliver(s, session, member, p, flags));
		return o;
	}
	struct message *m = publication_message(p);
	if (!m) {
		o.reason_code = REASON_QUOTA_EXCEEDED;
		return o;
	}
	struct group_news *news = group_send(s, member->shard, LETTER_GROUP_DELIVER,
					     group_filter(share, room), member, origin);
	group_enclose(s, member->shard, news, message_ref(m), flags);
	o.reason_code = REASON_SUCCESS;
	o.delegates = origin && origin->session ? 1 : 0;
	return o;
}

static struct outcome dispatch(struct shard *s, struct share *share, struct publication *p,
			       uint8_t flags, const struct origin *origin)
{
	struct outcome o = {.reason_code = REASON_NO_MATCHING_SUBSCRIBERS};
	struct share_member *member = share_next(share);
	if (member)
		return group_hand_over(s, share, member, p, flags, origin);
	if (p->parts.qos > 0 && has_surviving(share))
		o.reason_code =
			keep_for_group(s, share, p, flags) ? REASON_SUCCESS : REASON_QUOTA_EXCEEDED;
	return o;
}

static bool is_connected_and_unknown(const void *context, const struct share_member *member)
{
	(void)context;
	return member->is_connected && !member->log_id;
}

/* The log does not know that the group has it: only members that it does not know may get it. */
static struct outcome give_to_unknown(struct shard *s, struct share *share, struct publication *p,
				      uint8_t flags, const struct origin *origin)
{
	struct outcome o = {.reason_code = REASON_NO_MATCHING_SUBSCRIBERS};
	struct share_member *member = share_choose(share, is_connected_and_unknown, NULL);
	return member ? group_hand_over(s, share, member, p, flags, origin) : o;
}

struct outcome group_publish(struct shard *s, struct share *share, struct publication *p,
			     const struct origin *origin)
{
	if (p->parts.qos == 0 || !group_is_kept(s, share))
		return dispatch(s, share, p, 0, origin);
	if (p->message && p->message->position)
		return group_kept_publish(s, share, p);
	/* the SUBSCRIBE of members that the log knows stands behind it */
	return give_to_unknown(s, share, p, 0, origin);
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
void group_drain(struct shard *s, struct share *share)
{
	struct draining draining = {s, share};
	struct queue *queue = share->waiting;
	struct queued q;
	if (!queue || !has_connected(share))
		return;
	if (group_is_kept(s, share)) {
		group_kept_dispatch(s, share);
		return;
	}
	queue_extract(queue, was_given_back, dispatch_waiting, &draining);
	while (queue_pop(queue, &q))
		dispatch_waiting(&draining, &q);
}

static void queue_free(void **queue)
{
	if (!*queue)
		return;
	queue_release(*queue);
	mem_free(*queue);
	*queue = NULL;
}

void group_waiting_free(struct share *share)
{
	queue_free(&share->waiting);
	queue_free(&share->out);
}

/* With the last member that the log knows, what waits is the log's no more: nothing keeps it. */
static void members_changed(struct shard *s, struct share *share)
{
	bool was_kept = group_is_kept(s, share);
	routes_share_changed(s->routes, share);
	if (was_kept && !group_is_kept(s, share)) {
		group_kept_forsake(s, share);
		group_waiting_free(share);
	}
}

/* Interest is compared around each change of membership. */
int group_owner_join(struct shard *s, struct span filter, const struct share_member *member)
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
	members_changed(s, share);
	interest_changed(s, inner, before);
	group_drain(s, share);
	return error;
}

void group_owner_leave(struct shard *s, struct span filter, uint64_t session, uint64_t log_id)
{
	struct span name, inner;
	struct share *share = group_find(s, filter);
	struct share_member *member = share ? share_find(share, session) : NULL;
	if (!share || !topic_filter_split_share(filter, &name, &inner))
		return;
	if (member && member->log_id != log_id)
		return;
	struct interest before = routes_interest(s->routes, inner);
	share_leave(share, session);
	members_changed(s, share);
	if (share->member_count == 0) {
		group_waiting_free(share);
		routes_share_free(s->routes, share);
	} else {
		group_drain(s, share);
	}
	interest_changed(s, inner, before);
}

void group_owner_presence(struct shard *s, struct span filter, const struct share_member *news)
{
	struct span name, inner;
	struct share *share = group_find(s, filter);
	struct share_member *member = share ? share_find(share, news->session) : NULL;
	if (!member || !topic_filter_split_share(filter, &name, &inner))
		return;
	struct interest before = routes_interest(s->routes, inner);
	member->is_connected = news->is_connected;
	member->is_sated = news->is_sated;
	if (!s->broker->log->is_kept) /* else a matter of the log */
		member->survives = news->survives;
	members_changed(s, share);
	interest_changed(s, inner, before);
	if (member->is_connected)
		group_drain(s, share);
}

void group_owner_return(struct shard *s, struct span filter, struct message *m, uint8_t flags)
{
	struct publication p;
	struct share *share = group_find(s, filter);
	if (!share)
		return;
	if (m->position && group_kept_unfinished(s, share, m->position, flags & QUEUED_DUP))
		return;
	publication_of_message(&p, m);
	if (group_is_kept(s, share))
		(void)give_to_unknown(s, share, &p, flags | DELIVER_ACCEPTED, NULL);
	else
		(void)dispatch(s, share, &p, flags | DELIVER_ACCEPTED, NULL);
	publication_release(&p);
}

void group_loaded(struct shard *s)
{
	struct share *share;
	uint64_t cursor = 0;
	while ((share = routes_each_share(s->routes, &cursor))) {
		if (share->member_count > 0)
			continue;
		group_waiting_free(share);
		routes_share_free(s->routes, share);
		cursor = 0; /* the walk bears no change */
	}
}

void group_forget_all(struct shard *s)
{
	struct share *share;
	while ((share = routes_any_share(s->routes))) {
		while (share->member_count > 0)
			share_leave(share, share->members[0].session);
		routes_share_changed(s->routes, share);
		group_waiting_free(share);
		routes_share_free(s->routes, share);
	}
}
