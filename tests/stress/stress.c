/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thousand clients against a broker: they subscribe, publish at all levels, are cut, return,
 * take their sessions over, at random from a seed, for some seconds; then all come back, and the
 * ledger says whether anything was lost, came twice or out of order, and the process whether it
 * gave back what it had taken.
 *
 *     stress [options] PROGRAM        starts PROGRAM broker -p 0 --shards N
 *     stress [options] --port PORT    against a broker that runs already
 */
#include "base/mem.h"
#include "broker_process.h"
#include "client.h"
#include "random.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#define TICK_MS 10
/* Two passes: what the first one leaves in the allocator, the second one must not add to. */
#define PASSES 2
/* Allocators keep some of what they had. A proper leak is the address sanitizer's to find; this is
 * about what is held on purpose and never let go. */
#define MEMORY_SLACK (16u << 20)
/* After the last action: what is owed must be there by then, on a slow and busy machine too. */
#define SETTLE_MS 120000
/* Nothing arrives any more, when for so long nothing has. */
#define QUIET_MS 500

struct stress {
	struct world world;
	struct client *clients;
	struct broker_process broker;
	unsigned client_count;
	unsigned actions_per_second;
	uint64_t run_ms;
	const char *shards;
};

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Serves what is ready; waits at most that long. False when nothing was. */
static bool serve(struct stress *s, int wait_ms)
{
	struct epoll_event events[256];
	int count = epoll_wait(channels_epoll(), events, 256, wait_ms);
	for (int i = 0; i < count; i++)
		channel_event(&s->world, events[i].data.ptr, events[i].events);
	channel_bury();
	broker_process_read_log(&s->broker);
	return count > 0;
}

static void act_while_on(struct stress *s, struct client *c, unsigned chance)
{
	uint64_t *random = &s->world.random;
	if (chance < 30)
		client_cut(c);
	else if (chance < 45)
		client_say_goodbye(c);
	else if (chance < 60)
		client_take_over(c, random_percent(random, 5));
	else if (chance < 75)
		client_pause(c, !c->is_paused);
	else if (chance < 150)
		client_subscribe(c, random_below(random, FILTERS), random_below(random, 3));
	else if (chance < 190)
		client_unsubscribe(c, random_below(random, CLIENT_SUBSCRIPTIONS));
	else
		client_publish(c, random_below(random, CLIENT_TOPICS), random_below(random, 3));
}

static void act(struct stress *s)
{
	uint64_t *random = &s->world.random;
	struct client *c = &s->clients[random_below(random, s->client_count)];
	unsigned chance = random_below(random, 1000);
	if (c->state == CLIENT_OFF)
		client_connect(c, chance < 20);
	else if (c->state == CLIENT_ON)
		act_while_on(s, c, chance);
	else if (chance < 20 && !c->is_clean_pending)
		client_cut(c);
}

static void run_at_random(struct stress *s, uint64_t ms)
{
	uint64_t start = now_ms(), done = 0, elapsed;
	while ((elapsed = now_ms() - start) < ms) {
		uint64_t due = elapsed * s->actions_per_second / 1000;
		/* What a slow broker kept us from doing is not done later, all at once. */
		uint64_t behind = s->actions_per_second / 10;
		if (done + behind < due)
			done = due - behind;
		for (; done < due; done++)
			act(s);
		serve(s, TICK_MS);
	}
}

static void come_back(struct stress *s)
{
	for (unsigned i = 0; i < s->client_count; i++) {
		struct client *c = &s->clients[i];
		if (c->state == CLIENT_OFF)
			client_connect(c, false);
		else if (c->is_paused)
			client_pause(c, false);
	}
}

static bool are_all_settled(struct stress *s)
{
	for (unsigned i = 0; i < s->client_count; i++) {
		if (!client_is_settled(&s->clients[i]))
			return false;
	}
	return s->world.left_behind == 0;
}

/* All come back and stay until what they are owed has come. */
static void settle(struct stress *s)
{
	uint64_t deadline = now_ms() + SETTLE_MS;
	do {
		come_back(s);
		serve(s, TICK_MS);
	} while (now_ms() < deadline && !are_all_settled(s));
	while (now_ms() < deadline && ledger_missing(&s->world.ledger, false) > 0)
		serve(s, QUIET_MS);
	/* What is not owed, twice for instance, may still come. */
	while (now_ms() < deadline && serve(s, QUIET_MS))
		;
	if (!are_all_settled(s))
		ledger_violation(&s->world.ledger,
				 "not all came to rest within %d s (%u "
				 "connections that should be closed)",
				 SETTLE_MS / 1000, s->world.left_behind);
	ledger_missing(&s->world.ledger, true);
}

/* All go, with their sessions. */
static void leave(struct stress *s)
{
	uint64_t deadline = now_ms() + SETTLE_MS;
	for (unsigned i = 0; i < s->client_count; i++) {
		struct client *c = &s->clients[i];
		if (c->state == CLIENT_ON && c->survives)
			client_end_session(c);
	}
	bool is_one_left = true;
	while (is_one_left && now_ms() < deadline) {
		is_one_left = s->world.left_behind > 0;
		for (unsigned i = 0; i < s->client_count; i++) {
			struct client *c = &s->clients[i];
			if (c->state == CLIENT_ON)
				client_say_goodbye(c);
			is_one_left |= c->state != CLIENT_OFF;
		}
		serve(s, TICK_MS);
	}
	if (is_one_left)
		ledger_violation(&s->world.ledger, "not all could leave");
	for (unsigned i = 0; i < s->client_count; i++)
		s->clients[i].survives = client_survives(i);
}

