/* SPDX-License-Identifier: Apache-2.0 */
/*
 * include_dir: the files of a directory whose names end in ".conf", as if they stood where that
 * line stands. As with mosquitto only the main file may have it, and each file begins anew, above
 * its first `listener` line; behind the line the main file goes on below its own listener.
 */
#include "config/reading.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define SUFFIX ".conf"
#define SUFFIX_LEN (sizeof(SUFFIX) - 1)

static bool is_wanted(const char *name)
{
	size_t len = strlen(name);
	return len > SUFFIX_LEN && strcmp(name + len - SUFFIX_LEN, SUFFIX) == 0;
}

static int upper(uint8_t letter)
{
	return letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter;
}

/* mosquitto's order: by the alphabet, and of one letter the large one first. */
static int compare(const void *left, const void *right)
{
	const uint8_t *a = *(const uint8_t *const *)left, *b = *(const uint8_t *const *)right;
	while (*a && *a == *b) {
		a++;
		b++;
	}
	int difference = upper(*a) - upper(*b);
	return difference != 0 ? difference : *a - *b;
}

/* Borrowed from the list, sorted. */
struct names {
	const char *all[CONFIG_FILES_MAX];
	size_t count;
};

static int collect(const struct reading *r, struct span list, struct names *names)
{
	while (list.len > 0) {
		const char *name = (const char *)list.ptr;
		size_t taken = strlen(name) + 1;
		list = span_of(list.ptr + taken, list.len - taken);
		if (!is_wanted(name))
			continue;
		if (names->count == ARRAY_COUNT(names->all))
			return reading_refuse_value(r, "holds more than %d files",
						    CONFIG_FILES_MAX);
		names->all[names->count++] = name;
	}
	qsort(names->all, names->count, sizeof(names->all[0]), compare);
	return 0;
}

static bool is_same_file(struct config_file_id a, struct config_file_id b)
{
	return (a.device || a.number) && a.device == b.device && a.number == b.number;
}

int file_enter(struct reading *r, struct config_file_id id)
{
	struct config *c = r->config;
	for (size_t i = 0; i < c->file_count; i++) {
		if (is_same_file(c->files[i].id, id))
			return reading_refuse(
				r, "is included, but was read already%s%s: put it elsewhere",
				strcmp(c->files[i].name, r->file) == 0 ? "" : " as ",
				strcmp(c->files[i].name, r->file) == 0 ? "" : c->files[i].name);
	}
	if (c->file_count == CONFIG_FILES_MAX)
		return reading_refuse(r, "a configuration has at most %d files", CONFIG_FILES_MAX);
	struct config_file *files = mem_realloc(c->files, (c->file_count + 1) * sizeof(*c->files));
	if (!files)
		return ERROR_NO_MEMORY;
	c->files = files;
	char *name = mem_copy_text(span_of_text(r->file));
	if (!name)
		return ERROR_NO_MEMORY;
	r->file_index = (uint16_t)c->file_count;
	c->files[c->file_count++] = (struct config_file){.name = name, .id = id};
	return 0;
}

static int read_file(struct reading *r)
{
	const struct config_source *source = &r->config->source;
	struct buffer text = {0};
	struct config_file_id id = {0};
	char reason[CONFIG_REASON_MAX];
	int rc = source->read(source->context, r->file, &text, &id, reason);
	if (rc == ERROR_SYSTEM || rc == ERROR_LIMIT)
		rc = reading_refuse(r, "%s", reason);
	if (rc == 0)
		rc = file_enter(r, id);
	if (rc == 0)
		rc = file_read_lines(r, buffer_content(&text));
	buffer_release(&text);
	return rc;
}

int config_load_file(struct config *c, const char *path, struct config_report *report)
{
	struct reading r = {.config = c, .report = report, .file = path};
	int rc = read_file(&r);
	return report->is_out_of_memory ? ERROR_NO_MEMORY : rc;
}

/* The directory of the line, with one '/' between. */
static char *path_of(struct span directory, const char *name)
{
	size_t len = directory.len + 1 + strlen(name) + 1;
	char *path = mem_alloc(len);
	bool has_slash = directory.ptr[directory.len - 1] == '/';
	if (path)
		snprintf(path, len, "%.*s%s%s", (int)directory.len, (const char *)directory.ptr,
			 has_slash ? "" : "/", name);
	return path;
}

static int read_included(const struct reading *r, const char *name)
{
	char *path = path_of(r->value, name);
	if (!path)
		return ERROR_NO_MEMORY;
	struct reading inner = {.config = r->config, .report = r->report, .file = path};
	size_t listener = r->config->current_listener;
	r->config->current_listener = 0;
	int rc = read_file(&inner);
	r->config->current_listener = listener;
	mem_free(path);
	return rc;
}

static int read_all(const struct reading *r, const struct names *names)
{
	int rc = 0;
	for (size_t i = 0; i < names->count; i++) {
		int file_rc = read_included(r, names->all[i]);
		if (file_rc == ERROR_NO_MEMORY)
			return file_rc;
		rc = file_rc ? file_rc : rc;
	}
	return rc;
}

/* Its name, kept with the configuration; NULL without memory. */
static const char *note_directory(const struct reading *r)
{
	struct config *c = r->config;
	size_t size = (c->include_dir_count + 1) * sizeof(*c->include_dirs);
	char **all = mem_realloc(c->include_dirs, size);
	if (!all)
		return NULL;
	c->include_dirs = all;
	char *path = mem_copy_text(r->value);
	if (path)
		all[c->include_dir_count++] = path;
	return path;
}

int read_include_dir(struct reading *r)
{
	const struct config_source *source = &r->config->source;
	struct buffer list = {0};
	struct names names = {.count = 0};
	char reason[CONFIG_REASON_MAX];
	if (r->file_index > 0)
		return reading_refuse(r, "only the main file may have it: move the line to %s",
				      r->config->files[0].name);
	const char *path = note_directory(r);
	int rc = path ? source->list(source->context, path, &list, reason) : ERROR_NO_MEMORY;
	if (rc == ERROR_SYSTEM)
		rc = reading_refuse(r, "%s", reason);
	if (rc == 0)
		rc = collect(r, buffer_content(&list), &names);
	if (rc == 0)
		rc = read_all(r, &names);
	buffer_release(&list);
	return rc;
}
