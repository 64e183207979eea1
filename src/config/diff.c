/* SPDX-License-Identifier: Apache-2.0 */
#include "config/diff.h"

#include <stdarg.h>
#include <stdio.h>

#include "broker/broker.h"
#include "config/value_text.h"

/* Two values, and names. */
#define LINE_MAX (4 * VALUE_TEXT_MAX)

void config_diff_release(struct config_diff *d)
{
	buffer_release(&d->changes);
	buffer_release(&d->restarts);
	*d = (struct config_diff){0};
}

static void add_line(struct config_diff *d, bool takes_restart, const char *format, ...)
	PRINTF_LIKE(3, 4);

static void add_line(struct config_diff *d, bool takes_restart, const char *format, ...)
{
	struct buffer *to = takes_restart ? &d->restarts : &d->changes;
	char line[LINE_MAX];
	va_list arguments;
	va_start(arguments, format);
	int len = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (len >= (int)sizeof(line))
		len = sizeof(line) - 1;
	if (buffer_append(to, span_of(line, (size_t)len)) || buffer_append(to, SPAN_LITERAL("\n")))
		d->is_out_of_memory = true;
	d->restart_count += takes_restart;
	d->change_count += !takes_restart;
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool config_listener_is_same_place(const struct config_listener *a, const struct config_listener *b)
{
	return a->port == b->port && a->family == b->family && a->is_loopback == b->is_loopback &&
	       is_same_text(a->address, b->address) && is_same_text(a->interface, b->interface);
}

bool config_listener_is_same_socket(const struct config_listener *a,
				    const struct config_listener *b)
{
	return a->socket_mode == b->socket_mode && is_same_text(a->socket_owner, b->socket_owner) &&
	       is_same_text(a->socket_group, b->socket_group);
}

static const struct config_listener *listener_at(const struct config *c,
						 const struct config_listener *place)
{
	for (size_t i = 0; i < c->listener_count; i++)
		if (config_listener_is_same_place(&c->listeners[i], place))
			return &c->listeners[i];
	return NULL;
}

/* A row further up has the same member: it is another name. */
static bool is_other_name(size_t index)
{
	const struct option *o = option_at(index);
	for (size_t i = 0; i < index && o->target != OPTION_TO_NOTHING; i++)
		if (option_at(i)->target == o->target && option_at(i)->offset == o->offset)
			return true;
	return false;
}

static bool is_same_special(const struct option *o, const struct config *a, const struct config *b)
{
	if (strcmp(o->name, "log_dest") == 0)
		return a->log_destinations == b->log_destinations &&
		       is_same_text(a->log_file, b->log_file);
	if (strcmp(o->name, "log_type") == 0)
		return ((a->log_types ^ b->log_types) & ~(unsigned)LOG_TYPE_CONNECTION) == 0;
	if (strcmp(o->name, "durability") == 0)
		return a->store.durability == b->store.durability &&
		       a->store.interval_ms == b->store.interval_ms;
	return true; /* listeners are looked at by themselves, others keep nothing */
}

static bool is_same_member(const struct option *o, const void *a, const void *b)
{
	const char *of_a = (const char *)a + o->offset, *of_b = (const char *)b + o->offset;
	const char *text_a, *text_b;
	bool is_text =
		o->type == OPTION_TEXT || (o->type == OPTION_SPECIAL && o->size == sizeof(char *));
	if (o->type == OPTION_NUMBER) { /* that nobody said it is no other value */
		char number_a[VALUE_TEXT_MAX], number_b[VALUE_TEXT_MAX];
		option_value_text(o, a, number_a);
		option_value_text(o, b, number_b);
		return strcmp(number_a, number_b) == 0;
	}
	if (!is_text)
		return memcmp(of_a, of_b, o->size) == 0;
	memcpy(&text_a, of_a, sizeof(text_a));
	memcpy(&text_b, of_b, sizeof(text_b));
	return is_same_text(text_a, text_b);
}

/* Of one option, in the structures that hold it. */
static void compare_values(const struct option *o, const void *a, const void *b, const char *where,
			   struct config_diff *d)
{
	char before[VALUE_TEXT_MAX], after[VALUE_TEXT_MAX];
	bool takes_restart = o->change == OPTION_CHANGES_AT_RESTART;
	option_value_text(o, a, before);
	option_value_text(o, b, after);
	add_line(d, takes_restart, "%s%s: %s -> %s%s", o->name, where, before, after,
		 takes_restart ? " takes a restart; until then the first holds" : "");
}

static bool is_of_each_listener(const struct config *c, const struct option *o)
{
	return o->target == OPTION_TO_LISTENER ||
	       (o->target == OPTION_TO_ACCESS && c->has_access_per_listener);
}

/* What stands under no listener. */
static void compare_globals(const struct config *a, const struct config *b, struct config_diff *d)
{
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *o = option_at(i);
		bool is_special = o->type == OPTION_SPECIAL;
		if (o->status != OPTION_SUPPORTED || is_other_name(i) ||
		    is_of_each_listener(a, o) || is_of_each_listener(b, o))
			continue;
		if (is_special && !is_same_special(o, a, b))
			compare_values(o, a, b, "", d);
		if (is_special || o->target == OPTION_TO_NOTHING)
			continue;
		const void *of_a = option_structure(a, NULL, o);
		const void *of_b = option_structure(b, NULL, o);
		if (!is_same_member(o, of_a, of_b))
			compare_values(o, of_a, of_b, "", d);
	}
}

