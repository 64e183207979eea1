/* SPDX-License-Identifier: Apache-2.0 */
/* CONNECT: judged here, decided by its command, answered by CONNACK ([5] 3.1, 3.2). */
#include "base/hash.h"
#include "base/mem.h"
#include "broker/admission.h"
#include "broker/admit.h"
#include "broker/authenticate.h"
#include "broker/deliver.h"
#include "broker/group.h"
#include "broker/handle.h"
#include "broker/mount.h"
#include "broker/packet.h"
#include "broker/retain.h"
#include "broker/rights.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/source.h"
#include "mqtt/topic.h"
#include "mqtt/wire.h"

#include <stdio.h>

/* A prefix and 32 hexadecimal digits. */
#define ASSIGNED_ID_BYTES_MAX (AUTO_ID_PREFIX_MAX + 32)

static const struct flaw flaw_auth = {REASON_BAD_AUTHENTICATION_METHOD,
				      "authentication method not supported"};
static const struct flaw flaw_no_name = {REASON_NOT_AUTHORIZED,
					 "no user name to take as the client id"};
static const struct flaw flaw_lost_right = {REASON_NOT_AUTHORIZED,
					    "its certificate or key is no longer good"};
static const struct flaw flaw_empty_id = {REASON_CLIENT_IDENTIFIER_NOT_VALID,
					  "empty client id is not allowed"};
static const struct flaw flaw_too_many = {REASON_QUOTA_EXCEEDED, "too many connections"};
static const struct flaw flaw_sessions = {REASON_QUOTA_EXCEEDED, "too many sessions"};
static const struct flaw flaw_will_qos_max = {REASON_QOS_NOT_SUPPORTED,
					      "will QoS above the broker's maximum"};
static const struct flaw flaw_will_retain = {REASON_RETAIN_NOT_SUPPORTED,
					     "retained messages are not available"};
static const struct flaw flaw_will_levels = {REASON_TOPIC_NAME_INVALID,
					     "will topic has more levels than the broker takes"};
static const struct flaw flaw_will_payload = {REASON_PACKET_TOO_LARGE,
					      "will payload above the broker's maximum"};
static const struct flaw flaw_keep_alive = {REASON_CLIENT_IDENTIFIER_NOT_VALID,
					    "keep alive above the broker's maximum"};
static const struct flaw flaw_memory = {REASON_SERVER_UNAVAILABLE, "out of memory"};
static const struct flaw flaw_version = {REASON_UNSUPPORTED_PROTOCOL_VERSION,
					 "clients of this version are refused by the listener"};
static const struct flaw flaw_shutting_down = {REASON_SERVER_UNAVAILABLE, "shutting down"};

/* 3.x has return codes for some refusals; for others it is just closed [MQTT-3.1.4-1]. */
static bool may_send_connack(const struct connection *c, uint8_t reason_code)
{
	if (c->version == MQTT_5)
		return true;
	switch (reason_code) {
	case REASON_UNSUPPORTED_PROTOCOL_VERSION:
	case REASON_CLIENT_IDENTIFIER_NOT_VALID:
	case REASON_BAD_USER_NAME_OR_PASSWORD:
	case REASON_NOT_AUTHORIZED:
	case REASON_SERVER_UNAVAILABLE:
	case REASON_SERVER_BUSY:
	case REASON_BANNED:
	case REASON_QUOTA_EXCEEDED: return c->version != 0;
	default: return false;
	}
}

static void send_connack(struct connection *c, struct connack *p)
{
	size_t room = 64 + properties_size(&p->properties);
	uint8_t *ptr = connection_packet(c, room);
	if (!ptr)
		return;
	size_t len = connack_encode(p, c->version, (struct room){ptr, room});
	ASSERT(len > 0);
	/* [MQTT-3.2.2-19, -20]: less said, then. What an acceptance says, the client must know */
	if (len > c->packet_bytes_max && p->code != REASON_SUCCESS) {
		properties_clear(&p->properties);
		len = connack_encode(p, c->version, (struct room){ptr, room});
	}
	if (len > c->packet_bytes_max) {
		c->is_doomed = true;
		connection_mark_dirty(c);
		return;
	}
	connection_packet_done(c, len);
	struct event *e = shard_event(c->shard, EVENT_PACKET_OUT, c);
	e->packet_type = PACKET_CONNACK;
	e->reason_code = p->code;
	e->flags = p->session_present ? EVENT_FLAG_SESSION_PRESENT : 0;
	shard_event_show(c->shard, e, c, SPAN_NONE, NULL);
}

