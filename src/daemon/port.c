/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/port.h"

#include "base/mem.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
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

static struct listen_unix unix_of(const struct config_listener *from)
{
	return (struct listen_unix){
		.path = from->address,
		.mode = from->socket_mode >= 0 ? (mode_t)from->socket_mode : SOCKET_MODE,
		.owner = from->socket_owner,
		.group = from->socket_group,
	};
}

static int open_unix(const struct config_listener *from, struct port *p, char *reason)
{
	struct listen_unix at = unix_of(from);
	p->count = 1;
	return listener_open_unix(&at, p->listeners, reason);
}

static int open_tcp(const struct config *c, const struct config_listener *from, struct port *p,
		    char *reason)
{
	struct listen_at at = {
		.host = from->is_loopback ? "localhost" : from->address,
		.port = from->port,
		.family = family_of(from),
		.may_delay = !c->tcp_nodelay,
		.interface = from->interface,
	};
	return listeners_open(&at, p->listeners, &p->count, reason);
}

struct port *port_open(const struct config *c, const struct config_listener *from,
		       char reason[LISTENER_REASON_MAX])
{
	struct port *p = mem_zalloc(sizeof(*p));
	if (!p) {
		snprintf(reason, LISTENER_REASON_MAX, "cannot listen: out of memory");
		return NULL;
	}
	atomic_init(&p->refs, 1);
	int error = config_listener_is_unix(from) ? open_unix(from, p, reason)
						  : open_tcp(c, from, p, reason);
	if (error == 0)
		return p;
	mem_free(p);
	return NULL;
}

struct port *port_ref(struct port *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

void port_unref(struct port *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) > 1)
		return;
	for (unsigned i = 0; i < p->count; i++)
		listener_close(&p->listeners[i]);
	mem_free(p);
}

void port_silence(struct port *p)
{
	for (unsigned i = 0; i < p->count; i++)
		listener_silence(&p->listeners[i]);
}

void port_resume(struct port *p)
{
	for (unsigned i = 0; i < p->count; i++)
		listener_resume(&p->listeners[i]);
}

static void set_delay(struct port *p, bool may_delay)
{
	int no_delay = !may_delay;
	for (unsigned i = 0; i < p->count; i++)
		(void)setsockopt(p->listeners[i].fd, IPPROTO_TCP, TCP_NODELAY, &no_delay,
				 sizeof(no_delay));
}

int port_adjust(struct port *p, const struct config *c, const struct config_listener *from,
		char reason[LISTENER_REASON_MAX])
{
	struct listen_unix at = unix_of(from);
	if (config_listener_is_unix(from))
		return listener_change_unix(p->listeners, &at, reason);
	set_delay(p, !c->tcp_nodelay);
	return 0;
}
