/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks every state of publisher, broker and subscriber that so many faults can lead to, breadth
 * first: each is come to by making its choices again from the beginning.
 *
 *     explore-broker            all configurations
 *     explore-broker --short    those of a few seconds
 *     explore-broker NAME...    these
 */
#include "base/mem.h"
#include "relay.h"

#include <stdio.h>
#include <time.h>

#define CHOICES_MAX 200 /* a way that is longer goes round in circles */
#define NOBODY UINT32_MAX

/* clang-format off */
#define Q1 {1, 1, 1}
#define Q2 {2, 2, 2}
#define Q12 {2, 1, 2}
static const struct relay_config configs[] = {
	{.name = "relay 3.1.1 q1 m1 r1 cut1 crash1", .version = MQTT_3_1_1, .messages = 1, .qos = Q1, .receive_maximum = 1, .cuts = 1, .crashes = 1, .is_short = true},
	{.name = "relay 3.1.1 q2 m1 r1 cut1 crash1", .version = MQTT_3_1_1, .messages = 1, .qos = Q2, .receive_maximum = 1, .cuts = 1, .crashes = 1, .is_short = true},
	{.name = "relay 5 q1 m1 r1 cut1 crash1", .version = MQTT_5, .messages = 1, .qos = Q1, .receive_maximum = 1, .cuts = 1, .crashes = 1},
	{.name = "relay 5 q2 m1 r1 cut1 crash1", .version = MQTT_5, .messages = 1, .qos = Q2, .receive_maximum = 1, .cuts = 1, .crashes = 1},
	{.name = "relay 3.1.1 q1 m1 r1 cut2 crash1", .version = MQTT_3_1_1, .messages = 1, .qos = Q1, .receive_maximum = 1, .cuts = 2, .crashes = 1},
	{.name = "relay 3.1.1 q2 m1 r1 cut2 crash1", .version = MQTT_3_1_1, .messages = 1, .qos = Q2, .receive_maximum = 1, .cuts = 2, .crashes = 1},
	{.name = "relay 3.1.1 q1 m1 r1 cut1 crash2", .version = MQTT_3_1_1, .messages = 1, .qos = Q1, .receive_maximum = 1, .cuts = 1, .crashes = 2},
	{.name = "relay 3.1.1 q2 m1 r1 cut1 crash2", .version = MQTT_3_1_1, .messages = 1, .qos = Q2, .receive_maximum = 1, .cuts = 1, .crashes = 2},
	{.name = "relay 5 q1 m2 r1 cut1 crash1", .version = MQTT_5, .messages = 2, .qos = Q1, .receive_maximum = 1, .cuts = 1, .crashes = 1},
	{.name = "relay 5 q2 m2 r1 cut1 crash1", .version = MQTT_5, .messages = 2, .qos = Q2, .receive_maximum = 1, .cuts = 1, .crashes = 1},
	{.name = "relay 5 q1+2 m2 r1 cut1 crash1", .version = MQTT_5, .messages = 2, .qos = Q12, .receive_maximum = 1, .cuts = 1, .crashes = 1},
	{.name = "relay 3.1.1 q1 m2 r2 cut0 crash1", .version = MQTT_3_1_1, .messages = 2, .qos = Q1, .receive_maximum = 2, .cuts = 0, .crashes = 1},
	{.name = "relay 3.1.1 q2 m2 r2 cut0 crash1", .version = MQTT_3_1_1, .messages = 2, .qos = Q2, .receive_maximum = 2, .cuts = 0, .crashes = 1},
	{.name = "relay 3.1.1 q1+2 m2 r2 cut0 crash1", .version = MQTT_3_1_1, .messages = 2, .qos = Q12, .receive_maximum = 2, .cuts = 0, .crashes = 1},
	{.name = "relay 5 q1 m2 r2 cut1 crash0", .version = MQTT_5, .messages = 2, .qos = Q1, .receive_maximum = 2, .cuts = 1, .crashes = 0},
	{.name = "relay 5 q2 m2 r2 cut1 crash0", .version = MQTT_5, .messages = 2, .qos = Q2, .receive_maximum = 2, .cuts = 1, .crashes = 0},
	{.name = "relay 5 q1+2 m2 r2 cut1 crash0", .version = MQTT_5, .messages = 2, .qos = Q12, .receive_maximum = 2, .cuts = 1, .crashes = 0},
	{.name = "relay 5 q2 m2 r2 cut1 crash1", .version = MQTT_5, .messages = 2, .qos = Q2, .receive_maximum = 2, .cuts = 1, .crashes = 1},
	{.name = "relay 5 q1+2 m3 r2 cut0 crash1", .version = MQTT_5, .messages = 3, .qos = Q12, .receive_maximum = 2, .cuts = 0, .crashes = 1},
	{.name = "relay 5 q1 m2 r2 cut1 crash0 told", .version = MQTT_5, .messages = 2, .qos = Q1, .receive_maximum = 2, .cuts = 1, .is_told = true},
	{.name = "relay 5 q2 m2 r2 cut1 crash0 told", .version = MQTT_5, .messages = 2, .qos = Q2, .receive_maximum = 2, .cuts = 1, .is_told = true},
	{.name = "relay 5 q1+2 m2 r2 cut1 crash0 told", .version = MQTT_5, .messages = 2, .qos = Q12, .receive_maximum = 2, .cuts = 1, .is_told = true},
	{.name = "relay 3.1.1 q2 m1 r1 cut1 crash1 told", .version = MQTT_3_1_1, .messages = 1, .qos = Q2, .receive_maximum = 1, .cuts = 1, .crashes = 1, .is_told = true},
};
/* clang-format on */

