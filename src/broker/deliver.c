/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message to one session: straight into its connection's output where that is possible, into
 * its queue where it must wait, nowhere when its limits say so.
 */
#include "broker/deliver.h"

#include "base/mem.h"
#include "broker/fence.h"
#include "broker/fetch.h"
#include "broker/group.h"
#include "broker/hold.h"
#include "broker/identifiers.h"
#include "broker/packet.h"
#include "broker/publish.h"
#include "broker/rights.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/waiting.h"

/* A connection with this much unsent takes messages from its queue only after it has drained:
 * the kernel's buffer and a turn's worth are full. */
#define OUTPUT_ENOUGH_BYTES (256u << 10)
/* With no limit of its own configured, a reader is slow from so many waiting messages on. */
#define SLOW_MESSAGES 10000u

static const char not_allowed[] = "not allowed to read it";

static bool is_open(const struct connection *c)
{
	return c && c->state == CONNECTION_OPEN;
}

static bool is_expired(const struct shard *s, const struct message_parts *parts)
{
	return parts->has_expiry && parts->expires_ms <= s->now.wall_ms;
}

void deliver_give_up(struct shard *s, struct session *session, const struct queued *q,
		     const char *why)
{
	/* of one that is not in memory nobody knows the topic */
	see_dropped(s, session, q->message ? message_topic(q->message) : SPAN_NONE, why);
	if (q->position)
		session_finish(s, session, q->position, q->position, false);
	else if (q->membership && q->message)
		group_finished(s, session, q->membership, q->message);
	if (q->message)
		message_unref(q->message);
}

/* Does the packet fit what the client takes? [MQTT-3.1.2-24, -25] */
static bool fits(const struct connection *c, const struct outgoing *o)
{
	const struct message_parts *parts = &o->publication->parts;
	if (c->packet_bytes_max >= PACKET_BYTES_MAX &&
	    parts->payload.len + parts->properties.len < PACKET_BYTES_MAX / 2)
		return true;
	size_t len = packet_size(c, o);
	return len > 0 && len <= c->packet_bytes_max;
}

static void see_sent(struct connection *c, const struct outgoing *o)
{
	const struct message_parts *parts = &o->publication->parts;
	uint8_t flags = (o->dup ? EVENT_FLAG_DUP : 0) | (o->retain ? EVENT_FLAG_RETAIN : 0);
	see_publish(c, false, parts->topic, o->qos, flags, o->packet_id,
		    (uint32_t)parts->payload.len);
	c->shard->status.messages_out++;
}

/* Would so many more be over the whole broker's limit? Retained messages are held once for all. */
static bool is_over_memory(const struct shard *s, size_t bytes)
{
	uint64_t held = s->memory_bytes + s->chunks.bytes_unsent + s->memory_of_others;
	return s->settings->memory_bytes_max > 0 &&
	       held + s->retained_bytes + bytes > s->settings->memory_bytes_max;
}

/* At most once [MQTT-4.3.1-1]: whoever has asked for it counts as served. */
static enum delivered send_qos_0(struct shard *s, struct session *session, struct delivery *d)
{
	struct connection *c = session->connection;
	struct outgoing o = {.publication = d->publication,
			     .identifier = d->identifier,
			     .retain = d->flags & QUEUED_RETAIN};
	const char *why = NULL;
	if (UNLIKELY(c->output.bytes >= s->settings->output_bytes_max))
		why = "slow reader: output limit";
	else if (UNLIKELY(is_over_memory(s, d->publication->parts.payload.len)))
		why = "memory limit";
	if (UNLIKELY(why != NULL)) {
		s->status.dropped_qos0++;
		see_dropped(s, session, d->publication->parts.topic, why);
		return DELIVERED;
	}
	if (UNLIKELY(!fits(c, &o))) {
		s->status.dropped_too_large++;
		see_dropped(s, session, d->publication->parts.topic,
			    "larger than the client takes");
		return DELIVERED;
	}
	if (packet_send(c, &o) == 0)
		see_sent(c, &o);
	return DELIVERED;
}

/* May this one (a position, or 0 = whichever is next) be sent now, as far as the window goes? */
static bool is_open_for(struct shard *s, struct session *session, uint64_t position)
{
	const struct send *send = &session->send;
	return position ? send_is_open_at(send, position) && fence_is_open(s, session, position)
			: send_is_open(send);
}

