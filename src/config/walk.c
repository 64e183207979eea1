/* SPDX-License-Identifier: Apache-2.0 */
/* What each option holds and where it was said, row by row of the table. */
#include <stdio.h>

#include "base/mem.h"
#include "broker/broker.h"
#include "config/reading.h"
#include "config/show.h"
#include "config/value_text.h"
#include "trace/line_text.h"

struct walk {
	const struct config *config;
	bool is_effective;
	int (*visit)(void *context, const struct shown *s);
	void *context;
	const struct config_listener *listener; /* NULL: among those of the broker */
	const char *group;
};

/* Of two names for one thing the first row of the table is shown. */
static bool is_other_name(size_t index)
{
	const struct option *o = option_at(index);
	for (size_t i = 0; i < index && o->target != OPTION_TO_NOTHING; i++)
		if (option_at(i)->target == o->target && option_at(i)->offset == o->offset)
			return true;
	return false;
}

static struct config_place place_of(const struct walk *w, const struct option *o)
{
	bool is_of_listener = option_is_of_listener(w->config, o);
	const struct config_place *places = w->config->given;
	if (is_of_listener)
		places = w->listener ? w->listener->given : NULL;
	return places ? places[option_index(o)] : (struct config_place){0};
}

/* Where it was said, by any of its names. */
static struct config_place said_at(const struct walk *w, const struct option *o)
{
	struct config_place place = place_of(w, o);
	for (size_t i = 0; i < option_count() && !place.is_given; i++) {
		const struct option *other = option_at(i);
		bool is_same = o->target != OPTION_TO_NOTHING && other->target == o->target &&
			       other->offset == o->offset;
		if (is_same)
			place = place_of(w, other);
	}
	return place;
}

/* What one option is takes its value from another that was said (config_finish). */
static const char *source_of(const char *name)
{
	static const char *const sources[][2] = {
		{"absent_queue_messages", "max_queued_messages"},
		{"absent_queue_bytes", "max_queued_bytes"},
		{"persistence", "durability"},
		{"durability", "persistence"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(sources); i++)
		if (strcmp(name, sources[i][0]) == 0)
			return sources[i][1];
	return NULL;
}

/* A listener's own limit is the broker's when there is but one listener. */
static struct config_place place_of_limit(const struct config *c)
{
	const struct option *o = option_named(SPAN_LITERAL("max_connections"));
	const struct config_listener *l = &c->listeners[0];
	bool is_said = l->given && l->connections_max > 0;
	return is_said ? l->given[option_index(o)] : (struct config_place){0};
}

static struct config_place find_place(const struct walk *w, const struct option *o)
{
	const char *source = source_of(o->name);
	struct config_place place = said_at(w, o);
	if (!place.is_given && source)
		place = said_at(w, option_named(span_of_text(source)));
	if (!place.is_given && strcmp(o->name, "connections_max") == 0)
		place = place_of_limit(w->config);
	bool is_told = w->config->is_verbose || w->config->is_quiet;
	if (is_told && strcmp(o->name, "log_type") == 0)
		place = (struct config_place){.is_given = true};
	return place;
}

/* `value` may be NULL: then `words`. */
static int give(struct walk *w, const char *name, struct config_place place, const char *value,
		const char *words)
{
	struct shown s = {
		.name = name,
		.value = value,
		.words = words,
		.listener = w->listener,
		.group = w->listener ? NULL : w->group,
		.place = place,
		.origin = !place.is_given  ? SHOWN_DEFAULT
			  : place.line > 0 ? SHOWN_FILE
					   : SHOWN_COMMAND_LINE,
	};
	if (!w->is_effective && !place.is_given)
		return 0;
	return w->visit(w->context, &s);
}

/* A terminal may show it as it is. */
static bool is_harmless(const char *text)
{
	struct span bytes = span_of_text(text);
	char *shown = mem_alloc(bytes.len + 1);
	struct line_text t;
	if (!shown)
		return false;
	line_text_init(&t, shown, bytes.len + 1, LOG_TYPES_ALL);
	line_begin(&t, LOG_TYPE_NOTICE);
	line_foreign(&t, bytes);
	bool is_same = t.len == bytes.len && memcmp(shown, bytes.ptr, bytes.len) == 0;
	mem_free(shown);
	return is_same;
}

static const char *words_of(const struct option *o)
{
	return o->default_text ? o->default_text : "not set";
}

static int give_text(struct walk *w, const struct option *o, const char *text)
{
	struct config_place place = find_place(w, o);
	if (!text)
		return give(w, o->name, place, NULL, words_of(o));
	if (!is_harmless(text))
		return give(w, o->name, place, NULL, "holds letters that are not shown here");
	return give(w, o->name, place, text, NULL);
}

/* Several lines of one option; "file" has the path behind it. */
static int give_destinations(struct walk *w, const struct option *o)
{
	const struct config *c = w->config;
	struct config_place place = find_place(w, o);
	int rc = c->log_destinations == 0 ? give(w, o->name, place, "none", NULL) : 0;
	for (unsigned bit = 1; bit != 0 && bit <= c->log_destinations && rc == 0; bit <<= 1) {
		char *path = NULL;
		if ((c->log_destinations & bit) == 0)
			continue;
		if (bit == LOG_TO_FILE) {
			size_t len = strlen("file ") + strlen(c->log_file) + 1;
			path = mem_alloc(len);
			if (!path)
				return ERROR_NO_MEMORY;
			snprintf(path, len, "file %s", c->log_file);
		}
		rc = path ? give_text(w, o, path)
			  : give(w, o->name, place, log_destination_word(bit), NULL);
		mem_free(path);
	}
	return rc;
}

/* Words with ", " between, as lines. */
static int give_each(struct walk *w, const struct option *o, char *words)
{
	struct config_place place = find_place(w, o);
	char *save = NULL;
	int rc = 0;
	for (char *word = strtok_r(words, ", ", &save); word && rc == 0;
	     word = strtok_r(NULL, ", ", &save))
		rc = give(w, o->name, place, word, NULL);
	return rc;
}

static int give_certificates(struct walk *w, const struct option *o, const char *lines)
{
	char *copy = lines ? mem_copy_text(span_of_text(lines)) : NULL, *save = NULL;
	int rc = lines && !copy ? ERROR_NO_MEMORY : 0;
	if (!lines)
		return give_text(w, o, NULL);
	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line && rc == 0;
	     line = strtok_r(NULL, "\n", &save))
		rc = give_text(w, o, line);
	mem_free(copy);
	return rc;
}

