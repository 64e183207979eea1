/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/bus.h"

#include "base/mem.h"
#include "broker/admit.h"
#include "broker/change.h"
#include "broker/group.h"
#include "broker/handle.h"
#include "broker/interest.h"
#include "broker/publish.h"
#include "broker/see.h"
#include "broker/shard.h"

static void post(struct shard *s, unsigned to, bool is_light)
{
	struct parcel *parcel = s->parcels[to];
	struct shard *receiver = shard_at(s, to);
	s->parcels[to] = NULL;
	shard_settle(s);
	atomic_fetch_add_explicit(&receiver->inbox_bytes, parcel->bytes, memory_order_relaxed);
	if (is_light)
		mailbox_push(&receiver->mailbox, &parcel->mail);
	else
		mailbox_post(&receiver->mailbox, &parcel->mail);
}

struct letter *bus_letter(struct shard *s, unsigned to, size_t object_bytes)
{
	struct parcel *parcel = s->parcels[to];
	if (parcel && parcel->count == PARCEL_LETTERS_MAX) {
		post(s, to, false);
		parcel = NULL;
	}
	if (!parcel) {
		parcel = mem_alloc(sizeof(*parcel));
		ASSERT(parcel);
		parcel->batch = NULL;
		parcel->read = NULL;
		parcel->bytes = sizeof(*parcel);
		parcel->count = 0;
		parcel->from = (uint16_t)s->index;
		s->parcels[to] = parcel;
	}
	parcel->bytes += object_bytes;
	return &parcel->letters[parcel->count++];
}

uint64_t bus_flush(struct shard *s, bool is_light)
{
	uint64_t unaware = 0;
	s->is_congested = s->undurable_bytes > UNDURABLE_BYTES_MAX;
	for (unsigned to = 0; to < s->broker->shard_count; to++) {
		if (s->parcels[to]) {
			post(s, to, is_light);
			unaware |= is_light ? 1ull << to : 0;
		}
		size_t inbox =
			atomic_load_explicit(&shard_at(s, to)->inbox_bytes, memory_order_relaxed);
		s->is_congested |= to != s->index && inbox > INBOX_BYTES_MAX;
	}
	return unaware;
}

static void open_verdict(struct shard *s, const struct letter *letter)
{
	struct session *session = session_by_number(s, letter->session);
	struct verdict v = {.session = letter->session,
			    .ticket = letter->ticket,
			    .delegates = letter->delegates,
			    .is_delegate = letter->is_delegate,
			    .reason_code = letter->reason_code};
	if (session)
		acks_verdict(session, &v);
}

static void open_letter(struct shard *s, const struct letter *letter)
{
	struct origin origin = {letter->session, letter->ticket, letter->origin};
	switch (letter->kind) {
	case LETTER_PUBLISH:
		publish_arrive(s, letter->object, &origin);
		message_unref(letter->object);
		break;
	case LETTER_VERDICT: open_verdict(s, letter); break;
	case LETTER_CONNECTION: connect_arrive(s, letter->object); break;
	case LETTER_ACCESS: identities_change_access(s, letter->object); break;
	case LETTER_SETTINGS: settings_change(s, letter->object); break;
	case LETTER_LOGIN: admit_answered(s, letter->object); break;
	case LETTER_INTEREST:
	case LETTER_INTEREST_KNOWN: interest_letter(s, letter); break;
	default: group_letter(s, letter); break;
	}
}

static void open_batch(struct shard *s, struct log_batch *batch)
{
	bool is_own = batch->origin == s->index;
	if (is_own)
		batch_returned(s, batch);
	for (struct log_entry *entry = batch->first; entry; entry = entry->next) {
		struct command *command = CONTAINER_OF(entry, struct command, entry);
		if (!(entry->targets & shard_bit(s)))
			continue;
		if (is_own)
			s->applied = command->sequence;
		if (UNLIKELY(batch->error)) {
			command_failed(s, command);
		} else {
			s->position = entry->position;
			apply(s, command);
		}
	}
	batch_unref(batch);
}

static void post_batch(struct shard *to, struct log_batch *batch)
{
	struct parcel *parcel = mem_alloc(offsetof(struct parcel, letters));
	ASSERT(parcel);
	parcel->batch = batch;
	parcel->read = NULL;
	parcel->bytes = CONTAINER_OF(batch, struct batch, log)->bytes;
	parcel->count = 0;
	parcel->from = (uint16_t)batch->origin;
	atomic_fetch_add_explicit(&to->inbox_bytes, parcel->bytes, memory_order_relaxed);
	mailbox_post(&to->mailbox, &parcel->mail);
}

