/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/kit.h"

#include "base/buffer.h"
#include "broker/shard.h"
#include "broker/snapshot.h"
#include "kit/kit_disk.h"
#include "kit/kit_pages.h"
#include "kit/replay.h"

#include <stdio.h>

#define EVENTS_PER_TURN 8        /* few, so that work is spread over turns in many ways */
#define HALF_TURNS 30            /* per cent that are interrupted by other shards' turns */
#define LATE_SLEEPERS 20         /* per cent of turns after which there is mail before sleep */
#define LOG_STEPS 30             /* per cent of steps that are the log's, when it has work */
#define SEGMENT_BYTES 16384      /* few records, so that there are many segments */
#define PAUSE_MAX_MS 100000      /* doubled for ever it would become 0 */
#define SETTLE_TURNS_MAX 2000000 /* a broker that is busy for so long never ends */

static void begin(struct kit *k, unsigned i);
static void end(struct kit *k, unsigned i);

/* As fast as another thread may be: before who woke it does what it does next. Not where the log is
 * in memory, which wakes while it holds its lock. */
static void run_meanwhile(struct kit *k, unsigned shard)
{
	unsigned running = k->running;
	bool is_idle = !k->shards[shard].is_in_turn && !(k->frozen >> shard & 1) &&
		       atomic_load(&broker_shard(k->broker, shard)->holder) == TURN_FREE;
	if (!running || k->is_nested || !is_idle || !random_chance(&k->random, k->wakes_at_once))
		return;
	k->is_nested = true; /* those that it wakes do not go on at once */
	begin(k, shard);
	end(k, shard);
	k->is_nested = false;
	k->running = running;
}

static void wake(void *context, unsigned shard)
{
	struct kit *k = context;
	k->shards[shard].is_woken = true;
	if (k->wakes_at_once && k->broker->log->is_kept)
		run_meanwhile(k, shard);
}

static int attach(void *context, unsigned shard, struct stream *stream)
{
	struct kit *k = context;
	if (k->is_attach_broken) {
		stream->ops->close(stream);
		return ERROR_SYSTEM;
	}
	memory_attach(stream, &k->shards[shard].hub);
	return 0;
}

static uint64_t sum_of(struct span bytes)
{
	uint64_t sum = bytes.len;
	for (size_t i = 0; i < bytes.len; i++)
		sum += bytes.ptr[i];
	return sum;
}

static void see(void *context, unsigned shard, const struct event *e, const struct event_detail *d)
{
	struct kit *k = context;
	ASSERT(shard < k->shard_count && e->kind < EVENT_KIND_COUNT);
	k->events[e->kind]++;
	k->detail_bytes += sum_of(d->client_id) + sum_of(d->topic) + sum_of(d->user_name) +
			   sum_of(d->address) + (d->text ? strlen(d->text) : 0) +
			   (d->will ? sum_of(d->will->topic) : 0);
}

/* At once, unless a test wants to choose the time. */
static int verify(void *context, struct login *login)
{
	struct kit *k = context;
	if (k->verify)
		return k->verify(context, login);
	login_answer(login);
	broker_answer_login(k->broker, login);
	return 0;
}

static uint64_t held(void *context)
{
	return ((const struct kit *)context)->memory;
}

void kit_start_at(struct kit *k, const struct settings *settings, unsigned shard_count,
		  uint64_t seed, struct moment now)
{
	struct broker_hooks hooks = {.context = k,
				     .wake = wake,
				     .attach = attach,
				     .verify = verify,
				     .memory = held,
				     .event = see};
	memset(k, 0, sizeof(*k));
	k->shard_count = shard_count;
	k->now = now;
	k->random.state = seed;
	for (unsigned i = 0; i < shard_count; i++) {
		memory_hub_init(&k->shards[i].hub);
		k->shards[i].is_woken = true; /* a thread takes a turn when it starts */
	}
	k->broker = broker_new(settings, &hooks, shard_count, random_next(&k->random), k->now);
	ASSERT(k->broker);
}

