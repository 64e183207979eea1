/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that a store keeps, seen from the engine: what waits until it is durable, and what a
 * process before this one has left. A packet id follows from a message's position in the store, so
 * that it is known before PUBLISH leaves, and again after a restart [MQTT-4.4.0-1].
 */
#include "base/mem.h"
#include "client/engine_state.h"

/* --- out --- */

static int new_outgoing(struct engine *e, const struct publish *message, uint32_t token,
			const struct engine_keep *keep, struct outgoing **out)
{
	if (!keep->is_released)
		return outgoing_new(message, e->version, token, out);
	struct outgoing *o = mem_zalloc(sizeof(*o));
	if (!o)
		return ERROR_NO_MEMORY;
	o->token = token;
	o->expires_ms = UINT64_MAX;
	*out = o;
	return 0;
}

static bool has_room(const struct engine *e, const struct outgoing *o)
{
	bool fits = e->unfinished_bytes + o->len <= e->options.queue_bytes_max;
	return e->unfinished_count < e->options.queue_messages_max &&
	       (e->unfinished_count == 0 || fits);
}

static void start_expiry(struct engine *e, struct outgoing *o, uint64_t age_ms)
{
	outgoing_start_expiry(o, e->version, e->now_ms);
	if (o->expires_ms != UINT64_MAX)
		o->expires_ms = o->expires_ms > age_ms ? o->expires_ms - age_ms : 0;
}

int engine_publish_kept(struct engine *e, const struct publish *message, uint32_t token,
			const struct engine_keep *keep, struct outgoing **outgoing_out)
{
	struct outgoing *o;
	int error = new_outgoing(e, message, token, keep, &o);
	if (error)
		return error;
	if (!keep->is_restored && !has_room(e, o)) {
		mem_free(o);
		return ERROR_AGAIN;
	}
	o->position = keep->position;
	o->waits = keep->waits;
	o->was_sent = keep->was_sent;
	o->is_released = keep->is_released;
	if (e->expires && !o->is_released)
		start_expiry(e, o, keep->age_ms);
	e->keep_next = keep->position + 1;
	e->unfinished_count++;
	e->unfinished_bytes += o->len;
	transmit_note_expiry(e, o);
	list_append(&e->queue, &o->link);
	*outgoing_out = o;
	return 0;
}

void engine_kept(struct engine *e, struct outgoing *o)
{
	o->waits = false;
	transmit_note_expiry(e, o);
	transmit_pump(e);
}

void engine_unkeep(struct engine *e, struct outgoing *o)
{
	link_remove(&o->link);
	e->unfinished_count--;
	e->unfinished_bytes -= o->len;
	mem_free(o);
	transmit_pump(e);
}

void engine_hold_kept(struct engine *e, bool holds)
{
	e->holds_kept = holds;
	transmit_pump(e);
}

void engine_set_keep_floor(struct engine *e, uint64_t position)
{
	e->keep_floor = position;
	transmit_pump(e);
}

bool keep_is_open_at(const struct engine *e, uint64_t position)
{
	return !e->holds_kept && send_is_open_at(&e->send, position) &&
	       position - e->keep_floor < SEND_SPAN_MAX;
}

bool keep_send_released(struct engine *e, struct outgoing *o)
{
	struct sending entry = {.note = o->token};
	if (!send_has_room_at(&e->send, o->position) ||
	    o->position - e->keep_floor >= SEND_SPAN_MAX)
		return false;
	if (send_begin_released(&e->send, o->position, &entry)) {
		engine_fail_memory(e);
		return false;
	}
	link_remove(&o->link);
	transmit_ack(e, PACKET_PUBREL, REASON_SUCCESS, send_packet_id(o->position));
	mem_free(o);
	return e->state == ENGINE_CONNECTED;
}

/* What the server had said PUBREC to is its own. */
void keep_forget_session(struct engine *e)
{
	struct link *next;
	for (struct link *at = e->queue.next; at != &e->queue; at = next) {
		struct outgoing *o = outgoing_of(at);
		next = at->next;
		o->was_sent = false;
		if (!o->is_released)
			continue;
		struct engine_published published = {.token = o->token,
						     .packet_id = send_packet_id(o->position),
						     .reason_code = REASON_SUCCESS,
						     .was_sent = true,
						     .position = o->position};
		link_remove(&o->link);
		transmit_finish(e, o, &published);
	}
}

