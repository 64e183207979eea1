/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end that sends messages: struct send, and around it what client/transmit.c, receive.c and
 * resume.c do when it is a client, broker/deliver.c, handle_ack.c, waiting.c, fence.c and apply.c when
 * it is the broker.
 */
#include "base/mem.h"
#include "world.h"

#define RING 8 /* more than all positions that can be unfinished */
#define FENCE (SEND_SPAN_MAX / 2)

/* --- between bytes and struct send --- */

static void load(const struct run *r, struct send *s)
{
	const struct sender *from = &r->world->sender;
	send_init(s, r->world->receive_maximum);
	s->ring = mem_zalloc(RING * sizeof(*s->ring));
	ASSERT(s->ring);
	s->capacity = RING;
	s->quota_used = from->quota_used;
	s->oldest = from->oldest;
	s->resend = from->resend;
	s->next = from->next;
	for (uint64_t p = s->oldest; p != s->next; p++) {
		uint8_t message = from->entries[p - s->oldest].message;
		bool is_held = from->entries[p - s->oldest].is_held;
		s->ring[p & (RING - 1)] =
			(struct sending){.message = is_held ? (void *)(uintptr_t)message : NULL,
					 .note = message,
					 .state = from->entries[p - s->oldest].state};
	}
}

static void save(struct run *r, struct send *s)
{
	struct sender *to = &r->world->sender;
	ASSERT(s->next - s->oldest <= IDS_MAX && s->next < 16);
	memset(to->entries, 0, sizeof(to->entries));
	to->quota_used = (uint8_t)s->quota_used;
	to->oldest = (uint8_t)s->oldest;
	to->resend = (uint8_t)s->resend;
	to->next = (uint8_t)s->next;
	for (uint64_t p = s->oldest; p != s->next; p++) {
		const struct sending *e = &s->ring[p & (s->capacity - 1)];
		if (e->state == SEND_NONE)
			continue;
		to->entries[p - s->oldest].state = e->state;
		to->entries[p - s->oldest].message = (uint8_t)e->note;
		to->entries[p - s->oldest].is_held = e->message != NULL;
	}
	mem_free(s->ring);
}

static uint8_t queue_take(struct sender *s)
{
	uint8_t first = s->queue[0];
	ASSERT(s->queue_count > 0);
	memmove(s->queue, s->queue + 1, --s->queue_count);
	s->queue[s->queue_count] = 0;
	return first;
}

static void queue_put(struct sender *s, uint8_t item)
{
	ASSERT(s->queue_count < MESSAGES_MAX);
	s->queue[s->queue_count++] = item;
}

static void queue_put_front(struct sender *s, uint8_t item)
{
	ASSERT(s->queue_count < MESSAGES_MAX);
	memmove(s->queue + 1, s->queue, s->queue_count++);
	s->queue[0] = item;
}

/* --- packets out --- */

/* Onto the wire, if there is one. */
static void wire(struct run *r, struct packet p)
{
	char text[64];
	if (!r->world->is_up)
		return;
	show(r, SIDE_SENDER, "%s", packet_text(r, p, text));
	check_wire(r, SIDE_SENDER, p);
	list_put(&r->world->there, p);
}

/* A client's packets wait until its session is written down. */
static void put(struct run *r, uint8_t kind, bool dup, uint16_t id, uint32_t message)
{
	struct packet p = {
		.kind = kind, .dup = dup, .id = (uint8_t)id, .message = (uint8_t)message};
	if (is_broker_sender(r))
		wire(r, p);
	else
		list_put(&r->world->sender_pending, p);
}

static void append(struct run *r, uint8_t kind, uint16_t id, uint32_t message)
{
	char text[64];
	struct packet p = {
		.kind = kind, .is_awaited = true, .id = (uint8_t)id, .message = (uint8_t)message};
	show(r, SIDE_SENDER, "appends %s", packet_text(r, p, text));
	list_put(&r->world->sender_pending, p);
}

/* --- what may be sent is sent --- */

/* command_is_pending in broker/command.c, of those that say that a PUBREC has come */
static bool has_received_pending(const struct run *r)
{
	for (unsigned i = 0; i < r->world->sender_pending.count; i++)
		if (r->world->sender_pending.items[i].kind == LOG_RECEIVED)
			return true;
	return false;
}

static bool send_one_again(struct run *r, struct send *s)
{
	struct sending *entry;
	uint16_t id;
	unsigned steps = send_again(s, &entry, &id);
	if (steps & STEP_SEND_PUBREL && has_received_pending(r))
		return true; /* it leaves when the log has it */
	if (steps & STEP_SEND_PUBLISH_DUP)
		put(r, PUBLISH, true, id, entry->note);
	else if (steps & STEP_SEND_PUBREL)
		put(r, PUBREL, false, id, entry->note);
	return steps != 0;
}

