/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "base/mem.h"
#include "stress/random.h"

#include <sys/epoll.h>
#include <time.h>

#define TICK_MS 5
#define SETTLE_MS 60000
#define DRAIN_MS 20000
/* Nothing more comes, when nothing has for so long. */
#define QUIET_MS 150
/* Few topics, so that each message has some subscribers. */
#define PLAIN_USED 24
#define GROUPS_USED 4
/* The slot of a client's topics that is a retained one; it belongs to every third client. */
#define KEPT_SLOT 3
#define PACKET_IDS 24
/* The first subscription takes the last place. */
#define WITNESS_PLACE (CLIENT_SUBSCRIPTIONS - 1)
/* A will with this delay never comes while its client comes back within half of it. */
#define LONG_DELAY_S 120

uint64_t load_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static unsigned first_mourned(const struct load *s)
{
	return s->client_count - LOAD_MOURNED;
}

static bool is_mourned(const struct load *s, const struct client *c)
{
	return c->index >= first_mourned(s);
}

/* Making them */

static unsigned random_topic(struct load *s)
{
	unsigned n = random_below(&s->world.random, PLAIN_USED + GROUPS_USED * WILD_GROUP_TOPICS);
	return n < PLAIN_USED ? n : PLAIN_TOPICS + n - PLAIN_USED;
}

static unsigned random_filter(struct load *s)
{
	unsigned n = random_below(&s->world.random, PLAIN_USED + GROUPS_USED);
	return n < PLAIN_USED ? n : PLAIN_TOPICS + n - PLAIN_USED;
}

static unsigned kept_topic(const struct client *c)
{
	return c->index % 3 == 0 ? c->index / 3 : KEPT_TOPICS;
}

/* A retained topic is sent to at one QoS, for its messages have one order. */
static unsigned kept_qos(unsigned topic)
{
	return 1 + topic % 2;
}

static void define_streams(struct load *s, struct client *c)
{
	unsigned kept = kept_topic(c);
	for (unsigned slot = 0; slot < CLIENT_TOPICS; slot++) {
		bool is_kept = slot == KEPT_SLOT && kept < KEPT_TOPICS;
		unsigned topic = is_kept ? KEPT_TOPIC + kept : random_topic(s);
		for (unsigned qos = 0; qos < 3; qos++)
			ledger_define(&s->world.ledger, client_stream(c, slot, qos), c->index,
				      topic, qos);
	}
	if (kept < KEPT_TOPICS)
		s->kept_streams[kept] = client_stream(c, KEPT_SLOT, kept_qos(kept));
}

static void make_mourned(struct load *s, struct client *c, unsigned which)
{
	static const uint32_t delays[] = {0, 0, 1, LONG_DELAY_S};
	c->has_will = true;
	c->survives = true;
	c->will_stream = s->client_count * CLIENT_TOPICS * 3 + which;
	c->will_delay_s = c->version == MQTT_5 ? delays[which / 2 % 4] : 0;
	ledger_define(&s->world.ledger, c->will_stream, c->index, WILL_TOPIC + which,
		      1 + which / 4 % 2);
}

void load_init(struct load *s)
{
	ASSERT(s->client_count > LOAD_WITNESSES + LOAD_MOURNED);
	s->world.packet_id_max = PACKET_IDS;
	s->clients = mem_zalloc(s->client_count * sizeof(*s->clients));
	s->absent_until = mem_zalloc(s->client_count * sizeof(*s->absent_until));
	ASSERT(s->clients && s->absent_until);
	for (unsigned i = 0; i < KEPT_TOPICS; i++)
		s->kept_streams[i] = UINT32_MAX;
	ledger_init(&s->world.ledger, s->client_count * CLIENT_TOPICS * 3 + LOAD_MOURNED);
	for (unsigned i = 0; i < s->client_count; i++) {
		client_init(&s->clients[i], &s->world, i);
		define_streams(s, &s->clients[i]);
		if (is_mourned(s, &s->clients[i]))
			make_mourned(s, &s->clients[i], i - first_mourned(s));
	}
}

void load_release(struct load *s)
{
	ledger_release(&s->world.ledger);
	mem_free(s->clients);
	mem_free(s->absent_until);
}

/* Serving them */

