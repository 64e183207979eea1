/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/event.h"

#include "base/mem.h"

_Static_assert(sizeof(struct event) == 48, "a ring entry and a trace record are 48 bytes");

static const char *const kind_names[EVENT_KIND_COUNT] = {
	[EVENT_CONNECTION_OPENED] = "connection opened",
	[EVENT_CONNECTION_REFUSED] = "connection refused",
	[EVENT_CLIENT_CONNECTED] = "client connected",
	[EVENT_CLIENT_DISCONNECTED] = "client disconnected",
	[EVENT_PACKET_IN] = "packet in",
	[EVENT_PACKET_OUT] = "packet out",
	[EVENT_FILTER] = "filter",
	[EVENT_DELIVERY_STEP] = "delivery step",
	[EVENT_SUBSCRIPTION] = "subscription",
	[EVENT_QUEUED] = "queued",
	[EVENT_DROPPED] = "dropped",
	[EVENT_WILL_PUBLISHED] = "will published",
	[EVENT_DENIED] = "denied",
	[EVENT_LIMITED] = "limited",
	[EVENT_BANNED] = "banned",
	[EVENT_LOAD] = "load",
	[EVENT_SESSION_ENDED] = "session ended",
};

const char *event_kind_name(unsigned kind)
{
	return kind < EVENT_KIND_COUNT ? kind_names[kind] : "unknown";
}

int event_ring_init(struct event_ring *r, uint32_t capacity)
{
	ASSERT(capacity > 0 && (capacity & (capacity - 1)) == 0);
	*r = (struct event_ring){.capacity = capacity};
	r->events = mem_zalloc((size_t)capacity * sizeof(*r->events));
	return r->events ? 0 : ERROR_NO_MEMORY;
}

void event_ring_release(struct event_ring *r)
{
	mem_free(r->events);
	*r = (struct event_ring){0};
}

const struct event *event_ring_newest(const struct event_ring *r, uint64_t i)
{
	if (i >= r->written || i >= r->capacity)
		return NULL;
	return &r->events[(r->written - 1 - i) & (r->capacity - 1)];
}
