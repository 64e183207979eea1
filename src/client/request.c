/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and responses ([5] 4.10). A request carries the response topic of its client, and as
 * Correlation Data eight bytes that are this client's, and eight that count:
 *
 *	instance | number      known, outstanding   the response
 *	instance | number      known, over          late: it is dropped
 *	anything else                               foreign: a message like any other
 */
#include <stdio.h>
#include <sys/random.h>

#include "base/mem.h"
#include "client/client_state.h"
#include "mqtt/topic.h"

#define CORRELATION_BYTES 16
#define OWN_TOPIC "nightjar/response/"
#define PROPERTIES_ADDED 3

int request_configure(nj_client *c, const struct nj_options *o)
{
	struct responses *r = &c->responses;
	r->outstanding_max = o->requests_max;
	if (!o->response_topic)
		return 0;
	r->given_topic = mem_copy_text(span_of_text(o->response_topic));
	return r->given_topic ? 0 : ERROR_NO_MEMORY;
}

void request_release(nj_client *c)
{
	mem_free(c->responses.given_topic);
	mem_free(c->responses.topic);
}

/* --- the end of a request --- */

static void drop(struct pending_request *p)
{
	if (--p->reference_count == 0)
		mem_free(p);
}

/* Takes over a response. */
static void finish(nj_client *c, struct pending_request *p, int error, struct nj_message *response)
{
	link_remove(&p->event.link);
	c->responses.counts.outstanding--;
	if (p->delivery)
		p->delivery->request = NULL;
	p->delivery = NULL;
	p->is_done = true;
	p->error = error;
	p->response = response;
	if (p->callback && !c->is_freed) {
		events_add(c, &p->event, EVENT_RESPONSE);
		return;
	}
	pthread_cond_broadcast(&c->changed);
	drop(p); /* who waits has a reference of his own */
}

static struct pending_request *pending_of(struct link *link)
{
	return CONTAINER_OF(link, struct pending_request, event.link);
}

void request_published(struct nj_delivery *d)
{
	bool has_nobody =
		d->outcome == NJ_ACKNOWLEDGED && d->reason_code == REASON_NO_MATCHING_SUBSCRIBERS;
	struct pending_request *p = d->request;
	d->request = NULL;
	p->delivery = NULL;
	if (has_nobody)
		finish(d->client, p, NJ_ERROR_NOT_FOUND, NULL);
	else if (d->outcome == NJ_REFUSED)
		finish(d->client, p, NJ_ERROR_REFUSED, NULL);
	else if (d->outcome == NJ_EXPIRED)
		finish(d->client, p, NJ_ERROR_TIMED_OUT, NULL);
	else if (d->outcome == NJ_DROPPED || d->outcome == NJ_GIVEN_UP)
		finish(d->client, p, NJ_ERROR_CLOSED, NULL);
}

static void finish_all(nj_client *c, int error)
{
	struct link *const outstanding = &c->responses.outstanding;
	while (!list_is_empty(outstanding))
		finish(c, pending_of(outstanding->next), error, NULL);
}

/* Without a subscription no response can come. */
static void look_at_subscription(nj_client *c)
{
	struct responses *r = &c->responses;
	if (!r->subscription || r->subscription->outcome == NJ_PENDING)
		return;
	bool is_refused = r->subscription->outcome != NJ_ACKNOWLEDGED;
	delivery_drop(r->subscription);
	r->subscription = NULL;
	if (!is_refused)
		return;
	mem_free(r->topic); /* the next request tries again */
	r->topic = NULL;
	finish_all(c, NJ_ERROR_REFUSED);
}

void request_due(nj_client *c, uint64_t now_ms)
{
	struct link *const outstanding = &c->responses.outstanding;
	look_at_subscription(c);
	for (struct link *at = outstanding->next, *next; at != outstanding; at = next) {
		next = at->next;
		if (pending_of(at)->deadline_ms <= now_ms)
			finish(c, pending_of(at), NJ_ERROR_TIMED_OUT, NULL);
	}
}

uint64_t request_deadline(const nj_client *c)
{
	const struct link *const outstanding = &c->responses.outstanding;
	uint64_t due = UINT64_MAX;
	if (c->responses.subscription && c->responses.subscription->outcome != NJ_PENDING)
		return 0;
	for (struct link *at = outstanding->next; at != outstanding; at = at->next)
		if (pending_of(at)->deadline_ms < due)
			due = pending_of(at)->deadline_ms;
	return due;
}

void request_give_up(nj_client *c)
{
	finish_all(c, NJ_ERROR_CLOSED);
	if (c->responses.subscription)
		delivery_drop(c->responses.subscription);
	c->responses.subscription = NULL;
}

void request_call(nj_client *c, struct event *event)
{
	struct pending_request *p = CONTAINER_OF(event, struct pending_request, event);
	pthread_mutex_unlock(&c->mutex);
	p->callback(c, p->context, p->error, p->response);
	pthread_mutex_lock(&c->mutex);
	request_drop(event);
}

