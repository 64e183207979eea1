/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#define TOPIC "sensor/1"

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

void server_init(struct server *s, uint8_t version)
{
	memset(s, 0, sizeof(*s));
	s->version = version;
	send_init(&s->send, 20);
	receive_init(&s->receive);
}

static void drop_nothing(void *context, struct sending *entry)
{
	(void)context;
	(void)entry;
}

void server_release(struct server *s)
{
	send_release(&s->send, drop_nothing, NULL);
	receive_release(&s->receive);
}

void server_write(struct server *s, const void *bytes, size_t len)
{
	assert_true(s->out_len + len <= sizeof(s->out));
	memcpy(s->out + s->out_len, bytes, len);
	s->out_len += len;
}

static struct room room_of(struct server *s)
{
	return (struct room){s->out + s->out_len, sizeof(s->out) - s->out_len};
}

static void put(struct server *s, size_t len)
{
	assert_true(len > 0);
	s->out_len += len;
}

static void write_message(struct server *s, uint32_t number, bool dup, uint16_t id)
{
	uint8_t payload[4];
	store_u32(payload, number);
	struct publish p = {.dup = dup,
			    .qos = s->qos[number],
			    .packet_id = id,
			    .topic = SPAN_LITERAL(TOPIC),
			    .payload = span_of(payload, 4)};
	put(s, publish_encode(&p, s->version, room_of(s)));
}

bool server_publish(struct server *s, uint32_t number, uint8_t qos)
{
	struct sending entry = {.note = number, .message = s};
	uint16_t id = 0;
	s->qos[number] = qos;
	if (qos > 0 && (!s->is_connected || !send_is_open(&s->send)))
		return false;
	if (qos > 0 && send_begin(&s->send, qos, &entry, &id))
		return false; /* a test lets memory fail */
	write_message(s, number, false, id);
	return true;
}

void server_tell(struct server *s, const struct publish *message)
{
	put(s, publish_encode(message, s->version, room_of(s)));
}

static void write_ack(struct server *s, uint8_t type, uint16_t id)
{
	struct ack p = {.type = type, .packet_id = id};
	if (type == PACKET_PUBACK)
		p.reason_code = s->puback_code;
	put(s, ack_encode(&p, s->version, room_of(s)));
}

static void send_again_all(struct server *s)
{
	struct sending *entry;
	uint16_t id;
	unsigned steps;
	while ((steps = send_again(&s->send, &entry, &id))) {
		if (steps & STEP_SEND_PUBLISH_DUP)
			write_message(s, entry->note, true, id);
		else
			write_ack(s, PACKET_PUBREL, id);
	}
}

static void set_auth(struct properties *p, const char *method, struct span data)
{
	p->present |= UINT64_C(1) << PROPERTY_AUTHENTICATION_METHOD |
		      UINT64_C(1) << PROPERTY_AUTHENTICATION_DATA;
	p->authentication_method = span_of_text(method);
	p->authentication_data = data;
}

void server_auth(struct server *s, uint8_t reason_code, const char *method, struct span data)
{
	struct auth p = {.reason_code = reason_code};
	set_auth(&p.properties, method, data);
	put(s, auth_encode(&p, room_of(s)));
}

void server_accept(struct server *s, uint8_t code, const char *method, struct span data)
{
	struct connack p = {.code = code};
	p.session_present = code == 0 && s->has_session && !s->connect.clean_start;
	if (code == 0)
		set_auth(&p.properties, method, data);
	put(s, connack_encode(&p, s->version, room_of(s)));
	s->has_session |= code == 0;
	send_restart(&s->send, 20);
	send_again_all(s);
}

static void handle_auth(struct server *s, struct span body)
{
	struct auth p;
	assert_ptr_equal(auth_decode(body, &p), NULL);
	if (s->authenticate)
		s->authenticate(s, PACKET_AUTH, &p.properties);
}

