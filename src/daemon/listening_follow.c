/* SPDX-License-Identifier: Apache-2.0 */
/* From one set of sockets to the next, listener by listener (listening.h). */
#include "daemon/listening.h"

#include "base/mem.h"
#include "config/diff.h"
#include "config/value_text.h"
#include "daemon/port.h"

#include <stdio.h>

struct following {
	struct listening *before, *after;
	struct config *running, *fresh;
	const struct listening_report *report;
	bool is_silenced[CONFIG_LISTENERS_MAX]; /* of those that run */
	unsigned failed_count;
};

static void refuse(struct following *f, const struct config_listener *l, const char *reason,
		   const char *consequence)
{
	char name[VALUE_TEXT_MAX], text[LISTENING_REASON_MAX + 2 * VALUE_TEXT_MAX];
	listener_name(l, name);
	snprintf(text, sizeof(text), "%s: %s%s", name, reason, consequence);
	f->report->refused(f->report->context, text);
}

/* The index of the running one of that realm (config_follow_realms); -1: there is none. */
static int find_running(const struct following *f, const struct config_listener *l)
{
	for (size_t i = 0; i < f->running->listener_count; i++)
		if (f->running->listeners[i].realm == l->realm)
			return (int)i;
	return -1;
}

static bool is_wanted(const struct following *f, const struct config_listener *running)
{
	for (size_t i = 0; i < f->fresh->listener_count; i++)
		if (f->fresh->listeners[i].realm == running->realm)
			return true;
	return false;
}

/* Those that are to go may stand where a new one wants to be. True when there are any. */
static bool silence_port(struct following *f, uint16_t port)
{
	bool is_any = false;
	for (size_t i = 0; i < f->running->listener_count && port != 0; i++) {
		const struct config_listener *l = &f->running->listeners[i];
		if (l->port != port || f->is_silenced[i] || is_wanted(f, l))
			continue;
		port_silence(f->before->entrances[i].port);
		f->is_silenced[i] = true;
		is_any = true;
	}
	return is_any;
}

static void resume_port(struct following *f, uint16_t port)
{
	for (size_t i = 0; i < f->running->listener_count; i++) {
		if (!f->is_silenced[i] || f->running->listeners[i].port != port)
			continue;
		port_resume(f->before->entrances[i].port);
		f->is_silenced[i] = false;
	}
}

/* False when it could not be opened. */
static bool open_new(struct following *f, const struct config_listener *l)
{
	char reason[LISTENING_REASON_MAX];
	if (listening_open_one(f->after, f->fresh, l, reason) == 0)
		return true;
	if (silence_port(f, l->port)) {
		if (listening_open_one(f->after, f->fresh, l, reason) == 0)
			return true;
		resume_port(f, l->port);
	}
	refuse(f, l, reason,
	       ". It is not opened, and none is closed. What needs rights that the broker has "
	       "given up takes a restart");
	f->failed_count++;
	return false;
}

/* As it was, and so are its words in the fresh configuration. Who may come in by it is not the
 * listener's matter. */
static void keep(struct following *f, unsigned index, struct config_listener *l)
{
	const struct entrance *old = &f->before->entrances[index];
	struct config_listener *running = &f->running->listeners[index];
	struct config_listener kept = *running;
	*running = *l;
	running->access = kept.access;
	kept.access = l->access;
	*l = kept;
	listening_add(f->after, port_ref(old->port), door_ref(old->door));
}

static void change(struct following *f, unsigned index, struct config_listener *l)
{
	char reason[LISTENING_REASON_MAX];
	const struct entrance *old = &f->before->entrances[index];
	struct door *door = door_new(f->fresh, l, old->door, reason);
	int error = door ? 0 : ERROR_INVALID;
	bool is_same = f->running->tcp_nodelay == f->fresh->tcp_nodelay &&
		       config_listener_is_same_socket(&f->running->listeners[index], l);
	if (error == 0 && !is_same)
		error = port_adjust(old->port, f->fresh, l, reason);
	if (error != 0) {
		door_unref(door);
		refuse(f, l, reason, ". The old one stays in use");
		keep(f, index, l);
		return;
	}
	door_succeed(old->door, door);
	listening_add(f->after, port_ref(old->port), door);
}

/* Those that cannot be opened are taken out. */
static void follow_wanted(struct following *f)
{
	for (size_t i = 0; i < f->fresh->listener_count;) {
		struct config_listener *l = &f->fresh->listeners[i];
		int running = find_running(f, l);
		bool is_there = true;
		if (running >= 0)
			change(f, (unsigned)running, l);
		else
			is_there = open_new(f, l);
		if (is_there)
			i++;
		else
			config_drop_listener(f->fresh, i);
	}
}

/* Where another one could not be opened, perhaps in its place, nobody shall stand before a closed
 * door: until it can be, those that are to be closed stay. */
static void keep_unwanted(struct following *f)
{
	for (size_t i = 0; i < f->running->listener_count; i++) {
		const struct config_listener *l = &f->running->listeners[i];
		const struct entrance *old = &f->before->entrances[i];
		if (f->is_silenced[i] || is_wanted(f, l) || config_keep_listener(f->fresh, l) != 0)
			continue;
		listening_add(f->after, port_ref(old->port), door_ref(old->door));
	}
}

struct listening *listening_follow(struct listening *before, struct config *running,
				   struct config *fresh, const struct listening_report *report)
{
	struct following f = {
		.before = before,
		.after = listening_new(fresh->listener_count + running->listener_count),
		.running = running,
		.fresh = fresh,
		.report = report,
	};
	if (!f.after)
		return NULL;
	follow_wanted(&f);
	if (f.failed_count > 0)
		keep_unwanted(&f);
	return f.after;
}
