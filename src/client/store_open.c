/* SPDX-License-Identifier: Apache-2.0 */
/* A client's store from a directory, and back. */
#include "base/mem.h"
#include "client/store_inside.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#define SEGMENT_BYTES_MAX ((uint32_t)1 << 20)
#define SEGMENT_BYTES_MIN ((uint32_t)64 << 10)
/* Segments that a journal has beside what is wanted: docs/JOURNAL.md, "A checkpoint". */
#define SEGMENTS_BESIDE 16
/* So many segments fit into what a store may have: they are its grain. */
#define SEGMENTS_WANTED 64

static PRINTF_LIKE(3, 4) int refuse(char reason[STORE_REASON_MAX], int error, const char *format,
				    ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason, STORE_REASON_MAX, format, arguments);
	va_end(arguments);
	return error;
}

static uint32_t segment_bytes_of(uint64_t bytes_max)
{
	uint32_t len = SEGMENT_BYTES_MAX;
	while (len > SEGMENT_BYTES_MIN && len > bytes_max / SEGMENTS_WANTED)
		len /= 2;
	return len;
}

static struct journal_options journal_options_of(const struct store_options *options,
						 const struct disk_facts *facts)
{
	struct journal_options o;
	facts->is_flash_card ? journal_options_flash(&o) : journal_options_server(&o);
	o.has_threads = options->has_threads;
	o.keeps_priority = true; /* the program's threads are not ours to overtake */
	o.bytes_max = options->bytes_max;
	o.segment_bytes = segment_bytes_of(options->bytes_max);
	o.store_id = options->store_id;
	return o;
}

/* --- what is there --- */

static int image(void *context, uint64_t position, struct span bytes)
{
	struct client_store *s = context;
	(void)position;
	return store_state_load(&s->state, bytes);
}

static int record(void *context, uint64_t position, struct span body)
{
	struct client_store *s = context;
	return store_state_replay(&s->state, position, body);
}

static int damage(void *context, const struct journal_damage *d)
{
	struct client_store *s = context;
	char text[STORE_REASON_MAX];
	snprintf(text, sizeof(text),
		 "The store is damaged in the file %s: messages that stood there are lost, or may "
		 "be sent or given once more.",
		 d->file ? d->file : "of its log");
	if (s->hooks.say)
		s->hooks.say(s->hooks.context, text);
	return 0;
}

static int take_identity(struct client_store *s, struct span client_id,
			 char reason[STORE_REASON_MAX])
{
	const char *mine = s->state.client_id;
	if (!mine || client_id.len == 0 || span_is_equal(client_id, span_of_text(mine)))
		return 0;
	return refuse(reason, ERROR_INVALID,
		      "The store is of the client id '%s', not '%.*s': give each client a "
		      "directory of its own.",
		      mine, (int)client_id.len, (const char *)client_id.ptr);
}

static int recover(struct client_store *s, const struct store_options *options,
		   char reason[STORE_REASON_MAX])
{
	const struct journal_recovery recovery = {s, image, record, damage};
	reason[0] = '\0';
	int error = journal_recover(s->journal, &recovery, reason);
	if (error && !reason[0])
		return refuse(reason, error,
			      "The store holds what this version does not understand (%s).",
			      error_text(error));
	if (error)
		return error;
	s->is_new = !s->state.client_id;
	return take_identity(s, options->client_id, reason);
}

/* Of the journal: its record of a message is as long as a segment at least. */
static uint64_t live_bytes_max(const struct client_store *s, uint64_t bytes_max)
{
	uint64_t beside = (uint64_t)journal_log(s->journal)->batch_bytes_max * SEGMENTS_BESIDE;
	return bytes_max > beside ? (bytes_max - beside) / 2 : 0;
}

