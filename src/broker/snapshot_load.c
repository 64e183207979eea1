/* SPDX-License-Identifier: Apache-2.0 */
/* Reading; the bytes are described in snapshot_format.h. */
#include "base/mem.h"
#include "broker/group.h"
#include "broker/identifiers.h"
#include "broker/pack.h"
#include "broker/record.h"
#include "broker/recovery.h"
#include "broker/retain.h"
#include "broker/snapshot.h"
#include "broker/snapshot_format.h"
#include "broker/source.h"
#include "mqtt/topic.h"

/* Where an item belongs. */
struct loading {
	struct broker *broker;
	struct session *session; /* the last one */
	struct queue *queue;     /* its or the last group's; NULL when it could not be made */
	bool is_of_session;
	bool is_in_no_order;
	uint16_t membership_count;
	uint32_t set_count; /* of identifiers */
	struct snapshot_entry_state before;
};

struct item {
	uint8_t tag;
	struct unpacker fields;
};

/* Parts and items. */

static bool next_part(struct unpacker *image, struct unpacker *items_out, uint64_t *position_out)
{
	if (unpack_left(image) == 0)
		return false;
	struct span magic = unpack_raw(image, SNAPSHOT_MAGIC.len);
	uint8_t major = unpack_u8(image);
	unpack_raw(image, 3); /* minor, index, count */
	*position_out = unpack_u64(image);
	*items_out = unpacker_of(unpack_raw(image, unpack_u64(image)));
	if (!span_is_equal(magic, SNAPSHOT_MAGIC) || major != SNAPSHOT_MAJOR)
		unpack_fail(image);
	return !image->is_failed;
}

static bool next_item(struct unpacker *items, struct item *out)
{
	if (unpack_left(items) == 0)
		return false;
	out->tag = unpack_u8(items);
	uint32_t len = unpack_u16(items);
	len |= (uint32_t)unpack_u16(items) << 16;
	out->fields = unpacker_of(unpack_raw(items, len));
	return !items->is_failed;
}

/* All parts are there, once. */
static bool is_complete(struct span bytes)
{
	struct unpacker image = unpacker_of(bytes), items;
	uint64_t position, seen = 0;
	uint8_t count = 0;
	while (unpack_left(&image) >= SNAPSHOT_HEAD_BYTES) {
		uint8_t index = image.ptr[6];
		count = image.ptr[7];
		if (index >= count || count > SHARDS_MAX || seen >> index & 1 ||
		    !next_part(&image, &items, &position))
			return false;
		seen |= 1ull << index;
	}
	return unpack_is_done(&image) && count > 0 && seen == ~0ULL >> (64 - count);
}

/* One entry of a queue; the state moves on to it. */
static void unpack_entry(struct unpacker *u, bool has_positions, struct snapshot_entry_state *s)
{
	uint64_t head = unpack_number(u, UINT64_MAX);
	s->stored += (uint64_t)unzigzag(head >> 2) * LOG_ALIGN;
	if (has_positions)
		s->position++;
	if (head & SNAPSHOT_JUMPS)
		s->position += (uint64_t)unzigzag(unpack_number(u, UINT64_MAX));
	if (head & SNAPSHOT_CHANGES) {
		s->qos = unpack_u8(u);
		s->flags = unpack_u8(u);
		s->identifier = (uint32_t)unpack_number(u, UINT32_MAX);
		s->membership = (uint16_t)unpack_number(u, UINT16_MAX);
	}
	bool is_somewhere = s->stored > 0 || s->flags & QUEUED_RELEASED;
	bool has_position = s->position > 0 || !has_positions;
	if (s->stored >> 62 || s->qos > 2 || !is_somewhere || !has_position ||
	    s->flags & ~SNAPSHOT_QUEUED_FLAGS)
		unpack_fail(u);
}

/* The next retained topic; `topic` holds the one before. */
struct retained_state {
	uint8_t topic[UINT16_MAX];
	size_t len;
	uint64_t position;
};

