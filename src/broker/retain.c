/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retained messages: every shard holds the index of all of them (the bodies are shared), so that a
 * subscription finds them where it is, at its own place in the log. Looking them up is work that
 * is spread over turns, and waits for the subscriber's window.
 *
 * For a session that the log keeps, what is found at QoS 1 and 2 goes through the log (GIVE), in the
 * order of the topics, and that a SUBSCRIBE is done, too (REPLAYED). So the log says how far a
 * look-up is, and a restart goes on behind that:
 *
 *     first         next                    last
 *     item -------> item -----------------> item
 *     looked up,    is being looked up      waits
 *     not yet so
 *     in the log    told: topic of its last GIVE that was applied; the cursor is ahead of that
 */
#include "broker/retain.h"

#include "base/mem.h"
#include "broker/deliver.h"
#include "broker/give.h"
#include "broker/publish.h"
#include "broker/rights.h"
#include "broker/shard.h"
#include "broker/source.h"
#include "broker/waiting.h"
#include "mqtt/topic.h"
#include "route/topic_order.h"

#define VISITS_PER_TURN 2000 /* tree nodes: well under a millisecond */
#define GIVES_MAX 256        /* of one session in the log and not applied: about a turn's worth */
#define REPLAY_OUTPUT_BYTES 65536 /* a reader with that much unsent is given no more for now */

struct replay_item {
	struct replay_item *next;
	struct retained_cursor cursor;
	uint64_t asked; /* log position of the SUBSCRIBE, 0 = not in the log */
	uint64_t until; /* log position behind which messages come by the subscription */
	char *told;     /* in the log it has given the messages up to this topic; NULL = none */
	uint16_t told_len;
	uint16_t filter_len;
	uint32_t identifier;
	uint8_t qos;
	char filter[];
};

struct replay {
	struct link link; /* among the shard's active ones */
	struct session *session;
	struct replay_item *first;
	struct replay_item
		*next; /* to be looked up; NULL = all are, and wait for the log to say so */
	struct replay_item *last;
	size_t bytes;   /* of the items */
	uint32_t given; /* GIVEs in the log and not applied */
};

/* Filters that wait for a reader who takes nothing: room for 100,000 short ones. */
#define REPLAY_BYTES_MAX ((size_t)16 << 20)

bool replay_is_full(const struct session *session)
{
	return session->replay && session->replay->bytes >= REPLAY_BYTES_MAX;
}

bool replay_has_room(const struct session *session, struct span filters)
{
	struct span filter;
	struct subscription_options options;
	size_t bytes = session->replay ? session->replay->bytes : 0;
	while (bytes < REPLAY_BYTES_MAX && subscribe_next(&filters, &filter, &options))
		bytes += sizeof(struct replay_item) + filter.len;
	return bytes < REPLAY_BYTES_MAX;
}

bool retain_is_over_limit(const struct shard *s, struct span topic, size_t payload_len)
{
	const struct settings *set = s->settings;
	if (payload_len == 0 || (!set->retained_messages_max && !set->retained_bytes_max))
		return false;
	const struct message *old = retained_find(s->retained, topic);
	uint64_t bytes = s->retained_bytes - (old ? old->payload_len : 0) + payload_len;
	return (!old && set->retained_messages_max &&
		retained_count(s->retained) >= set->retained_messages_max) ||
	       (set->retained_bytes_max && bytes > set->retained_bytes_max);
}

void retain_apply(struct shard *s, struct message *m)
{
	struct message *old = NULL;
	if (m->payload_len == 0) { /* [MQTT-3.3.1-6, -7] */
		old = retained_clear(s->retained, message_topic(m));
	} else if (retained_set(s->retained, message_ref(m), &old)) {
		message_unref(m); /* no memory: the former one stays */
		return;
	} else {
		s->retained_bytes += m->payload_len;
	}
	if (!old)
		return;
	s->retained_bytes -= old->payload_len;
	message_unref(old);
}

static struct span filter_of(const struct replay_item *item)
{
	return span_of(item->filter, item->filter_len);
}

static struct span told_of(const struct replay_item *item)
{
	return span_of(item->told, item->told_len);
}