void request_drop(struct event *event)
{
	struct pending_request *p = CONTAINER_OF(event, struct pending_request, event);
	if (p->response)
		message_drop(p->response);
	drop(p);
}

/* --- what comes --- */

static struct pending_request *find(nj_client *c, uint64_t number)
{
	struct link *const outstanding = &c->responses.outstanding;
	for (struct link *at = outstanding->next; at != outstanding; at = at->next)
		if (pending_of(at)->number == number)
			return pending_of(at);
	return NULL;
}

bool request_takes(nj_client *c, struct nj_message *m)
{
	struct responses *r = &c->responses;
	struct nj_property data;
	uint64_t number;
	if (!r->topic || strcmp(r->topic, m->topic) != 0)
		return false;
	bool is_mine = nj_property_find(m->properties, NJ_CORRELATION_DATA, &data) &&
		       data.text.len == CORRELATION_BYTES &&
		       memcmp(data.text.ptr, r->instance, sizeof(r->instance)) == 0;
	if (!is_mine) {
		r->counts.foreign++;
		return false;
	}
	memcpy(&number, (const uint8_t *)data.text.ptr + sizeof(r->instance), sizeof(number));
	struct pending_request *p = find(c, number);
	m->is_response = true;
	r->counts.answered += p != NULL;
	r->counts.late += p == NULL;
	if (p)
		finish(c, p, 0, m);
	else
		message_drop(m);
	return true;
}

/* --- a request --- */

static char *join(const char *first, struct span second, const char *third)
{
	size_t len = strlen(first) + second.len + strlen(third) + 1;
	char *text = mem_alloc(len);
	if (text)
		snprintf(text, len, "%s%.*s%s", first, (int)second.len, (const char *)second.ptr,
			 third);
	return text;
}

/* The server may reserve a part of the tree for this client ([5] 4.10.1). */
static char *make_topic(nj_client *c)
{
	struct nj_property p;
	if (c->responses.given_topic)
		return join(c->responses.given_topic, SPAN_NONE, "");
	if (nj_property_find(c->connack_properties, NJ_RESPONSE_INFORMATION, &p) && p.text.len > 0)
		return join("", span_of(p.text.ptr, p.text.len), "/response");
	return join(OWN_TOPIC, engine_client_id(c->engine), "");
}

/* The topic that responses to a request of now go to, and a subscription to it. */
static int prepare_topic(nj_client *c)
{
	struct responses *r = &c->responses;
	char *topic = make_topic(c);
	if (!topic)
		return ERROR_NO_MEMORY;
	if (r->topic && strcmp(r->topic, topic) == 0) {
		mem_free(topic);
		return 0;
	}
	if (!topic_name_is_valid(span_of_text(topic))) {
		mem_free(topic);
		return NJ_ERROR_INVALID;
	}
	if (r->subscription)
		delivery_drop(r->subscription);
	r->subscription = NULL;
	int error = subscribe_hidden(c, topic, &r->subscription);
	if (error) {
		mem_free(topic);
		return error;
	}
	mem_free(r->topic);
	r->topic = topic;
	return 0;
}

static int prepare_instance(struct responses *r)
{
	if (!r->has_instance &&
	    getrandom(r->instance, sizeof(r->instance), 0) != sizeof(r->instance))
		return ERROR_SYSTEM;
	r->has_instance = true;
	return 0;
}

static bool has_expiry(const struct nj_message_out *m)
{
	for (size_t i = 0; i < m->property_count; i++)
		if (m->properties[i].id == NJ_MESSAGE_EXPIRY_INTERVAL)
			return true;
	return false;
}

/* The caller's properties and ours; nobody wants the request when its time is over. */
static int publish(nj_client *c, struct pending_request *p, const struct nj_message_out *m,
		   int64_t timeout_ms)
{
	struct responses *r = &c->responses;
	uint8_t correlation[CORRELATION_BYTES];
	size_t count = m->property_count;
	struct nj_property *all = mem_zalloc((count + PROPERTIES_ADDED) * sizeof(*all));
	struct nj_message_out out = *m;
	if (!all)
		return ERROR_NO_MEMORY;
	memcpy(correlation, r->instance, sizeof(r->instance));
	memcpy(correlation + sizeof(r->instance), &p->number, sizeof(p->number));
	if (count > 0)
		memcpy(all, m->properties, count * sizeof(*all));
	all[count].id = NJ_RESPONSE_TOPIC;
	all[count++].text = (struct nj_bytes){r->topic, strlen(r->topic)};
	all[count].id = NJ_CORRELATION_DATA;
	all[count++].text = (struct nj_bytes){correlation, sizeof(correlation)};
	if (timeout_ms > 0 && timeout_ms < (int64_t)UINT32_MAX * 1000 && !has_expiry(m)) {
		all[count].id = NJ_MESSAGE_EXPIRY_INTERVAL;
		all[count++].number = (uint32_t)((timeout_ms + 999) / 1000);
	}
	out.properties = all;
	out.property_count = count;
	int error = delivery_publish(c, &out, p, NULL);
	mem_free(all);
	return error;
}