/* --- packet ids of requests --- */

/* Messages under way have ids behind the newest one's; requests take theirs half the span ahead,
 * where no message comes soon. One that does waits for the request. */
#define REQUEST_IDS_AHEAD (SEND_SPAN_MAX / 2)
#define REQUEST_IDS 4096u /* more than there are requests at a time */

int keep_request_id(struct engine *e, bool (*is_used)(const struct engine *e, uint16_t id),
		    uint16_t *packet_id_out)
{
	uint64_t first = e->keep_next + REQUEST_IDS_AHEAD, position;
	for (unsigned i = 0; i < REQUEST_IDS; i++) {
		uint16_t id = send_packet_id(first + e->request_number++ % REQUEST_IDS);
		if (is_used(e, id) || send_find(&e->send, id, &position))
			continue;
		*packet_id_out = id;
		return 0;
	}
	return ERROR_LIMIT;
}

/* --- answers --- */

/* Some servers send PUBREC again before they have seen the message again: it is sent, and then
 * they say so once more. */
static bool is_to_be_sent_again(const struct engine *e, uint16_t packet_id)
{
	for (struct link *at = e->queue.next; at != &e->queue; at = at->next) {
		const struct outgoing *o = outgoing_of(at);
		if (!o->was_sent && !o->is_released)
			break; /* what a process left stands in front */
		if (send_packet_id(o->position) == packet_id)
			return true;
	}
	return false;
}

bool keep_defers_answer(struct engine *e, const struct ack *p)
{
	uint64_t position;
	if (!send_find(&e->send, p->packet_id, &position) || !send_at(&e->send, position))
		return is_to_be_sent_again(e, p->packet_id);
	return p->type == PACKET_PUBREC && p->reason_code < 0x80 && e->events.pubrec &&
	       send_at(&e->send, position)->state == SEND_WAIT_PUBREC &&
	       e->events.pubrec(e->context, position);
}

static bool is_under_way(const struct engine *e, uint64_t position)
{
	const struct send *s = &e->send;
	return position >= s->oldest && position < s->next && send_at(s, position) &&
	       send_at(s, position)->state == SEND_WAIT_PUBREC;
}

/* Where the connection has ended meanwhile, PUBREL goes with the next one. */
void engine_pubrec_kept(struct engine *e, uint64_t position)
{
	struct ack p = {.type = PACKET_PUBREC, .packet_id = send_packet_id(position)};
	if (!is_under_way(e, position))
		return;
	if (e->state == ENGINE_CONNECTED && position < e->send.resend) {
		receive_answer(e, &p);
		return;
	}
	struct sending sending;
	unsigned steps = send_answer(&e->send, SEND_EVENT_PUBREC, p.packet_id, &sending);
	ASSERT(steps & STEP_FORGET_MESSAGE); /* by its state */
	struct outgoing *o = sending.message;
	e->unfinished_bytes -= o->len;
	mem_free(o);
}

/* --- in --- */

void engine_pubrel_kept(struct engine *e, uint16_t packet_id, bool answers)
{
	if (receive_has(&e->receive, packet_id))
		receive_release_id(e, packet_id, answers);
}

int engine_restore_incoming(struct engine *e, uint16_t packet_id, uint8_t qos, bool is_acknowledged,
			    uint64_t *handle_out)
{
	struct incoming_message *m = NULL;
	int error = 0;
	*handle_out = 0;
	if (incoming_find(&e->incoming, packet_id) || receive_has(&e->receive, packet_id))
		return ERROR_INVALID;
	if (!is_acknowledged)
		error = incoming_restore(&e->incoming, packet_id, qos, &m);
	if (!error && qos == 2)
		(void)receive_event(&e->receive, RECEIVE_EVENT_QOS_2, packet_id, &error);
	if (error && m)
		incoming_remove(&e->incoming, m);
	else if (m)
		*handle_out = m->handle;
	return error;
}

void engine_set_clean_start(struct engine *e, bool clean_start)
{
	hello_set_clean_start(&e->hello, clean_start);
}
