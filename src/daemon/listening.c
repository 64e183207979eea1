/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/listening.h"

#include "base/mem.h"

#include <stdio.h>
#include <sys/socket.h>

/* Like a port: every user of the machine reaches it, and access is checked by other means. */
#define SOCKET_MODE 0666

static int family_of(const struct config_listener *from)
{
	switch (from->family) {
	case SOCKET_FAMILY_IPV4: return AF_INET;
	case SOCKET_FAMILY_IPV6: return AF_INET6;
	default: return AF_UNSPEC;
	}
}

static int open_unix(const struct config_listener *from, struct listener *listener_out,
		     unsigned *opened_out, char reason[LISTENING_REASON_MAX])
{
	struct listen_unix at = {
		.path = from->address,
		.mode = from->socket_mode >= 0 ? (mode_t)from->socket_mode : SOCKET_MODE,
		.owner = from->socket_owner,
		.group = from->socket_group,
	};
	*opened_out = 1;
	return listener_open_unix(&at, listener_out, reason);
}

static int open_tcp(const struct config *c, const struct config_listener *from,
		    struct listener *listeners, unsigned *opened_out,
		    char reason[LISTENING_REASON_MAX])
{
	struct listen_at at = {
		.host = from->is_loopback ? "localhost" : from->address,
		.port = from->port,
		.family = family_of(from),
		.may_delay = !c->tcp_nodelay,
		.interface = from->interface,
	};
	return listeners_open(&at, listeners, opened_out, reason);
}

static int open_one(struct listening *l, const struct config *c, const struct config_listener *from,
		    char reason[LISTENING_REASON_MAX])
{
	struct listener *listeners = l->listeners + l->count;
	unsigned opened;
	int error = config_listener_is_unix(from) ? open_unix(from, listeners, &opened, reason)
						  : open_tcp(c, from, listeners, &opened, reason);
	if (error != 0)
		return error;
	memset(l->door_indexes + l->count, (int)l->door_count, opened);
	l->count += opened;
	error = door_open(&l->doors[l->door_count], c, from, reason);
	l->door_count += error == 0;
	return error;
}

_Static_assert(CONFIG_LISTENERS_MAX <= UINT8_MAX, "an index of a door is a byte");

int listening_open(struct listening *l, const struct config *c, char reason[LISTENING_REASON_MAX])
{
	size_t room = c->listener_count * LISTENERS_PER_HOST_MAX;
	*l = (struct listening){
		.listeners = mem_alloc(room * sizeof(*l->listeners)),
		.door_indexes = mem_alloc(room),
		.doors = mem_zalloc(c->listener_count * sizeof(*l->doors)),
	};
	if (!l->listeners || !l->door_indexes || !l->doors) {
		listening_close(l);
		snprintf(reason, LISTENING_REASON_MAX, "cannot listen: out of memory");
		return ERROR_NO_MEMORY;
	}
	int error = 0;
	for (size_t i = 0; i < c->listener_count && error == 0; i++)
		error = open_one(l, c, &c->listeners[i], reason);
	if (error != 0)
		listening_close(l);
	return error;
}

void listening_close(struct listening *l)
{
	for (unsigned i = 0; i < l->count; i++)
		listener_close(&l->listeners[i]);
	for (unsigned i = 0; i < l->door_count; i++)
		door_close(&l->doors[i]);
	mem_free(l->listeners);
	mem_free(l->door_indexes);
	mem_free(l->doors);
	*l = (struct listening){0};
}

unsigned listening_reload(struct listening *l, const struct config *c,
			  void (*refused)(void *context, const char *reason), void *context)
{
	char reason[LISTENING_REASON_MAX];
	unsigned count = 0;
	for (unsigned i = 0; i < l->door_count; i++) {
		if (!l->doors[i].tls)
			continue;
		if (door_reload(&l->doors[i], c, &c->listeners[i], reason) == 0)
			count++;
		else
			refused(context, reason);
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