static int make_identity(struct client_store *s, struct span client_id)
{
	char text[32];
	uint64_t random[2];
	struct store_record r = {.kind = STORE_IDENTITY, .client_id = client_id};
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return ERROR_SYSTEM;
	if (client_id.len == 0) {
		/* [MQTT-3.1.3-5]: letters and digits, 23 at most, suit any server */
		snprintf(text, sizeof(text), "nj%016llx", (unsigned long long)random[0]);
		r.client_id = span_of_text(text);
	}
	/* Packet ids follow from numbers: from another place than in a store that was lost, whose
	 * ids the server may still hold. */
	r.number = 1 + (random[1] & UINT32_MAX);
	return store_state_identify(&s->state, &r);
}

int client_store_open(struct client_store *s, struct disk *disk,
		      const struct store_options *options, const struct store_hooks *hooks,
		      char reason[STORE_REASON_MAX])
{
	struct journal_hooks journal_hooks = client_store_journal_hooks;
	struct disk_facts facts;
	*s = (struct client_store){.hooks = *hooks};
	store_state_init(&s->state);
	journal_hooks.context = s;
	disk->ops->facts(disk, &facts);
	struct journal_options o = journal_options_of(options, &facts);
	int error = journal_open(disk, &o, &journal_hooks, &s->journal, reason);
	if (error)
		goto done;
	error = recover(s, options, reason);
	if (!error && s->is_new && make_identity(s, options->client_id))
		error = refuse(reason, ERROR_NO_MEMORY, "No memory for the store.");
	if (!error)
		s->live_bytes_max = live_bytes_max(s, options->bytes_max);
done:
	if (error)
		client_store_close(s);
	return error;
}

/* --- messages --- */

static int load(struct client_store *s, uint64_t position, struct store_record *r,
		char reason[STORE_REASON_MAX])
{
	struct span body;
	int error = journal_recover_read(s->journal, position, &body);
	if (!error)
		error = store_record_decode(body, r);
	if (error)
		return refuse(reason, error, "A message of the store cannot be read: %s.",
			      error == ERROR_SYSTEM ? strerror(errno) : error_text(error));
	return 0;
}

static bool is_damage(int error)
{
	return error == ERROR_DAMAGED || error == ERROR_INVALID;
}

int client_store_load(struct client_store *s,
		      int (*found)(void *context, const struct store_record *r, void *subject),
		      void *context, char reason[STORE_REASON_MAX])
{
	int error = 0;
	struct link *next;
	for (struct link *at = s->state.out.next; !error && at != &s->state.out; at = next) {
		struct store_out *e = CONTAINER_OF(at, struct store_out, link);
		struct store_record r = {
			.kind = STORE_OUT, .number = e->number, .mark = e->mark, .qos = e->qos};
		next = at->next;
		if (!e->is_received)
			error = load(s, e->position, &r, reason);
		if (is_damage(error)) {
			store_state_drop_out(&s->state, e);
			error = 0;
		} else if (!error && found(context, &r, e)) {
			error = refuse(reason, ERROR_NO_MEMORY, "No memory for the store.");
		}
	}
	for (struct link *at = s->state.in.next; !error && at != &s->state.in; at = next) {
		struct store_in *e = CONTAINER_OF(at, struct store_in, link);
		struct store_record r = {.kind = STORE_IN, .number = e->number, .qos = e->qos};
		next = at->next;
		if (!e->is_acked)
			error = load(s, e->position, &r, reason);
		r.packet_id = e->packet_id;
		if (is_damage(error)) {
			store_state_drop_in(&s->state, e);
			error = 0;
		} else if (!error && found(context, &r, e)) {
			error = refuse(reason, ERROR_NO_MEMORY, "No memory for the store.");
		}
	}
	return error;
}

/* --- start and end --- */

int client_store_start(struct client_store *s, char reason[STORE_REASON_MAX])
{
	int error = journal_start(s->journal, reason);
	if (error)
		return error;
	s->is_started = true;
	if (s->is_new && client_store_put_identity(s))
		return refuse(reason, ERROR_NO_MEMORY, "No memory for the store.");
	return 0;
}

void client_store_close(struct client_store *s)
{
	if (s->journal)
		journal_close(s->journal);
	store_state_release(&s->state);
	*s = (struct client_store){0};
}
