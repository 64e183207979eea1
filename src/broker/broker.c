/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker.h"

#include "base/hash.h"
#include "base/mem.h"
#include "broker/change.h"
#include "broker/full.h"
#include "broker/give.h"
#include "broker/group.h"
#include "broker/identifiers.h"
#include "broker/interest.h"
#include "broker/packet.h"
#include "broker/recovery.h"
#include "broker/see.h"
#include "broker/shard.h"

#define EVENTS_KEPT 4096 /* per shard, 48 bytes each: the last moments before a question */

static struct span key_of_session(const void *element)
{
	return session_client_id(element);
}

static struct span topic_of_message(const struct message *m)
{
	return message_topic(m);
}

static void wake(void *context)
{
	struct shard *s = context;
	const struct broker_hooks *hooks = &s->broker->hooks;
	hooks->wake(hooks->context, s->index);
}

unsigned shard_of(const struct broker *b, struct span key)
{
	return b->shard_count == 1 ? 0 : (unsigned)(hash_bytes(key, b->seed) % b->shard_count);
}

struct shard *broker_shard(struct broker *b, unsigned index)
{
	ASSERT(index < b->shard_count);
	return &b->shards[index];
}

/* What a log obeys that has not said otherwise yet; never to be changed. */
static const struct limits limits_before_any = {.qos_max = 2};

struct limits limits_of(const struct settings *settings)
{
	return (struct limits){
		.subscriptions_per_client_max = settings->subscriptions_per_client_max,
		.topic_levels_max = settings->topic_levels_max,
		.qos_max = settings->qos_max,
		.upgrade_outgoing_qos = settings->upgrade_outgoing_qos,
	};
}

/* What all shards begin with. */
struct beginning {
	const struct settings *settings;
	struct access *access;
	struct moment now;
};

static int shard_init(struct shard *s, struct broker *b, unsigned index,
		      const struct beginning *with)
{
	const struct settings *settings = with->settings;
	struct moment now = with->now;
	s->broker = b;
	s->settings = settings_ref(settings);
	s->index = index;
	s->now = now;
	s->hold_until_ms = UINT64_MAX;
	s->limits = limits_of(settings);
	map_init(&s->sessions, b->seed, key_of_session);
	identifiers_init(s);
	interest_init(&s->interest, b->seed);
	list_init(&s->connections);
	list_init(&s->graveyard);
	list_init(&s->replays);
	list_init(&s->holders);
	timer_wheel_init(&s->connection_timers, now.steady_ms);
	timer_wheel_init(&s->session_timers, now.steady_ms);
	timer_wheel_init(&s->throttle_timers, now.steady_ms);
	mailbox_init(&s->mailbox, wake, s);
	s->scratch_len = scratch_len_of(settings);
	s->scratch = mem_alloc(s->scratch_len);
	s->packets = mem_alloc(sizeof(*s->packets));
	s->routes = routes_new(b->seed, settings->cached_topics_max);
	s->retained = retained_new(b->seed, topic_of_message);
	if (!s->scratch || !s->packets || !s->routes || !s->retained)
		return ERROR_NO_MEMORY;
	int error = identities_init(s, with->access);
	if (error)
		return error;
	packet_cache_reset(s->packets, NULL);
	return event_ring_init(&s->events, EVENTS_KEPT);
}

static void drop_all(struct shard *s)
{
	while (!list_is_empty(&s->connections)) {
		struct connection *c = CONTAINER_OF(s->connections.next, struct connection, link);
		if (c->session)
			c->session->connection = NULL;
		c->session = NULL;
		if (stream_is_open(&c->stream))
			c->stream.ops->close(&c->stream);
		link_remove(&c->link);
		connection_free(c);
	}
	while (!list_is_empty(&s->graveyard)) {
		struct connection *c = CONTAINER_OF(s->graveyard.next, struct connection, link);
		link_remove(&c->link);
		connection_free(c);
	}
}

/* Sessions go without wills, groups and interest: there is nobody left to hear of them. */
static void forget_sessions(struct shard *s)
{
	uint32_t cursor = 0;
	struct session *session;
	while ((session = map_next(&s->sessions, &cursor)))
		session_forget(s, session);
}

static void drop_message(struct message *m)
{
	message_unref(m);
}

static void shard_release(struct shard *s)
{
	if (!s->broker)
		return;
	if (s->routes)
		forget_sessions(s);
	if (s->routes) {
		group_forget_all(s);
		give_release(s);
		routes_free(s->routes);
	}
	if (s->retained)
		retained_free(s->retained, drop_message);
	fetch_release(s);
	pager_release(&s->pager);
	map_release(&s->sessions);
	map_release(&s->identifier_sets);
	mem_free(s->numbers);
	interest_release(&s->interest);
	mem_free(s->scratch);
	mem_free(s->packets);
	identities_release(s);
	settings_unref(s->settings);
	mem_free(s->forwarded);
	buffer_release(&s->mounted);
	buffer_release(&s->source);
	full_release(s);
	chunk_pool_release(&s->chunks);
	event_ring_release(&s->events);
}

