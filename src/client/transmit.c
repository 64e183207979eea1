/* SPDX-License-Identifier: Apache-2.0 */
/* What the client sends: messages within the window and the server's limits, acknowledgements,
 * requests. */
#include "base/mem.h"
#include "client/engine_state.h"
#include "mqtt/topic.h"

/* Enough for any application that waits for answers now and then. */
#define REQUESTS_MAX 1000

void transmit_ack(struct engine *e, uint8_t type, uint8_t reason_code, uint16_t packet_id)
{
	struct ack p = {.type = type, .reason_code = reason_code, .packet_id = packet_id};
	const size_t bound = 16; /* without properties an ack has at most six bytes */
	if (e->state != ENGINE_CONNECTED)
		return;
	if (buffer_reserve(&e->output, bound)) {
		engine_fail_memory(e);
		return;
	}
	size_t len = ack_encode(&p, e->version, buffer_room(&e->output));
	buffer_commit(&e->output, len);
	engine_show(e, true, type, &p, len);
}

void transmit_ping(struct engine *e)
{
	if (buffer_reserve(&e->output, PING_BYTES)) {
		engine_fail_memory(e);
		return;
	}
	ping_encode(buffer_room(&e->output).ptr, PACKET_PINGREQ);
	buffer_commit(&e->output, PING_BYTES);
	e->waits_for_pong = true;
	e->ping_ms = e->now_ms;
	engine_show(e, true, PACKET_PINGREQ, NULL, PING_BYTES);
}

/* --- messages --- */

void transmit_finish(struct engine *e, struct outgoing *o, const struct engine_published *published)
{
	e->unfinished_count--;
	if (o) {
		e->unfinished_bytes -= o->len;
		mem_free(o);
	}
	if (e->events.published)
		e->events.published(e->context, published);
}

/* 0, or why this server cannot be given the message. */
static uint8_t refusal(const struct engine *e, const struct outgoing *o,
		       const struct sending_way *way)
{
	if (outgoing_qos(o) > e->server.qos_max)
		return REASON_QOS_NOT_SUPPORTED; /* [MQTT-3.2.2-11] */
	if (outgoing_size(o, e->version, way) > e->server.packet_bytes_max)
		return REASON_PACKET_TOO_LARGE; /* [MQTT-3.2.2-15] */
	return 0;
}

static struct sending_way way_of(const struct engine *e, const struct outgoing *o)
{
	struct publish p;
	struct sending_way way = {.drops_retain = !e->server.keeps_retained};
	if (e->version != MQTT_5)
		return way;
	outgoing_message(o, e->version, &p);
	/* [MQTT-3.2.2-17, -18] */
	way.drops_alias = properties_has(&p.properties, PROPERTY_TOPIC_ALIAS) &&
			  p.properties.topic_alias > e->server.topic_alias_maximum;
	return way;
}

/* Those who watch see the topic, also where an alias of our choice stands for it. */
static void show_publish(struct engine *e, struct span packet, struct span topic)
{
	struct fixed_header header;
	const struct flaw *flaw;
	struct publish p;
	if (fixed_header_decode(packet, &header, &flaw) != HEADER_OK ||
	    publish_decode(header.flags,
			   span_of(packet.ptr + header.header_len, header.remaining_length),
			   e->version, &p))
		return;
	p.topic = topic;
	engine_show(e, true, PACKET_PUBLISH, &p, packet.len);
}

/* An alias and a property's identifier; the length in front may grow by one, and the fixed header. */
#define ALIAS_BYTES 5

static void choose_alias(struct engine *e, const struct outgoing *o, const struct publish *p,
			 struct sending_way *way)
{
	if (e->choice.maximum == 0)
		return;
	if (properties_has(&p->properties, PROPERTY_TOPIC_ALIAS)) {
		alias_choice_forget(&e->choice, p->properties.topic_alias);
		return;
	}
	way->alias = alias_choice_use(&e->choice, p->topic, &way->omits_topic);
	if (way->alias == 0 || way->omits_topic ||
	    o->len + ALIAS_BYTES <= e->server.packet_bytes_max)
		return;
	alias_choice_forget(&e->choice, way->alias); /* it would be too large by it */
	way->alias = 0;
}

