/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands change state here and nowhere else: those from the log in log order, those that nothing
 * surviving needs at once.
 */
#include "base/mem.h"
#include "broker/fence.h"
#include "broker/give.h"
#include "broker/group.h"
#include "broker/handle.h"
#include "broker/hold.h"
#include "broker/interest.h"
#include "broker/publish.h"
#include "broker/retain.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/start.h"
#include "broker/waiting.h"
#include "mqtt/topic.h"

#define SUBACK_BYTES_MIN 16

/* The session that the CONNECT shall have [MQTT-3.1.4-4, 3.1.2-5, -6]. A connection that was opened
 * after this CONNECT was appended ends here; others were ended before. */
static struct session *session_for(struct shard *s, struct span client_id, bool clean_start,
				   bool survives, bool *is_present_out)
{
	struct session *session = session_find(s, client_id);
	if (session && session->connection) { /* [MQTT-3.1.4-3] */
		connection_end(session->connection, &connection_taken_over);
		session = session_find(s, client_id); /* may have ended with it */
	}
	if (session && clean_start) { /* [MQTT-3.1.2-4] */
		session_end(s, session, "clean start");
		session = NULL;
	}
	*is_present_out = session != NULL;
	if (!session)
		session = session_new(s, client_id);
	if (session && survives && session_keep(session)) {
		session_end(s, session, NULL);
		return NULL;
	}
	return session;
}

/* From here on it is the session of this CONNECT. What the log once has it keeps until the session
 * ends, though that be with the connection: what waits for it stands in the log. */
static void begin_session(struct shard *s, struct session *session, struct command *command)
{
	struct connect_options *o = command->connect;
	bool survives = o->expiry_interval > 0 || session->log_id;
	uint64_t position = command->entry.position;
	if (survives && !session->log_id) {
		session->log_id = position;
		session->kept->queue_next = 1;
	}
	session->connect_id = position;
	session->is_away = false;
	session->expiry_interval = o->expiry_interval;
	session_set_survives(s, session, survives);
	session_drop_will(session); /* it came back in time [MQTT-3.1.3-9] */
	/* [MQTT-3.1.2-7] */
	session->will = o->will;
	o->will = NULL;
	if (session->kept)
		timer_cancel(&s->session_timers, &session->kept->timer);
}

static void apply_connect(struct shard *s, struct command *command)
{
	static const struct farewell gone = {.is_clean = true};
	struct connection *c = command->connection;
	const struct connect_options *o = command->connect;
	bool is_present;
	struct session *session = session_for(s, command_text(command), o->clean_start,
					      o->expiry_interval > 0, &is_present);
	connect_returned(s, command);
	if (!session) {
		if (c)
			connection_refuse(c, REASON_SERVER_UNAVAILABLE, "out of memory");
		return;
	}
	begin_session(s, session, command);
	if (c && c->state == CONNECTION_CONNECTING)
		connect_accept(c, session, is_present, command->connect);
	else if (c) /* it went away before it got its answer, and its will with it */
		session_detach(s, session, &gone);
	else if (!session->log_id) /* a connection that a crash has ended */
		session_end(s, session, NULL);
}

static struct session *session_of(struct shard *s, const struct command *command)
{
	struct session *session = session_by_number(s, command->origin.session);
	ASSERT(!session || !command->session_id || session->log_id == command->session_id ||
	       !session->log_id);
	return session;
}

static bool has_subscribed(struct session *session, struct span filter)
{
	struct subscription *l = session->subscriber.first;
	while (l && !span_is_equal(subscription_filter(l), filter))
		l = l->next_of_subscriber;
	return l || group_has(session, filter);
}

static bool is_over_limits(const struct shard *s, struct session *session, struct span filter)
{
	const struct limits *l = &s->limits;
	if (l->topic_levels_max && topic_level_count(filter) > l->topic_levels_max)
		return true;
	return l->subscriptions_per_client_max &&
	       session->subscriber.count + group_count(session) >=
		       l->subscriptions_per_client_max &&
	       !has_subscribed(session, filter); /* one that exists is replaced */
}

/* Replaces one that exists, whose messages go on coming [MQTT-3.8.4-3, -4]. */
static uint8_t subscribe_plain(struct shard *s, struct session *session, struct span filter,
			       const struct subscription_options *o, const struct command *command)
{
	struct subscription wanted = {.identifier = command->subscription_identifier,
				      .qos = o->qos,
				      .no_local = o->no_local,
				      .retain_as_published = o->retain_as_published};
	bool existed;
	struct interest before = routes_interest(s->routes, filter);
	if (routes_subscribe(s->routes, &session->subscriber, filter, &wanted, &existed))
		return REASON_QUOTA_EXCEEDED;
	interest_changed(s, filter, before);
	if (o->retain_handling == RETAIN_SEND_ALWAYS ||
	    (o->retain_handling == RETAIN_SEND_IF_NEW && !existed)) /* [MQTT-3.3.1-9, -10, -11] */
		replay_start(s, session,
			     &(struct replay_wish){.asked = command->entry.position,
						   .filter = filter,
						   .identifier = wanted.identifier,
						   .qos = o->qos});
	return o->qos;
}

