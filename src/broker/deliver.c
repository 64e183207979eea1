/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message to one session: straight into its connection's output where that is possible, into
 * its queue where it must wait, nowhere when its limits say so.
 */
#include "broker/deliver.h"

#include "broker/hold.h"
#include "broker/packet.h"
#include "broker/publish.h"
#include "broker/see.h"
#include "broker/shard.h"

/* A connection with this much unsent takes messages from its queue only after it has drained:
 * the kernel's buffer and a turn's worth are full. */
#define OUTPUT_ENOUGH_BYTES (256u << 10)
/* With no limit of its own configured, a reader is slow from so many waiting messages on. */
#define SLOW_MESSAGES 10000u

static bool is_open(const struct connection *c)
{
	return c && c->state == CONNECTION_OPEN;
}

static bool is_expired(const struct shard *s, const struct message_parts *parts)
{
	return parts->has_expiry && parts->expires_ms <= s->now.wall_ms;
}

void deliver_give_up(struct shard *s, struct session *session, struct message *m, const char *why)
{
	see_dropped(s, session, message_topic(m), why);
	message_unref(m);
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

/* At most once: whoever has asked for it counts as served. */
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

/* First sending at QoS 1 or 2; the window is open. Takes the reference on success. */
static int send_first(struct session *session, const struct queued *q, struct publication *p)
{
	struct connection *c = session->connection;
	struct outgoing o = {.publication = p,
			     .identifier = q->identifier,
			     .qos = q->qos,
			     .retain = q->flags & QUEUED_RETAIN,
			     .dup = q->flags & QUEUED_DUP};
	if (UNLIKELY(!fits(c, &o))) {
		c->shard->status.dropped_too_large++;
		deliver_give_up(c->shard, session, q->message, "larger than the client takes");
		return 0;
	}
	struct sending entry = {.message = q->message,
				.note = q->identifier,
				.short_note = q->membership,
				.flags = (uint8_t)(q->flags | q->qos << 4)};
	int error = send_begin(&session->send, q->qos, &entry, &o.packet_id);
	if (error)
		return error;
	c->shard->memory_bytes += message_bytes(q->message);
	see_step(c, true, q->qos == 1 ? SEND_WAIT_PUBACK : SEND_WAIT_PUBREC,
		 q->qos == 1 ? SEND_EVENT_QOS_1 : SEND_EVENT_QOS_2, o.packet_id);
	/* without memory for the bytes the connection ends, and the session sends it again */
	if (packet_send(c, &o) == 0)
		see_sent(c, &o);
	return 0;
}

bool session_is_slow(const struct shard *s, const struct session *session)
{
	const struct settings *set = s->settings;
	uint32_t count_max = set->queue_messages_max ? set->queue_messages_max : SLOW_MESSAGES;
	return session->queue.count >= count_max / 2 ||
	       (set->queue_bytes_max && session->queue.bytes >= set->queue_bytes_max / 2);
}

static bool has_room(const struct shard *s, const struct session *session, size_t bytes)
{
	const struct settings *set = s->settings;
	if (is_over_memory(s, bytes))
		return false;
	if (session->connection)
		return queue_has_room(&session->queue, bytes, set->queue_messages_max,
				      set->queue_bytes_max);
	return queue_has_room(&session->queue, bytes, set->absent_queue_messages_max,
			      set->absent_queue_bytes_max);
}

static bool pop(struct shard *s, struct session *session, struct queued *out)
{
	if (!queue_pop(&session->queue, out))
		return false;
	s->memory_bytes -= message_bytes(out->message);
	s->status.queued_messages--;
	return true;
}

/* Makes room as the policy says; for what can never fit nothing is dropped. */
static bool make_room(struct shard *s, struct session *session, size_t bytes)
{
	const struct settings *set = s->settings;
	struct queued oldest;
	uint64_t bytes_max =
		session->connection ? set->queue_bytes_max : set->absent_queue_bytes_max;
	if (bytes_max && bytes > bytes_max)
		return false;
	while (!has_room(s, session, bytes)) {
		if (s->settings->queue_full_policy != QUEUE_FULL_DROP_OLDEST ||
		    !pop(s, session, &oldest))
			return false;
		s->status.dropped_queue_full++;
		deliver_give_up(s, session, oldest.message, "queue full, oldest dropped");
	}
	return true;
}

static enum delivered refuse(struct shard *s, struct session *session, struct delivery *d)
{
	s->status.dropped_queue_full++;
	see_dropped(s, session, d->publication->parts.topic, "queue full");
	return s->settings->queue_full_policy == QUEUE_FULL_REFUSE ? DELIVERY_REFUSED : DELIVERED;
}

static enum delivered enqueue(struct shard *s, struct session *session, struct delivery *d)
{
	struct message *m = publication_message(d->publication);
	if (!m)
		return DELIVERY_REFUSED;
	size_t bytes = message_bytes(m);
	if (!(d->flags & DELIVER_ACCEPTED) && !make_room(s, session, bytes))
		return refuse(s, session, d);
	struct queued q = {.message = m,
			   .identifier = d->identifier,
			   .membership = d->membership,
			   .qos = d->qos,
			   .flags = d->flags & (uint8_t)~DELIVER_ACCEPTED};
	if (queue_push(&session->queue, &q))
		return DELIVERY_REFUSED;
	message_ref(m);
	s->memory_bytes += bytes;
	s->status.queued_messages++;
	see_queued(s, session, message_topic(m), d->qos);
	return session->connection && session_is_slow(s, session) ? DELIVERED_SLOWLY : DELIVERED;
}

static bool may_send_now(const struct session *session)
{
	return session->queue.count == 0 && send_is_open(&session->send) &&
	       session->connection->output.bytes < OUTPUT_ENOUGH_BYTES;
}

enum delivered deliver(struct shard *s, struct session *session, struct delivery *d)
{
	bool is_here = is_open(session->connection);
	if (d->qos == 0) {
		bool may_wait = s->settings->queue_qos0_absent && session->subscriber.survives;
		/* while it was absent others were queued: they come first */
		if (is_here && !(may_wait && session->queue.count > 0))
			return send_qos_0(s, session, d);
		if (may_wait)
			(void)enqueue(s, session, d);
		return DELIVERED; /* at most once */
	}
	if (!is_here || !may_send_now(session))
		return enqueue(s, session, d);
	struct message *m = publication_message(d->publication);
	struct queued q = {.message = m,
			   .identifier = d->identifier,
			   .membership = d->membership,
			   .qos = d->qos,
			   .flags = d->flags & (uint8_t)~DELIVER_ACCEPTED};
	if (!m)
		return DELIVERY_REFUSED;
	if (UNLIKELY(is_over_memory(s, message_bytes(m)) && !(d->flags & DELIVER_ACCEPTED)))
		return refuse(s, session, d);
	message_ref(m);
	if (send_first(session, &q, d->publication)) {
		message_unref(m);
		return DELIVERY_REFUSED;
	}
	return DELIVERED;
}

/* This connection takes less than the one before: "as if it had been sent" ([5] 3.1.2.11.4). */
static void give_up_sent(struct session *session, struct message *m)
{
	struct shard *s = session->connection->shard;
	s->memory_bytes -= message_bytes(m);
	send_cancel(&session->send, session->send.resend - 1);
	s->status.dropped_too_large++;
	deliver_give_up(s, session, m, "larger than the client takes");
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
	see_step(c, true, entry->state, SEND_EVENT_AGAIN, packet_id);
	if (steps & STEP_SEND_PUBREL) {
		uint8_t *p = connection_packet(c, ACK_BYTES_MIN);
		if (!p)
			return false;
		ack_encode_short(p, PACKET_PUBREL, packet_id);
		connection_packet_done(c, ACK_BYTES_MIN);
		see_packet(c, false, PACKET_PUBREL, packet_id, 0);
		return true;
	}
	struct publication p;
	publication_of_message(&p, entry->message);
	struct outgoing o = {.publication = &p,
			     .identifier = entry->note,
			     .packet_id = packet_id,
			     .qos = entry->flags >> 4 & 3,
			     .retain = entry->flags & QUEUED_RETAIN,
			     .dup = true};
	bool has_gone = true;
	if (UNLIKELY(!fits(c, &o)))
		give_up_sent(session, entry->message);
	else if (packet_send(c, &o) == 0)
		see_sent(c, &o);
	else
		has_gone = false;
	publication_release(&p);
	return has_gone;
}

static bool send_one_waiting(struct shard *s, struct session *session)
{
	const struct queued *next = queue_peek(&session->queue);
	if (!next || (next->qos > 0 && !send_is_open(&session->send)))
		return false;
	struct queued q;
	struct publication p;
	pop(s, session, &q);
	publication_of_message(&p, q.message);
	if (is_expired(s, &p.parts)) { /* [MQTT-3.3.2-5] */
		s->status.dropped_expired++;
		deliver_give_up(s, session, q.message, "expired");
	} else if (q.qos == 0) {
		struct delivery d = {
			.publication = &p, .identifier = q.identifier, .flags = q.flags};
		send_qos_0(s, session, &d);
		message_unref(q.message);
	} else if (send_first(session, &q, &p)) {
		deliver_give_up(s, session, q.message, "out of memory");
	}
	publication_release(&p);
	return true;
}

bool deliver_is_due(struct session *session)
{
	const struct queued *next = queue_peek(&session->queue);
	if (session->send.resend != session->send.next)
		return session->send.quota_used < session->send.receive_maximum;
	return next && (next->qos == 0 || send_is_open(&session->send));
}

void deliver_pump(struct shard *s, struct session *session)
{
	struct connection *c = session->connection;
	if (!is_open(c))
		return;
	while (c->output.bytes < OUTPUT_ENOUGH_BYTES && c->state == CONNECTION_OPEN)
		if (!send_one_again(session) && !send_one_waiting(s, session))
			break;
	if (session->holdings && !session_is_slow(s, session))
		hold_release(s, session);
}
