/* SPDX-License-Identifier: Apache-2.0 */
/* A client that follows the standard: its connections, its session, what it sends. */
#include "world.h"

#include <stdlib.h>

static void send_bytes(struct client *c, const void *ptr, size_t len)
{
	ASSERT(len > 0);
	int error = buffer_append(&c->out, span_of(ptr, len));
	ASSERT(error == 0);
}

void client_send_ack(struct client *c, uint8_t type, uint16_t packet_id)
{
	uint8_t bytes[ACK_BYTES_MIN];
	ack_encode_short(bytes, type, packet_id);
	send_bytes(c, bytes, sizeof(bytes));
}

bool client_session_is_sure(const struct client *c)
{
	return c->has_session && !c->must_clean && !c->is_maybe_expired;
}

void client_forget_session(struct world *w, struct client *c)
{
	if (c->has_session)
		model_session_over(w, c);
	c->has_session = false;
	c->out_count = 0;
	c->in_count = 0;
	c->interval_count = 0;
	c->is_maybe_expired = false;
	memset(c->order, 0, sizeof(c->order));
}

uint32_t client_choose_will(struct world *w, struct client *c, struct connect *p)
{
	struct random *r = &w->random;
	if (w->is_quiet || !random_chance(r, 30))
		return 0;
	uint32_t topic = random_below(r, TOPICS);
	struct published *m = world_message(w, c->index, topic, (uint8_t)random_below(r, 3));
	if (!m)
		return 0;
	m->is_will = true;
	if (payload_of(m).len > UINT16_MAX)
		return 0; /* a will cannot be so long */
	m->retain = w->has_retained && random_chance(&w->random, 20);
	c->will_delay = c->version == MQTT_5 && random_chance(&w->random, 40)
				? random_below(&w->random, 20)
				: 0;
	p->has_will = true;
	p->will_qos = m->qos;
	p->will_retain = m->retain;
	p->will_topic = span_of_text(topics[m->topic]);
	p->will_payload = payload_of(m);
	if (c->will_delay) {
		p->will_properties.present = 1ull << PROPERTY_WILL_DELAY_INTERVAL;
		p->will_properties.will_delay_interval = c->will_delay;
	}
	return m->id;
}

void client_sent_will(struct world *w, struct client *c, uint32_t will)
{
	struct published *m = &w->messages[will];
	c->will = will;
	if (will == 0)
		return;
	m->attempts++;
	m->is_forbidden = m->is_judged = false;
	m->end = NEVER;
}

static void choose_options(struct world *w, struct client *c, struct connect *p)
{
	static const uint32_t expiries[] = {0, 5, 60, 3600, UINT32_MAX};
	bool is_strange = w->is_quiet || c->has_engine;
	c->asked_clean = c->must_clean || random_chance(&w->random, is_strange ? 0 : 10);
	c->receive_maximum = UINT16_MAX;
	if (c->version != MQTT_5) {
		c->asked_expiry = c->asked_clean ? 0 : UINT32_MAX;
		return;
	}
	c->asked_expiry = expiries[random_below(&w->random, ARRAY_COUNT(expiries))];
	p->properties.present = 1ull << PROPERTY_SESSION_EXPIRY_INTERVAL;
	p->properties.session_expiry_interval = c->asked_expiry;
	if (random_chance(&w->random, 50)) {
		c->receive_maximum = (uint16_t)(1 + random_below(&w->random, 10));
		p->properties.present |= 1ull << PROPERTY_RECEIVE_MAXIMUM;
		p->properties.receive_maximum = c->receive_maximum;
	}
	if (random_chance(&w->random, 50)) {
		p->properties.present |= 1ull << PROPERTY_TOPIC_ALIAS_MAXIMUM;
		p->properties.topic_alias_maximum =
			(uint16_t)(1 + random_below(&w->random, ALIASES_MAX));
	}
}

/* An engine asks always for the same; what it makes of clean start, it says itself. */
static void send_connect_by_engine(struct world *w, struct client *c)
{
	struct connect p = {.version = c->version, .client_id = span_of_text(c->id)};
	if (c->engine &&
	    !(c->version == MQTT_5 && (c->must_clean || random_chance(&w->random, 10)))) {
		engine_open(w, c);
		return;
	}
	properties_clear(&p.properties);
	properties_clear(&p.will_properties);
	c->must_clean |= c->version == MQTT_5 || c->engine_cleans;
	choose_options(w, c, &p);
	c->keep_alive = random_chance(&w->random, 50) ? KEEP_ALIVE_S : 0;
	p.keep_alive = c->keep_alive;
	p.clean_start = c->asked_clean;
	engine_begin(w, c, &p);
	engine_open(w, c);
}

