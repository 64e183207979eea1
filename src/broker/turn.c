/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shard's turn, top to bottom: what came in is decided, what must survive is logged, what needs
 * no log leaves, what is durable is applied, and only then do its answers and deliveries leave.
 */
#include "broker/checkpoint.h"
#include "broker/full.h"
#include "broker/hold.h"
#include "broker/interest.h"
#include "broker/recheck.h"
#include "broker/retain.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/shed.h"
#include "broker/start.h"
#include "broker/tell.h"
#include "broker/throttle.h"

#include <sched.h>

#define LOG_ROUNDS 4      /* commands that follow from commands, within one turn */
#define CONGESTION_MS 2   /* how soon a congested shard looks again */
#define LIGHT_MESSAGES 32 /* a turn with no more of them is a light one */
#define BORROW_ROUNDS 4   /* letters that answer letters, within one turn */

/* A limit for all needs a look at all: each shard shows what it holds at the end of its turns. */
static void look_at_memory(struct shard *s)
{
	s->memory_of_others = 0;
	for (unsigned i = 0; i < s->broker->shard_count; i++)
		if (i != s->index)
			s->memory_of_others += atomic_load_explicit(&shard_at(s, i)->memory_shown,
								    memory_order_relaxed);
}

static void show_memory(struct shard *s)
{
	atomic_store_explicit(&s->memory_shown, s->memory_bytes + s->chunks.bytes_unsent,
			      memory_order_relaxed);
}

static void resume_inputs(struct shard *s)
{
	struct connection *c = s->resumed;
	s->resumed = NULL;
	while (c) {
		struct connection *next = c->next_resumed;
		c->is_resumed = false;
		connection_resume_input(c);
		c = next;
	}
}

/* Clients are not read while another shard drowns in letters from here. */
static void follow_congestion(struct shard *s)
{
	if (s->is_congested || s->paused_count == 0)
		return;
	for (struct link *l = s->connections.next; l != &s->connections; l = l->next) {
		struct connection *c = CONTAINER_OF(l, struct connection, link);
		if (!c->is_congested)
			continue;
		c->is_congested = false;
		if (!c->is_paused)
			connection_unpause(c);
	}
	s->paused_count = 0;
}

/* Its own thread comes back from sleep: a borrowed turn is finished first. They are short. */
static void take_hold(struct shard *s)
{
	int expected = TURN_FREE;
	while (atomic_load(&s->holder) != TURN_OWN &&
	       !atomic_compare_exchange_weak(&s->holder, &expected, TURN_OWN)) {
		expected = TURN_FREE;
		sched_yield();
	}
	mailbox_awake(&s->mailbox);
}

void shard_turn_begin(struct shard *s, struct moment now)
{
	take_hold(s);
	s->messages_in_before = s->status.messages_in;
	if (s->settings->memory_bytes_max)
		look_at_memory(s);
	s->now = now;
	s->has_work = false;
	start_turn(s);
	recheck_turn(s);
	tell_turn(s);
	follow_congestion(s);
	checkpoint_turn(s);
	shed_turn(s);
	full_turn(s);
	resume_inputs(s);
}

void shard_ready(struct shard *s, struct stream *stream, bool is_readable, bool is_writable)
{
	struct connection *c = CONTAINER_OF(stream, struct connection, stream);
	if (c->state == CONNECTION_CLOSED || c->shard != s)
		return;
	if (is_writable && c->is_blocked)
		connection_writable(c);
	if (!is_readable)
		return;
	if (UNLIKELY(s->is_congested)) {
		s->paused_count += !c->is_congested;
		connection_congest(c);
	} else {
		connection_readable(c);
	}
}

static void fire_timers(struct shard *s)
{
	struct timer *t;
	while ((t = timer_next(&s->connection_timers, s->now.steady_ms)))
		connection_timeout(CONTAINER_OF(t, struct connection, timer));
	while ((t = timer_next(&s->session_timers, s->now.steady_ms)))
		session_timeout(s, CONTAINER_OF(t, struct kept, timer)->session);
	if (UNLIKELY(s->throttle_timers.count > 0))
		throttle_turn(s);
}

static void flush_outputs(struct shard *s)
{
	while (s->dirty) {
		struct connection *c = s->dirty;
		s->dirty = NULL;
		while (c) {
			struct connection *next = c->next_dirty;
			c->is_dirty = false;
			if (c->state != CONNECTION_CLOSED)
				connection_flush(c);
			c = next;
		}
		if (s->has_work)
			return; /* one that has more than its share goes on in the next turn */
	}
}

static void bury(struct shard *s)
{
	struct link *l = s->graveyard.next;
	while (l != &s->graveyard) {
		struct link *next = l->next;
		struct connection *c = CONTAINER_OF(l, struct connection, link);
		if (c->pins == 0 && !c->is_dirty && !c->is_resumed) {
			link_remove(l);
			connection_free(c);
		}
		l = next;
	}
}

static bool has_urgent(const struct shard *s)
{
	return s->batch && !s->batch->is_lazy;
}