static uint8_t subscribe_one(struct shard *s, struct session *session, struct span filter,
			     struct subscription_options *o, const struct command *command,
			     int *waits)
{
	if (o->is_denied) /* judged before it was appended */
		return REASON_NOT_AUTHORIZED;
	if (!topic_filter_is_valid(filter))
		return REASON_TOPIC_FILTER_INVALID;
	bool is_refused = session->log_id ? command->flags & COMMAND_SUBSCRIBE_REFUSED
					  : replay_is_full(session);
	if (is_refused || is_over_limits(s, session, filter))
		return REASON_QUOTA_EXCEEDED;
	/* granted as far as it goes [MQTT-3.2.2-10, 3.8.4-7] */
	if (o->qos > s->limits.qos_max)
		o->qos = s->limits.qos_max;
	struct span name, inner;
	if (!topic_filter_split_share(filter, &name, &inner))
		return subscribe_plain(s, session, filter, o, command);
	int more = group_join(s, session, filter, o, command->subscription_identifier,
			      &command->origin);
	if (more < 0)
		return REASON_QUOTA_EXCEEDED;
	*waits += more;
	return o->qos;
}

static void see_filter(struct shard *s, struct session *session, uint8_t type, struct span filter,
		       uint8_t qos, uint8_t code)
{
	struct event *e = shard_event(s, EVENT_FILTER, session->connection);
	e->packet_type = type;
	e->qos = qos;
	e->reason_code = code;
	shard_event_show(s, e, session->connection, filter, NULL);
}

/* Puts the encoded SUBACK or UNSUBACK into its place among the answers, and votes for it: with the
 * request's id [MQTT-2.2.1-6, 3.8.4-2, 3.10.4-5], without texts that might make it too large
 * [MQTT-3.9.2-1, -2, 3.11.2-1, -2]. Without memory for it the connection will end there. */
static void answer(struct shard *s, struct session *session, const struct command *command,
		   uint8_t type, struct span codes, int delegates)
{
	struct suback p = {.type = type, .packet_id = command->packet_id, .codes = codes};
	size_t room = SUBACK_BYTES_MIN + codes.len;
	uint8_t *packet = codes.ptr ? mem_alloc(room) : NULL;
	properties_clear(&p.properties);
	if (packet) {
		size_t len = suback_encode(&p, command->version, (struct room){packet, room});
		acks_set_packet(session, command->origin.ticket, packet, (uint32_t)len);
	}
	struct verdict v = {.delegates = (int16_t)delegates};
	verdict_give(s, &command->origin, v);
}

/* Filter by filter; one SUBACK with a code for each, in order [MQTT-3.8.4-1, -5, -6, 3.9.3-1]. */
static void apply_subscribe(struct shard *s, struct command *command)
{
	struct session *session = session_of(s, command);
	struct span rest = command_text(command), filter;
	struct subscription_options options;
	/* a filter with its length and options takes at least three bytes, its code one */
	uint8_t *codes = mem_alloc(rest.len + 1);
	size_t count = 0;
	int waits = 0;
	while (session && codes && subscribe_next(&rest, &filter, &options)) {
		uint8_t asked = options.qos;
		codes[count] = subscribe_one(s, session, filter, &options, command, &waits);
		if (!options.is_denied) /* that was shown, with its filter */
			see_filter(s, session, PACKET_SUBSCRIBE, filter, asked, codes[count]);
		count++;
	}
	waits += group_applied_subscribe(s, session, command);
	if (session) {
		waits += interest_wait(s, &command->origin);
		answer(s, session, command, PACKET_SUBACK, span_of(codes, count), waits);
	}
	interest_settle(s, command);
	mem_free(codes);
}

static bool unsubscribe_one(struct shard *s, struct session *session, struct span filter)
{
	struct span name, inner;
	if (topic_filter_split_share(filter, &name, &inner))
		return group_leave(s, session, filter);
	struct interest before = routes_interest(s->routes, filter);
	bool existed = routes_unsubscribe(s->routes, &session->subscriber, filter);
	interest_changed(s, filter, before);
	return existed;
}

/* The same [MQTT-3.10.4-4, -6, 3.11.3-1]; no message behind it finds them [MQTT-3.10.4-2]. */
static void apply_unsubscribe(struct shard *s, struct command *command)
{
	struct session *session = session_of(s, command);
	struct span rest = command_text(command), filter;
	uint8_t *codes = mem_alloc(rest.len + 1);
	size_t count = 0;
	if (command->packet_id == 0)
		session = NULL; /* for the owners of groups only */
	while (session && codes && unsubscribe_next(&rest, &filter)) {
		codes[count] = unsubscribe_one(s, session, filter) ? REASON_SUCCESS
								   : REASON_NO_SUBSCRIPTION_EXISTED;
		see_filter(s, session, PACKET_UNSUBSCRIBE, filter, 0, codes[count++]);
	}
	if (session)
		answer(s, session, command, PACKET_UNSUBACK, span_of(codes, count), 0);
	group_applied_unsubscribe(s, command);
	mem_free(codes);
}

