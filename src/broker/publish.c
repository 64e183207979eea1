/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message on its way in: who wants it, does anything that survives, and so: at once, or through
 * the log. The two paths meet in publish_here.
 */
#include "broker/publish.h"

#include "base/mem.h"
#include "broker/deliver.h"
#include "broker/full.h"
#include "broker/group.h"
#include "broker/hold.h"
#include "broker/identifiers.h"
#include "broker/packet.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/waiting.h"

struct message *publication_message(struct publication *p)
{
	if (!p->message)
		p->message = message_new(&p->parts);
	return p->message;
}

void publication_of_message(struct publication *p, struct message *m)
{
	*p = (struct publication){
		.parts = {.topic = message_topic(m),
			  .properties = message_properties(m),
			  .payload = message_payload(m),
			  .source = message_source(m),
			  .publisher = m->publisher,
			  .expires_ms = m->expires_ms,
			  .has_expiry = m->has_expiry,
			  .qos = m->qos,
			  .retain = m->retain},
		.message = message_ref(m),
		.is_logged = m->position != 0,
	};
}

void publication_release(struct publication *p)
{
	if (p->message)
		message_unref(p->message);
	p->message = NULL;
}

uint8_t reason_merge(uint8_t a, uint8_t b)
{
	if (a >= 0x80 || b >= 0x80)
		return a >= b ? a : b;
	return a == REASON_SUCCESS || b == REASON_SUCCESS ? REASON_SUCCESS : a;
}

static void note_delivery(struct outcome *outcome, struct session *session, enum delivered result)
{
	if (result == DELIVERY_REFUSED)
		outcome->reason_code = reason_merge(outcome->reason_code, REASON_QUOTA_EXCEEDED);
	else
		outcome->reason_code = reason_merge(outcome->reason_code, REASON_SUCCESS);
	if (result == DELIVERED_SLOWLY && !outcome->slow)
		outcome->slow = session;
}

/* They travel as properties of a copy of its own [MQTT-3.3.4-4]. */
static enum delivered deliver_copy(struct shard *s, struct session *session,
				   const struct delivery *d, const uint32_t *identifiers,
				   unsigned count)
{
	struct publication copy;
	uint8_t *bytes;
	if (identifiers_put(identifiers, count, d->publication, &copy, &bytes))
		return DELIVERY_REFUSED;
	struct delivery own = *d;
	own.publication = &copy;
	enum delivered result = deliver(s, session, &own);
	publication_release(&copy);
	mem_free(bytes);
	return result;
}

/* What waits in the log can't be a copy: it says which identifiers come with it. */
static enum delivered deliver_with_identifiers(struct shard *s, struct session *session,
					       struct delivery *d, const uint32_t *identifiers,
					       unsigned count)
{
	if (d->qos == 0 || !waiting_is_kept(s, session))
		return deliver_copy(s, session, d, identifiers, count);
	if (identifiers_index(s, session, identifiers, count, &d->identifier) == 0)
		d->flags |= QUEUED_IDENTIFIERS;
	else
		d->identifier = identifiers[0];
	return deliver(s, session, d);
}

static uint8_t granted_qos(const struct shard *s, uint8_t published, uint8_t subscribed)
{
	if (s->limits.upgrade_outgoing_qos)
		return subscribed;
	return published < subscribed ? published : subscribed; /* [MQTT-3.8.4-8] */
}

static void deliver_entry(struct shard *s, struct publication *p, const struct match *m,
			  const struct match_entry *e, struct outcome *outcome)
{
	struct session *session = CONTAINER_OF(e->subscriber, struct session, subscriber);
	struct delivery d = {
		.publication = p,
		.qos = granted_qos(s, p->parts.qos, e->qos),
		/* [MQTT-3.3.1-12, -13] */
		.flags = e->retain_as_published && p->parts.retain ? QUEUED_RETAIN : 0,
	};
	/* one that subscribed after the message was looked at: it stands behind it in the log */
	if (UNLIKELY(d.qos > 0 && !p->is_logged && session->log_id))
		return;
	if (e->identifier_count > 1) {
		note_delivery(outcome, session,
			      deliver_with_identifiers(s, session, &d,
						       m->identifiers + e->identifiers,
						       e->identifier_count));
		return;
	}
	if (e->identifier_count == 1) /* [MQTT-3.3.4-3] */
		d.identifier = m->identifiers[e->identifiers];
	note_delivery(outcome, session, deliver(s, session, &d));
}

/* The publisher's own no-local subscriptions do not count, its others do [MQTT-3.8.3-3]. */
static void deliver_to_publisher(struct shard *s, struct publication *p,
				 const struct subscriber *publisher, struct outcome *outcome)
{
	const struct match *m = routes_match_for_publisher(s->routes, p->parts.topic, publisher);
	for (uint32_t i = 0; m && i < m->entry_count; i++)
		if (m->entries[i].subscriber == publisher)
			deliver_entry(s, p, m, &m->entries[i], outcome);
}

