/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that came at QoS 1 and 2, in the store:
 *
 *	PUBLISH        -> IN put -> durable: it is given
 *	the last unref, nj_ack
 *	or nj_refuse   -> ACKED put -> durable: PUBACK or PUBREC leaves
 *	PUBREL         -> RELEASED put -> durable: PUBCOMP leaves
 *
 * After a restart what was not let go is given again, from the store, and the server's copy is
 * known by its packet id: PUBACK has surely not left.
 */
#include "base/mem.h"
#include "client/kept.h"

/* --- it comes --- */

int inbox_arrived(nj_client *c, struct nj_message *m, const struct publish *p)
{
	struct client_store *s = &c->kept->store;
	struct store_ticket *ticket;
	struct store_record r = {.kind = STORE_IN,
				 .qos = p->qos,
				 .retain = p->retain,
				 .dup = p->dup,
				 .packet_id = p->packet_id,
				 .topic = p->topic,
				 .properties =
					 c->version == NJ_MQTT_5 ? p->properties.raw : SPAN_NONE,
				 .payload = p->payload};
	int error = client_store_prepare(s, &r, &ticket);
	if (error)
		return error;
	struct store_in *e = ticket->subject;
	e->message = m;
	e->handle = m->handle;
	m->mark = r.number;
	client_store_put(s, ticket);
	return 0;
}

/* It is to come again, with another connection. Where nothing can be written any more there is
 * none: nothing could be taken. */
static void refuse(nj_client *c, uint64_t handle)
{
	if (c->is_freed)
		return;
	if (client_store_health(&c->kept->store) == LOG_FAILED)
		c->wants_connection = false;
	engine_give_back(c->engine, handle);
	engine_disconnect(c->engine, &(struct disconnect){.reason_code = REASON_QUOTA_EXCEEDED});
}

/* --- left by a process before this one --- */

static int give_again(nj_client *c, const struct store_record *r, struct store_in *e)
{
	struct publish p = {.qos = r->qos,
			    .retain = r->retain,
			    .dup = r->dup,
			    .packet_id = r->packet_id,
			    .topic = r->topic,
			    .payload = r->payload,
			    .properties.raw = r->properties};
	struct nj_message *m = message_take(c, &p, e->handle);
	if (!m)
		return ERROR_NO_MEMORY;
	m->mark = e->number;
	message_give(c, m);
	return 0;
}

int inbox_restore(nj_client *c, const struct store_record *r, struct store_in *e)
{
	int error = 0;
	if (e->packet_id != 0)
		error = engine_restore_incoming(c->engine, e->packet_id, e->qos, e->is_acked,
						&e->handle);
	/* else a QoS 1 and a QoS 2 message had the same id: a server's mistake, as it stands */
	if (error && error != ERROR_INVALID)
		return error;
	return e->is_acked ? 0 : give_again(c, r, e);
}

/* --- it is let go --- */

static struct store_in *entry_of(const nj_client *c, const struct nj_message *m)
{
	struct store_in *e = store_state_in(&c->kept->store.state, m->mark);
	return e && !e->is_let_go && !e->is_forgotten ? e : NULL;
}

bool inbox_owes(const nj_client *c, const struct nj_message *m)
{
	return entry_of(c, m) != NULL;
}

int inbox_let_go(nj_client *c, const struct nj_message *m, uint8_t reason_code)
{
	struct store_in *e = entry_of(c, m);
	if (!e)
		return ERROR_NOT_FOUND;
	if (!reason_is_allowed(reason_code, e->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC))
		return ERROR_INVALID;
	if (client_store_health(&c->kept->store) == LOG_FAILED)
		return NJ_ERROR_STORE;
	client_store_acked(&c->kept->store, e, reason_code);
	c->kept->answer_count++;
	return 0;
}

bool inbox_is_answering(const nj_client *c)
{
	return c->kept && c->kept->answer_count > 0 &&
	       client_store_health(&c->kept->store) != LOG_FAILED;
}

/* In a session that has ended there is nobody to give it back to. */
int inbox_give_back(nj_client *c, const struct nj_message *m)
{
	struct store_in *e = entry_of(c, m);
	if (!e || e->packet_id == 0)
		return ERROR_NOT_FOUND;
	engine_give_back(c->engine, e->handle);
	client_store_forgotten(&c->kept->store, e);
	return 0;
}

/* --- it is released --- */

bool inbox_pubrel(void *context, uint16_t packet_id)
{
	nj_client *c = context;
	struct store_in *e = store_state_packet(&c->kept->store.state, packet_id);
	if (!e || e->qos != 2)
		return false;
	e->session = c->kept->connection;
	client_store_released(&c->kept->store, e);
	return true;
}

/* --- what the store tells --- */

static void kept(nj_client *c, struct store_in *e, int error)
{
	struct nj_message *m = e->message;
	e->message = NULL;
	if (error) {
		m->mark = m->handle = 0;
		refuse(c, e->handle);
		message_drop(m);
	} else if (c->is_freed) {
		message_drop(m); /* it stays in the store */
	} else {
		message_give(c, m);
	}
}

void inbox_happened(nj_client *c, const struct store_record *r, struct store_in *e, int error)
{
	if (r->kind == STORE_IN) {
		kept(c, e, error);
		return;
	}
	if (r->kind == STORE_ACKED)
		c->kept->answer_count--;
	if (error || c->is_freed)
		return; /* the server is told by the next process */
	if (r->kind == STORE_ACKED && e->handle != 0)
		(void)!engine_acknowledge(c->engine, e->handle, r->reason_code);
	else if (r->kind == STORE_RELEASED && e->packet_id != 0)
		engine_pubrel_kept(c->engine, e->packet_id, e->session == c->kept->connection);
}

/* --- public calls --- */

uint64_t nj_message_mark(const nj_message *m)
{
	return m->mark;
}

static void skip_in(nj_client *c, struct link *messages, uint64_t mark, bool is_events)
{
	struct link *next;
	for (struct link *at = messages->next; at != messages; at = next) {
		struct event *event = CONTAINER_OF(at, struct event, link);
		next = at->next;
		if (is_events && event->kind != EVENT_MESSAGE)
			continue;
		struct nj_message *m = CONTAINER_OF(event, struct nj_message, event);
		if (m->mark == 0 || m->mark > mark)
			continue;
		link_remove(at);
		(void)!inbox_let_go(c, m, REASON_SUCCESS);
		message_drop(m);
	}
}

int nj_skip(nj_client *c, uint64_t mark)
{
	int error = 0;
	pthread_mutex_lock(&c->mutex);
	if (!c->kept) {
		error = NJ_ERROR_INVALID;
	} else {
		skip_in(c, &c->events, mark, true);
		skip_in(c, &c->inbox, mark, false);
		skip_in(c, &c->again, mark, false);
		client_wake(c);
	}
	pthread_mutex_unlock(&c->mutex);
	return error;
}
