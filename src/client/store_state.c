/* SPDX-License-Identifier: Apache-2.0 */
#include "client/store_state.h"

#include "base/mem.h"

/* Numbers and packet ids are what is hashed: no seed would keep a server from anything. */
#define SEED 0

static struct store_out *out_of(struct link *link)
{
	return CONTAINER_OF(link, struct store_out, link);
}

static struct store_in *in_of(struct link *link)
{
	return CONTAINER_OF(link, struct store_in, link);
}

static struct span out_key(const void *element)
{
	const struct store_out *e = element;
	return span_of(&e->number, sizeof(e->number));
}

static struct span in_key(const void *element)
{
	const struct store_in *e = element;
	return span_of(&e->number, sizeof(e->number));
}

static struct span packet_key(const void *element)
{
	const struct store_in *e = element;
	return span_of(&e->packet_id, sizeof(e->packet_id));
}

void store_state_init(struct store_state *s)
{
	*s = (struct store_state){.next_in = 1};
	list_init(&s->out);
	list_init(&s->in);
	map_init(&s->out_by_number, SEED, out_key);
	map_init(&s->in_by_number, SEED, in_key);
	map_init(&s->in_by_packet_id, SEED, packet_key);
}

void store_state_release(struct store_state *s)
{
	while (!list_is_empty(&s->out))
		store_state_drop_out(s, out_of(s->out.next));
	while (!list_is_empty(&s->in))
		store_state_drop_in(s, in_of(s->in.next));
	map_release(&s->out_by_number);
	map_release(&s->in_by_number);
	map_release(&s->in_by_packet_id);
	mem_free(s->client_id);
}

/* --- entries --- */

struct store_out *store_state_out(const struct store_state *s, uint64_t number)
{
	return s->out_by_number.count > 0
		       ? map_find(&s->out_by_number, span_of(&number, sizeof(number)))
		       : NULL;
}

struct store_in *store_state_in(const struct store_state *s, uint64_t number)
{
	return s->in_by_number.count > 0
		       ? map_find(&s->in_by_number, span_of(&number, sizeof(number)))
		       : NULL;
}

struct store_in *store_state_packet(const struct store_state *s, uint16_t packet_id)
{
	return s->in_by_packet_id.count > 0
		       ? map_find(&s->in_by_packet_id, span_of(&packet_id, sizeof(packet_id)))
		       : NULL;
}

/* Its packet id is free, or another's from now on. */
static void unbind(struct store_state *s, struct store_in *e)
{
	if (e->packet_id != 0 && store_state_packet(s, e->packet_id) == e)
		(void)map_remove(&s->in_by_packet_id, packet_key(e));
	e->packet_id = 0;
}

int store_state_add_out(struct store_state *s, const struct store_record *r, struct store_out **out)
{
	struct store_out *e = mem_zalloc(sizeof(*e));
	if (!e)
		return ERROR_NO_MEMORY;
	e->number = r->number;
	e->mark = r->mark;
	e->qos = r->qos;
	e->at_once = r->at_once;
	e->len = (uint32_t)store_record_size(r);
	if (map_add(&s->out_by_number, e)) {
		mem_free(e);
		return ERROR_NO_MEMORY;
	}
	list_append(&s->out, &e->link);
	if (r->number >= s->next_out)
		s->next_out = r->number + 1;
	e->is_wanted = true;
	s->live_bytes += e->len;
	*out = e;
	return 0;
}

/* An older one with that packet id, of QoS 1, keeps its message, and loses the id: the server uses
 * it for another one, so it has our PUBACK, or has given up. */
static int bind(struct store_state *s, struct store_in *e, uint16_t packet_id)
{
	struct store_in *old = packet_id != 0 ? store_state_packet(s, packet_id) : NULL;
	if (old)
		unbind(s, old);
	e->packet_id = packet_id;
	return packet_id != 0 ? map_add(&s->in_by_packet_id, e) : 0;
}

int store_state_add_in(struct store_state *s, const struct store_record *r, struct store_in **out)
{
	struct store_in *e = mem_zalloc(sizeof(*e));
	if (!e)
		return ERROR_NO_MEMORY;
	e->number = r->number;
	e->qos = r->qos;
	e->len = (uint32_t)store_record_size(r);
	if (map_add(&s->in_by_number, e)) {
		mem_free(e);
		return ERROR_NO_MEMORY;
	}
	if (bind(s, e, r->packet_id)) {
		(void)map_remove(&s->in_by_number, in_key(e));
		mem_free(e);
		return ERROR_NO_MEMORY;
	}
	list_append(&s->in, &e->link);
	if (r->number >= s->next_in)
		s->next_in = r->number + 1;
	*out = e;
	return 0;
}