static void handle_connect(struct server *s, struct span body)
{
	assert_ptr_equal(connect_decode(body, &s->connect), NULL);
	assert_int_equal(s->connect.version, s->version);
	assert_true(s->connect.client_id.len < sizeof(s->client_id));
	memset(s->client_id, 0, sizeof(s->client_id));
	memcpy(s->client_id, s->connect.client_id.ptr, s->connect.client_id.len);
	struct connack p = s->connack;
	if (s->authenticate) {
		s->is_connected = true;
		s->authenticate(s, PACKET_CONNECT, &s->connect.properties);
		return;
	}
	if (s->connect.clean_start || !s->has_session) {
		receive_release(&s->receive);
		send_release(&s->send, drop_nothing, NULL);
	}
	p.session_present =
		p.code == 0 && s->version != MQTT_3_1 && s->has_session && !s->connect.clean_start;
	put(s, connack_encode(&p, s->version, room_of(s)));
	if (p.code != 0)
		return;
	s->has_session = s->is_connected = true;
	uint16_t maximum = 20;
	if (properties_has(&s->connect.properties, PROPERTY_RECEIVE_MAXIMUM))
		maximum = s->connect.properties.receive_maximum;
	send_restart(&s->send, maximum);
	send_again_all(s);
}

static void handle_publish(struct server *s, uint8_t flags, struct span body)
{
	struct publish p;
	int error;
	assert_ptr_equal(publish_decode(flags, body, s->version, &p), NULL);
	s->ids[s->order_count - 1] = p.packet_id;
	s->dup_count += p.dup;
	s->last_was_retained = p.retain;
	s->last_alias =
		properties_has(&p.properties, PROPERTY_TOPIC_ALIAS) ? p.properties.topic_alias : 0;
	enum receive_event event = p.qos == 0   ? RECEIVE_EVENT_QOS_0
				   : p.qos == 1 ? RECEIVE_EVENT_QOS_1
						: RECEIVE_EVENT_QOS_2;
	unsigned steps = receive_event(&s->receive, event, p.packet_id, &error);
	assert_int_not_equal(steps, 0);
	if (error)
		return; /* a test lets memory fail */
	if (steps & STEP_DELIVER && s->published)
		s->published(s, &p);
	if (steps & STEP_DELIVER && p.payload.len >= 4)
		s->arrived[load_u32(p.payload.ptr) % SERVER_MESSAGES]++;
	if (steps & STEP_SEND_PUBACK)
		write_ack(s, PACKET_PUBACK, p.packet_id);
	if (steps & STEP_SEND_PUBREC)
		write_ack(s, PACKET_PUBREC, p.packet_id);
}

static void handle_ack(struct server *s, uint8_t type, struct span body)
{
	struct ack p;
	struct sending entry;
	int error;
	assert_ptr_equal(ack_decode(type, body, s->version, &p), NULL);
	s->ids[s->order_count - 1] = p.packet_id;
	if (type == PACKET_PUBREL) {
		receive_event(&s->receive, RECEIVE_EVENT_PUBREL, p.packet_id, &error);
		write_ack(s, PACKET_PUBCOMP, p.packet_id);
		return;
	}
	enum send_event event = type == PACKET_PUBACK   ? SEND_EVENT_PUBACK
				: type == PACKET_PUBREC ? SEND_EVENT_PUBREC
							: SEND_EVENT_PUBCOMP;
	unsigned steps = send_answer(&s->send, event, p.packet_id, &entry);
	assert_int_not_equal(steps, 0);
	if (steps & (STEP_SEND_PUBREL | STEP_SEND_PUBREL_NOT_FOUND))
		write_ack(s, PACKET_PUBREL, p.packet_id);
	send_again_all(s);
}

static void handle_subscribe(struct server *s, struct span body)
{
	struct subscribe p;
	struct subscription_options options;
	struct span filter;
	uint8_t codes[16];
	size_t count = 0;
	assert_ptr_equal(subscribe_decode(body, s->version, &p), NULL);
	while (subscribe_next(&p.filters, &filter, &options))
		codes[count++] = s->suback_code ? s->suback_code : options.qos;
	s->ids[s->order_count - 1] = p.packet_id;
	struct suback answer = {
		.type = PACKET_SUBACK, .packet_id = p.packet_id, .codes = span_of(codes, count)};
	put(s, suback_encode(&answer, s->version, room_of(s)));
}

