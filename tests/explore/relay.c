/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include "base/mem.h"
#include "broker/shard.h"
#include "kit/talk.h"

#include <stdarg.h>
#include <stdio.h>

#define SEED 7
#define CAPACITY 65536 /* of a connection: more than is ever under way */
#define COLUMN_LOG 2

void relay_break(struct relay *r, const char *format, ...)
{
	va_list arguments;
	if (r->broken[0])
		return; /* the first is the one that explains the others */
	va_start(arguments, format);
	vsnprintf(r->broken, sizeof(r->broken), format, arguments);
	va_end(arguments);
}

static const char *name_of(const struct relay_end *e)
{
	return e->name == PUBLISHER ? "publisher" : "subscriber";
}

/* --- to look at --- */

static void show(struct relay *r, int column, const char *text)
{
	if (r->show)
		r->show(column, text);
}

static void show_packet(struct relay_end *e, struct span packet)
{
	char text[TALK_TEXT_MAX];
	struct relay *r = e->relay;
	if (!r->show)
		return;
	if (packet.ptr[0] >> 4 == PACKET_CONNECT)
		snprintf(text, sizeof(text), "CONNECT");
	else
		talk_decode(packet, r->config->version, text);
	show(r, e->name, text);
}

static void show_batch(struct relay *r, const char *what)
{
	char text[80];
	unsigned count = 0;
	const struct log_batch *batch = log_kept_waiting(r->log);
	for (const struct log_entry *e = batch->first; e; e = e->next)
		count++;
	snprintf(text, sizeof(text), "%s (%u)", what, count);
	show(r, COLUMN_LOG, text);
}

/* --- what the engines say --- */

static void on_message(void *context, const struct publish *p, uint64_t handle)
{
	struct relay_end *e = context;
	struct relay *r = e->relay;
	unsigned m = p->payload.ptr[0] - '0';
	char text[40];
	snprintf(text, sizeof(text), "  application gets message %u", m);
	show(r, e->name, text);
	if (r->config->qos[m - 1] == 2 && r->delivered[m - 1] > 0)
		relay_break(r, "message %u (QoS 2) is delivered twice", m);
	for (unsigned later = m + 1; later <= r->config->messages; later++)
		if (!r->delivered[m - 1] && r->delivered[later - 1] &&
		    r->config->qos[later - 1] == r->config->qos[m - 1])
			relay_break(r, "message %u is delivered behind message %u", m, later);
	if (r->delivered[m - 1] < UINT8_MAX)
		r->delivered[m - 1]++;
	if (handle) {
		ASSERT(r->handle_count < RELAY_HANDLES_MAX);
		r->handles[r->handle_count++] = handle;
	}
}

static void on_published(void *context, const struct engine_published *p)
{
	struct relay_end *e = context;
	char text[60];
	snprintf(text, sizeof(text), "  message %u has arrived", p->token);
	show(e->relay, e->name, text);
	if (p->reason_code >= 0x80)
		relay_break(e->relay, "message %u is refused: %02x", p->token, p->reason_code);
	e->relay->told[p->token - 1]++;
}

static void on_answered(void *context, const struct engine_answered *answered)
{
	struct relay_end *e = context;
	(void)answered;
	e->relay->is_subscribed = true;
}

/* --- steps --- */

/* All that the broker has put out is on its way to the clients. */
static void collect(struct relay_end *e)
{
	uint8_t bytes[4096];
	long n;
	while ((n = e->stream.ops->read(&e->stream, (struct room){bytes, sizeof(bytes)})) > 0)
		if (buffer_append(&e->in, span_of(bytes, (size_t)n)))
			ASSERT(!"memory");
	if (n != ERROR_AGAIN)
		relay_break(e->relay, "the broker closes the connection of the %s", name_of(e));
}

static void settle(struct relay *r)
{
	kit_settle(&r->kit);
	for (unsigned i = 0; i < END_COUNT; i++)
		if (stream_is_open(&r->ends[i].stream))
			collect(&r->ends[i]);
}

/* The first packet of these bytes; empty when there is no whole one. */
static struct span first_packet(struct span bytes)
{
	struct fixed_header h;
	const struct flaw *flaw;
	if (fixed_header_decode(bytes, &h, &flaw) != HEADER_OK ||
	    bytes.len < (size_t)h.header_len + h.remaining_length)
		return SPAN_NONE;
	return span_of(bytes.ptr, (size_t)h.header_len + h.remaining_length);
}

static void check_engine(struct relay_end *e, const char *text)
{
	if (engine_is_closing(e->engine))
		relay_break(e->relay, "the %s finds fault with the broker: %s", name_of(e), text);
}

static void end_sends(struct relay *r, struct relay_end *e)
{
	struct span packet = first_packet(engine_output(e->engine));
	show_packet(e, packet);
	long n = e->stream.ops->write(&e->stream, &packet, 1);
	ASSERT(n == (long)packet.len);
	engine_sent(e->engine, packet.len, r->kit.now.steady_ms);
	settle(r);
}