/* Into the window: at its queue position, or with the next id. */
static int begin(struct session *session, const struct queued *q, struct outgoing *o)
{
	struct sending entry = {.message = q->message,
				.note = q->identifier,
				.short_note = q->membership,
				.flags = (uint8_t)(q->flags | q->qos << 4)};
	if (!q->position)
		return send_begin(&session->send, q->qos, &entry, &o->packet_id);
	int error = send_begin_at(&session->send, q->position, q->qos, &entry);
	if (error)
		return error;
	o->packet_id = send_packet_id(q->position);
	struct kept *kept = session->kept;
	o->dup |= q->position < kept->sent_to;
	if (kept->sent_to <= q->position)
		kept->sent_to = q->position + 1;
	return 0;
}

static int send_packet(struct session *session, const struct queued *q, struct outgoing *o)
{
	struct connection *c = session->connection;
	if (UNLIKELY(!fits(c, o))) {
		c->shard->status.dropped_too_large++;
		deliver_give_up(c->shard, session, q, "larger than the client takes");
		return 0;
	}
	int error = begin(session, q, o);
	if (error)
		return error;
	c->shard->memory_bytes += message_bytes(q->message);
	see_step(c, true, q->qos == 1 ? SEND_WAIT_PUBACK : SEND_WAIT_PUBREC,
		 q->qos == 1 ? SEND_EVENT_QOS_1 : SEND_EVENT_QOS_2, o->packet_id);
	/* without memory for the bytes the connection ends, and the session sends it again */
	if (packet_send(c, o) == 0)
		see_sent(c, o);
	return 0;
}

static int send_with_identifiers(struct session *session, const struct queued *q,
				 struct outgoing *o)
{
	const struct identifier_set *set =
		identifiers_at(session->connection->shard, session, q->identifier);
	struct publication copy;
	uint8_t *bytes;
	o->identifier = 0;
	if (!set)
		return send_packet(session, q, o);
	int error = identifiers_put(set->identifiers, set->count, o->publication, &copy, &bytes);
	if (error)
		return error;
	o->publication = &copy;
	error = send_packet(session, q, o);
	publication_release(&copy);
	mem_free(bytes);
	return error;
}

/* Sending at QoS 1 or 2; the window is open. DUP only if this session was sent it before
 * [MQTT-3.3.1-3, 4.3.2-2, 4.3.3-2]. Takes the reference on success. */
static int send_first(struct session *session, const struct queued *q, struct publication *p)
{
	struct outgoing o = {.publication = p,
			     .identifier = q->identifier,
			     .qos = q->qos,
			     .retain = q->flags & QUEUED_RETAIN,
			     .dup = q->flags & QUEUED_DUP};
	if (UNLIKELY(q->flags & QUEUED_IDENTIFIERS))
		return send_with_identifiers(session, q, &o);
	return send_packet(session, q, &o);
}

bool session_is_slow(const struct shard *s, const struct session *session)
{
	const struct settings *set = s->settings;
	uint32_t count_max = set->queue_messages_max ? set->queue_messages_max : SLOW_MESSAGES;
	return session->queue->count >= count_max / 2 ||
	       (set->queue_bytes_max && session->queue->bytes >= set->queue_bytes_max / 2);
}

/* What stands in the log need not be in memory: it is no matter of the broker's memory. */
static bool has_room(const struct shard *s, const struct session *session, size_t bytes,
		     bool is_stored)
{
	const struct settings *set = s->settings;
	if (!is_stored && is_over_memory(s, bytes))
		return false;
	if (session->connection)
		return queue_has_room(session->queue, bytes, set->queue_messages_max,
				      set->queue_bytes_max);
	return queue_has_room(session->queue, bytes, set->absent_queue_messages_max,
			      set->absent_queue_bytes_max);
}

/* Its packet id may wait at the client for what follows: it can't be given up any more. */
static bool is_begun(const struct session *session, const struct queued *q)
{
	return q->qos == 2 && q->position && q->position < session_sent_to(session);
}

static bool drop_oldest(struct shard *s, struct session *session)
{
	struct queued oldest;
	const struct queued *next = queue_peek(session->queue);
	if (!next || is_begun(session, next) || !waiting_pop(s, session, &oldest))
		return false;
	s->status.dropped_queue_full++;
	deliver_give_up(s, session, &oldest, "queue full, oldest dropped");
	return true;
}

