/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that run the engine that ships (src/client). What it sends and receives is seen packet
 * by packet, so that the model learns as much of it as of our own clients; and what it hands to its
 * application is compared with what came.
 */
#include "rows.h"
#include "world.h"

#define QUEUE_MESSAGES_MAX 40 /* of an engine: few, so that it fills */
#define FORGED_ID 60000       /* far from all that are in use */

/* Its events have one argument only. */
static struct world *here;

/* --- what it sends --- */

static void sent_publish(struct world *w, struct client *c, const struct publish *p)
{
	struct published *m = &w->messages[payload_read(w, p->payload)];
	ASSERT(m->id > 0 && m->publisher == c->index);
	if (p->dup != (m->attempts > 0))
		m->renewals += !p->dup; /* its session was lost */
	m->attempts++;
	if (m->attempts == 1)
		m->connection = c->connection;
	world_note(w, "%s sends %u (%s q%u m%u%s)", c->id, m->id, topics[m->topic], p->qos,
		   p->packet_id, p->dup ? " dup" : "");
	if (p->qos == 0 || p->dup)
		return;
	ASSERT(c->out_count < OUTGOING_MAX);
	c->out_messages[c->out_count++] = (struct outgoing_message){m->id, p->packet_id, false};
}

/* It may come again, should the refusal be lost: then it is a new one. */
static void forget_copy(struct got *got)
{
	got->exact -= got->exact > 0;
	got->exact_replays -= got->exact_replays > 0;
	for (unsigned g = 0; g < GROUPS; g++)
		got->group_exact[g] -= got->group_exact[g] > 0;
}

/* A refused QoS 2 message is over [MQTT-4.3.3-9]. */
static void sent_pubrec(struct world *w, struct client *c, const struct ack *p)
{
	for (unsigned i = 0; p->reason_code >= 0x80 && i < c->in_count; i++)
		if (c->in_ids[i].packet_id == p->packet_id) {
			forget_copy(&w->got[c->index][c->in_ids[i].message]);
			c->in_ids[i] = c->in_ids[--c->in_count];
			c->open_count--;
			return;
		}
}

static void sent_connect(struct world *w, struct client *c, const struct connect *p)
{
	c->asked_clean = p->clean_start;
	client_sent_will(w, c, c->engine_will);
}

static void saw_outgoing(struct world *w, struct client *c, const struct engine_packet *p)
{
	switch (p->type) {
	case PACKET_CONNECT: sent_connect(w, c, p->connect); break;
	case PACKET_PUBLISH: sent_publish(w, c, p->publish); break;
	case PACKET_SUBSCRIBE: c->request_id = p->subscribe->packet_id; break;
	case PACKET_UNSUBSCRIBE: c->request_id = p->unsubscribe->packet_id; break;
	case PACKET_PUBREC: sent_pubrec(w, c, p->ack); break;
	case PACKET_PUBACK:
	case PACKET_PUBCOMP: c->open_count -= !c->is_forging; break;
	default: break;
	}
}

/* --- what it receives --- */

static void saw_incoming(struct world *w, struct client *c, const struct engine_packet *p)
{
	if (c->is_forging)
		return;
	switch (p->type) {
	case PACKET_CONNACK:
		if (p->connack->code != 0)
			client_saw_connack(w, c, p->connack);
		break;
	case PACKET_PUBLISH: client_saw_publish(w, c, p->publish); break;
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: client_saw_ack(w, c, p->ack); break;
	case PACKET_DISCONNECT: client_saw_disconnect(w, c, p->disconnect); break;
	default: break;
	}
}

static void on_packet(void *context, const struct engine_packet *p)
{
	if (p->is_outgoing)
		saw_outgoing(here, context, p);
	else
		saw_incoming(here, context, p);
}

static void on_connected(void *context, const struct connack *p)
{
	client_saw_connack(here, context, p);
}