struct state {
	uint32_t parent;
	uint8_t choice;
	uint16_t may; /* choices, a bit each */
	uint16_t depth;
};

struct seen {
	uint64_t digest; /* 0 = free */
	uint16_t may;
};

struct search {
	const struct relay_config *config;
	struct state *states;
	uint32_t count, capacity;
	struct seen *seen; /* open hash */
	uint32_t mask;
	uint64_t transitions, steps;
	uint32_t ends;
	struct relay relay;
	uint8_t way[CHOICES_MAX + 1];
	unsigned way_len;
};

/* --- the set of states --- */

/* False when it was there. What has the same digest can go on in the same ways. */
static bool put(struct seen *seen, uint32_t mask, struct seen state)
{
	uint32_t i = (uint32_t)state.digest & mask;
	while (seen[i].digest && seen[i].digest != state.digest)
		i = (i + 1) & mask;
	ASSERT(!seen[i].digest || seen[i].may == state.may);
	bool is_new = !seen[i].digest;
	seen[i] = state;
	return is_new;
}

static uint16_t all_that_may(const struct relay *r)
{
	uint16_t may = 0;
	for (int choice = 0; choice < CHOICE_COUNT; choice++)
		if (relay_may(r, choice))
			may |= (uint16_t)(1u << choice);
	return may;
}

static void double_set(struct search *s)
{
	uint32_t mask = s->mask * 2 + 1;
	struct seen *seen = mem_zalloc(((size_t)mask + 1) * sizeof(*seen));
	ASSERT(seen);
	for (uint32_t i = 0; i <= s->mask; i++)
		if (s->seen[i].digest)
			put(seen, mask, s->seen[i]);
	mem_free(s->seen);
	s->seen = seen;
	s->mask = mask;
}

/* The state that the relay is in; nothing happens when it was seen before. */
static void add_state(struct search *s, struct state state)
{
	state.may = all_that_may(&s->relay);
	if (!put(s->seen, s->mask, (struct seen){relay_digest(&s->relay) | 1, state.may}))
		return;
	s->ends += relay_is_done(&s->relay);
	if (s->count == s->capacity) {
		s->capacity *= 2;
		s->states = mem_realloc(s->states, s->capacity * sizeof(*s->states));
		ASSERT(s->states);
	}
	s->states[s->count++] = state;
	if (s->count > s->mask / 2)
		double_set(s);
}

/* --- the way to them --- */

static void find_way(struct search *s, uint32_t number)
{
	s->way_len = s->states[number].depth;
	ASSERT(s->way_len < CHOICES_MAX);
	for (unsigned at = s->way_len; at > 0; number = s->states[number].parent)
		s->way[--at] = s->states[number].choice;
}

