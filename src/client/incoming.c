/* SPDX-License-Identifier: Apache-2.0 */
#include "client/incoming.h"

#include "base/mem.h"

/* Packet ids are all that is hashed, and there are 65,535: no seed keeps a server from anything. */
#define SEED 0

static struct incoming_message *message_of(struct link *link)
{
	return CONTAINER_OF(link, struct incoming_message, link);
}

static struct span key_of(const void *element)
{
	const struct incoming_message *m = element;
	return span_of(&m->packet_id, sizeof(m->packet_id));
}

void incoming_init(struct incoming *i)
{
	*i = (struct incoming){0};
	map_init(&i->by_id, SEED, key_of);
	list_init(&i->away);
	for (size_t q = 0; q < QOS_MAX; q++)
		list_init(&i->arrived[q]);
}

void incoming_release(struct incoming *i)
{
	incoming_clear(i);
	map_release(&i->by_id);
}

struct incoming_message *incoming_find(const struct incoming *i, uint16_t packet_id)
{
	return i->by_id.count > 0 ? map_find(&i->by_id, span_of(&packet_id, sizeof(packet_id)))
				  : NULL;
}

static void put_last(struct incoming *i, struct incoming_message *m)
{
	list_append(&i->arrived[m->qos - 1], &m->link);
	i->arrived_count[m->qos - 1]++;
	m->is_away = false;
}

static void take_out(struct incoming *i, struct incoming_message *m)
{
	link_remove(&m->link);
	if (!m->is_away)
		i->arrived_count[m->qos - 1]--;
}

static uint64_t new_handle(struct incoming *i, uint16_t packet_id)
{
	return ++i->last_number << 16 | packet_id;
}

int incoming_add(struct incoming *i, uint16_t packet_id, uint8_t qos,
		 struct incoming_message **message_out)
{
	ASSERT(qos >= 1 && qos <= QOS_MAX);
	struct incoming_message *m = mem_zalloc(sizeof(*m));
	if (!m)
		return ERROR_NO_MEMORY;
	m->packet_id = packet_id;
	m->qos = qos;
	if (map_add(&i->by_id, m)) {
		mem_free(m);
		return ERROR_NO_MEMORY;
	}
	m->handle = new_handle(i, packet_id);
	put_last(i, m);
	*message_out = m;
	return 0;
}

void incoming_remove(struct incoming *i, struct incoming_message *m)
{
	take_out(i, m);
	(void)map_remove(&i->by_id, key_of(m));
	mem_free(m);
}

void incoming_return(struct incoming *i, struct incoming_message *m)
{
	if (!m->is_away)
		return;
	take_out(i, m);
	put_last(i, m);
}

void incoming_renew(struct incoming *i, struct incoming_message *m)
{
	incoming_return(i, m);
	m->handle = new_handle(i, m->packet_id);
	m->is_let_go = false;
}

int incoming_let_go(struct incoming *i, uint64_t handle, uint8_t reason_code)
{
	struct incoming_message *m = incoming_find(i, (uint16_t)handle);
	if (!m || m->handle != handle || m->is_let_go)
		return ERROR_NOT_FOUND;
	m->is_let_go = true;
	m->reason_code = reason_code;
	return 0;
}

struct incoming_message *incoming_next(const struct incoming *i, uint8_t qos)
{
	const struct link *arrived = &i->arrived[qos - 1];
	if (list_is_empty(arrived) || !message_of(arrived->next)->is_let_go)
		return NULL;
	return message_of(arrived->next);
}

static void send_away(struct incoming *i, struct incoming_message *m)
{
	take_out(i, m);
	list_append(&i->away, &m->link);
	m->is_away = true;
}

int incoming_restore(struct incoming *i, uint16_t packet_id, uint8_t qos,
		     struct incoming_message **message_out)
{
	int error = incoming_add(i, packet_id, qos, message_out);
	if (!error)
		send_away(i, *message_out);
	return error;
}

void incoming_lose(struct incoming *i, bool keeps_qos_1)
{
	for (size_t q = 0; q < QOS_MAX; q++)
		while (!list_is_empty(&i->arrived[q])) {
			struct incoming_message *m = message_of(i->arrived[q].next);
			if (m->qos == 2 || keeps_qos_1)
				send_away(i, m);
			else
				incoming_remove(i, m);
		}
}

void incoming_clear(struct incoming *i)
{
	incoming_lose(i, true);
	while (!list_is_empty(&i->away))
		incoming_remove(i, message_of(i->away.next));
}
