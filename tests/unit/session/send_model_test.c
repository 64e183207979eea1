/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sender's window and a receiver's set joined by a channel that loses all that is on its way
 * when it is cut, driven by a seed: QoS 1 arrives at least once, QoS 2 exactly once, in order,
 * whatever the receive maximum is. Packets pass in order, as TCP passes them.
 */
#include "random.h"
#include "session/receive.h"
#include "session/send.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum packet_kind {
	PUBLISH,
	PUBREL,
	PUBACK,
	PUBREC,
	PUBREC_ERROR,
	PUBCOMP,
};

struct packet {
	uint8_t kind;
	uint8_t qos;
	bool dup;
	uint16_t id;
	uint32_t number; /* of the message */
};

#define MESSAGES 3000
#define CHANNEL 70000 /* more than can ever be on its way */

struct channel {
	struct packet packets[CHANNEL];
	uint32_t first, next;
};

struct world {
	uint64_t seed;
	struct send send;
	struct receive receive;
	struct channel there, back;
	uint16_t receive_maximum;
	uint32_t begun; /* messages given to the window, numbered from 1 */
	uint8_t qos[MESSAGES + 1];
	bool is_refused[MESSAGES + 1]; /* by PUBREC with an error */
	bool is_finished[MESSAGES + 1];
	uint32_t delivered[MESSAGES + 1];
	uint32_t last_first[3];  /* the highest number delivered for the first time, per QoS */
	uint32_t open_publishes; /* as the receiver counts them, on this connection */
};

static void put(struct channel *c, struct packet p)
{
	assert_true(c->next - c->first < CHANNEL);
	c->packets[c->next++ % CHANNEL] = p;
}

static bool take(struct channel *c, struct packet *p)
{
	if (c->first == c->next)
		return false;
	*p = c->packets[c->first++ % CHANNEL];
	return true;
}

static void begin_message(struct world *w)
{
	if (!send_is_open(&w->send) || w->begun == MESSAGES)
		return;
	uint8_t qos = (uint8_t)(1 + random_below(&w->seed, 2));
	uint32_t number = ++w->begun;
	struct sending entry = {.message = (void *)(uintptr_t)number, .note = number};
	uint16_t id;
	if (random_below(&w->seed, 10) == 0)
		assert_int_equal(send_skip(&w->send, &id), 0);
	if (!send_is_open(&w->send)) {
		w->begun--;
		return;
	}
	w->qos[number] = qos;
	assert_int_equal(send_begin(&w->send, qos, &entry, &id), 0);
	put(&w->there, (struct packet){PUBLISH, qos, false, id, number});
}

static void send_again_some(struct world *w)
{
	struct sending *entry;
	uint16_t id;
	unsigned steps = send_again(&w->send, &entry, &id);
	if (steps & STEP_SEND_PUBLISH_DUP)
		put(&w->there,
		    (struct packet){PUBLISH, w->qos[entry->note], true, id, entry->note});
	else if (steps & STEP_SEND_PUBREL)
		put(&w->there, (struct packet){.kind = PUBREL, .id = id});
}

static void deliver(struct world *w, const struct packet *p)
{
	if (w->delivered[p->number]++ == 0) {
		/* [MQTT-4.6.0-6]: first arrivals come in the order sent */
		assert_true(p->number > w->last_first[p->qos]);
		w->last_first[p->qos] = p->number;
	}
	assert_true(p->qos == 1 || w->delivered[p->number] == 1);
}

static void receive_publish(struct world *w, const struct packet *p)
{
	int error;
	bool is_new = !receive_has(&w->receive, p->id);
	enum receive_event event = p->qos == 1 ? RECEIVE_EVENT_QOS_1 : RECEIVE_EVENT_QOS_2;
	unsigned steps = receive_event(&w->receive, event, p->id, &error);
	assert_int_not_equal(steps, 0);
	bool refuses = p->qos == 2 && is_new && p->number % 20 == 7;
	if (refuses) {
		assert_int_equal(receive_event(&w->receive, RECEIVE_EVENT_REFUSED, p->id, &error),
				 STEP_RELEASE_ID);
		put(&w->back, (struct packet){.kind = PUBREC_ERROR, .id = p->id});
		return;
	}
	if (steps & STEP_DELIVER)
		deliver(w, p);
	put(&w->back, (struct packet){.kind = p->qos == 1 ? PUBACK : PUBREC, .id = p->id});
}

