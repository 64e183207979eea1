/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holding publishers back: while a connected subscriber's queue is over half of its limit, the
 * acknowledgements of messages queued for it are kept. A publisher that respects its window stops;
 * the queue does not grow. It ends when the reader has caught up or left, and at the latest after
 * `hold_back_ms_max`: one reader that never acknowledges may slow its publishers, not stop them.
 */
#include "broker/hold.h"

#include "base/mem.h"
#include "broker/shard.h"

struct holding {
	struct origin origin;
	struct verdict verdict;
	uint64_t until_ms; /* steady clock */
};

struct holdings {
	struct link link; /* among the shard's sessions that hold */
	struct session *session;
	uint32_t count;
	uint32_t first;
	uint32_t capacity; /* power of two */
	struct holding *ring;
};

void verdict_give(struct shard *s, const struct origin *origin, struct verdict v)
{
	if (origin->session == 0)
		return;
	v.session = origin->session;
	v.ticket = origin->ticket;
	if (origin->shard == s->index) {
		struct session *session = session_by_number(s, v.session);
		if (session)
			acks_verdict(session, &v);
		return;
	}
	struct letter *letter = bus_letter(s, origin->shard, 0);
	*letter = (struct letter){.kind = LETTER_VERDICT,
				  .reason_code = v.reason_code,
				  .delegates = v.delegates,
				  .is_delegate = v.is_delegate,
				  .ticket = v.ticket,
				  .session = v.session};
}

static bool grow(struct holdings *h)
{
	uint32_t capacity = h->capacity ? h->capacity * 2 : 16;
	struct holding *ring = mem_alloc(capacity * sizeof(*ring));
	if (!ring)
		return false;
	for (uint32_t i = 0; i < h->count; i++)
		ring[i] = h->ring[(h->first + i) & (h->capacity - 1)];
	mem_free(h->ring);
	h->ring = ring;
	h->capacity = capacity;
	h->first = 0;
	return true;
}

static struct holdings *holdings_of(struct shard *s, struct session *session)
{
	if (session->holdings)
		return session->holdings;
	struct holdings *h = mem_zalloc(sizeof(*h));
	if (!h)
		return NULL;
	h->session = session;
	list_append(&s->holders, &h->link);
	session->holdings = h;
	return h;
}

void hold_verdict(struct shard *s, struct session *slow, const struct verdict *v,
		  const struct origin *origin)
{
	if (origin->session == 0)
		return;
	struct holdings *h = s->settings->hold_back_ms_max ? holdings_of(s, slow) : NULL;
	if (!h || (h->count == h->capacity && !grow(h))) {
		verdict_give(s, origin, *v);
		return;
	}
	h->ring[(h->first + h->count++) & (h->capacity - 1)] =
		(struct holding){*origin, *v, s->now.steady_ms + s->settings->hold_back_ms_max};
}

static void release_oldest(struct shard *s, struct holdings *h)
{
	struct holding holding = h->ring[h->first];
	h->first = (h->first + 1) & (h->capacity - 1);
	h->count--;
	verdict_give(s, &holding.origin, holding.verdict);
}

void hold_release(struct shard *s, struct session *session)
{
	struct holdings *h = session->holdings;
	if (!h)
		return;
	session->holdings = NULL;
	link_remove(&h->link);
	while (h->count > 0)
		release_oldest(s, h);
	mem_free(h->ring);
	mem_free(h);
}

void hold_drop(struct session *session)
{
	struct holdings *h = session->holdings;
	if (!h)
		return;
	link_remove(&h->link);
	mem_free(h->ring);
	mem_free(h);
	session->holdings = NULL;
}

uint64_t hold_turn(struct shard *s)
{
	uint64_t next = UINT64_MAX;
	for (struct link *l = s->holders.next; l != &s->holders; l = l->next) {
		struct holdings *h = CONTAINER_OF(l, struct holdings, link);
		while (h->count > 0 && h->ring[h->first].until_ms <= s->now.steady_ms)
			release_oldest(s, h);
		if (h->count > 0 && h->ring[h->first].until_ms < next)
			next = h->ring[h->first].until_ms;
	}
	return next;
}
