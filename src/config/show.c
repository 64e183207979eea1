/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration as text that can be read again, or as JSON for programs. */
#include "config/show.h"

#include <stdarg.h>
#include <stdio.h>

#include "config/value_text.h"

struct page {
	const struct config *config;
	struct buffer *out;
	const char *group;         /* of the line before */
	enum shown_origin origin;  /* of the line before */
	struct config_place place; /* of the line before */
	bool has_origin;           /* of the line before: was it told? */
	bool is_in_listener;
	bool is_first; /* of a list */
};

static int add_text(struct buffer *out, const char *text)
{
	return buffer_append(out, span_of_text(text));
}

/* "/etc/nightjar.conf:3", harmless. */
static void place_text(const struct config *c, struct config_place place, char *text, size_t room)
{
	char name[VALUE_TEXT_MAX];
	foreign_text(c->files[place.file].name, name);
	snprintf(text, room, "%s:%u", name, place.line);
}

static int add_origin(struct page *p, const struct shown *s)
{
	char text[VALUE_TEXT_MAX + 16], line[VALUE_TEXT_MAX + 32];
	bool is_same = p->has_origin && p->origin == s->origin &&
		       (s->origin != SHOWN_FILE ||
			(p->place.file == s->place.file && p->place.line == s->place.line));
	p->has_origin = true;
	p->origin = s->origin;
	p->place = s->place;
	if (is_same)
		return 0;
	if (s->origin == SHOWN_FILE)
		place_text(p->config, s->place, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s",
			 s->origin == SHOWN_DEFAULT ? "default" : "command line");
	snprintf(line, sizeof(line), "# %s\n", text);
	return add_text(p->out, line);
}

/* A headline for each group, and an empty line before each listener. */
static int add_heading(struct page *p, const struct shown *s)
{
	bool is_listener = strcmp(s->name, "listener") == 0;
	bool is_new = s->listener ? is_listener : s->group != p->group;
	p->group = s->group;
	if (!is_new)
		return 0;
	p->has_origin = false;
	int rc = add_text(p->out, "\n");
	if (rc == 0 && !s->listener) {
		rc = add_text(p->out, "## ");
		rc = rc ? rc : add_text(p->out, s->group);
		rc = rc ? rc : add_text(p->out, "\n");
	}
	return rc;
}

static int show_line(void *context, const struct shown *s)
{
	struct page *p = context;
	int rc = add_heading(p, s);
	rc = rc ? rc : add_origin(p, s);
	rc = rc || s->value ? rc : add_text(p->out, "# ");
	rc = rc ? rc : add_text(p->out, s->name);
	rc = rc ? rc : add_text(p->out, s->value ? " " : ": ");
	rc = rc ? rc : add_text(p->out, s->value ? s->value : s->words);
	return rc ? rc : add_text(p->out, "\n");
}

static int show_files(const struct config *c, struct buffer *out)
{
	char name[VALUE_TEXT_MAX];
	int rc = add_text(out, c->file_count > 0 ? "# Read from:\n" : "# No file was read.\n");
	for (size_t i = 0; i < c->file_count && rc == 0; i++) {
		foreign_text(c->files[i].name, name);
		rc = add_text(out, "#   ");
		rc = rc ? rc : add_text(out, name);
		rc = rc ? rc : add_text(out, "\n");
	}
	return rc;
}

int config_show(const struct config *c, bool is_effective, struct buffer *out)
{
	struct page p = {.config = c, .out = out};
	int rc = show_files(c, out);
	return rc ? rc : config_walk(c, is_effective, show_line, &p);
}

/* --- JSON --- */

/* In quotes; what is no UTF-8 was made harmless before. */
static int add_json(struct buffer *out, const char *text)
{
	int rc = add_text(out, "\"");
	for (; *text && rc == 0; text++) {
		char escape[8];
		uint8_t byte = (uint8_t)*text;
		if (byte == '"' || byte == '\\')
			snprintf(escape, sizeof(escape), "\\%c", byte);
		else if (byte < 0x20)
			snprintf(escape, sizeof(escape), "\\u%04x", byte);
		else
			snprintf(escape, sizeof(escape), "%c", byte);
		rc = add_text(out, escape);
	}
	return rc ? rc : add_text(out, "\"");
}

static int add_member(struct buffer *out, const char *name, const char *value)
{
	int rc = add_json(out, name);
	rc = rc ? rc : add_text(out, ": ");
	if (rc == 0)
		rc = value ? add_json(out, value) : add_text(out, "null");
	return rc;
}

static int add_json_origin(struct page *p, const struct shown *s)
{
	static const char *const names[] = {
		[SHOWN_DEFAULT] = "default",
		[SHOWN_COMMAND_LINE] = "command line",
		[SHOWN_FILE] = "file",
	};
	char name[VALUE_TEXT_MAX], line[32];
	int rc = add_text(p->out, ", ");
	rc = rc ? rc : add_member(p->out, "origin", names[s->origin]);
	if (rc || s->origin != SHOWN_FILE)
		return rc;
	foreign_text(p->config->files[s->place.file].name, name);
	snprintf(line, sizeof(line), ", \"line\": %u", s->place.line);
	rc = add_text(p->out, ", ");
	rc = rc ? rc : add_member(p->out, "file", name);
	return rc ? rc : add_text(p->out, line);
}

/* The end of what stands before, and what begins. */
static int add_json_joint(struct page *p, const struct shown *s)
{
	bool is_listener = s->listener && strcmp(s->name, "listener") == 0;
	const char *joint = p->is_first ? "\n" : ",\n";
	if (is_listener)
		joint = p->is_in_listener ? "\n  ]},\n  " : "\n], \"listeners\": [\n  ";
	p->is_in_listener |= is_listener;
	p->is_first = is_listener;
	int rc = add_text(p->out, joint);
	return rc || is_listener || !p->is_in_listener ? rc : add_text(p->out, "  ");
}

static int show_json(void *context, const struct shown *s)
{
	struct page *p = context;
	bool is_listener = s->listener && strcmp(s->name, "listener") == 0;
	int rc = add_json_joint(p, s);
	rc = rc ? rc : add_text(p->out, is_listener ? "{" : "  {");
	rc = rc || is_listener ? rc : add_member(p->out, "name", s->name);
	rc = rc || is_listener ? rc : add_text(p->out, ", ");
	rc = rc ? rc : add_member(p->out, is_listener ? "listener" : "value", s->value);
	rc = rc ? rc : add_json_origin(p, s);
	return rc ? rc : add_text(p->out, is_listener ? ", \"options\": [" : "}");
}

static int add_json_files(const struct config *c, struct buffer *out)
{
	char name[VALUE_TEXT_MAX];
	int rc = add_text(out, "{\"files\": [");
	for (size_t i = 0; i < c->file_count && rc == 0; i++) {
		foreign_text(c->files[i].name, name);
		rc = i > 0 ? add_text(out, ", ") : 0;
		rc = rc ? rc : add_json(out, name);
	}
	return rc ? rc : add_text(out, "], \"options\": [");
}

int config_show_json(const struct config *c, bool is_effective, struct buffer *out)
{
	struct page p = {.config = c, .out = out, .is_first = true};
	int rc = add_json_files(c, out);
	rc = rc ? rc : config_walk(c, is_effective, show_json, &p);
	return rc ? rc : add_text(out, "\n  ]}\n]}\n"); /* there is a listener always */
}
