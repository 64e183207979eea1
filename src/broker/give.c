/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/give.h"

#include "base/mem.h"
#include "broker/deliver.h"
#include "broker/group_inside.h"
#include "broker/retain.h"
#include "broker/shard.h"
#include "broker/waiting.h"
#include "mqtt/topic.h"

/* What is on its way back. */

static struct returning_group *returning_find(struct shard *s, struct span filter)
{
	struct returning_group *g = s->returning;
	while (g && !span_is_equal(span_of(g->filter, g->filter_len), filter))
		g = g->next;
	return g;
}

static void returning_add(struct shard *s, struct span filter, const struct queued *q)
{
	struct returning_group *g = returning_find(s, filter);
	if (!g) {
		g = mem_zalloc(sizeof(*g) + filter.len);
		ASSERT(g); /* a message would be lost */
		g->filter_len = (uint16_t)filter.len;
		memcpy(g->filter, filter.ptr, filter.len);
		g->next = s->returning;
		s->returning = g;
	}
	int error = queue_push(&g->messages, q);
	ASSERT(!error);
}

static void returning_free(struct shard *s, struct returning_group *g)
{
	struct returning_group **link = &s->returning;
	while (*link != g)
		link = &(*link)->next;
	*link = g->next;
	queue_release(&g->messages);
	mem_free(g);
}

static void returning_take(struct shard *s, struct span filter, uint64_t given)
{
	struct queued q;
	struct returning_group *g = returning_find(s, filter);
	if (!g)
		return;
	(void)queue_take_stored(&g->messages, given, &q);
	if (g->messages.count == 0)
		returning_free(s, g);
}

void give_release(struct shard *s)
{
	while (s->returning)
		returning_free(s, s->returning);
}

/* Appending. */

static uint64_t bit_of_owner(const struct shard *s, struct span filter)
{
	return 1ull << shard_of(s->broker, filter);
}

static void attach(struct shard *s, struct command *c, struct message *m)
{
	if (s->broker->shard_count > 1)
		message_share(m);
	c->message = message_ref(m);
}

int give_retained(struct shard *s, struct session *session, struct message *m, uint8_t qos,
		  uint32_t identifier)
{
	struct command *c = command_new(COMMAND_GIVE, message_topic(m));
	if (!c)
		return ERROR_NO_MEMORY;
	c->session_id = session->log_id;
	c->origin.session = session->number;
	c->origin.shard = (uint16_t)s->index;
	c->given = m->position;
	c->qos = qos;
	c->queued_flags = QUEUED_RETAIN;
	c->subscription_identifier = identifier;
	attach(s, c, m);
	command_append(s, c, shard_bit(s));
	return 0;
}

int give_to_member(struct shard *s, struct span filter, const struct share_member *member,
		   const struct queued *q)
{
	struct command *c = command_new(COMMAND_GIVE, filter);
	if (!c)
		return ERROR_NO_MEMORY;
	c->session_id = member->log_id;
	c->origin.session = member->session;
	c->origin.shard = member->shard;
	c->given = q->stored;
	c->qos = q->qos < member->qos ? q->qos : member->qos; /* [MQTT-4.8.2-3] */
	c->queued_flags = q->flags & QUEUED_DUP;
	if (member->retain_as_published)
		c->queued_flags |= q->flags & QUEUED_RETAIN;
	if (q->qos == 2)
		c->queued_flags |= QUEUED_WAS_QOS_2;
	c->subscription_identifier = member->identifier;
	if (q->message)
		attach(s, c, q->message);
	command_append(s, c, 1ull << member->shard);
	return 0;
}

int give_to_nobody(struct shard *s, struct span filter, uint64_t given)
{
	struct command *c = command_new(COMMAND_GIVE, filter);
	if (!c)
		return ERROR_NO_MEMORY;
	c->given = given;
	command_append(s, c, shard_bit(s));
	return 0;
}

/* As it waits for the group. */
static struct queued for_group(uint64_t given, uint8_t flags)
{
	return (struct queued){.stored = given,
			       .qos = flags & QUEUED_WAS_QOS_2 ? 2 : 1,
			       .flags = flags & (QUEUED_DUP | QUEUED_RETAIN)};
}

void give_return(struct shard *s, const struct session *session, struct span filter,
		 const struct queued *q)
{
	uint8_t flags = q->flags & (QUEUED_DUP | QUEUED_RETAIN | QUEUED_WAS_QOS_2);
	flags |= q->qos == 2 ? QUEUED_WAS_QOS_2 : 0;
	struct queued waiting = for_group(q->stored, flags);
	if (s->is_recovering) { /* what the log says of the session says so */
		struct shard *owner = shard_at(s, shard_of(s->broker, filter));
		group_kept_put_back(owner, filter, &waiting);
		return;
	}
	struct command *c = command_new(COMMAND_RETURN, filter);
	ASSERT(c); /* its other members would wait for it */
	c->session_id = session->log_id;
	c->origin.session = session->number;
	c->origin.shard = (uint16_t)s->index;
	c->given = q->stored;
	c->from = q->position;
	c->queued_flags = flags;
	returning_add(s, filter, &waiting);
	command_append(s, c, bit_of_owner(s, filter));
}