void kit_start(struct kit *k, const struct settings *settings, unsigned shard_count, uint64_t seed)
{
	kit_start_at(k, settings, shard_count, seed,
		     (struct moment){KIT_START_STEADY_MS, KIT_START_WALL_MS});
}

void kit_start_on(struct kit *k, const struct settings *settings, unsigned shard_count,
		  uint64_t seed, struct kept_store *store, struct moment now)
{
	struct recovery_report report;
	kit_start_at(k, settings, shard_count, seed, now);
	k->log = log_kept_new(store, SEGMENT_BYTES, snapshot_references, broker_committed,
			      k->broker);
	broker_use_log(k->broker, log_kept_log(k->log));
	kit_give_pages(k, settings, NULL);
	size_t checkpoints = kept_checkpoint_count(store);
	replay_into(k->broker, store, checkpoints ? checkpoints - 1 : REPLAY_FROM_START, now,
		    &report);
	ASSERT(report.lost == 0);
	buffer_release(&report.lines);
	log_kept_delay(k->log, true, true);
}

static void begin(struct kit *k, unsigned i)
{
	k->turns++;
	k->running = i + 1;
	k->shards[i].is_woken = false;
	shard_turn_begin(broker_shard(k->broker, i), k->now);
}

/* As a thread does: no sleep while there is work, and a last look at the mailbox before it. */
static void end(struct kit *k, unsigned i)
{
	struct shard *s = broker_shard(k->broker, i);
	struct kit_shard *mine = &k->shards[i];
	mine->is_in_turn = false;
	k->running = i + 1;
	shard_turn_end(s);
	k->running = 0;
	uint64_t wait = shard_wait_ms(s);
	mine->wake_at_ms = wait == UINT64_MAX ? UINT64_MAX : k->now.steady_ms + wait;
	bool is_late = k->shard_count > 1 && random_chance(&k->random, LATE_SLEEPERS);
	if (wait == 0 || is_late || !shard_sleep(s))
		mine->is_woken = true;
}

void kit_stop(struct kit *k)
{
	for (unsigned i = 0; i < k->shard_count; i++)
		if (k->shards[i].is_in_turn)
			end(k, i);
	broker_free(k->broker);
	k->broker = NULL;
}

void kit_crash(struct kit *k)
{
	broker_free(k->broker);
	k->broker = NULL;
}

struct stream kit_open(struct kit *k, unsigned shard, uint32_t capacity,
		       struct stream *broker_end_out)
{
	struct peer peer = {.port = 1883, .mount = k->mount};
	struct stream client, server;
	snprintf(peer.address, sizeof(peer.address), "%s",
		 k->address ? k->address : "192.0.2.1:12345");
	int error = memory_pair_open(capacity, &client, &server);
	ASSERT(error == 0);
	if (broker_end_out)
		*broker_end_out = server;
	if (!k->shards[shard].is_in_turn)
		begin(k, shard);
	if (shard_admits(broker_shard(k->broker, shard), &peer))
		shard_accept(broker_shard(k->broker, shard), &server, &peer);
	else
		server.ops->close(&server);
	end(k, shard);
	return client;
}

static bool is_runnable(const struct kit *k, unsigned i)
{
	const struct kit_shard *s = &k->shards[i];
	if (k->frozen >> i & 1)
		return false;
	return s->is_in_turn || s->is_woken || s->wake_at_ms <= k->now.steady_ms ||
	       memory_hub_is_ready(&s->hub);
}

static void take_turn(struct kit *k, unsigned i)
{
	struct memory_event events[EVENTS_PER_TURN];
	if (k->shards[i].is_in_turn) {
		end(k, i);
		return;
	}
	unsigned room = 1 + random_below(&k->random, EVENTS_PER_TURN);
	unsigned count = memory_hub_take(&k->shards[i].hub, events, room);
	begin(k, i);
	for (unsigned e = 0; e < count; e++)
		shard_ready(broker_shard(k->broker, i), events[e].stream, events[e].is_readable,
			    events[e].is_writable);
	k->shards[i].is_in_turn = k->shard_count > 1 && random_chance(&k->random, HALF_TURNS);
	if (!k->shards[i].is_in_turn)
		end(k, i);
	k->running = 0;
}

