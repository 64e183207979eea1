/* SPDX-License-Identifier: Apache-2.0 */
/* What the client does with each packet of the server: one handler per packet type. */
#include "base/mem.h"
#include "client/engine_state.h"

static const struct flaw flaw_not_connack = {REASON_PROTOCOL_ERROR,
					     "the first packet is not CONNACK"};
static const struct flaw flaw_unexpected = {REASON_PROTOCOL_ERROR,
					    "a packet that has no place here"};
static const struct flaw flaw_unexpected_session = {
	REASON_PROTOCOL_ERROR, "the server resumes a session that was to be new"};
static const struct flaw flaw_assigned_id = {REASON_PROTOCOL_ERROR,
					     "the server assigns a client id to one that has one"};
static const struct flaw flaw_delivery = {REASON_PROTOCOL_ERROR,
					  "an acknowledgement that does not belong to this QoS"};
static const struct flaw flaw_id_in_use = {REASON_PROTOCOL_ERROR,
					   "a packet id that a QoS 2 message holds"};
static const struct flaw flaw_receive_maximum = {REASON_RECEIVE_MAXIMUM_EXCEEDED,
						 "more messages under way than we announced"};
static const struct flaw flaw_answer = {REASON_PROTOCOL_ERROR,
					"an answer to no request, or of another length"};
static const struct flaw flaw_auth_turn = {REASON_PROTOCOL_ERROR,
					   "an AUTH when it is not the server's turn"};
static const struct flaw flaw_auth_method = {REASON_PROTOCOL_ERROR,
					     "another authentication method than ours"};

static void show(struct engine *e, const struct fixed_header *header, const void *packet)
{
	engine_show(e, false, header->type, packet,
		    (size_t)header->header_len + header->remaining_length);
}

/* --- CONNACK --- */

static uint32_t number_or(const struct properties *p, enum property_id id, uint32_t value,
			  uint32_t otherwise)
{
	return properties_has(p, id) ? value : otherwise;
}

/* [5] 3.2.2.3, each with its default. The server's keep alive goes before ours
 * [MQTT-3.1.2-21, 3.2.2-21]. */
static void read_limits(struct engine *e, const struct properties *p)
{
	e->server = (struct server_limits){
		.packet_bytes_max = number_or(p, PROPERTY_MAXIMUM_PACKET_SIZE,
					      p->maximum_packet_size, PACKET_BYTES_MAX),
		.receive_maximum = (uint16_t)number_or(p, PROPERTY_RECEIVE_MAXIMUM,
						       p->receive_maximum, UINT16_MAX),
		.topic_alias_maximum = (uint16_t)number_or(p, PROPERTY_TOPIC_ALIAS_MAXIMUM,
							   p->topic_alias_maximum, 0),
		.keep_alive =
			(uint16_t)number_or(p, PROPERTY_SERVER_KEEP_ALIVE, p->server_keep_alive,
					    e->hello.connect.keep_alive),
		.qos_max = (uint8_t)number_or(p, PROPERTY_MAXIMUM_QOS, p->maximum_qos, QOS_MAX),
		.keeps_retained =
			number_or(p, PROPERTY_RETAIN_AVAILABLE, p->retain_available, true),
		.knows_wildcards = number_or(p, PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE,
					     p->wildcard_subscription_available, true),
		.knows_subscription_ids = number_or(p, PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE,
						    p->subscription_identifier_available, true),
		.knows_shares = number_or(p, PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE,
					  p->shared_subscription_available, true),
	};
}

/* A session that outlives its connection is resumed from now on, under the id the server gave. */
static void remember_session(struct engine *e, const struct connack *p)
{
	const struct properties *mine = &e->hello.connect.properties;
	uint32_t expiry =
		number_or(mine, PROPERTY_SESSION_EXPIRY_INTERVAL, mine->session_expiry_interval, 0);
	expiry = number_or(&p->properties, PROPERTY_SESSION_EXPIRY_INTERVAL,
			   p->properties.session_expiry_interval, expiry);
	if (e->version == MQTT_5 && expiry > 0)
		hello_set_clean_start(&e->hello, false);
}

