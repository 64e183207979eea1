/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SUBSCRIBE and UNSUBSCRIBE of sessions that the log keeps, as the owners of their groups see them.
 * Both shards read the same command and decide the same; what only the session's shard can know, it
 * tells the owner by a command of its own: that a limit refused the subscription.
 */
#include "broker/give.h"
#include "broker/group_inside.h"
#include "broker/hold.h"
#include "broker/interest.h"
#include "broker/shard.h"
#include "mqtt/topic.h"

static bool is_share(struct span filter)
{
	struct span name, inner;
	return topic_filter_is_valid(filter) && topic_filter_split_share(filter, &name, &inner);
}

static bool next_filter(struct span *rest, bool have_options, struct span *filter)
{
	struct subscription_options options;
	return have_options ? subscribe_next(rest, filter, &options)
			    : unsubscribe_next(rest, filter);
}

uint64_t group_owners(const struct shard *s, struct span filters, bool have_options)
{
	uint64_t owners = 0;
	struct span filter;
	while (next_filter(&filters, have_options, &filter))
		if (is_share(filter))
			owners |= 1ull << shard_of(s->broker, filter);
	return owners;
}

static bool is_applied_here(const struct shard *s, const struct command *c)
{
	return c->session_id && s->broker->log->is_kept && !s->is_recovering;
}

/* As far as every shard can tell. */
static bool may_join(const struct shard *s, const struct command *c, struct span filter)
{
	uint16_t levels_max = s->limits.topic_levels_max;
	return !(c->flags & COMMAND_SUBSCRIBE_REFUSED) && is_share(filter) &&
	       (!levels_max || topic_level_count(filter) <= levels_max);
}

/* On the session's shard. Returns how many verdicts will come. */
static int tell_owner(struct shard *s, struct session *session, const struct command *c,
		      struct span filter)
{
	struct membership *m = session ? group_slot(session, filter) : NULL;
	struct session gone = {.number = c->origin.session, .log_id = c->session_id};
	if (shard_of(s->broker, filter) == s->index)
		return 0;
	if (!m) {
		give_leave(s, &gone, filter);
		return 1;
	}
	struct share_member member = group_member_of(s, session, m);
	group_send(s, m->owner, LETTER_GROUP_PRESENCE, filter, &member, NULL);
	return 1;
}

/* On the owner, elsewhere. */
static void join(struct shard *s, const struct command *c, struct span filter,
		 const struct subscription_options *o)
{
	struct share *share = group_find(s, filter);
	const struct share_member *old = share ? share_find(share, c->origin.session) : NULL;
	struct share_member member = {
		.session = c->origin.session,
		.log_id = c->session_id,
		.identifier = c->subscription_identifier,
		.shard = c->origin.shard,
		.qos = o->qos < s->limits.qos_max ? o->qos : s->limits.qos_max,
		.retain_as_published = o->retain_as_published,
		.is_connected = old && old->is_connected, /* a letter says more */
		.is_sated = old && old->is_sated,
		.survives = true,
	};
	struct verdict v = {.is_delegate = true};
	if (group_owner_join(s, filter, &member))
		v.reason_code = REASON_QUOTA_EXCEEDED;
	if (!interest_wait(s, &c->origin))
		verdict_give(s, &c->origin, v);
}

int group_applied_subscribe(struct shard *s, struct session *session, const struct command *c)
{
	struct span rest = command_text(c), filter;
	struct subscription_options options;
	int waits = 0;
	while (is_applied_here(s, c) && subscribe_next(&rest, &filter, &options)) {
		if (!may_join(s, c, filter))
			continue;
		if (c->origin.shard == s->index)
			waits += tell_owner(s, session, c, filter);
		else if (shard_of(s->broker, filter) == s->index)
			join(s, c, filter, &options);
	}
	return waits;
}

void group_applied_unsubscribe(struct shard *s, const struct command *c)
{
	struct span rest = command_text(c), filter;
	while (is_applied_here(s, c) && unsubscribe_next(&rest, &filter))
		if (is_share(filter) && shard_of(s->broker, filter) == s->index)
			group_owner_leave(s, filter, c->origin.session, c->session_id);
}

/* Interest, before the log. */

static uint16_t ask_owners(struct shard *s, const struct command *c, uint8_t kind)
{
	static const struct share_member nobody;
	struct span rest = command_text(c), filter;
	struct subscription_options options;
	uint16_t count = 0;
	while (subscribe_next(&rest, &filter, &options)) {
		if (!is_share(filter) || shard_of(s->broker, filter) == s->index)
			continue;
		struct group_news *news =
			group_send(s, shard_of(s->broker, filter), kind, filter, &nobody, NULL);
		news->position = (uintptr_t)c;
		count++;
	}
	return count;
}

uint16_t group_prepare(struct shard *s, const struct command *c)
{
	return ask_owners(s, c, LETTER_GROUP_PREPARE);
}

void group_unprepare(struct shard *s, const struct command *c)
{
	ask_owners(s, c, LETTER_GROUP_UNPREPARE);
}