static void on_answered(void *context, const struct engine_answered *p)
{
	client_saw_suback(here, context, p->packet);
}

static void on_published(void *context, const struct engine_published *p)
{
	(void)context;
	here->messages[p->token].is_queued = false;
}

static void on_closed(void *context, const struct engine_closed *p)
{
	struct client *c = context;
	c->closed = *p;
}

/* Each message that came is handed on once. */
static void on_message(void *context, const struct publish *p, uint64_t handle)
{
	struct client *c = context;
	if (handle && buffer_append(&c->handles, span_of(&handle, sizeof(handle))))
		ASSERT(!"memory");
	uint32_t id = payload_read(here, p->payload);
	struct span owed = buffer_content(&c->owed);
	for (size_t at = 0; at + sizeof(id) <= owed.len; at += sizeof(id)) {
		if (memcmp(owed.ptr + at, &id, sizeof(id)) != 0)
			continue;
		memmove((uint8_t *)owed.ptr + sizeof(id), owed.ptr, at);
		buffer_consume(&c->owed, sizeof(id));
		return;
	}
	world_fail(here, "%s: its engine hands on message %u, which did not come", c->id, id);
}

/* --- its life --- */

static enum rows_side enter(struct world *w)
{
	here = w;
	return rows_set_side(ROWS_CLIENT);
}

static void judge_owed(struct world *w, const struct client *c)
{
	if (!c->engine_holds && buffer_len(&c->owed) > 0)
		world_fail(w, "%s: its engine does not hand on what came", c->id);
}

void engine_begin(struct world *w, struct client *c, struct connect *p)
{
	static const struct engine_events events = {.connected = on_connected,
						    .closed = on_closed,
						    .message = on_message,
						    .published = on_published,
						    .answered = on_answered,
						    .packet = on_packet};
	struct engine_options options;
	engine_end(c);
	for (uint32_t id = 1; id <= w->message_count; id++)
		if (w->messages[id].publisher == c->index)
			w->messages[id].is_queued = false;
	engine_options_init(&options);
	options.inflight_max = (uint16_t)(1 + random_below(&w->random, 20));
	options.queue_messages_max = QUEUE_MESSAGES_MAX;
	c->engine_holds = options.holds_until_release = random_chance(&w->random, 30);
	c->engine_is_told = !c->engine_holds && random_chance(&w->random, 30);
	options.acknowledges_when_told = c->engine_is_told;
	options.held_messages_max = 1 + random_below(&w->random, 10);
	c->engine_will = client_choose_will(w, c, p);
	int error = engine_new(p, &options, &events, c, &c->engine);
	ASSERT(!error);
	world_note(w, "%s begins an engine, will %u", c->id, c->engine_will);
}

void engine_end(struct client *c)
{
	engine_free(c->engine);
	c->engine = NULL;
	buffer_release(&c->owed);
	buffer_release(&c->handles);
}

void engine_open(struct world *w, struct client *c)
{
	enum rows_side before = enter(w);
	int error = engine_connect(c->engine, w->kit.now.steady_ms);
	ASSERT(!error);
	rows_set_side(before);
}

void engine_close(struct world *w, struct client *c)
{
	enum rows_side before = enter(w);
	engine_lost(c->engine, w->kit.now.steady_ms);
	rows_set_side(before);
}

/* Where packets end is for engine_forge to know. */
static void note_boundary(struct client *c, struct span bytes)
{
	struct fixed_header h;
	const struct flaw *flaw;
	int error = buffer_append(&c->in, bytes);
	ASSERT(!error);
	for (;;) {
		struct span in = buffer_content(&c->in);
		if (fixed_header_decode_3_1(in, &h, &flaw) != HEADER_OK)
			return;
		size_t len = (size_t)h.header_len + h.remaining_length;
		if (in.len < len)
			return;
		buffer_consume(&c->in, len);
	}
}

