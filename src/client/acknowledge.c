/* SPDX-License-Identifier: Apache-2.0 */
/* Acknowledging when the application says so: what came is noted, PUBACK and PUBREC leave as
 * client/incoming.h lets them. */
#include "client/engine_state.h"

static const struct flaw flaw_id_in_use = {REASON_PROTOCOL_ERROR,
					   "a packet id that another message holds"};

/* [MQTT-4.3.3-9]: with a refusal the exchange is over. Version 3 has no way to refuse. */
static void forget_refused(struct engine *e, const struct incoming_message *m)
{
	int error;
	if (m->qos == 2 && m->reason_code >= 0x80 && e->version == MQTT_5)
		(void)receive_event(&e->receive, RECEIVE_EVENT_REFUSED, m->packet_id, &error);
}

static void send_due(struct engine *e, uint8_t qos)
{
	uint8_t type = qos == 1 ? PACKET_PUBACK : PACKET_PUBREC;
	struct incoming_message *m;
	while (e->state == ENGINE_CONNECTED && (m = incoming_next(&e->incoming, qos))) {
		transmit_ack(e, type, m->reason_code, m->packet_id);
		if (e->state != ENGINE_CONNECTED)
			return; /* no memory: it was not put out */
		forget_refused(e, m);
		incoming_remove(&e->incoming, m);
	}
}

int engine_acknowledge(struct engine *e, uint64_t handle, uint8_t reason_code)
{
	struct incoming_message *m = incoming_find(&e->incoming, (uint16_t)handle);
	if (!m || m->handle != handle)
		return ERROR_NOT_FOUND;
	uint8_t qos = m->qos;
	if (!reason_is_allowed(reason_code, qos == 1 ? PACKET_PUBACK : PACKET_PUBREC))
		return ERROR_INVALID;
	int error = incoming_let_go(&e->incoming, handle, reason_code);
	if (!error)
		send_due(e, qos);
	return error;
}

bool engine_owes(const struct engine *e, uint64_t handle)
{
	const struct incoming_message *m = incoming_find(&e->incoming, (uint16_t)handle);
	return m && m->handle == handle && !m->is_let_go;
}

void engine_give_back(struct engine *e, uint64_t handle)
{
	struct incoming_message *m = incoming_find(&e->incoming, (uint16_t)handle);
	int error;
	if (!m || m->handle != handle || m->is_let_go)
		return;
	if (m->qos == 2)
		(void)receive_event(&e->receive, RECEIVE_EVENT_REFUSED, m->packet_id, &error);
	incoming_remove(&e->incoming, m);
}

uint32_t engine_unacknowledged(const struct engine *e)
{
	return e->incoming.by_id.count;
}

/* A message of which we know: the same again, or one that may not have this packet id. */
static void take_again(struct engine *e, const struct publish *p, struct incoming_message *m)
{
	if (m->qos != p->qos) {
		engine_fail_flaw(e, &flaw_id_in_use);
		return;
	}
	if (p->qos == 2 || (p->dup && e->options.drops_duplicates)) {
		incoming_return(&e->incoming, m); /* [MQTT-4.3.3-10] */
		send_due(e, p->qos);
		return;
	}
	incoming_renew(&e->incoming, m);
	if (e->events.message)
		e->events.message(e->context, p, m->handle);
}

static enum receive_event event_of(const struct publish *p)
{
	return p->qos == 1 ? RECEIVE_EVENT_QOS_1 : RECEIVE_EVENT_QOS_2;
}

/* The note first: a QoS 2 message whose id is stored, but that was not given, would be lost. */
static void take_new(struct engine *e, const struct publish *p)
{
	struct incoming_message *m;
	int error = incoming_add(&e->incoming, p->packet_id, p->qos, &m);
	if (error) {
		engine_fail_memory(e);
		return;
	}
	unsigned steps = receive_event(&e->receive, event_of(p), p->packet_id, &error);
	if (error || steps == 0) {
		incoming_remove(&e->incoming, m);
		error ? engine_fail_memory(e) : engine_fail_flaw(e, &flaw_id_in_use);
		return;
	}
	if (steps & STEP_DELIVER) {
		if (e->events.message)
			e->events.message(e->context, p, m->handle);
		return;
	}
	/* Let go before; its PUBREC was lost and goes again, in its turn. */
	m->is_let_go = true;
	send_due(e, p->qos);
}

void acknowledge_take(struct engine *e, const struct publish *p)
{
	struct incoming_message *m = incoming_find(&e->incoming, p->packet_id);
	if (m && m->is_away && m->qos == 1 && p->qos == 2) {
		incoming_remove(&e->incoming, m); /* the server gave it up, and uses the id anew */
		m = NULL;
	}
	if (m)
		take_again(e, p, m);
	else
		take_new(e, p);
}

void acknowledge_released(struct engine *e, uint16_t packet_id)
{
	struct incoming_message *m = incoming_find(&e->incoming, packet_id);
	if (m && m->qos == 2)
		incoming_remove(&e->incoming, m);
}