/* Makes room as the policy says; for what can never fit nothing is dropped. */
static bool make_room(struct shard *s, struct session *session, size_t bytes, bool is_stored)
{
	const struct settings *set = s->settings;
	uint64_t bytes_max =
		session->connection ? set->queue_bytes_max : set->absent_queue_bytes_max;
	if (bytes_max && bytes > bytes_max)
		return false;
	while (!has_room(s, session, bytes, is_stored))
		if (set->queue_full_policy != QUEUE_FULL_DROP_OLDEST || !drop_oldest(s, session))
			return false;
	return true;
}

static enum delivered refuse(struct shard *s, struct session *session, struct delivery *d,
			     uint64_t position)
{
	s->status.dropped_queue_full++;
	see_dropped(s, session, d->publication->parts.topic, "queue full");
	if (position)
		session_finish(s, session, position, position, true);
	return s->settings->queue_full_policy == QUEUE_FULL_REFUSE ? DELIVERY_REFUSED : DELIVERED;
}

/* It could not be kept for want of memory. */
static enum delivered fail(struct shard *s, struct session *session, uint64_t position)
{
	if (position)
		session_finish(s, session, position, position, true);
	return DELIVERY_REFUSED;
}

/* Does it wait in memory? A reader that is away, or far behind, gets it from the log later. */
static bool may_be_resident(const struct shard *s, const struct session *session, size_t bytes)
{
	const struct queue *q = session->queue;
	return session->connection && q->absent == 0 && q->ring_count < RESIDENT_MESSAGES_MAX &&
	       q->resident_bytes + bytes <= RESIDENT_BYTES_MAX && !is_over_memory(s, bytes);
}

static enum delivered enqueue(struct shard *s, struct session *session, struct delivery *d,
			      uint64_t position)
{
	struct message *m = publication_message(d->publication);
	if (!m)
		return fail(s, session, position);
	size_t bytes = message_bytes(m);
	bool is_stored = m->position && waiting_is_kept(s, session);
	if (!(d->flags & DELIVER_ACCEPTED) && !s->is_recovering &&
	    !make_room(s, session, bytes, is_stored))
		return refuse(s, session, d, position);
	bool is_resident = !is_stored || may_be_resident(s, session, bytes);
	struct queued q = {.message = is_resident ? m : NULL,
			   .stored = m->position,
			   .position = position,
			   .identifier = d->identifier,
			   .bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX,
			   .membership = d->membership,
			   .qos = d->qos,
			   .flags = d->flags & (uint8_t)~DELIVER_ACCEPTED};
	if (waiting_push(s, session, &q))
		return fail(s, session, position);
	if (is_resident)
		message_ref(m);
	if (s->is_recovering)
		return DELIVERED;
	see_queued(s, session, message_topic(m), d->qos);
	return session->connection && session_is_slow(s, session) ? DELIVERED_SLOWLY : DELIVERED;
}

/* What waits goes first: in order of arrival, on every topic [MQTT-4.6.0-5, -6]. */
static bool may_send_now(struct shard *s, struct session *session, uint64_t position)
{
	return session->queue->count == 0 &&
	       session->connection->output.bytes < OUTPUT_ENOUGH_BYTES &&
	       is_open_for(s, session, position);
}

static enum delivered deliver_qos_0(struct shard *s, struct session *session, struct delivery *d)
{
	bool may_wait =
		s->settings->queue_qos0_absent && session->subscriber.survives && !s->is_recovering;
	/* while it was absent others were queued: they come first */
	if (is_open(session->connection) && !(may_wait && session->queue->count > 0))
		return send_qos_0(s, session, d);
	if (may_wait)
		(void)enqueue(s, session, d, 0);
	return DELIVERED; /* at most once */
}

/* What stands in the log comes back from there, one read after the other. */
static enum delivered deliver_over_memory(struct shard *s, struct session *session,
					  struct delivery *d, uint64_t position)
{
	if (!position)
		return refuse(s, session, d, position);
	enum delivered result = enqueue(s, session, d, position);
	/* the window is open and nothing else waits: no other event asks for it */
	fetch_ahead(s, session);
	return result;
}

/* It has asked for more than it may read. Nobody else is concerned. */
static enum delivered withhold(struct shard *s, struct session *session, struct delivery *d,
			       uint64_t position)
{
	s->status.denied++;
	see_dropped(s, session, d->publication->parts.topic, not_allowed);
	if (position) {
		session_finish(s, session, position, position, true);
	} else if (d->membership && d->qos > 0) {
		struct message *m = publication_message(d->publication);
		if (m)
			group_finished(s, session, d->membership, m);
	}
	return DELIVERED;
}