/* To whoever of this shard has a filter that matches [MQTT-4.5.0-1, 3.3.2-3]. */
struct outcome publish_here(struct shard *s, struct publication *p,
			    const struct subscriber *publisher, const struct origin *origin)
{
	struct outcome outcome = {.reason_code = REASON_NO_MATCHING_SUBSCRIBERS};
	const struct match *m = routes_match(s->routes, p->parts.topic);
	if (!m) {
		outcome.reason_code = REASON_QUOTA_EXCEEDED;
		return outcome;
	}
	bool skipped = false;
	p->is_fanned_out = m->entry_count > 1 && p->parts.payload.len < OUTPUT_SHARE_BYTES;
	if (p->is_fanned_out)
		packet_cache_reset(s->packets, p);
	for (uint32_t i = 0; i < m->entry_count; i++) {
		const struct match_entry *e = &m->entries[i];
		if (UNLIKELY(e->has_no_local && e->subscriber == publisher))
			skipped = true;
		else
			deliver_entry(s, p, m, e, &outcome);
	}
	for (uint32_t i = 0; i < m->share_count; i++) {
		struct outcome of_group = group_publish(s, m->shares[i], p, origin);
		outcome.reason_code = reason_merge(outcome.reason_code, of_group.reason_code);
		outcome.delegates = (int16_t)(outcome.delegates + of_group.delegates);
		outcome.slow = outcome.slow ? outcome.slow : of_group.slow;
	}
	if (skipped)
		deliver_to_publisher(s, p, publisher, &outcome);
	s->packets->publication = NULL;
	return outcome;
}

/* The message was made before: nobody waits for letters that could not be written. */
static void post_to_shards(struct shard *s, struct publication *p, uint64_t shards,
			   const struct origin *origin)
{
	struct message *m = publication_message(p);
	message_share(m);
	while (shards) {
		unsigned to = (unsigned)__builtin_ctzll(shards);
		shards &= shards - 1;
		struct letter *letter = bus_letter(s, to, message_bytes(m));
		*letter = (struct letter){.kind = LETTER_PUBLISH,
					  .session = origin->session,
					  .ticket = origin->ticket,
					  .origin = origin->shard,
					  .object = message_ref(m)};
	}
}

/* It must not overtake a retained one of its kind. */
static bool follows_logged_qos_0(const struct shard *s, const struct session *publisher)
{
	return publisher && publisher->has_logged_qos0 && command_is_pending(s, publisher);
}

static bool must_be_logged(const struct shard *s, const struct publication *p,
			   const struct match *m, const struct session *publisher)
{
	bool is_wanted = m->has_surviving || m->remote_surviving;
	if (p->parts.retain)
		return true;
	if (p->parts.qos == 0)
		return (is_wanted && s->limits.upgrade_outgoing_qos) ||
		       follows_logged_qos_0(s, publisher);
	if (is_wanted)
		return true;
	/* nothing may overtake what this publisher has in the log; and the ids of its open QoS 2
	   messages survive with its session */
	return publisher &&
	       ((publisher->log_id && p->parts.qos == 2) || command_is_pending(s, publisher));
}

static int open_answer(const struct shard *s, struct session *publisher, struct ack_waiting *ack,
		       const struct publication *p, int waits, struct origin *origin)
{
	ack->waits = (int16_t)waits;
	ack->reason_code = REASON_NO_MATCHING_SUBSCRIBERS;
	if (UNLIKELY(p->opened != NULL)) {
		origin->ticket = *p->opened;
		acks_expect(publisher, *p->opened, waits, ack->sequence);
	} else if (acks_open(publisher, ack, &origin->ticket)) {
		return ERROR_NO_MEMORY;
	}
	origin->session = publisher->number;
	origin->shard = (uint16_t)s->index;
	return 0;
}

static uint64_t targets_of(const struct shard *s, const struct publication *p,
			   const struct match *m)
{
	uint64_t everywhere = ~0ULL >> (64 - s->broker->shard_count);
	return p->parts.retain ? everywhere : m->remote_shards | shard_bit(s);
}

static struct command *command_of(struct shard *s, struct publication *p,
				  const struct session *publisher)
{
	struct message *m = publication_message(p);
	struct command *command = m ? command_new(COMMAND_PUBLISH, SPAN_NONE) : NULL;
	if (!command)
		return NULL;
	/* even when only this shard applies it: the last one to apply the batch frees it all */
	if (s->broker->shard_count > 1)
		message_share(m);
	command->message = message_ref(m);
	command->session_id = publisher ? publisher->log_id : 0;
	return command;
}

static void note_logged(const struct shard *s, struct session *publisher, uint8_t qos)
{
	publisher->has_logged_qos0 &= command_is_pending(s, publisher);
	publisher->has_logged_qos0 |= qos == 0;
	publisher->logged = s->appended + 1;
}

