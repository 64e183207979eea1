/* SPDX-License-Identifier: Apache-2.0 */
/* What has to hold in every state, whatever has happened. */
#include "world.h"

static struct fate *fate_of(struct run *r, uint8_t message)
{
	return &r->world->fates[message - 1];
}

/* Order, and no repetition, on one connection [MQTT-4.6.0-1, 4.6.0-3, 4.4.0-1]. A retry begins
 * from the oldest. */
static void check_order(struct run *r, struct packet p)
{
	struct world *w = r->world;
	uint8_t *last = p.kind == PUBLISH ? &w->last_publish : &w->last_pubrel;
	if (p.kind != PUBLISH && r->config->retries)
		return;
	if (p.message == *last)
		break_promise(r, "%s of message %u is sent twice on one connection",
			      p.kind == PUBLISH ? "PUBLISH" : "PUBREL", p.message);
	else if (p.message < *last)
		break_promise(r, "%s of message %u is sent behind that of message %u",
			      p.kind == PUBLISH ? "PUBLISH" : "PUBREL", p.message, *last);
	*last = p.message;
}

void check_wire(struct run *r, enum side from, struct packet p)
{
	struct fate *fate = fate_of(r, p.message);
	if (from == SIDE_RECEIVER) {
		if (p.kind != PUBREC)
			fate->is_open = false;
		return;
	}
	if (p.kind == PUBLISH) {
		if (fate->is_wired && !p.dup) /* [MQTT-3.3.1-1] */
			break_promise(r, "message %u is sent again without DUP", p.message);
		fate->is_wired = true;
	}
	if (p.kind == PUBLISH || p.kind == PUBREL)
		check_order(r, p);
}

static bool mentions(const struct list *l, uint8_t id, uint8_t message)
{
	for (unsigned i = 0; i < l->count; i++)
		if (l->items[i].id == id && l->items[i].message != message &&
		    (l->items[i].kind < GIVE || l->items[i].kind == LOG_RELEASE))
			return true;
	return false;
}

/* A packet id is given to a message: nobody may still know it as another one's [MQTT-2.2.1-3]. */
void check_first_use(struct run *r, uint8_t id, uint8_t message)
{
	struct world *w = r->world;
	uint8_t owner = w->receiver.owner[id - 1], kept = w->receiver_kept.owner[id - 1];
	if ((owner && owner != message) || (kept && kept != message) ||
	    mentions(&w->there, id, message) || mentions(&w->back, id, message) ||
	    mentions(&w->receiver_pending, id, message))
		break_promise(r, "packet id %u is used for message %u while another has it", id,
			      message);
}

/* Receive Maximum [MQTT-3.3.4-9]; and a duplicate is one of the same message. */
void check_received(struct run *r, struct packet p)
{
	unsigned open = 0;
	if (p.kind != PUBLISH)
		return;
	uint8_t owner = r->world->receiver.owner[p.id - 1];
	if (owner && owner != p.message)
		break_promise(r, "message %u is taken for message %u, which has its packet id",
			      p.message, owner);
	fate_of(r, p.message)->is_open = true;
	for (unsigned i = 0; i < MESSAGES_MAX; i++)
		open += r->world->fates[i].is_open;
	if (open > r->world->receive_maximum && !r->config->retries) /* 3.1.1 knows none */
		break_promise(r, "%u messages are under way, Receive Maximum is %u", open,
			      r->world->receive_maximum);
}

/* Exactly once at QoS 2; first arrivals in order [MQTT-4.6.0-6]. A session that the broker has lost
 * takes with it what it knew: once more for each. */
void check_delivered(struct run *r, uint8_t message)
{
	struct fate *fate = fate_of(r, message);
	unsigned losses = r->config->losses - r->world->losses_left;
	show(r, SIDE_RECEIVER, "application gets message %u", message);
	if (qos_of(r, message) == 2 && fate->delivered > losses)
		break_promise(r, "message %u (QoS 2) is delivered twice", message);
	for (uint8_t m = (uint8_t)(message + 1); m <= r->world->arrived; m++)
		if (fate->delivered == 0 && !fate->is_refused && fate_of(r, m)->delivered > 0 &&
		    qos_of(r, m) == qos_of(r, message))
			break_promise(r, "message %u is delivered behind message %u", message, m);
	if (fate->delivered < 3)
		fate->delivered++;
}

/* The sender forgets the message: it has arrived, or was refused and has not. */
void check_finished(struct run *r, uint8_t message, bool is_refused)
{
	struct fate *fate = fate_of(r, message);
	if (!is_refused && fate->delivered == 0)
		break_promise(r, "message %u is lost: its sender is done with it", message);
	if (is_refused && fate->delivered > 0 && qos_of(r, message) == 2 && r->config->losses == 0)
		break_promise(r, "message %u (QoS 2) is refused, and was delivered", message);
	fate->is_finished = true;
}

void check_done(struct run *r)
{
	for (uint8_t m = 1; m <= r->config->messages; m++) {
		const struct fate *fate = fate_of(r, m);
		if (!fate->is_finished && !fate->is_given_up)
			break_promise(r, "message %u is nowhere, and was not acknowledged", m);
	}
	for (unsigned i = 0; i < IDS_MAX; i++)
		if (r->world->receiver.owner[i] || r->world->receiver_kept.owner[i])
			break_promise(r, "packet id %u stays with the receiver for ever", i + 1);
}
