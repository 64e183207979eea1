/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs simulated worlds, a seed each: ./simulation [--seeds N] [--from S] [--steps N] [--shards N]
 * [--kept PERCENT] [--disk] [--seconds N] [--trace]. A world that breaks a promise ends the program with its seed, and the
 * same seed does the same again. See world.h.
 */
#include "base/mem.h"
#include "world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PHASES 3
#define REQUEST_IDS 1000 /* the first packet id of requests, where those of messages are low */

struct options {
	uint64_t from, seeds, seconds;
	unsigned steps, shards;
	unsigned kept; /* per cent of worlds whose log is kept */
	bool is_traced;
	bool is_on_disk; /* all logs are on a simulated disk */
};

struct totals {
	uint64_t worlds, steps, turns, messages, received, promised, ms, crashes, checkpoints;
	uint64_t start_cuts, kills, rescues, commits, copied_bytes;
};

/* A broker that breaks down names no seed by itself. */
static char seed_text[64];
static struct sigaction former[2];
static const int fatal[] = {SIGABRT, SIGSEGV};

static void say_seed(int number)
{
	ssize_t ignored = write(STDERR_FILENO, seed_text, strlen(seed_text));
	(void)ignored;
	/* and then as without us: a sanitizer may have its own words */
	sigaction(number, &former[number == SIGABRT ? 0 : 1], NULL);
}

static void watch_for_crashes(void)
{
	struct sigaction action = {.sa_handler = say_seed};
	for (unsigned i = 0; i < ARRAY_COUNT(fatal); i++)
		sigaction(fatal[i], &action, &former[i]);
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
	w->has_small_queues = random_chance(r, 15);
	if (w->has_small_queues)
		set->queue_messages_max = set->absent_queue_messages_max = 3 + random_below(r, 20);
}

static void choose_clients(struct world *w)
{
	w->client_count = 2 + random_below(&w->random, CLIENTS_MAX - 1);
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		c->index = i;
		c->lost_known_ms = c->lost_ms = NEVER;
		c->stream.fd = -1;
		snprintf(c->id, sizeof(c->id), "c%u", i);
		c->version = random_chance(&w->random, 60) ? MQTT_5 : MQTT_3_1_1;
		c->takes_shares = random_chance(&w->random, 40) && w->has_groups;
	}
}

static void world_end(struct world *w)
{
	kit_stop(&w->kit);
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		if (stream_is_open(&c->stream))
			c->stream.ops->close(&c->stream);
		buffer_release(&c->in);
		buffer_release(&c->out);
		buffer_release(&c->answers);
	}
	if (w->store)
		kept_store_free(w->store);
	if (w->disk)
		kit_disk_free(w->disk);
	if (mem_count_live() != 0)
		world_fail(w, "%ld allocations are left", mem_count_live());
}

static void count_disk(const struct world *w, struct totals *t)
{
	kit_disk_count(w->disk);
	t->start_cuts += w->start_cuts;
	t->kills += w->kills;
	t->rescues += w->rescues;
	t->checkpoints += w->disk->checkpoints;
	t->commits += w->disk->commits;
	t->copied_bytes += w->disk->copied_bytes;
}

static void run_world(const struct options *o, uint64_t seed, struct totals *t)
{
	static const unsigned shard_counts[] = {1, 2, 3, 8};
	struct world *w = calloc(1, sizeof(*w));
	ASSERT(w);
	w->seed = w->random.state = seed;
	snprintf(seed_text, sizeof(seed_text), "seed %llu broke down\n", (unsigned long long)seed);
	w->is_traced = o->is_traced;
	unsigned shards = shard_counts[random_below(&w->random, ARRAY_COUNT(shard_counts))];
	bool is_kept = !o->is_on_disk && random_chance(&w->random, o->kept);
	w->has_groups = w->has_retained = true;
	choose_settings(w);
	choose_clients(w);
	for (unsigned i = 0; i < w->client_count && o->is_on_disk; i++) {
		w->clients[i].reuses_ids = random_chance(&w->random, 50);
		w->clients[i].next_packet_id = REQUEST_IDS;
	}
	mem_count_start();
	w->kit.shard_count = o->shards ? o->shards : shards;
	if (is_kept)
		crash_start(w);
	else if (o->is_on_disk)
		power_start(w);
	else
		kit_start(&w->kit, &w->settings, w->kit.shard_count, random_next(&w->random));
	program_run(w, PHASES, o->steps / PHASES);
	t->worlds++;
	t->steps += w->steps;
	t->turns += w->kit.turns;
	t->messages += w->message_count;
	t->received += w->received;
	t->promised += w->promised;
	t->crashes += w->crashes;
	t->checkpoints += w->store ? kept_checkpoint_count(w->store) : 0;
	if (w->disk)
		count_disk(w, t);
	t->ms += w->kit.now.steady_ms - KIT_START_STEADY_MS;
	world_end(w);
	free(w->promises);
	free(w);
}

static void read_options(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i];
		uint64_t value = i + 1 < argc ? strtoull(argv[i + 1], NULL, 10) : 0;
		if (strcmp(name, "--trace") == 0) {
			o->is_traced = true;
			continue;
		}
		if (strcmp(name, "--disk") == 0) {
			o->is_on_disk = true;
			continue;
		}
		i++;
		if (strcmp(name, "--seeds") == 0 && i < argc) {
			o->seeds = value;
		} else if (strcmp(name, "--from") == 0 && i < argc) {
			o->from = value;
		} else if (strcmp(name, "--steps") == 0 && i < argc) {
			o->steps = (unsigned)value;
		} else if (strcmp(name, "--kept") == 0 && i < argc) {
			o->kept = (unsigned)value;
		} else if (strcmp(name, "--seconds") == 0 && i < argc) {
			o->seconds = value;
		} else if (strcmp(name, "--shards") == 0 && value >= 1 && value <= SHARDS_MAX) {
			o->shards = (unsigned)value;
		} else {
			fprintf(stderr,
				"usage: %s [--seeds N] [--from S] [--steps N] [--shards N] "
				"[--kept PERCENT] [--disk] [--seconds N] [--trace]\n",
				argv[0]);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options o = {.from = 1, .seeds = 100, .steps = 3000, .kept = 50};
	struct totals t = {0};
	read_options(&o, argc, argv);
	world_init_filters();
	watch_for_crashes();
	time_t end = o.seconds ? time(NULL) + (time_t)o.seconds : 0;
	for (uint64_t seed = o.from; seed < o.from + o.seeds; seed++) {
		if (end && time(NULL) >= end)
			break;
		run_world(&o, seed, &t);
	}
	printf("%llu seeds from %llu: %llu steps, %llu turns, %.1f simulated hours, %llu messages, "
	       "%llu received, %llu promises kept, %llu crashes, %llu checkpoints\n",
	       (unsigned long long)t.worlds, (unsigned long long)o.from,
	       (unsigned long long)t.steps, (unsigned long long)t.turns, (double)t.ms / 3600000,
	       (unsigned long long)t.messages, (unsigned long long)t.received,
	       (unsigned long long)t.promised, (unsigned long long)t.crashes,
	       (unsigned long long)t.checkpoints);
	if (o.is_on_disk)
		printf("  %llu of them kills; %llu power cuts more while starting, %llu starts "
		       "that "
		       "needed room, %llu commits, %llu bytes compacted\n",
		       (unsigned long long)t.kills, (unsigned long long)t.start_cuts,
		       (unsigned long long)t.rescues, (unsigned long long)t.commits,
		       (unsigned long long)t.copied_bytes);
	return 0;
}