static int write_with_alias(struct engine *e, const struct outgoing *o, struct sending_way *way)
{
	if (way->alias > 0 && outgoing_write(o, e->version, way, &e->output) == 0)
		return 0;
	alias_choice_forget(&e->choice, way->alias); /* no memory for it */
	way->alias = 0;
	return outgoing_write(o, e->version, way, &e->output);
}

/* Puts the packet out; false when there is no memory, and the connection ends. */
static bool write_publish(struct engine *e, const struct outgoing *o, struct sending_way *way)
{
	size_t before = buffer_len(&e->output);
	struct publish p;
	if (e->choice.maximum > 0 || e->events.packet)
		outgoing_message(o, e->version, &p);
	choose_alias(e, o, &p, way);
	int error = way->alias > 0 ? write_with_alias(e, o, way)
				   : outgoing_write(o, e->version, way, &e->output);
	if (error) {
		engine_fail_memory(e);
		return false;
	}
	struct span all = buffer_content(&e->output);
	if (e->events.packet)
		show_publish(e, span_of(all.ptr + before, all.len - before), p.topic);
	return true;
}

static void resend_publish(struct engine *e, struct sending *entry, uint16_t packet_id)
{
	struct outgoing *o = entry->message;
	outgoing_age(o, e->now_ms); /* sent before: it is finished, expired or not */
	struct sending_way way = way_of(e, o);
	way.dup = true; /* [MQTT-3.3.1-1] */
	way.packet_id = packet_id;
	uint8_t reason = refusal(e, o, &way);
	if (!reason) {
		write_publish(e, o, &way);
		return;
	}
	send_cancel(&e->send, e->send.resend - 1);
	transmit_finish(e, o,
			&(struct engine_published){.token = o->token,
						   .packet_id = packet_id,
						   .reason_code = reason,
						   .position = o->position});
}

/* [MQTT-4.4.0-1] */
static void resend(struct engine *e)
{
	struct sending *entry;
	uint16_t packet_id;
	while (e->state == ENGINE_CONNECTED && has_room_for_output(e)) {
		unsigned steps = send_again(&e->send, &entry, &packet_id);
		if (steps & STEP_SEND_PUBLISH_DUP)
			resend_publish(e, entry, packet_id);
		else if (steps & STEP_SEND_PUBREL)
			transmit_ack(e, PACKET_PUBREL, REASON_SUCCESS, packet_id);
		else
			return;
	}
}

static bool is_requested(const struct engine *e, uint16_t packet_id)
{
	for (struct link *at = e->requests.next; at != &e->requests; at = at->next)
		if (CONTAINER_OF(at, struct request, link)->packet_id == packet_id)
			return true;
	return false;
}

/* Steps over ids that requests under way hold [MQTT-2.2.1-3]. */
static int skip_requested_ids(struct engine *e)
{
	uint16_t packet_id;
	int error = 0;
	while (!error && is_requested(e, send_packet_id(e->send.next)))
		error = send_skip(&e->send, &packet_id);
	return error;
}

static bool begin_kept(struct engine *e, const struct outgoing *o, const struct sending *entry,
		       struct sending_way *way)
{
	way->packet_id = send_packet_id(o->position);
	way->dup = o->was_sent;
	if (!keep_is_open_at(e, o->position) || is_requested(e, way->packet_id))
		return false;
	int error = buffer_reserve(&e->output, o->len);
	if (!error)
		error = send_begin_at(&e->send, o->position, outgoing_qos(o), entry);
	if (error)
		engine_fail_memory(e);
	return !error;
}

/* False: not now. */
static bool begin(struct engine *e, struct outgoing *o, struct sending_way *way)
{
	if (outgoing_qos(o) == 0)
		return true;
	struct sending entry = {.message = o, .note = o->token};
	if (o->position != POSITION_NONE)
		return begin_kept(e, o, &entry, way);
	if (!send_is_open(&e->send))
		return false;
	int error = skip_requested_ids(e);
	if (error == ERROR_LIMIT || !send_is_open(&e->send))
		return false;
	/* Room first: a message that has an id must not fail to be written. */
	if (!error)
		error = buffer_reserve(&e->output, o->len);
	if (!error)
		error = send_begin(&e->send, outgoing_qos(o), &entry, &way->packet_id);
	if (error)
		engine_fail_memory(e);
	return !error;
}

