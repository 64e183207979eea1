/* SPDX-License-Identifier: Apache-2.0 */
/* What lies between a client's bytes and its socket: TLS, WebSocket, or nothing (io/layer.h). */
#ifndef NIGHTJAR_CLIENT_CARRY_H
#define NIGHTJAR_CLIENT_CARRY_H

#include <sys/types.h>

#include "client/transport.h"
#include "io/layer.h"
#include "io/tls_context.h"

#define CARRY_REASON_MAX TLS_REASON_MAX

struct nj_options;

/* Where a server is. */
struct endpoint {
	const struct transport *transport;
	char *name; /* host, or path of a socket */
	char *path; /* of a WebSocket; else NULL */
	uint16_t port;
};

/* Of a client, for all its connections. */
struct carry {
	struct tls_context *tls; /* NULL: none of its addresses needs it */
	char *server_name;       /* in place of the address's host; NULL: not said */
	bool checks_name;
	/* Of the connection: */
	struct layer_bottom bottom;
	struct layer *top;             /* NULL: nothing lies between */
	char reason[CARRY_REASON_MAX]; /* why the last one ended; "": nothing to say */
};

/* Why these options cannot be used for an address of that kind; NULL: they can. The text is this
 * thread's until the next call. */
const char *carry_problem(const struct nj_options *o, bool needs_tls);
int carry_init(struct carry *c, const struct nj_options *o, bool needs_tls) MUST_USE;
void carry_release(struct carry *c);

/* A connection has come about on that descriptor, which stays the caller's. */
int carry_begin(struct carry *c, const struct endpoint *e, int fd) MUST_USE;
/* A step towards being open: 0, ERROR_AGAIN, or another error with the reason. */
int carry_open(struct carry *c);
/* As read and write. */
ssize_t carry_read(struct carry *c, void *bytes, size_t len);
ssize_t carry_write(struct carry *c, const void *bytes, size_t len);
void carry_finish(struct carry *c);
/* The connection is over; the reason stays. */
void carry_end(struct carry *c);

static inline bool carry_is_used(const struct carry *c)
{
	return c->top != NULL;
}

#endif
