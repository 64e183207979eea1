/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's engine, an application that publishes, subscribes and reconnects, and a hostile
 * server, whose bytes the input chooses (client_connection.h). What the client sends must be
 * packets that a client may send to such a server, and those that it shows; each message that it
 * took and each request comes to one end; memory comes back.
 */
#include "client_connection.h"
#include "fuzz.h"

#include "base/buffer.h"
#include "base/mem.h"
#include "cli/packet_lines.h"
#include "client/engine.h"
#include "mqtt/topic.h"
#include "unit/mqtt/any_packet.h"

#define IDS (UINT16_MAX + 1)
#define TOKENS 4096
#define SHOWN_MAX 65536
#define ANSWERS_MAX 64         /* of the obliging server, at a time */
#define OUTPUT_MAX (2u << 20)  /* what a client holds that answers and cannot send */
#define PENDING_MAX (1u << 16) /* bytes of the server */
#define OWED 16                /* handles that the application remembers */
#define START_MS 1000000

const struct step_shape step_shapes[STEP_KINDS] = {
	[STEP_PACKET] = {2, 1},  [STEP_PACKET + 1] = {2, 1}, [STEP_RAW] = {1, 1},
	[STEP_REPEAT] = {1, 0},  [STEP_TIME] = {1, 0},       [STEP_FLOOD] = {1, 0},
	[STEP_REFUSES] = {1, 0},
};

static struct {
	struct engine *engine;
	struct engine_options options;
	uint8_t version;
	bool is_reentrant, is_stalled;
	uint64_t now_ms;
	uint8_t chunk;
	unsigned connects, ends;
	/* What the server said of itself, and what of ours is open with it. */
	uint32_t packet_bytes_max;
	uint16_t receive_maximum, alias_maximum;
	uint8_t qos_max;
	bool is_open[IDS]; /* QoS 1 and 2 sent on this connection and not finished */
	unsigned open_count;
	/* The application's. */
	bool is_published[TOKENS], is_requested[TOKENS];
	unsigned published_count, tokens;
	/* Types as they were shown; as they come out. */
	uint8_t shown[SHOWN_MAX];
	unsigned shown_count, out_count;
	/* The obliging server's next answers. */
	struct any_packet answers[ANSWERS_MAX];
	unsigned answer_count;
	uint8_t refusal;
	uint64_t owed[OWED];
	unsigned owed_count;
	struct span last; /* packet of the input */
	uint8_t last_first;
	struct packet_lines lines;
} c;

/* --- what the engine tells --- */

static void on_connected(void *context, const struct connack *p)
{
	const struct properties *of = &p->properties;
	(void)context;
	if (properties_has(of, PROPERTY_MAXIMUM_PACKET_SIZE))
		c.packet_bytes_max = of->maximum_packet_size;
	if (properties_has(of, PROPERTY_RECEIVE_MAXIMUM))
		c.receive_maximum = of->receive_maximum;
	if (properties_has(of, PROPERTY_TOPIC_ALIAS_MAXIMUM))
		c.alias_maximum = of->topic_alias_maximum;
	if (properties_has(of, PROPERTY_MAXIMUM_QOS))
		c.qos_max = of->maximum_qos;
}

static void on_closed(void *context, const struct engine_closed *closed)
{
	(void)context;
	CHECK(++c.ends == c.connects);
	CHECK(closed->end <= ENGINE_END_NO_MEMORY);
	CHECK((closed->end == ENGINE_END_FLAW) == (closed->text != NULL));
	memset(c.is_requested, 0, sizeof(c.is_requested));
}

/* The application is done with a message, or refuses it. */
static void acknowledge(uint64_t handle, unsigned variant)
{
	static const uint8_t codes[] = {REASON_SUCCESS, REASON_SUCCESS, REASON_UNSPECIFIED_ERROR,
					REASON_NO_MATCHING_SUBSCRIBERS};
	int error = engine_acknowledge(c.engine, handle, codes[variant]);
	CHECK(error == 0 || error == ERROR_NOT_FOUND || error == ERROR_INVALID);
	CHECK(error != ERROR_INVALID || variant >= 2);
}

static void on_message(void *context, const struct publish *m, uint64_t handle)
{
	(void)context;
	CHECK(topic_name_is_valid(m->topic) && utf8_is_valid(m->topic));
	CHECK(m->qos <= QOS_MAX && (m->packet_id > 0) == (m->qos > 0));
	if (c.is_reentrant && m->payload.len == 1 && m->payload.ptr[0] == 'd')
		engine_disconnect(c.engine, NULL);
	CHECK((handle != 0) == (c.options.acknowledges_when_told && m->qos > 0));
	if (handle && c.is_reentrant)
		acknowledge(handle, 0);
	else if (handle)
		c.owed[c.owed_count++ % OWED] = handle;
}