static int give_special(struct walk *w, const struct option *o)
{
	char text[VALUE_TEXT_MAX];
	const struct config_listener *l = w->listener;
	if (strcmp(o->name, "log_dest") == 0)
		return give_destinations(w, o);
	if (l && strcmp(o->name, "tls_certificate") == 0)
		return give_certificates(w, o, l->tls.more_certificates);
	option_value_text(o, l ? (const void *)l : w->config, text);
	if (strcmp(o->name, "log_type") == 0)
		return give_each(w, o, text);
	bool is_mode = strcmp(o->name, "socket_mode") == 0;
	if (!is_mode || l->socket_mode >= 0)
		return give(w, o->name, find_place(w, o), text, NULL);
	return give_text(w, o, NULL);
}

/* Is the text of a value one that the file may hold? A default may lie outside of the range. */
static bool is_in_grammar(const struct option *o, const char *text)
{
	int64_t number;
	if (o->type == OPTION_BOOL)
		return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
	if (o->type == OPTION_DURATION)
		return text[0] >= '0' && text[0] <= '9';
	return o->type != OPTION_NUMBER || number_read(span_of_text(text), &number);
}

/* -v and its line for each connection, whatever the file says. */
static bool is_told_otherwise(const struct walk *w, const struct option *o)
{
	return w->config->is_verbose && !w->config->is_quiet &&
	       strcmp(o->name, "connection_messages") == 0;
}

static int give_option(struct walk *w, const struct option *o)
{
	const void *structure = option_structure(w->config, w->listener, o);
	char text[VALUE_TEXT_MAX];
	const char *value;
	if (o->is_secret)
		return give(w, o->name, find_place(w, o), NULL, "not shown");
	if (o->type == OPTION_SPECIAL)
		return give_special(w, o);
	if (o->type == OPTION_TEXT) {
		memcpy(&value, (const char *)structure + o->offset, sizeof(value));
		return give_text(w, o, value);
	}
	option_value_text(o, structure, text);
	if (is_told_otherwise(w, o))
		return give(w, o->name, (struct config_place){.is_given = true}, "true", NULL);
	bool is_value = is_in_grammar(o, text);
	return give(w, o->name, find_place(w, o), is_value ? text : NULL, is_value ? NULL : text);
}

/* Lines that name places or files are told in another way. */
static bool is_shown(const struct walk *w, size_t index)
{
	static const char *const others[] = {"listener", "port", "bind_address", "include_dir"};
	const struct option *o = option_at(index);
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		if (strcmp(o->name, others[i]) == 0)
			return false;
	bool is_of_listener =
		option_is_of_listener(w->config, o) || o->target == OPTION_TO_LISTENER;
	return o->status == OPTION_SUPPORTED && !is_other_name(index) &&
	       is_of_listener == (w->listener != NULL);
}

/* Of a store that is not there only what was said is worth a line. */
static bool is_of_no_store(const struct walk *w, const struct option *o)
{
	return o->group == OPTION_GROUP_STORE && !w->config->store.is_wanted &&
	       !said_at(w, o).is_given && !source_of(o->name);
}

static int walk_rows(struct walk *w)
{
	int rc = 0;
	for (size_t i = 0; i < option_count() && rc == 0; i++) {
		const struct option *o = option_at(i);
		if (!is_shown(w, i) || is_of_no_store(w, o))
			continue;
		w->group = option_group_name(o->group);
		rc = give_option(w, o);
	}
	return rc;
}

static int walk_listener(struct walk *w, const struct config_listener *l)
{
	const char *address = l->is_loopback ? "localhost" : l->address ? l->address : "";
	size_t len = strlen(address) + sizeof("65535 ");
	char *line = mem_alloc(len);
	if (!line)
		return ERROR_NO_MEMORY;
	snprintf(line, len, "%u%s%s", l->port, address[0] ? " " : "", address);
	bool is_shown_whole = is_harmless(line), was_effective = w->is_effective;
	w->listener = l;
	w->is_effective = true; /* the line itself, whoever said it */
	int rc = give(w, "listener", l->place, is_shown_whole ? line : NULL,
		      "holds letters that are not shown here");
	w->is_effective = was_effective;
	if (rc == 0)
		rc = walk_rows(w);
	if (rc == 0 && l->answer != ANSWER_USUAL)
		rc = give(w, "durability", l->place, l->answer == ANSWER_AT_ONCE ? "off" : "always",
			  NULL);
	mem_free(line);
	return rc;
}

int config_walk(const struct config *c, bool is_effective,
		int (*visit)(void *context, const struct shown *s), void *context)
{
	struct walk w = {
		.config = c, .is_effective = is_effective, .visit = visit, .context = context};
	int rc = walk_rows(&w);
	for (size_t i = 0; i < c->listener_count && rc == 0; i++)
		rc = walk_listener(&w, &c->listeners[i]);
	return rc;
}