void engine_take(struct world *w, struct client *c, struct span bytes)
{
	enum rows_side before = enter(w);
	note_boundary(c, bytes);
	engine_input(c->engine, bytes, w->kit.now.steady_ms);
	rows_set_side(before);
	judge_owed(w, c);
	if (!c->is_lazy)
		engine_answer(w, c);
}

/* In any order; a few are refused. Those of an earlier connection may be void. */
void engine_answer(struct world *w, struct client *c)
{
	enum rows_side before = enter(w);
	for (;;) {
		struct span handles = buffer_content(&c->handles);
		uint32_t count = (uint32_t)(handles.len / sizeof(uint64_t));
		if (count == 0)
			break;
		uint64_t first, handle;
		uint8_t *at =
			(uint8_t *)handles.ptr + random_below(&w->random, count) * sizeof(handle);
		memcpy(&first, handles.ptr, sizeof(first));
		memcpy(&handle, at, sizeof(handle));
		memcpy(at, &first, sizeof(first));
		buffer_consume(&c->handles, sizeof(first));
		bool is_refused = c->version == MQTT_5 && random_chance(&w->random, 5);
		int error = engine_acknowledge(c->engine, handle,
					       is_refused ? REASON_QUOTA_EXCEEDED : 0);
		ASSERT(!error || error == ERROR_NOT_FOUND);
	}
	rows_set_side(before);
}

void engine_wrote(struct world *w, struct client *c, size_t len)
{
	enum rows_side before = enter(w);
	engine_sent(c->engine, len, w->kit.now.steady_ms);
	rows_set_side(before);
}

/* It may give up when nobody answers, and on bytes that the broker never sent. */
static void judge_end(struct world *w, const struct client *c)
{
	const struct engine_closed *why = &c->closed;
	bool is_expected = c->is_faulty || power_was_in_trouble(w, c->opened);
	switch (why->end) {
	case ENGINE_END_SILENT: return;
	case ENGINE_END_FLAW: is_expected = c->is_forged; break;
	case ENGINE_END_SERVER: is_expected |= c->keep_alive > 0; break;
	default: break;
	}
	if (!is_expected)
		world_fail(w, "%s: its engine ends (%u %02x): %s", c->id, why->end,
			   why->reason_code, why->text ? why->text : "");
}

void engine_look(struct world *w, struct client *c)
{
	enum rows_side before = enter(w);
	engine_tick(c->engine, w->kit.now.steady_ms);
	if (engine_is_closing(c->engine) && c->phase != PHASE_LEAVING) {
		engine_lost(c->engine, w->kit.now.steady_ms);
		judge_end(w, c);
		client_fault(w, c);
		client_lost(w, c, false);
	}
	rows_set_side(before);
}

bool engine_send(struct world *w, struct client *c, const struct publish *p, uint32_t message)
{
	enum rows_side before = enter(w);
	w->messages[message].is_queued = true;
	int error = engine_publish(c->engine, p, message);
	ASSERT(!error || error == ERROR_AGAIN);
	if (error)
		w->messages[message].is_queued = false;
	rows_set_side(before);
	return !error;
}

uint16_t engine_ask(struct client *c, const struct subscribe *p)
{
	int error = engine_subscribe(c->engine, p, 0);
	ASSERT(!error || error == ERROR_CLOSED);
	return error ? 0 : c->request_id;
}

uint16_t engine_ask_no_more(struct client *c, const struct unsubscribe *p)
{
	int error = engine_unsubscribe(c->engine, p, 0);
	ASSERT(!error || error == ERROR_CLOSED);
	return error ? 0 : c->request_id;
}

void engine_leave(struct client *c, const struct disconnect *p)
{
	engine_disconnect(c->engine, p);
}

/* --- packets that the broker never sent --- */

static uint16_t forged_id(struct world *w)
{
	return (uint16_t)(FORGED_ID + random_below(&w->random, 4));
}