static void unpack_retained(struct unpacker *u, struct retained_state *s)
{
	uint64_t same = unpack_number(u, s->len);
	struct span rest = unpack_bytes(u, UINT16_MAX - same);
	if (u->is_failed)
		return;
	if (rest.len > 0)
		memcpy(s->topic + same, rest.ptr, rest.len);
	s->len = (size_t)same + rest.len;
	s->position += (uint64_t)unzigzag(unpack_number(u, UINT64_MAX));
}

/* Sessions */

static uint32_t unpack_identifier(struct unpacker *u, uint8_t options)
{
	return options & SNAPSHOT_IDENTIFIER ? (uint32_t)unpack_number(u, UINT32_MAX) : 0;
}

static int load_filter(struct shard *s, struct session *session, struct unpacker *u)
{
	struct span filter = unpack_bytes(u, UINT16_MAX);
	uint8_t options = unpack_u8(u);
	struct subscription wanted = {.identifier = unpack_identifier(u, options),
				      .qos = options & SNAPSHOT_QOS,
				      .no_local = options & SNAPSHOT_NO_LOCAL,
				      .retain_as_published = options & SNAPSHOT_AS_PUBLISHED};
	bool existed;
	if (u->is_failed || !topic_filter_is_valid(filter))
		return ERROR_DAMAGED;
	return routes_subscribe(s->routes, &session->subscriber, filter, &wanted, &existed);
}

static int load_membership(struct shard *s, struct session *session, struct unpacker *u)
{
	struct span filter = unpack_bytes(u, UINT16_MAX), name, inner;
	uint8_t bits = unpack_u8(u);
	uint32_t identifier = unpack_identifier(u, bits);
	struct subscription_options options = {.qos = bits & SNAPSHOT_QOS,
					       .retain_as_published = bits & SNAPSHOT_AS_PUBLISHED};
	struct origin nobody = {0};
	if (u->is_failed || !topic_filter_is_valid(filter) ||
	    !topic_filter_split_share(filter, &name, &inner))
		return ERROR_DAMAGED;
	int result = group_join(s, session, filter, &options, identifier, &nobody);
	return result < 0 ? result : 0;
}

static int load_receive(struct session *session, struct unpacker *u)
{
	int error = 0;
	for (uint64_t n = unpack_number(u, UINT16_MAX); n > 0 && !error && !u->is_failed; n--)
		receive_event(&session->receive, RECEIVE_EVENT_QOS_2, unpack_u16(u), &error);
	return error;
}

static int load_identifiers(struct loading *l, struct shard *s, struct unpacker *u)
{
	struct session *session = l->session;
	int error = 0;
	uint64_t sets = unpack_number(u, IDENTIFIER_SETS_MAX);
	for (uint64_t i = 0; i < sets && !error && !u->is_failed; i++) {
		uint64_t count = unpack_number(u, unpack_left(u));
		if (count == 0)
			unpack_fail(u);
		uint32_t *set = mem_alloc((size_t)(count + 1) * sizeof(*set));
		for (uint64_t n = 0; set && n < count; n++)
			set[n] = (uint32_t)unpack_number(u, UINT32_MAX);
		error = set ? identifiers_add(s, session, set, (uint32_t)count) : ERROR_NO_MEMORY;
		mem_free(set);
	}
	l->set_count = (uint32_t)sets;
	return error;
}

static int load_will(struct session *session, struct unpacker *u)
{
	struct will *w = mem_zalloc(sizeof(*w));
	if (!w)
		return ERROR_NO_MEMORY;
	w->delay = (uint32_t)unpack_number(u, UINT32_MAX);
	w->due_ms = unpack_number(u, UINT64_MAX);
	uint8_t bits = unpack_u8(u);
	struct message_parts parts = {.qos = bits & SNAPSHOT_QOS,
				      .retain = bits & SNAPSHOT_RETAIN,
				      .has_expiry = bits & SNAPSHOT_EXPIRES};
	if (parts.has_expiry)
		parts.expires_ms = unpack_number(u, UINT64_MAX);
	parts.topic = unpack_bytes(u, UINT16_MAX);
	parts.properties = unpack_bytes(u, LOG_RECORD_BYTES_MAX);
	parts.payload = unpack_bytes(u, LOG_RECORD_BYTES_MAX);
	if (bits & SNAPSHOT_SOURCE)
		parts.source = unpack_bytes(u, SOURCE_BYTES_MAX);
	if (parts.source.len > 0 && !source_is_valid(parts.source))
		unpack_fail(u);
	w->message = u->is_failed ? NULL : message_new(&parts);
	if (!w->message) {
		mem_free(w);
		return u->is_failed ? ERROR_DAMAGED : ERROR_NO_MEMORY;
	}
	session->will = w;
	return 0;
}

