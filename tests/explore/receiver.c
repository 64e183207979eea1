/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end that receives messages: struct receive, and around it what client/receive.c does when it is
 * a client, broker/handle_publish.c, handle_ack.c and apply.c when it is the broker.
 */
#include "base/mem.h"
#include "world.h"

#define SLOTS 8 /* more than ids: each has a slot of its own */

/* --- between bytes and struct receive --- */

static void load(const struct receiver *from, struct receive *out)
{
	receive_init(out);
	out->ids = mem_zalloc(SLOTS * sizeof(*out->ids));
	ASSERT(out->ids);
	out->capacity = SLOTS;
	for (uint16_t id = 1; id <= IDS_MAX; id++)
		if (from->owner[id - 1]) {
			out->ids[id] = id;
			out->count++;
		}
}

/* Runs the table. `message` is whose PUBLISH it is, if it is one. */
static unsigned run_table(struct receiver *r, enum receive_event event, uint8_t id, uint8_t message)
{
	struct receive receive;
	int error;
	load(r, &receive);
	unsigned steps = receive_event(&receive, event, id, &error);
	ASSERT(!error);
	for (uint16_t i = 1; i <= IDS_MAX; i++)
		if (!receive_has(&receive, i))
			r->owner[i - 1] = 0;
		else if (!r->owner[i - 1])
			r->owner[i - 1] = message;
	receive_release(&receive);
	return steps;
}

static unsigned receive(struct run *r, enum receive_event event, struct packet p)
{
	struct receiver *receiver = &r->world->receiver;
	enum receive_state state = receiver->owner[p.id - 1] ? RECEIVE_WAIT_PUBREL : RECEIVE_NONE;
	unsigned steps = run_table(receiver, event, p.id, p.message);
	show(r, SIDE_RECEIVER, "  [%s, %s -> %s]", receive_state_name(state),
	     receive_event_name(event), receive_state_name(receive_table[state][event].next));
	if (!steps)
		break_promise(r, "the receiver takes %s for a protocol error",
			      receive_event_name(event));
	return steps;
}

/* --- packets out --- */

static void wire(struct run *r, struct packet p)
{
	char text[64];
	if (!r->world->is_up)
		return;
	show(r, SIDE_RECEIVER, "%s", packet_text(r, p, text));
	check_wire(r, SIDE_RECEIVER, p);
	list_put(&r->world->back, p);
}

/* A client's packets wait until its session is written down; the broker's leave in the order of
 * what they answer (broker/acks.c). */
static void put(struct run *r, uint8_t kind, struct packet to)
{
	struct packet p = {.kind = kind, .is_awaited = true, .id = to.id, .message = to.message};
	if (is_broker_sender(r) || r->world->receiver_pending.count > 0)
		list_put(&r->world->receiver_pending, p);
	else
		wire(r, p);
}

static void append(struct run *r, uint8_t kind, struct packet about)
{
	char text[64];
	struct packet p = {.kind = kind,
			   .is_unknown = kind == LOG_RELEASE && about.is_unknown,
			   .is_awaited = true,
			   .id = about.id,
			   .message = about.message};
	show(r, SIDE_RECEIVER, "appends %s", packet_text(r, p, text));
	list_put(&r->world->receiver_pending, p);
}

/* --- packets in --- */

/* handle_publish and handle_pubrel in client/receive.c */
static void client_packet(struct run *r, struct packet p, unsigned steps)
{
	if (steps & STEP_SEND_PUBACK)
		put(r, PUBACK, p);
	if (steps & STEP_SEND_PUBREC)
		put(r, PUBREC, p);
	if (steps & STEP_DELIVER)
		put(r, GIVE, p);
	if (steps & STEP_SEND_PUBCOMP)
		put(r, PUBCOMP, p);
	if (steps & STEP_SEND_PUBCOMP_NOT_FOUND)
		put(r, PUBCOMP_NOT_FOUND, p);
}

static void refuse(struct run *r, struct packet p)
{
	uint8_t qos = qos_of(r, p.message);
	r->world->fates[p.message - 1].is_refused = true;
	if (qos == 2)
		receive(r, RECEIVE_EVENT_REFUSED, p);
	put(r, qos == 2 ? PUBREC_ERROR : PUBACK_ERROR, p);
}

/* broker/handle_publish.c: whatever is new goes through the log; what is not is answered behind
 * all that the log has still to take (ack_answer_again) */