struct broker *broker_new(const struct settings *settings, const struct broker_hooks *hooks,
			  unsigned shard_count, uint64_t seed, struct moment now)
{
	ASSERT(shard_count >= 1 && shard_count <= SHARDS_MAX);
	struct broker *b = mem_zalloc(sizeof(*b) + shard_count * sizeof(b->shards[0]));
	if (!b)
		return NULL;
	b->hooks = *hooks;
	b->shard_count = shard_count;
	b->seed = seed;
	b->start_ms = now.wall_ms;
	guard_init(&b->guard, &settings->limits, seed);
	b->log = log_memory_new(bus_committed, b);
	struct beginning with = {settings_share(settings), access_new(1), now};
	bool is_whole = with.settings && with.access, is_ready = b->log && is_whole;
	if (with.access)
		with.access->realms[0].allows_anonymous = settings->allow_anonymous;
	for (unsigned i = 0; i < shard_count && is_whole; i++)
		is_ready &= shard_init(&b->shards[i], b, i, &with) == 0;
	access_unref(with.access);
	settings_unref(with.settings);
	if (is_ready)
		return b;
	broker_free(b);
	return NULL;
}

void broker_free(struct broker *b)
{
	if (b->log) /* gives back what it still has */
		b->log->ops->free(b->log);
	for (unsigned i = 0; i < b->shard_count; i++)
		bus_discard(&b->shards[i]);
	for (unsigned i = 0; i < b->shard_count; i++) {
		struct shard *s = &b->shards[i];
		batch_discard(s);
		drop_all(s);
	}
	for (unsigned i = 0; i < b->shard_count; i++)
		shard_release(&b->shards[i]);
	checkpoint_discard(b);
	recovery_free(b->recovery);
	guard_release(&b->guard);
	mem_free(b);
}

void broker_use_log(struct broker *b, struct log *log)
{
	b->log->ops->free(b->log);
	b->log = log;
	if (log->is_kept)
		for (unsigned i = 0; i < b->shard_count; i++)
			b->shards[i].limits = limits_before_any;
}

void broker_use_pages(struct broker *b, unsigned shard, struct page_file *file)
{
	struct shard *s = &b->shards[shard];
	pager_init(&s->pager, file, pager_budget_of(s));
}

struct guard *broker_guard(struct broker *b)
{
	return &b->guard;
}

int broker_use_access(struct broker *b, struct access *access)
{
	int error = 0;
	for (unsigned i = 0; i < b->shard_count && !error; i++)
		error = identities_init(&b->shards[i], access);
	access_unref(access);
	return error;
}

void broker_change_access(struct broker *b, struct access *access)
{
	for (unsigned i = 0; i < b->shard_count; i++)
		bus_post(b, i,
			 &(struct letter){.kind = LETTER_ACCESS, .object = access_ref(access)});
	access_unref(access);
}

void broker_change_settings(struct broker *b, const struct settings *shared)
{
	for (unsigned i = 0; i < b->shard_count; i++) {
		void *object = (void *)(uintptr_t)settings_ref(shared);
		bus_post(b, i, &(struct letter){.kind = LETTER_SETTINGS, .object = object});
	}
	settings_unref(shared);
}

void broker_recheck_peers(struct broker *b)
{
	atomic_fetch_add(&b->recheck_count, 1);
}

void broker_tell_subscriptions(struct broker *b)
{
	atomic_fetch_add(&b->tell_count, 1);
}

void broker_answer_login(struct broker *b, struct login *login)
{
	bus_post(b, login->shard, &(struct letter){.kind = LETTER_LOGIN, .object = login});
}

void broker_committed(void *broker, struct log_batch *batch)
{
	bus_committed(broker, batch);
}

void broker_want_checkpoint(struct broker *b)
{
	atomic_store(&b->wants_checkpoint, true);
	b->hooks.wake(b->hooks.context, 0);
}

bool broker_checkpoint_is_due(const struct broker *b)
{
	return atomic_load(&b->wants_checkpoint) || atomic_load(&b->checkpoint.is_under_way);
}

void broker_log_changed(struct broker *b)
{
	for (unsigned i = 0; i < b->shard_count; i++)
		b->hooks.wake(b->hooks.context, i);
}

void shard_accept(struct shard *s, const struct stream *stream, const struct peer *peer)
{
	struct connection *c = connection_new(s, stream, peer);
	if (!c) {
		shard_dismiss(s, peer);
		return;
	}
	atomic_fetch_add(&s->broker->connection_count, 1);
	atomic_fetch_add(&s->broker->guard.connections_of[c->listener], 1);
	s->status.connections_total++;
	struct event *e = shard_event(s, EVENT_CONNECTION_OPENED, c);
	e->number = peer->port;
	shard_event_show(s, e, c, SPAN_NONE, NULL);
}

void shard_shutdown(struct shard *s, uint8_t reason_code)
{
	struct farewell why = {.reason_code = reason_code, .tell = true, .text = "shutting down"};
	s->is_shutting_down = true;
	struct link *l = s->connections.next;
	while (l != &s->connections) {
		struct connection *c = CONTAINER_OF(l, struct connection, link);
		l = l->next;
		/* [MQTT-3.1.2-8]; where nothing is kept nobody will be left to hear it */
		if (c->session && !s->broker->log->is_kept)
			session_drop_will(c->session);
		connection_end(c, &why);
	}
}

bool shard_is_settled(const struct shard *s)
{
	return s->appended == s->applied && s->finishing.count == 0;
}

uint64_t shard_connection_count(const struct shard *s)
{
	return s->connection_count;
}

void shard_status(const struct shard *s, struct shard_status *out)
{
	*out = s->status;
	out->connections = s->connection_count;
	out->sessions = s->sessions.count;
	out->subscriptions = routes_subscription_count(s->routes);
	out->retained_messages = retained_count(s->retained);
	out->retained_bytes = s->retained_bytes;
	out->held_bytes = s->memory_bytes;
}

const struct event_ring *shard_events(const struct shard *s)
{
	return &s->events;
}
