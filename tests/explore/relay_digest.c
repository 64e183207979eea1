/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that decides what can follow, in one number: what survives as the broker says it itself
 * (state_text), what its live sessions know beside that, what waits in the log, and the clients.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "broker/shard.h"
#include "broker/snapshot.h"
#include "client/engine_state.h"
#include "relay.h"

struct digest {
	uint64_t value;
};

static void add(struct digest *d, struct span bytes)
{
	d->value = hash_bytes(bytes, d->value + bytes.len);
}

static void add_number(struct digest *d, uint64_t number)
{
	add(d, span_of(&number, sizeof(number)));
}

static void add_text(struct digest *d, const char *text)
{
	add(d, span_of_text(text));
}

static void add_send(struct digest *d, const struct send *s)
{
	uint64_t position = 0;
	const struct sending *entry;
	add_number(d, s->receive_maximum);
	add_number(d, s->quota_used);
	add_number(d, s->oldest);
	add_number(d, s->resend);
	add_number(d, s->next);
	while ((entry = send_next(s, &position))) {
		add_number(d, position);
		add_number(d, (uint64_t)entry->state << 32 | entry->note);
	}
}

static void add_receive(struct digest *d, const struct receive *r)
{
	add_number(d, r->count);
	for (uint16_t id = 1; id <= RELAY_MESSAGES_MAX * 4; id++)
		add_number(d, receive_has(r, id));
}

/* --- the broker --- */

static void add_acks(struct digest *d, const struct shard *s, const struct acks *a)
{
	add_number(d, acks_count(a));
	for (uint32_t i = 0; i < acks_count(a); i++) {
		const struct ack_waiting *w = &a->ring[(a->oldest + i) & (a->capacity - 1)];
		add_number(d,
			   (uint64_t)w->type << 48 | (uint64_t)w->reason_code << 32 | w->packet_id);
		add_number(d, (uint64_t)(uint16_t)w->waits << 16 | (uint16_t)w->delegates);
		add_number(d, w->sequence > s->applied ? w->sequence - s->applied : 0);
		add_number(d, w->is_released);
	}
}

static void add_session(struct digest *d, struct shard *s, const char *client_id)
{
	const struct session *session = session_find(s, span_of_text(client_id));
	if (!session)
		return;
	add_text(d, client_id);
	add_send(d, &session->send);
	add_receive(d, &session->receive);
	add_acks(d, s, session->acks);
	add_number(d, session->connection ? session->connection->state : CONNECTION_CLOSED);
	add_number(d, session->logged > s->applied ? session->logged - s->applied : 0);
	add_number(d, session->is_away);
	add_number(d, session->kept ? session->kept->sent_to : 0);
}

static void add_log(struct digest *d, const struct log_kept *log)
{
	for (const struct log_batch *b = log_kept_waiting(log); b; b = b->next) {
		add_text(d, "batch");
		for (const struct log_entry *e = b->first; e; e = e->next)
			add(d, e->len ? span_of(b->bytes + e->offset + LOG_RECORD_ROOM, e->len)
				      : SPAN_NONE);
	}
}

static void add_broker(struct digest *d, struct relay *r)
{
	struct shard *s = broker_shard(r->kit.broker, 0);
	char *text = state_text(r->kit.broker);
	ASSERT(text);
	add_text(d, text);
	mem_free(text);
	add_session(d, s, "p");
	add_session(d, s, "s");
	add_number(d, s->connects_pending);
	add_number(d, s->connection_count);
	add_number(d, s->finishing.count);
	add_log(d, r->log);
}

/* --- the clients --- */

static void add_incoming(struct digest *d, const struct link *messages)
{
	for (const struct link *l = messages->next; l != messages; l = l->next) {
		const struct incoming_message *m =
			CONTAINER_OF((struct link *)l, struct incoming_message, link);
		add_number(d, (uint64_t)m->packet_id << 8 | m->qos << 1 | m->is_let_go);
	}
	add_text(d, "incoming");
}

/* Handles by what they stand for: their numbers only grow. */
static void add_handles(struct digest *d, const struct relay *r)
{
	const struct incoming *in = &r->ends[SUBSCRIBER].engine->incoming;
	for (unsigned i = 0; i < r->handle_count; i++) {
		uint16_t id = (uint16_t)r->handles[i];
		const struct incoming_message *m = incoming_find(in, id);
		add_number(d, (uint64_t)id << 1 | (m && m->handle == r->handles[i]));
	}
	add_number(d, r->handle_count);
}

static void add_end(struct digest *d, const struct relay_end *e)
{
	const struct engine *engine = e->engine;
	add_number(d, engine->state);
	add_send(d, &engine->send);
	add_receive(d, &engine->receive);
	for (const struct link *l = engine->queue.next; l != &engine->queue; l = l->next)
		add_number(d, outgoing_of((struct link *)l)->token);
	add_number(d, engine->unfinished_count);
	add_number(d, engine->held.count);
	for (unsigned q = 0; q < QOS_MAX; q++)
		add_incoming(d, &engine->incoming.arrived[q]);
	add_incoming(d, &engine->incoming.away);
	add(d, engine_output(engine));
	add(d, buffer_content(&e->in));
}

uint64_t relay_digest(struct relay *r)
{
	struct digest d = {0};
	add_broker(&d, r);
	for (unsigned i = 0; i < END_COUNT; i++)
		add_end(&d, &r->ends[i]);
	add_handles(&d, r);
	add_number(&d, (uint64_t)r->cuts_left << 8 | r->crashes_left);
	add(&d, span_of(r->delivered, sizeof(r->delivered)));
	add(&d, span_of(r->told, sizeof(r->told)));
	return d.value;
}
