/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interest: every shard knows, filter by filter, which other shards have a subscription, and which
 * a surviving one. A SUBACK leaves when all shards have confirmed what was told up to then: from
 * that moment no publish anywhere misses the subscription.
 *
 * Where a log is kept, that must hold in the log as well: a PUBLISH behind a SUBSCRIBE in the log
 * names the subscriber's shard among its targets, so that applying it once more, from the log, does
 * what was done the first time. Therefore others know first, then the SUBSCRIBE is appended; and a
 * shard says that it knows only when what it had decided before is on its way to the log.
 */
#include "broker/interest.h"

#include "base/mem.h"
#include "broker/group.h"
#include "broker/handle.h"
#include "broker/hold.h"
#include "broker/shard.h"
#include "mqtt/topic.h"
#include "route/share.h"

struct interest_news {
	struct interest interest;
	uint16_t filter_len;
	char filter[];
};

/* Filters of SUBSCRIBEs that were not applied yet: others take them for subscriptions. */
struct prepared {
	uint32_t count;
	uint16_t filter_len;
	char filter[];
};

static struct span key_of_prepared(const void *element)
{
	const struct prepared *p = element;
	return span_of(p->filter, p->filter_len);
}

void interest_init(struct interest_state *i, uint64_t seed)
{
	map_init(&i->prepared, seed, key_of_prepared);
}

void interest_release(struct interest_state *i)
{
	struct prepared *p;
	uint32_t cursor = 0;
	while ((p = map_next(&i->prepared, &cursor)))
		mem_free(p);
	map_release(&i->prepared);
	while (i->preparing) {
		struct command *command = CONTAINER_OF(i->preparing, struct command, entry);
		i->preparing = i->preparing->next;
		command_free(command);
	}
	mem_free(i->waiting);
}

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

static void tell_all(struct shard *s, struct span filter, struct interest interest)
{
	s->interest.sent++;
	for (unsigned to = 0; to < s->broker->shard_count; to++)
		if (to != s->index)
			tell(s, to, filter, interest);
}

void interest_changed(struct shard *s, struct span filter, struct interest before)
{
	if (s->broker->shard_count == 1 || s->is_recovering)
		return; /* interest_tell_all then */
	struct interest now = routes_interest(s->routes, filter);
	if (now.any == before.any && now.surviving == before.surviving)
		return;
	if (!map_find(&s->interest.prepared, filter)) /* else all of it was told */
		tell_all(s, filter, now);
}

static uint64_t known_to_all(const struct shard *s)
{
	uint64_t least = UINT64_MAX;
	for (unsigned i = 0; i < s->broker->shard_count; i++)
		if (i != s->index && s->interest.known[i] < least)
			least = s->interest.known[i];
	return least;
}

static bool is_known(const struct shard *s)
{
	return s->broker->shard_count == 1 || s->is_recovering ||
	       known_to_all(s) >= s->interest.sent;
}

static void wait_until_known(struct shard *s, const struct interest_waiting *waiting)
{
	struct interest_state *i = &s->interest;
	if (i->waiting_count == i->waiting_capacity) {
		uint32_t capacity = i->waiting_capacity ? i->waiting_capacity * 2 : 16;
		struct interest_waiting *more = mem_realloc(i->waiting, capacity * sizeof(*more));
		ASSERT(more);
		i->waiting = more;
		i->waiting_capacity = capacity;
	}
	i->waiting[i->waiting_count] = *waiting;
	i->waiting[i->waiting_count++].sequence = i->sent;
}

bool interest_wait(struct shard *s, const struct origin *origin)
{
	if (is_known(s))
		return false;
	wait_until_known(s, &(struct interest_waiting){.origin = *origin});
	return true;
}

static bool is_complete(struct interest interest)
{
	return interest.any && interest.surviving;
}

static void prepare(struct shard *s, struct span filter)
{
	static const struct interest complete = {.any = true, .surviving = true};
	struct prepared *p = map_find(&s->interest.prepared, filter);
	if (p) {
		p->count++;
		return;
	}
	p = mem_alloc(sizeof(*p) + filter.len);
	ASSERT(p);
	p->count = 1;
	p->filter_len = (uint16_t)filter.len;
	memcpy(p->filter, filter.ptr, filter.len);
	int error = map_add(&s->interest.prepared, p);
	ASSERT(error == 0);
	if (!is_complete(routes_interest(s->routes, filter)))
		tell_all(s, filter, complete);
}

static void settle(struct shard *s, struct span filter)
{
	struct prepared *p = map_find(&s->interest.prepared, filter);
	ASSERT(p);
	if (--p->count > 0)
		return;
	map_remove(&s->interest.prepared, filter);
	mem_free(p);
	struct interest now = routes_interest(s->routes, filter);
	if (!is_complete(now))
		tell_all(s, filter, now);
}