static int load_subscriptions(struct loading *l, struct shard *s, struct unpacker *u)
{
	int error = 0;
	for (uint64_t n = unpack_number(u, UINT32_MAX); n > 0 && !error; n--)
		error = load_filter(s, l->session, u);
	uint64_t count = error ? 0 : unpack_number(u, UINT16_MAX);
	for (uint64_t n = count; n > 0 && !error; n--)
		error = load_membership(s, l->session, u);
	l->membership_count = (uint16_t)count;
	return error;
}

static void load_numbers(struct session *session, struct unpacker *u, uint8_t *bits_out)
{
	session->log_id = unpack_u64(u);
	session->connect_id = session->log_id + unpack_number(u, UINT64_MAX);
	session->expiry_interval = (uint32_t)unpack_number(u, UINT32_MAX);
	*bits_out = unpack_u8(u);
	session->is_away = *bits_out & SNAPSHOT_AWAY;
	if (session->is_away)
		session->kept->expires_ms = unpack_number(u, UINT64_MAX) - 1;
	session->kept->queue_next = unpack_number(u, UINT64_MAX);
	session->kept->sent_to = unpack_number(u, UINT64_MAX);
}

static int load_session(struct loading *l, struct unpacker *u)
{
	struct span client_id = unpack_bytes(u, UINT16_MAX);
	struct shard *s = &l->broker->shards[shard_of(l->broker, client_id)];
	uint8_t bits;
	if (u->is_failed || session_find(s, client_id))
		return ERROR_DAMAGED;
	l->session = session_new(s, client_id);
	if (!l->session || session_keep(l->session))
		return ERROR_NO_MEMORY;
	load_numbers(l->session, u, &bits);
	if (u->is_failed || l->session->log_id == 0)
		return ERROR_DAMAGED;
	session_set_survives(s, l->session, true);
	int error = load_subscriptions(l, s, u);
	if (!error)
		error = load_receive(l->session, u);
	if (!error)
		error = load_identifiers(l, s, u);
	if (!error && bits & SNAPSHOT_WILL)
		error = load_will(l->session, u);
	l->queue = l->session->queue;
	l->is_of_session = true;
	l->is_in_no_order = false;
	l->before = (struct snapshot_entry_state){0};
	return error ? error : recovery_know(l->broker->recovery, l->session);
}

static struct shard *shard_of_session(const struct loading *l)
{
	return &l->broker->shards[shard_of(l->broker, session_client_id(l->session))];
}

static int load_replay(struct loading *l, struct unpacker *u)
{
	struct replay_wish wish = {.asked = unpack_u64(u)};
	wish.qos = unpack_u8(u);
	wish.identifier = (uint32_t)unpack_number(u, UINT32_MAX);
	wish.filter = unpack_bytes(u, UINT16_MAX);
	if (unpack_left(u) > 0) /* since minor version 1 */
		wish.told = unpack_bytes(u, UINT16_MAX);
	if (u->is_failed || !l->queue || !l->is_of_session || wish.asked == 0 || wish.qos > 2 ||
	    !topic_filter_is_valid(wish.filter))
		return ERROR_DAMAGED;
	return replay_load(shard_of_session(l), l->session, &wish);
}

/* Queues */

