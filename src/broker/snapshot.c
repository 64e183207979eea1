/* SPDX-License-Identifier: Apache-2.0 */
/* Writing; the bytes are described in snapshot_format.h. */
#include "broker/snapshot.h"

#include "base/mem.h"
#include "broker/full.h"
#include "broker/give.h"
#include "broker/group.h"
#include "broker/identifiers.h"
#include "broker/pack.h"
#include "broker/retain.h"
#include "broker/shard.h"
#include "broker/snapshot_format.h"
#include "broker/waiting.h"
#include "journal/log.h"
#include "mqtt/topic.h"
#include "mqtt/wire.h"
#include "route/share.h"

#define CAPACITY_MIN 65536
/* Retained messages are left out when they have expired so long ago: then no GIVE that was appended
 * before can still be behind this image in the log. */
#define EXPIRED_MS 3600000

/* A packer with room that grows: an item is packed twice, first to know its size. */
struct sink {
	uint8_t *ptr;
	size_t len, capacity;
	bool is_out_of_memory;
};

static uint8_t *grow(struct sink *k, size_t len)
{
	size_t capacity = k->capacity ? k->capacity : CAPACITY_MIN;
	while (capacity < k->len + len)
		capacity *= 2;
	if (capacity > k->capacity) {
		uint8_t *ptr = mem_realloc(k->ptr, capacity);
		if (!ptr) {
			k->is_out_of_memory = true;
			return NULL;
		}
		k->ptr = ptr;
		k->capacity = capacity;
	}
	k->len += len;
	return k->ptr + k->len - len;
}

typedef void pack_item(struct packer *p, const void *object);

static void put_item(struct sink *k, enum snapshot_tag tag, pack_item *pack, const void *object)
{
	struct packer counter = {0};
	pack(&counter, object);
	ASSERT(counter.len <= UINT32_MAX);
	uint8_t *ptr = grow(k, SNAPSHOT_ITEM_BYTES + counter.len);
	if (!ptr)
		return;
	struct packer p = {.ptr = ptr};
	pack_u8(&p, (uint8_t)tag);
	pack_u16(&p, (uint16_t)counter.len);
	pack_u16(&p, (uint16_t)(counter.len >> 16));
	pack(&p, object);
	ASSERT(p.len == SNAPSHOT_ITEM_BYTES + counter.len);
}

static void pack_options(struct packer *p, uint8_t options, uint32_t identifier)
{
	pack_u8(p, (uint8_t)(options | (identifier ? SNAPSHOT_IDENTIFIER : 0)));
	if (identifier)
		pack_number(p, identifier);
}

static void pack_filters(struct packer *p, const struct session *session)
{
	pack_number(p, session->subscriber.count);
	for (const struct subscription *s = session->subscriber.first; s;
	     s = s->next_of_subscriber) {
		pack_bytes(p, subscription_filter(s));
		pack_options(p,
			     (uint8_t)(s->qos | (s->no_local ? SNAPSHOT_NO_LOCAL : 0) |
				       (s->retain_as_published ? SNAPSHOT_AS_PUBLISHED : 0)),
			     s->identifier);
	}
}

/* Free slots are left out: entries refer to the n-th that is in use. */
static void pack_memberships(struct packer *p, const struct session *session)
{
	const struct memberships *all = session->memberships;
	uint32_t count = 0;
	for (uint32_t i = 0; all && i < all->count; i++)
		count += all->slots[i].owner != MEMBERSHIP_FREE;
	pack_number(p, count);
	for (uint32_t i = 0; all && i < all->count; i++) {
		const struct membership *m = &all->slots[i];
		if (m->owner == MEMBERSHIP_FREE)
			continue;
		pack_bytes(p, span_of(m->filter, m->filter_len));
		pack_options(
			p, (uint8_t)(m->qos | (m->retain_as_published ? SNAPSHOT_AS_PUBLISHED : 0)),
			m->identifier);
	}
}

static uint16_t membership_rank(const struct session *session, uint16_t membership)
{
	uint16_t rank = 0;
	for (uint16_t i = 0; i < membership; i++)
		rank += session->memberships->slots[i].owner != MEMBERSHIP_FREE;
	return rank;
}