static void receive_one(struct world *w)
{
	struct packet p;
	int error;
	if (!take(&w->there, &p))
		return;
	if (p.kind == PUBLISH) {
		receive_publish(w, &p);
		return;
	}
	unsigned steps = receive_event(&w->receive, RECEIVE_EVENT_PUBREL, p.id, &error);
	assert_true(steps & (STEP_SEND_PUBCOMP | STEP_SEND_PUBCOMP_NOT_FOUND));
	put(&w->back, (struct packet){.kind = PUBCOMP, .id = p.id});
}

static void answer_one(struct world *w)
{
	static const enum send_event event_of[] = {[PUBACK] = SEND_EVENT_PUBACK,
						   [PUBREC] = SEND_EVENT_PUBREC,
						   [PUBREC_ERROR] = SEND_EVENT_PUBREC_ERROR,
						   [PUBCOMP] = SEND_EVENT_PUBCOMP};
	struct packet p;
	struct sending entry;
	if (!take(&w->back, &p))
		return;
	unsigned steps = send_answer(&w->send, event_of[p.kind], p.id, &entry);
	assert_int_not_equal(steps, 0);
	if (steps & (STEP_SEND_PUBREL | STEP_SEND_PUBREL_NOT_FOUND))
		put(&w->there, (struct packet){.kind = PUBREL, .id = p.id});
	if (!(steps & STEP_RELEASE_ID))
		return;
	assert_false(w->is_finished[entry.note]);
	w->is_finished[entry.note] = true;
	w->is_refused[entry.note] = p.kind == PUBREC_ERROR;
}

static void cut(struct world *w)
{
	w->there.first = w->there.next;
	w->back.first = w->back.next;
	w->receive_maximum = (uint16_t)(1 + random_below(&w->seed, 40));
	send_restart(&w->send, w->receive_maximum);
}

/* Ids in flight differ, positions are ordered, the quota counts what it says. */
static void check_window(const struct world *w)
{
	static bool is_used[65536];
	uint16_t used[CHANNEL];
	uint32_t count = 0;
	uint64_t position = 0;
	uint32_t last = 0, sent = 0;
	struct sending *entry;
	while ((entry = send_next(&w->send, &position))) {
		uint16_t id = send_packet_id(position - 1);
		assert_false(is_used[id]);
		is_used[id] = true;
		used[count++] = id;
		assert_true(entry->note > last);
		last = entry->note;
		assert_int_equal(entry->message == NULL, entry->state == SEND_WAIT_PUBCOMP);
		sent += position - 1 < w->send.resend;
	}
	assert_int_equal(w->send.quota_used, sent);
	for (uint32_t i = 0; i < count; i++)
		is_used[used[i]] = false;
}

static void step(struct world *w)
{
	switch (random_below(&w->seed, 4)) {
	case 0: begin_message(w); break;
	case 1: send_again_some(w); break;
	case 2: receive_one(w); break;
	default: answer_one(w); break;
	}
}

static void run_world(uint64_t seed, uint32_t cut_chance)
{
	static struct world w;
	memset(&w, 0, sizeof(w));
	w.seed = seed;
	send_init(&w.send, 20);
	receive_init(&w.receive);
	/* Near the wrap, so that ids come round early. */
	w.send.oldest = w.send.resend = w.send.next = 65000;
	uint64_t steps = 0;
	while (w.begun < MESSAGES || !send_is_idle(&w.send)) {
		step(&w);
		if (steps < 200000 && random_below(&w.seed, cut_chance) == 0)
			cut(&w);
		if (steps++ % 64 == 0)
			check_window(&w);
		assert_true(steps < 5000000); /* never stuck */
	}
	for (uint32_t i = 1; i <= MESSAGES; i++) {
		assert_true(w.is_finished[i]);
		assert_int_equal(w.delivered[i] > 0, !w.is_refused[i]);
		assert_int_equal(w.is_refused[i], w.qos[i] == 2 && i % 20 == 7);
	}
	receive_release(&w.receive);
	send_release(&w.send, NULL, NULL);
}

static void test_cut_channel_loses_and_repeats_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 25; seed++)
		run_world(seed, 20 + (uint32_t)seed * 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_channel_loses_and_repeats_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