static void broker_publish(struct run *r, struct packet p, unsigned steps)
{
	if (steps & STEP_DELIVER)
		append(r, LOG_PUBLISH, p);
	else if (steps & STEP_SEND_PUBREC && r->world->receiver_pending.count > 0)
		append(r, LOG_NOTHING, p);
	else if (steps & STEP_SEND_PUBREC)
		put(r, PUBREC, p);
}

/* handle_pubrel in broker/handle_ack.c */
static void broker_pubrel(struct run *r, struct packet p, unsigned steps)
{
	p.is_unknown = steps & STEP_SEND_PUBCOMP_NOT_FOUND;
	if (steps & (STEP_SEND_PUBCOMP | STEP_SEND_PUBCOMP_NOT_FOUND))
		append(r, LOG_RELEASE, p);
}

void receiver_packet(struct run *r, struct packet p, bool refuses)
{
	check_received(r, p);
	enum receive_event event = p.kind != PUBLISH           ? RECEIVE_EVENT_PUBREL
				   : qos_of(r, p.message) == 1 ? RECEIVE_EVENT_QOS_1
							       : RECEIVE_EVENT_QOS_2;
	unsigned steps = receive(r, event, p);
	if (refuses && steps & STEP_DELIVER)
		refuse(r, p);
	else if (is_broker_sender(r))
		client_packet(r, p, steps);
	else if (p.kind == PUBLISH)
		broker_publish(r, p, steps);
	else
		broker_pubrel(r, p, steps);
}

/* --- what it keeps --- */

static void answer(struct run *r, struct packet record, uint8_t kind)
{
	if (record.is_awaited)
		wire(r, (struct packet){.kind = kind, .id = record.id, .message = record.message});
}

/* apply_publish in broker/apply.c. What stands in the log is what a restart makes the same of. */
static void apply_publish(struct run *r, struct packet record)
{
	bool is_qos_2 = qos_of(r, record.message) == 2;
	if (is_qos_2)
		run_table(&r->world->receiver_kept, RECEIVE_EVENT_QOS_2, record.id, record.message);
	check_delivered(r, record.message);
	answer(r, record, is_qos_2 ? PUBREC : PUBACK);
}

static void apply_release(struct run *r, struct packet record)
{
	run_table(&r->world->receiver_kept, RECEIVE_EVENT_PUBREL, record.id, 0);
	answer(r, record, record.is_unknown ? PUBCOMP_NOT_FOUND : PUBCOMP);
}

/* The broker: one record is durable. */
static void broker_write(struct run *r)
{
	char text[64];
	struct packet record = list_take(&r->world->receiver_pending);
	if (record.kind >= LOG_PUBLISH)
		show(r, SIDE_RECEIVER, "%s is durable", packet_text(r, record, text));
	if (record.kind == LOG_PUBLISH)
		apply_publish(r, record);
	else if (record.kind == LOG_RELEASE)
		apply_release(r, record);
	else
		answer(r, record, record.kind == LOG_NOTHING ? PUBREC : record.kind);
}

static void client_write(struct run *r)
{
	struct list pending = r->world->receiver_pending;
	show(r, SIDE_RECEIVER, "writes its session down");
	r->world->receiver_kept = r->world->receiver;
	r->world->receiver_pending = (struct list){0};
	for (unsigned i = 0; i < pending.count; i++)
		if (pending.items[i].kind == GIVE)
			check_delivered(r, pending.items[i].message);
		else
			answer(r, pending.items[i], pending.items[i].kind);
}

void receiver_write(struct run *r)
{
	if (is_broker_sender(r))
		client_write(r);
	else
		broker_write(r);
}

/* A session that is gone is forgotten for good before anything else (client/resume.c). */
void receiver_connect(struct run *r, bool is_present)
{
	if (is_present)
		return;
	r->world->receiver = (struct receiver){0};
	r->world->receiver_kept = r->world->receiver;
}

void receiver_cut(struct run *r)
{
	struct list *pending = &r->world->receiver_pending;
	struct list kept = {0};
	for (unsigned i = 0; i < pending->count; i++) {
		struct packet p = pending->items[i];
		p.is_awaited = false;
		if (p.kind >= GIVE && p.kind != LOG_NOTHING)
			list_put(&kept, p);
	}
	*pending = kept;
}

void receiver_crash(struct run *r)
{
	r->world->receiver_pending = (struct list){0};
	r->world->receiver = r->world->receiver_kept;
}
