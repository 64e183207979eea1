/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interest: every shard knows, filter by filter, which other shards have a subscription, and which
 * a surviving one. A SUBACK leaves when all shards have confirmed what was told up to then: from
 * that moment no publish anywhere misses the subscription.
 */
#include "broker/interest.h"

#include "base/mem.h"
#include "broker/hold.h"
#include "broker/shard.h"

struct interest_news {
	struct interest interest;
	uint16_t filter_len;
	char filter[];
};

static void tell(struct shard *s, unsigned to, struct span filter, struct interest interest)
{
	struct interest_news *news = mem_alloc(sizeof(*news) + filter.len);
	ASSERT(news); /* shards that disagree would lose messages silently */
	news->interest = interest;
	news->filter_len = (uint16_t)filter.len;
	memcpy(news->filter, filter.ptr, filter.len);
	struct letter *letter = bus_letter(s, to, sizeof(*news) + filter.len);
	*letter = (struct letter){.kind = LETTER_INTEREST,
				  .origin = (uint16_t)s->index,
				  .number = s->interest.sent,
				  .object = news};
}

void interest_changed(struct shard *s, struct span filter, struct interest before)
{
	if (s->broker->shard_count == 1)
		return;
	struct interest now = routes_interest(s->routes, filter);
	if (now.any == before.any && now.surviving == before.surviving)
		return;
	s->interest.sent++;
	for (unsigned to = 0; to < s->broker->shard_count; to++)
		if (to != s->index)
			tell(s, to, filter, now);
}

static uint64_t known_to_all(const struct shard *s)
{
	uint64_t least = UINT64_MAX;
	for (unsigned i = 0; i < s->broker->shard_count; i++)
		if (i != s->index && s->interest.known[i] < least)
			least = s->interest.known[i];
	return least;
}

bool interest_wait(struct shard *s, const struct origin *origin)
{
	struct interest_state *i = &s->interest;
	if (s->broker->shard_count == 1 || known_to_all(s) >= i->sent)
		return false;
	if (i->waiting_count == i->waiting_capacity) {
		uint32_t capacity = i->waiting_capacity ? i->waiting_capacity * 2 : 16;
		struct interest_waiting *waiting =
			mem_realloc(i->waiting, capacity * sizeof(*waiting));
		ASSERT(waiting);
		i->waiting = waiting;
		i->waiting_capacity = capacity;
	}
	i->waiting[i->waiting_count++] = (struct interest_waiting){i->sent, *origin};
	return true;
}

static void become_known(struct shard *s, unsigned to, uint64_t sequence)
{
	struct interest_state *i = &s->interest;
	struct verdict v = {.is_delegate = true};
	uint32_t done = 0;
	i->known[to] = sequence;
	uint64_t known = known_to_all(s);
	while (done < i->waiting_count && i->waiting[done].sequence <= known)
		verdict_give(s, &i->waiting[done++].origin, v);
	i->waiting_count -= done;
	memmove(i->waiting, i->waiting + done, i->waiting_count * sizeof(*i->waiting));
}

static void learn(struct shard *s, const struct letter *letter)
{
	struct interest_news *news = letter->object;
	struct span filter = span_of(news->filter, news->filter_len);
	int error = routes_set_remote(s->routes, filter, letter->origin, news->interest);
	ASSERT(error == 0);
	mem_free(news);
	struct letter *reply = bus_letter(s, letter->origin, 0);
	*reply = (struct letter){.kind = LETTER_INTEREST_KNOWN,
				 .origin = (uint16_t)s->index,
				 .number = letter->number};
}

void interest_letter(struct shard *s, const struct letter *letter)
{
	if (letter->kind == LETTER_INTEREST)
		learn(s, letter);
	else
		become_known(s, letter->origin, letter->number);
}

void interest_letter_discard(const struct letter *letter)
{
	if (letter->kind == LETTER_INTEREST)
		mem_free(letter->object);
}