enum delivered deliver(struct shard *s, struct session *session, struct delivery *d)
{
	bool is_allowed = may_read(s, session, d->publication->parts.topic);
	if (d->qos == 0)
		return is_allowed ? deliver_qos_0(s, session, d) : withhold(s, session, d, 0);
	/* whatever becomes of it: packet ids follow from the log and from nothing else */
	uint64_t position = waiting_is_kept(s, session) ? session->kept->queue_next++ : 0;
	if (UNLIKELY(!is_allowed))
		return withhold(s, session, d, position);
	if (!is_open(session->connection) || !may_send_now(s, session, position))
		return enqueue(s, session, d, position);
	struct message *m = publication_message(d->publication);
	struct queued q = {.message = m,
			   .position = position,
			   .identifier = d->identifier,
			   .membership = d->membership,
			   .qos = d->qos,
			   .flags = d->flags & (uint8_t)~DELIVER_ACCEPTED};
	if (!m)
		return fail(s, session, position);
	if (UNLIKELY(is_over_memory(s, message_bytes(m)) && !(d->flags & DELIVER_ACCEPTED)))
		return deliver_over_memory(s, session, d, position);
	message_ref(m);
	if (send_first(session, &q, d->publication)) {
		message_unref(m);
		return fail(s, session, position);
	}
	return DELIVERED;
}

/* "As if it had been sent" ([5] 3.1.2.11.4). */
static void give_up_sent(struct shard *s, struct session *session, struct message *m,
			 const char *why)
{
	uint64_t position = session->send.resend - 1;
	struct queued q = {.message = m, .position = waiting_is_kept(s, session) ? position : 0};
	s->memory_bytes -= message_bytes(m);
	send_cancel(&session->send, position);
	deliver_give_up(s, session, &q, why);
}

static bool send_pubrel(struct connection *c, uint16_t packet_id)
{
	uint8_t *p = connection_packet(c, ACK_BYTES_MIN);
	if (!p)
		return false;
	ack_encode_short(p, PACKET_PUBREL, packet_id);
	connection_packet_done(c, ACK_BYTES_MIN);
	see_packet(c, false, PACKET_PUBREL, packet_id, 0);
	return true;
}

static bool resend(struct session *session, const struct sending *entry, struct outgoing *o)
{
	struct connection *c = session->connection;
	struct shard *s = c->shard;
	if (UNLIKELY(!fits(c, o))) { /* this connection takes less than the one before */
		s->status.dropped_too_large++;
		give_up_sent(s, session, entry->message, "larger than the client takes");
		return true;
	}
	if (packet_send(c, o))
		return false;
	see_sent(c, o);
	return true;
}

/* What may not be read any more does not come again; but at QoS 2 the client may wait for the end of
 * it, unless it has another name for the topic, or none. */
static bool may_come_again(struct shard *s, const struct session *session, struct span topic,
			   bool is_begun_qos_2)
{
	return LIKELY(may_read(s, session, topic)) ||
	       (is_begun_qos_2 && has_name_for(session, topic));
}

static bool resend_with_identifiers(struct session *session, const struct sending *entry,
				    struct outgoing *o)
{
	const struct identifier_set *set =
		identifiers_at(session->connection->shard, session, entry->note);
	struct publication copy;
	uint8_t *bytes;
	o->identifier = 0;
	if (!set)
		return resend(session, entry, o);
	if (identifiers_put(set->identifiers, set->count, o->publication, &copy, &bytes)) {
		connection_doom(session->connection);
		return false;
	}
	o->publication = &copy;
	bool has_gone = resend(session, entry, o);
	publication_release(&copy);
	mem_free(bytes);
	return has_gone;
}

