/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name of a server, looked up beside the client: a thread lives as long as getaddrinfo(3) takes,
 * so that neither an event loop nor other calls wait for a name server. Nothing can cut such a
 * call short; one that nobody waits for any more ends by itself, and frees what it holds.
 */
#ifndef NIGHTJAR_CLIENT_RESOLVER_H
#define NIGHTJAR_CLIENT_RESOLVER_H

#include "client/transport.h"

struct resolver;

struct resolved {
	struct address_list servers;
	struct address_list locals; /* what `bind_name` means */
	const char *trouble;        /* NULL, or why there is nothing to try; with static lifetime */
};

/* At once, where nothing has to be asked; false: somebody has. `bind_name` may be NULL. */
bool resolve_at_once(const struct transport *t, const char *name, uint16_t port,
		     const char *bind_name, struct resolved *out);
/* Waits as long as it takes. */
void resolve_and_wait(const struct transport *t, const char *name, uint16_t port,
		      const char *bind_name, struct resolved *out);

/* Begins; `wake_fd` is an eventfd that gets 1 at the end. NULL when there is no memory or thread. */
struct resolver *resolver_start(const struct transport *t, const char *name, uint16_t port,
				const char *bind_name, int wake_fd) MUST_USE;
bool resolver_is_done(const struct resolver *r);
/* Frees one that is done. */
void resolver_take(struct resolver *r, struct resolved *out);
/* Nobody waits for it. NULL is allowed. */
void resolver_abandon(struct resolver *r);

#endif