static void send_connect(struct world *w, struct client *c)
{
	static uint8_t bytes[100000];
	struct connect p = {.version = c->version, .client_id = span_of_text(c->id)};
	properties_clear(&p.properties);
	properties_clear(&p.will_properties);
	choose_options(w, c, &p);
	client_sent_will(w, c, client_choose_will(w, c, &p));
	c->keep_alive = !w->is_quiet && random_chance(&w->random, 30) ? KEEP_ALIVE_S : 0;
	p.keep_alive = c->keep_alive;
	p.clean_start = c->asked_clean;
	send_bytes(c, bytes, connect_encode(&p, (struct room){bytes, sizeof(bytes)}));
}

/* Its old connection stays behind, half open. */
static void leave_behind(struct world *w, struct client *c)
{
	client_fault(w, c);
	if (w->zombie_count == ZOMBIES_MAX)
		return;
	struct zombie *z = &w->zombies[w->zombie_count++];
	z->stream = c->stream;
	z->keep_alive = c->phase == PHASE_CONNECTING ? 0 : c->keep_alive;
	c->stream = (struct stream){.fd = -1};
}

void client_vanish(struct world *w, struct client *c)
{
	world_note(w, "%s vanishes", c->id);
	leave_behind(w, c);
	client_lost(w, c, false);
}

static void reset_connection(struct client *c)
{
	buffer_release(&c->in);
	buffer_release(&c->out);
	buffer_release(&c->answers);
	c->answer_count = c->open_count = 0;
	c->is_stopped = c->is_lazy = c->is_faulty = c->is_goodbye = false;
	c->is_orphaned = c->is_forged = false;
	c->aliases_out = 0;
	memset(c->aliases_in, 0, sizeof(c->aliases_in));
}

static void open_connection(struct world *w, struct client *c)
{
	static const uint32_t capacities[] = {50, 300, 2000, 10000, 200000, 1000000};
	uint32_t capacity = capacities[random_below(&w->random, ARRAY_COUNT(capacities))];
	c->stream = kit_open(&w->kit, random_below(&w->random, w->kit.shard_count), capacity,
			     &c->broker_end);
	if (capacity > 1000 && random_chance(&w->random, 30))
		memory_set_step(&c->stream, 1 + random_below(&w->random, 3000));
	c->connection = ++w->connections;
	c->opened = w->tick;
	c->connect_ms = c->last_write_ms = w->kit.now.steady_ms;
	c->phase = PHASE_CONNECTING;
}

void client_connect(struct world *w, struct client *c)
{
	if (c->phase != PHASE_OFFLINE) {
		leave_behind(w, c);
		client_lost(w, c, false);
	}
	reset_connection(c);
	open_connection(w, c);
	if (c->has_engine)
		send_connect_by_engine(w, c);
	else
		send_connect(w, c);
	world_note(w, "%s connects v%u%s expiry %u will %u", c->id, c->version,
		   c->asked_clean ? " clean" : "", c->asked_expiry, c->will);
	c->expiry_min = c->asked_expiry < c->expiry_min ? c->asked_expiry : c->expiry_min;
	c->expiry_max = c->asked_expiry > c->expiry_max ? c->asked_expiry : c->expiry_max;
	if (c->asked_clean)
		client_forget_session(w, c);
}

static void judge_present(struct world *w, struct client *c, bool is_present)
{
	/* an engine of 3.x cannot know what became of a CONNECT that was not answered */
	bool may_be_unknown = c->engine && c->must_clean;
	if (is_present && !c->has_session && !may_be_unknown)
		world_fail(w, "%s: a session is present that should be none", c->id);
	if (!is_present && client_session_is_sure(c))
		world_fail(w, "%s: the session is lost", c->id);
	if (is_present && c->expiry_max != UINT32_MAX && c->lost_known_ms != NEVER &&
	    c->connect_ms > c->lost_known_ms + c->expiry_max * 1000ull + 100)
		world_fail(w, "%s: the session should have expired", c->id);
}