/* Waits until the broker has no more sockets than at its start. */
static void check_sockets(struct stress *s, unsigned before)
{
	uint64_t deadline = now_ms() + SETTLE_MS;
	if (s->broker.pid <= 0)
		return;
	while (broker_process_sockets(&s->broker) > before && now_ms() < deadline)
		serve(s, TICK_MS);
	if (broker_process_sockets(&s->broker) > before)
		ledger_violation(&s->world.ledger, "the broker has %u sockets, had %u",
				 broker_process_sockets(&s->broker), before);
}

static void check_memory(struct stress *s, uint64_t start, uint64_t before, uint64_t after)
{
	printf("broker memory: %.1f MB at the start, %.1f MB after the first pass, %.1f MB at the "
	       "end\n",
	       (double)start / 1e6, (double)before / 1e6, (double)after / 1e6);
#if defined(__SANITIZE_THREAD__)
	(void)s; /* its shadow grows with the addresses touched */
#else
	if (after > before + MEMORY_SLACK)
		ledger_violation(&s->world.ledger, "the broker did not give its memory back");
#endif
}

static void run(struct stress *s)
{
	uint64_t start = broker_process_memory(&s->broker), memory[PASSES] = {0};
	unsigned sockets = broker_process_sockets(&s->broker);
	for (unsigned pass = 0; pass < PASSES; pass++) {
		run_at_random(s, s->run_ms / PASSES);
		settle(s);
		leave(s);
		check_sockets(s, sockets);
		memory[pass] = broker_process_memory(&s->broker);
	}
	if (s->broker.pid > 0)
		check_memory(s, start, memory[0], memory[PASSES - 1]);
}

static void report(const struct world *w)
{
	const struct ledger *l = &w->ledger;
	printf("%lu published, %lu accepted, %lu refused, %lu delivered, %lu of them again; "
	       "%lu connects, %lu cuts, %lu goodbyes, %lu take-overs (%lu told), %lu clean starts, "
	       "%lu with DUP; %lu violations\n",
	       (unsigned long)l->published, (unsigned long)l->accepted, (unsigned long)l->refused,
	       (unsigned long)l->delivered, (unsigned long)l->repeated, (unsigned long)w->connects,
	       (unsigned long)w->cuts, (unsigned long)w->goodbyes, (unsigned long)w->take_overs,
	       (unsigned long)w->told_taken_over, (unsigned long)w->clean_starts,
	       (unsigned long)w->redelivered, (unsigned long)l->violations);
}

static void make_clients(struct stress *s)
{
	s->clients = mem_zalloc(s->client_count * sizeof(*s->clients));
	ASSERT(s->clients);
	ledger_init(&s->world.ledger, s->client_count * CLIENT_TOPICS * 3);
	for (unsigned i = 0; i < s->client_count; i++) {
		client_init(&s->clients[i], &s->world, i);
		for (unsigned slot = 0; slot < CLIENT_TOPICS; slot++) {
			unsigned topic = random_below(&s->world.random, TOPICS);
			for (unsigned qos = 0; qos < 3; qos++)
				ledger_define(&s->world.ledger,
					      client_stream(&s->clients[i], slot, qos), i, topic,
					      qos);
		}
	}
}

static int usage(void)
{
	fputs("usage: stress [--clients N] [--seconds N] [--seed N] [--rate N] [--shards N] "
	      "PROGRAM | --port PORT\n",
	      stderr);
	return 1;
}

/* False on a mistake. */
static bool read_arguments(struct stress *s, int argc, char **argv)
{
	static const struct option options[] = {{"clients", required_argument, NULL, 'n'},
						{"seconds", required_argument, NULL, 't'},
						{"seed", required_argument, NULL, 's'},
						{"rate", required_argument, NULL, 'r'},
						{"shards", required_argument, NULL, 'h'},
						{"port", required_argument, NULL, 'p'},
						{NULL, 0, NULL, 0}};
	for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;
		switch (letter) {
		case 'n': s->client_count = (unsigned)number; break;
		case 't': s->run_ms = number * 1000; break;
		case 's': s->world.random = number; break;
		case 'r': s->actions_per_second = (unsigned)number; break;
		case 'h': s->shards = optarg; break;
		case 'p': s->broker.port = (uint16_t)number; break;
		default: return false;
		}
	}
	return s->client_count > 0 && (s->broker.port != 0) == (optind == argc);
}

int main(int argc, char **argv)
{
	struct stress s = {.client_count = 1000,
			   .actions_per_second = 3000,
			   .run_ms = 10000,
			   .shards = "8",
			   .world.random = 1};
	if (!read_arguments(&s, argc, argv))
		return usage();
	signal(SIGPIPE, SIG_IGN);
	if (s.broker.port == 0 && !broker_process_start(&s.broker, argv[optind], s.shards))
		return 1;
	printf("seed %lu, %u clients, %s shards, %lu s\n", (unsigned long)s.world.random,
	       s.client_count, s.shards, (unsigned long)(s.run_ms / 1000));
	channels_init(s.broker.port);
	make_clients(&s);
	run(&s);
	report(&s.world);
	bool is_good = broker_process_stop(&s.broker) && s.world.ledger.violations == 0 &&
		       s.world.ledger.delivered > 0;
	channels_release();
	ledger_release(&s.world.ledger);
	mem_free(s.clients);
	puts(is_good ? "all is well" : "FAILED");
	return is_good ? 0 : 1;
}
