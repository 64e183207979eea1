/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that came: counted, acknowledged when they are let go. */
#include "base/mem.h"
#include "client/kept.h"

static struct nj_message *message_new(nj_client *c, const struct publish *p)
{
	struct span raw = c->version == MQTT_5 ? p->properties.raw : SPAN_NONE;
	size_t weight = sizeof(struct nj_message) + p->topic.len + p->payload.len + raw.len + 2;
	struct nj_message *m = mem_alloc(weight);
	if (!m)
		return NULL;
	*m = (struct nj_message){.client = c,
				 .reference_count = 1,
				 .weight = weight,
				 .packet_id = p->packet_id,
				 .qos = p->qos,
				 .retain = p->retain,
				 .dup = p->dup};
	char *payload = m->topic + p->topic.len + 1, *properties = payload + p->payload.len + 1;
	memcpy(m->topic, p->topic.ptr, p->topic.len);
	m->topic[p->topic.len] = '\0';
	if (p->payload.len > 0)
		memcpy(payload, p->payload.ptr, p->payload.len);
	payload[p->payload.len] = '\0';
	if (raw.len > 0)
		memcpy(properties, raw.ptr, raw.len);
	m->payload = (struct nj_bytes){payload, p->payload.len};
	m->properties = (struct nj_bytes){properties, raw.len};
	return m;
}

void message_give(nj_client *c, struct nj_message *m)
{
	if (request_takes(c, m))
		return;
	if (c->callbacks.message)
		events_add(c, &m->event, EVENT_MESSAGE);
	else
		list_append(&c->inbox, &m->event.link);
	if (c->wait_count > 0)
		pthread_cond_broadcast(&c->changed);
}

static struct nj_message *first_of(struct link *messages)
{
	return CONTAINER_OF(messages->next, struct nj_message, event.link);
}

static void give_first_held(nj_client *c)
{
	struct nj_message *m = first_of(&c->held);
	link_remove(&m->event.link);
	message_give(c, m);
}

void message_give_held(nj_client *c)
{
	while (!list_is_empty(&c->held))
		give_first_held(c);
}

void message_released(nj_client *c, uint16_t packet_id)
{
	for (struct link *at = c->held.next; at != &c->held; at = at->next) {
		struct nj_message *m = CONTAINER_OF(at, struct nj_message, event.link);
		if (m->packet_id != packet_id)
			continue;
		link_remove(at);
		message_give(c, m);
		return;
	}
}

static void let_go(nj_client *c, struct nj_message *m)
{
	(void)!engine_acknowledge(c->engine, m->handle, REASON_SUCCESS);
	m->handle = 0;
}

/* Where there is no room for more the oldest do not wait: their PUBRELs would never be read. */
static void hold(nj_client *c, struct nj_message *m)
{
	list_append(&c->held, &m->event.link);
	let_go(c, m);
	while (c->inbox_bytes >= c->inbox_bytes_max && !list_is_empty(&c->held))
		give_first_held(c);
}

struct nj_message *message_take(nj_client *c, const struct publish *p, uint64_t handle)
{
	struct nj_message *m = message_new(c, p);
	if (!m)
		return NULL;
	m->handle = handle;
	m->event.kind = EVENT_MESSAGE;
	c->reference_count++;
	c->inbox_bytes += m->weight;
	return m;
}

static void give_or_hold(nj_client *c, struct nj_message *m)
{
	if (c->acknowledges_early && m->qos == 1)
		let_go(c, m);
	if (c->holds_until_release && m->qos == 2)
		hold(c, m);
	else
		message_give(c, m);
}

static int arrived(nj_client *c, const struct publish *p, uint64_t handle)
{
	struct nj_message *m = message_take(c, p, handle);
	int error = 0;
	if (!m)
		return ERROR_NO_MEMORY;
	if (c->kept && handle != 0)
		error = inbox_arrived(c, m, p);
	else
		give_or_hold(c, m);
	if (error) {
		m->handle = 0; /* not to be acknowledged */
		message_drop(m);
	}
	return error;
}

/* Without memory: one that must not be lost is to come again, with another connection. */
void message_arrived(nj_client *c, const struct publish *p, uint64_t handle)
{
	if (arrived(c, p, handle) && handle != 0) {
		engine_give_back(c->engine, handle);
		engine_disconnect(c->engine,
				  &(struct disconnect){.reason_code = REASON_QUOTA_EXCEEDED});
	}
}

static bool is_alive(const nj_client *c)
{
	return !c->is_disposed && !c->is_freed;
}

static bool is_owed(const nj_client *c, const struct nj_message *m)
{
	return m->mark != 0 ? inbox_owes(c, m)
			    : m->handle != 0 && engine_owes(c->engine, m->handle);
}

static int answer(nj_client *c, const struct nj_message *m, uint8_t reason_code)
{
	return m->mark != 0 ? inbox_let_go(c, m, reason_code)
			    : engine_acknowledge(c->engine, m->handle, reason_code);
}