static bool serve(struct load *s, int wait_ms)
{
	struct epoll_event events[256];
	int count = epoll_wait(channels_epoll(), events, 256, wait_ms);
	for (int i = 0; i < count; i++)
		channel_event(&s->world, events[i].data.ptr, events[i].events);
	channel_bury();
	return count > 0;
}

/* Wills: what follows from connections that have ended, and from those that are back. */

static void note_end(struct load *s, struct client *c, struct mourned *m)
{
	c->is_will_armed = false;
	m->gone_ms = load_now_ms();
	if (c->will_delay_s == LONG_DELAY_S) {
		m->may_return = true;
		return;
	}
	ledger_will_is_due(&s->world.ledger, c->will_stream, c->will_number);
	m->is_missed = true;
	s->wills_due++;
}

static void note_return(struct load *s, struct client *c, struct mourned *m)
{
	m->may_return = false;
	if (load_now_ms() - m->gone_ms > LONG_DELAY_S * 1000 / 2)
		return;
	/* The connection that is confirmed now is the newest; the one before ended. */
	for (uint32_t number = 0; number < c->will_number; number++)
		ledger_forbid(&s->world.ledger, c->will_stream, number);
	s->wills_taken_back++;
}

static bool is_will_there(struct load *s, const struct client *c)
{
	for (unsigned i = 0; i < LOAD_WITNESSES; i++) {
		if (!ledger_has_arrived(&s->world.ledger, i, c->will_stream, c->will_number))
			return false;
	}
	return true;
}

static void look_after_mourned(struct load *s)
{
	for (unsigned i = 0; i < LOAD_MOURNED; i++) {
		struct client *c = &s->clients[first_mourned(s) + i];
		struct mourned *m = &s->mourned[i];
		if (c->state == CLIENT_OFF && c->is_will_armed)
			note_end(s, c, m);
		else if (c->state == CLIENT_ON && m->may_return)
			note_return(s, c, m);
		if (m->is_missed && is_will_there(s, c))
			m->is_missed = false;
	}
}

/* Acting */

static void act_mourned(struct load *s, struct client *c, unsigned chance)
{
	const struct mourned *m = &s->mourned[c->index - first_mourned(s)];
	/* not before its last end is noted: the next connection has another will */
	if (c->state == CLIENT_OFF && !c->is_will_armed && !m->is_missed && chance < 300)
		client_connect(c, false);
	else if (c->state == CLIENT_ON && chance < 60)
		client_cut(c);
	else if (c->state == CLIENT_ON && chance < 80)
		client_say_goodbye(c);
}

static void publish(struct load *s, struct client *c)
{
	uint64_t *random = &s->world.random;
	unsigned slot = random_below(random, CLIENT_TOPICS), qos = random_below(random, 20);
	unsigned kept = kept_topic(c);
	qos = qos < 2 ? 0 : 1 + qos % 2;
	if (slot == KEPT_SLOT && kept < KEPT_TOPICS)
		qos = kept_qos(kept);
	client_publish(c, slot, qos);
}

static void act_while_on(struct load *s, struct client *c, unsigned chance)
{
	uint64_t *random = &s->world.random;
	bool is_witness = c->index < LOAD_WITNESSES;
	if (chance < 8)
		client_cut(c);
	else if (chance < 14)
		client_say_goodbye(c);
	else if (chance < 20)
		client_take_over(c, !is_witness && random_percent(random, 5));
	else if (chance < 26)
		client_pause(c, !c->is_paused);
	else if (chance < 60)
		client_subscribe(c, random_filter(s), random_below(random, 3));
	else if (chance < 76)
		client_unsubscribe(c, random_below(random, CLIENT_SUBSCRIPTIONS - is_witness));
	else
		publish(s, c);
}

static void act(struct load *s)
{
	uint64_t *random = &s->world.random;
	struct client *c = &s->clients[random_below(random, s->client_count)];
	unsigned chance = random_below(random, 1000);
	if (is_mourned(s, c))
		act_mourned(s, c, chance);
	else if (c->state == CLIENT_OFF && s->absent_until[c->index] <= s->round)
		client_connect(c, chance < 10 && c->index >= LOAD_WITNESSES);
	else if (c->state == CLIENT_ON)
		act_while_on(s, c, chance);
	else if (c->state == CLIENT_CONNECTING && chance < 20 && !c->is_clean_pending)
		client_cut(c);
}