void bus_post(struct broker *b, unsigned to, const struct letter *letter)
{
	struct parcel *parcel = mem_alloc(offsetof(struct parcel, letters) + sizeof(*letter));
	struct shard *receiver = &b->shards[to];
	ASSERT(parcel);
	parcel->batch = NULL;
	parcel->read = NULL;
	parcel->bytes = sizeof(*letter);
	parcel->count = 1;
	parcel->from = (uint16_t)to;
	parcel->letters[0] = *letter;
	atomic_fetch_add_explicit(&receiver->inbox_bytes, parcel->bytes, memory_order_relaxed);
	mailbox_post(&receiver->mailbox, &parcel->mail);
}

/* Whoever keeps a message keeps with it where it stands. Only this thread knows of it by now. */
static void set_positions(struct log_batch *batch)
{
	for (struct log_entry *entry = batch->first; entry; entry = entry->next) {
		struct command *command = CONTAINER_OF(entry, struct command, entry);
		if (command->kind == COMMAND_PUBLISH)
			command->message->position = entry->position;
	}
}

/* The origin comes last: what it sends after seeing its own commands applied must not overtake
 * them on the way to the others. What failed is its business alone. */
void bus_committed(void *context, struct log_batch *batch)
{
	struct broker *b = context;
	unsigned origin = batch->origin;
	uint64_t others = batch->targets & ~(1ull << origin);
	if (UNLIKELY(batch->error)) {
		atomic_store(&CONTAINER_OF(batch, struct batch, log)->refs, 1);
		others = 0;
	} else {
		set_positions(batch);
	}
	while (others) {
		post_batch(&b->shards[__builtin_ctzll(others)], batch);
		others &= others - 1;
	}
	post_batch(&b->shards[origin], batch);
}

static void open_parcel(struct shard *s, struct parcel *parcel)
{
	for (uint32_t i = 0; i < parcel->count; i++)
		open_letter(s, &parcel->letters[i]);
	if (parcel->batch)
		open_batch(s, parcel->batch);
	if (parcel->read)
		fetch_arrived(s, parcel->read);
	atomic_fetch_sub_explicit(&s->inbox_bytes, parcel->bytes, memory_order_relaxed);
	mem_free(parcel);
}

bool bus_has_commands(const struct mail *mail)
{
	for (; mail; mail = mail->next)
		if (CONTAINER_OF(mail, struct parcel, mail)->batch)
			return true;
	return false;
}

void bus_open(struct shard *s, struct mail *mail)
{
	while (mail) {
		struct mail *next = mail->next;
		open_parcel(s, CONTAINER_OF(mail, struct parcel, mail));
		mail = next;
	}
}

void bus_receive(struct shard *s)
{
	bus_open(s, mailbox_take(&s->mailbox));
}

static void discard_letter(const struct letter *letter)
{
	struct connection *c = letter->object;
	switch (letter->kind) {
	case LETTER_PUBLISH: message_unref(letter->object); break;
	case LETTER_CONNECTION:
		c->stream.ops->close(&c->stream);
		connection_free(c);
		break;
	case LETTER_VERDICT: break;
	case LETTER_ACCESS: access_unref(letter->object); break;
	case LETTER_SETTINGS: settings_unref(letter->object); break;
	case LETTER_LOGIN: login_free(letter->object); break;
	case LETTER_INTEREST:
	case LETTER_INTEREST_KNOWN: interest_letter_discard(letter); break;
	default: group_letter_discard(letter); break;
	}
}

static void discard_parcel(struct parcel *parcel)
{
	for (uint32_t i = 0; i < parcel->count; i++)
		discard_letter(&parcel->letters[i]);
	if (parcel->batch)
		batch_unref(parcel->batch);
	if (parcel->read)
		fetch_discard(parcel->read);
	mem_free(parcel);
}

void bus_discard(struct shard *s)
{
	struct mail *mail = mailbox_take(&s->mailbox);
	while (mail) {
		struct mail *next = mail->next;
		discard_parcel(CONTAINER_OF(mail, struct parcel, mail));
		mail = next;
	}
	for (unsigned to = 0; to < s->broker->shard_count; to++)
		if (s->parcels[to]) {
			discard_parcel(s->parcels[to]);
			s->parcels[to] = NULL;
		}
}
