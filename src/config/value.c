/* SPDX-License-Identifier: Apache-2.0 */
/* Words and values of a line, and the member that a value goes to. */
#include "config/reading.h"

#include <inttypes.h>

#include "base/mem.h"

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

struct span text_trim(struct span text)
{
	while (text.len > 0 && is_blank(text.ptr[0]))
		text = span_of(text.ptr + 1, text.len - 1);
	while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

struct span word_take(struct span *text)
{
	struct span rest = text_trim(*text);
	size_t len = 0;
	while (len < rest.len && !is_blank(rest.ptr[len]))
		len++;
	*text = text_trim(span_of(rest.ptr + len, rest.len - len));
	return span_of(rest.ptr, len);
}

bool text_is(struct span text, const char *word)
{
	return span_is_equal(text, span_of_text(word));
}

bool number_read(struct span text, int64_t *value_out)
{
	bool is_negative = text.len > 0 && text.ptr[0] == '-';
	size_t i = is_negative;
	int64_t value = 0;
	if (i == text.len)
		return false;
	for (; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		int64_t digit = text.ptr[i] - '0';
		value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
	}
	*value_out = is_negative ? -value : value;
	return true;
}

int keep_text(char **text, struct span value)
{
	char *copy = mem_copy_text(value);
	if (!copy)
		return ERROR_NO_MEMORY;
	mem_free(*text);
	*text = copy;
	return 0;
}

static struct config_listener *listener_of(struct config *c)
{
	return c->current_listener == 0 ? &c->default_listener
					: &c->listeners[c->current_listener - 1];
}

static struct config_access *access_of(struct config *c)
{
	return c->has_access_per_listener ? &listener_of(c)->access : &c->access;
}

static void *member_of(const struct reading *r)
{
	char *structure = (char *)r->config;
	if (r->option->target == OPTION_TO_SETTINGS)
		structure = (char *)&r->config->settings;
	else if (r->option->target == OPTION_TO_LISTENER)
		structure = (char *)listener_of(r->config);
	else if (r->option->target == OPTION_TO_ACCESS)
		structure = (char *)access_of(r->config);
	return structure + r->option->offset;
}

struct config_place reading_here(const struct reading *r)
{
	return (struct config_place){.line = r->line, .file = r->file_index, .is_given = true};
}

/* Where those of the listener, or of the broker, keep in mind what was said. */
static struct config_place *places_of(const struct reading *r, const struct option *o)
{
	return option_is_of_listener(r->config, o) ? listener_of(r->config)->given
						   : r->config->given;
}

struct config_place reading_given(const struct reading *r, const struct option *o)
{
	const struct config_place *places = places_of(r, o);
	return places ? places[option_index(o)] : (struct config_place){0};
}

/* Where the member was set, perhaps by another name of the option. */
static struct config_place place_before(const struct reading *r)
{
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *o = option_at(i);
		bool is_same = o->target == r->option->target && o->offset == r->option->offset;
		struct config_place place = {0};
		if (is_same)
			place = reading_given(r, o);
		if (place.is_given)
			return place;
	}
	return (struct config_place){0};
}

/* A file may repeat itself, not contradict itself: one of the two would be ignored. A file that is
 * included later takes the place of what another said, as it does with mosquitto, and the command
 * line wins over all. */
static int check_contradiction(const struct reading *r, bool is_same)
{
	struct config_place before = place_before(r);
	if (r->line == 0 || is_same || before.line == 0)
		return 0;
	if (before.file == r->file_index)
		return reading_refuse_value(r, "contradicts line %u", before.line);
	reading_notice(r, "takes the place of what %s:%u says", r->config->files[before.file].name,
		       before.line);
	return 0;
}

/* The member's bytes, in the byte order of the machine. */
static void number_split(int64_t value, size_t size, void *bytes_out)
{
	uint8_t u8 = (uint8_t)value;
	uint16_t u16 = (uint16_t)value;
	uint32_t u32 = (uint32_t)value;
	switch (size) {
	case 1: memcpy(bytes_out, &u8, size); break;
	case 2: memcpy(bytes_out, &u16, size); break;
	case 4: memcpy(bytes_out, &u32, size); break;
	default: ASSERT(size == 8); memcpy(bytes_out, &value, size);
	}
}