static int remember_client_id(struct engine *e, const struct connack *p)
{
	if (!properties_has(&p->properties, PROPERTY_ASSIGNED_CLIENT_IDENTIFIER))
		return 0;
	return hello_set_client_id(&e->hello, p->properties.assigned_client_identifier);
}

/* MQTT 3.1 does not say whether there was a session: one that was asked for is taken for granted. */
static bool has_session(const struct engine *e, const struct connack *p)
{
	if (e->version == MQTT_3_1)
		return !e->hello.connect.clean_start;
	return p->session_present;
}

/* [MQTT-4.12.0-5]: AUTH and CONNACK carry the method of CONNECT, and none when it had none. */
static bool has_my_method(const struct engine *e, const struct properties *p)
{
	const struct properties *mine = &e->hello.connect.properties;
	bool is_wanted = properties_has(mine, PROPERTY_AUTHENTICATION_METHOD);
	bool is_there = properties_has(p, PROPERTY_AUTHENTICATION_METHOD);
	if (!is_wanted || !is_there)
		return is_wanted == is_there;
	return span_is_equal(mine->authentication_method, p->authentication_method);
}

static const struct flaw *connack_flaw(const struct engine *e, const struct connack *p)
{
	if (has_session(e, p) && e->hello.connect.clean_start)
		return &flaw_unexpected_session; /* [MQTT-3.2.2-4] */
	if (properties_has(&p->properties, PROPERTY_ASSIGNED_CLIENT_IDENTIFIER) &&
	    e->hello.connect.client_id.len > 0)
		return &flaw_assigned_id;
	if (!has_my_method(e, &p->properties))
		return &flaw_auth_method;
	return NULL;
}

/* Connected only when the session is in order: what the application publishes meanwhile waits. */
static void accept(struct engine *e, const struct connack *p)
{
	bool session_present = has_session(e, p);
	e->auth_turn = AUTH_NONE;
	read_limits(e, &p->properties);
	if (remember_client_id(e, p)) {
		engine_fail_memory(e);
		return;
	}
	uint16_t most = e->server.topic_alias_maximum;
	alias_choice_begin(&e->choice,
			   most < e->options.aliases_max ? most : e->options.aliases_max);
	remember_session(e, p);
	resume_session(e, session_present);
	if (e->state != ENGINE_CONNECTING)
		return;
	e->state = ENGINE_CONNECTED;
	if (e->events.connected)
		e->events.connected(e->context, p);
}

/* A server that knows no version 5 says so in its own words: return code 1, no properties. */
static bool is_old_refusal(const struct engine *e, struct span body)
{
	return e->version == MQTT_5 && body.len == 2 && body.ptr[0] == 0 && body.ptr[1] == 1;
}

static bool is_admitted(struct engine *e, const struct connack *p)
{
	if (e->is_admitted || !e->events.admits || !hello_has_method(&e->hello))
		return true;
	e->waits_for_admission = !e->events.admits(e->context, p);
	return !e->waits_for_admission;
}

static void handle_connack(struct engine *e, const struct fixed_header *header, struct span body)
{
	struct connack p = {0};
	const struct flaw *flaw = connack_decode(body, e->version, &p);
	if (flaw && is_old_refusal(e, body)) {
		p = (struct connack){.code = REASON_UNSUPPORTED_PROTOCOL_VERSION};
		flaw = NULL;
	}
	if (!flaw && e->state != ENGINE_CONNECTING)
		flaw = &flaw_unexpected;
	if (!flaw && p.code == 0)
		flaw = connack_flaw(e, &p);
	if (flaw) {
		engine_fail_flaw(e, flaw);
		return;
	}
	if (p.code == 0 && !is_admitted(e, &p))
		return;
	show(e, header, &p);
	if (p.code != 0)
		engine_fail(e, ENGINE_END_REFUSED, p.code, NULL);
	else
		accept(e, &p);
}

