/* SPDX-License-Identifier: Apache-2.0 */
/* What can happen next: each action is one step of one end, or one of fate. */
#include "world.h"

/* With so many packets under way there is no further retry: else there would be no end of them. */
#define RETRY_PACKETS_MAX 2

/* An end that has so much to write down reads no more before it has. */
#define PENDING_MAX 6

static bool arrive(struct run *r)
{
	if (r->world->arrived == r->config->messages)
		return false;
	sender_arrive(r, ++r->world->arrived);
	return true;
}

static bool receive(struct run *r, bool refuses)
{
	char text[64];
	struct list *there = &r->world->there;
	bool can_refuse = there->count > 0 && there->items[0].kind == PUBLISH &&
			  !r->world->receiver.owner[there->items[0].id - 1];
	if (there->count == 0 || (refuses && !(r->config->refuses && can_refuse)) ||
	    r->world->receiver_pending.count >= PENDING_MAX)
		return false;
	struct packet p = list_take(there);
	show(r, SIDE_RECEIVER, "> %s%s", packet_text(r, p, text), refuses ? ", is refused" : "");
	receiver_packet(r, p, refuses);
	return true;
}

static bool answer(struct run *r)
{
	char text[64];
	if (r->world->back.count == 0 || r->world->sender_pending.count >= PENDING_MAX)
		return false;
	struct packet p = list_take(&r->world->back);
	show(r, SIDE_SENDER, "> %s", packet_text(r, p, text));
	sender_answer(r, p);
	return true;
}

/* A client has something to write when its session has changed, or packets wait. */
static bool has_to_write(const struct list *pending, const void *now, const void *kept, size_t len,
			 bool is_broker)
{
	return pending->count > 0 || (!is_broker && memcmp(now, kept, len) != 0);
}

static bool write_down(struct run *r, enum side side)
{
	struct world *w = r->world;
	bool is_due = side == SIDE_SENDER
			      ? has_to_write(&w->sender_pending, &w->sender, &w->sender_kept,
					     sizeof(w->sender), is_broker_sender(r))
			      : has_to_write(&w->receiver_pending, &w->receiver, &w->receiver_kept,
					     sizeof(w->receiver), !is_broker_sender(r));
	if (!is_due)
		return false;
	if (side == SIDE_SENDER)
		sender_write(r);
	else
		receiver_write(r);
	return true;
}

/* The broker's answer to CONNECT stands in the log behind all that went before. */
static bool connect(struct run *r, bool is_present, uint8_t receive_maximum)
{
	struct world *w = r->world;
	const struct list *of_broker =
		is_broker_sender(r) ? &w->sender_pending : &w->receiver_pending;
	if (w->is_up || of_broker->count > 0 || (!is_present && w->losses_left == 0))
		return false;
	w->losses_left = (uint8_t)(w->losses_left - !is_present);
	w->receive_maximum = receive_maximum;
	show(r, SIDE_MIDDLE, "connected, %s, Receive Maximum %u",
	     is_present ? "session present" : "the broker has no session", receive_maximum);
	w->is_up = true;
	receiver_connect(r, is_present);
	sender_connect(r, is_present);
	return true;
}

static bool connect_less(struct run *r)
{
	return r->config->shrinks && connect(r, true, 1);
}

static void disconnect(struct run *r)
{
	struct world *w = r->world;
	w->is_up = false;
	w->there = w->back = (struct list){0};
	w->last_publish = w->last_pubrel = 0;
	for (unsigned i = 0; i < MESSAGES_MAX; i++)
		w->fates[i].is_open = false;
	sender_cut(r);
	receiver_cut(r);
}

static bool cut(struct run *r)
{
	if (!r->world->is_up)
		return false;
	show(r, SIDE_MIDDLE, "the connection is cut");
	disconnect(r);
	return true;
}

/* When nothing waits to be written down, a crash is no more than a cut. */
static bool crash(struct run *r, enum side side)
{
	struct world *w = r->world;
	bool is_more_than_a_cut =
		side == SIDE_SENDER
			? w->sender_pending.count > 0 ||
				  memcmp(&w->sender, &w->sender_kept, sizeof(w->sender)) != 0
			: w->receiver_pending.count > 0 ||
				  memcmp(&w->receiver, &w->receiver_kept, sizeof(w->receiver)) != 0;
	if (!is_more_than_a_cut)
		return false;
	show(r, SIDE_MIDDLE, "the %s crashes",
	     (side == SIDE_SENDER) == is_broker_sender(r) ? "broker" : "client");
	disconnect(r);
	if (side == SIDE_SENDER)
		sender_crash(r);
	else
		receiver_crash(r);
	return true;
}

static bool retry(struct run *r)
{
	struct world *w = r->world;
	unsigned under_way = w->there.count + w->back.count + w->receiver_pending.count;
	if (!r->config->retries || !w->is_up || under_way > RETRY_PACKETS_MAX ||
	    !sender_may_retry(r))
		return false;
	show(r, SIDE_MIDDLE, "the retry interval is over");
	w->last_publish = 0;
	sender_retry(r);
	return true;
}

bool act(struct run *r, enum action action)
{
	switch (action) {
	case ACTION_ARRIVE: return arrive(r);
	case ACTION_SEND: return r->world->sender_pending.count < PENDING_MAX && sender_send(r);
	case ACTION_RECEIVE: return receive(r, false);
	case ACTION_REFUSE: return receive(r, true);
	case ACTION_ANSWER: return answer(r);
	case ACTION_SENDER_WRITE: return write_down(r, SIDE_SENDER);
	case ACTION_RECEIVER_WRITE: return write_down(r, SIDE_RECEIVER);
	case ACTION_CONNECT: return connect(r, true, r->config->receive_maximum);
	case ACTION_RETRY: return retry(r);
	case ACTION_CUT: return cut(r);
	case ACTION_SENDER_CRASH: return crash(r, SIDE_SENDER);
	case ACTION_RECEIVER_CRASH: return crash(r, SIDE_RECEIVER);
	case ACTION_CONNECT_LOST: return connect(r, false, r->config->receive_maximum);
	case ACTION_CONNECT_LESS: return connect_less(r);
	default: return false;
	}
}