/* send_first in client/transmit.c */
static bool client_send_one(struct run *r, struct send *s)
{
	struct sender *sender = &r->world->sender;
	uint16_t id;
	if (sender->queue_count == 0 || !send_is_open(s))
		return false;
	uint8_t message = queue_take(sender);
	struct sending entry = {.message = (void *)(uintptr_t)message, .note = message};
	int error = send_begin(s, qos_of(r, message), &entry, &id);
	ASSERT(!error);
	check_first_use(r, (uint8_t)id, message);
	put(r, PUBLISH, false, id, message);
	return true;
}

/* broker/fence.c: a block of ids is used again when the log has all that is said of its former
 * messages. */
static bool is_fence_open(const struct run *r, const struct send *s, uint64_t position)
{
	const struct list *pending = &r->world->sender_pending;
	uint64_t block = position / FENCE;
	if (block < 2)
		return true;
	if (!send_is_idle(s) && s->oldest < (block - 1) * FENCE)
		return false;
	for (unsigned i = 0; i < pending->count; i++) {
		uint64_t about = (uint64_t)(pending->items[i].message - r->world->sender.base);
		if (pending->items[i].kind == LOG_FINISH && about < (block - 1) * FENCE)
			return false;
	}
	return true;
}

/* send_one_waiting in broker/deliver.c */
static bool broker_send_one(struct run *r, struct send *s)
{
	struct sender *sender = &r->world->sender;
	if (sender->queue_count == 0)
		return false;
	uint8_t message = sender->queue[0] & (uint8_t)~QUEUE_RELEASED;
	uint64_t position = (uint64_t)(message - sender->base);
	bool is_released = sender->queue[0] & QUEUE_RELEASED;
	struct sending entry = {.message = is_released ? NULL : (void *)(uintptr_t)message,
				.note = message};
	uint16_t id = send_packet_id(position);
	int error;
	if (is_released ? !send_has_room_at(s, position)
			: !send_is_open_at(s, position) || !is_fence_open(r, s, position))
		return false;
	queue_take(sender);
	if (is_released) {
		error = send_begin_released(s, position, &entry);
		put(r, PUBREL, false, id, message);
	} else {
		bool dup = position < sender->sent_to;
		error = send_begin_at(s, position, qos_of(r, message), &entry);
		if (!dup)
			sender->sent_to = (uint8_t)(position + 1);
		if (!r->world->fates[message - 1].is_wired)
			check_first_use(r, (uint8_t)id, message);
		put(r, PUBLISH, dup, id, message);
	}
	ASSERT(!error);
	return true;
}

/* One step of transmit_pump and deliver_pump, which may stop between any two when the output is
 * full. */
bool sender_send(struct run *r)
{
	struct send s;
	if (!r->world->is_up)
		return false;
	load(r, &s);
	bool has_sent = send_one_again(r, &s) ||
			(is_broker_sender(r) ? broker_send_one(r, &s) : client_send_one(r, &s));
	save(r, &s);
	return has_sent;
}

/* --- what happens to it --- */

void sender_arrive(struct run *r, uint8_t message)
{
	show(r, SIDE_SENDER, "message %u is to be sent, QoS %u", message, qos_of(r, message));
	queue_put(&r->world->sender, message);
	queue_put(&r->world->sender_kept, message);
}

static enum send_event event_of(uint8_t kind)
{
	switch (kind) {
	case PUBACK:
	case PUBACK_ERROR: return SEND_EVENT_PUBACK;
	case PUBREC: return SEND_EVENT_PUBREC;
	case PUBREC_ERROR: return SEND_EVENT_PUBREC_ERROR;
	default: return SEND_EVENT_PUBCOMP;
	}
}

/* receive_answer in client/receive.c, handle_answer in broker/handle_ack.c */
void sender_answer(struct run *r, struct packet p)
{
	struct send s;
	struct sending entry;
	uint64_t position;
	enum send_event event = event_of(p.kind);
	load(r, &s);
	bool is_told = is_broker_sender(r) && send_find(&s, p.id, &position);
	unsigned steps = send_answer(&s, event, p.id, &entry);
	show(r, SIDE_SENDER, "  [%s, %s -> %s]", send_state_name(entry.state),
	     send_event_name(event), send_state_name(send_table[entry.state][event].next));
	if (!steps)
		break_promise(r, "the sender takes %s for a protocol error",
			      send_event_name(event));
	bool is_refused = p.kind == PUBACK_ERROR || p.kind == PUBREC_ERROR;
	if (steps & STEP_FORGET_MESSAGE)
		check_finished(r, (uint8_t)entry.note, is_refused);
	if (is_told && steps & STEP_RELEASE_ID)
		append(r, LOG_FINISH, p.id, entry.note);
	else if (steps & STEP_RELEASE_ID)
		put(r, is_refused ? TELL_REFUSED : TELL, false, p.id, entry.note);
	if (is_told && steps & STEP_SEND_PUBREL)
		append(r, LOG_RECEIVED, p.id, entry.note);
	else if (steps & STEP_SEND_PUBREL)
		put(r, PUBREL, false, p.id, entry.note);
	if (steps & STEP_SEND_PUBREL_NOT_FOUND)
		put(r, PUBREL_NOT_FOUND, false, p.id, p.message);
	save(r, &s);
}

