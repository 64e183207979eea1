/* SPDX-License-Identifier: Apache-2.0 */
/* How a world begins: all that its seed decides before the first step; and how it ends. */
#include "base/mem.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#define REQUEST_IDS 1000 /* the first packet id of requests, where those of messages are low */
#define RETRY_MS 2000

static const unsigned shard_counts[] = {1, 2, 3, 8};

static void choose_limits(struct world *w)
{
	struct settings *set = &w->settings;
	struct random *r = &w->random;
	w->has_small_queues = random_chance(r, 15);
	if (!w->has_small_queues)
		return;
	set->queue_messages_max = set->absent_queue_messages_max = 3 + random_below(r, 20);
	if (random_chance(r, 30))
		set->queue_bytes_max = set->absent_queue_bytes_max = 1000 + random_below(r, 20000);
	w->has_small_output = random_chance(r, 30);
	if (w->has_small_output)
		set->output_bytes_max = 500 + random_below(r, 5000);
	w->has_small_retained = random_chance(r, 30);
	if (w->has_small_retained)
		set->retained_messages_max = 1 + random_below(r, 3);
	set->queue_full_policy = (uint8_t)random_below(r, 3);
	w->drops_messages = set->queue_full_policy != QUEUE_FULL_REFUSE;
}

static void choose_settings(struct world *w)
{
	struct settings *set = &w->settings;
	static const uint16_t windows[] = {1, 5, 1000};
	struct random *r = &w->random;
	settings_init(set);
	set->in_flight_max = windows[random_below(r, ARRAY_COUNT(windows))];
	set->cached_topics_max = random_chance(r, 30) ? 2 : 4096;
	set->topic_alias_max_out = (uint16_t)random_below(r, 10);
	set->hold_back_ms_max = random_below(r, 3) * 500;
	set->receive_maximum = OUTGOING_MAX;
	choose_limits(w);
	w->has_retry = random_chance(r, 10);
	if (w->has_retry)
		set->retry_interval_ms = RETRY_MS;
}

/* Of its own dice, so that the others stay as they were when a program was kept. */
static void choose_memory(struct world *w)
{
	struct settings *set = &w->settings;
	struct random r = {.state = w->seed * 0x9e3779b97f4a7c15};
	if (random_chance(&r, 40))
		set->queue_memory_bytes_max = 1 + random_below(&r, 4000);
	w->wakes_at_once = random_chance(&r, 25) ? 40 : 0;
	w->has_small_memory = random_chance(&r, 8) && !w->has_hostile;
	if (!w->has_small_memory)
		return;
	set->memory_bytes_max = 2000 + random_below(&r, 100000);
	w->has_small_queues = w->has_small_output = true;
}

/* Clients that are too fast for their listener are held back: all comes later, and all of it. Of
 * its own dice as well. */
static void choose_rates(struct world *w)
{
	struct listener_limits *l = &w->settings.limits.listeners[0];
	struct random r = {.state = w->seed * 0xd1342543de82ef95};
	if (random_chance(&r, 20))
		l->messages_per_s = 20 + random_below(&r, 500);
	if (random_chance(&r, 20))
		l->bytes_per_s = 5000 + random_below(&r, 100000);
	l->messages_burst = random_below(&r, 20);
	l->bytes_burst = random_below(&r, 5000);
}

static uint8_t choose_version(struct random *r)
{
	uint32_t dice = random_below(r, 100);
	if (dice < 55)
		return MQTT_5;
	return dice < 80 ? MQTT_3_1_1 : MQTT_3_1;
}

static void choose_clients(struct world *w)
{
	struct random *r = &w->random;
	w->client_count = 2 + random_below(r, CLIENTS_MAX - 1);
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		c->index = i;
		c->lost_known_ms = c->lost_ms = NEVER;
		c->stream.fd = -1;
		snprintf(c->id, sizeof(c->id), "c%u", i);
		c->version = choose_version(r);
		c->takes_shares = random_chance(r, 40) && w->has_groups;
		c->has_engine = random_chance(r, 35);
		c->engine_cleans = c->version != MQTT_5 && random_chance(r, 30);
		c->reuses_ids = random_chance(r, 50);
		if (c->reuses_ids)
			c->next_packet_id = REQUEST_IDS;
	}
}

void world_choose(struct world *w, uint64_t seed, unsigned kept, bool is_on_disk, unsigned shards)
{
	struct random *r = &w->random;
	w->seed = r->state = seed;
	w->kept = kept;
	w->kit.shard_count = shard_counts[random_below(r, ARRAY_COUNT(shard_counts))];
	if (shards)
		w->kit.shard_count = shards;
	w->log_kind = random_chance(r, kept) ? LOG_IS_KEPT : LOG_IN_MEMORY;
	if (is_on_disk)
		w->log_kind = LOG_ON_DISK;
	w->has_groups = w->has_retained = true;
	w->has_hostile = random_chance(r, 30);
	w->hostile.stream.fd = -1;
	choose_settings(w);
	choose_clients(w);
	/* whom a refusal tells that an id is free has no business with that id before */
	w->has_hostile &= !w->has_small_queues;
	choose_memory(w);
	choose_rates(w);
}

void world_start(struct world *w)
{
	struct random *r = &w->random;
	mem_count_start();
	switch (w->log_kind) {
	case LOG_IS_KEPT: crash_start(w); break;
	case LOG_ON_DISK: power_start(w); break;
	default: kit_start(&w->kit, &w->settings, w->kit.shard_count, random_next(r));
	}
}

void world_end(struct world *w)
{
	close_zombies(w);
	hostile_end(w);
	kit_stop(&w->kit);
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		if (stream_is_open(&c->stream))
			c->stream.ops->close(&c->stream);
		buffer_release(&c->in);
		buffer_release(&c->out);
		buffer_release(&c->answers);
		engine_end(c);
	}
	if (w->store)
		kept_store_free(w->store);
	if (w->disk)
		kit_disk_free(w->disk);
	if (mem_count_live() != 0)
		world_fail(w, "%ld allocations are left", mem_count_live());
	free(w->promises);
}