/* Without a session [MQTT-3.2.2-6], and then it is closed [MQTT-3.2.2-7], whatever else it sent
 * [MQTT-3.1.4-6]. */
void connection_refuse(struct connection *c, uint8_t reason_code, const char *text)
{
	if (c->state >= CONNECTION_CLOSING)
		return;
	if (may_send_connack(c, reason_code)) {
		struct connack p = {.code = c->version == MQTT_5
						    ? reason_code
						    : reason_to_return_code(reason_code)};
		properties_clear(&p.properties);
		p.properties.present = 1ull << PROPERTY_REASON_STRING;
		p.properties.reason_string = span_of_text(text);
		send_connack(c, &p);
	}
	connection_end(c, &(struct farewell){.reason_code = reason_code, .text = text});
}

/* A proxy may have told where the client really comes from; the room is there (connection_new). */
static void take_address(struct connection *c)
{
	struct stream_peer peer = stream_peer(&c->stream);
	size_t len = peer.address ? strlen(peer.address) : 0;
	if (len > 0 && len < sizeof(((struct peer *)0)->address))
		memcpy(c->address, peer.address, len + 1);
}

static bool names_method(const struct connect *p)
{
	return properties_has(&p->properties, PROPERTY_AUTHENTICATION_METHOD);
}

/* Are there more connections than the broker, or the listener, is to have? */
static bool is_full(const struct connection *c)
{
	const struct broker *b = c->shard->broker;
	const struct settings *set = c->shard->settings;
	uint32_t listener_max = set->limits.listeners[c->listener].connections_max;
	return (set->connections_max && atomic_load(&b->connection_count) > set->connections_max) ||
	       (listener_max && atomic_load(&b->guard.connections_of[c->listener]) > listener_max);
}

/* May it come in [MQTT-3.1.4-2]? Any text is a client id [MQTT-3.1.3-5]. */
static const struct flaw *judge(const struct connection *c, const struct connect *p)
{
	const struct shard *s = c->shard;
	const struct settings *set = s->settings;
	if (s->is_shutting_down)
		return &flaw_shutting_down;
	/* lists may be others since its handshake began; from here on recheck.h sees to it */
	if (!stream_may_stay(&c->stream))
		return &flaw_lost_right;
	if (names_method(p) && !authenticate_has(c, p->properties.authentication_method))
		return &flaw_auth; /* [MQTT-4.12.0-1, -4] */
	if (p->client_id.len == 0 && !set->allow_empty_client_id)
		return &flaw_empty_id;
	if (is_full(c))
		return &flaw_too_many;
	if (p->has_will && p->will_qos > set->qos_max)
		return &flaw_will_qos_max; /* [MQTT-3.2.2-12] */
	if (p->has_will && p->will_retain && !set->retain_available)
		return &flaw_will_retain; /* [MQTT-3.2.2-13] */
	if (p->has_will && set->topic_levels_max &&
	    topic_level_count(p->will_topic) > set->topic_levels_max)
		return &flaw_will_levels; /* as in PUBLISH */
	if (p->has_will && set->payload_bytes_max && p->will_payload.len > set->payload_bytes_max)
		return &flaw_will_payload; /* as in PUBLISH */
	if (p->version != MQTT_5 && set->keep_alive_max &&
	    (p->keep_alive == 0 || p->keep_alive > set->keep_alive_max))
		return &flaw_keep_alive; /* 3.x has no way to be told another one */
	if (set->sessions_max && atomic_load(&s->broker->session_count) >= set->sessions_max &&
	    !session_find(c->shard, p->client_id))
		return &flaw_sessions;
	return NULL;
}

