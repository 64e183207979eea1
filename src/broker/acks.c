/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/acks.h"
#include "broker/handle.h"

#include "base/mem.h"
#include "broker/publish.h"
#include "broker/see.h"
#include "broker/shard.h"

#define ACKS_CAPACITY_MIN 8

static struct ack_waiting *at(const struct acks *a, uint32_t ticket)
{
	return &a->ring[ticket & (a->capacity - 1)];
}

static int grow(struct acks *a)
{
	uint32_t capacity = a->capacity ? a->capacity * 2 : ACKS_CAPACITY_MIN;
	struct ack_waiting *ring = mem_alloc(capacity * sizeof(*ring));
	if (!ring)
		return ERROR_NO_MEMORY;
	for (uint32_t t = a->oldest; t != a->next; t++)
		ring[t & (capacity - 1)] = *at(a, t);
	mem_free(a->ring);
	a->ring = ring;
	a->capacity = capacity;
	return 0;
}

int acks_open(struct session *s, const struct ack_waiting *ack, uint32_t *ticket_out)
{
	if (!s->acks)
		s->acks = mem_zalloc(sizeof(*s->acks));
	if (!s->acks || (acks_count(s->acks) == s->acks->capacity && grow(s->acks)))
		return ERROR_NO_MEMORY;
	struct acks *a = s->acks;
	*ticket_out = a->next;
	struct ack_waiting *mine = at(a, a->next++);
	*mine = *ack;
	mine->is_counted = ack->type == PACKET_PUBACK || ack->reason_code >= 0x80;
	a->puback_count += mine->is_counted;
	return 0;
}

static bool is_ready(const struct ack_waiting *ack)
{
	return ack->waits <= 0 && ack->delegates == 0;
}

/* The connection ends when there was no memory for the packet, or when the client may not be sent
 * one of that size [MQTT-3.1.2-24]. */
static void leave_packet(struct connection *c, const struct ack_waiting *ack)
{
	uint8_t *p = NULL;
	if (ack->packet && ack->packet_len <= c->packet_bytes_max)
		p = connection_packet(c, ack->packet_len);
	if (!p) {
		connection_doom(c);
		return;
	}
	memcpy(p, ack->packet, ack->packet_len);
	connection_packet_done(c, ack->packet_len);
	see_packet(c, false, ack->type, ack->packet_id, 0);
}

/* The one place where a gated answer leaves. */
static void leave(struct session *s, const struct ack_waiting *ack)
{
	struct connection *c = s->connection;
	ASSERT(is_ready(ack) && ack->sequence <= c->shard->applied);
	if (ack->type == PACKET_SUBACK || ack->type == PACKET_UNSUBACK) {
		leave_packet(c, ack);
		mem_free(ack->packet);
	} else {
		ack_send(c, ack->type, ack->packet_id, ack->reason_code);
	}
}

/* A refused QoS 2 message is in the log with its id, and its sender is about to use the id again:
 * after a crash the next message would be taken for this one. */
static bool must_be_released(const struct session *s, const struct ack_waiting *ack)
{
	return ack->type == PACKET_PUBREC && ack->reason_code >= 0x80 && ack->sequence > 0 &&
	       !ack->is_released && s->log_id && s->connection->version == MQTT_5 &&
	       s->connection->shard->broker->log->is_kept;
}

/* False without memory: the connection ends, and the sender asks again. */
static bool release_first(struct session *s, struct ack_waiting *ack, uint32_t ticket)
{
	struct shard *shard = s->connection->shard;
	struct command *c = command_new(COMMAND_RELEASE, SPAN_NONE);
	int error;
	if (!c)
		return false;
	c->origin = (struct origin){s->number, ticket, (uint16_t)shard->index};
	c->session_id = s->log_id;
	c->packet_id = ack->packet_id;
	ack->is_released = true;
	ack->waits = 1;
	ack->sequence = s->logged = shard->appended + 1;
	receive_event(&s->receive, RECEIVE_EVENT_REFUSED, ack->packet_id, &error);
	command_append(shard, c, shard_bit(shard));
	return true;
}

/* Is the oldest ready to leave, and nothing more to be said to the log about it? */
static bool may_leave(struct session *s, uint32_t ticket)
{
	struct ack_waiting *ack = at(s->acks, ticket);
	if (!is_ready(ack))
		return false;
	if (LIKELY(!must_be_released(s, ack)))
		return true;
	if (!release_first(s, ack, ticket))
		connection_doom(s->connection);
	return false;
}

static void leave_all_ready(struct session *s)
{
	struct acks *a = s->acks;
	while (a->oldest != a->next && may_leave(s, a->oldest)) {
		struct ack_waiting ack = *at(a, a->oldest++);
		a->puback_count -= ack.is_counted;
		leave(s, &ack);
	}
	if (a->oldest == a->next && a->capacity > ACKS_CAPACITY_MIN * 8) {
		mem_free(a->ring);
		a->ring = NULL;
		a->capacity = 0;
	}
	struct connection *c = s->connection;
	if (c->is_paused && acks_count(a) <= c->terms->receive_maximum / 2)
		connection_unpause(c);
}

static bool is_open(const struct acks *a, uint32_t ticket)
{
	return a && ticket - a->oldest < a->next - a->oldest;
}

bool acks_is_open(const struct session *s, uint32_t ticket)
{
	return is_open(s->acks, ticket);
}

void acks_fail(struct session *s, uint32_t ticket, uint8_t reason_code)
{
	struct acks *a = s->acks;
	if (!is_open(a, ticket))
		return;
	struct ack_waiting *ack = at(a, ticket);
	ack->waits = ack->delegates = 0;
	ack->sequence = 0;
	ack->reason_code = reason_code;
	if (ticket == a->oldest && s->connection)
		leave_all_ready(s);
}

void acks_set_packet(struct session *s, uint32_t ticket, uint8_t *packet, uint32_t packet_len)
{
	if (!is_open(s->acks, ticket)) {
		mem_free(packet);
		return;
	}
	at(s->acks, ticket)->packet = packet;
	at(s->acks, ticket)->packet_len = packet_len;
}

void acks_expect(struct session *s, uint32_t ticket, int waits, uint64_t sequence)
{
	ASSERT(is_open(s->acks, ticket));
	at(s->acks, ticket)->waits = (int16_t)waits;
	at(s->acks, ticket)->sequence = sequence;
}

void acks_verdict(struct session *s, const struct verdict *v)
{
	struct acks *a = s->acks;
	if (!is_open(a, v->ticket))
		return; /* answered a connection that is gone */
	struct ack_waiting *ack = at(a, v->ticket);
	if (v->is_delegate)
		ack->delegates--;
	else
		ack->waits--;
	ack->delegates = (int16_t)(ack->delegates + v->delegates);
	ack->reason_code = reason_merge(ack->reason_code, v->reason_code);
	if (v->ticket == a->oldest && s->connection)
		leave_all_ready(s);
}

void acks_drop(struct session *s)
{
	struct acks *a = s->acks;
	if (!a)
		return;
	for (uint32_t t = a->oldest; t != a->next; t++)
		mem_free(at(a, t)->packet);
	mem_free(a->ring);
	a->ring = NULL;
	a->capacity = 0;
	a->oldest = a->next;
	a->puback_count = 0;
}

void acks_release(struct session *s)
{
	acks_drop(s);
	mem_free(s->acks);
	s->acks = NULL;
}