void load_next_round(struct load *s)
{
	s->round++;
	s->world.is_broker_ending = false;
	for (unsigned i = LOAD_WITNESSES; i < first_mourned(s); i++) {
		if (random_percent(&s->world.random, 8))
			s->absent_until[i] = s->round + 1 + random_below(&s->world.random, 4);
	}
}

bool load_run(struct load *s, uint64_t ms)
{
	uint64_t start = load_now_ms(), done = 0, elapsed;
	while ((elapsed = load_now_ms() - start) < ms) {
		uint64_t due = elapsed * s->actions_per_second / 1000;
		uint64_t behind = s->actions_per_second / 10;
		if (done + behind < due)
			done = due - behind;
		for (; done < due; done++)
			act(s);
		serve(s, TICK_MS);
		look_after_mourned(s);
		if (!s->is_broker_well(s->context))
			return false;
	}
	return true;
}

/* The ends of a round */

static bool are_all_off(const struct load *s)
{
	for (unsigned i = 0; i < s->client_count; i++) {
		if (s->clients[i].state != CLIENT_OFF)
			return false;
	}
	return s->world.left_behind == 0;
}

void load_drain(struct load *s)
{
	uint64_t deadline = load_now_ms() + DRAIN_MS;
	while (!are_all_off(s) && load_now_ms() < deadline) {
		for (unsigned i = 0; i < s->client_count; i++) {
			struct client *c = &s->clients[i];
			if (c->state != CLIENT_OFF && c->is_paused)
				client_pause(c, false);
		}
		serve(s, TICK_MS);
	}
	if (!are_all_off(s))
		ledger_violation(&s->world.ledger, "connections outlive the broker");
	for (unsigned i = 0; i < s->client_count; i++)
		s->clients[i].has_rival = false;
	look_after_mourned(s);
}

static bool is_at_rest(const struct load *s, const struct client *c)
{
	if (is_mourned(s, c))
		return !s->mourned[c->index - first_mourned(s)].is_missed;
	return client_is_settled(c);
}

static bool are_all_at_rest(const struct load *s)
{
	for (unsigned i = 0; i < s->client_count; i++) {
		if (!is_at_rest(s, &s->clients[i]))
			return false;
	}
	return s->world.left_behind == 0;
}

static void come_back(struct load *s)
{
	for (unsigned i = 0; i < first_mourned(s); i++) {
		struct client *c = &s->clients[i];
		if (c->state == CLIENT_OFF)
			client_connect(c, false);
		else if (c->is_paused)
			client_pause(c, false);
	}
}

static bool wait_for_all(struct load *s, uint64_t deadline)
{
	struct ledger *l = &s->world.ledger;
	while (load_now_ms() < deadline && s->is_broker_well(s->context)) {
		come_back(s);
		serve(s, TICK_MS);
		look_after_mourned(s);
		if (!are_all_at_rest(s))
			continue;
		if (ledger_missing(l, false) == 0)
			return true;
		serve(s, QUIET_MS);
	}
	return false;
}

bool load_settle(struct load *s)
{
	uint64_t deadline = load_now_ms() + SETTLE_MS;
	bool is_good = wait_for_all(s, deadline);
	if (!is_good)
		ledger_violation(&s->world.ledger, "not all came to rest within %d s",
				 SETTLE_MS / 1000);
	/* What is not owed, twice for instance, may still come. */
	while (is_good && load_now_ms() < deadline && serve(s, QUIET_MS))
		;
	ledger_missing(&s->world.ledger, true);
	return is_good && s->is_broker_well(s->context);
}

bool load_begin(struct load *s)
{
	uint64_t deadline = load_now_ms() + SETTLE_MS;
	for (unsigned i = 0; i < LOAD_WITNESSES; i++)
		client_connect(&s->clients[i], false);
	while (load_now_ms() < deadline) {
		unsigned ready = 0;
		for (unsigned i = 0; i < LOAD_WITNESSES; i++) {
			struct client *c = &s->clients[i];
			if (c->state == CLIENT_ON &&
			    c->subscriptions[WITNESS_PLACE].step == NOT_SUBSCRIBED)
				client_subscribe(c, WILL_FILTER, 2);
			ready += c->subscriptions[WITNESS_PLACE].step == SUBSCRIBED;
		}
		if (ready == LOAD_WITNESSES)
			return true;
		serve(s, TICK_MS);
	}
	ledger_violation(&s->world.ledger, "the witnesses could not subscribe");
	return false;
}