/* 0 or ERROR_NO_MEMORY: then it is as it was. */
static int tell(struct replay_item *item, struct span topic)
{
	char *told = topic.len > 0 ? mem_realloc(item->told, topic.len) : NULL;
	if (!told)
		return topic.len > 0 ? ERROR_NO_MEMORY : 0;
	memcpy(told, topic.ptr, topic.len);
	item->told = told;
	item->told_len = (uint16_t)topic.len;
	return 0;
}

static void item_free(struct replay_item *item)
{
	retained_cursor_release(&item->cursor);
	mem_free(item->told);
	mem_free(item);
}

static struct replay_item *item_new(const struct shard *s, const struct replay_wish *wish)
{
	struct replay_item *item = mem_zalloc(sizeof(*item) + wish->filter.len);
	if (!item)
		return NULL;
	memcpy(item->filter, wish->filter.ptr, wish->filter.len);
	item->filter_len = (uint16_t)wish->filter.len;
	item->asked = wish->asked;
	item->until = wish->asked ? wish->asked : s->position;
	item->qos = wish->qos;
	item->identifier = wish->identifier;
	retained_cursor_init(&item->cursor, filter_of(item));
	if (tell(item, wish->told)) {
		item_free(item);
		return NULL;
	}
	return item;
}

int replay_load(struct shard *s, struct session *session, const struct replay_wish *wish)
{
	struct replay_item *item = item_new(s, wish);
	if (!session->replay) {
		session->replay = mem_zalloc(sizeof(*session->replay));
		if (session->replay)
			session->replay->session = session;
	}
	if (!item || !session->replay) {
		if (item)
			item_free(item);
		return ERROR_NO_MEMORY;
	}
	struct replay *r = session->replay;
	if (r->first)
		r->last->next = item;
	else
		r->first = item;
	r->last = item;
	if (!r->next)
		r->next = item;
	r->bytes += sizeof(*item) + item->filter_len;
	replay_resume(s, session);
	return 0;
}

void replay_start(struct shard *s, struct session *session, const struct replay_wish *wish)
{
	if (retained_count(s->retained) > 0)
		(void)!replay_load(s, session, wish);
}

static void drop_first(struct replay *r)
{
	struct replay_item *item = r->first;
	r->first = item->next;
	if (r->next == item)
		r->next = item->next;
	r->bytes -= sizeof(*item) + item->filter_len;
	item_free(item);
}

void replay_done(struct session *session, uint64_t asked)
{
	struct replay *r = session->replay;
	while (r && r->first && r->first->asked <= asked)
		drop_first(r);
	if (r && !r->first)
		replay_drop(session);
}

static bool may_have_given(const struct replay_item *item, const struct command *give)
{
	struct topic_place told = {told_of(item), SPAN_NONE};
	struct span topic = command_text(give);
	return item->asked >= give->given && item->qos >= give->qos &&
	       topic_matches(filter_of(item), topic) && topic_order_compare(topic, told) > 0;
}

/* One after the other gives, each in the order of topics: so the first that may have is the one,
 * and those before it are done. */
void replay_gave(struct session *session, const struct command *give)
{
	struct replay *r = session->replay;
	struct replay_item *item = r ? r->first : NULL;
	while (item && !may_have_given(item, give))
		item = item->next;
	if (!item)
		return;
	while (r->first != item)
		drop_first(r);
	/* without memory for it a restart gives it again */
	(void)!tell(item, command_text(give));
}

bool replay_next(const struct session *session, const void **cursor, struct replay_wish *out)
{
	const struct replay_item *item = *cursor;
	item = item ? item->next : session->replay ? session->replay->first : NULL;
	while (item && !item->asked)
		item = item->next;
	*cursor = item;
	if (!item)
		return false;
	*out = (struct replay_wish){.asked = item->asked,
				    .filter = filter_of(item),
				    .told = told_of(item),
				    .identifier = item->identifier,
				    .qos = item->qos};
	return true;
}

void replay_drop(struct session *session)
{
	struct replay *r = session->replay;
	if (!r)
		return;
	while (r->first)
		drop_first(r);
	link_remove(&r->link);
	mem_free(r);
	session->replay = NULL;
}

void replay_pause(struct session *session)
{
	if (session->replay)
		link_remove(&session->replay->link);
}

void replay_resume(struct shard *s, struct session *session)
{
	struct replay *r = session->replay;
	if (r && r->next && session->connection && !link_is_listed(&r->link))
		list_append(&s->replays, &r->link);
}

/* What the log has said of it and was not applied yet (GIVE) must find it still, as it will find it
 * when the log is read again: then it goes another time. */