void store_state_drop_out(struct store_state *s, struct store_out *e)
{
	link_remove(&e->link);
	(void)map_remove(&s->out_by_number, out_key(e));
	store_state_unwant(s, e);
	mem_free(e);
}

void store_state_drop_in(struct store_state *s, struct store_in *e)
{
	link_remove(&e->link);
	unbind(s, e);
	(void)map_remove(&s->in_by_number, in_key(e));
	mem_free(e);
}

void store_state_unwant(struct store_state *s, struct store_out *e)
{
	s->live_bytes -= e->is_wanted ? e->len : 0;
	e->is_wanted = false;
}

/* --- what records do --- */

int store_state_identify(struct store_state *s, const struct store_record *r)
{
	char *id = mem_copy_text(r->client_id);
	if (!id)
		return ERROR_NO_MEMORY;
	mem_free(s->client_id);
	s->client_id = id;
	if (r->number > s->next_out)
		s->next_out = r->number;
	return 0;
}

void store_state_keep_out(struct store_state *s, struct store_out *e, uint64_t position)
{
	e->is_kept = true;
	e->position = position;
	if (e->mark > s->mark)
		s->mark = e->mark;
	if (e->at_once)
		store_state_sending(s, e->number + 1);
}

void store_state_keep_in(struct store_state *s, struct store_in *e, uint64_t position)
{
	(void)s;
	e->is_kept = true;
	e->position = position;
}

void store_state_received(struct store_state *s, struct store_out *e)
{
	store_state_unwant(s, e);
	e->is_received = true;
}

/* At QoS 1, and when it is refused, nothing follows; nor in a session that has ended. */
void store_state_acked(struct store_state *s, struct store_in *e, uint8_t reason_code)
{
	e->is_acked = true;
	if (e->qos < 2 || reason_code >= 0x80 || e->packet_id == 0)
		store_state_drop_in(s, e);
}

void store_state_released(struct store_state *s, struct store_in *e)
{
	unbind(s, e);
	e->is_released = false;
	if (e->is_acked)
		store_state_drop_in(s, e);
}

void store_state_sending(struct store_state *s, uint64_t number)
{
	if (number > s->sendable)
		s->sendable = number;
}

void store_state_begin_session(struct store_state *s)
{
	struct link *next;
	s->has_session = true;
	for (struct link *at = s->in.next; at != &s->in; at = next) {
		struct store_in *e = in_of(at);
		next = at->next;
		if (!e->is_kept) /* it came behind the record, in the new session */
			continue;
		unbind(s, e);
		/* with a record under way it goes when that comes back */
		if (e->is_acked && !e->ticket.is_busy)
			store_state_drop_in(s, e);
	}
}

/* --- at a start --- */

static int replay_message(struct store_state *s, uint64_t position, const struct store_record *r)
{
	struct store_out *out;
	struct store_in *in;
	int error = r->kind == STORE_OUT ? store_state_add_out(s, r, &out)
					 : store_state_add_in(s, r, &in);
	if (!error && r->kind == STORE_OUT)
		store_state_keep_out(s, out, position);
	else if (!error)
		store_state_keep_in(s, in, position);
	return error;
}

static void replay_out(struct store_state *s, const struct store_record *r)
{
	struct store_out *e = store_state_out(s, r->number);
	if (e && r->kind == STORE_RECEIVED)
		store_state_received(s, e);
	else if (e)
		store_state_drop_out(s, e);
}

static void replay_in(struct store_state *s, const struct store_record *r)
{
	struct store_in *e = store_state_in(s, r->number);
	if (e && r->kind == STORE_ACKED)
		store_state_acked(s, e, r->reason_code);
	else if (e && r->kind == STORE_RELEASED)
		store_state_released(s, e);
	else if (e)
		store_state_drop_in(s, e);
}

/* The server's new session knows nothing of what it had received in the old one: that is its own
 * (client/resume.c does the same to what is in memory). */
static void replay_session(struct store_state *s)
{
	struct link *next;
	store_state_begin_session(s);
	for (struct link *at = s->out.next; at != &s->out; at = next) {
		next = at->next;
		if (out_of(at)->is_received)
			store_state_drop_out(s, out_of(at));
	}
}

int store_state_replay(struct store_state *s, uint64_t position, struct span body)
{
	struct store_record r;
	int error = store_record_decode(body, &r);
	if (error)
		return error;
	switch (r.kind) {
	case STORE_IDENTITY: return store_state_identify(s, &r);
	case STORE_OUT:
	case STORE_IN: return replay_message(s, position, &r);
	case STORE_RECEIVED:
	case STORE_DONE: replay_out(s, &r); return 0;
	case STORE_SESSION: replay_session(s); return 0;
	case STORE_SENDING: store_state_sending(s, r.number); return 0;
	case STORE_CHECKPOINT: return 0;
	default: replay_in(s, &r); return 0;
	}
}