static void send_publish(struct world *w, struct client *c, struct published *m, uint16_t packet_id,
			 bool dup)
{
	static uint8_t bytes[100000];
	struct publish p = {.dup = dup,
			    .retain = m->retain,
			    .qos = m->qos,
			    .packet_id = packet_id,
			    .topic = span_of_text(topics[m->topic]),
			    .payload = payload_of(m)};
	properties_clear(&p.properties);
	if (m->has_expiry) {
		p.properties.present = 1ull << PROPERTY_MESSAGE_EXPIRY_INTERVAL;
		p.properties.message_expiry_interval = expiry_of(m);
	}
	if (c->engine) {
		engine_send(w, c, &p, m->id);
		return;
	}
	if (c->version == MQTT_5 && random_chance(&w->random, 30)) {
		p.properties.present |= 1ull << PROPERTY_TOPIC_ALIAS;
		p.properties.topic_alias = (uint16_t)(m->topic + 1);
		if (c->aliases_out >> m->topic & 1)
			p.topic = SPAN_NONE;
		c->aliases_out |= (uint8_t)(1u << m->topic);
	}
	m->attempts++;
	m->connection = m->attempts == 1 ? c->connection : m->connection;
	send_bytes(c, bytes, publish_encode(&p, c->version, (struct room){bytes, sizeof(bytes)}));
}

/* All that is unfinished, in the order in which it was sent first [MQTT-4.4.0-1]. */
static void resume(struct world *w, struct client *c)
{
	for (unsigned i = 0; i < c->out_count; i++) {
		struct outgoing_message *o = &c->out_messages[i];
		if (o->is_released)
			client_send_ack(c, PACKET_PUBREL, o->packet_id);
		else
			send_publish(w, c, &w->messages[o->message], o->packet_id, true);
	}
}

void client_connected(struct world *w, struct client *c, bool is_present)
{
	judge_present(w, c, is_present);
	w->sessions_over++;
	world_note(w, "%s is connected%s", c->id, is_present ? ", session present" : "");
	if (!is_present) {
		client_forget_session(w, c);
		model_session_gone(w);
	}
	c->phase = PHASE_ONLINE;
	c->online_start = ++w->tick;
	c->has_session = true;
	c->must_clean = c->is_maybe_expired = false;
	c->expiry_min = c->expiry_max = c->asked_expiry;
	c->lost_known_ms = NEVER;
	c->lost_ms = c->is_faulty ? c->fault_ms : NEVER;
	model_time(w);
	if (!c->engine)
		resume(w, c);
}

void client_fault(struct world *w, struct client *c)
{
	if (!c->is_faulty)
		c->fault_ms = w->kit.now.steady_ms;
	c->is_faulty = true;
	if (c->phase >= PHASE_ONLINE && c->lost_ms == NEVER)
		c->lost_ms = w->kit.now.steady_ms;
	model_time(w);
}

static void end_will(struct world *w, struct client *c, bool is_orderly)
{
	struct published *m = &w->messages[c->will];
	if (c->will == 0)
		return;
	c->will = 0;
	if (c->is_goodbye && is_orderly) {
		m->is_forbidden = ++m->forgone == m->attempts;
		m->end = m->is_forbidden ? w->tick : m->end;
	} else if (!c->is_goodbye && c->phase != PHASE_CONNECTING && c->will_delay == 0) {
		m->dues++;
	}
}

/* What was asked on it stays unknown for good. */
static void forget_requests(struct client *c)
{
	for (unsigned i = 0; i < c->interval_count; i++)
		c->intervals[i].from_id = c->intervals[i].until_id = 0;
}

void client_lost(struct world *w, struct client *c, bool is_orderly)
{
	uint64_t now = w->kit.now.steady_ms;
	w->sessions_over++;
	world_note(w, "%s lost its connection%s", c->id, is_orderly ? " in order" : "");
	end_will(w, c, is_orderly);
	if (stream_is_open(&c->stream))
		c->stream.ops->close(&c->stream);
	if (c->engine)
		engine_close(w, c);
	if (is_orderly) {
		c->expiry_min = c->expiry_max = c->expiry_goodbye;
		c->lost_ms = c->lost_ms == NEVER ? now : c->lost_ms;
	}
	c->waits_for_quiet = c->phase == PHASE_CONNECTING;
	if (c->phase == PHASE_CONNECTING)
		c->lost_known_ms = NEVER; /* it may have seen it come, and go later */
	if (c->phase == PHASE_CONNECTING && (!c->has_session || c->is_maybe_expired))
		c->must_clean = true;
	else if (c->phase == PHASE_CONNECTING && c->expiry_min == 0)
		c->is_maybe_expired = true;
	if (c->lost_ms == NEVER)
		c->lost_ms = c->last_write_ms;
	c->phase = PHASE_OFFLINE;
	reset_connection(c);
	forget_requests(c);
	if (c->expiry_max == 0)
		client_forget_session(w, c);
	model_time(w);
}

