/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/listening.h"

#include "base/mem.h"

#include <stdio.h>
#include <sys/socket.h>

static int family_of(const struct config_listener *from)
{
	switch (from->family) {
	case SOCKET_FAMILY_IPV4: return AF_INET;
	case SOCKET_FAMILY_IPV6: return AF_INET6;
	default: return AF_UNSPEC;
	}
}

static int open_one(struct listening *l, const struct config *c, const struct config_listener *from,
		    char reason[LISTENER_REASON_MAX])
{
	struct listen_at at = {
		.host = from->is_loopback ? "localhost" : from->address,
		.port = from->port,
		.family = family_of(from),
		.may_delay = !c->tcp_nodelay,
	};
	unsigned opened;
	int error = listeners_open(&at, l->listeners + l->count, &opened, reason);
	if (error != 0)
		return error;
	memset(l->answers + l->count, from->answer, opened);
	l->count += opened;
	return 0;
}

int listening_open(struct listening *l, const struct config *c, char reason[LISTENER_REASON_MAX])
{
	size_t room = c->listener_count * LISTENERS_PER_HOST_MAX;
	*l = (struct listening){
		.listeners = mem_alloc(room * sizeof(*l->listeners)),
		.answers = mem_alloc(room),
	};
	if (!l->listeners || !l->answers) {
		listening_close(l);
		snprintf(reason, LISTENER_REASON_MAX, "cannot listen: out of memory");
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
	mem_free(l->listeners);
	mem_free(l->answers);
	*l = (struct listening){0};
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