static void on_published(void *context, const struct engine_published *p)
{
	(void)context;
	CHECK(p->token < TOKENS && c.is_published[p->token]);
	c.is_published[p->token] = false;
	c.published_count--;
}

static void on_answered(void *context, const struct engine_answered *answered)
{
	(void)context;
	CHECK(answered->token < TOKENS && c.is_requested[answered->token]);
	c.is_requested[answered->token] = false;
}

static void answer_auth(void)
{
	struct auth auth = {.reason_code = REASON_CONTINUE_AUTHENTICATION};
	const struct flaw *flaw = auth_decode(SPAN_LITERAL("\x18\4\x15\0\1m"), &auth);
	CHECK(!flaw);
	(void)!engine_auth(c.engine, &auth);
}

static void on_auth(void *context, const struct auth *auth)
{
	(void)context;
	(void)auth;
	if (c.is_reentrant)
		answer_auth();
}

static void close_id(uint16_t id)
{
	c.open_count -= c.is_open[id];
	c.is_open[id] = false;
}

static void see_outgoing(const struct engine_packet *p)
{
	CHECK(c.shown_count < SHOWN_MAX);
	c.shown[c.shown_count++] = p->type;
	if (p->type != PACKET_PUBLISH)
		return;
	const struct publish *m = p->publish;
	CHECK(m->qos <= c.qos_max);
	if (m->qos == 0)
		return;
	CHECK(m->packet_id > 0 && !c.is_open[m->packet_id]);
	c.is_open[m->packet_id] = true;
	CHECK(++c.open_count <= c.receive_maximum);
}

static void see_incoming(const struct engine_packet *p)
{
	bool is_end = p->type == PACKET_PUBACK || p->type == PACKET_PUBCOMP ||
		      (p->type == PACKET_PUBREC && p->ack->reason_code >= 0x80);
	if (is_end)
		close_id(p->ack->packet_id);
}

static void show_publish(struct nj_packet *shown, const struct publish *p, char **topic_out)
{
	*topic_out = mem_copy_text(p->topic);
	CHECK(*topic_out);
	shown->dup = p->dup;
	shown->retain = p->retain;
	shown->qos = p->qos;
	shown->packet_id = p->packet_id;
	shown->payload_len = p->payload.len;
	shown->topic = *topic_out;
}

/* As the library shows it to pub and sub -d. */
static void show(const struct engine_packet *p)
{
	char *id = mem_copy_text(engine_client_id(c.engine)), *topic = NULL;
	CHECK(id);
	struct nj_packet shown = {
		.is_outgoing = p->is_outgoing, .type = p->type, .client_id = id, .topic = ""};
	if (p->type == PACKET_PUBLISH)
		show_publish(&shown, p->publish, &topic);
	else if (p->type == PACKET_SUBACK)
		shown.reason_codes = (struct nj_bytes){p->suback->codes.ptr, p->suback->codes.len};
	else if (p->type >= PACKET_PUBACK && p->type <= PACKET_PUBCOMP)
		shown.packet_id = p->ack->packet_id;
	packet_lines_print(&c.lines, &shown);
	mem_free(topic);
	mem_free(id);
}

static void on_packet(void *context, const struct engine_packet *p)
{
	(void)context;
	show(p);
	p->is_outgoing ? see_outgoing(p) : see_incoming(p);
}

/* --- what comes out --- */

static void will_answer(const struct any_packet *p)
{
	if (c.answer_count < ANSWERS_MAX)
		c.answers[c.answer_count++] = *p;
}