static void expire(struct shard *s, struct message *m)
{
	if (s->broker->log->is_kept && s->applied != s->appended)
		return;
	struct message *gone = retained_clear(s->retained, message_topic(m));
	s->retained_bytes -= gone->payload_len;
	message_unref(gone);
}

/* mosquitto's check_retain_source: may its publisher still publish it? */
static bool source_may_be_heard(const struct shard *s, const struct message *m)
{
	return LIKELY(!m->has_source) || !s->settings->check_retain_source ||
	       source_may_write(s, message_source(m), message_topic(m));
}

static void deliver_retained(struct shard *s, struct session *session,
			     const struct replay_item *item, struct message *m)
{
	struct publication p;
	if (m->position > item->until)
		return; /* it came by the subscription */
	if (m->has_expiry && m->expires_ms <= s->now.wall_ms) {
		expire(s, m);
		return;
	}
	if (!may_read(s, session, message_topic(m)) || !source_may_be_heard(s, m))
		return;
	bool is_upgraded = s->limits.upgrade_outgoing_qos;
	uint8_t qos = m->qos < item->qos && !is_upgraded ? m->qos : item->qos;
	if (qos > 0 && waiting_is_kept(s, session)) {
		/* without memory it is not sent: there is no promise of it */
		session->replay->given += give_retained(s, session, m, qos, item->identifier) == 0;
		return;
	}
	publication_of_message(&p, m);
	struct delivery d = {.publication = &p,
			     .identifier = item->identifier,
			     .qos = qos,
			     .flags = QUEUED_RETAIN}; /* [3.1.1 MQTT-3.3.1-8] */
	deliver(s, session, &d);
	publication_release(&p);
}

void replay_came_back(struct session *session)
{
	if (session->replay && session->replay->given > 0)
		session->replay->given--;
}

static bool may_take_more(const struct session *session)
{
	return session->queue->count == 0 && session->connection &&
	       session->replay->given < GIVES_MAX &&
	       session->connection->output.bytes < REPLAY_OUTPUT_BYTES;
}

static bool tell_done(struct shard *s, const struct session *session, uint64_t asked)
{
	struct command *c = command_new(COMMAND_REPLAYED, SPAN_NONE);
	if (!c)
		return false;
	c->origin.session = session->number;
	c->session_id = session->log_id;
	c->asked = asked;
	command_append(s, c, shard_bit(s));
	return true;
}

/* The next item is looked up, and with the last one of a SUBSCRIBE that. False without memory to
 * say so. */
static bool finish_next(struct shard *s, struct replay *r)
{
	struct replay_item *item = r->next;
	if (!item->asked || !waiting_is_kept(s, r->session)) {
		drop_first(r);
		return true;
	}
	bool is_last = !item->next || item->next->asked != item->asked;
	if (is_last && !tell_done(s, r->session, item->asked))
		return false;
	r->next = item->next; /* the item stays until the log has it */
	retained_cursor_release(&item->cursor);
	return true;
}

static bool start(struct replay_item *item)
{
	return item->cursor.is_started || !item->told ||
	       retained_cursor_start_behind(&item->cursor, told_of(item)) == 0;
}

/* One session's share of a turn; true when it could go on at once. */
static bool replay_session(struct shard *s, struct replay *r)
{
	unsigned visits = VISITS_PER_TURN;
	struct session *session = r->session;
	while (r->next && visits > 0) {
		if (!may_take_more(session))
			return false;
		if (!start(r->next))
			break;
		struct message *m = retained_next(s->retained, &r->next->cursor, &visits);
		if (m)
			deliver_retained(s, session, r->next, m);
		else if (!r->next->cursor.is_done || !finish_next(s, r))
			break;
	}
	if (r->next)
		return true;
	if (r->first)
		link_remove(&r->link);
	else
		replay_drop(session);
	return false;
}

bool replay_is_due(const struct shard *s)
{
	for (const struct link *l = s->replays.next; l != &s->replays; l = l->next)
		if (may_take_more(CONTAINER_OF(l, const struct replay, link)->session))
			return true;
	return false;
}

void replay_turn(struct shard *s)
{
	struct link *l = s->replays.next;
	while (l != &s->replays) {
		struct link *next = l->next;
		s->has_work |= replay_session(s, CONTAINER_OF(l, struct replay, link));
		l = next;
	}
}