void message_drop(struct nj_message *m)
{
	nj_client *c = m->client;
	if (--m->reference_count > 0)
		return;
	if (is_alive(c)) {
		if ((m->handle != 0 || m->mark != 0) && (!c->has_manual_ack || m->is_response))
			(void)!answer(c, m, REASON_SUCCESS);
		client_wake(c);
	}
	c->inbox_bytes -= m->weight;
	c->reference_count--;
	mem_free(m);
}

void message_again_due(nj_client *c, uint64_t now_ms)
{
	for (struct link *at = c->again.next, *next; at != &c->again; at = next) {
		struct nj_message *m = CONTAINER_OF(at, struct nj_message, event.link);
		next = at->next;
		if (m->again_ms > now_ms)
			continue;
		link_remove(at);
		/* else the server has sent it again meanwhile, or has forgotten it */
		if (is_owed(c, m))
			message_give(c, m);
		else
			message_drop(m);
	}
}

static void drop_all(struct link *messages)
{
	while (!list_is_empty(messages)) {
		struct nj_message *m = first_of(messages);
		link_remove(&m->event.link);
		message_drop(m);
	}
}

void message_give_up(nj_client *c)
{
	drop_all(&c->inbox);
	drop_all(&c->again);
	drop_all(&c->held);
}

/* --- public calls --- */

static bool has_message(nj_client *c, void *subject)
{
	(void)subject;
	bool is_over = !c->wants_connection && c->link == LINK_DOWN;
	return !list_is_empty(&c->inbox) || is_over;
}

int nj_receive(nj_client *c, int64_t timeout_ms, nj_message **message_out)
{
	pthread_mutex_lock(&c->mutex);
	int error = c->callbacks.message ? NJ_ERROR_INVALID
					 : client_wait(c, has_message, NULL, timeout_ms);
	if (!error && list_is_empty(&c->inbox))
		error = NJ_ERROR_CLOSED;
	if (!error) {
		struct nj_message *m = first_of(&c->inbox);
		link_remove(&m->event.link);
		*message_out = m;
	}
	client_leave(c);
	return error;
}

const char *nj_message_topic(const nj_message *m)
{
	return m->topic;
}

struct nj_bytes nj_message_payload(const nj_message *m)
{
	return m->payload;
}

uint8_t nj_message_qos(const nj_message *m)
{
	return m->qos;
}

uint16_t nj_message_packet_id(const nj_message *m)
{
	return m->packet_id;
}

bool nj_message_retain(const nj_message *m)
{
	return m->retain;
}

bool nj_message_dup(const nj_message *m)
{
	return m->dup;
}

struct nj_bytes nj_message_properties(const nj_message *m)
{
	return m->properties;
}

void nj_message_ref(nj_message *m)
{
	nj_client *c = m->client;
	pthread_mutex_lock(&c->mutex);
	m->reference_count++;
	pthread_mutex_unlock(&c->mutex);
}

void nj_message_unref(nj_message *m)
{
	nj_client *c = m->client;
	pthread_mutex_lock(&c->mutex);
	c->reference_count++; /* over the drop */
	message_drop(m);
	client_unref(c);
}

/* Locks; on 0 the message is owed and the lock is held. */
static int begin_answer(nj_message *m)
{
	nj_client *c = m->client;
	int error = 0;
	pthread_mutex_lock(&c->mutex);
	if (!c->has_manual_ack)
		error = NJ_ERROR_INVALID;
	else if (!is_alive(c) || !is_owed(c, m))
		error = NJ_ERROR_NOT_FOUND;
	if (error)
		pthread_mutex_unlock(&c->mutex);
	return error;
}

static int acknowledge(nj_message *m, uint8_t reason_code)
{
	int error = begin_answer(m);
	if (error)
		return error;
	error = answer(m->client, m, reason_code);
	client_wake(m->client);
	pthread_mutex_unlock(&m->client->mutex);
	return error;
}

int nj_ack(nj_message *m)
{
	return acknowledge(m, REASON_SUCCESS);
}

int nj_refuse(nj_message *m, uint8_t reason_code)
{
	return reason_code < 0x80 ? NJ_ERROR_INVALID : acknowledge(m, reason_code);
}

int nj_again(nj_message *m, uint32_t after_ms)
{
	int error = begin_answer(m);
	if (error)
		return error;
	if (link_is_listed(&m->event.link)) {
		error = NJ_ERROR_INVALID; /* it is on its way already */
	} else {
		m->reference_count++;
		m->again_ms = client_now_ms() + after_ms;
		list_append(&m->client->again, &m->event.link);
		client_wake(m->client);
	}
	pthread_mutex_unlock(&m->client->mutex);
	return error;
}

int nj_give_back(nj_message *m)
{
	int error = begin_answer(m);
	if (error)
		return error;
	if (m->mark != 0)
		error = inbox_give_back(m->client, m);
	else
		engine_give_back(m->client->engine, m->handle);
	if (!error)
		engine_disconnect(m->client->engine, NULL);
	client_wake(m->client);
	pthread_mutex_unlock(&m->client->mutex);
	return error;
}
