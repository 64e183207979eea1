/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store holds: its files, records by kind, and whose messages. Alive is a record that the
 * newest checkpoint refers to, or that stands behind it: what a compaction keeps.
 */
#include "admin/journal_tool.h"

#include "admin/clients.h"
#include "base/buffer.h"
#include "base/mem.h"
#include "broker/record.h"
#include "broker/snapshot.h"
#include "queue/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Of those who fill the store. */
#define CLIENTS_SHOWN 10

struct amount {
	uint64_t records, bytes;
};

struct stats {
	const struct journal_tool *tool;
	struct clients clients;
	uint64_t image_position, image_bytes, images;
	uint64_t *references; /* of the newest image, ascending */
	size_t reference_count, reference_room;
	uint64_t segments, compacted, spare, file_bytes;
	struct amount kinds[COMMAND_KIND_COUNT + 1], all, alive, nobody;
	uint64_t damaged;
	bool is_out_of_memory;
};

/* The first time through: the newest image. */

static void on_reference(void *context, uint64_t position)
{
	struct stats *s = context;
	if (s->reference_count == s->reference_room) {
		size_t room = s->reference_room * 2 + 1024;
		uint64_t *more = mem_realloc(s->references, room * sizeof(*more));
		s->is_out_of_memory |= !more;
		if (!more)
			return;
		s->references = more;
		s->reference_room = room;
	}
	s->references[s->reference_count++] = position;
}

static void on_image(void *context, const char *file, uint64_t position, struct span image,
		     bool is_whole)
{
	struct stats *s = context;
	(void)file;
	s->images++;
	if (!is_whole || position < s->image_position)
		return;
	s->image_position = position;
	s->image_bytes = image.len;
	s->reference_count = 0;
	if (!snapshot_references(image, on_reference, s))
		s->damaged++;
}

static void skip_segment(void *context, const struct journal_segment *segment)
{
	(void)context;
	(void)segment;
}

static void skip_image(void *context, const char *file, uint64_t position, struct span image,
		       bool is_whole)
{
	(void)context;
	(void)file;
	(void)position;
	(void)image;
	(void)is_whole;
}

static void skip_record(void *context, uint64_t position, struct span body)
{
	(void)context;
	(void)position;
	(void)body;
}

static void skip_damage(void *context, const struct journal_damage *damage)
{
	(void)context;
	(void)damage;
}

/* The second time: all else. */