/* --- PUBLISH and PUBREL --- */

static void give(void *context, const struct publish *message)
{
	struct engine *e = context;
	if (e->events.message)
		e->events.message(e->context, message, 0);
}

static bool has_room_to_hold(const struct engine *e, const struct publish *p)
{
	return e->held.count < e->options.held_messages_max &&
	       e->held.bytes + p->payload.len <= e->options.held_bytes_max;
}

/* Where there is no room to hold it, the oldest are given early: in order, and none is lost. */
static void hold(struct engine *e, const struct publish *p)
{
	while (!has_room_to_hold(e, p) && held_give(&e->held, 0, e->version, give, e))
		;
	if (has_room_to_hold(e, p) && held_add(&e->held, p, e->version) == 0)
		return;
	resume_give_held(e, 0);
	give(e, p);
}

static void deliver(struct engine *e, const struct publish *p)
{
	if (p->qos == 2 && e->options.holds_until_release)
		hold(e, p);
	else
		give(e, p);
}

/* Each connection begins with a whole window [MQTT-4.9.0-1]: what an earlier one left open is not
 * held against the server, which may send new messages before it. */
static bool exceeds_receive_maximum(const struct engine *e, const struct publish *p)
{
	const struct properties *mine = &e->hello.connect.properties;
	uint8_t lowest_qos = e->options.acknowledges_when_told ? 1 : 2;
	return p->qos >= lowest_qos && properties_has(mine, PROPERTY_RECEIVE_MAXIMUM) &&
	       e->receive.count + e->incoming.arrived_count[0] >=
		       mine->receive_maximum + e->carried_count +
			       e->options.receive_maximum_slack &&
	       !receive_has(&e->receive, p->packet_id) &&
	       !incoming_find(&e->incoming, p->packet_id);
}

static const struct flaw *decode_message(struct engine *e, uint8_t flags, struct span body,
					 struct publish *out, int *error_out)
{
	*error_out = 0;
	const struct flaw *flaw = publish_decode(flags, body, e->version, out);
	if (!flaw && exceeds_receive_maximum(e, out))
		flaw = &flaw_receive_maximum;
	return flaw ? flaw : aliases_resolve(&e->aliases, out, error_out);
}

/* The acknowledgement stands in the output before the application sees the message, but nothing
 * leaves before the application has returned: one that disconnects then has acknowledged. Every one
 * is acknowledged, wanted or not [MQTT-4.5.0-2]. */
static void take(struct engine *e, const struct publish *p)
{
	static const enum receive_event event_of_qos[] = {RECEIVE_EVENT_QOS_0, RECEIVE_EVENT_QOS_1,
							  RECEIVE_EVENT_QOS_2};
	int error;
	unsigned steps = receive_event(&e->receive, event_of_qos[p->qos], p->packet_id, &error);
	if (error) {
		engine_fail_memory(e);
		return;
	}
	if (steps == 0) {
		engine_fail_flaw(e, &flaw_id_in_use);
		return;
	}
	if (steps & STEP_SEND_PUBACK)
		transmit_ack(e, PACKET_PUBACK, REASON_SUCCESS, p->packet_id);
	if (steps & STEP_SEND_PUBREC)
		transmit_ack(e, PACKET_PUBREC, REASON_SUCCESS, p->packet_id);
	if (steps & STEP_DELIVER)
		deliver(e, p);
}

static void handle_publish(struct engine *e, const struct fixed_header *header, struct span body)
{
	struct publish p;
	int error;
	const struct flaw *flaw = decode_message(e, header->flags, body, &p, &error);
	if (flaw || error) {
		flaw ? engine_fail_flaw(e, flaw) : engine_fail_memory(e);
		return;
	}
	show(e, header, &p);
	if (p.qos > 0 && e->options.acknowledges_when_told)
		acknowledge_take(e, &p);
	else
		take(e, &p);
}