static int store_number(const struct reading *r, int64_t value)
{
	uint8_t bytes[8];
	number_split(value, r->option->size, bytes);
	void *member = member_of(r);
	int rc = check_contradiction(r, memcmp(member, bytes, r->option->size) == 0);
	if (rc == 0)
		memcpy(member, bytes, r->option->size);
	return rc;
}

static bool bool_read(struct span text, bool *value_out)
{
	*value_out = text_is(text, "true") || text_is(text, "1");
	return *value_out || text_is(text, "false") || text_is(text, "0");
}

static int read_bool(const struct reading *r)
{
	bool value;
	if (!bool_read(r->value, &value))
		return reading_refuse_value(r, "is neither true nor false");
	return store_number(r, value);
}

static int check_number(const struct reading *r, int64_t *value_out)
{
	const struct option *o = r->option;
	bool is_number = number_read(r->value, value_out);
	if (is_number && *value_out >= o->min && *value_out <= o->max)
		return 0;
	if (o->max == INT64_MAX && o->min == -INT64_MAX)
		return reading_refuse_value(r, "is no number");
	if (o->max == INT64_MAX)
		return reading_refuse_value(r, "is no number from %" PRId64 " on", o->min);
	return reading_refuse_value(r,
				    is_number ? "is not between %" PRId64 " and %" PRId64
					      : "is no number from %" PRId64 " to %" PRId64,
				    o->min, o->max);
}

static int read_number(const struct reading *r)
{
	const struct option *o = r->option;
	int64_t value = 0;
	int rc = check_number(r, &value);
	if (rc)
		return rc;
	if (value < 0 && o->negative_is_zero)
		value = 0;
	if (value == 0 && o->zero_means != 0)
		return store_number(r, o->zero_means);
	return store_number(r, value * (o->scale ? o->scale : 1));
}

/* As mosquitto counts: months of 30 days, years of 365. */
static int64_t seconds_of_unit(uint8_t letter)
{
	const int64_t hour = 3600, day = 24 * hour;
	switch (letter) {
	case 's': return 1;
	case 'h': return hour;
	case 'd': return day;
	case 'w': return 7 * day;
	case 'm': return 30 * day;
	case 'y': return 365 * day;
	default: return 0;
	}
}

static int read_duration(const struct reading *r)
{
	struct span v = r->value;
	int64_t unit = seconds_of_unit(v.ptr[v.len - 1]), count;
	if (unit == 0 || !number_read(span_of(v.ptr, v.len - 1), &count) || count < 1)
		return reading_refuse_value(
			r, "is no duration: a number and one of s, h, d, w, m, y, as in 14d");
	/* UINT32_MAX seconds mean for ever ([5] 3.1.2.11.2), so that is the first too many. */
	if (count > (UINT32_MAX - 1) / unit)
		return reading_refuse_value(r, "is longer than 136 years: leave the line out");
	return store_number(r, count * unit);
}

static int refuse_choice(const struct reading *r)
{
	char words[256] = "";
	size_t len = 0;
	for (const char *const *choice = r->option->choices; *choice; choice++) {
		size_t choice_len = strlen(*choice);
		ASSERT(len + choice_len + 3 < sizeof(words));
		if (len > 0)
			memcpy(words + len, ", ", 2);
		len += len > 0 ? 2 : 0;
		memcpy(words + len, *choice, choice_len + 1);
		len += choice_len;
	}
	return reading_refuse_value(r, "is none of %s", words);
}

static int read_choice(const struct reading *r)
{
	for (int64_t i = 0; r->option->choices[i]; i++) {
		if (text_is(r->value, r->option->choices[i]))
			return store_number(r, i);
	}
	return refuse_choice(r);
}