static void end_receives(struct relay *r, struct relay_end *e)
{
	char text[TALK_TEXT_MAX + 2] = "> ";
	struct span packet = first_packet(buffer_content(&e->in));
	talk_decode(packet, r->config->version, text + 2);
	show(r, e->name, text);
	engine_input(e->engine, packet, r->kit.now.steady_ms);
	buffer_consume(&e->in, packet.len);
	check_engine(e, text);
}

static void commit(struct relay *r)
{
	show_batch(r, "what was appended is durable");
	bool has_stepped = log_kept_step(r->log, false);
	ASSERT(has_stepped);
	settle(r);
}

/* Handles are void when a message came again: nothing happens then. */
static void acknowledge(struct relay *r, unsigned which)
{
	char text[60];
	uint64_t handle = r->handles[which];
	int error = engine_acknowledge(r->ends[SUBSCRIBER].engine, handle, REASON_SUCCESS);
	snprintf(text, sizeof(text), "application is done with id %u%s",
		 (unsigned)(handle & 0xffff), error ? ", again" : "");
	show(r, SUBSCRIBER, text);
	ASSERT(!error || error == ERROR_NOT_FOUND);
	memmove(r->handles + which, r->handles + which + 1,
		(--r->handle_count - which) * sizeof(*r->handles));
}

static void hang_up(struct relay *r, struct relay_end *e)
{
	if (!stream_is_open(&e->stream))
		return;
	e->stream.ops->close(&e->stream);
	e->stream = (struct stream){.fd = -1};
	engine_lost(e->engine, r->kit.now.steady_ms);
	buffer_release(&e->in);
}

static void dial(struct relay *r, struct relay_end *e)
{
	e->stream = kit_open(&r->kit, 0, CAPACITY, NULL);
	int error = engine_connect(e->engine, r->kit.now.steady_ms);
	ASSERT(!error);
	settle(r);
}

static void cut(struct relay *r, struct relay_end *e)
{
	show(r, e->name, "-- the connection is cut --");
	r->cuts_left--;
	hang_up(r, e);
	settle(r);
	dial(r, e);
}

/* The kit must not let the log go on by itself. */
static void take_log(struct relay *r)
{
	r->log = r->kit.log;
	r->kit.log = NULL;
	log_kept_delay(r->log, true, false);
}

static void crash(struct relay *r)
{
	struct moment now = r->kit.now;
	show(r, COLUMN_LOG, "-- the broker crashes --");
	r->crashes_left--;
	kit_crash(&r->kit);
	for (unsigned i = 0; i < END_COUNT; i++)
		hang_up(r, &r->ends[i]);
	kit_start_on(&r->kit, &r->settings, 1, SEED, r->store, now);
	take_log(r);
	settle(r);
	for (unsigned i = 0; i < END_COUNT; i++)
		dial(r, &r->ends[i]);
}

static struct relay_end *end_of(const struct relay *r, enum choice choice)
{
	bool is_publisher = choice == CHOICE_PUBLISHER_SENDS ||
			    choice == CHOICE_PUBLISHER_RECEIVES || choice == CHOICE_CUT_PUBLISHER;
	return (struct relay_end *)&r->ends[is_publisher ? PUBLISHER : SUBSCRIBER];
}

bool relay_may(const struct relay *r, enum choice choice)
{
	const struct relay_end *e = end_of(r, choice);
	switch (choice) {
	case CHOICE_PUBLISHER_SENDS:
	case CHOICE_SUBSCRIBER_SENDS: return engine_output(e->engine).len > 0;
	case CHOICE_PUBLISHER_RECEIVES:
	case CHOICE_SUBSCRIBER_RECEIVES: return first_packet(buffer_content(&e->in)).len > 0;
	case CHOICE_COMMIT: return log_kept_waiting(r->log) != NULL;
	case CHOICE_ACKNOWLEDGE: return r->handle_count > 0;
	case CHOICE_ACKNOWLEDGE_LAST: return r->handle_count > 1;
	case CHOICE_CUT_PUBLISHER:
	case CHOICE_CUT_SUBSCRIBER: return r->cuts_left > 0;
	default: return r->crashes_left > 0;
	}
}

void relay_choose(struct relay *r, enum choice choice)
{
	struct relay_end *e = end_of(r, choice);
	switch (choice) {
	case CHOICE_PUBLISHER_SENDS:
	case CHOICE_SUBSCRIBER_SENDS: end_sends(r, e); break;
	case CHOICE_PUBLISHER_RECEIVES:
	case CHOICE_SUBSCRIBER_RECEIVES: end_receives(r, e); break;
	case CHOICE_COMMIT: commit(r); break;
	case CHOICE_ACKNOWLEDGE: acknowledge(r, 0); break;
	case CHOICE_ACKNOWLEDGE_LAST: acknowledge(r, r->handle_count - 1); break;
	case CHOICE_CUT_PUBLISHER:
	case CHOICE_CUT_SUBSCRIBER: cut(r, e); break;
	default: crash(r); break;
	}
}