void receive_release_id(struct engine *e, uint16_t packet_id, bool answers)
{
	int error;
	unsigned steps = receive_event(&e->receive, RECEIVE_EVENT_PUBREL, packet_id, &error);
	uint8_t reason = steps & STEP_SEND_PUBCOMP_NOT_FOUND ? REASON_PACKET_IDENTIFIER_NOT_FOUND
							     : REASON_SUCCESS;
	acknowledge_released(e, packet_id);
	if (answers)
		transmit_ack(e, PACKET_PUBCOMP, reason, packet_id);
	if (steps & STEP_RELEASE_ID)
		resume_give_held(e, packet_id);
	if (e->events.released)
		e->events.released(e->context, packet_id);
}

static void handle_pubrel(struct engine *e, const struct ack *p)
{
	bool waits = receive_has(&e->receive, p->packet_id) && e->events.pubrel &&
		     e->events.pubrel(e->context, p->packet_id);
	if (!waits)
		receive_release_id(e, p->packet_id, true);
}

/* --- PUBACK, PUBREC, PUBCOMP --- */

static enum send_event event_of(const struct ack *p)
{
	if (p->type == PACKET_PUBACK)
		return SEND_EVENT_PUBACK;
	if (p->type == PACKET_PUBCOMP)
		return SEND_EVENT_PUBCOMP;
	return p->reason_code >= 0x80 ? SEND_EVENT_PUBREC_ERROR : SEND_EVENT_PUBREC;
}

/* At once: PUBRELs follow in the order of the PUBRECs [MQTT-4.6.0-4]. */
void receive_answer(struct engine *e, const struct ack *p)
{
	struct sending sending;
	uint64_t position = POSITION_NONE;
	if (e->options.is_kept)
		(void)send_find(&e->send, p->packet_id, &position);
	unsigned steps = send_answer(&e->send, event_of(p), p->packet_id, &sending);
	if (steps == 0) {
		engine_fail_flaw(e, &flaw_delivery);
		return;
	}
	if (steps & STEP_SEND_PUBREL)
		transmit_ack(e, PACKET_PUBREL, REASON_SUCCESS, p->packet_id);
	if (steps & STEP_SEND_PUBREL_NOT_FOUND)
		transmit_ack(e, PACKET_PUBREL, REASON_PACKET_IDENTIFIER_NOT_FOUND, p->packet_id);
	if (steps & STEP_RELEASE_ID) {
		/* it is the server's since PUBREC, whether or not it still knows the id */
		bool has_arrived = p->type == PACKET_PUBCOMP;
		uint8_t reason = has_arrived ? REASON_SUCCESS : p->reason_code;
		transmit_finish(e, sending.message,
				&(struct engine_published){.token = sending.note,
							   .packet_id = p->packet_id,
							   .reason_code = reason,
							   .was_sent = true,
							   .position = position});
	} else if (steps & STEP_FORGET_MESSAGE) {
		struct outgoing *o = sending.message;
		e->unfinished_bytes -= o->len;
		mem_free(o);
	}
}

static void handle_ack(struct engine *e, const struct fixed_header *header, struct span body)
{
	struct ack p;
	const struct flaw *flaw = ack_decode(header->type, body, e->version, &p);
	if (flaw) {
		engine_fail_flaw(e, flaw);
		return;
	}
	show(e, header, &p);
	if (header->type == PACKET_PUBREL)
		handle_pubrel(e, &p);
	else if (!e->options.is_kept || !keep_defers_answer(e, &p))
		receive_answer(e, &p);
}

/* --- SUBACK, UNSUBACK --- */

static struct request *request_of(struct engine *e, const struct suback *p)
{
	for (struct link *at = e->requests.next; at != &e->requests; at = at->next) {
		struct request *r = CONTAINER_OF(at, struct request, link);
		if (r->packet_id == p->packet_id && r->answer == p->type)
			return r;
	}
	return NULL;
}

static bool has_code_per_filter(const struct engine *e, const struct suback *p,
				const struct request *r)
{
	bool has_none = p->type == PACKET_UNSUBACK && e->version < MQTT_5;
	return has_none || p->codes.len == r->filter_count;
}