static void submit(struct shard *s)
{
	finish_append(s);
	bus_flush(s, false); /* what was said before must not be overtaken by the log */
	batch_submit(s);
}

/*
 * What has become durable may be a thousand commands, or a checkpoint. The disk need not wait until
 * they are applied, nor need what was read in this turn and concerns no log.
 */
static void receive(struct shard *s)
{
	if (has_urgent(s))
		submit(s);
	struct mail *mail = mailbox_take(&s->mailbox);
	if (bus_has_commands(mail))
		flush_outputs(s);
	bus_open(s, mail);
}

/* Everything of a turn that does not touch the loop. */
static void work(struct shard *s)
{
	receive(s); /* letters of other shards, and what has become durable */
	for (int round = 0; has_urgent(s) && round < LOG_ROUNDS; round++) {
		submit(s);
		bus_receive(s); /* a log in memory is durable at once */
	}
	if (!has_urgent(s))
		interest_confirm(s);
	s->has_work |= fetch_turn(s);
	s->hold_until_ms = hold_turn(s);
	replay_turn(s);
	shard_settle(s);
	flush_outputs(s);
	if (s->settings->memory_bytes_max)
		show_memory(s);
	s->has_work |= has_urgent(s) || s->dirty != NULL || replay_is_due(s);
}

static bool try_hold(struct shard *s)
{
	int expected = TURN_FREE;
	return !mailbox_is_empty(&s->mailbox) &&
	       atomic_compare_exchange_strong(&s->holder, &expected, TURN_BORROWED);
}

/*
 * Waking a thread for a letter or two costs more than reading them: a shard whose thread sleeps
 * lends its turn to the sender. Whoever holds the turn looks into the mailbox once more after
 * letting go, so that no letter is slept over. Its own thread is woken when it is needed: for
 * closing, resumed input, an earlier deadline.
 */
static void borrow_turn(struct shard *s, struct moment now)
{
	int round = 0;
	while (round++ < BORROW_ROUNDS && try_hold(s)) {
		if (now.steady_ms > s->now.steady_ms) /* the lender's own may be later */
			s->now = now;
		s->is_borrowed = true;
		work(s);
		finish_turn(s);
		bus_flush(s, false);
		s->is_borrowed = false;
		uint64_t wait = shard_wait_ms(s);
		bool is_needed = wait != UINT64_MAX && s->now.steady_ms + wait < s->sleeps_until_ms;
		atomic_store(&s->holder, TURN_FREE);
		/* others have mail for it all the time: that is not ours to go on with */
		is_needed |= round == BORROW_ROUNDS && !mailbox_is_empty(&s->mailbox);
		if (is_needed)
			s->broker->hooks.wake(s->broker->hooks.context, s->index);
	}
}

static void borrow_turns(struct shard *s, uint64_t shards)
{
	while (shards) {
		borrow_turn(shard_at(s, (unsigned)__builtin_ctzll(shards)), s->now);
		shards &= shards - 1;
	}
}

void shard_turn_end(struct shard *s)
{
	fire_timers(s);
	work(s);
	bool is_light = s->status.messages_in - s->messages_in_before <= LIGHT_MESSAGES;
	for (int round = 0; round < BORROW_ROUNDS; round++) {
		borrow_turns(s, bus_flush(s, is_light));
		if (mailbox_is_empty(&s->mailbox))
			break;
		work(s);
	}
	finish_turn(s);
	borrow_turns(s, bus_flush(s, false));
	bury(s);
}

uint64_t shard_wait_ms(const struct shard *s)
{
	if (s->has_work)
		return 0;
	uint64_t wait = timer_wait_ms(&s->connection_timers, s->now.steady_ms);
	uint64_t other = timer_wait_ms(&s->session_timers, s->now.steady_ms);
	wait = other < wait ? other : wait;
	if (UNLIKELY(s->throttle_timers.count > 0)) {
		other = timer_wait_ms(&s->throttle_timers, s->now.steady_ms);
		wait = other < wait ? other : wait;
	}
	/* a batch that comes back from the log wakes by itself */
	if (s->paused_count > 0 && s->undurable_bytes <= UNDURABLE_BYTES_MAX &&
	    wait > CONGESTION_MS)
		wait = CONGESTION_MS;
	other = shed_wait_ms(s);
	wait = other < wait ? other : wait;
	if (s->hold_until_ms != UINT64_MAX) {
		uint64_t hold = s->hold_until_ms > s->now.steady_ms
					? s->hold_until_ms - s->now.steady_ms
					: 0;
		wait = hold < wait ? hold : wait;
	}
	return wait;
}

bool shard_sleep(struct shard *s)
{
	uint64_t wait = shard_wait_ms(s);
	s->sleeps_until_ms = wait == UINT64_MAX ? UINT64_MAX : s->now.steady_ms + wait;
	atomic_store(&s->holder, TURN_FREE);
	while (!mailbox_sleep(&s->mailbox)) {
		/* mail came: read it, unless somebody does already; but sleep only when announced */
		int expected = TURN_FREE;
		if (atomic_compare_exchange_strong(&s->holder, &expected, TURN_OWN))
			return false;
		sched_yield();
	}
	return true;
}