bool relay_is_done(const struct relay *r)
{
	for (int choice = 0; choice < CHOICE_FIRST_FAULT; choice++)
		if (relay_may(r, choice))
			return false;
	return true;
}

/* No packet id is held, no message waits. */
static void check_nothing_left(struct relay *r)
{
	struct shard *s = broker_shard(r->kit.broker, 0);
	const struct session *p = session_find(s, SPAN_LITERAL("p"));
	const struct session *to = session_find(s, SPAN_LITERAL("s"));
	if (p->receive.count > 0)
		relay_break(r, "the broker keeps a packet id of the publisher for ever");
	if (!send_is_idle(&to->send) || to->queue->count > 0)
		relay_break(r, "the broker keeps a message for the subscriber for ever");
}

void relay_check_done(struct relay *r)
{
	for (unsigned i = 0; i < r->config->messages; i++) {
		if (!r->delivered[i])
			relay_break(r, "message %u is lost", i + 1);
		if (!r->told[i])
			relay_break(r, "the publisher never hears of message %u", i + 1);
	}
	if (engine_unfinished(r->ends[PUBLISHER].engine))
		relay_break(r, "the publisher is never done");
	check_nothing_left(r);
}

/* --- beginning and end --- */

/* Whatever there is to do, without faults. */
static void run(struct relay *r)
{
	for (int choice = 0; choice < CHOICE_FIRST_FAULT; choice++)
		while (relay_may(r, choice)) {
			relay_choose(r, choice);
			choice = 0;
		}
}

static void make_end(struct relay *r, enum end_name name)
{
	static const struct engine_events events = {
		.message = on_message, .published = on_published, .answered = on_answered};
	struct relay_end *e = &r->ends[name];
	struct engine_options options;
	struct connect connect = {.version = r->config->version,
				  .client_id = span_of_text(name == PUBLISHER ? "p" : "s")};
	e->relay = r;
	e->name = name;
	engine_options_init(&options);
	options.inflight_max = r->config->receive_maximum;
	options.acknowledges_when_told = name == SUBSCRIBER && r->config->is_told;
	if (connect.version == MQTT_5) {
		connect.properties.present = UINT64_C(1) << PROPERTY_SESSION_EXPIRY_INTERVAL |
					     UINT64_C(1) << PROPERTY_RECEIVE_MAXIMUM;
		connect.properties.session_expiry_interval = UINT32_MAX;
		connect.properties.receive_maximum = r->config->receive_maximum;
	}
	int error = engine_new(&connect, &options, &events, e, &e->engine);
	ASSERT(!error);
	dial(r, e);
}

static void subscribe(struct relay *r)
{
	static const uint8_t filter[] = {0, 1, 't', 2};
	struct subscribe p = {.filters = span_of(filter, sizeof(filter))};
	int error = engine_subscribe(r->ends[SUBSCRIBER].engine, &p, 0);
	ASSERT(!error);
	run(r);
	ASSERT(r->is_subscribed);
}

static void publish(struct relay *r, unsigned message)
{
	uint8_t payload = (uint8_t)('0' + message);
	struct publish p = {.qos = r->config->qos[message - 1],
			    .topic = SPAN_LITERAL("t"),
			    .payload = span_of(&payload, 1)};
	int error = engine_publish(r->ends[PUBLISHER].engine, &p, message);
	ASSERT(!error);
}

void relay_start(struct relay *r, const struct relay_config *config)
{
	struct moment now = {KIT_START_STEADY_MS, KIT_START_WALL_MS};
	*r = (struct relay){.config = config};
	settings_init(&r->settings);
	r->settings.hold_back_ms_max = 0;
	r->settings.in_flight_max = config->receive_maximum;
	r->store = kept_store_new();
	kit_start_on(&r->kit, &r->settings, 1, SEED, r->store, now);
	take_log(r);
	settle(r);
	make_end(r, SUBSCRIBER);
	make_end(r, PUBLISHER);
	run(r);
	subscribe(r);
	for (unsigned m = 1; m <= config->messages; m++)
		publish(r, m);
	r->cuts_left = config->cuts;
	r->crashes_left = config->crashes;
}

void relay_stop(struct relay *r)
{
	for (unsigned i = 0; i < END_COUNT; i++)
		hang_up(r, &r->ends[i]);
	kit_crash(&r->kit);
	for (unsigned i = 0; i < END_COUNT; i++)
		engine_free(r->ends[i].engine);
	kept_store_free(r->store);
}