static void handle_suback(struct engine *e, const struct fixed_header *header, struct span body)
{
	struct suback p;
	const struct flaw *flaw = suback_decode(header->type, body, e->version, &p);
	struct request *r = flaw ? NULL : request_of(e, &p);
	if (!flaw && (!r || !has_code_per_filter(e, &p, r)))
		flaw = &flaw_answer;
	if (flaw) {
		engine_fail_flaw(e, flaw);
		return;
	}
	show(e, header, &p);
	struct engine_answered answered = {r->token, &p};
	link_remove(&r->link);
	e->request_count--;
	mem_free(r);
	if (e->events.answered)
		e->events.answered(e->context, &answered);
}

/* --- the rest --- */

static void handle_pingresp(struct engine *e, const struct fixed_header *header, struct span body)
{
	(void)body;
	e->waits_for_pong = false;
	show(e, header, NULL);
}

static void handle_disconnect(struct engine *e, const struct fixed_header *header, struct span body)
{
	struct disconnect p;
	const struct flaw *flaw =
		e->version == MQTT_5 ? disconnect_decode(body, e->version, &p) : &flaw_unexpected;
	if (flaw) {
		engine_fail_flaw(e, flaw);
		return;
	}
	show(e, header, &p);
	engine_fail(e, ENGINE_END_SERVER, p.reason_code, NULL);
}

/* It asks until we have answered, and does not begin by itself ([5] 4.12.1); that a first
 * authentication is done is said by CONNACK. */
static bool may_come(const struct engine *e, uint8_t reason_code)
{
	if (e->auth_turn != AUTH_SERVER)
		return false;
	return reason_code == REASON_CONTINUE_AUTHENTICATION ||
	       (reason_code == REASON_SUCCESS && e->state == ENGINE_CONNECTED);
}

static void handle_auth(struct engine *e, const struct fixed_header *header, struct span body)
{
	struct auth p;
	const struct flaw *flaw = &flaw_unexpected;
	const struct properties *mine = &e->hello.connect.properties;
	if (e->version == MQTT_5 && e->events.auth &&
	    properties_has(mine, PROPERTY_AUTHENTICATION_METHOD))
		flaw = auth_decode(body, &p);
	if (!flaw && !has_my_method(e, &p.properties))
		flaw = &flaw_auth_method;
	if (!flaw && !may_come(e, p.reason_code))
		flaw = &flaw_auth_turn;
	if (flaw) {
		engine_fail_flaw(e, flaw);
		return;
	}
	show(e, header, &p);
	e->auth_turn = p.reason_code == REASON_SUCCESS ? AUTH_NONE : AUTH_CLIENT;
	e->events.auth(e->context, &p);
}

void engine_handle(struct engine *e, const struct fixed_header *header, struct span body)
{
	static void (*const handlers[16])(struct engine *, const struct fixed_header *,
					  struct span) = {
		[PACKET_CONNACK] = handle_connack,   [PACKET_PUBLISH] = handle_publish,
		[PACKET_PUBACK] = handle_ack,        [PACKET_PUBREC] = handle_ack,
		[PACKET_PUBREL] = handle_ack,        [PACKET_PUBCOMP] = handle_ack,
		[PACKET_SUBACK] = handle_suback,     [PACKET_UNSUBACK] = handle_suback,
		[PACKET_PINGRESP] = handle_pingresp, [PACKET_DISCONNECT] = handle_disconnect,
		[PACKET_AUTH] = handle_auth,
	};
	bool may_come_first = header->type == PACKET_CONNACK || header->type == PACKET_AUTH;
	if (e->state == ENGINE_CONNECTING && !may_come_first)
		engine_fail_flaw(e, &flaw_not_connack);
	else if (!handlers[header->type])
		engine_fail_flaw(e, &flaw_unexpected); /* only clients send it */
	else
		handlers[header->type](e, header, body);
}