static int read_text(const struct reading *r)
{
	char **member = member_of(r);
	int rc = check_contradiction(r, *member && text_is(r->value, *member));
	return rc ? rc : keep_text(member, r->value);
}

/* Is it the one value that holds, in any of its spellings? */
static bool is_only(const struct reading *r)
{
	if (!r->option->only)
		return false;
	bool value = true, is_bool = r->option->type == OPTION_BOOL;
	int64_t number = 1;
	bool is_number = r->option->type == OPTION_NUMBER;
	return (is_bool && bool_read(r->value, &value) && !value) ||
	       (is_number && number_read(r->value, &number) && number == 0) ||
	       text_is(r->value, r->option->only);
}

static int read_only(const struct reading *r)
{
	if (is_only(r))
		return 0;
	return reading_refuse_value(r, "is not possible, only %s: %s", r->option->only,
				    r->option->text);
}

/* Right as it is, and without a counterpart here. */
static int read_unused(const struct reading *r)
{
	int64_t number;
	bool value;
	int rc = r->option->type == OPTION_NUMBER ? check_number(r, &number) : 0;
	if (rc)
		return rc;
	if (r->option->type == OPTION_BOOL && !bool_read(r->value, &value))
		return reading_refuse_value(r, "is neither true nor false");
	if (!is_only(r))
		reading_notice(r, "has no effect: %s", r->option->text);
	return 0;
}

static int read_value(struct reading *r)
{
	if (r->option->status == OPTION_ONLY)
		return read_only(r);
	if (r->option->status == OPTION_UNUSED)
		return read_unused(r);
	switch (r->option->type) {
	case OPTION_BOOL: return read_bool(r);
	case OPTION_NUMBER: return read_number(r);
	case OPTION_DURATION: return read_duration(r);
	case OPTION_CHOICE: return read_choice(r);
	case OPTION_TEXT: return read_text(r);
	default: return read_special(r);
	}
}

static int refuse_unknown(const struct reading *r)
{
	const struct option *nearest = option_nearest(r->name);
	if (nearest)
		return reading_refuse(r, "unknown option; did you mean %s?", nearest->name);
	return reading_refuse(r, "unknown option; nightjar.conf(5) lists all");
}

/* What stands before the first `listener` line is the default listener's. */
static void note_default_option(const struct reading *r)
{
	struct config *c = r->config;
	if (r->line > 0 && !c->default_option && c->current_listener == 0 &&
	    option_is_of_listener(c, r->option) && !listener_is_plain(&c->default_listener)) {
		c->default_option = r->option;
		c->default_listener.place = reading_here(r);
	}
}

/* The first place within a file is the one that others contradict. */
static int note_given(const struct reading *r)
{
	bool is_of_listener = option_is_of_listener(r->config, r->option);
	struct config_listener *l = listener_of(r->config);
	if (is_of_listener && !l->given)
		l->given = mem_zalloc(OPTION_COUNT_MAX * sizeof(*l->given));
	if (is_of_listener && !l->given)
		return ERROR_NO_MEMORY;
	struct config_place *place = &places_of(r, r->option)[option_index(r->option)];
	if (!place->is_given || r->line == 0 || place->file != r->file_index)
		*place = reading_here(r);
	note_default_option(r);
	return 0;
}

/* One sentence for a bridge or a plugin, at its first line, not one for each of its lines. */
static int refuse_option(struct reading *r)
{
	const struct option *o = r->option;
	unsigned bit = o->section ? 1u << o->section : 0;
	if (!o->opens_section && (r->refused_sections & bit))
		return ERROR_INVALID;
	if (o->opens_section)
		r->refused_sections |= bit;
	return reading_refuse(r, "%s", o->text);
}

int reading_apply(struct reading *r)
{
	r->option = option_named(r->name);
	if (!r->option)
		return refuse_unknown(r);
	if (r->option->status == OPTION_LATER)
		return refuse_option(r);
	if (r->value.len == 0)
		return reading_refuse(r, "the value is missing (%s)", r->option->value);
	int rc = read_value(r);
	return rc ? rc : note_given(r);
}
