/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to publish, in the store:
 *
 *	nj_publish -> OUT put -> durable: `stored`, PUBLISH may leave
 *	PUBREC     -> RECEIVED put -> durable: PUBREL leaves
 *	the end    -> DONE put, lazily
 */
#include "client/kept.h"

/* --- taken --- */

bool outbox_keeps(const nj_client *c, uint8_t qos)
{
	return c->kept && (qos > 0 || c->kept->keeps_qos_0);
}

bool outbox_is_stuck(const nj_client *c)
{
	return c->kept && client_store_health(&c->kept->store) != LOG_GOOD;
}

static int check(const struct kept *k, const struct store_record *r)
{
	if (r->mark != 0 && r->mark <= k->mark_taken)
		return ERROR_INVALID;
	enum log_health health = client_store_health(&k->store);
	if (health == LOG_FAILED)
		return NJ_ERROR_STORE;
	if (health == LOG_FULL || !client_store_has_room(&k->store, store_record_size(r)))
		return ERROR_AGAIN;
	return 0;
}

int outbox_publish(nj_client *c, const struct publish *p, uint64_t mark, struct nj_delivery *d)
{
	struct kept *k = c->kept;
	struct store_ticket *ticket;
	struct outgoing *o;
	struct store_record r = {.kind = STORE_OUT,
				 .qos = p->qos,
				 .retain = p->retain,
				 .at_once = engine_is_connected(c->engine),
				 .mark = mark,
				 .taken_ms = kept_wall_ms(),
				 .topic = p->topic,
				 .properties = p->properties.user,
				 .payload = p->payload};
	int error = check(k, &r);
	if (!error)
		error = client_store_prepare(&k->store, &r, &ticket);
	if (error)
		return error;
	struct engine_keep keep = {.position = r.number, .waits = true};
	error = engine_publish_kept(c->engine, p, d ? d->token : 0, &keep, &o);
	if (error) {
		client_store_cancel(&k->store, ticket);
		return error;
	}
	struct store_out *e = ticket->subject;
	e->outgoing = o;
	e->delivery = d;
	k->mark_taken = mark ? mark : k->mark_taken;
	k->sendable = r.at_once ? r.number + 1 : k->sendable;
	client_store_put(&k->store, ticket);
	return 0;
}

/* --- left by a process before this one --- */

/* For the callback, which has no tag to go by, but a mark. */
static int new_delivery(nj_client *c, struct store_out *e)
{
	struct nj_delivery *d;
	if (!c->callbacks.published)
		return 0;
	int error = delivery_new(c, DELIVERY_PUBLISH, 0, &d);
	if (error)
		return error;
	error = delivery_enroll(c, d);
	if (error) {
		delivery_drop(d);
		return error;
	}
	d->mark = e->mark;
	d->is_stored = true;
	e->delivery = d;
	return 0;
}

static uint64_t age_of(const struct store_record *r)
{
	uint64_t now_ms = kept_wall_ms();
	return r->taken_ms > 0 && now_ms > r->taken_ms ? now_ms - r->taken_ms : 0;
}

int outbox_restore(nj_client *c, const struct store_record *r, struct store_out *e)
{
	struct outgoing *o;
	struct publish p = {.retain = r->retain,
			    .qos = r->qos,
			    .topic = r->topic,
			    .payload = r->payload,
			    .properties.user = r->properties};
	struct engine_keep keep = {.position = e->number,
				   .is_restored = true,
				   .was_sent = e->qos > 0 && e->number < c->kept->sendable,
				   .is_released = e->is_received,
				   .age_ms = age_of(r)};
	int error = new_delivery(c, e);
	struct nj_delivery *d = e->delivery;
	return error ? error : engine_publish_kept(c->engine, &p, d ? d->token : 0, &keep, &o);
}

/* --- what the engine tells --- */

void outbox_finished(nj_client *c, uint64_t position)
{
	struct store_out *e = store_state_out(&c->kept->store.state, position);
	if (!e)
		return;
	e->outgoing = NULL;
	e->delivery = NULL;
	client_store_done(&c->kept->store, e);
}

bool outbox_pubrec(void *context, uint64_t position)
{
	nj_client *c = context;
	struct store_out *e = store_state_out(&c->kept->store.state, position);
	if (!e || e->is_received)
		return false;
	client_store_received(&c->kept->store, e);
	return true;
}

/* --- what the store tells --- */

static void failed(nj_client *c, struct store_out *e)
{
	struct nj_delivery *d = e->delivery;
	if (e->outgoing)
		engine_unkeep(c->engine, e->outgoing);
	e->outgoing = NULL;
	e->delivery = NULL;
	if (d)
		delivery_finish(d, NJ_NOT_STORED, 0);
}

static void stored(nj_client *c, struct store_out *e)
{
	struct nj_delivery *d = e->delivery;
	struct outgoing *o = e->outgoing;
	if (d) {
		d->is_stored = true;
		if (c->kept->stored && !c->is_freed) {
			d->reference_count++;
			events_add(c, &d->stored_event, EVENT_STORED);
		}
	}
	if (c->wait_count > 0)
		pthread_cond_broadcast(&c->changed);
	e->outgoing = NULL;
	if (o)
		engine_kept(c->engine, o);
}

/* The lowest number that is not finished for good, when this one is. */
static uint64_t floor_behind(const struct store_state *s, const struct store_out *e)
{
	const struct link *first = s->out.next == &e->link ? e->link.next : s->out.next;
	return first == &s->out ? s->next_out : CONTAINER_OF(first, struct store_out, link)->number;
}

void outbox_happened(nj_client *c, const struct store_record *r, struct store_out *e, int error)
{
	if (r->kind == STORE_OUT) {
		error ? failed(c, e) : stored(c, e);
		return;
	}
	if (error)
		return; /* it is not said to the server, and comes again with the next process */
	if (r->kind == STORE_RECEIVED) {
		engine_pubrec_kept(c->engine, e->number);
		return;
	}
	c->finished_count++;
	if (c->wait_count > 0)
		pthread_cond_broadcast(&c->changed);
	engine_set_keep_floor(c->engine, floor_behind(&c->kept->store.state, e));
}

static struct nj_delivery *delivery_of_event(struct event *event)
{
	return CONTAINER_OF(event, struct nj_delivery, stored_event);
}

void outbox_call_stored(nj_client *c, struct event *event)
{
	struct nj_delivery *d = delivery_of_event(event);
	struct nj_stored told = {d->tag, d->mark};
	pthread_mutex_unlock(&c->mutex);
	c->kept->stored(c, c->context, &told);
	pthread_mutex_lock(&c->mutex);
	delivery_drop(d);
}

void outbox_drop_stored(struct event *event)
{
	delivery_drop(delivery_of_event(event));
}

/* --- public calls --- */

static bool is_stored_or_over(nj_client *c, void *subject)
{
	const struct nj_delivery *d = subject;
	(void)c;
	return d->is_stored || d->outcome != NJ_PENDING;
}

int nj_delivery_wait_stored(nj_delivery *d, int64_t timeout_ms)
{
	nj_client *c = d->client;
	pthread_mutex_lock(&c->mutex);
	int error = NJ_ERROR_INVALID;
	if (d->is_stored)
		error = 0;
	else if (d->waits_for_store)
		error = client_wait(c, is_stored_or_over, d, timeout_ms);
	if (!error && !d->is_stored)
		error = d->outcome == NJ_NOT_STORED ? NJ_ERROR_STORE : NJ_ERROR_NOT_FOUND;
	client_leave(c);
	return error;
}