/* retry_if_stuck in broker/connection.c */
bool sender_may_retry(struct run *r)
{
	const struct sender *s = &r->world->sender;
	return is_broker_sender(r) && s->oldest != s->next && s->resend == s->next &&
	       r->world->sender_pending.count == 0;
}

void sender_retry(struct run *r)
{
	struct send s;
	load(r, &s);
	send_restart(&s, s.receive_maximum);
	save(r, &s);
}

/* waiting_return in broker/waiting.c: what is unfinished waits again, in front of the rest. */
static void broker_return(struct run *r, struct send *s)
{
	struct sender *sender = &r->world->sender;
	for (uint64_t position = s->next; position-- > s->oldest;) {
		const struct sending *entry = send_at(s, position);
		bool is_released = entry && entry->state == SEND_WAIT_PUBCOMP;
		if (entry)
			queue_put_front(sender, (uint8_t)(entry->note |
							  (is_released ? QUEUE_RELEASED : 0)));
	}
	send_clear(s);
}

/* begin_anew in client/resume.c */
static void client_begin_anew(struct run *r, struct send *s)
{
	struct sender *sender = &r->world->sender;
	struct sending *entry;
	uint8_t again[MESSAGES_MAX];
	unsigned count = 0;
	uint64_t position = 0;
	while ((entry = send_next(s, &position))) {
		struct sending was = *entry;
		send_cancel(s, position - 1);
		if (was.message)
			again[count++] = (uint8_t)was.note;
		else
			put(r, TELL, false, send_packet_id(position - 1), was.note);
	}
	while (count > 0)
		queue_put_front(sender, again[--count]);
}

static void give_up_all(struct run *r)
{
	for (unsigned i = 0; i < r->world->arrived; i++)
		r->world->fates[i].is_given_up |= !r->world->fates[i].is_finished;
	r->world->sender = (struct sender){.base = r->world->arrived, .sent_to = 1};
	r->world->sender_kept = r->world->sender;
}

void sender_connect(struct run *r, bool is_present)
{
	struct send s;
	if (!is_present)
		for (unsigned i = 0; i < MESSAGES_MAX; i++)
			r->world->fates[i].is_wired = false; /* all PUBLISHes are first ones */
	if (!is_present && is_broker_sender(r))
		give_up_all(r);
	load(r, &s);
	if (!is_present && !is_broker_sender(r))
		client_begin_anew(r, &s);
	send_restart(&s, r->world->receive_maximum);
	save(r, &s);
}

void sender_cut(struct run *r)
{
	struct list *pending = &r->world->sender_pending;
	struct list kept = {0};
	struct send s;
	for (unsigned i = 0; i < pending->count; i++) {
		struct packet p = pending->items[i];
		p.is_awaited = false;
		if (p.kind >= GIVE)
			list_put(&kept, p);
	}
	*pending = kept;
	if (!is_broker_sender(r))
		return;
	load(r, &s);
	broker_return(r, &s);
	save(r, &s);
}

/* --- what it keeps --- */

/* apply_finish and apply_received in broker/apply.c */
static void apply(struct run *r, struct packet record)
{
	struct sender *kept = &r->world->sender_kept;
	unsigned i = 0;
	while (i < kept->queue_count &&
	       (kept->queue[i] & (uint8_t)~QUEUE_RELEASED) != record.message)
		i++;
	if (i < kept->queue_count && record.kind == LOG_RECEIVED)
		kept->queue[i] |= QUEUE_RELEASED;
	if (i < kept->queue_count && record.kind == LOG_FINISH) {
		memmove(kept->queue + i, kept->queue + i + 1, kept->queue_count - i - 1u);
		kept->queue[--kept->queue_count] = 0;
	}
	if (record.kind == LOG_RECEIVED && record.is_awaited)
		put(r, PUBREL, false, record.id, record.message);
}

static void broker_write(struct run *r)
{
	char text[64];
	struct packet record = list_take(&r->world->sender_pending);
	show(r, SIDE_SENDER, "%s is durable", packet_text(r, record, text));
	apply(r, record);
}

static void client_write(struct run *r)
{
	char text[64];
	struct list pending = r->world->sender_pending;
	show(r, SIDE_SENDER, "writes its session down");
	r->world->sender_kept = r->world->sender;
	r->world->sender_pending = (struct list){0};
	for (unsigned i = 0; i < pending.count; i++)
		if (pending.items[i].kind < GIVE)
			wire(r, pending.items[i]);
		else
			show(r, SIDE_SENDER, "%s", packet_text(r, pending.items[i], text));
}

void sender_write(struct run *r)
{
	if (is_broker_sender(r))
		broker_write(r);
	else
		client_write(r);
}

void sender_crash(struct run *r)
{
	struct sender *sender = &r->world->sender;
	r->world->sender_pending = (struct list){0};
	*sender = r->world->sender_kept;
	if (is_broker_sender(r)) /* what was sent before, it cannot know */
		sender->sent_to = (uint8_t)(r->world->arrived - sender->base + 1);
}
