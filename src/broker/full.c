/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/full.h"

#include "base/mem.h"
#include "broker/acks.h"
#include "broker/handle.h"
#include "broker/hold.h"
#include "broker/shed.h"

static const struct flaw flaw_memory = {REASON_QUOTA_EXCEEDED, "out of memory"};

struct held_publish {
	struct held_publish *next;
	struct message *message;
	uint64_t session;
	uint32_t ticket;
	uint16_t packet_id;
	uint8_t type; /* of the answer */
	uint8_t answer;
};

static bool is_full(const struct shard *s)
{
	return atomic_load_explicit(&s->broker->log->health, memory_order_relaxed) == LOG_FULL;
}

static uint32_t held_count(const struct session *session)
{
	return session->acks ? session->acks->held_count : 0;
}

bool full_refuses(const struct shard *s, const struct publication *p,
		  const struct session *publisher, bool is_logged)
{
	if (p->opened) /* its turn has come */
		return false;
	if (shed_all(s))
		guard_count(&s->broker->guard, GUARD_SHED_REFUSED);
	return (is_logged && is_full(s)) || shed_all(s) || held_count(publisher) > 0;
}

int full_hold(struct shard *s, struct publication *p, struct session *publisher,
	      struct ack_waiting *ack)
{
	struct message *m = publication_message(p);
	struct held_publish *held = m ? mem_zalloc(sizeof(*held)) : NULL;
	ack->waits = 1;
	ack->reason_code = REASON_NO_MATCHING_SUBSCRIBERS;
	if (!held || acks_open(publisher, ack, &held->ticket)) {
		mem_free(held);
		return ERROR_NO_MEMORY;
	}
	held->message = message_ref(m);
	held->session = publisher->number;
	held->packet_id = ack->packet_id;
	held->type = ack->type;
	held->answer = p->answer;
	publisher->acks->held_count++;
	if (s->held.first)
		s->held.last->next = held;
	else
		s->held.first = held;
	s->held.last = held;
	s->held.bytes += message_bytes(m);
	if (s->held.bytes > HELD_BYTES_MAX)
		connection_hold(publisher->connection);
	return ERROR_AGAIN;
}

bool full_holds(const struct shard *s, const struct session *session, uint16_t packet_id)
{
	const struct held_publish *held = held_count(session) > 0 ? s->held.first : NULL;
	while (held && (held->session != session->number || held->packet_id != packet_id ||
			held->type != PACKET_PUBREC))
		held = held->next;
	return held != NULL;
}

static void held_free(struct shard *s, struct held_publish *held)
{
	s->held.bytes -= message_bytes(held->message);
	message_unref(held->message);
	mem_free(held);
}

/* As if it came just now, but for its answer, which is open already. */
static void enter(struct shard *s, struct session *session, struct held_publish *held)
{
	struct publication p;
	struct connection *c = session->connection;
	struct ack_waiting ack = {.type = held->type, .packet_id = held->packet_id};
	publication_of_message(&p, held->message);
	p.answer = held->answer;
	p.opened = &held->ticket;
	/* a PUBREL that did not wait for PUBREC has freed the id, and stands before us in the log */
	int result;
	if (held->type == PACKET_PUBREC)
		receive_event(&session->receive, RECEIVE_EVENT_QOS_2, held->packet_id, &result);
	result = publish_enter(s, &p, session, &ack);
	publication_release(&p);
	if (result >= 0) {
		struct origin origin = {session->number, held->ticket, (uint16_t)s->index};
		verdict_give(s, &origin, (struct verdict){.reason_code = (uint8_t)result});
	} else if (result != ERROR_AGAIN) {
		/* it shall be sent again */
		if (held->type == PACKET_PUBREC)
			receive_event(&session->receive, RECEIVE_EVENT_REFUSED, held->packet_id,
				      &result);
		connection_fail(c, &flaw_memory);
	}
}

void full_turn(struct shard *s)
{
	if (LIKELY(!s->held.first))
		return;
	while (s->held.first && !is_full(s) && !shed_all(s)) {
		struct held_publish *held = s->held.first;
		struct session *session = session_by_number(s, held->session);
		s->held.first = held->next;
		ASSERT(session && session->connection && held_count(session) > 0);
		session->acks->held_count--;
		if (session->connection->is_held)
			connection_let_go(session->connection);
		enter(s, session, held);
		held_free(s, held);
	}
}

/* The id of a QoS 2 message is free again: it comes once more, and is new then. */
void full_drop(struct shard *s, struct session *session)
{
	int error;
	struct held_publish *rest = s->held.first;
	if (held_count(session) == 0)
		return;
	session->acks->held_count = 0;
	s->held.first = s->held.last = NULL;
	while (rest) {
		struct held_publish *held = rest;
		rest = held->next;
		held->next = NULL;
		if (held->session == session->number) {
			if (held->type == PACKET_PUBREC)
				receive_event(&session->receive, RECEIVE_EVENT_REFUSED,
					      held->packet_id, &error);
			held_free(s, held);
			continue;
		}
		if (s->held.first)
			s->held.last->next = held;
		else
			s->held.first = held;
		s->held.last = held;
	}
}

void full_release(struct shard *s)
{
	while (s->held.first) {
		struct held_publish *held = s->held.first;
		s->held.first = held->next;
		held_free(s, held);
	}
}