static int load_group(struct loading *l, struct unpacker *u)
{
	struct span whole = unpack_bytes(u, UINT16_MAX), name, inner;
	struct shard *s = &l->broker->shards[shard_of(l->broker, whole)];
	if (u->is_failed || !topic_filter_is_valid(whole) ||
	    !topic_filter_split_share(whole, &name, &inner))
		return ERROR_DAMAGED;
	struct share *share = routes_share(s->routes, name, inner, true);
	if (share && !share->waiting)
		share->waiting = mem_zalloc(sizeof(struct queue));
	if (!share || !share->waiting)
		return ERROR_NO_MEMORY;
	l->queue = share->waiting;
	l->is_of_session = false;
	l->before = (struct snapshot_entry_state){0};
	return 0;
}

static int load_queue(struct loading *l, struct unpacker *u)
{
	uint64_t count = unpack_number(u, SNAPSHOT_ENTRIES_MAX);
	uint64_t bytes = unpack_number(u, UINT64_MAX);
	if (!l->queue || count == 0)
		return ERROR_DAMAGED;
	if (l->is_of_session)
		l->queue = session_queue(shard_of_session(l), l->session);
	if (!l->queue)
		return ERROR_NO_MEMORY;
	for (uint64_t i = 0; i < count; i++) {
		struct snapshot_entry_state *s = &l->before;
		unpack_entry(u, l->is_of_session, s);
		bool is_released = s->flags & QUEUED_RELEASED;
		uint16_t membership_max = l->is_of_session ? l->membership_count : 0;
		bool is_known = !(s->flags & QUEUED_IDENTIFIERS) ||
				(l->is_of_session && s->identifier < l->set_count);
		if (u->is_failed || !is_known || s->membership > membership_max)
			return ERROR_DAMAGED;
		uint64_t share = bytes / count;
		struct queued q = {.stored = is_released ? 0 : s->stored,
				   .position = s->position,
				   .identifier = s->identifier,
				   .bytes = share > UINT32_MAX ? UINT32_MAX : (uint32_t)share,
				   .membership = s->membership,
				   .qos = s->qos,
				   .flags = s->flags};
		int error =
			l->is_in_no_order ? queue_insert(l->queue, &q) : queue_push(l->queue, &q);
		if (error)
			return error;
	}
	if (l->is_of_session)
		shard_of_session(l)->status.queued_messages += count;
	return 0;
}

/* Retained messages */

static int load_one_retained(struct loading *l, const struct retained_state *state)
{
	struct broker *b = l->broker;
	struct recovery_source *source = &b->recovery->source;
	struct span body;
	struct message *m = NULL;
	int error = source->read(source->context, state->position, &body);
	if (!error)
		error = record_decode_message(body, state->position, &m);
	if (error == ERROR_DAMAGED) {
		char topic[200];
		recovery_text(span_of(state->topic, state->len), topic, sizeof(topic));
		recovery_lost(b->recovery, 1, "retained message of topic %s is damaged", topic);
		return 0;
	}
	if (error)
		return error;
	if (b->shard_count > 1)
		message_share(m);
	for (unsigned i = 0; i < b->shard_count; i++)
		retain_apply(&b->shards[i], m);
	message_unref(m);
	return 0;
}

static int load_retained(struct loading *l, struct unpacker *u)
{
	struct retained_state *state = mem_alloc(sizeof(*state));
	int error = 0;
	if (!state)
		return ERROR_NO_MEMORY;
	state->len = 0;
	state->position = 0;
	for (uint64_t n = unpack_number(u, SNAPSHOT_ENTRIES_MAX); n > 0 && !error; n--) {
		unpack_retained(u, state);
		error = u->is_failed ? ERROR_DAMAGED : load_one_retained(l, state);
	}
	mem_free(state);
	return error;
}

static int load_limits(struct loading *l, struct unpacker *u)
{
	struct limits limits = {
		.subscriptions_per_client_max = (uint32_t)unpack_number(u, UINT32_MAX),
		.topic_levels_max = (uint16_t)unpack_number(u, UINT16_MAX),
		.qos_max = unpack_u8(u),
		.upgrade_outgoing_qos = unpack_u8(u),
	};
	for (unsigned i = 0; i < l->broker->shard_count; i++)
		l->broker->shards[i].limits = limits;
	return 0;
}