/* Ids of messages that are in the log, or on their way there. */
static void pack_receive(struct packer *p, const struct shard *s, const struct session *session)
{
	uint32_t cursor = 0, count = 0;
	uint16_t packet_id;
	while ((packet_id = receive_next(&session->receive, &cursor)))
		count += !full_holds(s, session, packet_id);
	pack_number(p, count);
	cursor = 0;
	while ((packet_id = receive_next(&session->receive, &cursor)))
		if (!full_holds(s, session, packet_id))
			pack_u16(p, packet_id);
}

static void pack_will(struct packer *p, const struct will *w)
{
	const struct message *m = w->message;
	pack_number(p, w->delay);
	pack_number(p, w->due_ms);
	pack_u8(p, (uint8_t)(m->qos | (m->retain ? SNAPSHOT_RETAIN : 0) |
			     (m->has_expiry ? SNAPSHOT_EXPIRES : 0) |
			     (m->has_source ? SNAPSHOT_SOURCE : 0)));
	if (m->has_expiry)
		pack_number(p, m->expires_ms);
	pack_bytes(p, message_topic(m));
	pack_bytes(p, message_properties(m));
	pack_bytes(p, message_payload(m));
	if (m->has_source)
		pack_bytes(p, message_source(m));
}

/* All of the session's table, in the order of the indices that entries have. */
static void pack_identifiers(struct packer *p, const struct shard *s, const struct session *session)
{
	const struct identifier_set *set;
	uint32_t count = 0;
	while (identifiers_at(s, session, count))
		count++;
	pack_number(p, count);
	for (uint32_t i = 0; i < count; i++) {
		set = identifiers_at(s, session, i);
		pack_number(p, set->count);
		for (uint32_t n = 0; n < set->count; n++)
			pack_number(p, set->identifiers[n]);
	}
}

struct of_shard {
	const struct shard *shard;
	const struct session *session;
};

static void pack_session(struct packer *p, const void *object)
{
	const struct of_shard *o = object;
	const struct session *session = o->session;
	pack_bytes(p, session_client_id(session));
	pack_u64(p, session->log_id);
	pack_number(p, session->connect_id - session->log_id);
	pack_number(p, session->expiry_interval);
	pack_u8(p, (session->is_away ? SNAPSHOT_AWAY : 0) | (session->will ? SNAPSHOT_WILL : 0));
	if (session->is_away)
		pack_number(p, session->kept->expires_ms + 1);
	pack_number(p, session->kept->queue_next);
	pack_number(p, session->kept->sent_to);
	pack_filters(p, session);
	pack_memberships(p, session);
	pack_receive(p, o->shard, session);
	pack_identifiers(p, o->shard, session);
	if (session->will)
		pack_will(p, session->will);
}

/* Entries of one item. */
struct run {
	struct queued items[SNAPSHOT_ENTRIES_MAX];
	uint32_t count;
	bool has_positions;
	struct snapshot_entry_state before; /* the first of them */
};

static void pack_entry(struct packer *p, const struct queued *q, bool has_positions,
		       struct snapshot_entry_state *s)
{
	bool changes = q->qos != s->qos || q->flags != s->flags || q->identifier != s->identifier ||
		       q->membership != s->membership;
	bool jumps = has_positions && q->position != s->position + 1;
	uint64_t stored = q->stored ? q->stored : s->stored;
	ASSERT(stored % LOG_ALIGN == 0 && stored >> 62 == 0);
	int64_t difference = (int64_t)(stored / LOG_ALIGN) - (int64_t)(s->stored / LOG_ALIGN);
	pack_number(p, zigzag(difference) << 2 | (jumps ? SNAPSHOT_JUMPS : 0) |
			       (changes ? SNAPSHOT_CHANGES : 0));
	if (jumps)
		pack_number(p, zigzag((int64_t)(q->position - s->position - 1)));
	if (changes) {
		pack_u8(p, q->qos);
		pack_u8(p, q->flags);
		pack_number(p, q->identifier);
		pack_number(p, q->membership);
	}
	*s = (struct snapshot_entry_state){stored,        has_positions ? q->position : 0,
					   q->identifier, q->membership,
					   q->qos,        q->flags};
}