/* What the server owes for it. Packet ids only: the bytes are gone when it is given. */
static void oblige(const struct any_packet *p)
{
	static const uint8_t good[16];
	struct any_packet answer = {.type = 0, .version = c.version};
	switch (p->type) {
	case PACKET_CONNECT: answer.type = PACKET_CONNACK; break;
	case PACKET_PUBLISH:
		if (p->publish.qos == 0)
			return;
		answer.type = p->publish.qos == 1 ? PACKET_PUBACK : PACKET_PUBREC;
		answer.ack.packet_id = p->publish.packet_id;
		break;
	case PACKET_PUBREC:
		answer.type = PACKET_PUBREL;
		answer.ack.packet_id = p->ack.packet_id;
		break;
	case PACKET_PUBREL:
		answer.type = PACKET_PUBCOMP;
		answer.ack.packet_id = p->ack.packet_id;
		break;
	case PACKET_SUBSCRIBE:
	case PACKET_UNSUBSCRIBE:
		answer.type = p->type == PACKET_SUBSCRIBE ? PACKET_SUBACK : PACKET_UNSUBACK;
		answer.suback.packet_id = p->type == PACKET_SUBSCRIBE ? p->subscribe.packet_id
								      : p->unsubscribe.packet_id;
		answer.suback.codes = span_of(good, 1);
		break;
	case PACKET_PINGREQ: answer.type = PACKET_PINGRESP; break;
	default: return;
	}
	if (answer.type != PACKET_CONNACK)
		answer.ack.type = answer.type; /* the same place in a SUBACK */
	will_answer(&answer);
}

/* What a client may say to such a server. */
static void check_packet(const struct any_packet *p, size_t len)
{
	static const unsigned clients =
		1u << PACKET_CONNECT | 1u << PACKET_PUBLISH | 1u << PACKET_PUBACK |
		1u << PACKET_PUBREC | 1u << PACKET_PUBREL | 1u << PACKET_PUBCOMP |
		1u << PACKET_SUBSCRIBE | 1u << PACKET_UNSUBSCRIBE | 1u << PACKET_PINGREQ |
		1u << PACKET_DISCONNECT | 1u << PACKET_AUTH;
	CHECK(clients >> p->type & 1);
	CHECK(c.out_count < c.shown_count && c.shown[c.out_count] == p->type);
	CHECK((p->type == PACKET_CONNECT) == (c.out_count == 0));
	CHECK(c.out_count == 0 || c.shown[c.out_count - 1] != PACKET_DISCONNECT);
	c.out_count++;
	CHECK(p->type == PACKET_CONNECT || len <= c.packet_bytes_max);
	if (p->type == PACKET_PUBLISH && c.version == MQTT_5 &&
	    properties_has(&p->publish.properties, PROPERTY_TOPIC_ALIAS))
		CHECK(p->publish.properties.topic_alias <= c.alias_maximum);
	oblige(p);
}

/* The packets of all that waits to be sent. */
static void send_output(void)
{
	struct span out = engine_output(c.engine), rest = out;
	while (rest.len > 0) {
		struct fixed_header h;
		const struct flaw *flaw;
		struct any_packet p = {0};
		CHECK(fixed_header_decode(rest, &h, &flaw) == HEADER_OK);
		size_t len = (size_t)h.header_len + h.remaining_length;
		CHECK(len <= rest.len);
		uint8_t *body = fuzz_copy(rest.ptr + h.header_len, h.remaining_length);
		flaw = any_packet_decode(h.type, h.flags, span_of(body, h.remaining_length),
					 c.version, &p);
		CHECK(!flaw);
		check_packet(&p, len);
		free(body);
		rest = span_of(rest.ptr + len, rest.len - len);
	}
	engine_sent(c.engine, out.len, c.now_ms);
	CHECK(c.out_count <= c.shown_count);
}

/* --- a connection --- */

static void connect_again(void)
{
	c.packet_bytes_max = PACKET_BYTES_MAX;
	c.receive_maximum = UINT16_MAX;
	c.alias_maximum = 0;
	c.qos_max = QOS_MAX;
	memset(c.is_open, 0, sizeof(c.is_open));
	c.open_count = c.shown_count = c.out_count = c.answer_count = 0;
	c.connects++;
	CHECK(engine_is_idle(c.engine));
	int error = engine_connect(c.engine, c.now_ms);
	CHECK(error == 0);
}

static void lose(void)
{
	engine_lost(c.engine, c.now_ms);
	CHECK(c.ends == c.connects);
	connect_again();
}

/* As the loop around an engine does. */
static void work(void)
{
	CHECK(engine_output(c.engine).len <= OUTPUT_MAX);
	if (engine_deadline(c.engine) <= c.now_ms)
		engine_tick(c.engine, c.now_ms);
	/* what waited for room may follow */
	while (engine_output(c.engine).len > 0 && (!c.is_stalled || engine_is_closing(c.engine)))
		send_output();
	if (engine_is_closing(c.engine))
		lose();
	CHECK(engine_unfinished(c.engine) == c.published_count);
	CHECK(engine_deadline(c.engine) > c.now_ms);
}

