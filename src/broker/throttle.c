/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/throttle.h"

#include "base/bucket.h"
#include "base/mem.h"
#include "broker/handle.h"
#include "broker/see.h"

/* Refusing costs, too: who goes on against it that many times faster than it may is held back. */
#define REFUSALS_TIMES 10
/* The shard's timers are late by up to a tick: less than two of them at once would not let a client
 * come to its rate. */
#define BURST_MS_MIN (2 * TIMER_TICK_MS)
/* About one client there is a line so often. */
#define TOLD_PAUSE_MS 60000

struct throttle {
	struct timer timer; /* set while it is held back */
	struct connection *connection;
	struct bucket messages, bytes, refusals;
	uint64_t told_ms; /* steady clock; when it was last in the log; 0 = never */
	bool is_over;     /* the PUBLISH at hand is to be refused */
};

static const struct listener_limits *limits_of_client(const struct connection *c)
{
	return &c->terms->limits.listeners[c->listener];
}

static struct rate rate_of(uint32_t per_second, uint32_t burst)
{
	uint32_t least = (uint32_t)((uint64_t)per_second * BURST_MS_MIN / 1000) + 1;
	if (burst == 0)
		burst = per_second;
	return (struct rate){per_second, burst > least ? burst : least};
}

static struct rate message_rate(const struct connection *c)
{
	const struct listener_limits *l = limits_of_client(c);
	return rate_of(l->messages_per_s, l->messages_burst);
}

static struct rate byte_rate(const struct connection *c)
{
	const struct listener_limits *l = limits_of_client(c);
	return rate_of(l->bytes_per_s, l->bytes_burst);
}

static struct rate refusal_rate(const struct connection *c)
{
	struct rate r = message_rate(c);
	if (r.per_second == 0) /* by bytes alone: as if each message had a hundred */
		r = rate_of(limits_of_client(c)->bytes_per_s / 100 + 1, 0);
	uint64_t fast = (uint64_t)r.per_second * REFUSALS_TIMES;
	return rate_of(fast < RATE_MAX ? (uint32_t)fast : RATE_MAX, 0);
}

void throttle_begin(struct connection *c)
{
	const struct listener_limits *l = limits_of_client(c);
	if (!l->messages_per_s && !l->bytes_per_s) {
		throttle_free(c);
	} else if (!throttle_of(c) && connection_has_extras(c)) {
		struct throttle *t = mem_zalloc(sizeof(*t));
		if (t)
			t->connection = c;
		c->extras->throttle = t;
	}
}

void throttle_free(struct connection *c)
{
	struct throttle *t = throttle_of(c);
	if (!t)
		return;
	timer_cancel(&c->shard->throttle_timers, &t->timer);
	mem_free(t);
	c->extras->throttle = NULL;
}

/* What asks the broker to do something. Acknowledgements are answers to what it has sent itself. */
static bool is_request(uint8_t packet_type)
{
	return packet_type == PACKET_PUBLISH || packet_type == PACKET_SUBSCRIBE ||
	       packet_type == PACKET_UNSUBSCRIBE || packet_type == PACKET_PINGREQ ||
	       packet_type == PACKET_AUTH;
}

static void tell(struct connection *c, const char *text)
{
	struct shard *s = c->shard;
	struct throttle *t = throttle_of(c);
	struct event *e = shard_event(s, EVENT_LIMITED, c);
	bool is_due = t->told_ms == 0 || s->now.steady_ms >= t->told_ms + TOLD_PAUSE_MS;
	if (!is_due || !quiet_allows(&s->quiet_limited, s->now.steady_ms, &e->number))
		return;
	t->told_ms = s->now.steady_ms;
	shard_event_show(s, e, c, SPAN_NONE, text);
}

static void hold_back(struct connection *c, uint64_t wait_ms)
{
	struct shard *s = c->shard;
	guard_count(&s->broker->guard, GUARD_HELD_BACK);
	tell(c, "is held back: it sends faster than its listener allows");
	timer_set(&s->throttle_timers, &throttle_of(c)->timer, s->now.steady_ms + wait_ms);
	connection_throttle(c);
}