/* A relaxed publisher is answered at once; what it sent is in the log all the same. */
static int enter_log(struct shard *s, struct publication *p, struct session *publisher,
		     struct ack_waiting *ack, uint64_t targets)
{
	bool must_wait = ack && p->answer != ANSWER_AT_ONCE;
	struct command *command = command_of(s, p, publisher);
	if (!command)
		return ERROR_NO_MEMORY;
	if (ack && ack->type == PACKET_PUBREC && command->session_id)
		command->packet_id = ack->packet_id;
	if (command_reserve(s, command)) {
		command_free(command);
		return ERROR_NO_MEMORY;
	}
	if (must_wait) {
		ack->sequence = s->appended + 1;
		if (open_answer(s, publisher, ack, p, __builtin_popcountll(targets),
				&command->origin)) {
			command_free(command);
			return ERROR_NO_MEMORY;
		}
	}
	if (publisher)
		note_logged(s, publisher, p->parts.qos);
	if (p->answer == ANSWER_WHEN_DURABLE)
		batch_want_sync(s);
	command_append(s, command, targets);
	return must_wait ? ERROR_AGAIN : REASON_SUCCESS;
}

int publish_will(struct shard *s, struct publication *p, struct session *session)
{
	const struct match *m = routes_match(s->routes, p->parts.topic);
	struct command *command = m ? command_of(s, p, session) : NULL;
	if (!command)
		return ERROR_NO_MEMORY;
	command->flags = COMMAND_PUBLISH_WILL;
	command->connect_id = session->connect_id;
	if (command_reserve(s, command)) {
		command_free(command);
		return ERROR_NO_MEMORY;
	}
	note_logged(s, session, p->parts.qos);
	command_append(s, command, targets_of(s, p, m));
	return 0;
}

/* `has_groups`: a group may ask another shard, which then must know whom to answer. */
static int enter_now(struct shard *s, struct publication *p, struct session *publisher,
		     struct ack_waiting *ack, uint64_t shards, bool has_groups)
{
	struct origin origin = {0};
	bool must_wait = ack && (shards || (has_groups && s->broker->shard_count > 1) ||
				 acks_count(publisher->acks) > 0);
	if (shards && !publication_message(p))
		return ERROR_NO_MEMORY;
	if (must_wait &&
	    open_answer(s, publisher, ack, p, __builtin_popcountll(shards) + 1, &origin))
		return ERROR_NO_MEMORY;
	struct outcome outcome =
		publish_here(s, p, publisher ? &publisher->subscriber : NULL, &origin);
	if (shards)
		post_to_shards(s, p, shards, &origin);
	if (!ack)
		return REASON_SUCCESS;
	if (!must_wait && !outcome.slow)
		return outcome.reason_code;
	if (!must_wait && open_answer(s, publisher, ack, p, 1, &origin))
		return outcome.reason_code; /* answering early is the lesser evil */
	struct verdict verdict = {.reason_code = outcome.reason_code,
				  .delegates = outcome.delegates};
	if (outcome.slow)
		hold_verdict(s, outcome.slow, &verdict, &origin);
	else
		verdict_give(s, &origin, verdict);
	return ERROR_AGAIN;
}

/* At most once, and not kept, when the log takes no messages: better than not at all. */
static bool is_better_lost(struct shard *s, const struct publication *p,
			   const struct session *publisher)
{
	uint8_t health =
		(uint8_t)atomic_load_explicit(&s->broker->log->health, memory_order_relaxed);
	if (LIKELY(health == LOG_GOOD) || p->parts.qos > 0 || follows_logged_qos_0(s, publisher))
		return false;
	if (p->parts.retain)
		see_dropped(s, publisher, p->parts.topic, "not retained: nothing can be stored");
	return true;
}

int publish_enter(struct shard *s, struct publication *p, struct session *publisher,
		  struct ack_waiting *ack)
{
	const struct match *m = routes_match(s->routes, p->parts.topic);
	if (!m)
		return ERROR_NO_MEMORY;
	bool is_logged = must_be_logged(s, p, m, publisher) && !is_better_lost(s, p, publisher);
	if (UNLIKELY(ack && full_refuses(s, p, publisher, is_logged))) {
		if (publisher->connection->version == MQTT_5)
			return REASON_QUOTA_EXCEEDED;
		return full_hold(s, p, publisher, ack);
	}
	if (!is_logged)
		return enter_now(s, p, publisher, ack, m->remote_shards, m->share_count > 0);
	return enter_log(s, p, publisher, ack, targets_of(s, p, m));
}

void shard_publish(struct shard *s, struct span topic, struct span payload)
{
	struct publication p = {.parts = {.topic = topic, .payload = payload}};
	const struct match *m = routes_match(s->routes, topic);
	if (m)
		(void)!enter_now(s, &p, NULL, NULL, m->remote_shards, m->share_count > 0);
	publication_release(&p);
}

void publish_arrive(struct shard *s, struct message *m, const struct origin *origin)
{
	struct publication p;
	publication_of_message(&p, m);
	struct session *publisher = session_by_number(s, m->publisher);
	struct outcome outcome =
		publish_here(s, &p, publisher ? &publisher->subscriber : NULL, origin);
	publication_release(&p);
	struct verdict verdict = {.reason_code = outcome.reason_code,
				  .delegates = outcome.delegates};
	if (outcome.slow)
		hold_verdict(s, outcome.slow, &verdict, origin);
	else
		verdict_give(s, origin, verdict);
}
