/* SPDX-License-Identifier: Apache-2.0 */
#include "session/receive.h"

#include "base/mem.h"

#define RECEIVE_CAPACITY_MIN 8

void receive_release(struct receive *r)
{
	mem_free(r->ids);
	*r = (struct receive){0};
}

/* The slot that holds the id, or the free one where it would go. A quarter is always free. */
static uint32_t slot_of(const uint16_t *ids, uint32_t capacity, uint16_t packet_id)
{
	uint32_t i = packet_id & (capacity - 1);
	while (ids[i] != 0 && ids[i] != packet_id)
		i = (i + 1) & (capacity - 1);
	return i;
}

bool receive_has(const struct receive *r, uint16_t packet_id)
{
	return r->count > 0 && packet_id != 0 &&
	       r->ids[slot_of(r->ids, r->capacity, packet_id)] == packet_id;
}

static int add(struct receive *r, uint16_t packet_id)
{
	if ((r->count + 1) * 4 > r->capacity * 3) {
		uint32_t capacity = r->capacity ? r->capacity * 2 : RECEIVE_CAPACITY_MIN;
		uint16_t *ids = mem_zalloc(capacity * sizeof(*ids));
		if (!ids)
			return ERROR_NO_MEMORY;
		for (uint32_t i = 0; i < r->capacity; i++)
			if (r->ids[i] != 0)
				ids[slot_of(ids, capacity, r->ids[i])] = r->ids[i];
		mem_free(r->ids);
		r->ids = ids;
		r->capacity = capacity;
	}
	r->ids[slot_of(r->ids, r->capacity, packet_id)] = packet_id;
	r->count++;
	return 0;
}

static void take_out(struct receive *r, uint16_t packet_id)
{
	uint32_t mask = r->capacity - 1;
	uint32_t hole = slot_of(r->ids, r->capacity, packet_id);
	for (uint32_t i = (hole + 1) & mask; r->ids[i] != 0; i = (i + 1) & mask) {
		uint32_t home = r->ids[i] & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		r->ids[hole] = r->ids[i];
		hole = i;
	}
	r->ids[hole] = 0;
	r->count--;
}

unsigned receive_event(struct receive *r, enum receive_event event, uint16_t packet_id,
		       int *error_out)
{
	bool is_open = receive_has(r, packet_id);
	unsigned steps = receive_table[is_open ? RECEIVE_WAIT_PUBREL : RECEIVE_NONE][event].steps;
	*error_out = 0;
	if (steps & STEP_STORE_ID)
		*error_out = add(r, packet_id);
	else if (steps & STEP_RELEASE_ID)
		take_out(r, packet_id);
	return steps;
}

uint16_t receive_next(const struct receive *r, uint32_t *cursor)
{
	while (*cursor < r->capacity) {
		uint16_t id = r->ids[(*cursor)++];
		if (id != 0)
			return id;
	}
	return 0;
}