/* Whoever appended it has freed the id by then. */
static void apply_release(struct shard *s, struct command *command)
{
	int error;
	struct session *session = session_of(s, command);
	if (!session)
		return;
	if (s->is_recovering)
		receive_event(&session->receive, RECEIVE_EVENT_PUBREL, command->packet_id, &error);
	bool is_unknown = command->flags & COMMAND_RELEASE_UNKNOWN;
	struct verdict v = {.reason_code = is_unknown ? REASON_PACKET_IDENTIFIER_NOT_FOUND
						      : REASON_SUCCESS};
	verdict_give(s, &command->origin, v);
}

/* Only about the connection that it names: one that came since is not touched. */
static void apply_away(struct shard *s, struct command *command)
{
	struct session *session = session_of(s, command);
	if (session && session->log_id && session->connect_id == command->connect_id)
		session_leave(s, session, command);
}

static void apply_end(struct shard *s, struct command *command)
{
	struct session *session = session_of(s, command);
	if (session && session->is_away && session->connect_id == command->connect_id)
		session_end(s, session, "session expired");
}

static void apply_publish(struct shard *s, struct command *command)
{
	int error;
	struct session *publisher = session_by_number(s, command->message->publisher);
	if (command->flags & COMMAND_PUBLISH_WILL) {
		if (publisher && publisher->connect_id == command->connect_id)
			session_drop_will(publisher);
	} else if (s->is_recovering && publisher && command->packet_id) {
		/* without memory for it the message may come twice */
		receive_event(&publisher->receive, RECEIVE_EVENT_QOS_2, command->packet_id, &error);
	}
	/* retained first: who subscribes behind this position finds it [MQTT-3.3.1-5, -8] */
	if (command->message->retain)
		retain_apply(s, command->message);
	publish_arrive(s, command->message, &command->origin);
}

static void pass_fence(struct shard *s, const struct command *command)
{
	struct session *session = session_by_number(s, command->origin.session);
	if (session)
		fence_returned(s, session);
}

/* Whoever wanted to know that all before it is durable. */
static void apply_nothing(struct shard *s, struct command *command)
{
	struct verdict v = {.reason_code = REASON_SUCCESS};
	if (command->flags & COMMAND_NOTHING_MARKER)
		checkpoint_mark(s);
	else if (command->flags & COMMAND_NOTHING_FENCE)
		pass_fence(s, command);
	else
		verdict_give(s, &command->origin, v);
}

/* Live it was done when the client said so; the log says it to those who come later. */
static void apply_finish(struct shard *s, struct command *command)
{
	struct session *session = session_of(s, command);
	if (session && s->is_recovering)
		waiting_finish(s, session, command->from, command->to);
}

/* Live, the connection that PUBREC came by waits for PUBREL; the window knows of it already. */
static void apply_received(struct shard *s, struct command *command)
{
	struct session *session = session_of(s, command);
	if (session && s->is_recovering)
		waiting_mark_released(s, session, command->from);
	if (session && session->connection && session->connect_id == command->connect_id)
		ack_send(session->connection, PACKET_PUBREL, command->packet_id, REASON_SUCCESS);
}

static void apply_replayed(struct shard *s, struct command *command)
{
	struct session *session = session_of(s, command);
	if (session)
		replay_done(session, command->asked);
}

void apply(struct shard *s, struct command *command)
{
	switch (command->kind) {
	case COMMAND_NOTHING: apply_nothing(s, command); break;
	case COMMAND_LIMITS: s->limits = command->limits; break;
	case COMMAND_RESTART: start_apply(s, command); break;
	case COMMAND_CHECKPOINT: checkpoint_write(s, command); break;
	case COMMAND_CONNECT: apply_connect(s, command); break;
	case COMMAND_AWAY: apply_away(s, command); break;
	case COMMAND_END: apply_end(s, command); break;
	case COMMAND_SUBSCRIBE: apply_subscribe(s, command); break;
	case COMMAND_UNSUBSCRIBE: apply_unsubscribe(s, command); break;
	case COMMAND_PUBLISH: apply_publish(s, command); break;
	case COMMAND_RELEASE: apply_release(s, command); break;
	case COMMAND_FINISH: apply_finish(s, command); break;
	case COMMAND_RECEIVED: apply_received(s, command); break;
	case COMMAND_GIVE: give_apply(s, command); break;
	case COMMAND_REPLAYED: apply_replayed(s, command); break;
	case COMMAND_RETURN: return_apply(s, command); break;
	default: break;
	}
}
