/* SPDX-License-Identifier: Apache-2.0 */
/* Every byte is what was written: the journal's checksums, and that each record means something. */
#include "admin/journal_tool.h"

#include "broker/record.h"
#include "broker/snapshot.h"

#include <inttypes.h>
#include <stdio.h>

struct check {
	const struct journal_tool *tool;
	json_t *damages; /* an array; NULL for text */
	uint64_t segments, records, images, bytes, damaged;
};

static void tell_damage(struct check *c, const char *what, const char *file, uint64_t from,
			uint64_t to)
{
	c->damaged++;
	if (c->damages) {
		json_array_append_new(c->damages,
				      json_pack("{s:s, s:s, s:s, s:s}", "what", what, "file",
						file ? file : "", "from", journal_position(from),
						"to", journal_position(to)));
		return;
	}
	printf("%s: %s from %s to %s\n", file ? file : c->tool->path, what, journal_position(from),
	       journal_position(to));
}

static void on_segment(void *context, const struct journal_segment *segment)
{
	struct check *c = context;
	c->segments++;
	c->bytes += segment->file_bytes;
}

static void ignore_position(void *context, uint64_t position)
{
	(void)context;
	(void)position;
}

static void on_image(void *context, const char *file, uint64_t position, struct span image,
		     bool is_whole)
{
	struct check *c = context;
	c->images++;
	if (!is_whole || !snapshot_references(image, ignore_position, NULL))
		tell_damage(c, "the checkpoint is damaged", file, position, position);
}

static void on_record(void *context, uint64_t position, struct span body)
{
	struct check *c = context;
	struct command *command;
	c->records++;
	if (record_decode(body, position, &command) == 0)
		command_free(command);
	else
		tell_damage(c, "the record is none of ours", NULL, position, position);
}

static void on_damage(void *context, const struct journal_damage *damage)
{
	tell_damage(context, "bytes are not what was written", damage->file, damage->from,
		    damage->to);
}

static bool print_result(const struct check *c)
{
	if (c->damages)
		return journal_print(json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:O}", "directory",
					       c->tool->path, "is_sound", c->damaged == 0,
					       "segments", (json_int_t)c->segments, "checkpoints",
					       (json_int_t)c->images, "records",
					       (json_int_t)c->records, "bytes",
					       (json_int_t)c->bytes, "damages", c->damages),
				     false);
	printf("%s: %" PRIu64 " segments, %" PRIu64 " checkpoints, %" PRIu64 " records, %" PRIu64
	       " bytes: %s\n",
	       c->tool->path, c->segments, c->images, c->records, c->bytes,
	       c->damaged == 0 ? "sound" : "damaged");
	return true;
}

int journal_check(struct journal_tool *t)
{
	char reason[JOURNAL_REASON_MAX];
	struct check c = {.tool = t, .damages = t->is_json ? json_array() : NULL};
	struct journal_survey survey = {
		.context = &c,
		.segment = on_segment,
		.image = on_image,
		.record = on_record,
		.damage = on_damage,
	};
	int status;
	if (journal_survey(t->disk, &survey, reason) != 0)
		status = journal_complain("cannot check '%s': %s", t->path, reason);
	else if (!print_result(&c))
		status = journal_complain("cannot print the result");
	else
		status = c.damaged == 0 ? JOURNAL_SOUND : JOURNAL_DAMAGED;
	json_decref(c.damages);
	return status;
}
