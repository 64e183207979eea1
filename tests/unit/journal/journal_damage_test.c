/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damage done to a closed store: a bit flipped in any byte, a file cut off at any length, a file
 * gone. It must never be silent: each record comes back as it was, or is said to be lost, and
 * nothing else comes back.
 *
 *     journal_damage_test [--seeds N] [--from S] [--step BYTES]
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

#define SEEDS 3
#define STEP 1021 /* every so many bytes: all of them take minutes */

static struct {
	uint64_t runs, told, missing, unreadable, fallbacks, copies;
} seen;

static void build(struct model *m, uint64_t seed)
{
	char reason[JOURNAL_REASON_MAX];
	model_init(m, seed, 0);
	if (model_open(m, reason) != 0)
		model_fail(m, "it does not start: %s", reason);
	for (unsigned turn = 0; turn < 300; turn++) {
		model_append(m);
		if (turn % 90 == 60)
			model_checkpoint(m);
		model_work(m, 1000);
		m->now += 5;
	}
	model_close(m);
	simdisk_settle(m->disk);
}

static struct model copy_of(const struct model *m)
{
	struct model copy = *m;
	copy.disk = simdisk_clone(m->disk, 1);
	copy.entries = malloc(m->count * sizeof(*m->entries));
	ASSERT(copy.entries);
	memcpy(copy.entries, m->entries, m->count * sizeof(*m->entries));
	copy.capacity = m->count;
	copy.has_gap_allowed = true;
	copy.durable = copy.newest_position;
	return copy;
}

/* The damaged store starts, or says why not; the model checks what it gives. */
static void check(struct model *m, const char *name)
{
	char reason[JOURNAL_REASON_MAX] = "";
	uint64_t len;
	int error = model_open(m, reason);
	seen.runs++;
	if (error && (strcmp(name, FORMAT_FILE) != 0 || !reason[0]))
		model_fail(m, "%s is damaged, and it does not start: %s", name, reason);
	if (!error) {
		seen.told += m->stretch_count > 0;
		seen.missing += m->missing;
		seen.unreadable += model_read_all(m);
		if (m->stretch_count > 0 && !simdisk_size(m->disk, "DAMAGED", &len))
			model_fail(m, "%s is damaged, and there is no report", name);
		model_close(m);
	}
	model_release(m);
}

static void flip_all(const struct model *whole, const char *name, uint64_t step)
{
	uint64_t len = 0;
	ASSERT(simdisk_size(whole->disk, name, &len));
	for (uint64_t at = 0; at < len; at += step) {
		struct model m = copy_of(whole);
		ASSERT(simdisk_flip(m.disk, name, at, (unsigned)(at % 8)));
		check(&m, name);
	}
}

static void truncate_all(const struct model *whole, const char *name, uint64_t step)
{
	uint64_t len = 0;
	ASSERT(simdisk_size(whole->disk, name, &len));
	for (uint64_t at = 0; at < len; at += step) {
		struct model m = copy_of(whole);
		ASSERT(simdisk_truncate(m.disk, name, at));
		check(&m, name);
	}
}

/* The segment that was written last: nothing in the other files says that it was there. */
static bool is_last(const struct model *m, uint32_t number)
{
	return number >= position_segment(m->newest_position);
}

static void remove_one(const struct model *whole, const char *name)
{
	uint32_t number = 0;
	if (file_name_parse(name, &number) == FILE_SEGMENT && is_last(whole, number))
		return;
	struct model m = copy_of(whole);
	ASSERT(simdisk_remove(m.disk, name));
	check(&m, name);
}

static void damage_file(const struct model *whole, const char *found, uint64_t step)
{
	char name[DISK_NAME_MAX];
	uint32_t number;
	snprintf(name, sizeof(name), "%s", found);
	enum file_kind kind = file_name_parse(name, &number);
	if (kind == FILE_SPARE || (kind == FILE_OTHER && strcmp(name, FORMAT_FILE) != 0))
		return;
	seen.copies += kind == FILE_COMPACTED;
	flip_all(whole, name, step);
	truncate_all(whole, name, kind == FILE_OTHER || step == 1 ? 1 : 8 * step);
	if (kind != FILE_OTHER)
		remove_one(whole, name);
}

/* --- the survey of a whole store finds all that is wanted, and no damage --- */

struct surveyed {
	struct model *m;
	uint64_t last, records, segments, images, damage;
};

static void see_segment(void *context, const struct journal_segment *segment)
{
	struct surveyed *s = context;
	s->segments++;
	ASSERT(segment->file_bytes > 0);
}

static void see_image(void *context, const char *file, uint64_t position, struct span image,
		      bool is_whole)
{
	struct surveyed *s = context;
	ASSERT(is_whole && file[0] && position > 0 && image.len > 0);
	s->images++;
}

static void see_record(void *context, uint64_t position, struct span body)
{
	struct surveyed *s = context;
	(void)body;
	if (position <= s->last)
		model_fail(s->m, "the survey goes back at %016llx", (unsigned long long)position);
	s->last = position;
	for (size_t i = 0; i < s->m->count; i++)
		if (s->m->entries[i].position == position && !s->m->entries[i].is_finished)
			s->records++;
}

static void see_damage(void *context, const struct journal_damage *damage)
{
	struct surveyed *s = context;
	model_fail(s->m, "the survey sees damage in %s at %016llx", damage->file,
		   (unsigned long long)damage->from);
}

static void survey_whole(struct model *m)
{
	char reason[JOURNAL_REASON_MAX];
	struct surveyed s = {.m = m};
	const struct journal_survey survey = {.context = &s,
					      .segment = see_segment,
					      .image = see_image,
					      .record = see_record,
					      .damage = see_damage};
	struct disk *disk = simdisk_attach(m->disk);
	uint64_t wanted = 0, changes = simdisk_calls(m->disk, SIMDISK_WRITE);
	for (size_t i = 0; i < m->count; i++)
		wanted += !m->entries[i].is_finished && m->entries[i].kind == MODEL_MESSAGE;
	if (journal_survey(disk, &survey, reason) != 0)
		model_fail(m, "no survey: %s", reason);
	ASSERT(simdisk_calls(m->disk, SIMDISK_WRITE) == changes);
	disk->ops->free(disk);
	if (s.records < wanted || s.images != 2 || s.segments < 3)
		model_fail(m, "the survey saw %llu wanted records of %llu",
			   (unsigned long long)s.records, (unsigned long long)wanted);
}

static void run(uint64_t seed, uint64_t step)
{
	struct model whole;
	const char *name;
	build(&whole, seed);
	survey_whole(&whole);
	for (unsigned n = 0; (name = simdisk_name(whole.disk, n)); n++)
		damage_file(&whole, name, step);
	model_release(&whole);
}

int main(int argc, char **argv)
{
	uint64_t seeds = SEEDS, from = 1, step = STEP;
	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], NULL, 10);
		if (strcmp(argv[i], "--seeds") == 0)
			seeds = value;
		else if (strcmp(argv[i], "--from") == 0)
			from = value;
		else if (strcmp(argv[i], "--step") == 0 && value > 0)
			step = value;
		else
			return 2;
	}
	for (uint64_t seed = from; seed < from + seeds; seed++)
		run(seed, step);
	printf("%llu damaged stores: %llu told, %llu records missing, %llu messages unreadable\n",
	       (unsigned long long)seen.runs, (unsigned long long)seen.told,
	       (unsigned long long)seen.missing, (unsigned long long)seen.unreadable);
	/* A run that met none of it has tested nothing. */
	return !(seen.told && seen.missing && seen.unreadable && seen.copies);
}
