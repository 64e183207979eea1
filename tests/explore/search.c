/* SPDX-License-Identifier: Apache-2.0 */
#include "search.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>

#define NOBODY UINT32_MAX

struct state {
	uint64_t offset; /* of its bytes: their number, then they */
	uint32_t parent;
	uint8_t action; /* from the parent */
	bool is_done;
	bool can_finish;
};

struct search {
	const struct config *config;
	struct found *found;
	struct state *states;
	uint32_t state_capacity;
	uint32_t *slots; /* states by hash, + 1; 0 = free */
	uint32_t slot_mask;
	uint8_t *bytes;
	uint64_t bytes_used, bytes_capacity;
	/* Where faults do not lead: successors of state i stand from first_edge[i] on. */
	uint64_t *first_edge;
	uint32_t *edges;
	uint64_t edge_count, edge_capacity;
};

static void *grown(void *old, size_t len)
{
	void *new = mem_realloc(old, len);
	ASSERT(new);
	return new;
}

static uint32_t *slot_of(struct search *s, const uint8_t *bytes, size_t len)
{
	uint64_t hash = hash_bytes(span_of(bytes, len), 0);
	for (uint32_t i = (uint32_t)hash & s->slot_mask;; i = (i + 1) & s->slot_mask) {
		if (!s->slots[i])
			return &s->slots[i];
		const uint8_t *other = s->bytes + s->states[s->slots[i] - 1].offset;
		if (other[0] == len && !memcmp(other + 1, bytes, len))
			return &s->slots[i];
	}
}

static void double_slots(struct search *s)
{
	mem_free(s->slots);
	s->slot_mask = s->slot_mask * 2 + 1;
	s->slots = mem_zalloc(((size_t)s->slot_mask + 1) * sizeof(*s->slots));
	ASSERT(s->slots);
	for (uint32_t i = 0; i < s->found->states; i++) {
		const uint8_t *bytes = s->bytes + s->states[i].offset;
		*slot_of(s, bytes + 1, bytes[0]) = i + 1;
	}
}

static void make_room(struct search *s, size_t len)
{
	if (s->found->states == s->state_capacity) {
		s->state_capacity *= 2;
		s->states = grown(s->states, s->state_capacity * sizeof(*s->states));
		s->first_edge =
			grown(s->first_edge, ((size_t)s->state_capacity + 1) * sizeof(uint64_t));
	}
	if (s->bytes_used + len + 1 > s->bytes_capacity) {
		s->bytes_capacity *= 2;
		s->bytes = grown(s->bytes, s->bytes_capacity);
	}
	if (s->found->states > s->slot_mask / 2)
		double_slots(s);
}

/* The state's number, a new one if it was never seen. */
static uint32_t number_of(struct search *s, const struct world *w, uint32_t parent, uint8_t action)
{
	uint8_t bytes[PACKED_MAX];
	size_t len = world_pack(w, bytes);
	make_room(s, len);
	uint32_t *slot = slot_of(s, bytes, len);
	if (*slot)
		return *slot - 1;
	uint32_t number = s->found->states++;
	ASSERT(number < STATES_MAX);
	s->states[number] = (struct state){.offset = s->bytes_used,
					   .parent = parent,
					   .action = action,
					   .is_done = world_is_done(w, s->config)};
	s->found->ends += s->states[number].is_done;
	s->bytes[s->bytes_used] = (uint8_t)len;
	memcpy(s->bytes + s->bytes_used + 1, bytes, len);
	s->bytes_used += len + 1;
	*slot = number + 1;
	return number;
}

static void add_edge(struct search *s, uint32_t to)
{
	if (s->edge_count == s->edge_capacity) {
		s->edge_capacity *= 2;
		s->edges = grown(s->edges, s->edge_capacity * sizeof(*s->edges));
	}
	s->edges[s->edge_count++] = to;
}

static unsigned way_to(const struct search *s, uint32_t number, uint8_t *actions)
{
	unsigned count = 0;
	for (uint32_t i = number; s->states[i].parent != NOBODY; i = s->states[i].parent)
		count++;
	unsigned at = count;
	for (uint32_t i = number; actions && at > 0; i = s->states[i].parent)
		actions[--at] = s->states[i].action;
	return count;
}

/* The way to that state, and one more action unless it is ACTION_COUNT. */
static void report(struct search *s, uint32_t number, uint8_t action, const char *broken)
{
	struct found *f = s->found;
	snprintf(f->broken, sizeof(f->broken), "%s", broken);
	f->action_count = way_to(s, number, NULL);
	f->actions = grown(NULL, f->action_count + 1);
	way_to(s, number, f->actions);
	if (action < ACTION_COUNT)
		f->actions[f->action_count++] = action;
}