/* Unpredictable, of this shard, and not in use [MQTT-3.1.3-6, 3.2.2-16]. */
static struct span assign_client_id(const struct connection *c,
				    char text[static ASSIGNED_ID_BYTES_MAX + 1])
{
	struct span id;
	struct shard *s = c->shard;
	const char *prefix = realm_id_prefix(&s->access->realms[c->realm]);
	do {
		uint64_t source[3] = {s->broker->start_ms, s->index, ++s->assigned_ids};
		struct span bytes = span_of(source, sizeof(source));
		int len = snprintf(text, ASSIGNED_ID_BYTES_MAX + 1, "%s%016llX%016llX", prefix,
				   (unsigned long long)hash_bytes(bytes, s->broker->seed),
				   (unsigned long long)hash_bytes(bytes, ~s->broker->seed));
		ASSERT(len > 0 && len <= ASSIGNED_ID_BYTES_MAX);
		id = span_of(text, (size_t)len);
	} while (shard_of(s->broker, id) != s->index || session_find(s, id));
	return id;
}

/* What the client asks, within our limits: its keep alive [MQTT-3.2.2-22], its aliases
 * [MQTT-3.1.2-26, -27, 3.3.2-11] and the rest. */
static void negotiate(struct connection *c, const struct connect *p, struct connect_options *o)
{
	const struct settings *set = c->shard->settings;
	const struct properties *in = &p->properties;
	uint32_t expiry = properties_has(in, PROPERTY_SESSION_EXPIRY_INTERVAL)
				  ? in->session_expiry_interval
				  : 0;
	if (p->version != MQTT_5)
		expiry = p->clean_start ? 0 : UINT32_MAX;
	o->expiry_interval = expiry < set->session_expiry_max ? expiry : set->session_expiry_max;
	o->tell_expiry = o->expiry_interval != expiry;
	o->clean_start = p->clean_start;
	uint16_t receive =
		properties_has(in, PROPERTY_RECEIVE_MAXIMUM) ? in->receive_maximum : 65535;
	o->receive_maximum = receive < set->in_flight_max ? receive : set->in_flight_max;
	o->wants_response_information = properties_has(in, PROPERTY_REQUEST_RESPONSE_INFORMATION) &&
					in->request_response_information == 1;
	c->keep_alive = p->keep_alive;
	if (set->keep_alive_max && (p->keep_alive == 0 || p->keep_alive > set->keep_alive_max)) {
		c->keep_alive = set->keep_alive_max;
		o->tell_keep_alive = true;
	}
	if (properties_has(in, PROPERTY_REQUEST_PROBLEM_INFORMATION))
		c->wants_problem_information = in->request_problem_information == 1;
	uint16_t aliases =
		properties_has(in, PROPERTY_TOPIC_ALIAS_MAXIMUM) ? in->topic_alias_maximum : 0;
	if (aliases > set->topic_alias_max_out)
		aliases = set->topic_alias_max_out;
	if (aliases > 0 && connection_has_extras(c)) /* without: no aliases */
		c->extras->topic_alias_max_out = aliases;
}

static void see_connect(struct connection *c, const struct connect *p, struct span client_id)
{
	struct shard *s = c->shard;
	struct will_view will = {p->will_topic, (uint32_t)p->will_payload.len, p->will_qos,
				 p->will_retain};
	struct event *e = shard_event(s, EVENT_CLIENT_CONNECTED, c);
	e->packet_id = c->keep_alive;
	e->flags = (p->clean_start ? EVENT_FLAG_CLEAN : 0) | (p->has_will ? EVENT_FLAG_WILL : 0);
	if (!shard_is_watched(s))
		return;
	struct event_detail detail = {.client_id = client_id,
				      .user_name = identity_name(c->identity),
				      .address = span_of_text(c->address),
				      .will = p->has_will ? &will : NULL};
	s->broker->hooks.event(s->broker->hooks.context, s->index, e, &detail);
}

void connect_returned(struct shard *s, const struct command *command)
{
	if (command->connection)
		command->connection->pins--;
	if (command->sequence)
		s->connects_pending--;
}

/* Its old connection ends before: what follows from that stands in front of the CONNECT in the
 * log. With a clean start the session ends, and its will is due. */
static struct session *take_over(struct shard *s, struct span client_id, bool clean_start)
{
	struct session *old = session_find(s, client_id);
	if (old && old->connection) { /* [MQTT-3.1.4-3] */
		connection_end(old->connection, &connection_taken_over);
		old = session_find(s, client_id); /* may have ended with it */
	} else if (old && old->log_id) {
		session_hurry_away(s, old);
	}
	if (old && clean_start)
		session_publish_will(s, old);
	return old;
}

