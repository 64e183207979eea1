/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine reports, under the lock, and how callbacks get it, without. */
#include "base/mem.h"
#include "client/kept.h"

void events_add(nj_client *c, struct event *event, enum event_kind kind)
{
	event->kind = kind;
	list_append(&c->events, &event->link);
}

/* --- from the engine --- */

/* Without memory the application is not told the properties, and all goes on. */
static void keep_properties(nj_client *c, struct span raw)
{
	mem_free((void *)c->connack_properties.ptr);
	c->connack_properties = (struct nj_bytes){NULL, 0};
	uint8_t *copy = raw.len > 0 ? mem_alloc(raw.len) : NULL;
	if (!copy)
		return;
	memcpy(copy, raw.ptr, raw.len);
	c->connack_properties = (struct nj_bytes){copy, raw.len};
}

static void on_connected(void *context, const struct connack *connack)
{
	nj_client *c = context;
	c->connected_ms = client_now_ms();
	if (c->kept && kept_connected(c, connack->session_present))
		engine_disconnect(c->engine,
				  &(struct disconnect){.reason_code = REASON_QUOTA_EXCEEDED});
	c->session_present = connack->session_present;
	c->session_lost = c->had_connection && !connack->session_present;
	c->had_connection = true;
	keep_properties(c, c->version == MQTT_5 ? connack->properties.raw : SPAN_NONE);
	if (c->callbacks.connected && !link_is_listed(&c->connected_event.link))
		events_add(c, &c->connected_event, EVENT_CONNECTED);
	if (!connack->session_present) {
		message_give_held(c); /* no PUBREL will come, and we said they are ours */
		subscribe_all_again(c);
	}
	subscribe_pending(c);
}

void events_disconnected(nj_client *c, enum nj_end end, uint8_t reason_code, const char *text)
{
	bool retries = c->link == LINK_WAITING;
	uint64_t now_ms = client_now_ms();
	uint64_t wait = c->retry_at_ms > now_ms ? c->retry_at_ms - now_ms : 0;
	if (end == NJ_END_LOST && c->is_late)
		end = NJ_END_SILENT;
	c->disconnected = (struct nj_disconnected){.end = end,
						   .reason_code = reason_code,
						   .system_error = c->system_error,
						   .text = text,
						   .retry_ms = retries ? (int64_t)wait : -1};
	c->has_failed = true;
	c->system_error = 0;
	c->is_late = false;
	if (c->callbacks.disconnected && !link_is_listed(&c->disconnected_event.link))
		events_add(c, &c->disconnected_event, EVENT_DISCONNECTED);
}

static void on_closed(void *context, const struct engine_closed *closed)
{
	static const enum nj_end ends[] = {
		[ENGINE_END_DISCONNECTED] = NJ_END_DISCONNECTED,
		[ENGINE_END_REFUSED] = NJ_END_REFUSED,
		[ENGINE_END_SERVER] = NJ_END_SERVER,
		[ENGINE_END_LOST] = NJ_END_LOST,
		[ENGINE_END_FLAW] = NJ_END_FLAW,
		[ENGINE_END_SILENT] = NJ_END_SILENT,
		[ENGINE_END_NO_MEMORY] = NJ_END_NO_MEMORY,
		[ENGINE_END_UNPROVEN] = NJ_END_UNPROVEN,
	};
	nj_client *c = context;
	c->was_refused |= closed->end == ENGINE_END_REFUSED;
	if (c->kept)
		kept_lost(c);
	auth_lost(c, closed);
	subscribe_lost(c);
	delivery_unwritten_lost(c);
	bool has_reason = closed->end == ENGINE_END_LOST && c->carry.reason[0];
	events_disconnected(c, ends[closed->end], closed->reason_code,
			    has_reason ? c->carry.reason : closed->text);
}

static void on_message(void *context, const struct publish *message, uint64_t handle)
{
	message_arrived(context, message, handle);
}

static void on_published(void *context, const struct engine_published *published)
{
	delivery_published(context, published);
}

static void on_answered(void *context, const struct engine_answered *answered)
{
	subscribe_answered(context, answered);
}

static void on_released(void *context, uint16_t packet_id)
{
	message_released(context, packet_id);
}

static void on_auth(void *context, const struct auth *auth)
{
	auth_came(context, auth);
}

static bool on_admission(void *context, const struct connack *connack)
{
	return auth_admits(context, connack);
}

const struct engine_events client_engine_events = {
	.connected = on_connected,
	.closed = on_closed,
	.message = on_message,
	.published = on_published,
	.answered = on_answered,
	.released = on_released,
	.auth = on_auth,
	.admits = on_admission,
};