static int check(nj_client *c, const struct nj_message_out *m, int64_t timeout_ms)
{
	if (c->version != NJ_MQTT_5 || timeout_ms == 0 || !m->topic)
		return NJ_ERROR_INVALID;
	if (c->responses.counts.outstanding >= c->responses.outstanding_max)
		return NJ_ERROR_LIMIT;
	/* before it neither our id nor what the server reserves need be known */
	return c->had_connection || c->responses.given_topic ? 0 : NJ_ERROR_CLOSED;
}

/* Locked. What is given out has a reference of the caller's. */
static int begin(nj_client *c, const struct nj_message_out *m, int64_t timeout_ms,
		 nj_response callback, void *context, struct pending_request **request_out)
{
	int error = check(c, m, timeout_ms);
	if (!error)
		error = prepare_instance(&c->responses);
	if (!error)
		error = prepare_topic(c);
	if (error)
		return error;
	struct pending_request *p = mem_zalloc(sizeof(*p));
	if (!p)
		return ERROR_NO_MEMORY;
	p->reference_count = 2;
	p->number = ++c->responses.last_number;
	p->deadline_ms = timeout_ms < 0 ? UINT64_MAX : client_now_ms() + (uint64_t)timeout_ms;
	list_append(&c->responses.outstanding, &p->event.link);
	c->responses.counts.outstanding++;
	error = publish(c, p, m, timeout_ms);
	if (error && !p->is_done)
		finish(c, p, error, NULL);
	if (error) {
		drop(p);
		return error;
	}
	p->context = context;
	p->callback = callback;
	/* it may be over already: by a refusal, or while there was no room */
	if (p->is_done && callback) {
		p->reference_count++;
		events_add(c, &p->event, EVENT_RESPONSE);
	}
	client_wake(c);
	*request_out = p;
	return 0;
}

int nj_request_async(nj_client *c, const struct nj_message_out *m, int64_t timeout_ms,
		     nj_response response, void *context)
{
	struct pending_request *p;
	if (!response)
		return NJ_ERROR_INVALID;
	pthread_mutex_lock(&c->mutex);
	int error = begin(c, m, timeout_ms, response, context, &p);
	if (!error)
		drop(p);
	client_leave(c);
	return error;
}

static bool is_done(nj_client *c, void *subject)
{
	(void)c;
	return ((struct pending_request *)subject)->is_done;
}

int nj_request(nj_client *c, const struct nj_message_out *m, int64_t timeout_ms,
	       nj_message **response_out)
{
	struct pending_request *p;
	pthread_mutex_lock(&c->mutex);
	int error =
		client_is_driver(c) ? NJ_ERROR_WOULD_WAIT : begin(c, m, timeout_ms, NULL, NULL, &p);
	if (error) {
		client_leave(c);
		return error;
	}
	error = client_wait(c, is_done, p, -1); /* its deadline is a timer of the driver's */
	if (!error)
		error = p->error;
	if (!error)
		*response_out = p->response;
	else if (p->response)
		message_drop(p->response);
	if (!p->is_done)
		finish(c, p, error, NULL);
	drop(p);
	client_leave(c);
	return error;
}

void nj_count_requests(nj_client *c, struct nj_request_counts *counts_out)
{
	pthread_mutex_lock(&c->mutex);
	*counts_out = c->responses.counts;
	pthread_mutex_unlock(&c->mutex);
}

/* --- a response --- */

int nj_respond(nj_client *c, const nj_message *request, const struct nj_message_out *reply,
	       nj_delivery **delivery_out)
{
	struct nj_property topic, correlation;
	struct nj_bytes properties = nj_message_properties(request);
	struct nj_message_out out = *reply;
	if (reply->topic)
		return NJ_ERROR_INVALID;
	if (!nj_property_find(properties, NJ_RESPONSE_TOPIC, &topic))
		return NJ_ERROR_NOT_FOUND;
	char *name = mem_copy_text(span_of(topic.text.ptr, topic.text.len));
	struct nj_property *all = mem_zalloc((out.property_count + 1) * sizeof(*all));
	int error = name && all ? 0 : ERROR_NO_MEMORY;
	if (!error) {
		if (out.property_count > 0)
			memcpy(all, out.properties, out.property_count * sizeof(*all));
		if (nj_property_find(properties, NJ_CORRELATION_DATA, &correlation))
			all[out.property_count++] = correlation;
		out.topic = name;
		out.properties = all;
		error = nj_publish(c, &out, delivery_out);
	}
	mem_free(name);
	mem_free(all);
	return error;
}