/* Sends one message of the queue; false when the queue has to wait. */
static bool send_first(struct engine *e)
{
	struct outgoing *o = outgoing_of(e->queue.next);
	if (o->waits)
		return false;
	if (o->is_released)
		return keep_send_released(e, o);
	struct sending_way way = way_of(e, o);
	struct engine_published published = {.token = o->token, .position = o->position};
	/* what was sent is finished, expired or not */
	published.is_expired = !o->was_sent && outgoing_is_expired(o, e->now_ms);
	published.reason_code = refusal(e, o, &way);
	if (published.reason_code || published.is_expired) {
		link_remove(&o->link);
		transmit_finish(e, o, &published);
		return true;
	}
	if (!begin(e, o, &way))
		return false;
	link_remove(&o->link);
	outgoing_age(o, e->now_ms);
	bool is_written = write_publish(e, o, &way);
	if (outgoing_qos(o) == 0) {
		published.was_sent = is_written;
		published.reason_code = is_written ? REASON_SUCCESS : REASON_UNSPECIFIED_ERROR;
		transmit_finish(e, o, &published);
	}
	return is_written;
}

/* What a handler publishes from inside goes out in the same loop, not deeper down the stack.
 * Nothing goes before CONNACK [MQTT-3.1.2-30]. */
void transmit_pump(struct engine *e)
{
	if (e->is_pumping)
		return;
	e->is_pumping = true;
	resend(e);
	while (e->state == ENGINE_CONNECTED && !list_is_empty(&e->queue) && has_room_for_output(e))
		if (!send_first(e))
			break;
	e->is_pumping = false;
}

/* --- time --- */

void transmit_note_expiry(struct engine *e, const struct outgoing *o)
{
	if (o->expires_ms < e->expiry_ms)
		e->expiry_ms = o->expires_ms;
}

uint64_t engine_expiry_deadline(const struct engine *e)
{
	return e->expiry_ms < UINT64_MAX ? e->expiry_ms + 1 : UINT64_MAX;
}

/* What was sent is finished, expired or not; what waits for the store is the store's. */
static bool is_to_expire(const struct outgoing *o, uint64_t now_ms)
{
	return !o->was_sent && !o->waits && !o->is_released && outgoing_is_expired(o, now_ms);
}

void engine_expire(struct engine *e, uint64_t now_ms)
{
	if (now_ms < engine_expiry_deadline(e) || e->is_pumping)
		return;
	e->now_ms = now_ms;
	e->expiry_ms = UINT64_MAX;
	struct link expired;
	list_init(&expired);
	for (struct link *at = e->queue.next, *next; at != &e->queue; at = next) {
		struct outgoing *o = outgoing_of(at);
		next = at->next;
		if (is_to_expire(o, now_ms)) {
			link_remove(at);
			list_append(&expired, at);
		} else if (!outgoing_is_expired(o, now_ms)) {
			transmit_note_expiry(e, o);
		}
	}
	while (!list_is_empty(&expired)) {
		struct outgoing *o = outgoing_of(expired.next);
		struct engine_published published = {
			.token = o->token, .position = o->position, .is_expired = true};
		link_remove(&o->link);
		transmit_finish(e, o, &published);
	}
}

uint64_t transmit_retry_deadline(const struct engine *e)
{
	bool retries = e->version != MQTT_5 && e->options.retry_interval_ms > 0 &&
		       e->state == ENGINE_CONNECTED && !send_is_idle(&e->send);
	return retries ? e->retry_at_ms : UINT64_MAX;
}

/* Not while our own bytes wait for the server, who has not even seen them. */
void transmit_retry(struct engine *e)
{
	bool is_stuck = e->retry_oldest == e->send.oldest + 1 && e->send.resend == e->send.next &&
			buffer_len(&e->output) == 0;
	e->retry_at_ms = e->now_ms + e->options.retry_interval_ms;
	e->retry_oldest = e->send.oldest + 1;
	if (!is_stuck)
		return;
	send_restart(&e->send, e->send.receive_maximum);
	transmit_pump(e);
}