static void pack_run(struct packer *p, const void *object)
{
	const struct run *run = object;
	struct snapshot_entry_state state = run->before;
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < run->count; i++)
		bytes += run->items[i].bytes;
	pack_number(p, run->count);
	pack_number(p, bytes);
	for (uint32_t i = 0; i < run->count; i++)
		pack_entry(p, &run->items[i], run->has_positions, &state);
}

static void flush_run(struct sink *k, struct run *run)
{
	if (run->count == 0)
		return;
	put_item(k, SNAPSHOT_QUEUE, pack_run, run);
	/* the next item goes on from here */
	struct packer none = {0};
	for (uint32_t i = 0; i < run->count; i++)
		pack_entry(&none, &run->items[i], run->has_positions, &run->before);
	run->count = 0;
}

static void run_start(struct run *run, bool has_positions)
{
	run->count = 0;
	run->has_positions = has_positions;
	run->before = (struct snapshot_entry_state){0};
}

static void add(struct sink *k, struct run *run, const struct queued *q)
{
	if (run->count == SNAPSHOT_ENTRIES_MAX)
		flush_run(k, run);
	run->items[run->count++] = *q;
}

static void pack_replay(struct packer *p, const void *object)
{
	const struct replay_wish *wish = object;
	pack_u64(p, wish->asked);
	pack_u8(p, wish->qos);
	pack_number(p, wish->identifier);
	pack_bytes(p, wish->filter);
	pack_bytes(p, wish->told);
}

static void put_session(struct sink *k, const struct of_shard *o, struct run *run,
			struct waiting_walk *walk)
{
	struct queued q;
	struct replay_wish wish;
	const void *cursor = NULL;
	const struct session *session = o->session;
	put_item(k, SNAPSHOT_SESSION, pack_session, o);
	run_start(run, true);
	waiting_walk_start(walk, session);
	while (waiting_walk_next(walk, &q)) {
		if (q.position == 0)
			continue; /* QoS 0: it does not survive */
		q.flags &= SNAPSHOT_QUEUED_FLAGS;
		if (q.flags & QUEUED_RELEASED)
			q.stored = 0;
		if (q.message && !q.bytes)
			q.bytes = (uint32_t)message_bytes(q.message);
		q.membership = q.membership ? membership_rank(session, q.membership) : 0;
		add(k, run, &q);
	}
	flush_run(k, run);
	while (replay_next(session, &cursor, &wish))
		put_item(k, SNAPSHOT_REPLAY, pack_replay, &wish);
}

static void pack_group(struct packer *p, const void *object)
{
	const struct share *share = object;
	struct span name = share_name(share), filter = share_filter(share);
	pack_number(p, 7 + name.len + 1 + filter.len);
	pack_raw(p, SPAN_LITERAL("$share/"));
	pack_raw(p, name);
	pack_u8(p, '/');
	pack_raw(p, filter);
}

static bool is_surviving(const struct share *share)
{
	for (uint32_t i = 0; i < share->member_count; i++)
		if (share->members[i].survives)
			return true;
	return false;
}

/* Its members are known from their sessions. */
static void put_group(struct sink *k, const struct share *share, struct run *run,
		      struct group_walk *walk)
{
	struct queued q;
	if (!is_surviving(share))
		return;
	put_item(k, SNAPSHOT_GROUP, pack_group, share);
	run_start(run, false);
	group_walk_start(walk, share);
	while (group_walk_next(walk, &q)) {
		q.flags &= SNAPSHOT_QUEUED_FLAGS;
		q.membership = 0;
		if (q.stored)
			add(k, run, &q);
	}
	flush_run(k, run);
}

static void pack_returning(struct packer *p, const void *object)
{
	const struct returning_group *g = object;
	pack_bytes(p, span_of(g->filter, g->filter_len));
}

static void put_returning(struct sink *k, const struct returning_group *g, struct run *run,
			  struct queue_walk *walk)
{
	struct queued q;
	put_item(k, SNAPSHOT_RETURNING, pack_returning, g);
	run_start(run, false);
	queue_walk_start(walk, &g->messages);
	while (queue_walk_next(walk, &q)) {
		q.flags &= SNAPSHOT_QUEUED_FLAGS;
		add(k, run, &q);
	}
	flush_run(k, run);
}