static void feed(struct span bytes)
{
	while (bytes.len > 0 && engine_wants_input(c.engine)) {
		size_t len = c.chunk && c.chunk < bytes.len ? c.chunk : bytes.len;
		uint8_t *copy = fuzz_copy(bytes.ptr, len);
		engine_input(c.engine, span_of(copy, len), c.now_ms);
		free(copy);
		bytes = span_of(bytes.ptr + len, bytes.len - len);
		work();
	}
}

static void feed_packet(uint8_t first, struct span body)
{
	uint8_t bytes[5 + UINT8_MAX];
	struct room room = {bytes, sizeof(bytes)};
	struct writer w = writer_of(room);
	write_u8(&w, first);
	write_variable_integer(&w, (uint32_t)body.len);
	size_t len = writer_finish(&w, room);
	if (body.len > 0)
		memcpy(bytes + len, body.ptr, body.len);
	feed(span_of(bytes, len + body.len));
}

static void packet_step(struct input *in)
{
	uint8_t len = take(in);
	c.last_first = take(in);
	c.last = take_span(in, len);
	feed_packet(c.last_first, c.last);
}

/* A PUBLISH with an id gets another one each time. */
static void repeat(unsigned count)
{
	uint8_t *body = fuzz_copy(c.last.ptr, c.last.len);
	size_t id_at = c.last.len >= 2 ? (size_t)load_u16(body) + 2 : 0;
	bool has_id = c.last_first >> 4 == PACKET_PUBLISH && c.last_first & 6 &&
		      id_at + 2 <= c.last.len && id_at > 0;
	for (; count > 0; count--) {
		if (has_id)
			store_u16(body + id_at, (uint16_t)(load_u16(body + id_at) + 1));
		feed_packet(c.last_first, span_of(body, c.last.len));
	}
	free(body);
}

static void answer_all(void)
{
	unsigned count = c.answer_count;
	static struct any_packet answers[ANSWERS_MAX];
	memcpy(answers, c.answers, sizeof(answers));
	c.answer_count = 0;
	for (unsigned i = 0; i < count; i++) {
		uint8_t bytes[64];
		struct any_packet *p = &answers[i];
		if (c.refusal && (p->type == PACKET_PUBACK || p->type == PACKET_PUBREC))
			p->ack.reason_code = c.refusal;
		if (p->type == PACKET_PINGRESP)
			ping_encode(bytes, PACKET_PINGRESP);
		size_t len = p->type == PACKET_PINGRESP
				     ? PING_BYTES
				     : any_packet_encode(p, (struct room){bytes, sizeof(bytes)});
		CHECK(len > 0);
		feed(span_of(bytes, len));
	}
	c.refusal = 0;
}

/* --- the application --- */

static void publish(unsigned qos, unsigned variant)
{
	static const uint8_t payload[300] = "payload";
	struct publish m = {.qos = (uint8_t)(qos % 3), .retain = variant & 1};
	m.topic = variant & 2 ? SPAN_LITERAL("a/topic/of/some/length") : SPAN_LITERAL("t");
	m.payload = span_of(payload, variant == 3 ? sizeof(payload) : variant);
	if (c.version == MQTT_5 && variant & 1) {
		m.properties.present = UINT64_C(1) << PROPERTY_TOPIC_ALIAS;
		m.properties.topic_alias = (uint16_t)(1 + variant);
	}
	uint32_t token = c.tokens++ % TOKENS;
	if (c.is_published[token])
		return;
	c.is_published[token] = true;
	c.published_count++;
	int error = engine_publish(c.engine, &m, token);
	CHECK(error == 0 || error == ERROR_AGAIN);
	if (error) {
		c.is_published[token] = false;
		c.published_count--;
	}
}

static void request(bool is_subscribe, unsigned qos, unsigned variant)
{
	static const char *const filters[] = {"a/+", "#", "$share/g/a", "plain"};
	uint8_t bytes[64];
	struct room room = {bytes, sizeof(bytes)};
	struct writer w = writer_of(room);
	struct subscription_options options = {.qos = (uint8_t)(qos % 3)};
	struct span filter = span_of_text(filters[variant]);
	uint32_t token = c.tokens++ % TOKENS;
	if (c.is_requested[token])
		return;
	is_subscribe ? subscribe_filter_encode(&w, filter, &options) : write_binary(&w, filter);
	struct span all = span_of(bytes, writer_finish(&w, room));
	c.is_requested[token] = true;
	int error = is_subscribe
			    ? engine_subscribe(c.engine, &(struct subscribe){.filters = all}, token)
			    : engine_unsubscribe(c.engine, &(struct unsubscribe){.filters = all},
						 token);
	c.is_requested[token] = error == 0;
}