int engine_publish(struct engine *e, const struct publish *message, uint32_t token)
{
	struct outgoing *o;
	if (e->unfinished_count >= e->options.queue_messages_max)
		return ERROR_AGAIN;
	int error = outgoing_new(message, e->version, token, &o);
	if (error)
		return error;
	if (e->unfinished_count > 0 && e->unfinished_bytes + o->len > e->options.queue_bytes_max) {
		mem_free(o);
		return ERROR_AGAIN;
	}
	if (e->expires)
		outgoing_start_expiry(o, e->version, e->now_ms);
	transmit_note_expiry(e, o);
	e->unfinished_count++;
	e->unfinished_bytes += o->len;
	list_append(&e->queue, &o->link);
	transmit_pump(e);
	return 0;
}

bool engine_drop_oldest(struct engine *e)
{
	struct outgoing *chosen = NULL;
	for (struct link *at = e->queue.next; at != &e->queue; at = at->next) {
		struct outgoing *o = outgoing_of(at);
		if (o->was_sent || o->is_released)
			continue;
		if (!chosen || outgoing_qos(o) == 0)
			chosen = o;
		if (outgoing_qos(o) == 0)
			break;
	}
	if (!chosen)
		return false;
	link_remove(&chosen->link);
	transmit_finish(e, chosen,
			&(struct engine_published){.token = chosen->token,
						   .reason_code = REASON_QUOTA_EXCEEDED,
						   .position = chosen->position});
	return true;
}

/* --- requests --- */

void transmit_forget_requests(struct engine *e)
{
	while (!list_is_empty(&e->requests)) {
		struct request *r = CONTAINER_OF(e->requests.next, struct request, link);
		link_remove(&r->link);
		mem_free(r);
	}
	e->request_count = 0;
}

static bool is_sound_filter(const struct engine *e, struct span filter,
			    const struct subscription_options *options)
{
	struct span name, inner;
	bool is_shared = topic_filter_split_share(filter, &name, &inner);
	bool has_wildcard =
		memchr(filter.ptr, '+', filter.len) || memchr(filter.ptr, '#', filter.len);
	return topic_filter_is_valid(filter) && utf8_is_valid(filter) &&
	       !(is_shared && options->no_local && e->version == MQTT_5) && /* [MQTT-3.8.3-4] */
	       (e->server.knows_shares || !is_shared) &&
	       (e->server.knows_wildcards || !has_wildcard);
}

/* The number of filters; 0 when there is none or one that may not be sent. */
static uint32_t count_filters(const struct engine *e, const struct subscribe *request)
{
	struct span rest = request->filters, filter;
	struct subscription_options options;
	uint32_t count = 0;
	while (subscribe_next(&rest, &filter, &options)) {
		if (options.qos > QOS_MAX || filter.len == 0 ||
		    !is_sound_filter(e, filter, &options))
			return 0;
		count++;
	}
	return count;
}

static uint32_t count_unsubscribed(const struct engine *e, const struct unsubscribe *request)
{
	(void)e;
	struct span rest = request->filters, filter;
	uint32_t count = 0;
	while (unsubscribe_next(&rest, &filter)) {
		if (!topic_filter_is_valid(filter) || !utf8_is_valid(filter))
			return 0;
		count++;
	}
	return count;
}

static int draw_id(struct engine *e, uint16_t *packet_id_out)
{
	if (e->options.is_kept)
		return keep_request_id(e, is_requested, packet_id_out);
	int error = skip_requested_ids(e);
	return error ? error : send_skip(&e->send, packet_id_out);
}

/* Draws an id and notes the request; its packet is to follow. */
static int open_request(struct engine *e, uint8_t answer, uint32_t token, uint32_t filter_count,
			struct request **request_out)
{
	if (e->state != ENGINE_CONNECTED)
		return ERROR_CLOSED;
	if (filter_count == 0)
		return ERROR_INVALID;
	if (e->request_count >= REQUESTS_MAX)
		return ERROR_LIMIT;
	struct request *r = mem_zalloc(sizeof(*r));
	if (!r)
		return ERROR_NO_MEMORY;
	int error = draw_id(e, &r->packet_id);
	if (error) {
		mem_free(r);
		return error;
	}
	r->token = token;
	r->filter_count = filter_count;
	r->answer = answer;
	list_append(&e->requests, &r->link);
	e->request_count++;
	*request_out = r;
	return 0;
}