/* An answer to what it never sent: to be taken without harm. */
static void forge_unknown(struct world *w, const struct client *c, struct ack *p)
{
	p->type = (uint8_t)(PACKET_PUBACK + random_below(&w->random, 4));
	p->packet_id = forged_id(w);
	if (p->type == PACKET_PUBREC && c->version == MQTT_5 && random_chance(&w->random, 50))
		p->reason_code = REASON_UNSPECIFIED_ERROR;
}

/* An answer that does not belong to this QoS, or comes too early; or a PUBREC again. */
static bool forge_wrong(struct world *w, const struct client *c, struct ack *p, bool *is_flaw_out)
{
	static const uint8_t wrong[3][2] = {{PACKET_PUBREC, PACKET_PUBCOMP},
					    {PACKET_PUBACK, PACKET_PUBCOMP},
					    {PACKET_PUBACK, PACKET_PUBREC}};
	if (c->out_count == 0)
		return false;
	const struct outgoing_message *o = &c->out_messages[random_below(&w->random, c->out_count)];
	unsigned state = o->is_released ? 2 : w->messages[o->message].qos - 1u;
	p->type = wrong[state][random_below(&w->random, 2)];
	p->packet_id = o->packet_id;
	if (p->type == PACKET_PUBREC && c->version == MQTT_5 && random_chance(&w->random, 50))
		p->reason_code = REASON_UNSPECIFIED_ERROR;
	*is_flaw_out = p->type != PACKET_PUBREC || p->reason_code || state == 0;
	return true;
}

static size_t forge_ack(struct world *w, struct client *c, struct room room, bool *is_flaw_out)
{
	struct ack p = {0};
	properties_clear(&p.properties);
	if (random_chance(&w->random, 50))
		forge_unknown(w, c, &p);
	else if (!forge_wrong(w, c, &p, is_flaw_out))
		return 0;
	world_note(w, "%s gets a forged %s m%u %02x", c->id, packet_type_name(p.type), p.packet_id,
		   p.reason_code);
	return ack_encode(&p, c->version, room);
}

/* Under a packet id that a QoS 2 message holds: the same again, or a flaw. */
static size_t forge_publish(struct world *w, struct client *c, struct room room, bool *is_flaw_out)
{
	if (c->in_count == 0)
		return 0;
	const struct incoming_id *id = &c->in_ids[random_below(&w->random, c->in_count)];
	if (id->connection != c->connection)
		return 0; /* the broker would be answered before it has sent it again */
	struct publish p = {.dup = true,
			    .qos = (uint8_t)(1 + random_below(&w->random, 2)),
			    .packet_id = id->packet_id,
			    .topic = SPAN_LITERAL("a")};
	properties_clear(&p.properties);
	*is_flaw_out = p.qos == 1;
	world_note(w, "%s gets a forged PUBLISH q%u m%u", c->id, p.qos, p.packet_id);
	return publish_encode(&p, c->version, room);
}

void engine_forge(struct world *w, struct client *c)
{
	uint8_t bytes[100];
	struct room room = {bytes, sizeof(bytes)};
	bool is_flaw = false;
	if (!c->engine || buffer_len(&c->in) > 0 || w->is_quiet)
		return;
	size_t len = random_chance(&w->random, 30) ? forge_publish(w, c, room, &is_flaw)
						   : forge_ack(w, c, room, &is_flaw);
	if (len == 0)
		return;
	w->forged++;
	c->is_forged = c->is_forging = true;
	if (is_flaw)
		client_fault(w, c);
	enum rows_side before = enter(w);
	engine_input(c->engine, span_of(bytes, len), w->kit.now.steady_ms);
	rows_set_side(before);
	c->is_forging = false;
	if (engine_is_closing(c->engine) != is_flaw)
		world_fail(w, "%s: its engine takes what it should not, or the other way round",
			   c->id);
	engine_look(w, c);
}
