/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "config/reading.h"
#include "trace/line_text.h"

#define NOT_SET "not set"

const void *option_structure(const struct config *c, const struct config_listener *listener,
			     const struct option *option)
{
	switch ((enum option_target)option->target) {
	case OPTION_TO_CONFIG: return c;
	case OPTION_TO_SETTINGS: return &c->settings;
	case OPTION_TO_LISTENER: return listener;
	case OPTION_TO_ACCESS: return listener ? &listener->access : &c->access;
	case OPTION_TO_NOTHING: break;
	}
	return NULL;
}

static void say(char *text, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(char *text, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, VALUE_TEXT_MAX, format, arguments);
	va_end(arguments);
}

/* What stands behind the first ones, with a comma. */
static void add(char *text, const char *word)
{
	size_t len = strlen(text);
	snprintf(text + len, VALUE_TEXT_MAX - len, "%s%s", len > 0 ? ", " : "", word);
}

/* What stood in a file, made harmless. */
static void say_foreign(char *text, const char *value)
{
	struct line_text t;
	if (!value) {
		say(text, NOT_SET);
		return;
	}
	line_text_init(&t, text, VALUE_TEXT_MAX - 1, LOG_TYPES_ALL);
	line_begin(&t, LOG_TYPE_NOTICE);
	line_foreign(&t, span_of_text(value));
	text[t.len] = '\0';
}

/* As wide as the member is; -1 of those that may hold it. */
static int64_t number_of(const struct option *option, const char *member)
{
	int64_t i64;
	int32_t i32;
	uint32_t u32;
	uint16_t u16;
	bool may_be_negative = option->type == OPTION_NUMBER && option->max <= INT32_MAX;
	switch (option->size) {
	case 1: return (int8_t)*member;
	case 2: memcpy(&u16, member, 2); return u16;
	case 4:
		memcpy(&u32, member, 4);
		memcpy(&i32, member, 4);
		return may_be_negative ? (int64_t)i32 : (int64_t)u32;
	default: memcpy(&i64, member, 8); return i64;
	}
}

static void say_bool(const struct option *option, int64_t value, char *text)
{
	if (value < 0 && option->default_text)
		say(text, "%s", option->default_text);
	else
		say(text, "%s", value > 0 ? "true" : "false");
}

static void say_number(const struct option *option, int64_t value, char *text)
{
	int64_t in_file = value / (option->scale ? option->scale : 1);
	if (in_file >= option->min && in_file <= option->max)
		say(text, "%" PRId64, in_file);
	else
		say(text, "%s", option->default_text ? option->default_text : NOT_SET);
}

/* The largest unit that leaves no rest. */
static void say_duration(int64_t seconds, char *text)
{
	static const struct {
		int64_t seconds;
		char letter;
	} units[] = {{365 * 86400, 'y'}, {7 * 86400, 'w'}, {86400, 'd'}, {3600, 'h'}, {1, 's'}};
	if (seconds < 0 || seconds >= UINT32_MAX) {
		say(text, NOT_SET);
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
		int64_t unit = units[i].seconds;
		if (seconds % unit != 0)
			continue;
		say(text, "%" PRId64 "%c", seconds / unit, units[i].letter);
		return;
	}
}

static void say_destinations(const struct config *c, char *text)
{
	char file[VALUE_TEXT_MAX - sizeof("file ")], path[VALUE_TEXT_MAX];
	text[0] = '\0';
	for (unsigned bit = 1; bit != 0 && bit <= c->log_destinations; bit <<= 1)
		if (bit != LOG_TO_FILE && (c->log_destinations & bit))
			add(text, log_destination_word(bit));
	if (c->log_destinations & LOG_TO_FILE) {
		say_foreign(path, c->log_file);
		snprintf(file, sizeof(file), "file %.200s", path);
		add(text, file);
	}
	if (text[0] == '\0')
		say(text, "none");
}

static void say_types(const struct config *c, char *text)
{
	static const struct {
		unsigned type;
		const char *word;
	} words[] = {
		{LOG_TYPE_ERROR, "error"},
		{LOG_TYPE_WARNING, "warning"},
		{LOG_TYPE_NOTICE, "notice"},
		{LOG_TYPE_INFORMATION, "information"},
		{LOG_TYPE_DEBUG, "debug"},
		{LOG_TYPE_SUBSCRIBE, "subscribe"},
		{LOG_TYPE_UNSUBSCRIBE, "unsubscribe"},
	};
	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (c->log_types & words[i].type)
			add(text, words[i].word);
	if (text[0] == '\0')
		say(text, "none");
}

static void say_durability(const struct config *c, char *text)
{
	switch (c->store.durability) {
	case DURABILITY_ALWAYS: say(text, "always"); break;
	case DURABILITY_INTERVAL: say(text, "interval %u", c->store.interval_ms); break;
	default: say(text, "off");
	}
}

static void say_lines(const char *lines, char *text)
{
	char one[VALUE_TEXT_MAX];
	if (lines) {
		say(one, "%s", lines);
		for (char *end = one; (end = strchr(end, '\n'));)
			*end = end[1] ? ';' : '\0';
	}
	say_foreign(text, lines ? one : NULL);
}

static void say_versions(uint8_t refused, char *text)
{
	static const char *const words[] = {[3] = "3", [4] = "4", [5] = "5"};
	text[0] = '\0';
	for (unsigned version = 3; version <= 5; version++)
		if (!(refused >> version & 1))
			add(text, words[version]);
}

static void say_special(const struct option *option, const void *structure, char *text)
{
	if (strcmp(option->name, "log_dest") == 0)
		say_destinations(structure, text);
	else if (strcmp(option->name, "log_type") == 0)
		say_types(structure, text);
	else if (strcmp(option->name, "durability") == 0)
		say_durability(structure, text);
	else if (strcmp(option->name, "accept_protocol_versions") == 0)
		say_versions(((const struct config_listener *)structure)->refused_versions, text);
	else if (strcmp(option->name, "tls_certificate") == 0)
		say_lines(((const struct config_listener *)structure)->tls.more_certificates, text);
	else if (strcmp(option->name, "socket_mode") == 0 &&
		 ((const struct config_listener *)structure)->socket_mode >= 0)
		say(text, "%04o",
		    (unsigned)((const struct config_listener *)structure)->socket_mode);
	else
		say(text, NOT_SET);
}

void option_value_text(const struct option *option, const void *structure,
		       char text[VALUE_TEXT_MAX])
{
	const char *member = (const char *)structure + option->offset;
	const char *value;
	if (option->is_secret) {
		say(text, "(not shown)");
		return;
	}
	switch ((enum option_type)option->type) {
	case OPTION_BOOL: say_bool(option, number_of(option, member), text); break;
	case OPTION_NUMBER: say_number(option, number_of(option, member), text); break;
	case OPTION_DURATION: say_duration(number_of(option, member), text); break;
	case OPTION_CHOICE: say(text, "%s", option->choices[number_of(option, member)]); break;
	case OPTION_TEXT:
		memcpy(&value, member, sizeof(value));
		say_foreign(text, value);
		break;
	case OPTION_SPECIAL: say_special(option, structure, text); break;
	}
}

void foreign_text(const char *value, char text[VALUE_TEXT_MAX])
{
	say_foreign(text, value);
}

void listener_name(const struct config_listener *l, char text[VALUE_TEXT_MAX])
{
	char address[VALUE_TEXT_MAX];
	if (!l->address) {
		say(text, "listener %u", l->port);
		return;
	}
	say_foreign(address, l->address);
	say(text, "listener %u %.200s", l->port, address);
}