static void on_segment(void *context, const struct journal_segment *segment)
{
	struct stats *s = context;
	s->segments += !segment->is_spare;
	s->compacted += segment->is_compacted;
	s->spare += segment->is_spare;
	s->file_bytes += segment->file_bytes;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static bool is_alive(const struct stats *s, uint64_t position)
{
	return position > s->image_position ||
	       (s->reference_count > 0 &&
		bsearch(&position, s->references, s->reference_count, sizeof(position), compare));
}

static void add(struct amount *a, size_t bytes)
{
	a->records++;
	a->bytes += bytes;
}

static void count_command(struct stats *s, uint64_t position, const struct command *c, size_t bytes)
{
	if (c->kind == COMMAND_CONNECT)
		clients_add(&s->clients, position, command_text(c));
	if (c->kind != COMMAND_PUBLISH || !is_alive(s, position))
		return;
	struct client *client = clients_find(&s->clients, c->session_id);
	if (!client) {
		add(&s->nobody, bytes);
		return;
	}
	client->records++;
	client->bytes += bytes;
}

static void on_record(void *context, uint64_t position, struct span body)
{
	struct stats *s = context;
	struct command *c;
	add(&s->kinds[record_kind(body)], body.len);
	add(&s->all, body.len);
	if (is_alive(s, position))
		add(&s->alive, body.len);
	if (record_decode(body, position, &c) != 0)
		return;
	count_command(s, position, c, body.len);
	command_free(c);
}

static void on_damage(void *context, const struct journal_damage *damage)
{
	struct stats *s = context;
	(void)damage;
	s->damaged++;
}

/* Those with the most bytes, the largest first; how many. */
static unsigned largest(const struct stats *s, const struct client *found[CLIENTS_SHOWN])
{
	unsigned count = 0;
	uint32_t cursor = 0;
	for (const struct client *c; (c = map_next(&s->clients.by_log_id, &cursor));) {
		unsigned at = count;
		while (at > 0 && found[at - 1]->bytes < c->bytes)
			at--;
		if (c->records == 0 || at == CLIENTS_SHOWN)
			continue;
		count += count < CLIENTS_SHOWN;
		memmove(found + at + 1, found + at, (count - at - 1) * sizeof(*found));
		found[at] = c;
	}
	return count;
}

static const char *kind_name(unsigned kind)
{
	return kind < COMMAND_KIND_COUNT ? command_kind_name(kind) : "unknown";
}

static void print_text(const struct stats *s)
{
	const struct client *found[CLIENTS_SHOWN];
	unsigned count = largest(s, found);
	printf("%s\n", s->tool->path);
	printf("segments     %" PRIu64 " (%" PRIu64 " compacted), %" PRIu64 " spare, %" PRIu64
	       " bytes\n",
	       s->segments, s->compacted, s->spare, s->file_bytes);
	printf("checkpoints  %" PRIu64 ", the newest at %s, %" PRIu64 " bytes, %zu references\n",
	       s->images, journal_position(s->image_position), s->image_bytes, s->reference_count);
	printf("records      %" PRIu64 " with %" PRIu64 " bytes; alive %" PRIu64 " with %" PRIu64
	       ", dead %" PRIu64 " with %" PRIu64 "\n",
	       s->all.records, s->all.bytes, s->alive.records, s->alive.bytes,
	       s->all.records - s->alive.records, s->all.bytes - s->alive.bytes);
	for (unsigned i = 0; i <= COMMAND_KIND_COUNT; i++) {
		if (s->kinds[i].records > 0)
			printf("  %-12s %12" PRIu64 " %15" PRIu64 " bytes\n", kind_name(i),
			       s->kinds[i].records, s->kinds[i].bytes);
	}
	printf("publishers of what is alive\n");
	for (unsigned i = 0; i < count; i++) {
		printf("  ");
		journal_print_text(span_of(found[i]->name, found[i]->name_len));
		printf(" %" PRIu64 " messages, %" PRIu64 " bytes\n", found[i]->records,
		       found[i]->bytes);
	}
	printf("  others, without a session that survives: %" PRIu64 " messages, %" PRIu64
	       " bytes\n",
	       s->nobody.records, s->nobody.bytes);
	if (s->damaged > 0)
		printf("damaged      %" PRIu64 " stretches: see nightjar journal check\n",
		       s->damaged);
}

static json_t *amount_json(const struct amount *a)
{
	return json_pack("{s:I, s:I}", "records", (json_int_t)a->records, "bytes",
			 (json_int_t)a->bytes);
}

static json_t *document_of(const struct stats *s)
{
	const struct client *found[CLIENTS_SHOWN];
	unsigned count = largest(s, found);
	json_t *kinds = json_object(), *publishers = json_array();
	for (unsigned i = 0; i <= COMMAND_KIND_COUNT; i++) {
		if (s->kinds[i].records > 0)
			json_object_set_new(kinds, kind_name(i), amount_json(&s->kinds[i]));
	}
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(
			publishers,
			json_pack("{s:o, s:I, s:I}", "client",
				  journal_text(span_of(found[i]->name, found[i]->name_len)),
				  "messages", (json_int_t)found[i]->records, "bytes",
				  (json_int_t)found[i]->bytes));
	json_t *d =
		json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I}", "directory",
			  s->tool->path, "segments", (json_int_t)s->segments, "compacted",
			  (json_int_t)s->compacted, "spare", (json_int_t)s->spare, "file_bytes",
			  (json_int_t)s->file_bytes, "checkpoints", (json_int_t)s->images,
			  "references", (json_int_t)s->reference_count, "checkpoint_position",
			  journal_position(s->image_position), "damaged", (json_int_t)s->damaged);
	json_object_set_new(d, "all", amount_json(&s->all));
	json_object_set_new(d, "alive", amount_json(&s->alive));
	json_object_set_new(d, "kinds", kinds);
	json_object_set_new(d, "publishers", publishers);
	json_object_set_new(d, "other_publishers", amount_json(&s->nobody));
	return d;
}

static int look(struct stats *s, char reason[JOURNAL_REASON_MAX])
{
	struct journal_survey images = {
		.context = s,
		.segment = skip_segment,
		.image = on_image,
		.record = skip_record,
		.damage = skip_damage,
	};
	struct journal_survey rest = {
		.context = s,
		.segment = on_segment,
		.image = skip_image,
		.record = on_record,
		.damage = on_damage,
	};
	int error = journal_survey(s->tool->disk, &images, reason);
	if (error != 0)
		return error;
	if (s->reference_count > 0)
		qsort(s->references, s->reference_count, sizeof(*s->references), compare);
	return journal_survey(s->tool->disk, &rest, reason);
}

int journal_stats(struct journal_tool *t)
{
	char reason[JOURNAL_REASON_MAX];
	struct stats s = {.tool = t};
	int status = JOURNAL_SOUND;
	clients_init(&s.clients);
	if (look(&s, reason) != 0)
		status = journal_complain("cannot read '%s': %s", t->path, reason);
	else if (s.is_out_of_memory || s.clients.is_out_of_memory)
		status = journal_complain("there is not enough memory to count all of '%s'",
					  t->path);
	else if (!t->is_json)
		print_text(&s);
	else if (!journal_print(document_of(&s), false))
		status = journal_complain("cannot print the result");
	clients_release(&s.clients);
	mem_free(s.references);
	return status;
}