static void handle_unsubscribe(struct server *s, struct span body)
{
	struct unsubscribe p;
	struct span filter;
	uint8_t codes[16] = {0};
	size_t count = 0;
	assert_ptr_equal(unsubscribe_decode(body, s->version, &p), NULL);
	while (unsubscribe_next(&p.filters, &filter))
		count++;
	s->ids[s->order_count - 1] = p.packet_id;
	struct suback answer = {
		.type = PACKET_UNSUBACK, .packet_id = p.packet_id, .codes = span_of(codes, count)};
	put(s, suback_encode(&answer, s->version, room_of(s)));
}

static void handle(struct server *s, const struct fixed_header *header, struct span body)
{
	if (s->forgets_order && s->order_count == sizeof(s->order))
		s->order_count = 0;
	assert_true(s->order_count < sizeof(s->order));
	s->flags[s->order_count] = header->flags;
	s->order[s->order_count++] = header->type;
	s->packet_count[header->type]++;
	/* [MQTT-3.1.0-1]; nothing follows a DISCONNECT [MQTT-3.14.4-1] */
	assert_int_equal(s->is_connected, header->type != PACKET_CONNECT);
	switch (header->type) {
	case PACKET_CONNECT: handle_connect(s, body); break;
	case PACKET_PUBLISH: handle_publish(s, header->flags, body); break;
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: handle_ack(s, header->type, body); break;
	case PACKET_SUBSCRIBE: handle_subscribe(s, body); break;
	case PACKET_UNSUBSCRIBE: handle_unsubscribe(s, body); break;
	case PACKET_PINGREQ:
		if (!s->ignores_pings)
			server_write(s, "\xd0\0", 2);
		break;
	case PACKET_DISCONNECT:
		assert_ptr_equal(disconnect_decode(body, s->version, &s->disconnect), NULL);
		s->is_connected = false;
		break;
	case PACKET_AUTH: handle_auth(s, body); break;
	default: fail_msg("a client may not send type %u", header->type);
	}
}

void server_work(struct server *s)
{
	size_t done = 0;
	struct fixed_header header;
	const struct flaw *flaw;
	for (;;) {
		struct span rest = span_of(s->in + done, s->in_len - done);
		enum header_result result = fixed_header_decode_any(rest, &header, &flaw);
		assert_int_not_equal(result, HEADER_MALFORMED);
		if (result == HEADER_INCOMPLETE)
			break;
		size_t len = header.header_len + (size_t)header.remaining_length;
		if (len > rest.len)
			break;
		handle(s, &header, span_of(rest.ptr + header.header_len, header.remaining_length));
		done += len;
	}
	memmove(s->in, s->in + done, s->in_len - done);
	s->in_len -= done;
}

void server_lost(struct server *s)
{
	s->in_len = s->out_len = 0;
	s->is_connected = false;
	if (s->loses_session)
		s->has_session = false;
}

/* --- the application --- */

static void on_connected(void *context, const struct connack *connack)
{
	struct client *c = context;
	c->connected_count++;
	c->session_present = connack->session_present;
}

static void on_closed(void *context, const struct engine_closed *closed)
{
	struct client *c = context;
	c->closed_count++;
	c->closed = *closed;
}

static void on_message(void *context, const struct publish *message, uint64_t handle)
{
	struct client *c = context;
	memset(c->topic, 0, sizeof(c->topic));
	memcpy(c->topic, message->topic.ptr, least(message->topic.len, sizeof(c->topic) - 1));
	c->delivery_count++;
	c->last_was_dup = message->dup;
	if (message->payload.len == 4) {
		uint32_t number = load_u32(message->payload.ptr) % SERVER_MESSAGES;
		c->handles[number] = handle;
		if (c->delivered[number]++ == 0) {
			c->is_out_of_order |= number < c->last_number[message->qos];
			c->last_number[message->qos] = number;
		}
	}
	if (c->disconnects_on_message)
		engine_disconnect(c->engine, c->disconnects_on_message);
}

