/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies between a socket of the generator and MQTT when it is not the socket alone: TLS,
 * WebSocket or both. Each read takes all that the layers have, so that epoll's word is enough: no
 * byte waits in a layer for a socket that has none.
 */
#ifndef NIGHTJAR_CLI_BENCH_CARRIER_H
#define NIGHTJAR_CLI_BENCH_CARRIER_H

#include "cli/bench_options.h"
#include "io/tls_context.h"

struct bench_carrier;

/* What all connections of a run share. */
struct bench_carriage {
	struct tls_context *tls; /* NULL: none */
	const char *host;        /* the server's name, to be looked for in its certificate */
	bool checks_name;
	bool is_websocket;
};

/* Reads what the options name. 0, or ERROR_INVALID or ERROR_NO_MEMORY with a sentence. */
int bench_carriage_init(struct bench_carriage *shared, const struct bench_options *o,
			char reason[TLS_REASON_MAX]) MUST_USE;
void bench_carriage_release(struct bench_carriage *shared);

static inline bool bench_carriage_is_needed(const struct bench_carriage *shared)
{
	return shared->tls || shared->is_websocket;
}

/* Over a connected socket, which stays the caller's. NULL without memory. */
struct bench_carrier *bench_carrier_new(const struct bench_carriage *shared, int fd) MUST_USE;
void bench_carrier_free(struct bench_carrier *c); /* NULL is allowed */

/* A step towards being open: 0 when it is, ERROR_AGAIN, ERROR_CLOSED, ERROR_NO_MEMORY. */
int bench_carrier_open(struct bench_carrier *c) MUST_USE;
/* As recv and send: bytes, 0 at the end (reading), ERROR_AGAIN, ERROR_CLOSED. What was not sent is
 * to be sent again from there on, with the same bytes. */
long bench_carrier_receive(struct bench_carrier *c, struct room room) MUST_USE;
long bench_carrier_send(struct bench_carrier *c, struct span bytes) MUST_USE;
/* A layer has something of its own to write, and the socket takes no more. */
bool bench_carrier_is_blocked(const struct bench_carrier *c);
/* Why it was closed; NULL: nothing is known. As long as it lives. */
const char *bench_carrier_reason(const struct bench_carrier *c);
/* Was the handshake shortened by an earlier one? */
bool bench_carrier_is_resumed(const struct bench_carrier *c);

#endif