static void put_groups(struct sink *k, const struct shard *s)
{
	uint64_t cursor = 0;
	const struct share *share;
	struct run *run = mem_alloc(sizeof(*run));
	struct group_walk *walk = mem_alloc(sizeof(*walk));
	bool is_ready = run && walk;
	k->is_out_of_memory |= !is_ready;
	while (is_ready && (share = routes_each_share(s->routes, &cursor)))
		put_group(k, share, run, walk);
	for (const struct returning_group *g = s->returning; is_ready && g; g = g->next)
		put_returning(k, g, run, &walk->waiting);
	mem_free(run);
	mem_free(walk);
}

struct topics {
	const struct message *items[SNAPSHOT_ENTRIES_MAX];
	uint32_t count;
};

static size_t common(struct span a, struct span b)
{
	size_t n = 0;
	while (n < a.len && n < b.len && a.ptr[n] == b.ptr[n])
		n++;
	return n;
}

static void pack_retained(struct packer *p, const void *object)
{
	const struct topics *topics = object;
	struct span before = SPAN_NONE;
	uint64_t position = 0;
	pack_number(p, topics->count);
	for (uint32_t i = 0; i < topics->count; i++) {
		const struct message *m = topics->items[i];
		struct span topic = message_topic(m);
		size_t same = common(before, topic);
		pack_number(p, same);
		pack_bytes(p, span_of(topic.ptr + same, topic.len - same));
		pack_number(p, zigzag((int64_t)(m->position - position)));
		before = topic;
		position = m->position;
	}
}

static void put_retained(struct sink *k, const struct shard *s)
{
	struct retained_walk walk = {0};
	const struct message *m;
	struct topics *topics = mem_alloc(sizeof(*topics));
	k->is_out_of_memory |= !topics;
	if (!topics)
		return;
	topics->count = 0;
	do {
		m = retained_each(s->retained, &walk);
		bool is_expired =
			m && m->has_expiry && m->expires_ms + EXPIRED_MS <= s->now.wall_ms;
		if (m && !is_expired)
			topics->items[topics->count++] = m;
		if (topics->count == SNAPSHOT_ENTRIES_MAX || (!m && topics->count > 0)) {
			put_item(k, SNAPSHOT_RETAINED, pack_retained, topics);
			topics->count = 0;
		}
	} while (m);
	mem_free(topics);
}

static void pack_limits(struct packer *p, const void *object)
{
	const struct limits *l = object;
	pack_number(p, l->subscriptions_per_client_max);
	pack_number(p, l->topic_levels_max);
	pack_u8(p, l->qos_max);
	pack_u8(p, l->upgrade_outgoing_qos);
}

static void put_sessions(struct sink *k, const struct shard *s)
{
	uint32_t cursor = 0;
	const struct session *session;
	struct run *run = mem_alloc(sizeof(*run));
	struct waiting_walk *walk = mem_alloc(sizeof(*walk));
	bool is_ready = run && walk;
	k->is_out_of_memory |= !is_ready;
	while (is_ready && (session = map_next(&s->sessions, &cursor)))
		if (session->log_id)
			put_session(k, &(struct of_shard){s, session}, run, walk);
	mem_free(run);
	mem_free(walk);
}

static void put_head(struct sink *k, const struct shard *s, uint64_t position)
{
	struct packer p = {.ptr = k->ptr};
	pack_raw(&p, SNAPSHOT_MAGIC);
	pack_u8(&p, SNAPSHOT_MAJOR);
	pack_u8(&p, SNAPSHOT_MINOR);
	pack_u8(&p, (uint8_t)s->index);
	pack_u8(&p, (uint8_t)s->broker->shard_count);
	pack_u64(&p, position);
	pack_u64(&p, k->len - SNAPSHOT_HEAD_BYTES);
	ASSERT(p.len == SNAPSHOT_HEAD_BYTES);
}

int snapshot_write(struct shard *s, uint64_t position, struct room *part_out)
{
	struct sink k = {0};
	grow(&k, SNAPSHOT_HEAD_BYTES);
	if (s->index == 0) {
		put_item(&k, SNAPSHOT_LIMITS, pack_limits, &s->limits);
		put_retained(&k, s);
	}
	put_sessions(&k, s);
	put_groups(&k, s);
	if (k.is_out_of_memory) {
		mem_free(k.ptr);
		return ERROR_NO_MEMORY;
	}
	put_head(&k, s, position);
	*part_out = (struct room){k.ptr, k.len};
	return 0;
}