/* --- to the application --- */

/* The id can change with the next CONNACK, which only the driver sees: it calls us. */
static void call_connected(nj_client *c)
{
	struct nj_connected connected = {.session_present = c->session_present,
					 .session_lost = c->session_lost,
					 .properties = c->connack_properties};
	char *id = mem_copy_text(engine_client_id(c->engine));
	connected.client_id = id ? id : "";
	pthread_mutex_unlock(&c->mutex);
	c->callbacks.connected(c, c->context, &connected);
	mem_free(id);
	pthread_mutex_lock(&c->mutex);
}

static void call_disconnected(nj_client *c)
{
	struct nj_disconnected disconnected = c->disconnected;
	pthread_mutex_unlock(&c->mutex);
	c->callbacks.disconnected(c, c->context, &disconnected);
	pthread_mutex_lock(&c->mutex);
}

static void call_message(nj_client *c, struct nj_message *m)
{
	pthread_mutex_unlock(&c->mutex);
	c->callbacks.message(c, c->context, m);
	pthread_mutex_lock(&c->mutex);
	message_drop(m);
}

static void call_published(nj_client *c, struct nj_delivery *d)
{
	struct nj_published published = {d->outcome,   d->reason_code, d->tag,
					 d->packet_id, d->was_sent,    d->mark};
	pthread_mutex_unlock(&c->mutex);
	c->callbacks.published(c, c->context, &published);
	pthread_mutex_lock(&c->mutex);
	delivery_drop(d);
}

static void call_unsubscribed(nj_client *c, struct subscription *s)
{
	pthread_mutex_unlock(&c->mutex);
	c->callbacks.unsubscribed(c, c->context, s->filter, s->reason_code);
	pthread_mutex_lock(&c->mutex);
	mem_free(s);
}

static void call_answered(nj_client *c, struct nj_delivery *d)
{
	pthread_mutex_unlock(&c->mutex);
	c->callbacks.answered(c, c->context, d);
	pthread_mutex_lock(&c->mutex);
	delivery_drop(d);
}

static void call(nj_client *c, struct event *e)
{
	switch (e->kind) {
	case EVENT_CONNECTED: call_connected(c); break;
	case EVENT_DISCONNECTED: call_disconnected(c); break;
	case EVENT_MESSAGE: call_message(c, CONTAINER_OF(e, struct nj_message, event)); break;
	case EVENT_PUBLISHED: call_published(c, CONTAINER_OF(e, struct nj_delivery, event)); break;
	case EVENT_UNSUBSCRIBED:
		call_unsubscribed(c, CONTAINER_OF(e, struct subscription, event));
		break;
	case EVENT_ANSWERED: call_answered(c, CONTAINER_OF(e, struct nj_delivery, event)); break;
	case EVENT_PACKET: packet_call(c, e); break;
	case EVENT_STORED: outbox_call_stored(c, e); break;
	case EVENT_AUTH: auth_call(c); break;
	case EVENT_RESPONSE: request_call(c, e); break;
	case EVENT_STORE_SAYS: kept_call_said(c, e); break;
	}
}

static struct event *first_of(struct link *events)
{
	return CONTAINER_OF(events->next, struct event, link);
}

/* What callbacks add comes in the next turn, so that a turn ends. */
void events_hand_out(nj_client *c)
{
	c->is_handing = true;
	while (!list_is_empty(&c->events)) {
		struct event *e = first_of(&c->events);
		link_remove(&e->link);
		list_append(&c->handing, &e->link);
	}
	while (!list_is_empty(&c->handing) && !c->is_freed) {
		struct event *e = first_of(&c->handing);
		link_remove(&e->link);
		call(c, e);
	}
	c->is_handing = false;
}

void events_drop(struct link *events)
{
	while (!list_is_empty(events)) {
		struct event *e = first_of(events);
		link_remove(&e->link);
		if (e->kind == EVENT_MESSAGE)
			message_drop(CONTAINER_OF(e, struct nj_message, event));
		else if (e->kind == EVENT_PUBLISHED || e->kind == EVENT_ANSWERED)
			delivery_drop(CONTAINER_OF(e, struct nj_delivery, event));
		else if (e->kind == EVENT_UNSUBSCRIBED)
			mem_free(CONTAINER_OF(e, struct subscription, event));
		else if (e->kind == EVENT_PACKET)
			packet_drop(e);
		else if (e->kind == EVENT_RESPONSE)
			request_drop(e);
		else if (e->kind == EVENT_STORED)
			outbox_drop_stored(e);
		else if (e->kind == EVENT_STORE_SAYS)
			kept_drop_said(e);
	}
}
