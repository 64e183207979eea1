/* SPDX-License-Identifier: Apache-2.0 */
/* What a group's owner and the shards of its members tell each other. */
#include "base/mem.h"
#include "broker/group_inside.h"
#include "broker/hold.h"
#include "broker/interest.h"
#include "broker/shard.h"
#include "mqtt/topic.h"

struct group_news *group_send(struct shard *s, unsigned to, uint8_t kind, struct span filter,
			      const struct share_member *member, const struct origin *origin)
{
	struct group_news *news = mem_zalloc(sizeof(*news) + filter.len);
	ASSERT(news);
	news->member = *member;
	news->filter_len = (uint16_t)filter.len;
	memcpy(news->filter, filter.ptr, filter.len);
	struct letter *letter = bus_letter(s, to, sizeof(*news) + filter.len);
	*letter = (struct letter){.kind = kind, .origin = (uint16_t)s->index, .object = news};
	if (origin) {
		letter->session = origin->session;
		letter->ticket = origin->ticket;
		letter->origin = origin->shard;
	}
	return news;
}

void group_enclose(struct shard *s, unsigned to, struct group_news *news, struct message *m,
		   uint8_t flags)
{
	message_share(m);
	news->message = m;
	news->flags = flags;
	s->parcels[to]->bytes += message_bytes(m);
}

static void joined(struct shard *s, const struct letter *letter, int error)
{
	struct origin origin = {letter->session, letter->ticket, letter->origin};
	struct verdict v = {.is_delegate = true,
			    .reason_code = error ? REASON_QUOTA_EXCEEDED : REASON_SUCCESS};
	if (error || !interest_wait(s, &origin))
		verdict_give(s, &origin, v);
}

static void prepare(struct shard *s, const struct letter *letter, struct span filter,
		    uint64_t asked)
{
	struct span name, inner;
	topic_filter_split_share(filter, &name, &inner);
	if (letter->kind == LETTER_GROUP_PREPARE)
		interest_prepare_for(s, inner, letter->origin, asked);
	else
		interest_unprepare(s, inner);
}

static void open_news(struct shard *s, const struct letter *letter, struct group_news *news)
{
	struct span filter = span_of(news->filter, news->filter_len);
	switch (letter->kind) {
	case LETTER_GROUP_JOIN:
		joined(s, letter, group_owner_join(s, filter, &news->member));
		break;
	case LETTER_GROUP_LEAVE: group_owner_leave(s, filter, news->member.session, 0); break;
	case LETTER_GROUP_PRESENCE: group_owner_presence(s, filter, &news->member); break;
	case LETTER_GROUP_DELIVER: group_member_deliver(s, letter, news); break;
	case LETTER_GROUP_DONE: group_kept_done(s, filter, news->position); break;
	case LETTER_GROUP_PREPARE:
	case LETTER_GROUP_UNPREPARE: prepare(s, letter, filter, news->position); break;
	default: group_owner_return(s, filter, news->message, news->flags); break;
	}
}

void group_letter(struct shard *s, const struct letter *letter)
{
	if (letter->kind == LETTER_GROUP_READ) {
		group_kept_read(s, letter->object);
		return;
	}
	if (letter->kind == LETTER_GROUP_PREPARED) {
		interest_prepared(s, (void *)(uintptr_t)letter->number);
		return;
	}
	open_news(s, letter, letter->object);
	group_letter_discard(letter);
}

void group_letter_discard(const struct letter *letter)
{
	struct group_news *news = letter->object;
	if (letter->kind == LETTER_GROUP_READ) {
		group_kept_read_discard(letter->object);
		return;
	}
	if (!news)
		return;
	if (news->message)
		message_unref(news->message);
	mem_free(news);
}