static void go(struct search *s)
{
	relay_start(&s->relay, s->config);
	for (unsigned i = 0; i < s->way_len; i++)
		relay_choose(&s->relay, s->way[i]);
	s->steps += s->way_len;
}

/* Takes that choice in that state; false when a promise breaks, with the way to it in `way`. */
static bool follow(struct search *s, uint32_t number, uint8_t choice)
{
	struct relay *r = &s->relay;
	find_way(s, number);
	s->way[s->way_len++] = choice;
	go(s);
	s->transitions++;
	if (!r->broken[0] && relay_is_done(r))
		relay_check_done(r);
	bool is_good = !r->broken[0];
	if (is_good)
		add_state(s, (struct state){.parent = number,
					    .choice = choice,
					    .depth = (uint16_t)s->way_len});
	relay_stop(r);
	return is_good;
}

static bool expand(struct search *s, uint32_t number)
{
	for (uint8_t choice = 0; choice < CHOICE_COUNT; choice++)
		if (s->states[number].may >> choice & 1 && !follow(s, number, choice))
			return false;
	return true;
}

static bool walk(struct search *s)
{
	s->capacity = 1024;
	s->states = mem_alloc(s->capacity * sizeof(*s->states));
	s->mask = 4095;
	s->seen = mem_zalloc(4096 * sizeof(*s->seen));
	ASSERT(s->states && s->seen);
	go(s);
	add_state(s, (struct state){.parent = NOBODY});
	relay_stop(&s->relay);
	for (uint32_t i = 0; i < s->count; i++)
		if (!expand(s, i))
			return false;
	return true;
}

/* --- to look at --- */

static unsigned step;
static bool is_new; /* nothing of this step was printed yet */

static void draw(int column, const char *text)
{
	if (is_new)
		printf("%4u  ", step);
	else
		printf("      ");
	is_new = false;
	if (column == PUBLISHER)
		printf("%-34s|%34s|\n", text, "");
	else if (column == SUBSCRIBER)
		printf("%-34s|%34s| %s\n", "", "", text);
	else
		printf("%-34s| %-33s|\n", "", text);
}

static void print_way(struct search *s)
{
	struct relay *r = &s->relay;
	printf("counterexample of %u steps: %s\n", s->way_len, r->broken);
	printf("      %-34s| %-33s| %s\n", "publisher", "broker's log", "subscriber");
	relay_start(r, s->config);
	r->show = draw;
	for (step = 1; step <= s->way_len; step++) {
		is_new = true;
		relay_choose(r, s->way[step - 1]);
	}
	if (relay_is_done(r))
		relay_check_done(r);
	printf("      %s\n", r->broken);
	relay_stop(r);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool explore(const struct relay_config *config)
{
	static struct search s;
	s = (struct search){.config = config};
	double started = now();
	bool is_good = walk(&s);
	printf("%-34s %8u %10llu %10llu %6u %6u %6.1f %7.1f  %s\n", config->name, s.count,
	       (unsigned long long)s.transitions, (unsigned long long)s.steps, s.ends,
	       s.states[s.count - 1].depth,
	       (double)(s.capacity * sizeof(*s.states) + (s.mask + 1ull) * sizeof(*s.seen)) / 1e6,
	       now() - started, is_good ? "good" : "BROKEN");
	if (!is_good)
		print_way(&s);
	fflush(stdout);
	mem_free(s.states);
	mem_free(s.seen);
	return is_good;
}

static bool is_wanted(const struct relay_config *config, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--short"))
			return config->is_short;
		if (!strcmp(argv[i], config->name))
			return true;
	}
	return argc == 1;
}

int main(int argc, char **argv)
{
	unsigned tried = 0, good = 0;
	printf("%-34s %8s %10s %10s %6s %6s %6s %7s\n", "configuration", "states", "transitions",
	       "steps", "ends", "depth", "MB", "s");
	for (size_t i = 0; i < ARRAY_COUNT(configs); i++) {
		if (!is_wanted(&configs[i], argc, argv))
			continue;
		tried++;
		good += explore(&configs[i]);
	}
	printf("%u good of %u\n", good, tried);
	return tried > 0 && good == tried ? 0 : 1;
}