static int load_item(struct loading *l, struct item *item)
{
	struct unpacker *u = &item->fields;
	int error = 0;
	switch (item->tag) {
	case SNAPSHOT_SESSION: error = load_session(l, u); break;
	case SNAPSHOT_GROUP:
	case SNAPSHOT_RETURNING:
		error = load_group(l, u);
		/* of both there may be some, whichever comes first */
		l->is_in_no_order =
			!error && (item->tag == SNAPSHOT_RETURNING || l->queue->count > 0);
		break;
	case SNAPSHOT_QUEUE: error = load_queue(l, u); break;
	case SNAPSHOT_REPLAY: error = load_replay(l, u); break;
	case SNAPSHOT_RETAINED: error = load_retained(l, u); break;
	case SNAPSHOT_LIMITS: error = load_limits(l, u); break;
	default: break; /* of a newer minor version */
	}
	return error || !u->is_failed ? error : ERROR_DAMAGED;
}

int snapshot_load(struct broker *b, uint64_t position, struct span bytes)
{
	struct unpacker image = unpacker_of(bytes), items;
	struct loading loading = {.broker = b};
	uint64_t at;
	int error = is_complete(bytes) ? 0 : ERROR_DAMAGED;
	while (!error && next_part(&image, &items, &at)) {
		struct item item;
		loading.queue = NULL;
		if (at != position)
			return ERROR_DAMAGED;
		while (!error && next_item(&items, &item))
			error = load_item(&loading, &item);
		if (!error && items.is_failed)
			error = ERROR_DAMAGED;
		recovery_settle(b);
	}
	for (unsigned i = 0; i < b->shard_count; i++)
		group_loaded(&b->shards[i]);
	return error;
}

/* References */

struct finding {
	void (*found)(void *context, uint64_t position);
	void *context;
	bool is_of_session;
	struct snapshot_entry_state before;
	struct retained_state *retained;
};

static void find_in_queue(struct finding *f, struct unpacker *u)
{
	uint64_t count = unpack_number(u, SNAPSHOT_ENTRIES_MAX);
	unpack_number(u, UINT64_MAX);
	for (uint64_t i = 0; i < count && !u->is_failed; i++) {
		unpack_entry(u, f->is_of_session, &f->before);
		if (!(f->before.flags & QUEUED_RELEASED) && !u->is_failed)
			f->found(f->context, f->before.stored);
	}
}

static void find_in_retained(struct finding *f, struct unpacker *u)
{
	f->retained->len = 0;
	f->retained->position = 0;
	for (uint64_t n = unpack_number(u, SNAPSHOT_ENTRIES_MAX); n > 0 && !u->is_failed; n--) {
		unpack_retained(u, f->retained);
		if (!u->is_failed)
			f->found(f->context, f->retained->position);
	}
}

static bool find_in_item(struct finding *f, struct item *item)
{
	switch (item->tag) {
	case SNAPSHOT_SESSION:
	case SNAPSHOT_GROUP:
	case SNAPSHOT_RETURNING:
		f->is_of_session = item->tag == SNAPSHOT_SESSION;
		f->before = (struct snapshot_entry_state){0};
		break;
	case SNAPSHOT_QUEUE: find_in_queue(f, &item->fields); break;
	case SNAPSHOT_RETAINED: find_in_retained(f, &item->fields); break;
	default: break;
	}
	return !item->fields.is_failed;
}

bool snapshot_references(struct span bytes, void (*found)(void *context, uint64_t position),
			 void *context)
{
	struct unpacker image = unpacker_of(bytes), items;
	struct retained_state *state = mem_alloc(sizeof(*state));
	struct finding f = {.found = found, .context = context, .retained = state};
	uint64_t position;
	bool is_good = state && is_complete(bytes);
	while (is_good && next_part(&image, &items, &position)) {
		struct item item;
		while (is_good && next_item(&items, &item))
			is_good = find_in_item(&f, &item);
		is_good &= !items.is_failed;
	}
	mem_free(state);
	return is_good;
}