static uint16_t new_packet_id(struct client *c)
{
	for (;;) {
		uint16_t id = ++c->next_packet_id;
		bool is_used = id == 0;
		for (unsigned i = 0; i < c->out_count; i++)
			is_used |= c->out_messages[i].packet_id == id;
		for (unsigned i = 0; i < c->interval_count; i++)
			is_used |= c->intervals[i].from_id == id || c->intervals[i].until_id == id;
		if (!is_used)
			return id;
	}
}

/* The ids of requests are far away from these. */
static uint16_t new_message_id(struct client *c)
{
	uint16_t id = 0;
	bool is_used = true;
	if (!c->reuses_ids)
		return new_packet_id(c);
	while (is_used) {
		id++;
		is_used = false;
		for (unsigned i = 0; i < c->out_count; i++)
			is_used |= c->out_messages[i].packet_id == id;
	}
	return id;
}

void client_publish(struct world *w, struct client *c)
{
	struct random *r = &w->random;
	uint8_t qos = (uint8_t)random_below(r, 3);
	if (!c->engine && c->out_count == OUTGOING_MAX && qos > 0)
		return;
	struct published *m = world_message(w, c->index, random_below(r, TOPICS), qos);
	if (!m)
		return;
	m->retain = w->has_retained && random_chance(r, 15);
	m->is_clear = m->retain && !c->engine && random_chance(r, 30);
	m->has_expiry = c->version == MQTT_5 && !m->retain && random_chance(r, 5);
	uint16_t packet_id = qos && !c->engine ? new_message_id(c) : 0;
	if (qos && !c->engine)
		c->out_messages[c->out_count++] =
			(struct outgoing_message){m->id, packet_id, false};
	send_publish(w, c, m, packet_id, false);
	world_note(w, "%s publishes %u (%s q%u m%u%s%s)", c->id, m->id, topics[m->topic], qos,
		   packet_id, m->retain ? " retain" : "", m->is_clear ? " clear" : "");
}

static struct interval *open_interval(struct client *c, unsigned filter)
{
	for (unsigned i = c->interval_count; i-- > 0;)
		if (c->intervals[i].filter == filter && c->intervals[i].until_sent == NEVER)
			return &c->intervals[i];
	return NULL;
}

static void close_interval(struct world *w, struct client *c, unsigned filter, uint16_t packet_id)
{
	struct interval *old = open_interval(c, filter);
	if (!old)
		return;
	old->until_sent = w->tick;
	old->until_id = packet_id;
}

static unsigned choose_filter(struct world *w, const struct client *c)
{
	if (c->version == MQTT_5)
		return random_below(&w->random, w->has_groups ? FILTERS : PLAIN_FILTERS);
	return c->takes_shares ? PLAIN_FILTERS + c->index % GROUPS
			       : random_below(&w->random, PLAIN_FILTERS);
}

static void note_subscription(struct world *w, struct client *c, unsigned filter,
			      const struct subscription_options *o, uint16_t packet_id)
{
	w->tick++;
	close_interval(w, c, filter, packet_id);
	c->intervals[c->interval_count++] = (struct interval){
		.filter = (uint8_t)filter,
		.qos = o->qos,
		.no_local = o->no_local,
		.retain_as_published = o->retain_as_published,
		.retain_handling = o->retain_handling,
		.from_sent = w->tick,
		.from_sure = NEVER,
		.until_sent = NEVER,
		.until_sure = NEVER,
		.from_id = packet_id,
	};
	model_replays_asked(w, c, &c->intervals[c->interval_count - 1]);
	model_lookup_asked(c, filter);
	model_groups(w);
	world_note(w, "%s subscribes to %s at %u (m%u)", c->id, filters[filter], o->qos, packet_id);
}

static struct subscription_options choose_subscription(struct world *w, const struct client *c,
						       unsigned filter)
{
	struct random *r = &w->random;
	struct subscription_options o = {.qos = (uint8_t)random_below(r, 3)};
	if (filter >= PLAIN_FILTERS)
		o.qos = (uint8_t)(1 + random_below(r, 2)); /* so that the group loses nothing */
	if (c->version != MQTT_5)
		return o;
	o.no_local = filter < PLAIN_FILTERS && random_chance(r, 20);
	o.retain_as_published = random_chance(r, 20);
	o.retain_handling = (uint8_t)random_below(r, 3);
	return o;
}