static uint64_t longer(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t wait_ms_of(const struct connection *c)
{
	const struct throttle *t = throttle_of(c);
	uint64_t now_ms = c->shard->now.steady_ms, wait_ms = 0;
	struct rate messages = message_rate(c), bytes = byte_rate(c);
	if (messages.per_second)
		wait_ms = bucket_wait_ms(&t->messages, &messages, now_ms);
	if (bytes.per_second)
		wait_ms = longer(wait_ms, bucket_wait_ms(&t->bytes, &bytes, now_ms));
	return wait_ms;
}

static bool is_there(const struct connection *c, size_t len)
{
	const struct throttle *t = throttle_of(c);
	uint64_t now_ms = c->shard->now.steady_ms;
	struct rate messages = message_rate(c), bytes = byte_rate(c);
	return (!messages.per_second || bucket_has(&t->messages, &messages, 1, now_ms)) &&
	       (!bytes.per_second || bucket_has(&t->bytes, &bytes, (uint32_t)len, now_ms));
}

static void take(struct connection *c, uint8_t packet_type, size_t len)
{
	struct throttle *t = throttle_of(c);
	uint64_t now_ms = c->shard->now.steady_ms;
	struct rate messages = message_rate(c), bytes = byte_rate(c);
	if (messages.per_second && is_request(packet_type))
		bucket_take(&t->messages, &messages, 1, now_ms);
	if (bytes.per_second)
		bucket_take(&t->bytes, &bytes, (uint32_t)len, now_ms);
}

static bool disconnect(struct connection *c)
{
	static const struct farewell too_fast = {.reason_code = REASON_MESSAGE_RATE_TOO_HIGH,
						 .tell = true,
						 .text = "it sends faster than its listener "
							 "allows"};
	guard_count(&c->shard->broker->guard, GUARD_DISCONNECTED);
	connection_end(c, &too_fast);
	return false;
}

bool throttle_take(struct connection *c, uint8_t packet_type, size_t len)
{
	uint8_t action = limits_of_client(c)->rate_action;
	bool is_publish = packet_type == PACKET_PUBLISH;
	throttle_of(c)->is_over = is_publish && action == RATE_REFUSE && !is_there(c, len);
	if (throttle_of(c)->is_over)
		return true;
	take(c, packet_type, len);
	uint64_t wait_ms = wait_ms_of(c);
	if (LIKELY(wait_ms == 0))
		return true;
	if (action == RATE_DISCONNECT)
		return disconnect(c);
	hold_back(c, wait_ms);
	return true;
}

/* One that counts neither as a message nor as bytes, or a client that is a bit too fast would get
 * nothing through. */
static void note_refusal(struct connection *c)
{
	struct throttle *t = throttle_of(c);
	struct rate refusals = refusal_rate(c);
	bucket_take(&t->refusals, &refusals, 1, c->shard->now.steady_ms);
	uint64_t wait_ms = bucket_wait_ms(&t->refusals, &refusals, c->shard->now.steady_ms);
	if (wait_ms > 0)
		hold_back(c, wait_ms);
	else
		tell(c, "has messages refused: it sends faster than its listener allows");
}

/* Before version 5 there is no word for it, and one that is under way is not new: these are taken. */
static bool can_be_refused(const struct connection *c, const struct publish *p)
{
	return p->qos == 0 || (c->version == MQTT_5 &&
			       (p->qos == 1 || !receive_has(&c->session->receive, p->packet_id)));
}

bool throttle_refuses(struct connection *c, const struct publish *p)
{
	struct guard *guard = &c->shard->broker->guard;
	if (!throttle_of(c)->is_over)
		return false;
	throttle_of(c)->is_over = false;
	if (!can_be_refused(c, p)) {
		take(c, PACKET_PUBLISH, p->topic.len + p->payload.len);
		uint64_t wait_ms = wait_ms_of(c);
		if (wait_ms > 0)
			hold_back(c, wait_ms);
		return false;
	}
	guard_count(guard, p->qos == 0 ? GUARD_DROPPED : GUARD_REFUSED);
	if (p->qos > 0)
		ack_answer(c, p->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, p->packet_id,
			   REASON_QUOTA_EXCEEDED);
	note_refusal(c);
	return true;
}

void throttle_turn(struct shard *s)
{
	struct timer *timer;
	while ((timer = timer_next(&s->throttle_timers, s->now.steady_ms)))
		connection_go_on_fast(CONTAINER_OF(timer, struct throttle, timer)->connection);
}