static bool step_log(struct kit *k)
{
	if (k->disk)
		return kit_disk_step(k->disk);
	return k->log && log_kept_step(k->log, random_chance(&k->random, 50));
}

bool kit_is_dark(const struct kit *k)
{
	return k->disk && kit_disk_is_dark(k->disk);
}

bool kit_is_settled(const struct kit *k)
{
	bool is_settled = true;
	for (unsigned i = 0; i < k->shard_count; i++)
		is_settled &= shard_is_settled(broker_shard(k->broker, i));
	return is_settled;
}

bool kit_holds_back(const struct kit *k)
{
	for (unsigned i = 0; i < k->shard_count; i++)
		if (broker_shard(k->broker, i)->throttle_timers.count > 0)
			return true;
	return false;
}

bool kit_step(struct kit *k)
{
	if (kit_is_dark(k))
		return false;
	if ((k->log || k->disk) && random_chance(&k->random, LOG_STEPS) && step_log(k))
		return true;
	unsigned first = random_below(&k->random, k->shard_count);
	for (unsigned n = 0; n < k->shard_count; n++) {
		unsigned i = (first + n) % k->shard_count;
		if (is_runnable(k, i)) {
			take_turn(k, i);
			return true;
		}
	}
	return step_log(k);
}

void kit_settle(struct kit *k)
{
	unsigned turns = 0;
	k->frozen = 0;
	while (kit_step(k))
		ASSERT(++turns < SETTLE_TURNS_MAX);
}

char *kit_state(struct kit *k)
{
	for (unsigned i = 0; i < k->shard_count; i++)
		k->shards[i].is_woken = true;
	kit_settle(k);
	char *text = state_text(k->broker);
	ASSERT(text);
	return text;
}

uint64_t kit_next_wake_ms(const struct kit *k)
{
	uint64_t next = UINT64_MAX;
	for (unsigned i = 0; i < k->shard_count; i++)
		if (k->shards[i].wake_at_ms < next)
			next = k->shards[i].wake_at_ms;
	return next;
}

static void move_clock(struct kit *k, uint64_t steady_ms)
{
	k->now.wall_ms += steady_ms - k->now.steady_ms;
	k->now.steady_ms = steady_ms;
}

/* The journal has reasons of its own to do something later: looked after more and more rarely. */
static uint64_t next_look_ms(const struct kit *k, uint64_t *pause_ms)
{
	uint64_t shards = kit_next_wake_ms(k);
	if (!k->disk)
		return shards;
	uint64_t look = k->now.steady_ms + *pause_ms;
	if (*pause_ms < PAUSE_MAX_MS)
		*pause_ms *= 2;
	return shards < look ? shards : look;
}

void kit_advance(struct kit *k, uint64_t ms)
{
	uint64_t until = k->now.steady_ms + ms, pause_ms = 10, next;
	kit_settle(k);
	while (!kit_is_dark(k) && (next = next_look_ms(k, &pause_ms)) <= until) {
		move_clock(k, next);
		kit_settle(k);
	}
	move_clock(k, until);
	kit_settle(k);
}

void kit_status(const struct kit *k, struct shard_status *out)
{
	*out = (struct shard_status){0};
	for (unsigned i = 0; i < k->shard_count; i++) {
		struct shard_status s;
		uint64_t *sum = (uint64_t *)out;
		shard_status(broker_shard(k->broker, i), &s);
		for (size_t n = 0; n < sizeof(s) / sizeof(*sum); n++)
			sum[n] += ((const uint64_t *)&s)[n];
	}
}