/* One step of redelivery after a reconnect; false when there is none now. */
static bool send_one_again(struct session *session)
{
	struct connection *c = session->connection;
	struct sending *entry;
	uint16_t packet_id;
	unsigned steps = send_again(&session->send, &entry, &packet_id);
	if (!steps)
		return false;
	/* its PUBREC came in the middle of a retry: apply_received() sends it when the log has that */
	if (steps & STEP_SEND_PUBREL && waiting_is_kept(c->shard, session) &&
	    command_is_pending(c->shard, session))
		return true;
	see_step(c, true, entry->state, SEND_EVENT_AGAIN, packet_id);
	if (steps & STEP_SEND_PUBREL)
		return send_pubrel(c, packet_id);
	struct publication p;
	uint8_t qos = entry->flags >> 4 & 3;
	if (!may_come_again(c->shard, session, message_topic(entry->message), qos == 2)) {
		c->shard->status.denied++;
		give_up_sent(c->shard, session, entry->message, not_allowed);
		return true;
	}
	publication_of_message(&p, entry->message);
	struct outgoing o = {.publication = &p,
			     .identifier = entry->note,
			     .packet_id = packet_id,
			     .qos = qos,
			     .retain = entry->flags & QUEUED_RETAIN,
			     .dup = true};
	bool has_gone = entry->flags & QUEUED_IDENTIFIERS
				? resend_with_identifiers(session, entry, &o)
				: resend(session, entry, &o);
	publication_release(&p);
	return has_gone;
}

/* Its PUBREC came on an earlier connection. */
static bool send_released(struct shard *s, struct session *session)
{
	struct connection *c = session->connection;
	struct queued q;
	if (!waiting_pop(s, session, &q))
		return false;
	struct sending entry = {
		.note = q.identifier, .short_note = q.membership, .flags = (uint8_t)(q.qos << 4)};
	if (send_begin_released(&session->send, q.position, &entry)) {
		waiting_put_back(s, session, &q);
		connection_doom(c); /* for want of memory: it is for the next one */
		return false;
	}
	see_step(c, true, SEND_WAIT_PUBCOMP, SEND_EVENT_AGAIN, send_packet_id(q.position));
	return send_pubrel(c, send_packet_id(q.position));
}

/* The message at the front, which is in memory and for which the window is open. */
static bool send_popped(struct shard *s, struct session *session, const struct queued *q)
{
	struct publication p;
	bool has_gone = true;
	publication_of_message(&p, q->message);
	if (is_expired(s, &p.parts) && !is_begun(session, q)) { /* [MQTT-3.3.2-5, 4.3.3-7] */
		s->status.dropped_expired++;
		deliver_give_up(s, session, q, "expired");
	} else if (!may_come_again(s, session, p.parts.topic, is_begun(session, q))) {
		s->status.denied++;
		deliver_give_up(s, session, q, not_allowed);
	} else if (q->qos == 0) {
		struct delivery d = {
			.publication = &p, .identifier = q->identifier, .flags = q->flags};
		send_qos_0(s, session, &d);
		message_unref(q->message);
	} else if (send_first(session, q, &p)) {
		if (q->position) {
			waiting_put_back(s, session, q);
			connection_doom(session->connection);
			has_gone = false;
		} else {
			deliver_give_up(s, session, q, "out of memory");
		}
	}
	publication_release(&p);
	return has_gone;
}

/* Does the window let the next one that waits pass? */
static bool may_go(struct shard *s, struct session *session, const struct queued *next)
{
	if (next->qos == 0)
		return true;
	if (next->flags & QUEUED_RELEASED)
		return send_has_room_at(&session->send, next->position);
	return is_open_for(s, session, next->position);
}

static bool send_one_waiting(struct shard *s, struct session *session)
{
	const struct queued *next = queue_peek(session->queue);
	struct queued q;
	if (!next || !may_go(s, session, next))
		return false;
	if (UNLIKELY(next->flags & QUEUED_RELEASED))
		return send_released(s, session);
	if (!next->message || !waiting_pop(s, session, &q))
		return false; /* it is being fetched */
	return send_popped(s, session, &q);
}

bool deliver_is_due(struct shard *s, struct session *session)
{
	const struct queued *next;
	if (session->send.resend != session->send.next)
		return session->send.quota_used < session->send.receive_maximum;
	next = queue_peek(session->queue);
	return next && may_go(s, session, next);
}

void deliver_pump(struct shard *s, struct session *session)
{
	struct connection *c = session->connection;
	if (!is_open(c))
		return;
	while (c->output.bytes < OUTPUT_ENOUGH_BYTES && c->state == CONNECTION_OPEN)
		if (!send_one_again(session) && !send_one_waiting(s, session))
			break;
	if (session->queue->absent > 0)
		fetch_ahead(s, session);
	if (session->memberships)
		group_appetite(s, session);
	if (session->holdings && !session_is_slow(s, session))
		hold_release(s, session);
}
