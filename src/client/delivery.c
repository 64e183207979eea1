/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of what was sent. */
#include "base/mem.h"
#include "client/kept.h"

/* --- names for the engine ---
 *
 * The engine takes a number along. Slots that are free form a chain: each holds the index, plus
 * one, of the next. */

static int grow_slots(nj_client *c)
{
	uint32_t capacity = c->slot_capacity ? c->slot_capacity * 2 : 8;
	struct nj_delivery **slots = mem_realloc(c->slots, capacity * sizeof(struct nj_delivery *));
	if (!slots)
		return ERROR_NO_MEMORY;
	for (uint32_t i = capacity; i > c->slot_capacity; i--) {
		slots[i - 1] = (struct nj_delivery *)(uintptr_t)c->slot_free;
		c->slot_free = i;
	}
	c->slots = slots;
	c->slot_capacity = capacity;
	return 0;
}

int delivery_enroll(nj_client *c, struct nj_delivery *d)
{
	if (c->slot_free == 0 && grow_slots(c))
		return ERROR_NO_MEMORY;
	d->token = c->slot_free;
	c->slot_free = (uint32_t)(uintptr_t)c->slots[d->token - 1];
	c->slots[d->token - 1] = d;
	return 0;
}

struct nj_delivery *delivery_of(nj_client *c, uint32_t token)
{
	return token > 0 ? c->slots[token - 1] : NULL;
}

void delivery_leave(nj_client *c, struct nj_delivery *d)
{
	if (d->token == 0)
		return;
	c->slots[d->token - 1] = (struct nj_delivery *)(uintptr_t)c->slot_free;
	c->slot_free = d->token;
	d->token = 0;
}

/* --- life --- */

int delivery_new(nj_client *c, enum delivery_kind kind, size_t extra, struct nj_delivery **out)
{
	struct nj_delivery *d = mem_zalloc(sizeof(*d) + extra);
	if (!d)
		return ERROR_NO_MEMORY;
	d->client = c;
	d->kind = kind;
	d->reference_count = 1;
	list_init(&d->prepared);
	c->reference_count++;
	*out = d;
	return 0;
}

void delivery_drop(struct nj_delivery *d)
{
	if (--d->reference_count > 0)
		return;
	d->client->reference_count--; /* never the last: the caller holds the lock */
	while (!list_is_empty(&d->prepared)) {
		struct link *first = d->prepared.next;
		link_remove(first);
		mem_free(CONTAINER_OF(first, struct subscription, event.link));
	}
	mem_free(d);
}

void delivery_finish(struct nj_delivery *d, enum nj_outcome outcome, uint8_t reason_code)
{
	nj_client *c = d->client;
	link_remove(&d->event.link);
	delivery_leave(c, d);
	d->outcome = outcome;
	d->reason_code = reason_code;
	c->finished_count++;
	if (c->wait_count > 0)
		pthread_cond_broadcast(&c->changed);
	if (d->request)
		request_published(d);
	if (d->kind == DELIVERY_PUBLISH && c->callbacks.published && !c->is_freed)
		events_add(c, &d->event, EVENT_PUBLISHED);
	else if (d->kind != DELIVERY_PUBLISH && c->callbacks.answered && !c->is_freed &&
		 !d->is_internal && !d->is_hidden)
		events_add(c, &d->event, EVENT_ANSWERED);
	else
		delivery_drop(d);
}

/* --- from the engine --- */

void delivery_published(nj_client *c, const struct engine_published *p)
{
	struct nj_delivery *d = delivery_of(c, p->token);
	c->finished_count++;
	if (c->wait_count > 0)
		pthread_cond_broadcast(&c->changed);
	if (c->kept && p->position != POSITION_NONE)
		outbox_finished(c, p->position);
	if (!d)
		return;
	d->packet_id = p->packet_id;
	d->was_sent = p->was_sent;
	bool is_dropped = p->reason_code == REASON_QUOTA_EXCEEDED ||
			  p->reason_code == REASON_UNSPECIFIED_ERROR;
	if (p->is_expired) {
		delivery_finish(d, NJ_EXPIRED, p->reason_code);
	} else if (!p->was_sent && is_dropped) {
		delivery_finish(d, NJ_DROPPED, p->reason_code);
	} else if (p->reason_code >= 0x80) {
		delivery_finish(d, NJ_REFUSED, p->reason_code);
	} else if (p->packet_id != 0) {
		delivery_finish(d, NJ_ACKNOWLEDGED, p->reason_code);
	} else {
		delivery_leave(c, d);
		d->written_position = c->written + engine_output(c->engine).len;
		list_append(&c->unwritten, &d->event.link);
	}
}

static struct nj_delivery *first_of(struct link *deliveries)
{
	return CONTAINER_OF(deliveries->next, struct nj_delivery, event.link);
}

void delivery_written(nj_client *c)
{
	while (!list_is_empty(&c->unwritten) &&
	       first_of(&c->unwritten)->written_position <= c->written)
		delivery_finish(first_of(&c->unwritten), NJ_SENT, 0);
}

void delivery_unwritten_lost(nj_client *c)
{
	while (!list_is_empty(&c->unwritten))
		delivery_finish(first_of(&c->unwritten), NJ_DROPPED, 0);
}