static const char *answer_text(uint8_t answer)
{
	return answer == ANSWER_USUAL     ? "as the broker's"
	       : answer == ANSWER_AT_ONCE ? "off"
					  : "always";
}

/* The same place in both. */
static void compare_listener(const struct config *a, const struct config_listener *of_a,
			     const struct config *b, const struct config_listener *of_b,
			     struct config_diff *d)
{
	char name[VALUE_TEXT_MAX], where[VALUE_TEXT_MAX + sizeof(" of ")];
	listener_name(of_b, name);
	snprintf(where, sizeof(where), " of %s", name);
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *o = option_at(i);
		if (o->status != OPTION_SUPPORTED || is_other_name(i) ||
		    !is_of_each_listener(a, o) || !is_of_each_listener(b, o))
			continue;
		const void *in_a = option_structure(a, of_a, o);
		const void *in_b = option_structure(b, of_b, o);
		if (!is_same_member(o, in_a, in_b))
			compare_values(o, in_a, in_b, where, d);
	}
	if (of_a->answer != of_b->answer)
		add_line(d, false, "durability%s: %s -> %s", where, answer_text(of_a->answer),
			 answer_text(of_b->answer));
}

static void compare_listeners(const struct config *a, const struct config *b, struct config_diff *d)
{
	char name[VALUE_TEXT_MAX];
	for (size_t i = 0; i < a->listener_count; i++) {
		const struct config_listener *of_a = &a->listeners[i];
		const struct config_listener *of_b = listener_at(b, of_a);
		listener_name(of_a, name);
		if (of_b)
			compare_listener(a, of_a, b, of_b, d);
		else
			add_line(d, false, "%s: is closed", name);
	}
	for (size_t i = 0; i < b->listener_count; i++) {
		listener_name(&b->listeners[i], name);
		if (!listener_at(a, &b->listeners[i]))
			add_line(d, false, "%s: is opened", name);
	}
}

void config_compare(const struct config *running, const struct config *fresh,
		    struct config_diff *out)
{
	*out = (struct config_diff){0};
	compare_listeners(running, fresh, out);
	compare_globals(running, fresh, out);
}

static void swap_bytes(void *a, void *b, size_t len)
{
	uint8_t kept[sizeof(struct config_store)];
	ASSERT(len <= sizeof(kept));
	memcpy(kept, a, len);
	memcpy(a, b, len);
	memcpy(b, kept, len);
}

/* The store's are swapped as one: some follow from others. */
void config_keep_fixed(struct config *running, struct config *fresh)
{
	swap_bytes(&running->store, &fresh->store, sizeof(running->store));
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *o = option_at(i);
		if (o->change != OPTION_CHANGES_AT_RESTART || o->group == OPTION_GROUP_STORE ||
		    o->target == OPTION_TO_NOTHING || is_other_name(i))
			continue;
		ASSERT(o->target == OPTION_TO_CONFIG); /* else somebody must carry it over */
		swap_bytes((char *)running + o->offset, (char *)fresh + o->offset, o->size);
	}
}