/* One that it may not publish is not kept; its client connects all the same, as with mosquitto. */
static bool may_have_will(const struct connection *c, const struct connect *p,
			  struct span client_id)
{
	bool is_allowed = may_write_will(c, client_id, p->will_topic);
	if (!is_allowed)
		see_denied_will(c->shard, c->identity, client_id, p->will_topic);
	return is_allowed;
}

/* `is_assigned`: the client has named none itself, and is told. */
static void begin(struct connection *c, const struct connect *p, struct span client_id,
		  bool is_assigned)
{
	struct shard *s = c->shard;
	struct command *command = command_new(COMMAND_CONNECT, client_id);
	bool takes_will = p->has_will && may_have_will(c, p, client_id);
	struct span source;
	if (command && takes_will && source_make(s, c->identity, client_id, &source))
		command->connect->will = will_new(s, p, source);
	if (!command || (takes_will && !command->connect->will)) {
		command_free(command);
		connection_fail(c, &flaw_memory);
		return;
	}
	command->connect->is_assigned = is_assigned;
	negotiate(c, p, command->connect);
	admission_connected(c, client_id);
	see_connect(c, p, client_id);
	command->connection = c;
	command->version = c->version;
	c->pins++;
	c->state = CONNECTION_CONNECTING;
	struct session *old = take_over(s, client_id, p->clean_start);
	/* and behind others in the log: one of them may be of the same client */
	bool is_logged = command->connect->expiry_interval > 0 || (old && old->log_id) ||
			 s->connects_pending > 0;
	if (is_logged) {
		connection_pause(c);
		command->time_ms = s->now.wall_ms;
		s->connects_pending++;
		if (c->answer == ANSWER_WHEN_DURABLE)
			batch_want_sync(s);
		command_append(s, command, shard_bit(s));
	} else {
		apply(s, command);
		command_free(command);
	}
}

void handle_connect(struct connection *c, struct span body)
{
	struct connect p;
	char assigned[ASSIGNED_ID_BYTES_MAX + 1];
	struct shard *s = c->shard;
	enum access_method proved;
	const struct flaw *flaw = connect_decode(body, &p);
	c->version = p.version;
	if (flaw) {
		connection_fail(c, flaw);
		return;
	}
	flaw = c->refused_versions >> p.version & 1 ? &flaw_version : admit_proof(c, &p, &proved);
	if (!flaw && c->is_mounted && p.has_will)
		flaw = mount_topic(c, &p.will_topic);
	if (!flaw && c->is_named_by_user && !p.has_user_name && names_method(&p))
		flaw = authenticate_name(c, &p);
	if (!flaw && c->is_named_by_user && !p.has_user_name)
		flaw = &flaw_no_name;
	if (flaw) {
		connection_fail(c, flaw);
		return;
	}
	bool is_unnamed = p.client_id.len == 0;
	if (c->is_named_by_user)
		p.client_id = p.user_name;
	take_address(c);
	struct span client_id = p.client_id;
	s->connecting_id = client_id;
	unsigned home = client_id.len ? shard_of(s->broker, client_id) : s->index;
	if (home != s->index) {
		s->connecting_id = SPAN_NONE;
		c->home = home & 0x3F; /* below SHARDS_MAX */
		c->state = CONNECTION_MOVING;
		return;
	}
	/* a refusal keeps to it as well [MQTT-3.2.2-19] */
	if (properties_has(&p.properties, PROPERTY_MAXIMUM_PACKET_SIZE))
		c->packet_bytes_max = p.properties.maximum_packet_size;
	flaw = judge(c, &p);
	if (!flaw)
		flaw = admission_judge(c, &p);
	if (!flaw) /* nobody without a method is sent AUTH [MQTT-4.12.0-6] */
		flaw = names_method(&p) ? authenticate(c, &p, body) : admit(c, &p, proved);
	if (flaw) {
		admission_failed(c, &p, flaw->reason_code);
		connection_fail(c, flaw);
	} else if (c->state == CONNECTION_NEW) {
		if (client_id.len == 0)
			client_id = assign_client_id(c, assigned);
		begin(c, &p, client_id, is_unnamed);
	}
	s->connecting_id = SPAN_NONE;
}