void delivery_give_up(nj_client *c)
{
	struct link *const lists[] = {&c->unwritten, &c->requests, &c->requests_sent};
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
		while (!list_is_empty(lists[i]))
			delivery_finish(first_of(lists[i]), NJ_GIVEN_UP, 0);
	/* of what is left, the slots that are in use: the free ones hold small numbers */
	for (uint32_t i = c->slot_free; i > 0;) {
		uint32_t next = (uint32_t)(uintptr_t)c->slots[i - 1];
		c->slots[i - 1] = NULL;
		i = next;
	}
	for (uint32_t i = 0; i < c->slot_capacity; i++) {
		struct nj_delivery *d = c->slots[i];
		c->slots[i] = NULL;
		if (!d)
			continue;
		d->token = 0;
		delivery_finish(d, NJ_GIVEN_UP, 0);
	}
	c->slot_free = 0;
}

/* --- publish --- */

struct room_wait {
	uint64_t finished_count;
};

static bool has_more_room(nj_client *c, void *subject)
{
	const struct room_wait *wait = subject;
	return c->finished_count != wait->finished_count;
}

/* 0: try again. */
static int make_room(nj_client *c)
{
	struct room_wait wait = {c->finished_count};
	if (c->when_full == NJ_FULL_WAIT)
		return client_wait(c, has_more_room, &wait, -1);
	if (c->when_full == NJ_FULL_DROP_OLDEST && !outbox_is_stuck(c) &&
	    engine_drop_oldest(c->engine))
		return 0;
	return NJ_ERROR_FULL;
}

static int hand_over(nj_client *c, const struct publish *p, uint64_t mark, struct nj_delivery *d)
{
	if (outbox_keeps(c, p->qos))
		return outbox_publish(c, p, mark, d);
	return engine_publish(c->engine, p, d ? d->token : 0);
}

static int publish_tracked(nj_client *c, const struct publish *p, uint64_t mark,
			   struct nj_delivery *d)
{
	int error = 0;
	do {
		if (c->is_freed)
			return NJ_ERROR_CLOSED;
		if (d && d->token == 0)
			error = delivery_enroll(c, d);
		engine_set_now(c->engine, client_now_ms());
		if (!error)
			error = hand_over(c, p, mark, d);
		if (!error)
			return 0;
		if (d)
			delivery_leave(c, d);
		if (error == ERROR_AGAIN)
			error = make_room(c);
		else
			return error;
	} while (!error);
	return error;
}

/* Locked. The engine may finish the message before it returns. */
static int publish(nj_client *c, const struct publish *p, const struct nj_message_out *m,
		   struct pending_request *request, nj_delivery **delivery_out)
{
	struct nj_delivery *d = NULL;
	bool tells_stored = c->kept && c->kept->stored;
	if (delivery_out || c->callbacks.published || tells_stored || request) {
		int error = delivery_new(c, DELIVERY_PUBLISH, 0, &d);
		if (error)
			return error;
		d->tag = m->tag;
		d->mark = m->mark;
		d->waits_for_store = outbox_keeps(c, p->qos);
		d->reference_count += delivery_out != NULL;
		d->request = request;
		if (request)
			request->delivery = d;
	}
	int error = publish_tracked(c, p, m->mark, d);
	if (error && d) {
		d->reference_count = 1;
		if (d->request)
			d->request->delivery = NULL;
		delivery_drop(d);
		return error;
	}
	if (!error && delivery_out)
		*delivery_out = d;
	if (!error)
		client_wake(c);
	return error;
}

int delivery_publish(nj_client *c, const struct nj_message_out *m, struct pending_request *request,
		     nj_delivery **delivery_out)
{
	struct span properties;
	if (!m->topic || m->qos > QOS_MAX)
		return NJ_ERROR_INVALID;
	int error =
		property_list_encode(m->properties, m->property_count, PACKET_PUBLISH, &properties);
	if (error)
		return error;
	struct publish p = {.retain = m->retain,
			    .qos = m->qos,
			    .topic = span_of_text(m->topic),
			    .payload = span_of(m->payload, m->payload_len),
			    .properties.user = properties};
	error = publish(c, &p, m, request, delivery_out);
	mem_free((void *)properties.ptr);
	return error;
}

int nj_publish(nj_client *c, const struct nj_message_out *m, nj_delivery **delivery_out)
{
	pthread_mutex_lock(&c->mutex);
	int error = delivery_publish(c, m, NULL, delivery_out);
	client_leave(c);
	return error;
}

/* --- for the application --- */

static bool has_outcome(nj_client *c, void *subject)
{
	(void)c;
	return ((struct nj_delivery *)subject)->outcome != NJ_PENDING;
}

int nj_delivery_wait(nj_delivery *d, int64_t timeout_ms)
{
	nj_client *c = d->client;
	pthread_mutex_lock(&c->mutex);
	int error = client_wait(c, has_outcome, d, timeout_ms);
	client_leave(c);
	return error;
}

enum nj_outcome nj_delivery_outcome(nj_delivery *d, uint8_t *reason_code_out)
{
	nj_client *c = d->client;
	pthread_mutex_lock(&c->mutex);
	enum nj_outcome outcome = d->outcome;
	if (reason_code_out && outcome != NJ_PENDING)
		*reason_code_out = d->reason_code;
	pthread_mutex_unlock(&c->mutex);
	return outcome;
}

struct nj_bytes nj_delivery_reason_codes(nj_delivery *d)
{
	nj_client *c = d->client;
	pthread_mutex_lock(&c->mutex);
	struct nj_bytes codes = {d->bytes + d->filters_len + d->properties_len, d->code_count};
	pthread_mutex_unlock(&c->mutex);
	return codes;
}

void nj_delivery_free(nj_delivery *d)
{
	if (!d)
		return;
	nj_client *c = d->client;
	pthread_mutex_lock(&c->mutex);
	c->reference_count++; /* over the drop */
	delivery_drop(d);
	client_unref(c);
}
