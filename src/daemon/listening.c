/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/listening.h"

#include "base/mem.h"
#include "daemon/port.h"

#include <stdio.h>

_Static_assert(CONFIG_LISTENERS_MAX <= UINT8_MAX, "an index of an entrance is a byte");

struct listening *listening_new(size_t entrances_max)
{
	struct listening *l = mem_zalloc(sizeof(*l));
	size_t listeners_max = entrances_max * LISTENERS_PER_HOST_MAX;
	if (!l)
		return NULL;
	atomic_init(&l->refs, 1);
	l->listeners = mem_zalloc(listeners_max * sizeof(*l->listeners));
	l->entrance_indexes = mem_zalloc(listeners_max);
	l->entrances = mem_zalloc(entrances_max * sizeof(*l->entrances));
	if (l->listeners && l->entrance_indexes && l->entrances)
		return l;
	listening_unref(l);
	return NULL;
}

void listening_add(struct listening *l, struct port *port, struct door *door)
{
	for (unsigned i = 0; i < port->count; i++) {
		l->entrance_indexes[l->count] = (uint8_t)l->entrance_count;
		l->listeners[l->count] = port->listeners[i];
		l->listeners[l->count++].path = NULL;
	}
	l->entrances[l->entrance_count++] = (struct entrance){port, door};
}

int listening_open_one(struct listening *l, const struct config *c,
		       const struct config_listener *from, char reason[LISTENING_REASON_MAX])
{
	struct port *port = port_open(c, from, reason);
	struct door *door = port ? door_new(c, from, NULL, reason) : NULL;
	if (door)
		listening_add(l, port, door);
	else
		port_unref(port);
	return door ? 0 : ERROR_SYSTEM;
}

struct listening *listening_open(const struct config *c, char reason[LISTENING_REASON_MAX])
{
	struct listening *l = listening_new(c->listener_count);
	int error = l ? 0 : ERROR_NO_MEMORY;
	if (!l)
		snprintf(reason, LISTENING_REASON_MAX, "cannot listen: out of memory");
	for (size_t i = 0; i < c->listener_count && error == 0; i++)
		error = listening_open_one(l, c, &c->listeners[i], reason);
	if (error == 0)
		return l;
	listening_unref(l);
	return NULL;
}

struct listening *listening_ref(struct listening *l)
{
	atomic_fetch_add(&l->refs, 1);
	return l;
}

void listening_unref(struct listening *l)
{
	if (!l || atomic_fetch_sub(&l->refs, 1) > 1)
		return;
	for (unsigned i = 0; i < l->entrance_count; i++) {
		port_unref(l->entrances[i].port);
		door_unref(l->entrances[i].door);
	}
	mem_free(l->listeners);
	mem_free(l->entrance_indexes);
	mem_free(l->entrances);
	mem_free(l);
}

unsigned listening_reload(struct listening *l, const struct config *c,
			  const struct listening_report *report)
{
	char reason[LISTENING_REASON_MAX];
	unsigned count = 0;
	for (unsigned i = 0; i < l->entrance_count; i++) {
		struct door *door = l->entrances[i].door;
		if (!door->tls)
			continue;
		if (door_reload(door, c, &c->listeners[i], reason) == 0)
			count++;
		else
			report->refused(report->context, reason);
	}
	return count;
}

void listening_text(const struct listening *l, char *text, size_t room)
{
	size_t len = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < l->count && len < room; i++) {
		const char *joint = i == 0 ? "" : i + 1 == l->count ? " and " : ", ";
		len += (size_t)snprintf(text + len, room - len, "%s%s", joint,
					l->listeners[i].text);
	}
}