static void on_published(void *context, const struct engine_published *published)
{
	struct client *c = context;
	c->published[published->token]++;
	c->last_published = *published;
}

static void on_answered(void *context, const struct engine_answered *answered)
{
	struct client *c = context;
	c->answered_count++;
	c->answered = *answered;
	c->answered_id = answered->packet->packet_id;
	c->codes_len = answered->packet->codes.len;
	assert_true(c->codes_len <= sizeof(c->codes));
	if (c->codes_len > 0)
		memcpy(c->codes, answered->packet->codes.ptr, c->codes_len);
}

static void on_auth(void *context, const struct auth *auth)
{
	struct client *c = context;
	(void)auth;
	c->auth_count++;
}

void client_init(struct client *c, uint8_t version,
		 void (*changes)(struct connect *, struct engine_options *))
{
	static const struct engine_events events = {.connected = on_connected,
						    .closed = on_closed,
						    .message = on_message,
						    .published = on_published,
						    .answered = on_answered,
						    .auth = on_auth};
	struct engine_options options;
	struct connect connect = {
		.version = version, .keep_alive = 60, .client_id = SPAN_LITERAL("client")};
	memset(c, 0, sizeof(*c));
	c->now_ms = 1000;
	engine_options_init(&options);
	if (version == MQTT_5) {
		connect.properties.present = UINT64_C(1) << PROPERTY_SESSION_EXPIRY_INTERVAL;
		connect.properties.session_expiry_interval = 3600;
	}
	if (changes)
		changes(&connect, &options);
	int error = engine_new(&connect, &options, &events, c, &c->engine);
	if (error)
		c->engine = NULL;
}

void client_release(struct client *c)
{
	engine_free(c->engine);
}

int client_publish(struct client *c, uint32_t number, uint8_t qos)
{
	uint8_t payload[4];
	store_u32(payload, number);
	struct publish p = {
		.qos = qos, .topic = SPAN_LITERAL(TOPIC), .payload = span_of(payload, 4)};
	return engine_publish(c->engine, &p, number);
}

/* --- the wire --- */

/* Passes what fits the budget; true when something moved. */
static bool pass_there(struct client *c, struct server *s, size_t *budget)
{
	struct span output = engine_output(c->engine);
	size_t len = least(output.len, *budget);
	if (len == 0)
		return false;
	assert_true(s->in_len + len <= sizeof(s->in));
	memcpy(s->in + s->in_len, output.ptr, len);
	s->in_len += len;
	*budget -= *budget == SIZE_MAX ? 0 : len;
	engine_sent(c->engine, len, c->now_ms);
	server_work(s);
	return true;
}

static bool pass_back(struct client *c, struct server *s, size_t *budget)
{
	size_t len = least(s->out_len, *budget);
	if (len == 0)
		return false;
	uint8_t bytes[SERVER_BYTES];
	memcpy(bytes, s->out, len);
	memmove(s->out, s->out + len, s->out_len - len);
	s->out_len -= len;
	*budget -= *budget == SIZE_MAX ? 0 : len;
	engine_input(c->engine, span_of(bytes, len), c->now_ms);
	return true;
}

void cut_now(struct client *c, struct server *s)
{
	server_lost(s);
	engine_lost(c->engine, c->now_ms);
}

bool join(struct client *c, struct server *s, size_t there_budget, size_t back_budget)
{
	assert_int_equal(engine_connect(c->engine, c->now_ms), 0);
	while (pass_there(c, s, &there_budget) || pass_back(c, s, &back_budget))
		;
	if (there_budget > 0 && back_budget > 0)
		return true;
	cut_now(c, s);
	return false;
}

void pass(struct client *c, struct server *s)
{
	size_t there = SIZE_MAX, back = SIZE_MAX;
	while (pass_there(c, s, &there) || pass_back(c, s, &back))
		;
}