/* Groups are the business of their owners. */
static void for_each_filter(struct shard *s, const struct command *command,
			    void (*what)(struct shard *s, struct span filter))
{
	struct span rest = command_text(command), filter, name, inner;
	struct subscription_options options;
	while (subscribe_next(&rest, &filter, &options)) {
		if (!topic_filter_is_valid(filter))
			continue;
		if (topic_filter_split_share(filter, &name, &inner)) {
			if (shard_of(s->broker, filter) == s->index)
				what(s, inner);
		} else if (command->origin.shard == s->index) {
			what(s, filter);
		}
	}
}

bool interest_prepare(struct shard *s, struct command *command)
{
	if (s->broker->shard_count == 1 || !s->broker->log->is_kept)
		return false;
	for_each_filter(s, command, prepare);
	command->is_prepared = true;
	command->awaited = group_prepare(s, command);
	if (!is_known(s)) {
		command->awaited++;
		wait_until_known(s, &(struct interest_waiting){.command = command});
	}
	if (command->awaited == 0)
		return false;
	command->entry.next = s->interest.preparing;
	s->interest.preparing = &command->entry;
	return true;
}

void interest_prepared(struct shard *s, struct command *command)
{
	struct log_entry **link = &s->interest.preparing;
	if (--command->awaited > 0)
		return;
	while (*link != &command->entry)
		link = &(*link)->next;
	*link = command->entry.next;
	command->entry.next = NULL;
	subscribe_append(s, command);
}

void interest_settle(struct shard *s, const struct command *command)
{
	if (command->is_prepared)
		for_each_filter(s, command, settle);
}

void interest_cancel(struct shard *s, const struct command *command)
{
	interest_settle(s, command);
	if (command->is_prepared)
		group_unprepare(s, command);
}

static void answer_asked(struct shard *s, unsigned to, uint64_t asked)
{
	struct letter *letter = bus_letter(s, to, 0);
	*letter = (struct letter){.kind = LETTER_GROUP_PREPARED, .number = asked};
}

void interest_prepare_for(struct shard *s, struct span filter, unsigned shard, uint64_t asked)
{
	struct interest_waiting waiting = {.origin.shard = (uint16_t)shard, .asked = asked};
	prepare(s, filter);
	if (is_known(s))
		answer_asked(s, shard, asked);
	else
		wait_until_known(s, &waiting);
}

void interest_unprepare(struct shard *s, struct span filter)
{
	settle(s, filter);
}

static void go_on(struct shard *s, const struct interest_waiting *w)
{
	struct verdict v = {.is_delegate = true};
	if (w->command)
		interest_prepared(s, w->command);
	else if (w->asked)
		answer_asked(s, w->origin.shard, w->asked);
	else
		verdict_give(s, &w->origin, v);
}

static void become_known(struct shard *s, unsigned to, uint64_t sequence)
{
	struct interest_state *i = &s->interest;
	uint32_t done = 0;
	i->known[to] = sequence;
	uint64_t known = known_to_all(s);
	while (done < i->waiting_count && i->waiting[done].sequence <= known) {
		struct interest_waiting w = i->waiting[done++];
		go_on(s, &w);
	}
	if (done == 0)
		return; /* there may be no list at all */
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
	s->interest.heard[letter->origin] = letter->number;
	s->interest.unconfirmed |= 1ull << letter->origin;
}

void interest_confirm(struct shard *s)
{
	while (s->interest.unconfirmed) {
		unsigned to = (unsigned)__builtin_ctzll(s->interest.unconfirmed);
		s->interest.unconfirmed &= s->interest.unconfirmed - 1;
		struct letter *letter = bus_letter(s, to, 0);
		*letter = (struct letter){.kind = LETTER_INTEREST_KNOWN,
					  .origin = (uint16_t)s->index,
					  .number = s->interest.heard[to]};
	}
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

static int set_everywhere(struct shard *s, struct span filter)
{
	struct interest interest = routes_interest(s->routes, filter);
	int error = 0;
	for (unsigned to = 0; to < s->broker->shard_count && !error; to++)
		if (to != s->index)
			error = routes_set_remote(shard_at(s, to)->routes, filter, s->index,
						  interest);
	return error;
}

int interest_tell_all(struct shard *s)
{
	uint32_t cursor = 0;
	uint64_t share_cursor = 0;
	struct session *session;
	struct share *share;
	int error = 0;
	if (s->broker->shard_count == 1)
		return 0;
	while (!error && (session = map_next(&s->sessions, &cursor)))
		for (struct subscription *l = session->subscriber.first; l && !error;
		     l = l->next_of_subscriber)
			error = set_everywhere(s, subscription_filter(l));
	while (!error && (share = routes_each_share(s->routes, &share_cursor)))
		error = set_everywhere(s, share_filter(share));
	return error;
}