void give_hold(struct shard *s, struct span filter, const struct queued *q)
{
	struct queued held = *q;
	held.message = NULL;
	held.flags &= QUEUED_DUP | QUEUED_RETAIN;
	returning_add(s, filter, &held);
}

void give_leave(struct shard *s, const struct session *session, struct span filter)
{
	uint8_t text[2 + UINT16_MAX];
	struct writer w = writer_of((struct room){text, sizeof(text)});
	write_u16(&w, (uint16_t)filter.len);
	write_bytes(&w, filter);
	struct command *c = command_new(COMMAND_UNSUBSCRIBE, span_of(text, (size_t)(w.ptr - text)));
	ASSERT(c); /* the group would go on giving to it */
	c->session_id = session->log_id;
	c->origin.session = session->number;
	c->origin.shard = (uint16_t)s->index;
	command_append(s, c, bit_of_owner(s, filter));
}

/* Applying. */

static bool is_of_group(const struct command *c)
{
	struct span name, inner;
	return topic_filter_split_share(command_text(c), &name, &inner);
}

static void enqueue_stored(struct shard *s, struct session *session, const struct command *c,
			   uint16_t membership)
{
	struct queued q = {.stored = c->given,
			   .position = session->kept->queue_next++,
			   .identifier = c->subscription_identifier,
			   .membership = membership,
			   .qos = c->qos,
			   .flags = c->queued_flags};
	int error = waiting_push(s, session, &q);
	ASSERT(!error);
	deliver_pump(s, session);
}

static void enqueue(struct shard *s, struct session *session, const struct command *c,
		    struct message *m, uint16_t membership)
{
	struct publication p;
	struct delivery d = {.publication = &p,
			     .identifier = c->subscription_identifier,
			     .membership = membership,
			     .qos = c->qos,
			     .flags = c->queued_flags | DELIVER_ACCEPTED};
	if (!m) {
		enqueue_stored(s, session, c, membership);
		return;
	}
	publication_of_message(&p, m);
	deliver(s, session, &d);
	publication_release(&p);
}

static void apply_retained(struct shard *s, const struct command *c, struct session *session)
{
	if (!session)
		return;
	struct message *m = retained_find(s->retained, command_text(c));
	replay_came_back(session);
	replay_gave(session, c);
	if (m && m->position == c->given)
		enqueue(s, session, c, m, 0);
}

/* On the member's shard. */
static void enter_member(struct shard *s, const struct command *c, struct session *session)
{
	struct span filter = command_text(c);
	struct membership *m = session ? group_slot(session, filter) : NULL;
	struct queued q = {.stored = c->given, .qos = c->qos, .flags = c->queued_flags};
	if (!m) {
		struct session gone = {.number = c->origin.session, .log_id = c->session_id};
		give_return(s, &gone, filter, &q);
		return;
	}
	if (!session->connection && !s->is_recovering) {
		q.position = session->kept->queue_next++;
		give_return(s, session, filter, &q);
		return;
	}
	enqueue(s, session, c, c->message, (uint16_t)(m - session->memberships->slots + 1));
	group_appetite(s, session);
}

/* All at once, by whichever shard finds what it is about: the member's, or for nobody the owner. */
static void recover_group(struct shard *s, const struct command *c, struct session *session)
{
	struct span filter = command_text(c);
	unsigned owner = shard_of(s->broker, filter);
	bool is_for_nobody = c->session_id == 0 && owner == s->index;
	if (!is_for_nobody && (!session || !group_slot(session, filter)))
		return;
	group_kept_take(shard_at(s, owner), filter, c->given);
	if (session)
		enter_member(s, c, session);
}

static void apply_group(struct shard *s, const struct command *c, struct session *session)
{
	struct span filter = command_text(c);
	bool is_owner = shard_of(s->broker, filter) == s->index;
	if (is_owner) {
		group_kept_take(s, filter, c->given);
		returning_take(s, filter, c->given); /* see give_hold */
	}
	if (c->session_id && c->origin.shard == s->index)
		enter_member(s, c, session);
	if (is_owner)
		group_kept_gave(s, filter);
}

void give_apply(struct shard *s, const struct command *c)
{
	struct session *session = c->session_id ? session_by_number(s, c->origin.session) : NULL;
	if (session && session->log_id != c->session_id)
		session = NULL; /* the log knows it no more */
	if (!is_of_group(c))
		apply_retained(s, c, session);
	else if (s->is_recovering)
		recover_group(s, c, session);
	else
		apply_group(s, c, session);
}

void return_apply(struct shard *s, const struct command *c)
{
	struct span filter = command_text(c);
	struct queued q = for_group(c->given, c->queued_flags);
	struct session *session = session_by_number(s, c->origin.session);
	if (!s->is_recovering && c->origin.shard == s->index)
		returning_take(s, filter, c->given);
	if (s->is_recovering && session && session->log_id == c->session_id && c->from)
		waiting_finish(s, session, c->from, c->from);
	if (shard_of(s->broker, filter) == s->index)
		group_kept_put_back(s, filter, &q);
}

void give_failed(struct shard *s, const struct command *c)
{
	struct span filter = command_text(c);
	struct session *session = session_by_number(s, c->origin.session);
	if (is_of_group(c))
		group_kept_failed(s, filter, c->given);
	else if (session)
		replay_came_back(session);
}