void connect_arrive(struct shard *s, struct connection *c)
{
	c->shard = s;
	if (connection_attach(c)) {
		atomic_fetch_sub(&s->broker->connection_count, 1);
		atomic_fetch_sub(&s->broker->guard.connections_of[c->listener], 1);
		connection_free(c);
		return;
	}
	connection_resume_input(c);
}

static void put_limits(const struct connection *c, struct properties *out)
{
	const struct settings *set = c->terms;
	out->present |= 1ull << PROPERTY_RECEIVE_MAXIMUM;
	out->receive_maximum = set->receive_maximum;
	if (set->topic_alias_max_in) {
		out->present |= 1ull << PROPERTY_TOPIC_ALIAS_MAXIMUM;
		out->topic_alias_maximum = set->topic_alias_max_in;
	}
	if (set->packet_bytes_max < PACKET_BYTES_MAX) {
		out->present |= 1ull << PROPERTY_MAXIMUM_PACKET_SIZE;
		out->maximum_packet_size = set->packet_bytes_max;
	}
	if (set->qos_max < 2) { /* [MQTT-3.2.2-9] */
		out->present |= 1ull << PROPERTY_MAXIMUM_QOS;
		out->maximum_qos = set->qos_max;
	}
	if (!set->retain_available) {
		out->present |= 1ull << PROPERTY_RETAIN_AVAILABLE;
		out->retain_available = 0;
	}
}

static void put_answers(const struct connection *c, const struct connect_options *o,
			const struct session *session, struct properties *out)
{
	const struct settings *set = c->shard->settings;
	if (o->tell_expiry) {
		out->present |= 1ull << PROPERTY_SESSION_EXPIRY_INTERVAL;
		out->session_expiry_interval = o->expiry_interval;
	}
	if (o->tell_keep_alive) {
		out->present |= 1ull << PROPERTY_SERVER_KEEP_ALIVE;
		out->server_keep_alive = c->keep_alive;
	}
	if (o->is_assigned) { /* [MQTT-3.1.3-7] */
		out->present |= 1ull << PROPERTY_ASSIGNED_CLIENT_IDENTIFIER;
		out->assigned_client_identifier = session_client_id(session);
	}
	if (o->wants_response_information && set->response_information) { /* [MQTT-3.1.2-28] */
		out->present |= 1ull << PROPERTY_RESPONSE_INFORMATION;
		out->response_information = span_of_text(set->response_information);
	}
}

static void open_aliases(struct connection *c)
{
	if (c->extras && c->extras->topic_alias_max_out > 0)
		c->extras->out = aliases_out_new(c->extras->topic_alias_max_out);
}

/* The one CONNACK [MQTT-3.1.4-5, 3.2.0-1, -2], which says whether there was a session
 * [MQTT-3.2.2-2, -3]. */
void connect_accept(struct connection *c, struct session *session, bool is_present,
		    struct connect_options *o)
{
	static const struct farewell no_longer = {
		.reason_code = REASON_NOT_AUTHORIZED, .tell = true, .text = "no longer authorised"};
	struct shard *s = c->shard;
	c->state = CONNECTION_OPEN;
	c->session = session;
	session->connection = c;
	if (session->kept) {
		identity_unref(s, session->kept->identity);
		session->kept->identity = NULL;
	}
	send_restart(&session->send, o->receive_maximum); /* [MQTT-4.9.0-1] */
	open_aliases(c);
	settings_unref(c->terms);
	c->terms = settings_ref(s->settings);
	struct connack p = {.session_present = is_present, .code = REASON_SUCCESS};
	properties_clear(&p.properties);
	if (c->version == MQTT_5) {
		put_limits(c, &p.properties);
		put_answers(c, o, session, &p.properties);
		authenticate_put(c, &p.properties);
	}
	send_connack(c, &p);
	c->has_method = authenticate_forget(c);
	connection_start_keep_alive(c);
	group_presence(s, session, true);
	if (UNLIKELY(c->identity->is_revoked)) { /* while its CONNECT was on the way */
		connection_end(c, &no_longer);
		return;
	}
	replay_resume(s, session);
	deliver_pump(s, session);
	if (c->is_paused)
		connection_unpause(c);
}