/* Version 5 tells copies apart by the identifier, which is one for the whole packet. */
void client_subscribe(struct world *w, struct client *c)
{
	uint8_t bytes[400], text[200];
	struct writer writer = writer_of((struct room){text, sizeof(text)});
	unsigned count = c->version == MQTT_5 ? 1 : 1 + random_below(&w->random, 2);
	unsigned last = FILTERS;
	struct subscription_options options[2];
	uint8_t chosen[2];
	unsigned filter_count = 0;
	struct subscribe p = {.packet_id = c->engine ? 1 : new_packet_id(c)};
	if (c->interval_count + count > INTERVALS_MAX)
		return;
	properties_clear(&p.properties);
	for (unsigned i = 0; i < count; i++) {
		unsigned filter = choose_filter(w, c);
		if (filter == last)
			continue; /* twice in one packet: nothing to be learnt */
		last = filter;
		struct subscription_options o = choose_subscription(w, c, filter);
		subscribe_filter_encode(&writer, span_of_text(filters[filter]), &o);
		chosen[filter_count] = (uint8_t)filter;
		options[filter_count++] = o;
	}
	if (c->version == MQTT_5) {
		p.properties.present = 1ull << PROPERTY_SUBSCRIPTION_IDENTIFIER;
		p.properties.subscription_identifier = last + 1;
	}
	p.filters = span_of(text, (size_t)(writer.ptr - text));
	if (c->engine)
		p.packet_id = engine_ask(c, &p);
	for (unsigned i = 0; p.packet_id && i < filter_count; i++)
		note_subscription(w, c, chosen[i], &options[i], p.packet_id);
	if (!c->engine)
		send_bytes(c, bytes,
			   subscribe_encode(&p, c->version, (struct room){bytes, sizeof(bytes)}));
}

void client_unsubscribe(struct world *w, struct client *c)
{
	uint8_t bytes[200], text[100];
	struct writer writer = writer_of((struct room){text, sizeof(text)});
	struct unsubscribe p = {.packet_id = c->engine ? 1 : new_packet_id(c)};
	unsigned filter = choose_filter(w, c);
	properties_clear(&p.properties);
	write_binary(&writer, span_of_text(filters[filter]));
	p.filters = span_of(text, (size_t)(writer.ptr - text));
	if (c->engine)
		p.packet_id = engine_ask_no_more(c, &p);
	if (!p.packet_id)
		return;
	world_note(w, "%s unsubscribes from %s (m%u)", c->id, filters[filter], p.packet_id);
	close_interval(w, c, filter, p.packet_id);
	w->tick++; /* from here on it is not sure to be a member */
	model_filter_left(w, c, filter);
	if (!c->engine)
		send_bytes(c, bytes,
			   unsubscribe_encode(&p, c->version, (struct room){bytes, sizeof(bytes)}));
}

void client_ping(struct client *c)
{
	uint8_t bytes[PING_BYTES];
	if (c->engine)
		return; /* it does so by itself */
	ping_encode(bytes, PACKET_PINGREQ);
	send_bytes(c, bytes, sizeof(bytes));
}

/* Afterwards it only waits for the broker to close. */
void client_disconnect(struct world *w, struct client *c)
{
	uint8_t bytes[64];
	struct disconnect p = {0};
	properties_clear(&p.properties);
	c->expiry_goodbye = c->expiry_max;
	if (c->version == MQTT_5 && random_chance(&w->random, 40))
		p.reason_code = REASON_DISCONNECT_WITH_WILL;
	if (c->version == MQTT_5 && c->asked_expiry > 0 && random_chance(&w->random, 30)) {
		c->expiry_goodbye = random_chance(&w->random, 50) ? 0 : 30;
		p.properties.present = 1ull << PROPERTY_SESSION_EXPIRY_INTERVAL;
		p.properties.session_expiry_interval = c->expiry_goodbye;
	}
	if (c->expiry_goodbye < c->expiry_min)
		c->expiry_min = c->expiry_goodbye;
	if (c->expiry_goodbye > c->expiry_max)
		c->expiry_max = c->expiry_goodbye;
	c->is_goodbye = p.reason_code == 0;
	c->phase = PHASE_LEAVING;
	client_answer(w, c);
	if (c->engine)
		engine_leave(c, &p);
	else
		send_bytes(c, bytes,
			   disconnect_encode(&p, c->version, (struct room){bytes, sizeof(bytes)}));
	world_note(w, "%s disconnects with %02x, expiry %u", c->id, p.reason_code,
		   c->expiry_goodbye);
	if (c->lost_ms == NEVER)
		c->lost_ms = w->kit.now.steady_ms;
	model_time(w);
}

void client_answer(struct world *w, struct client *c)
{
	struct span answers = buffer_content(&c->answers);
	if (c->engine)
		engine_answer(w, c);
	if (answers.len > 0)
		send_bytes(c, answers.ptr, answers.len);
	buffer_release(&c->answers);
	c->open_count -= c->answer_count;
	c->answer_count = 0;
}