/* All that can follow; false when a promise is broken. */
static bool expand(struct search *s, uint32_t number)
{
	struct world from, to;
	world_unpack(&from, s->bytes + s->states[number].offset + 1);
	s->first_edge[number] = s->edge_count;
	for (uint8_t action = 0; action < ACTION_COUNT; action++) {
		struct run run = {.config = s->config, .world = &to};
		to = from;
		if (!act(&run, action))
			continue;
		s->found->transitions++;
		if (!run.broken[0] && world_is_done(&to, s->config))
			check_done(&run);
		if (run.broken[0]) {
			report(s, number, action, run.broken);
			return false;
		}
		uint32_t next = number_of(s, &to, number, action);
		if (action < ACTION_FIRST_FAULT && next != number)
			add_edge(s, next);
	}
	s->first_edge[number + 1] = s->edge_count;
	return true;
}

/* --- the way back --- */

static bool leads_to_the_end(const struct search *s, uint32_t number)
{
	for (uint64_t e = s->first_edge[number]; e < s->first_edge[number + 1]; e++)
		if (s->states[s->edges[e]].can_finish)
			return true;
	return s->states[number].is_done;
}

static void check_can_finish(struct search *s)
{
	bool has_changed = true;
	while (has_changed) {
		has_changed = false;
		for (uint32_t i = s->found->states; i-- > 0;)
			if (!s->states[i].can_finish && leads_to_the_end(s, i))
				s->states[i].can_finish = has_changed = true;
	}
	for (uint32_t i = 0; i < s->found->states; i++)
		if (!s->states[i].can_finish) {
			report(s, i, ACTION_COUNT, "from here no way leads to the end");
			return;
		}
}

/* No circles among what is no fault: takes away states that nothing leads to, until none is left. */
static void check_must_finish(struct search *s)
{
	uint32_t count = s->found->states, taken = 0;
	uint32_t *incoming = mem_zalloc((size_t)count * sizeof(*incoming));
	uint32_t *order = mem_alloc((size_t)count * sizeof(*order));
	ASSERT(incoming && order);
	for (uint64_t e = 0; e < s->edge_count; e++)
		incoming[s->edges[e]]++;
	uint32_t ready = 0;
	for (uint32_t i = 0; i < count; i++)
		if (!incoming[i])
			order[ready++] = i;
	while (taken < ready) {
		uint32_t i = order[taken++];
		for (uint64_t e = s->first_edge[i]; e < s->first_edge[i + 1]; e++)
			if (--incoming[s->edges[e]] == 0)
				order[ready++] = s->edges[e];
	}
	for (uint32_t i = 0; i < count && taken < count; i++)
		if (incoming[i]) {
			report(s, i, ACTION_COUNT, "from here one can go round in circles");
			break;
		}
	mem_free(incoming);
	mem_free(order);
}

static void start(struct search *s)
{
	struct world first;
	s->state_capacity = 1024;
	s->states = grown(NULL, s->state_capacity * sizeof(*s->states));
	s->first_edge = grown(NULL, (s->state_capacity + 1) * sizeof(*s->first_edge));
	s->slot_mask = 2047;
	s->slots = mem_zalloc(2048 * sizeof(*s->slots));
	s->bytes_capacity = 65536;
	s->bytes = grown(NULL, s->bytes_capacity);
	s->edge_capacity = 4096;
	s->edges = grown(NULL, s->edge_capacity * sizeof(*s->edges));
	ASSERT(s->slots);
	world_start(&first, s->config);
	number_of(s, &first, NOBODY, 0);
}

static void finish(struct search *s)
{
	struct found *f = s->found;
	f->longest = way_to(s, f->states - 1, NULL);
	f->bytes = s->state_capacity * (sizeof(*s->states) + sizeof(*s->first_edge)) +
		   ((size_t)s->slot_mask + 1) * sizeof(*s->slots) + s->bytes_capacity +
		   s->edge_capacity * sizeof(*s->edges);
	mem_free(s->states);
	mem_free(s->first_edge);
	mem_free(s->slots);
	mem_free(s->bytes);
	mem_free(s->edges);
}

void search(const struct config *config, struct found *out)
{
	struct search s = {.config = config, .found = out};
	*out = (struct found){0};
	start(&s);
	uint32_t next = 0;
	while (next < out->states && expand(&s, next))
		next++;
	if (!out->broken[0])
		check_can_finish(&s);
	if (!out->broken[0])
		check_must_finish(&s);
	finish(&s);
}