static int close_request(struct engine *e, struct request *r, int error)
{
	link_remove(&r->link);
	e->request_count--;
	mem_free(r);
	return error;
}

/* Room for the fixed header, the packet id and the property length. */
#define REQUEST_OVERHEAD 16

static int reserve_for(struct engine *e, const struct properties *properties, struct span filters)
{
	return buffer_reserve(&e->output,
			      REQUEST_OVERHEAD + properties_size(properties) + filters.len);
}

static int commit_request(struct engine *e, struct request *r, size_t len)
{
	if (len == 0 || len > e->server.packet_bytes_max)
		return close_request(e, r, ERROR_LIMIT);
	buffer_commit(&e->output, len);
	return 0;
}

int engine_subscribe(struct engine *e, const struct subscribe *request, uint32_t token)
{
	struct subscribe p = *request;
	struct request *r;
	if (!e->server.knows_subscription_ids &&
	    properties_has(&p.properties, PROPERTY_SUBSCRIPTION_IDENTIFIER))
		return ERROR_INVALID;
	int error = open_request(e, PACKET_SUBACK, token, count_filters(e, request), &r);
	if (error)
		return error;
	p.packet_id = r->packet_id;
	error = reserve_for(e, &p.properties, p.filters);
	if (error)
		return close_request(e, r, error);
	size_t len = subscribe_encode(&p, e->version, buffer_room(&e->output));
	error = commit_request(e, r, len);
	if (!error)
		engine_show(e, true, PACKET_SUBSCRIBE, &p, len);
	return error;
}

int engine_unsubscribe(struct engine *e, const struct unsubscribe *request, uint32_t token)
{
	struct unsubscribe p = *request;
	struct request *r;
	int error = open_request(e, PACKET_UNSUBACK, token, count_unsubscribed(e, request), &r);
	if (error)
		return error;
	p.packet_id = r->packet_id;
	error = reserve_for(e, &p.properties, p.filters);
	if (error)
		return close_request(e, r, error);
	size_t len = unsubscribe_encode(&p, e->version, buffer_room(&e->output));
	error = commit_request(e, r, len);
	if (!error)
		engine_show(e, true, PACKET_UNSUBSCRIBE, &p, len);
	return error;
}

/* [MQTT-4.12.0-3, 4.12.0-5, 4.12.0-7, 4.12.1-1] */
static bool is_sound_auth(const struct engine *e, const struct auth *auth)
{
	const struct properties *mine = &e->hello.connect.properties;
	bool may_begin = e->state == ENGINE_CONNECTED && e->auth_turn == AUTH_NONE;
	bool is_asked = e->auth_turn == AUTH_CLIENT;
	return ((auth->reason_code == REASON_CONTINUE_AUTHENTICATION && is_asked) ||
		(auth->reason_code == REASON_REAUTHENTICATE && may_begin)) &&
	       properties_has(mine, PROPERTY_AUTHENTICATION_METHOD) &&
	       properties_has(&auth->properties, PROPERTY_AUTHENTICATION_METHOD) &&
	       span_is_equal(mine->authentication_method, auth->properties.authentication_method);
}

int engine_auth(struct engine *e, const struct auth *auth)
{
	if (!engine_is_up(e) || e->version != MQTT_5)
		return ERROR_CLOSED;
	if (!is_sound_auth(e, auth))
		return ERROR_INVALID;
	size_t bound = REQUEST_OVERHEAD + properties_size(&auth->properties);
	int error = buffer_reserve(&e->output, bound);
	if (error)
		return error;
	size_t len = auth_encode(auth, buffer_room(&e->output));
	/* [MQTT-3.15.2-2, -3] */
	if (len == 0 || (e->state == ENGINE_CONNECTED && len > e->server.packet_bytes_max))
		return ERROR_LIMIT;
	buffer_commit(&e->output, len);
	e->auth_turn = AUTH_SERVER;
	engine_show(e, true, PACKET_AUTH, auth, len);
	return 0;
}