static void pass_time(uint8_t choice)
{
	static const uint32_t durations_ms[] = {1, 100, 1000, 9999, 10000, 15000, 60000};
	c.now_ms += durations_ms[choice % ARRAY_COUNT(durations_ms)];
	engine_tick(c.engine, c.now_ms);
}

/* Any of the last ones, some twice. */
static void give(unsigned which, unsigned variant)
{
	if (!c.options.acknowledges_when_told)
		engine_give_held(c.engine);
	else if (c.owed_count > 0)
		acknowledge(c.owed[(c.owed_count - 1 - which * which) % OWED], variant);
}

static void take_step(enum step_kind kind, unsigned qos, unsigned variant, struct input *in)
{
	switch (kind) {
	case STEP_RAW: feed(take_span(in, take(in))); break;
	case STEP_ANSWER: answer_all(); break;
	case STEP_REPEAT: repeat(take(in)); break;
	case STEP_PUBLISH: publish(qos, variant); break;
	case STEP_SUBSCRIBE: request(true, qos, variant); break;
	case STEP_UNSUBSCRIBE: request(false, qos, variant); break;
	case STEP_AUTH: answer_auth(); break;
	case STEP_TIME: pass_time(take(in)); break;
	case STEP_LOST: lose(); break;
	case STEP_DISCONNECT: engine_disconnect(c.engine, NULL); break;
	case STEP_GIVE: give(qos, variant); break;
	case STEP_STALL: c.is_stalled = !c.is_stalled; break;
	case STEP_FLOOD:
		for (unsigned count = take(in); count > 0; count--)
			publish(qos, variant);
		break;
	case STEP_REFUSES: c.refusal = take(in) | 0x80; break;
	default: packet_step(in);
	}
}

/* --- */

static void set_up(uint8_t choice, uint8_t more, struct connect *connect)
{
	c.version = (uint8_t)(choice % 4 == 3 ? MQTT_5 : MQTT_3_1 + choice % 4);
	*connect = (struct connect){.version = c.version,
				    .clean_start = choice & 0x04,
				    .keep_alive = 10,
				    .client_id = choice & 0x80 ? SPAN_NONE : SPAN_LITERAL("me")};
	engine_options_init(&c.options);
	c.options.holds_until_release = choice & 0x10;
	c.options.acknowledges_when_told = more & 0x80 && !c.options.holds_until_release;
	c.options.drops_duplicates = more & 0x40;
	c.is_reentrant = choice & 0x40;
	c.chunk = more & 0x3f;
	if (choice & 0x08) {
		c.options.inflight_max = 2;
		c.options.queue_messages_max = 5;
		c.options.queue_bytes_max = 500;
		c.options.packet_bytes_max = 200;
		c.options.held_messages_max = 2;
		c.options.held_bytes_max = 50;
	}
	if (c.version == MQTT_5 && choice & 0x20) {
		struct properties *p = &connect->properties;
		p->present = UINT64_C(1) << PROPERTY_RECEIVE_MAXIMUM |
			     UINT64_C(1) << PROPERTY_TOPIC_ALIAS_MAXIMUM |
			     UINT64_C(1) << PROPERTY_SESSION_EXPIRY_INTERVAL |
			     UINT64_C(1) << PROPERTY_AUTHENTICATION_METHOD |
			     UINT64_C(1) << PROPERTY_AUTHENTICATION_DATA;
		p->receive_maximum = 2;
		p->topic_alias_maximum = 3;
		p->session_expiry_interval = 100;
		p->authentication_method = SPAN_LITERAL("m");
		p->authentication_data = SPAN_LITERAL("d");
	}
}

static void play(struct input *in)
{
	while (in->len > 0) {
		uint8_t step = take(in);
		take_step(step_kind_of(step), step & 3, step >> 6, in);
		work();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct engine_events events = {.connected = on_connected,
						    .closed = on_closed,
						    .message = on_message,
						    .published = on_published,
						    .answered = on_answered,
						    .auth = on_auth,
						    .packet = on_packet};
	static FILE *nowhere;
	struct connect connect;
	struct input in = {data, len};
	if (len <= HEAD_BYTES)
		return 0;
	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	memset(&c, 0, sizeof(c));
	c.lines.to = nowhere;
	c.now_ms = START_MS;
	mem_count_start();
	uint8_t choice = take(&in);
	set_up(choice, take(&in), &connect);
	if (engine_new(&connect, &c.options, &events, NULL, &c.engine) == 0) {
		connect_again();
		play(&in);
		engine_free(c.engine);
	}
	CHECK(mem_count_live() == 0);
	return 0;
}
